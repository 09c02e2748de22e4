//! What the writer tells those who wait: new messages, new events, whether all is well.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Condvar;
use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::info;
use tracing::warn;

use crate::model::event::EventId;
use crate::model::histogram::Histogram;
use crate::vmdb::FeedPosition;
use crate::vmdb::VmdbError;
use crate::vmdb::disk_room::DiskRoom;
use crate::vmdb::ems_names::EmsNames;
use crate::vmdb::files::Files;
use crate::vmdb::known_steps::KnownSteps;
use crate::vmdb::lanes::Lanes;
use crate::vmdb::open_reads::OpenReads;
use crate::vmdb::outbox_heads::EffectLanes;
use crate::vmdb::transaction::News;
use crate::vmdb::waiting::Waiting;

/// A disk that failed so often within [`FAILURES_WITHIN`] is not relied on, though it works again in between.
const MOST_FAILURES: usize = 3;
const FAILURES_WITHIN: Duration = Duration::from_secs(60);

/// Shared by the handle, the writer, and the answers on their way.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) files: Files,
    pub(crate) room: DiskRoom,
    pub(crate) reads: Arc<OpenReads>,
    pub(crate) lanes: Mutex<Lanes>,
    pub(crate) names: EmsNames,
    pub(crate) known_steps: KnownSteps,
    /// The lanes of effects that have one in hand.
    pub(crate) effect_lanes: Mutex<EffectLanes>,
    /// Rings when there may be an effect to send.
    pub(crate) effects: Bell,
    /// How long each transaction took, the gathering of its requests included.
    pub(crate) commit_times: Histogram,
    pub(crate) waiting: Mutex<Waiting>,
    inventory: AtomicU64,
    trouble: Mutex<Option<VmdbError>>,
    damage: Mutex<Option<VmdbError>>,
    failures: Mutex<VecDeque<Instant>>,
    last_event: watch::Sender<EventId>,
    last_delivery: watch::Sender<FeedPosition>,
    refreshes: watch::Sender<u64>,
    bell: Bell,
}

impl Shared {
    pub(crate) fn new(
        files: Files,
        room: DiskRoom,
        lanes: Lanes,
        known_steps: KnownSteps,
        waiting: Waiting,
        last_event: EventId,
        last_delivery: FeedPosition,
    ) -> Self {
        Self {
            files,
            room,
            reads: Arc::default(),
            lanes: Mutex::new(lanes),
            names: EmsNames::default(),
            known_steps,
            effect_lanes: Mutex::default(),
            effects: Bell::default(),
            commit_times: Histogram::default(),
            waiting: Mutex::new(waiting),
            inventory: AtomicU64::new(1),
            trouble: Mutex::default(),
            damage: Mutex::default(),
            failures: Mutex::default(),
            last_event: watch::Sender::new(last_event),
            last_delivery: watch::Sender::new(last_delivery),
            refreshes: watch::Sender::new(0),
            bell: Bell::default(),
        }
    }

    /// Tells what a commit brought; before its requests are answered.
    pub(crate) fn announce(&self, news: &mut News) {
        self.known_steps.learn(std::mem::take(&mut news.steps));
        self.waiting.lock().add(&news.waiting);
        if news.has_managers {
            self.names.forget();
        }
        if news.has_held {
            self.lanes.lock().is_not_plain();
        }
        if let Some(event) = news.last_event {
            self.last_event.send_if_modified(|last| {
                let is_later = *last < event;
                *last = event.max(*last);
                is_later
            });
        }
        if let Some(delivery) = news.last_delivery {
            self.last_delivery.send_replace(delivery);
        }
        if news.has_refreshes {
            self.refreshes.send_modify(|count| *count += 1);
        }
    }

    /// Keeps the last trouble until a commit succeeds.
    pub(crate) fn remember(&self, verdict: &Result<(), VmdbError>) {
        let mut trouble = self.trouble.lock();
        if let Err(error) = verdict {
            if matches!(error, VmdbError::Full { .. }) {
                self.room.ran_out();
            }
            // What lasts counts once.
            if trouble.is_none() && error.is_worrying() {
                self.failures.lock().push_back(Instant::now());
            }
        }
        // Told when it begins and when it ends; in between it is the same for every commit.
        match (trouble.as_ref(), verdict) {
            (None, Err(error)) => {
                warn!(%error, "The database cannot be written; it is tried again until it can.");
            }
            (Some(_), Ok(())) => info!("The database can be written again."),
            (None, Ok(())) => return,
            (Some(_), Err(_)) => {}
        }
        *trouble = verdict.clone().err();
    }

    /// Notes what a check of the whole database found.
    pub(crate) fn is_damaged(&self, error: VmdbError) {
        *self.damage.lock() = Some(error);
    }

    /// What went wrong last, unless something went well since.
    pub(crate) fn trouble(&self) -> Option<VmdbError> {
        self.trouble.lock().clone()
    }

