//! Reload: reads what changed, loads, then replaces the rules in force or keeps them.
//!
//! Whatever is wrong in what changed leaves the rules in force as they are. What was wrong already when they were
//! loaded was left out then, and does not stand in the way of other changes. Knows neither tables nor stages.

mod pending;
mod points;
mod report;
mod run;
mod settings_file;
mod stamps;
mod state;
mod watcher;
mod watches;

pub use report::ReloadReport;
pub use report::Reports;
pub use run::run;
pub use run::run_shared;
pub use settings_file::SettingsFile;
pub use state::Refusal;
pub use state::ReloadState;
pub use watcher::Changed;
pub use watcher::Watcher;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::watch;

use crate::crash_point::crash_point;
use crate::model::clock::Clock;
use crate::model::delivery::RulesId;
use crate::script::Limits;
use crate::source::Diagnostic;
use crate::source::Severity;
use crate::source::SourceTree;
use crate::source::TreeChanges;
use crate::switchboard::ActiveSwitchboard;
use crate::switchboard::Switchboard;

/// What became of a change.
#[derive(Clone, Debug)]
pub enum ReloadOutcome {
    /// The files say what the rules in force say.
    Unchanged,
    /// Other rules are in force.
    Replaced {
        /// Which.
        id: RulesId,
        /// The files that made the difference.
        changes: TreeChanges,
        /// What works, but perhaps not as meant, and what is still left out.
        diagnostics: Vec<Diagnostic>,
        /// How long it took.
        took: Duration,
    },
    /// More changed while it was read, so that it may be half of before and half of after: it is read again.
    Outdated,
    /// The rules in force stay.
    Kept {
        /// What is wrong.
        diagnostics: Vec<Diagnostic>,
    },
}

/// Brings changes on disk into force.
#[derive(Debug)]
pub struct Reloader {
    active: ActiveSwitchboard,
    clock: Clock,
    /// The files as last read.
    latest: SourceTree,
    /// Whether nothing was made of them, because they were outdated.
    is_undecided: bool,
    /// The files that the rules in force were made of, and the errors that were left out of them.
    running: SourceTree,
    left_out: BTreeSet<Diagnostic>,
    state: watch::Sender<ReloadState>,
    settings: Option<SettingsFile>,
    reports: Option<Reports>,
}

impl Reloader {
    /// Begins with the rules in force, the tree that they were loaded from and all findings of that load.
    pub fn new(active: ActiveSwitchboard, tree: SourceTree, findings: &[Diagnostic], clock: Clock) -> Self {
        let left_out = errors(&tree, findings);
        let mut state = ReloadState::new(active.take().id(), clock.now());
        state.left_out = left_out.iter().cloned().collect();
        state.files = tree.files().len();
        Self {
            active,
            clock,
            latest: tree.clone(),
            is_undecided: false,
            running: tree,
            left_out,
            state: watch::Sender::new(state),
            settings: None,
            reports: None,
        }
    }

    /// Keeps the settings up to date too; their limits of scripts hold from the next load on.
    #[must_use]
    pub fn with_settings(mut self, settings: SettingsFile) -> Self {
        let left_out = settings.left_out().into();
        self.state.send_modify(|state| state.settings_left_out = left_out);
        self.settings = Some(settings);
        self
    }

    /// Has somebody told of every change that was brought into force or refused.
    #[must_use]
    pub fn with_reports(mut self, reports: Reports) -> Self {
        self.reports = Some(reports);
        self
    }

    /// The state, to be read at any time and waited for.
    pub fn state(&self) -> watch::Receiver<ReloadState> {
        self.state.subscribe()
    }

    /// The files that the rules in force were made of.
    pub fn running(&self) -> &SourceTree {
        &self.running
    }

    /// Looks at what changed and brings it into force, or keeps what is.
    pub fn reload(&mut self, changed: &Changed) -> ReloadOutcome {
        self.reload_unless(changed, || false)
    }

