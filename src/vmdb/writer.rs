//! The writer: one thread that owns the one connection that writes, and many jobs to a commit.
//!
//! A commit costs one flush of the disk, whatever it holds. So the writer runs the jobs that wait in its channel
//! within one transaction and commits when the channel is empty, when enough has gathered, or after a few
//! milliseconds. No job is answered before the commit, and a job that fails takes nothing of the others with it.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::mpsc;
use tracing::info;
use tracing::warn;

use crate::model::clock::Clock;
use crate::vmdb::VmdbConfig;
use crate::vmdb::VmdbError;
use crate::vmdb::checkpoint;
use crate::vmdb::checkpoint::Checkpoint;
use crate::vmdb::connection;
use crate::vmdb::group::Group;
use crate::vmdb::shared::Shared;
use crate::vmdb::startup;
use crate::vmdb::transaction::Transaction;
use crate::vmdb::writer_state::WriterState;

/// How long a database that could not be opened again is left alone.
const REOPENING: Duration = Duration::from_millis(500);

/// One piece of work for the writer.
pub(crate) trait Job: Send {
    /// How many events it concerns.
    fn weight(&self) -> usize;
    /// Does it, uncommitted. It is done again, carefully, where a first time came to nothing.
    fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<(), VmdbError>;
    /// Tells whoever waits: `Ok` means that it is on the disk.
    fn finish(self: Box<Self>, verdict: Result<(), VmdbError>);
}

/// What the channel carries.
pub(crate) enum Command {
    /// Work.
    Job(Box<dyn Job>),
    /// See to what is not work: comes from time to time.
    Tick,
    /// Finish what waits, then end.
    Close,
}

/// The writer's side: lives on its own thread.
pub(crate) struct Writer {
    path: PathBuf,
    serves: bool,
    clock: Clock,
    shared: Arc<Shared>,
    connection: Connection,
    /// Set after an error of the disk: the connection's view of it cannot be trusted.
    is_doubtful: bool,
    /// Why it could not be opened again, and when.
    refused: Option<(Instant, VmdbError)>,
    state: WriterState,
    checkpoint: Checkpoint,
    idle: Duration,
    checked_at_once: u64,
    worked_at: Instant,
}

impl Writer {
    pub(crate) fn new(
        path: &Path,
        clock: Clock,
        shared: Arc<Shared>,
        mut connection: Connection,
        serves: bool,
        config: &VmdbConfig,
    ) -> Result<Self, VmdbError> {
        connection::set_checkpoint_on_close(&connection, !serves)?;
        let checkpoint = Checkpoint::new(config.log_limit);
        checkpoint.follow(&mut connection)?;
        Ok(Self {
            path: path.to_path_buf(),
            serves,
            clock,
            shared,
            state: WriterState::load(&connection, serves)?,
            connection,
            is_doubtful: false,
            refused: None,
            checkpoint,
            idle: config.idle,
            checked_at_once: config.checked_at_once,
            worked_at: Instant::now(),
        })
    }

    /// Works until everybody has let go of the channel, or somebody closes it; then ends the database in order.
    pub(crate) fn work(mut self, mut jobs: mpsc::Receiver<Command>) {
        while let Some(command) = jobs.blocking_recv() {
            match command {
                Command::Job(job) => self.turn(job, &mut jobs),
                Command::Tick => self.tick(&mut jobs),
                Command::Close => jobs.close(),
            }
        }
        if self.serves
            && let Err(error) = self.end()
        {
            warn!(%error, "The database was not closed in order; nothing is lost.");
        }
    }

    /// One transaction: this job, and what waits behind it.
    fn turn(&mut self, first: Box<dyn Job>, jobs: &mut mpsc::Receiver<Command>) {
        let began = Instant::now();
        let mut group = vec![first];
        let mut verdict = self.renew_where_doubtful().and_then(|()| {
            let transaction = Group {
                connection: &self.connection,
                now: self.clock.now(),
                state: &mut self.state,
                shared: &self.shared,
            };
            let verdict = transaction.commit(&mut group, jobs);
            verdict.and_then(|news| self.shared.files.check().map(|()| news))
        });
        self.is_doubtful |=
            matches!(verdict, Err(VmdbError::Disk { .. })) || !self.connection.is_autocommit();
        self.worked_at = Instant::now();
        let answer = verdict.as_ref().map(|_| ()).map_err(Clone::clone);
        if answer.is_err() || !self.checkpoint.has_failed() {
            self.shared.remember(&answer);
        }
        if let Ok(news) = &mut verdict {
            self.shared.commit_times.observe(began.elapsed(), 1);
            self.shared.announce(news);
        }
        for job in group {
            job.finish(answer.clone());
        }
        // Last, since what was put is found in memory from when its request is answered.
        let Ok(news) = verdict else { return };
        if news.has_messages {
            self.shared.ring();
        }
        if news.has_effects {
            self.shared.effects.ring();
        }
        self.move_log(!jobs.is_empty());
    }

