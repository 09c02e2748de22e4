//! One immutable set of rules: parse a message, deliver an event.

pub mod active;

pub use active::ActiveSwitchboard;

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::delivery::Delivery;
use crate::model::delivery::Retry;
use crate::model::delivery::RulesId;
use crate::model::ems::Ems;
use crate::model::event::EmsEvent;
use crate::model::event::EventHash;
use crate::model::event::NativeEvent;
use crate::source::Diagnostic;
use crate::source::SourceTree;

/// What a load gives: a switchboard of everything that could be used, and what is wrong with the rest.
#[derive(Debug)]
pub struct Loaded {
    /// The rules.
    pub switchboard: Switchboard,
    /// What is wrong, errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// What a parser made of a message.
#[derive(Debug)]
pub enum Parsed {
    /// An event.
    Event(EventHash),
    /// Not an event, and why.
    Ignored(Cow<'static, str>),
}

/// Why a message could not be parsed: the whole story, for the queue and the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

/// One immutable set of rules.
#[derive(Debug)]
pub struct Switchboard {
    id: RulesId,
}

impl Switchboard {
    /// Loads a tree; parts of `previous` whose files did not change are shared, not compiled again.
    pub fn load(_tree: &SourceTree, _previous: Option<&Arc<Switchboard>>) -> Loaded {
        Loaded {
            switchboard: Self { id: RulesId(0) },
            diagnostics: Vec::new(),
        }
    }

    /// Which generation this is.
    pub fn id(&self) -> RulesId {
        self.id
    }

    /// The names of the providers, sorted.
    pub fn providers(&self) -> Vec<Arc<str>> {
        Vec::new()
    }

    /// Parses a message as `ems`'s provider does.
    ///
    /// # Errors
    /// When the provider is unknown, the message is no JSON, or the script fails or returns a wrong shape.
    pub fn parse(&self, _ems: &Ems, _native: &NativeEvent) -> Result<Parsed, ParseError> {
        Err(ParseError("not yet".to_owned()))
    }

    /// Goes on with a run over an event that ended in `retry`. Pure, and never fails.
    pub fn resume(&self, _event: &Arc<EmsEvent>, _retry: &Retry) -> Delivery {
        Delivery::default()
    }

    /// Decides what to do about an event. Pure, and never fails.
    pub fn deliver(&self, _event: &Arc<EmsEvent>) -> Delivery {
        Delivery::default()
    }
}
