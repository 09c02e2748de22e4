//! Why a text is no JSON, and where.

use std::fmt;

/// Why a text is no JSON: the reason, with line and column, both from 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong, in words.
    pub reason: String,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// Whether a value alone is at fault, and not the form of the text: a lone surrogate, or one that lies too deep.
    pub is_of_value: bool,
}

impl std::error::Error for JsonError {}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {} column {}", self.reason, self.line, self.column)
    }
}

/// For those who tell of faults of the library's kind, too.
impl From<JsonError> for serde_json::Error {
    fn from(error: JsonError) -> Self {
        serde::de::Error::custom(error)
    }
}

impl JsonError {
    /// The same place counted from the beginning of a longer text, in which this one begins at a byte.
    #[must_use]
    pub(crate) fn within(mut self, text: &str, begins: usize) -> Self {
        let begin = Self::at(text, begins, "");
        if self.line == 1 {
            self.column += begin.column - 1;
        }
        self.line += begin.line - 1;
        self
    }

    /// A reason at a byte of a text.
    pub(crate) fn at(text: &str, byte: usize, reason: impl Into<String>) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let begins = before.rfind('\n').map_or(0, |found| found + 1);
        Self {
            reason: reason.into(),
            line: before.matches('\n').count() + 1,
            column: before.get(begins..).unwrap_or_default().chars().count() + 1,
            is_of_value: false,
        }
    }
}
