//! What is wrong with a body that holds no messages.

use crate::model::json::JsonError;

/// Why a body holds no messages; nothing of it is taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// Not JSON, or not the shape that is expected.
    #[error("{0}")]
    Json(String),
    /// An attribute is not as the specification wants it.
    #[error("attribute `{name}` {problem}")]
    Attribute {
        /// Which.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A list of more events than are taken at once.
    #[error("more than {longest} events at once")]
    TooMany {
        /// How many are.
        longest: usize,
    },
    /// One event of several; the position is from 1.
    #[error("event {position}: {problem}")]
    Element {
        /// Which.
        position: usize,
        /// What is wrong with it.
        problem: Box<Malformed>,
    },
}

impl Malformed {
    pub(crate) fn attribute(name: &str, problem: impl Into<String>) -> Self {
        Self::Attribute {
            name: name.to_owned(),
            problem: problem.into(),
        }
    }

    pub(crate) fn json(error: &JsonError) -> Self {
        Self::Json(format!("the body is no JSON: {error}"))
    }
}
