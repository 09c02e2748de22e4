//! The settings file in force: read anew when it changed, kept as it was when something in it is wrong.

use std::path::PathBuf;

use crate::settings::ActiveSettings;
use crate::settings::Environment;
use crate::settings::Settings;
use crate::source::Diagnostic;
use crate::source::Severity;

/// The settings in force and where they are from.
#[derive(Debug)]
pub struct SettingsFile {
    /// The file.
    pub path: PathBuf,
    /// Whether it has to exist, as one that the user named has to.
    pub required: bool,
    /// The variables that go before it.
    pub environment: Environment,
    /// The settings in force.
    pub active: ActiveSettings,
    /// What was wrong when they were loaded.
    pub findings: Vec<Diagnostic>,
}

/// What became of changed settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SettingsOutcome {
    /// They are in force; with what works, but perhaps not as meant.
    Replaced(Vec<Diagnostic>),
    /// The old ones stay; with what is wrong.
    Kept(Vec<Diagnostic>),
}

impl SettingsFile {
    pub(crate) fn reload(&mut self) -> SettingsOutcome {
        let is_there = self.required || self.path.exists();
        let (settings, findings) = Settings::load(is_there.then_some(&*self.path), &self.environment);
        let is_new_error =
            |finding: &&Diagnostic| finding.severity == Severity::Error && !self.findings.contains(finding);
        let wrong: Vec<Diagnostic> = findings.iter().filter(is_new_error).cloned().collect();
        if !wrong.is_empty() {
            return SettingsOutcome::Kept(wrong);
        }
        self.active.replace(settings);
        self.findings.clone_from(&findings);
        SettingsOutcome::Replaced(findings)
    }
}
