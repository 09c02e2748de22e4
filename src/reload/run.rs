//! The loop around reloading: waits for changes until it is told to end, and logs what became of them.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::Mutex;
use tracing::error;
use tracing::info;
use tracing::warn;

use crate::reload::Changed;
use crate::reload::Refusal;
use crate::reload::ReloadOutcome;
use crate::reload::Reloader;
use crate::reload::Watcher;
use crate::reload::settings_file::SettingsOutcome;
use crate::source::Diagnostic;

/// How often in a row what was read is read again because more changed meanwhile.
const MAX_OUTDATED: u32 = 3;
/// How many findings of one load are logged.
const MAX_LOGGED: usize = 20;

/// Brings every change into force until `shutdown` is done.
pub async fn run(watcher: Watcher, reloader: Reloader, shutdown: impl Future<Output = ()>) {
    run_shared(watcher, Arc::new(Mutex::new(reloader)), shutdown).await;
}

/// The same with a reloader that others may ask too.
pub async fn run_shared(
    mut watcher: Watcher,
    reloader: Arc<Mutex<Reloader>>,
    shutdown: impl Future<Output = ()>,
) {
    let restless = Arc::new(watcher.restless());
    let outdated = Arc::new(AtomicU32::new(0));
    tokio::pin!(shutdown);
    loop {
        reloader.lock().note_problem(watcher.problem());
        let changed = tokio::select! {
            () = &mut shutdown => return,
            changed = watcher.changed() => changed,
        };
        if changed == Changed::default() {
            continue;
        }
        let reloader = reloader.clone();
        let (restless, outdated) = (restless.clone(), outdated.clone());
        let work = move || {
            // Where it is never quiet, what there is comes into force all the same.
            let is_outdated = || outdated.load(Relaxed) < MAX_OUTDATED && restless();
            if reloader.lock().apply(&changed, is_outdated) {
                outdated.store(0, Relaxed);
            } else {
                outdated.fetch_add(1, Relaxed);
            }
        };
        // Reading and compiling block, so they have a thread of their own; a panic there ends that load alone.
        if let Err(error) = tokio::task::spawn_blocking(work).await {
            error!(%error, "A reload broke off, kept the old rules.");
        }
    }
}

impl Reloader {
    /// Reads everything anew, the settings too, because somebody asked for it.
    pub fn reload_now(&mut self) -> ReloadOutcome {
        self.reload_settings();
        let all = Changed {
            rescan: true,
            ..Changed::default()
        };
        let outcome = self.reload(&all);
        tell(&outcome);
        outcome
    }

    /// Says whether anything was decided.
    fn apply(&mut self, changed: &Changed, is_outdated: impl Fn() -> bool) -> bool {
        if changed.settings {
            self.reload_settings();
        }
        if !changed.rescan && changed.paths.is_empty() {
            return true;
        }
        let outcome = self.reload_unless(changed, is_outdated);
        tell(&outcome);
        !matches!(outcome, ReloadOutcome::Outdated)
    }

    fn reload_settings(&mut self) {
        let Some(settings) = &mut self.settings else {
            return;
        };
        let path = settings.path.path().display().to_string();
        match settings.reload() {
            SettingsOutcome::Replaced(findings) => {
                let (left_out, waiting) = (settings.left_out().into(), settings.waiting());
                self.state.send_modify(|state| {
                    state.settings_refused = None;
                    state.settings_left_out = left_out;
                    state.settings_waiting = waiting.as_slice().into();
                    state.settings_replaced += 1;
                });
                info!(path, "Read the settings again.");
                if !waiting.is_empty() {
                    let settings = waiting.join(", ");
                    warn!(
                        settings,
                        "These settings differ from those at the start, and count after a restart."
                    );
                }
                log(&findings);
            }
            SettingsOutcome::Kept(wrong) => {
                self.state.send_modify(|state| {
                    let before = state.settings_refused.as_ref();
                    state.settings_refused =
                        Some(Refusal::next(before, self.clock.now(), wrong.as_slice().into()));
                    state.settings_kept += 1;
                });
                warn!(
                    path,
                    errors = wrong.len(),
                    "Kept the old settings, the file is wrong."
                );
                log(&wrong);
            }
        }
    }

    fn note_problem(&self, problem: Option<String>) {
        self.state.send_if_modified(|state| {
            let is_new = state.problem.as_deref() != problem.as_deref();
            state.problem = problem.map(Into::into);
            is_new
        });
    }
}

fn tell(outcome: &ReloadOutcome) {
    match outcome {
        ReloadOutcome::Unchanged | ReloadOutcome::Outdated => (),
        ReloadOutcome::Replaced {
            id,
            changes,
            diagnostics,
            took,
        } => {
            info!(%id, %changes, ?took, "Replaced the rules.");
            log(diagnostics);
        }
        ReloadOutcome::Kept { diagnostics } => {
            warn!(
                errors = diagnostics.len(),
                "Kept the old rules, what changed is wrong."
            );
            log(diagnostics);
        }
    }
}

fn log(findings: &[Diagnostic]) {
    for finding in findings.iter().take(MAX_LOGGED) {
        warn!(help = finding.help, "{finding}");
    }
    if let Some(more) = findings.len().checked_sub(MAX_LOGGED).filter(|more| *more > 0) {
        warn!(more, "There is more: `switchboard check` shows all.");
    }
}
