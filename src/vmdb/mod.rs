//! The database: what has to outlive the process. One file per table.
//!
//! Everything is written in batches by one thread ([`Request`]), and is on the disk before it is acknowledged.
//! Looking never waits for writing. Knows nothing of scripts and rules.

mod codec;
mod connection;
mod cursors;
mod database_url;
mod deliveries;
mod digest;
mod digest_index;
mod ems_names;
mod error;
mod event_keys;
mod event_list;
mod event_refs;
mod event_streams;
mod ext_management_systems;
mod files;
mod filter;
mod handled;
mod handled_batch;
mod handled_rows;
mod inventory;
mod inventory_rows;
mod inventory_save;
mod lane;
mod lanes;
mod log_file;
mod message;
mod migrate;
mod miq_queue;
mod outbox;
mod process_lock;
mod put;
mod queue_list;
mod readers;
mod refresh_list;
mod refresh_queue;
mod refresh_run;
mod request;
mod shared;
mod stored_value;
mod suspects;
mod take;
mod taken_file;
mod tallies;
mod traces;
mod transaction;
mod writer;
mod writer_state;

pub use cursors::Cursor;
pub use database_url::DatabaseUrl;
pub use deliveries::StoredDelivery;
pub use error::VmdbError;
pub use event_keys::settle_key;
pub use event_list::EventFilter;
pub use event_list::ShownEvent;
pub use event_list::StoredEvent;
pub use ext_management_systems::NewEms;
pub use handled::Committed;
pub use handled::Completion;
pub use handled::Decided;
pub use handled::Handled;
pub use handled::NewRetry;
pub use handled::Outcome;
pub use inventory::InventoryView;
pub use inventory_rows::InventoryChanges;
pub use message::Message;
pub use message::Ticket;
pub use message::Work;
pub use miq_queue::MessageId;
pub use miq_queue::MessageKind;
pub use miq_queue::MessageState;
pub use outbox::NewEffect;
pub use put::Filtered;
pub use put::NewMessage;
pub use put::Put;
pub use put::PutOutcome;
pub use queue_list::QueueCounts;
pub use queue_list::QueueEntry;
pub use queue_list::QueueFilter;
pub use refresh_list::Refresh;
pub use refresh_list::RefreshFilter;
pub use refresh_list::RequestedTarget;
pub use refresh_list::ShownRefresh;
pub use refresh_queue::RefreshId;
pub use refresh_queue::RefreshRequest;
pub use refresh_queue::RefreshState;
pub use refresh_run::ManagerRefreshes;
pub use refresh_run::RunningRefresh;
pub use request::Pending;
pub use request::Request;
pub use tallies::Tally;

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::mpsc;
use tokio::sync::watch;

use crate::model::clock::Clock;
use crate::model::event::EventId;
use crate::vmdb::files::Files;
use crate::vmdb::lanes::Lanes;
use crate::vmdb::process_lock::ProcessLock;
use crate::vmdb::readers::Readers;
use crate::vmdb::shared::Shared;
use crate::vmdb::taken_file::TakenFile;
use crate::vmdb::traces::KnownSteps;
use crate::vmdb::transaction::Transaction;
use crate::vmdb::writer::Command;
use crate::vmdb::writer::Writer;

/// How many requests may wait for the writer; the next one waits for room.
const ROOM: usize = 1_024;

/// The database. Cheap to clone; every clone is the same database.
#[derive(Clone, Debug)]
pub struct Vmdb {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: Clock,
    readers: Readers,
    shared: Arc<Shared>,
    // Dropped in this order: without senders the writer ends, then the lock is let go of.
    sender: mpsc::Sender<Command>,
    thread: WriterThread,
    lock: Option<ProcessLock>,
}

impl Vmdb {
    /// Opens the database, beside a process that serves it or not; creates it where there is none.
    ///
    /// # Errors
    /// When it cannot be opened safely: see [`VmdbError`].
    pub fn open(url: &DatabaseUrl, clock: Clock) -> Result<Self, VmdbError> {
        Self::start(url.path(), clock, None)
    }

    /// Opens the database as the one process that handles its queue. What the last such process had in hand when
    /// it ended is free again.
    ///
    /// # Errors
    /// [`VmdbError::InUse`] where another process serves it; else as [`Vmdb::open`].
    pub fn open_to_serve(url: &DatabaseUrl, clock: Clock) -> Result<Self, VmdbError> {
        connection::create_file(url.path())?;
        let lock = ProcessLock::take(url.path())?;
        Self::start(url.path(), clock, Some(lock))
    }

