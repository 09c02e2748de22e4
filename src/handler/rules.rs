//! What the handler needs of the rules: admit, deliver, go on.

use std::sync::Arc;

use crate::model::delivery::Delivery;
use crate::model::delivery::RulesId;
use crate::model::ems::Ems;
use crate::model::event::EmsEvent;
use crate::model::event::NativeEvent;
use crate::settings::Blacklist;
use crate::switchboard::Admission;
use crate::switchboard::Context;
use crate::switchboard::ParseError;
use crate::switchboard::Switchboard;

/// One set of rules, whole and immutable.
pub trait Rules: Send + Sync {
    /// Which set it is.
    fn id(&self) -> RulesId;

    /// Parses a native event again, and says whether `blacklist` lets it in.
    ///
    /// # Errors
    /// When it still cannot be parsed.
    fn admit(&self, ems: &Ems, native: &NativeEvent, blacklist: &Blacklist) -> Result<Admission, ParseError>;

    /// Decides about an event; `context` tells the time, the records, and where an earlier run had got to.
    fn deliver(&self, event: &Arc<EmsEvent>, context: &Context) -> Delivery;
}

impl Rules for Switchboard {
    fn id(&self) -> RulesId {
        self.id()
    }

    fn admit(&self, ems: &Ems, native: &NativeEvent, blacklist: &Blacklist) -> Result<Admission, ParseError> {
        self.admit(ems, native, blacklist)
    }

    fn deliver(&self, event: &Arc<EmsEvent>, context: &Context) -> Delivery {
        self.deliver_within(event, context)
    }
}
