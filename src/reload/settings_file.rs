//! The settings file in force: read anew when it changed, kept as it was when something in it is wrong.

use std::sync::Arc;

use crate::settings::ActiveSettings;
use crate::settings::Environment;
use crate::settings::Settings;
use crate::settings::SettingsPath;
use crate::source::Diagnostic;
use crate::source::Severity;

/// The settings in force and where they are from.
#[derive(Debug)]
pub struct SettingsFile {
    /// The file. One that was there when settings were read last has to stay there: without it whom it keeps out would
    /// be let in.
    pub path: SettingsPath,
    /// The variables that go before it.
    pub environment: Environment,
    /// The settings in force.
    pub active: ActiveSettings,
    /// Those that the program started with, some of which count until it ends.
    pub started: Arc<Settings>,
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
        let path = self.path.clone().kept();
        let (settings, findings) = match Settings::load(&path, &self.environment) {
            Ok(loaded) => loaded,
            Err(error) => return SettingsOutcome::Kept(errors(error.0).collect()),
        };
        let is_new = |finding: &Diagnostic| !self.findings.contains(finding);
        let wrong: Vec<Diagnostic> = errors(findings.clone()).filter(is_new).collect();
        if !wrong.is_empty() {
            return SettingsOutcome::Kept(wrong);
        }
        self.active.replace(settings);
        self.findings.clone_from(&findings);
        self.path = path;
        SettingsOutcome::Replaced(findings)
    }

    /// What differs from the settings that the program started with, and counts after a restart.
    pub(crate) fn waiting(&self) -> Vec<&'static str> {
        self.started.waiting_for_restart(&self.active.take())
    }

    /// What was wrong when the settings in force were loaded, and made them let in or send less than is written.
    pub(crate) fn left_out(&self) -> Vec<Diagnostic> {
        errors(self.findings.clone()).collect()
    }
}

fn errors(findings: Vec<Diagnostic>) -> impl Iterator<Item = Diagnostic> {
    let mut findings = findings.into_iter();
    std::iter::from_fn(move || findings.find(|finding| finding.severity == Severity::Error))
}
