//! Watcher: tells which files changed, once they are quiet. Knows nothing of what is in them.
//!
//! Watched are the roots with all below them, and every folder on the way to a root or to the settings file,
//! links followed: so a root that is deleted and comes back, a link that is swapped, a release folder that is
//! renamed over another, and a file that an editor replaces are seen. Besides, everything is compared with what it
//! was every few seconds, which finds what no watch reports.

use std::mem;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::RecommendedWatcher;
use tokio::time::Instant;

use crate::reload::pending::Pending;
use crate::reload::stamps::Stamps;
use crate::reload::watches::Watched;
use crate::reload::watches::arm;
use crate::source::Root;

/// The first and the longest pause before everything is read again because events were lost once more.
const LOST_PAUSE: Duration = Duration::from_secs(1);
const MAX_LOST_PAUSE: Duration = Duration::from_secs(60);
/// The time between two comparisons: this, or so many times what one takes, up to the longest.
const COMPARED: Duration = Duration::from_secs(2);
const COMPARED_SHARE: u32 = 20;
const MAX_COMPARED: Duration = Duration::from_secs(30);
/// How long to wait before watches that the system did not grant are asked for again.
const ASKED_AGAIN: Duration = Duration::from_secs(10);

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

/// Watches the roots and the settings file.
#[derive(Debug)]
pub struct Watcher {
    watched: Arc<Watched>,
    pending: Arc<Pending>,
    /// Kept for as long as it is to be heard; none where the system grants none.
    armed: Option<RecommendedWatcher>,
    gather: Duration,
    lost: Lost,
    comparison: Comparison,
    told_problem: Option<String>,
}

/// When everything is compared with what it was.
#[derive(Debug)]
struct Comparison {
    known: Stamps,
    due: Instant,
    /// When watches that the system did not grant are asked for again.
    ask_again: Instant,
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
    /// be quiet before a change is told. What the system does not let us watch is a [`Watcher::problem`].
    pub fn new(roots: &[Root], settings: Option<&Path>, gather: Duration) -> Self {
        let watched = Arc::new(Watched {
            roots: roots.to_vec(),
            settings: settings.map(ToOwned::to_owned),
        });
        let pending = Arc::new(Pending::default());
        let armed = arm(&watched, &pending);
        let now = Instant::now();
        let comparison = Comparison {
            known: Stamps::look(&watched),
            due: now + COMPARED,
            ask_again: now + ASKED_AGAIN,
        };
        Self {
            told_problem: pending.problem(),
            watched,
            pending,
            armed,
            gather,
            lost: Lost::default(),
            comparison,
        }
    }

    /// Waits for a change, and until it is quiet again. One in which nothing changed tells of another
    /// [`Watcher::problem`].
    pub async fn changed(&mut self) -> Changed {
        while self.problem() == self.told_problem {
            let lost_is_due = self.lost.due();
            let compare_is_due = tokio::time::sleep_until(self.comparison.due);
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
                        self.note(&changed).await;
                        return changed;
                    }
                }
                () = compare_is_due => self.compare().await,
                () = lost_is_due => {
                    self.lost.done();
                    return Changed { paths: Vec::new(), rescan: true, settings: true };
                }
            }
        }
        self.told_problem = self.problem();
        Changed::default()
    }

    /// Tells at any later time whether something changed that was not told yet.
    pub fn restless(&self) -> impl Fn() -> bool + Send + use<> {
        let pending = self.pending.clone();
        move || pending.is_restless()
    }

    /// Why some changes are seen late, if so.
    pub fn problem(&self) -> Option<String> {
        self.pending.problem()
    }

    /// Sets the watches anew; the old ones are heard until the new ones are.
    async fn arm_again(&mut self) {
        let (watched, pending) = (self.watched.clone(), self.pending.clone());
        let armed = tokio::task::spawn_blocking(move || arm(&watched, &pending)).await;
        self.armed = armed.ok().flatten().or(self.armed.take());
    }

    /// Takes what is about to be told as known. Before it is read: what changes later is told again.
    async fn note(&mut self, changed: &Changed) {
        let (watched, changed) = (self.watched.clone(), changed.clone());
        let mut known = mem::take(&mut self.comparison.known);
        let noted = tokio::task::spawn_blocking(move || {
            if changed.rescan {
                return Stamps::look(&watched);
            }
            known.renew(&watched, &changed.paths);
            if changed.settings {
                known.renew_settings(&watched);
            }
            known
        });
        // Where it breaks, the next comparison tells everything.
        self.comparison.known = noted.await.unwrap_or_default();
    }

    /// Compares everything with what it was.
    async fn compare(&mut self) {
        let watched = self.watched.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            (Stamps::look(&watched), began.elapsed())
        });
        let (now, took) = looked.await.unwrap_or_default();
        now.tell_changes_since(&self.comparison.known, |change| self.pending.push(change));
        self.comparison.known = now;
        self.comparison.due = Instant::now() + (took * COMPARED_SHARE).clamp(COMPARED, MAX_COMPARED);
        if self.problem().is_some() && self.comparison.ask_again <= Instant::now() {
            self.comparison.ask_again = Instant::now() + ASKED_AGAIN;
            self.arm_again().await;
        }
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
