//! How each manager's catcher fares: what a user sees in `/readyz` and in the figures.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

use crate::catcher::StreamKind;
use crate::model::clock::Clock;
use crate::model::clock::Timestamp;
use crate::model::ems::Ems;
use crate::model::ems::EmsId;
use crate::model::metric::Sample;

/// What a catcher is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CatcherState {
    /// It was stopped: the manager is gone or disabled, or the process ends.
    Stopped,
    /// Its stream has not answered yet.
    Connecting,
    /// Its stream runs.
    Running,
    /// Its stream broke off and is tried again later.
    BackingOff,
}

impl CatcherState {
    const ALL: [Self; 4] = [Self::Stopped, Self::Connecting, Self::Running, Self::BackingOff];

    /// The name of the state.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Connecting => "connecting",
            Self::Running => "running",
            Self::BackingOff => "backing_off",
        }
    }
}

/// How one catcher fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CatcherStatus {
    /// The manager's name.
    #[serde(skip)]
    pub ems: Arc<str>,
    /// Its kind of stream.
    pub stream: StreamKind,
    /// What it is doing.
    pub state: CatcherState,
    /// Since when.
    pub since: Timestamp,
    /// Why, where there is something to tell.
    pub reason: Option<String>,
    /// Until when it backs off.
    pub until: Option<Timestamp>,
    /// How often its stream broke off since the catcher was started.
    pub broke_off: u64,
}

/// The catchers by manager.
pub type CatcherStatuses = BTreeMap<EmsId, CatcherStatus>;

/// The board on which every catcher writes how it fares.
#[derive(Clone, Debug)]
pub(crate) struct Board {
    statuses: watch::Sender<CatcherStatuses>,
    clock: Clock,
}

impl Board {
    pub(crate) fn new(clock: Clock) -> Self {
        let statuses = watch::Sender::new(BTreeMap::new());
        Self { statuses, clock }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<CatcherStatuses> {
        self.statuses.subscribe()
    }

    /// Writes what a catcher is doing now; `since` moves only with the state.
    pub(crate) fn set(&self, ems: &Ems, stream: StreamKind, state: CatcherState, why: Why) {
        let now = self.clock.now();
        self.statuses.send_modify(|statuses| {
            let before = statuses.get(&ems.id).filter(|before| before.stream == stream);
            let since = before.filter(|before| before.state == state);
            let status = CatcherStatus {
                ems: ems.name.clone(),
                stream,
                state,
                since: since.map_or(now, |before| before.since),
                reason: why.reason,
                until: why.until,
                broke_off: before.map_or(0, |before| before.broke_off) + u64::from(why.broke_off),
            };
            statuses.insert(ems.id, status);
        });
    }

    /// Takes a manager off that is not caught any more.
    pub(crate) fn forget(&self, ems_id: EmsId) {
        self.statuses.send_modify(|statuses| {
            statuses.remove(&ems_id);
        });
    }
}

/// What there is to tell about a state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Why {
    pub(crate) reason: Option<String>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) broke_off: bool,
}

/// The states as figures: 1 for the one that is, 0 for the others.
pub(crate) fn samples(statuses: &CatcherStatuses) -> Vec<Sample> {
    let mut samples = Vec::new();
    for status in statuses.values() {
        for state in CatcherState::ALL {
            let is = if state == status.state { 1.0 } else { 0.0 };
            let sample = Sample::gauge("switchboard_catcher_state", "What each catcher is doing.", is);
            samples.push(
                sample
                    .label("ems", status.ems.clone())
                    .label("state", state.as_str()),
            );
        }
    }
    for status in statuses.values() {
        let help = "How often the stream of a catcher broke off.";
        let sample = Sample::counter("switchboard_catcher_broke_off_total", help, status.broke_off);
        samples.push(sample.label("ems", status.ems.clone()));
    }
    samples
}
