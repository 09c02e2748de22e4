//! miq_queue: messages on their way to the handler, their kinds and states.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

/// The number of a message, and of the event that it becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub i64);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    /// Save this event and deliver it to the rules.
    Add,
    /// A native event that could not be parsed; kept until `queue retry`.
    Unparsed,
    /// Go on with a state machine of an event that is saved.
    Deliver,
    /// Send an outside effect of an event that is saved.
    Outbox,
}

impl MessageKind {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Add, Self::Unparsed, Self::Deliver, Self::Outbox];

    /// Its word in lists and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Unparsed => "unparsed",
            Self::Deliver => "deliver",
            Self::Outbox => "outbox",
        }
    }

    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Add => 0,
            Self::Unparsed => 1,
            Self::Deliver => 2,
            // Of a table of its own.
            Self::Outbox => 3,
        }
    }

    pub(crate) fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

impl FromStr for MessageKind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == word);
        found.ok_or_else(|| {
            format!("`{word}` is no kind of message; add, unparsed, deliver or outbox is expected")
        })
    }
}

/// How a message fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    /// It can be taken as soon as those before it in its lane are gone.
    Ready,
    /// The handler has it in hand; only the process that handles it knows.
    Taken,
    /// It waits until it is due.
    Waiting,
    /// It failed too often; its lane stands still until it is retried or discarded.
    Parked,
    /// It failed too often, or cannot be parsed; nobody waits for it.
    Dead,
}

impl MessageState {
    /// Each of them.
    pub const ALL: [Self; 5] = [Self::Ready, Self::Taken, Self::Waiting, Self::Parked, Self::Dead];

    /// Its word in lists and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Taken => "taken",
            Self::Waiting => "waiting",
            Self::Parked => "parked",
            Self::Dead => "dead",
        }
    }

    /// The column's number; whoever has a message in hand does not write that down.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Ready | Self::Taken => 0,
            Self::Dead => 1,
            Self::Waiting => 2,
            Self::Parked => 3,
        }
    }

    pub(crate) fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }
}

impl FromStr for MessageState {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == word);
        found.ok_or_else(|| {
            format!("`{word}` is no state of a message; ready, taken, waiting, parked or dead is expected")
        })
    }
}