    pub(crate) fn health(&self) -> Result<(), VmdbError> {
        self.files.check()?;
        for trouble in [&self.damage, &self.trouble] {
            trouble.lock().clone().map_or(Ok(()), Err)?;
        }
        self.room.check()?;
        self.check_failures()
    }

    fn check_failures(&self) -> Result<(), VmdbError> {
        let mut failures = self.failures.lock();
        while failures
            .front()
            .is_some_and(|time| time.elapsed() > FAILURES_WITHIN)
        {
            failures.pop_front();
        }
        if failures.len() < MOST_FAILURES {
            return Ok(());
        }
        Err(VmdbError::unavailable(format!(
            "the disk failed {} times within a minute: it works again for now, and is relied on when it has for a minute",
            failures.len()
        )))
    }

    /// Changes whenever objects are created: once before the commit that brings them, once after it.
    pub(crate) fn inventory_version(&self) -> u64 {
        self.inventory.load(Ordering::SeqCst)
    }

    /// Whoever looked before does not know of objects that are created now.
    pub(crate) fn objects_are_created(&self) {
        self.inventory.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn events_saved(&self) -> watch::Receiver<EventId> {
        self.last_event.subscribe()
    }

    pub(crate) fn commits(&self) -> watch::Receiver<FeedPosition> {
        self.last_delivery.subscribe()
    }

    pub(crate) fn refreshes_queued(&self) -> watch::Receiver<u64> {
        self.refreshes.subscribe()
    }

    /// Wakes somebody who waits for a message to take; where there is more than one can take, that one rings again.
    pub(crate) fn ring(&self) {
        self.bell.ring_for_one();
    }

    /// Wakes everybody who waits for a message to take.
    pub(crate) fn ring_for_all(&self) {
        self.bell.ring();
    }

    /// How often it rang until now; for [`Shared::wait`].
    pub(crate) fn rung(&self) -> u64 {
        self.bell.rung()
    }

    /// Waits until it rings again after the `seen`th time, or until the time is over.
    pub(crate) fn wait(&self, seen: u64, at_most: Duration) {
        self.bell.wait(seen, at_most);
    }
}

/// Wakes those who wait.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<u64>,
    waiter: Condvar,
}

impl Bell {
    /// Wakes all of them.
    pub(crate) fn ring(&self) {
        *self.rung.lock() += 1;
        self.waiter.notify_all();
    }

    /// Wakes one of them. Whoever is about to wait hears it too.
    pub(crate) fn ring_for_one(&self) {
        *self.rung.lock() += 1;
        self.waiter.notify_one();
    }

    /// How often it rang until now.
    pub(crate) fn rung(&self) -> u64 {
        *self.rung.lock()
    }

    /// Waits until it rings again after the `seen`th time, or until the time is over.
    pub(crate) fn wait(&self, seen: u64, at_most: Duration) {
        let end = Instant::now() + at_most;
        let mut rung = self.rung.lock();
        while *rung == seen && !self.waiter.wait_until(&mut rung, end).timed_out() {}
    }
}
#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rusqlite::ffi;

    use super::Shared;
    use crate::model::event::EventId;
    use crate::vmdb::FeedPosition;
    use crate::vmdb::VmdbError;
    use crate::vmdb::disk_room::DiskRoom;
    use crate::vmdb::files::Files;
    use crate::vmdb::known_steps::KnownSteps;
    use crate::vmdb::lanes::Lanes;
    use crate::vmdb::waiting::Waiting;

    fn failure(extended_code: i32) -> VmdbError {
        rusqlite::Error::SqliteFailure(ffi::Error::new(extended_code), None).into()
    }

    #[test]
    fn a_disk_that_fails_three_times_in_a_minute_is_not_relied_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        for name in ["test.db", "test.db-wal"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let new = || {
            let steps = KnownSteps::default();
            Shared::new(
                Files::remember(&path),
                DiskRoom::new(&path, 0),
                Lanes::new(None),
                steps,
                Waiting::default(),
                EventId(0),
                FeedPosition(0),
            )
        };
        let shared: Arc<Shared> = Arc::new(new());
        let sync_failed = Err(failure(ffi::SQLITE_IOERR_FSYNC));
        for time in 1..=3 {
            shared.remember(&sync_failed);
            // The same trouble, as long as it lasts.
            shared.remember(&sync_failed);
            assert!(matches!(shared.health(), Err(VmdbError::Disk { .. })));
            shared.remember(&Ok(()));
            assert_eq!(shared.health().is_ok(), time < 3, "{time}");
        }
        let why = shared.health().unwrap_err();
        assert!(
            why.is_temporary() && why.to_string().contains("3 times within a minute"),
            "{why}"
        );
        // A limit on the size of files is no sign of a bad disk.
        let shared = new();
        for _time in 0..3 {
            shared.remember(&Err(failure(ffi::SQLITE_IOERR_WRITE)));
            assert!(shared.health().is_err());
            shared.remember(&Ok(()));
        }
        assert!(shared.health().is_ok());
    }
}