    /// The same, but what was read is not brought into force where `is_outdated` says that more changed meanwhile:
    /// no event is to see half a change.
    pub fn reload_unless(&mut self, changed: &Changed, is_outdated: impl Fn() -> bool) -> ReloadOutcome {
        let start = Instant::now();
        let tree = if changed.rescan {
            self.latest.reread()
        } else {
            self.latest.updated(&changed.paths)
        };
        crash_point!("reload.read");
        let is_seen = !self.is_undecided && is_same(&tree, &self.latest);
        self.latest = tree;
        self.is_undecided = false;
        if is_seen {
            self.state.send_modify(|state| state.unchanged += 1);
            return ReloadOutcome::Unchanged;
        }
        if is_same(&self.latest, &self.running) {
            self.state.send_modify(|state| {
                state.refused = None;
                state.unchanged += 1;
            });
            return ReloadOutcome::Unchanged;
        }
        let loaded = Switchboard::load_within(&self.latest, Some(&self.active.take()), &self.limits());
        crash_point!("reload.compiled");
        if is_outdated() {
            self.is_undecided = true;
            return ReloadOutcome::Outdated;
        }
        let changes = self.latest.changes_since(&self.running);
        let errors = errors(&self.latest, &loaded.diagnostics);
        let is_old = |error: &Diagnostic| self.left_out.contains(error) && !changes.contains(&error.file);
        if errors.iter().any(|error| !is_old(error)) {
            let findings: Vec<Diagnostic> = errors.into_iter().filter(|error| !is_old(error)).collect();
            self.report(start, changes, String::new(), None, findings.clone());
            return self.keep(findings);
        }
        let id = loaded.switchboard.id();
        let before = self.active.replace(loaded.switchboard);
        crash_point!("reload.replaced_before_log");
        let old = std::mem::replace(&mut self.running, self.latest.clone());
        self.left_out = errors;
        let took = start.elapsed();
        if self.reports.is_some() {
            let new = (&self.running, &*self.active.take());
            let difference = report::difference(&changes, (&old, &before), new);
            self.report(start, changes.clone(), difference, Some(before.id()), Vec::new());
        }
        self.state.send_modify(|state| {
            (state.id, state.since, state.took) = (id, self.clock.now(), took);
            state.left_out = self.left_out.iter().cloned().collect();
            state.changes = Arc::new(changes.clone());
            state.files = self.running.files().len();
            state.refused = None;
            state.replaced += 1;
        });
        ReloadOutcome::Replaced {
            id,
            changes,
            diagnostics: loaded.diagnostics,
            took,
        }
    }

    /// Tells whoever keeps reports. `replaced` are the rules until now, where others are in force already.
    fn report(
        &self,
        start: Instant,
        changes: TreeChanges,
        difference: String,
        replaced: Option<RulesId>,
        findings: Vec<Diagnostic>,
    ) {
        let Some(Reports(tell)) = &self.reports else {
            return;
        };
        let id = self.active.take().id();
        tell(ReloadReport {
            at: self.clock.now(),
            before: replaced.unwrap_or(id),
            after: replaced.map(|_before| id),
            changes,
            difference,
            findings,
            took: start.elapsed(),
        });
    }

    /// The limits of scripts, from the settings in force.
    fn limits(&self) -> Limits {
        let settings = self.settings.as_ref().map(|settings| settings.active.take());
        settings.map_or_else(Limits::default, |settings| Limits::from(&settings.script))
    }

    fn keep(&self, diagnostics: Vec<Diagnostic>) -> ReloadOutcome {
        self.state.send_modify(|state| {
            let wrong = diagnostics.iter().cloned().collect();
            state.refused = Some(Refusal::next(state.refused.as_ref(), self.clock.now(), wrong));
            state.kept += 1;
        });
        ReloadOutcome::Kept { diagnostics }
    }
}

fn errors(tree: &SourceTree, findings: &[Diagnostic]) -> BTreeSet<Diagnostic> {
    let all = tree.diagnostics().iter().chain(findings);
    all.filter(|finding| finding.severity == Severity::Error)
        .cloned()
        .collect()
}

fn is_same(a: &SourceTree, b: &SourceTree) -> bool {
    a.diagnostics() == b.diagnostics() && a.changes_since(b).is_empty()
}
