//! The database: what has to outlive the process. One file per table.
//!
//! Everything is written in batches by one thread ([`Request`]), and is on the disk before it is acknowledged.
//! Looking never waits for writing. Knows nothing of scripts and rules.

mod audit;
mod audit_log;
mod backup;
mod candidate;
mod catchers;
mod checkpoint;
mod clock_jump;
mod codec;
mod config;
mod connection;
mod cursors;
mod database_url;
mod deliveries;
mod digest;
mod digest_index;
mod disk_room;
mod ems_names;
mod error;
mod event_company;
mod event_counts;
mod event_done;
mod event_feed;
mod event_filter;
mod event_keys;
mod event_list;
mod event_refreshes;
mod event_refs;
mod event_selection;
mod event_streams;
mod event_timeline;
mod event_zones;
mod ext_management_systems;
mod files;
mod filter;
mod glance;
mod group;
mod handled;
mod handled_batch;
mod handled_rows;
mod held_statements;
mod inventory;
mod inventory_causes;
mod inventory_changes;
mod inventory_find;
mod inventory_gone;
mod inventory_list;
mod inventory_rows;
mod inventory_save;
mod inventory_update;
mod known_steps;
mod lane;
mod lanes;
mod log_file;
mod message;
mod migrate;
mod miq_queue;
mod on_queue;
mod open_reads;
mod operations;
mod outbox;
mod outbox_heads;
mod outbox_list;
mod process_lock;
mod purge;
mod put;
mod queue_list;
mod readers;
mod ready;
mod refresh_counts;
mod refresh_list;
mod refresh_queue;
mod refresh_run;
mod reloads;
mod request;
mod rule_figures;
mod shared;
mod startup;
mod stored_value;
mod suspects;
mod take;
mod taken_file;
mod tallies;
mod traces;
mod transaction;
mod turns;
mod upkeep;
mod waiting;
mod writer;
mod writer_state;

pub use audit::Audit;
pub use audit::Audited;
pub use audit::Finding;
pub use audit::StoredEventKey;
pub use audit::StoredPlace;
pub use audit_log::Deed;
pub use audit_log::StoredDeed;
pub use backup::BackupError;
pub use backup::BackupProgress;
pub use backup::backup;
pub use catchers::CatcherRecord;
pub use catchers::StoredCatcher;
pub use config::VmdbConfig;
pub use cursors::Cursor;
pub use database_url::DatabaseUrl;
pub use deliveries::StoredDelivery;
pub use disk_room::Disk;
pub use error::VmdbError;
pub use event_company::Mentions;
pub use event_company::Neighbours;
pub use event_done::EventDone;
pub use event_done::RefreshDone;
pub use event_feed::FeedPosition;
pub use event_filter::EventCursor;
pub use event_filter::EventFilter;
pub use event_list::ShownEvent;
pub use event_list::StoredEvent;
pub use event_refreshes::EventRefresh;
pub use event_timeline::BucketStep;
pub use event_timeline::Buckets;
pub use event_timeline::Count;
pub use event_timeline::CountedEvents;
pub use event_timeline::CountedLane;
pub use event_timeline::LanesBy;
pub use ext_management_systems::NewEms;
pub use glance::Glance;
pub use glance::Named;
pub use handled::Committed;
pub use handled::Completion;
pub use handled::Decided;
pub use handled::Handled;
pub use handled::NewRetry;
pub use handled::Outcome;
pub use inventory::InventoryView;
pub use inventory_causes::ChangeCause;
pub use inventory_causes::ExplainedChange;
pub use inventory_causes::FoundChange;
pub use inventory_find::Family;
pub use inventory_find::ObjectCounts;
pub use inventory_list::InventoryFilter;
pub use inventory_list::ListedObject;
pub use inventory_list::ObjectChange;
pub use inventory_rows::InventoryChanges;
pub use inventory_update::InventoryUpdate;
pub use message::Message;
pub use message::Ticket;
pub use message::Work;
pub use miq_queue::MessageId;
pub use miq_queue::MessageKind;
pub use miq_queue::MessageState;
pub use operations::HOURS;
pub use operations::HeldLane;
pub use operations::Operations;
pub use operations::TypeWithoutRule;
pub use outbox::NewEffect;
pub use outbox::OutboxEntry;
pub use outbox::effect_lane;
pub use outbox_list::OutboxCounts;
pub use outbox_list::StoredEffect;
pub use purge::Purge;
pub use purge::Purged;
pub use purge::Retention;
pub use put::Filtered;
pub use put::NewMessage;
pub use put::Put;
pub use put::PutOutcome;
pub use queue_list::QueueCounts;
pub use queue_list::QueueEntry;
pub use queue_list::QueueFilter;
pub use refresh_counts::RefreshCounts;
pub use refresh_counts::RefreshesByState;
pub use refresh_list::Refresh;
pub use refresh_list::RefreshFilter;
pub use refresh_list::RequestedTarget;
pub use refresh_list::ShownRefresh;
pub use refresh_queue::RefreshId;
pub use refresh_queue::RefreshRequest;
pub use refresh_queue::RefreshState;
pub use refresh_run::ManagerRefreshes;
pub use refresh_run::RefreshPace;
pub use refresh_run::RunningRefresh;
pub use reloads::ChangedFiles;
pub use reloads::NewReload;
pub use reloads::StoredReload;
pub use request::Pending;
pub use request::Request;
pub use rule_figures::RuleFigures;
pub use rule_figures::day_of;
pub use tallies::Tally;

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::mpsc;
use tokio::sync::watch;

