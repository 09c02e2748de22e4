//! Watcher: tells which files changed, once they are quiet. Knows nothing of what is in them.
//!
//! Watched are the roots with all below them, and every folder on the way to a root or to the settings file,
//! links followed: so a root that is deleted and comes back, a link that is swapped, a release folder that is
//! renamed over another, and a file that an editor replaces are seen.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::RecommendedWatcher;
use tokio::time::Instant;
use tracing::warn;

use crate::reload::pending::Pending;
use crate::reload::watches::Watched;
use crate::reload::watches::arm;
use crate::source::Root;

/// The first and the longest pause before everything is read again because events were lost once more.
const LOST_PAUSE: Duration = Duration::from_secs(1);
const MAX_LOST_PAUSE: Duration = Duration::from_secs(60);

/// What changed since the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Files and folders below the roots.
    pub paths: Vec<PathBuf>,
    /// Whether anything may have changed, so that all has to be read again.
    pub rescan: bool,
    /// Whether the settings file may have changed.
    pub settings: bool,
}

/// Why nothing can be watched.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch the rules for changes")]
pub struct WatchError(#[source] notify::Error);

/// Watches the roots and the settings file.
#[derive(Debug)]
pub struct Watcher {
    watched: Arc<Watched>,
    pending: Arc<Pending>,
    /// Kept for as long as it is to be heard.
    armed: RecommendedWatcher,
    gather: Duration,
    lost: Lost,
}

/// When to read everything again after events were lost. Doing so makes events of its own, which may be lost
/// again, so it becomes slower while it happens again and again.
#[derive(Debug, Default)]
struct Lost {
    due: Option<Instant>,
    pause: Duration,
    last: Option<Instant>,
}

impl Watcher {
    /// Watches from now on: who reads the files after this misses no change. `gather` is how long they have to
    /// be quiet before a change is told.
    ///
    /// # Errors
    /// When the system gives no watcher. Single folders that cannot be watched are a [`Watcher::problem`].
    pub fn new(roots: &[Root], settings: Option<&Path>, gather: Duration) -> Result<Self, WatchError> {
        let watched = Arc::new(Watched {
            roots: roots.iter().map(|root| root.folder.clone()).collect(),
            settings: settings.map(ToOwned::to_owned),
        });
        let pending = Arc::new(Pending::default());
        let armed = arm(&watched, &pending).map_err(WatchError)?;
        Ok(Self {
            watched,
            pending,
            armed,
            gather,
            lost: Lost::default(),
        })
    }

    /// Waits for a change, and until it is quiet again.
    pub async fn changed(&mut self) -> Changed {
        loop {
            let lost_is_due = self.lost.due();
            tokio::select! {
                gathered = self.pending.quiet(self.gather) => {
                    if gathered.lost {
                        self.lost.note();
                    }
                    if gathered.way_to_root {
                        // The files of a folder that comes back are written after it.
                        self.pending.put_back(&gathered);
                        self.arm_again().await;
                        continue;
                    }
                    if gathered.settings {
                        self.arm_again().await;
                    }
                    let changed = Changed {
                        paths: gathered.paths.into_iter().collect(),
                        rescan: gathered.rescan,
                        settings: gathered.settings,
                    };
                    if changed != Changed::default() {
                        return changed;
                    }
                }
                () = lost_is_due => {
                    self.lost.done();
                    return Changed { paths: Vec::new(), rescan: true, settings: true };
                }
            }
        }
    }

    /// Tells at any later time whether something changed that was not told yet.
    pub fn restless(&self) -> impl Fn() -> bool + Send + use<> {
        let pending = self.pending.clone();
        move || pending.is_restless()
    }

    /// Why some changes may go unseen, if so.
    pub fn problem(&self) -> Option<String> {
        self.pending.problem()
    }

    /// Sets the watches anew; the old ones are heard until the new ones are.
    async fn arm_again(&mut self) {
        let (watched, pending) = (self.watched.clone(), self.pending.clone());
        match tokio::task::spawn_blocking(move || arm(&watched, &pending)).await {
            Ok(Ok(armed)) => self.armed = armed,
            Ok(Err(error)) => self.fail(&error),
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&self, error: &dyn std::error::Error) {
        let problem = format!("the folders cannot be watched anew: {error}");
        warn!(problem, "Some changes may go unseen.");
        self.pending.set_problem(Some(problem));
    }
}

impl Lost {
    fn note(&mut self) {
        let is_again = self
            .last
            .is_some_and(|last| last.elapsed() < self.pause * 2 + LOST_PAUSE);
        self.pause = if is_again {
            (self.pause * 2).clamp(LOST_PAUSE, MAX_LOST_PAUSE)
        } else {
            Duration::ZERO
        };
        self.due.get_or_insert(Instant::now() + self.pause);
    }

    /// Waits until it is time, for ever where nothing was lost.
    fn due(&self) -> impl Future<Output = ()> + use<> {
        let due = self.due;
        async move {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        }
    }

    fn done(&mut self) {
        self.due = None;
        self.last = Some(Instant::now());
    }
}