    /// What was answered is safe in the log; where that cannot be moved, nothing more is taken until it can.
    fn move_log(&mut self, is_awaited: bool) {
        let had_failed = self.checkpoint.has_failed();
        let moved = self.checkpoint.after_commit(&self.connection, is_awaited);
        if had_failed || moved.is_err() {
            self.is_doubtful |= moved.is_err();
            self.shared.remember(&moved);
        }
        let log_size = self.shared.files.log_size();
        self.checkpoint
            .keep_within_limit(&self.connection, log_size, &self.shared.reads);
    }

    /// Sees whether a disk that failed works again, or, where nothing is written, empties the log.
    fn tick(&mut self, jobs: &mut mpsc::Receiver<Command>) {
        if self.shared.trouble().is_some() || self.shared.files.check().is_err() {
            self.turn(Box::new(Probe), jobs);
        } else if self.worked_at.elapsed() >= self.idle
            && self.shared.files.log_size() > 0
            && !self.is_doubtful
            && let Err(error) = checkpoint::truncate(&self.connection, Duration::ZERO)
        {
            warn!(%error, "Cannot empty the write-ahead log.");
        }
    }

    /// The old connection is closed after the new one is open, never before: with its last connection SQLite would
    /// delete the log, or read again from the file what the disk failed to keep and was refused.
    fn renew_where_doubtful(&mut self) -> Result<(), VmdbError> {
        if !self.is_doubtful {
            return Ok(());
        }
        if let Some((at, error)) = &self.refused
            && at.elapsed() < REOPENING
        {
            return Err(error.clone());
        }
        self.shared.files.check()?;
        let opened = self.open();
        self.refused = opened.as_ref().err().map(|error| (Instant::now(), error.clone()));
        self.connection = opened?;
        self.is_doubtful = false;
        Ok(())
    }

    fn open(&mut self) -> Result<Connection, VmdbError> {
        let mut connection = connection::open_writer(&self.path)?;
        connection::set_checkpoint_on_close(&connection, !self.serves)?;
        self.checkpoint.follow(&mut connection)?;
        startup::quick_check(&connection, self.checked_at_once)?;
        // A commit that failed while it was flushed may be there after all.
        self.state = WriterState::load(&connection, self.serves)?;
        Ok(connection)
    }

    fn end(&mut self) -> Result<(), VmdbError> {
        self.shared.reads.end_all();
        self.renew_where_doubtful()?;
        let connection = &self.connection;
        connection.execute("UPDATE appliance SET clean_shutdown = 1", [])?;
        connection::set_checkpoint_on_close(connection, true)?;
        if !checkpoint::truncate(connection, connection::BUSY_TIMEOUT)? {
            info!("Another program reads the database; what is in its write-ahead log stays there.");
        }
        Ok(())
    }
}

/// Writes, without a change, to see whether it can be done.
struct Probe;

impl Job for Probe {
    fn weight(&self) -> usize {
        1
    }

    fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<(), VmdbError> {
        transaction.execute("UPDATE appliance SET last_id = last_id", [])?;
        Ok(())
    }

    fn finish(self: Box<Self>, _verdict: Result<(), VmdbError>) {}
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::model::clock::Clock;
    use crate::model::delivery::RulesId;
    use crate::model::ems::EmsId;
    use crate::model::event::EventHash;
    use crate::model::event::EventId;
    use crate::model::event::EventKey;
    use crate::model::event::FullData;
    use crate::model::event::NativeEvent;
    use crate::vmdb::DatabaseUrl;
    use crate::vmdb::NewEms;
    use crate::vmdb::NewMessage;
    use crate::vmdb::PutOutcome;
    use crate::vmdb::QueueFilter;
    use crate::vmdb::Vmdb;
    use crate::vmdb::VmdbError;
    use crate::vmdb::event_keys;

