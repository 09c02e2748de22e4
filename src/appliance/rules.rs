//! The rules in force as the web shows them.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::model::clock::Timestamp;
use crate::model::delivery::RulesId;
use crate::model::event::EmsEvent;
use crate::model::json;
use crate::model::rule_tree::RuleTree;
use crate::reload::ReloadOutcome;
use crate::reload::ReloadState;
use crate::reload::Reloader;
use crate::source::Diagnostic;
use crate::switchboard::ActiveSwitchboard;
use crate::switchboard::Records;
use crate::switchboard::Simulation;
use crate::switchboard::Switchboard;
use crate::web;

/// Where a simulation looks records up.
pub(crate) type RecordsNow = Box<dyn Fn() -> Arc<dyn Records> + Send + Sync>;

/// The rules of an appliance.
pub(crate) struct ShownRules {
    records: RecordsNow,
    active: ActiveSwitchboard,
    reloader: Arc<Mutex<Reloader>>,
    state: watch::Receiver<ReloadState>,
    tree: Mutex<Option<(RulesId, Arc<RuleTree>)>>,
    findings: Mutex<Option<(RulesId, Arc<[Diagnostic]>)>>,
}

impl fmt::Debug for ShownRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShownRules({})", self.active.take().id())
    }
}

impl ShownRules {
    /// What these rules are, and what this reloader makes of them.
    pub(crate) fn new(
        active: ActiveSwitchboard,
        reloader: Arc<Mutex<Reloader>>,
        records: RecordsNow,
    ) -> Self {
        let state = reloader.lock().state();
        Self {
            records,
            active,
            reloader,
            state,
            tree: Mutex::default(),
            findings: Mutex::default(),
        }
    }
}

impl web::Rules for ShownRules {
    fn generation(&self) -> RulesId {
        self.active.take().id()
    }

    fn tree(&self) -> Arc<RuleTree> {
        let rules = self.active.take();
        once(&self.tree, rules.id(), || Arc::new(rules.rule_tree()))
    }

    fn findings(&self) -> Arc<[Diagnostic]> {
        // Together, so that the files are those of the rules.
        let (rules, tree) = {
            let reloader = self.reloader.lock();
            (self.active.take(), reloader.running().clone())
        };
        once(&self.findings, rules.id(), || {
            let mut found = Switchboard::load(&tree, Some(&rules)).diagnostics;
            found.extend(rules.check(&tree));
            found.sort();
            found.dedup();
            found.into()
        })
    }

    fn text(&self, path: &str) -> Option<String> {
        let (rules, file) = {
            let reloader = self.reloader.lock();
            let mut files = reloader.running().files().iter();
            (
                self.active.take(),
                files.find(|file| *file.path == *path).cloned(),
            )
        };
        file.map(|file| rules.shown_text(&file))
    }

    fn reload_state(&self) -> ReloadState {
        self.state.borrow().clone()
    }

    fn simulate(&self, event: &Arc<EmsEvent>, at: Timestamp, deliveries: u32) -> json::Value {
        let rules = self.active.take();
        let run = || rules.simulate_recorded(event, (self.records)(), at, deliveries);
        let simulation = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
            let why = "the engine broke on this event; this is a defect, please report it with the event";
            Simulation::of_error("EnginePanic", why)
        });
        let document = json::to_value(&simulation);
        document.unwrap_or_else(|error| {
            let errors = json::json!([{
                "path": "", "kind": "Unwritable", "message": error.to_string(), "fatal": true,
            }]);
            json::json!({"steps": [], "actions": [], "targets": [], "errors": errors})
        })
    }

    fn reload(&self) -> ReloadOutcome {
        self.reloader.lock().reload_now()
    }
}

/// What was worked out for these rules; worked out now where it was for others. Whoever asks meanwhile waits.
fn once<T: Clone>(known: &Mutex<Option<(RulesId, T)>>, id: RulesId, work: impl FnOnce() -> T) -> T {
    let mut known = known.lock();
    match &*known {
        Some((of, made)) if *of == id => made.clone(),
        _other => known.insert((id, work())).1.clone(),
    }
}