    fn start(path: &Path, clock: Clock, lock: Option<ProcessLock>) -> Result<Self, VmdbError> {
        let mut connection = connection::open_writer(path)?;
        if lock.is_some() {
            log_file::settle(&connection, path)?;
        }
        migrate::migrate(&mut connection, path, clock.now())?;
        let lanes = match &lock {
            Some(_) => {
                connection.execute("UPDATE appliance SET clean_shutdown = 0", [])?;
                let taken = TakenFile::open(path)?;
                suspects::free_what_was_taken(&connection, &taken.left_behind()?, clock.now())?;
                Lanes::new(Some(taken))
            }
            None => Lanes::new(None),
        };
        let (waiting, last_event) = Self::begin_with(&connection)?;
        let shared = Arc::new(Shared::new(
            Files::remember(path),
            lanes,
            KnownSteps::load(&connection)?,
            waiting,
            last_event,
        ));
        let (sender, jobs) = mpsc::channel(ROOM);
        let writer = Writer::new(path, clock.clone(), shared.clone(), connection, lock.is_some())?;
        let thread = thread::Builder::new()
            .name("vmdb writer".to_owned())
            .spawn(move || writer.work(jobs))
            .map_err(|error| VmdbError::io(path, error))?;
        Ok(Self {
            inner: Arc::new(Inner {
                clock,
                readers: Readers::new(path),
                shared,
                sender,
                thread: WriterThread(Mutex::new(Some(thread))),
                lock,
            }),
        })
    }

    fn begin_with(connection: &Connection) -> Result<(i64, EventId), VmdbError> {
        let waiting = connection.query_row("SELECT count(*) FROM miq_queue WHERE state <> 1", [], |row| {
            row.get(0)
        })?;
        let last: Option<i64> =
            connection.query_row("SELECT max(id) FROM event_streams", [], |row| row.get(0))?;
        Ok((waiting, EventId(last.unwrap_or(0))))
    }

    /// Finishes what waits, then ends the database in order; clones of this handle are of no use afterwards.
    /// Blocks: on an async runtime, use `spawn_blocking`.
    pub fn close(self) {
        // A closed channel means that the writer has ended already.
        drop(self.inner.sender.blocking_send(Command::Close));
        self.inner.thread.join();
    }

    /// Whether the database takes what it is given.
    ///
    /// # Errors
    /// Why it does not: a file that vanished, a full disk, errors of the disk.
    pub fn health(&self) -> Result<(), VmdbError> {
        self.inner.shared.health()
    }

    /// How many more requests the writer has room for.
    pub fn room(&self) -> usize {
        self.inner.sender.capacity()
    }

    /// How many messages wait for the handler, near enough for a gauge.
    pub fn waiting(&self) -> u64 {
        self.inner.shared.waiting()
    }

    /// The last event saved by this process; changes whenever events are committed.
    pub fn events_saved(&self) -> watch::Receiver<EventId> {
        self.inner.shared.events_saved()
    }

    /// Changes whenever there may be a refresh to run.
    pub fn refreshes_queued(&self) -> watch::Receiver<u64> {
        self.inner.shared.refreshes_queued()
    }

    /// Whether this process is the one that handles the queue.
    pub fn serves(&self) -> bool {
        self.inner.lock.is_some()
    }

    /// The clock that the rows are written by.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    fn read<T>(
        &self,
        look: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, VmdbError>,
    ) -> Result<T, VmdbError> {
        self.inner.readers.read(look)
    }

    fn request<T: Send + 'static>(
        &self,
        weight: usize,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, VmdbError> + Send + 'static,
    ) -> Request<T> {
        self.request_with(weight, work, |_| {})
    }

    fn request_with<T: Send + 'static>(
        &self,
        weight: usize,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, VmdbError> + Send + 'static,
        done: impl FnOnce(&Result<T, VmdbError>) + Send + 'static,
    ) -> Request<T> {
        Request::new(&self.inner.sender, weight, work, done)
    }

    fn refused_request<T: Send + 'static>(&self, error: VmdbError) -> Request<T> {
        Request::failed(&self.inner.sender, error)
    }
}

/// Joined when it is dropped, so that the database is closed when its handle is gone.
#[derive(Debug)]
struct WriterThread(Mutex<Option<JoinHandle<()>>>);

impl WriterThread {
    fn join(&self) {
        let thread = self.0.lock().take();
        // A handle may be dropped by the writer itself, at the end of a job that held it.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            drop(thread.join());
        }
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.join();
    }
}