    /// The disk has room for so many pages from now on.
    fn room(vmdb: &Vmdb, pages: u32) {
        let sql = format!("PRAGMA max_page_count = {pages}");
        let request = vmdb.request(1, move |transaction| {
            transaction.first(&sql, [], |row| row.get::<_, i64>(0))
        });
        request.wait().unwrap();
    }

    #[test]
    fn a_disk_that_cannot_be_written_refuses_and_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::sqlite(folder.path().join("test.db"));
        let vmdb = Vmdb::open_to_serve(&url, Clock::System).unwrap();
        let read_only = vmdb.request(1, |transaction| {
            transaction.connection.pragma_update(None, "query_only", true)?;
            Ok(())
        });
        // Answered after the commit, which writes nothing.
        read_only.wait().unwrap();
        let add = || {
            vmdb.ems_add(NewEms {
                name: "cloud".to_owned(),
                ..NewEms::default()
            })
        };
        let refused = add().wait().unwrap_err();
        assert!(matches!(refused, VmdbError::Disk { .. }), "{refused:?}");
        assert!(refused.is_temporary() && !refused.is_worrying());
        assert!(refused.to_string().contains("readonly"), "{refused}");
        // A commit that failed may be there all the same, once the log was recovered.
        let key = EventKey("k".into());
        let digest = event_keys::digest_of(EmsId(1), &key).cast_signed();
        let other = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
        other
            .execute_batch(&format!(
                "INSERT INTO ext_management_systems (name, provider, enabled, created_at) VALUES ('first', '', 1, 0);
                 INSERT INTO event_streams (id, ems_id, class, event_type, source, event_key, received_at, group_name, \
                 level, attributes) VALUES (7, 1, 'EmsEvent', 't', 's', 'k', 0, 'other', 'detail', '{{}}');
                 INSERT INTO event_keys (entries) VALUES (unhex(printf('%016X%016X', {digest}, 7)))"
            ))
            .unwrap();
        // The connection was at fault, not the disk: another one can write.
        add().wait().unwrap();
        assert!(vmdb.health().is_ok());
        let again = NewMessage::Add {
            ems_id: EmsId(1),
            hash: EventHash {
                event_type: "t".into(),
                source: "s".into(),
                event_key: Some(key),
                ems_ref: None,
                timestamp: None,
                attributes: BTreeMap::new(),
                full_data: FullData::new("{}".to_owned()),
            },
            received_at: vmdb.clock().now(),
        };
        let put = vmdb.put(vec![again]).wait().unwrap();
        assert_eq!(put, [PutOutcome::Duplicate(EventId(7))]);
    }

    #[test]
    fn a_full_disk_refuses_whole_requests_and_takes_them_again_once_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::sqlite(folder.path().join("test.db"));
        let vmdb = Vmdb::open_to_serve(&url, Clock::System).unwrap();
        let new = NewEms {
            name: "cloud".to_owned(),
            ..NewEms::default()
        };
        let ems_id = vmdb.ems_add(new).wait().unwrap().id;
        room(&vmdb, 1);
        let batch = || {
            let one = |number: u32| NewMessage::Unparsed {
                ems_id,
                native: NativeEvent::new(format!("{number}{}", "x".repeat(2_000))),
                reason: String::new(),
                rules_id: RulesId(1),
                received_at: vmdb.clock().now(),
            };
            vmdb.put((0..50).map(one).collect::<Vec<_>>())
        };
        // Several at once share a transaction, and its end.
        let pending: Vec<_> = (0..5).map(|_| batch().submit().unwrap()).collect();
        for pending in pending {
            let refused = pending.wait().unwrap_err();
            assert!(matches!(refused, VmdbError::Full { .. }), "{refused:?}");
            assert!(refused.is_temporary());
        }
        assert!(matches!(vmdb.health(), Err(VmdbError::Full { .. })));
        assert!(vmdb.queue_list(&QueueFilter::default()).unwrap().is_empty());
        room(&vmdb, 100_000);
        assert_eq!(batch().wait().unwrap().len(), 50);
        assert!(vmdb.health().is_ok());
        assert_eq!(vmdb.queue_list(&QueueFilter::default()).unwrap().len(), 50);
        assert_eq!(vmdb.tallies().unwrap()[&ems_id].received, 50);
    }
}
