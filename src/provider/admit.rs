//! Admission: whether a message becomes an event, and which. The one way in for new messages, for those that are
//! retried and for simulations.

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::ems::EmsId;
use crate::model::event::EventHash;
use crate::model::event::NativeEvent;
use crate::provider::ParseError;
use crate::provider::Provider;
use crate::provider::parse::Parsed;
use crate::script::ScriptHost;
use crate::settings::Blacklist;
use crate::transport;

/// What becomes of a message.
#[derive(Debug)]
pub enum Admission {
    /// An event, its key settled.
    Event(EventHash),
    /// Not an event, as its provider says, and why.
    Ignored(Cow<'static, str>),
    /// An event that the settings do not want (`blacklisted_event_names`, C16 to C18).
    Filtered {
        /// Its type.
        event_type: Arc<str>,
        /// The entry that names it, as written.
        entry: String,
    },
}

impl Provider {
    /// Parses a message, and says whether it is wanted. What is a CloudEvent in its JSON form is opened first.
    ///
    /// # Errors
    /// When the message is no JSON, or a script fails or returns a wrong shape.
    pub(crate) fn admit(
        &self,
        host: &ScriptHost,
        ems_id: EmsId,
        message: &NativeEvent,
        blacklist: &Blacklist,
    ) -> Result<Admission, ParseError> {
        let message = transport::opened(message);
        let mut hash = match self.parse(host, ems_id, &message)? {
            Parsed::Event(hash) => hash,
            Parsed::Ignored(reason) => return Ok(Admission::Ignored(reason)),
        };
        if let Some(entry) = blacklist.matched(&hash.event_type) {
            let entry = entry.to_owned();
            let event_type = hash.event_type;
            return Ok(Admission::Filtered { event_type, entry });
        }
        if let Some(envelope) = &message.envelope {
            envelope.fill_in(&mut hash);
        }
        hash.settle_key();
        Ok(Admission::Event(hash))
    }
}
