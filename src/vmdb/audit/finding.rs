//! What a check of a database finds: how bad, what, where, and what to do.

use std::fmt;

use serde::Serialize;

use crate::source::Severity;
use crate::vmdb::VmdbError;

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// An error means that something was lost, doubled or changed; a warning, that this may come to pass.
    pub severity: Severity,
    /// A stable name for the kind of finding.
    pub code: &'static str,
    /// What it is about, for example `event 17`.
    #[serde(rename = "where")]
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Finding {
    /// An error.
    pub fn error(
        code: &'static str,
        place: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            code,
            place: place.into(),
            message: message.into(),
            help: help.into(),
        }
    }

    /// A warning.
    pub fn warning(
        code: &'static str,
        place: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, place, message, help)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}[{}]: {}: {}", self.code, self.place, self.message)
    }
}

/// Takes findings as they come: a damaged database may hold millions.
pub(crate) struct Report<'a> {
    take: &'a mut dyn FnMut(Finding),
}

impl<'a> Report<'a> {
    pub(crate) fn new(take: &'a mut dyn FnMut(Finding)) -> Self {
        Self { take }
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        (self.take)(finding);
    }

    /// Does one part of a check. What cannot be read is a finding too, and the other parts go on.
    pub(crate) fn part<T>(
        &mut self,
        what: &'static str,
        check: impl FnOnce(&mut Self) -> Result<T, VmdbError>,
    ) -> Option<T> {
        match check(self) {
            Ok(done) => Some(done),
            Err(error) => {
                let message = format!("cannot be read to its end: {}", with_causes(&error));
                self.add(Finding::error("Unreadable", what, message, RESTORE));
                None
            }
        }
    }
}

/// What to do about anything that is gone or changed.
pub(crate) const RESTORE: &str =
    "stop the program, keep a copy of the database with its -wal, and restore a backup that passes `verify`";

fn with_causes(error: &VmdbError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(", because: {error}"));
        cause = error.source();
    }
    text
}
