//! What the writer tells those who wait: new messages, new events, whether all is well.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Condvar;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::model::event::EventId;
use crate::vmdb::VmdbError;
use crate::vmdb::ems_names::EmsNames;
use crate::vmdb::files::Files;
use crate::vmdb::lanes::Lanes;
use crate::vmdb::traces::KnownSteps;
use crate::vmdb::transaction::News;

/// Shared by the handle, the writer, and the answers on their way.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) files: Files,
    pub(crate) lanes: Mutex<Lanes>,
    pub(crate) names: EmsNames,
    pub(crate) known_steps: KnownSteps,
    waiting: AtomicI64,
    inventory: AtomicU64,
    trouble: Mutex<Option<VmdbError>>,
    last_event: watch::Sender<EventId>,
    refreshes: watch::Sender<u64>,
    bell: Bell,
}

impl Shared {
    pub(crate) fn new(
        files: Files,
        lanes: Lanes,
        known_steps: KnownSteps,
        waiting: i64,
        last_event: EventId,
    ) -> Self {
        Self {
            files,
            lanes: Mutex::new(lanes),
            names: EmsNames::default(),
            known_steps,
            waiting: AtomicI64::new(waiting),
            inventory: AtomicU64::new(1),
            trouble: Mutex::default(),
            last_event: watch::Sender::new(last_event),
            refreshes: watch::Sender::new(0),
            bell: Bell::default(),
        }
    }

    /// Tells what a commit brought; before its requests are answered.
    pub(crate) fn announce(&self, news: &mut News) {
        self.known_steps.learn(std::mem::take(&mut news.steps));
        self.waiting.fetch_add(news.waiting, Ordering::Relaxed);
        if news.has_managers {
            self.names.forget();
        }
        if news.has_refreshes {
            self.refreshes.send_modify(|count| *count += 1);
        }
        if let Some(event) = news.last_event {
            self.last_event.send_if_modified(|last| {
                let is_later = *last < event;
                *last = event.max(*last);
                is_later
            });
        }
    }

    /// Keeps the last trouble until a commit succeeds.
    pub(crate) fn remember(&self, verdict: &Result<(), VmdbError>) {
        let mut trouble = self.trouble.lock();
        if verdict.is_err() || trouble.is_some() {
            *trouble = verdict.clone().err();
        }
    }

    pub(crate) fn health(&self) -> Result<(), VmdbError> {
        self.files.check()?;
        self.trouble.lock().clone().map_or(Ok(()), Err)
    }

    /// Changes whenever objects are created: once before the commit that brings them, once after it.
    pub(crate) fn inventory_version(&self) -> u64 {
        self.inventory.load(Ordering::SeqCst)
    }

    /// Whoever looked before does not know of objects that are created now.
    pub(crate) fn objects_are_created(&self) {
        self.inventory.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn waiting(&self) -> u64 {
        u64::try_from(self.waiting.load(Ordering::Relaxed)).unwrap_or(0)
    }

    pub(crate) fn events_saved(&self) -> watch::Receiver<EventId> {
        self.last_event.subscribe()
    }

    pub(crate) fn refreshes_queued(&self) -> watch::Receiver<u64> {
        self.refreshes.subscribe()
    }

    /// Wakes everybody who waits for a message to take.
    pub(crate) fn ring(&self) {
        *self.bell.rung.lock() += 1;
        self.bell.waiter.notify_all();
    }

    /// How often it rang until now; for [`Shared::wait`].
    pub(crate) fn rung(&self) -> u64 {
        *self.bell.rung.lock()
    }

    /// Waits until it rings again after the `seen`th time, or until the time is over.
    pub(crate) fn wait(&self, seen: u64, at_most: Duration) {
        let end = Instant::now() + at_most;
        let mut rung = self.bell.rung.lock();
        while *rung == seen && !self.bell.waiter.wait_until(&mut rung, end).timed_out() {}
    }
}

#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<u64>,
    waiter: Condvar,
}
