//! Pending: what changed on disk and was not yet told, and since when it is quiet.

use std::collections::BTreeSet;
use std::mem;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// With more paths than this, reading everything again is as good.
const MAX_PATHS: usize = 10_000;
/// Never quiet for this long, what there is is told all the same.
const MAX_GATHER: Duration = Duration::from_secs(1);

/// Something that changed on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    /// A file or folder below a root.
    Below(&'a Path),
    /// A name on the way to a root: the root may be another folder now.
    WayToRoot,
    /// The settings file, or a name on the way to it.
    Settings,
    /// Events were lost: anything may have changed.
    Lost,
}

/// What gathered until it was quiet.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) paths: BTreeSet<PathBuf>,
    pub(crate) way_to_root: bool,
    pub(crate) settings: bool,
    pub(crate) lost: bool,
    /// Whether everything has to be read again, which needs no more watches.
    pub(crate) rescan: bool,
    first: Option<Instant>,
    last: Option<Instant>,
}

/// Shared by the thread that hears of changes and the one that waits for them.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    gathered: Mutex<Gathered>,
    problem: Mutex<Option<String>>,
    wake: Notify,
}

impl Pending {
    pub(crate) fn push(&self, change: Change<'_>) {
        let now = Instant::now();
        let mut gathered = self.gathered.lock();
        match change {
            Change::Below(path) if gathered.paths.len() < MAX_PATHS => {
                gathered.paths.insert(path.to_owned());
            }
            Change::Below(_) | Change::Lost => gathered.lost = true,
            Change::WayToRoot => gathered.way_to_root = true,
            Change::Settings => gathered.settings = true,
        }
        gathered.first.get_or_insert(now);
        gathered.last = Some(now);
        drop(gathered);
        self.wake.notify_one();
    }

    /// Puts back what was gathered while a way to a root changed: to be told, as a rescan, when it is quiet again.
    pub(crate) fn put_back(&self, before: &Gathered) {
        let mut gathered = self.gathered.lock();
        gathered.settings |= before.settings;
        gathered.lost |= before.lost;
        gathered.rescan = true;
        gathered.first = before.first.or(gathered.first);
        gathered.last = Some(Instant::now());
    }

    /// Whether rules or scripts changed that were not told yet.
    pub(crate) fn is_restless(&self) -> bool {
        let gathered = self.gathered.lock();
        !gathered.paths.is_empty() || gathered.way_to_root || gathered.lost || gathered.rescan
    }

    /// Sets why changes are seen late; none where they are seen at once. Says whether it is new.
    pub(crate) fn set_problem(&self, problem: Option<String>) -> bool {
        let mut known = self.problem.lock();
        let is_new = *known != problem;
        *known = problem;
        is_new
    }

    pub(crate) fn problem(&self) -> Option<String> {
        self.problem.lock().clone()
    }

    /// Waits until something changed and then nothing more for `gather`.
    pub(crate) async fn quiet(&self, gather: Duration) -> Gathered {
        loop {
            let due = {
                let mut gathered = self.gathered.lock();
                let times = gathered.first.zip(gathered.last);
                let due = times.map(|(first, last)| (last + gather).min(first + MAX_GATHER));
                if due.is_some_and(|due| due <= Instant::now()) {
                    return mem::take(&mut gathered);
                }
                due
            };
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => self.wake.notified().await,
            }
        }
    }
}
