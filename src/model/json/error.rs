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
}

impl std::error::Error for JsonError {}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {} column {}", self.reason, self.line, self.column)
    }
}

impl JsonError {
    /// A reason at a byte of a text.
    pub(crate) fn at(text: &str, byte: usize, reason: impl Into<String>) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let begins = before.rfind('\n').map_or(0, |found| found + 1);
        Self {
            reason: reason.into(),
            line: before.matches('\n').count() + 1,
            column: before.get(begins..).unwrap_or_default().chars().count() + 1,
        }
    }
}
