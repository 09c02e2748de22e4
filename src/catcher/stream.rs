//! What a stream promises, whatever it is made of: an events API, a file, one day a broker.
//!
//! Knows nothing of what becomes of a message.

use std::future::Future;
use std::time::Duration;

use serde::Serialize;

use crate::catcher::Broken;
use crate::catcher::push_stream::Kept;
use crate::model::event::NativeEvent;
use crate::model::json;
use crate::outbound;
use crate::outbound::ApiError;
use crate::switchboard::ParseError;

/// The kinds of streams that a manager can have; events are pushed to any of them besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamKind {
    /// Its events API is asked again and again.
    Poll,
    /// A file of JSON lines that grows.
    File,
}

impl StreamKind {
    /// The name of the kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::File => "file",
        }
    }
}

/// What a stream brought at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    /// The messages, in their order.
    pub(crate) messages: Vec<NativeEvent>,
    /// What came and is no message, to be kept with its reason.
    pub(crate) broken: Vec<Broken>,
    /// Where the stream has got to with it: saved in the transaction that keeps the messages.
    pub(crate) position: Option<json::Value>,
    /// Why messages are missing before these, where they are: saved in the same transaction, as a reason to read the
    /// whole inventory again.
    pub(crate) gap: Option<String>,
    /// Whether there is more to be had at once.
    pub(crate) more: bool,
}

impl Batch {
    /// How much came.
    pub(crate) fn len(&self) -> usize {
        self.messages.len() + self.broken.len()
    }

    /// Whether there is nothing to be kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0 && self.position.is_none() && self.gap.is_none()
    }
}

/// Where the messages of one manager come from.
///
/// - Poll: asks again from its last durable position, so what was not acknowledged comes again; polls overlap.
/// - File: reads again from its last durable position; a line counts once its end is there.
/// - A broker would hand its messages over again until they are acknowledged.
pub(crate) trait Stream: Send {
    /// Under this name its position is kept.
    fn name(&self) -> &str;

    /// What came next: it answers within its own limits of time, with an empty batch where nothing came, which is
    /// its sign of life. Whoever drops the future loses nothing: what was not acknowledged comes again.
    fn next(&mut self) -> impl Future<Output = Result<Batch, StreamError>> + Send;

    /// The disk has everything up to this position; `kept` proves it.
    fn acknowledge(&mut self, _kept: &Kept) {}

    /// How long to wait where there is no more; `poll` is what the settings say.
    fn pause(&self, poll: Duration) -> Duration {
        poll
    }
}

/// Why a stream broke off. None of this loses anything: it goes on from the last durable position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StreamError {
    /// The manager's address or credentials, or what a script asks for, cannot be used as they are.
    #[error("{0}")]
    Config(String),
    /// The provider does not let us in.
    #[error("the provider refused the credentials (HTTP {status})")]
    Refused {
        /// 401 or 403.
        status: u16,
    },
    /// The provider asks for patience.
    #[error("the provider asks to come later (HTTP {status})")]
    RateLimited {
        /// 429 or 503.
        status: u16,
        /// How much later, where it says so.
        after: Option<Duration>,
    },
    /// No connection, or it broke, or it took too long.
    #[error("cannot reach the provider: {0}")]
    Unreachable(String),
    /// An answer that is none.
    #[error("the provider answered {0}")]
    Answer(String),
    /// An answer that is longer than this, in bytes.
    #[error("the provider answered more than {} MiB", .0 >> 20)]
    TooLong(u64),
    /// The answer says that there is more, and brings the same again.
    #[error("the provider says that there is more and brings the same page again and again")]
    Repeats,
    /// The answer says that there is more, and its cursor is where it was.
    #[error("the provider says that there is more and its cursor does not move")]
    Stuck,
    /// The provider's script failed over a request or an answer.
    #[error(transparent)]
    Script(#[from] ParseError),
    /// The file cannot be read.
    #[error("cannot read `{path}`: {reason}")]
    File {
        /// Its path.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// It gave no sign of life.
    #[error("it gave no sign of life for {} seconds", .0.as_secs())]
    Silent(Duration),
    /// The database cannot say where the stream had got to.
    #[error("cannot read its last position: {0}")]
    Position(String),
}

impl From<ApiError> for StreamError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Config(why) | ApiError::Asked(why) => Self::Config(why),
            ApiError::Refused { status } => Self::Refused { status },
            ApiError::RateLimited { status, after } => Self::RateLimited { status, after },
            ApiError::Status { status } => Self::Answer(outbound::status_line(status)),
            ApiError::Unreachable(why) => Self::Unreachable(why),
            ApiError::Answer(what) => Self::Answer(what),
            ApiError::TooLong(longest) => Self::TooLong(longest),
        }
    }
}

impl StreamError {
    /// Whether trying again soon could harm: accounts are locked after too many wrong passwords (C11).
    pub(crate) fn is_about_credentials(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// Whether less of the same may be read where this much cannot be.
    pub(crate) fn is_about_size(&self) -> bool {
        match self {
            Self::TooLong(_) => true,
            Self::Script(error) => error.is_stopped(),
            _other => false,
        }
    }

    /// Whether it is about what is in an answer: less of it may lack what cannot be read.
    pub(crate) fn is_about_content(&self) -> bool {
        self.is_about_size() || matches!(self, Self::Script(ParseError::Json(_) | ParseError::Script(_)))
    }

    /// How long the provider wants to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { after, .. } => *after,
            _other => None,
        }
    }
}
