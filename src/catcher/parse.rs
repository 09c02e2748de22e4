//! From a message to what the queue keeps: an event, an unparsed message with its reason, or nothing.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;
use parking_lot::Mutex;
use tracing::debug;
use tracing::warn;

use crate::catcher::counts::Counts;
use crate::catcher::counts::Fate;
use crate::catcher::filtered::Filtered;
use crate::catcher::flood::FloodMonitor;
use crate::catcher::push_stream::Broken;
use crate::crash_point::crash_point;
use crate::model::ems::Ems;
use crate::model::event::NativeEvent;
use crate::settings::ActiveSettings;
use crate::switchboard::ActiveSwitchboard;
use crate::switchboard::Admission;
use crate::switchboard::Switchboard;
use crate::vmdb::NewMessage;

/// How long a manager's failures are not logged again.
const QUIET: Duration = Duration::from_secs(1);

/// Parses messages by the rules in force.
#[derive(Debug)]
pub(crate) struct Parser {
    rules: ActiveSwitchboard,
    settings: ActiveSettings,
    filtered: Arc<Filtered>,
    flood: Arc<FloodMonitor>,
    counts: Arc<Counts>,
    /// When a failure of a manager was logged last, and how many were not since.
    told: Mutex<BTreeMap<Arc<str>, Told>>,
}

#[derive(Debug, Default)]
struct Told {
    last: Option<Instant>,
    untold: u64,
}

impl Parser {
    pub(crate) fn new(
        rules: ActiveSwitchboard,
        settings: ActiveSettings,
        filtered: Arc<Filtered>,
        flood: Arc<FloodMonitor>,
        counts: Arc<Counts>,
    ) -> Self {
        Self {
            rules,
            settings,
            filtered,
            flood,
            counts,
            told: Mutex::default(),
        }
    }

    /// The rules in force, for one batch.
    pub(crate) fn rules(&self) -> Arc<Switchboard> {
        self.rules.take()
    }

    /// Where this stage counts.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What the queue keeps of one message; nothing where it is not wanted.
    pub(crate) fn parse(
        &self,
        rules: &Switchboard,
        ems: &Ems,
        native: NativeEvent,
        received_at: Timestamp,
    ) -> Option<NewMessage> {
        let settings = self.settings.take();
        // A panic is a defect of the engine; the message is kept all the same, and its neighbours too (C12, L4).
        let parsed = catch_unwind(AssertUnwindSafe(|| {
            crash_point!("parse.script_running");
            rules.admit(ems, &native, settings.blacklist(&ems.provider))
        }));
        let Ok(parsed) = parsed else {
            let reason = "the engine broke on this message; this is a defect, please report it".to_owned();
            return Some(self.broken(rules, ems, Broken { native, reason }, received_at));
        };
        match parsed {
            Ok(Admission::Filtered { event_type, entry }) => {
                debug!(ems = %ems.name, %event_type, entry, "Dropped a blacklisted event.");
                self.filtered.count(&ems.provider, entry);
                self.counts.add(&ems.name, Fate::Blacklisted, 1);
                None
            }
            Ok(Admission::Event(mut hash)) => {
                self.flood.watch(ems, &mut hash, received_at);
                Some(NewMessage::Add {
                    ems_id: ems.id,
                    hash,
                    received_at,
                })
            }
            Ok(Admission::Ignored(reason)) => {
                debug!(ems = %ems.name, %reason, "The parser ignored a message.");
                self.counts.add(&ems.name, Fate::Ignored, 1);
                None
            }
            Err(error) => {
                let reason = error.to_string();
                Some(self.broken(rules, ems, Broken { native, reason }, received_at))
            }
        }
    }

    /// What the queue keeps of something that is no message: all of it, with the reason.
    pub(crate) fn broken(
        &self,
        rules: &Switchboard,
        ems: &Ems,
        broken: Broken,
        received_at: Timestamp,
    ) -> NewMessage {
        let Broken { native, reason } = broken;
        self.tell(&ems.name, &reason);
        NewMessage::Unparsed {
            ems_id: ems.id,
            native,
            reason,
            rules_id: rules.id(),
            received_at,
        }
    }

    /// Logs, but a flood of broken messages makes no flood of lines: the queue has them all.
    fn tell(&self, ems: &Arc<str>, reason: &str) {
        let mut told = self.told.lock();
        let told = told.entry(ems.clone()).or_default();
        if told.last.is_some_and(|last| last.elapsed() < QUIET) {
            told.untold += 1;
            return;
        }
        warn!(%ems, reason, untold = told.untold, "Kept a message that could not be parsed.");
        *told = Told {
            last: Some(Instant::now()),
            untold: 0,
        };
    }
}