use crate::crash_point::crash_point;
use crate::model::clock::Clock;
use crate::model::event::EventId;
use crate::model::histogram::Histogram;
use crate::vmdb::disk_room::DiskRoom;
use crate::vmdb::files::Files;
use crate::vmdb::known_steps::KnownSteps;
use crate::vmdb::lanes::Lanes;
use crate::vmdb::process_lock::ProcessLock;
use crate::vmdb::readers::Readers;
use crate::vmdb::shared::Shared;
use crate::vmdb::startup::Found;
use crate::vmdb::taken_file::TakenFile;
use crate::vmdb::transaction::Transaction;
use crate::vmdb::upkeep::UpkeepThread;
use crate::vmdb::waiting::Waiting;
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
    upkeep: Option<UpkeepThread>,
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
        Self::start(url.path(), clock, None, &VmdbConfig::default())
    }

    /// Opens the database as the one process that handles its queue. What the last such process had in hand when
    /// it ended is free again.
    ///
    /// # Errors
    /// [`VmdbError::InUse`] where another process serves it; else as [`Vmdb::open`].
    pub fn open_to_serve(url: &DatabaseUrl, clock: Clock) -> Result<Self, VmdbError> {
        Self::open_to_serve_with(url, clock, &VmdbConfig::default())
    }

    /// The same with another configuration than the default one.
    ///
    /// # Errors
    /// As [`Vmdb::open_to_serve`], and [`VmdbError::Filesystem`] and [`VmdbError::Damaged`].
    pub fn open_to_serve_with(
        url: &DatabaseUrl,
        clock: Clock,
        config: &VmdbConfig,
    ) -> Result<Self, VmdbError> {
        let path = url.path();
        let folder = connection::folder_of(path);
        connection::create_folder(folder)?;
        let lock = ProcessLock::take(path)?;
        if !config.unsafe_filesystem {
            startup::check_filesystem(folder)?;
        }
        startup::warn_of_modes(path);
        Self::start(path, clock, Some(lock), config)
    }

    fn start(
        path: &Path,
        clock: Clock,
        lock: Option<ProcessLock>,
        config: &VmdbConfig,
    ) -> Result<Self, VmdbError> {
        let serves = lock.is_some();
        let room = DiskRoom::new(path, if serves { config.reserve } else { 0 });
        let found = Found::beside(path);
        let mut connection = connection::open_writer(path)?;
        let is_checked = !serves || startup::quick_check(&connection, config.checked_at_once)?;
        if serves {
            log_file::settle(&connection, path)?;
        }
        crash_point!("start.wal_recovery");
        migrate::migrate(&mut connection, path, clock.now())?;
        let lanes = if serves {
            found.tell(&connection)?;
            connection.execute("UPDATE appliance SET clean_shutdown = 0", [])?;
            // In the database itself: in a log that vanishes it would vanish, too.
            checkpoint::truncate(&connection, connection::BUSY_TIMEOUT)?;
            let taken = TakenFile::open(path)?;
            suspects::free_what_was_taken(&mut connection, &taken.left_behind()?, clock.now())?;
            // What ends before it takes anything ends because of no message.
            taken.write([].iter())?;
            crash_point!("start.leases_cleared");
            Lanes::new(Some(taken))
        } else {
            Lanes::new(None)
        };
        let (waiting, coming_events) = Waiting::load(&connection)?;
        let (last_event, last_delivery) = Self::last(&connection)?;
        if serves {
            startup::check_books(&connection, coming_events)?;
        }
        let shared = Arc::new(Shared::new(
            Files::remember(path),
            room,
            lanes,
            KnownSteps::load(&connection)?,
            waiting,
            last_event,
            last_delivery,
        ));
        let (sender, jobs) = mpsc::channel(ROOM);
        let writer = Writer::new(path, clock.clone(), shared.clone(), connection, serves, config)?;
        let thread = thread::Builder::new()
            .name("vmdb writer".to_owned())
            .spawn(move || writer.work(jobs))
            .map_err(|error| VmdbError::io(path, error))?;
        let upkeep = serves.then(|| UpkeepThread::start(config.tick, &sender, &shared));
        let upkeep = upkeep.transpose().map_err(|error| VmdbError::io(path, error))?;
        if !is_checked {
            startup::check_in_background(path, &shared);
        }
        Ok(Self {
            inner: Arc::new(Inner {
                clock,
                readers: Readers::new(path, shared.reads.clone()),
                shared,
                upkeep,
                sender,
                thread: WriterThread(Mutex::new(Some(thread))),
                lock,
            }),
        })
    }

    /// The last event, and the last delivery.
    fn last(connection: &Connection) -> Result<(EventId, FeedPosition), VmdbError> {
        let last = |table| {
            connection.query_row(&format!("SELECT ifnull(max(id), 0) FROM {table}"), [], |row| {
                row.get(0)
            })
        };
        Ok((EventId(last("event_streams")?), FeedPosition(last("deliveries")?)))
    }

    /// Finishes what waits, then ends the database in order; clones of this handle are of no use afterwards.
    /// Blocks: on an async runtime, use `spawn_blocking`.
    pub fn close(self) {
        self.inner.upkeep.iter().for_each(UpkeepThread::stop);
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

    /// How long its transactions took until the disk had them.
    pub fn commit_times(&self) -> &Histogram {
        &self.inner.shared.commit_times
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

    /// Has the writer run a pragma: with `max_page_count = 1` its disk is full, with `query_only = 1` it cannot be
    /// written to, until the connection is made anew.
    #[cfg(feature = "crash-points")]
    pub fn have_trouble(&self, pragma: &str) -> Request<()> {
        let sql = format!("PRAGMA {pragma}");
        self.request(1, move |transaction| {
            transaction.first(&sql, [], |_row| Ok(())).map(drop)
        })
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
