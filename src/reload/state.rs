//! The state of reloading, for all who show it: readiness, metrics, tests.

use std::sync::Arc;
use std::time::Duration;

use crate::model::clock::Timestamp;
use crate::model::delivery::RulesId;
use crate::source::Diagnostic;
use crate::source::TreeChanges;

/// Which rules are in force, and what became of the last changes.
#[derive(Clone, Debug)]
pub struct ReloadState {
    /// The rules in force.
    pub id: RulesId,
    /// Since when they are.
    pub since: Timestamp,
    /// How many files they were made of.
    pub files: usize,
    /// Which files made the difference to the rules before.
    pub changes: Arc<TreeChanges>,
    /// What was left out of them when they were loaded, because it was wrong then.
    pub left_out: Arc<[Diagnostic]>,
    /// A change on disk that is not in force, because something in it is wrong.
    pub refused: Option<Refusal>,
    /// The same of the settings file.
    pub settings_refused: Option<Refusal>,
    /// What is wrong in the settings in force, and makes them let in or send less than is written.
    pub settings_left_out: Arc<[Diagnostic]>,
    /// What differs in the settings in force from those at the start, and counts only after a restart.
    pub settings_waiting: Arc<[&'static str]>,
    /// Why some changes are seen late, if so.
    pub problem: Option<Arc<str>>,
    /// How long the last load took, from the first file read to the rules in force.
    pub took: Duration,
    /// How often rules were replaced.
    pub replaced: u64,
    /// How often the old rules were kept, because the new ones were wrong.
    pub kept: u64,
    /// How often there was nothing to do.
    pub unchanged: u64,
    /// How often settings were replaced.
    pub settings_replaced: u64,
    /// How often the old settings were kept.
    pub settings_kept: u64,
}

/// Why what is on disk is not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Since when.
    pub since: Timestamp,
    /// What is wrong.
    pub diagnostics: Arc<[Diagnostic]>,
}

impl ReloadState {
    /// The state after a first load.
    pub(crate) fn new(id: RulesId, since: Timestamp) -> Self {
        Self {
            id,
            since,
            files: 0,
            changes: Arc::default(),
            left_out: Arc::default(),
            refused: None,
            settings_refused: None,
            settings_left_out: Arc::default(),
            settings_waiting: Arc::default(),
            problem: None,
            took: Duration::ZERO,
            replaced: 0,
            kept: 0,
            unchanged: 0,
            settings_replaced: 0,
            settings_kept: 0,
        }
    }
}

impl Refusal {
    /// Refuses for these reasons; what is refused already stays so since then.
    pub(crate) fn next(before: Option<&Self>, now: Timestamp, diagnostics: Arc<[Diagnostic]>) -> Self {
        let since = before.map_or(now, |before| before.since);
        Self { since, diagnostics }
    }
}
