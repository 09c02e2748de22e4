//! A finding about a file: what is wrong, where, what was expected, what to do.

use std::fmt;
use std::string::FromUtf8Error;
use std::sync::Arc;

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// What it is about cannot be used.
    Error,
    /// It works, but perhaps not as meant.
    Warning,
}

/// One finding of a load or a check, in the shape of `check --format json`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name for the kind of finding; the reference's name where it has one (`FieldNotFound`).
    pub code: &'static str,
    /// The file, relative to its folder, with the folder's name in front.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub help: String,
}

impl Diagnostic {
    /// An error at the beginning of `file`; [`Diagnostic::at`] and [`Diagnostic::help`] refine it.
    pub fn error(code: &'static str, file: &Arc<str>, message: impl Into<String>) -> Self {
        let (file, message) = (file.clone(), message.into());
        Self {
            severity: Severity::Error,
            code,
            file,
            line: 1,
            column: 1,
            message,
            help: String::new(),
        }
    }

    /// A warning at the beginning of `file`.
    pub fn warning(code: &'static str, file: &Arc<str>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, file, message)
        }
    }

    /// A file that holds no UTF-8 text, at the first byte that is none.
    pub(crate) fn not_utf8(file: &Arc<str>, error: &FromUtf8Error) -> Self {
        let (valid, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let text = String::from_utf8_lossy(valid);
        let columns = text.rsplit('\n').next().unwrap_or_default().chars().count();
        let number = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
        Self::error("NotUtf8", file, "the file is not UTF-8 text")
            .at(number(text.matches('\n').count()), number(columns))
            .help("save it as UTF-8")
    }

    /// The same finding at a place, from 1.
    #[must_use]
    pub fn at(mut self, line: u32, column: u32) -> Self {
        (self.line, self.column) = (line.max(1), column.max(1));
        self
    }

    /// The same finding with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

/// One line: where, how bad, what.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(
            f,
            "{}:{}:{}: {severity}[{}]: {}",
            self.file, self.line, self.column, self.code, self.message
        )
    }
}
