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
use tracing::warn;

use crate::model::clock::Clock;
use crate::model::clock::Timestamp;
use crate::vmdb::VmdbError;
use crate::vmdb::connection;
use crate::vmdb::shared::Shared;
use crate::vmdb::tallies::Books;
use crate::vmdb::transaction::News;
use crate::vmdb::transaction::Transaction;
use crate::vmdb::writer_state::WriterState;

/// How many events a transaction gathers before it is committed.
const EVENTS_PER_COMMIT: usize = 512;
/// How long a transaction gathers.
const GATHERING: Duration = Duration::from_millis(4);
/// Above this size a check of the whole file would keep the events waiting for too long.
const CHECKED_PAGES: i64 = (1 << 30) / 4096;

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
    state: WriterState,
}

impl Writer {
    pub(crate) fn new(
        path: &Path,
        clock: Clock,
        shared: Arc<Shared>,
        connection: Connection,
        serves: bool,
    ) -> Result<Self, VmdbError> {
        Ok(Self {
            path: path.to_path_buf(),
            serves,
            clock,
            shared,
            state: WriterState::load(&connection, serves)?,
            connection,
            is_doubtful: false,
        })
    }

    /// Works until everybody has let go of the channel, or somebody closes it; then ends the database in order.
    pub(crate) fn work(mut self, mut jobs: mpsc::Receiver<Command>) {
        while let Some(command) = jobs.blocking_recv() {
            match command {
                Command::Job(job) => self.turn(job, &mut jobs),
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
            matches!(verdict, Err(VmdbError::Unavailable { .. })) || !self.connection.is_autocommit();
        let answer = verdict.as_ref().map(|_| ()).map_err(Clone::clone);
        self.shared.remember(&answer);
        if let Ok(news) = &mut verdict {
            self.shared.announce(news);
        }
        for job in group {
            job.finish(answer.clone());
        }
        // Last, since what was put is found in memory from when its request is answered.
        if verdict.is_ok_and(|news| news.has_messages) {
            self.shared.ring();
        }
    }

    /// The old connection is closed after the new one is open, never before: with its last connection SQLite would
    /// delete the log, or read again from the file what the disk failed to keep and was refused.
    fn renew_where_doubtful(&mut self) -> Result<(), VmdbError> {
        if !self.is_doubtful {
            return Ok(());
        }
        self.shared.files.check()?;
        let connection = connection::open_writer(&self.path)?;
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        if pages < CHECKED_PAGES {
            let found: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
            if found != "ok" {
                return Err(VmdbError::unavailable(format!("quick_check says `{found}`")));
            }
        }
        self.connection = connection;
        self.is_doubtful = false;
        Ok(())
    }

    fn end(&mut self) -> Result<(), VmdbError> {
        self.renew_where_doubtful()?;
        self.connection
            .execute("UPDATE appliance SET clean_shutdown = 1", [])?;
        self.connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

/// One transaction and the jobs that share it.
struct Group<'a> {
    connection: &'a Connection,
    now: Timestamp,
    state: &'a mut WriterState,
    shared: &'a Shared,
}

impl Group<'_> {
    /// Runs the jobs, and those that wait behind them, and commits. `Ok` means that everything in `group` is on
    /// the disk, `Err` that nothing of it is. A job that fails is answered and taken out; the others do not
    /// notice.
    fn commit(
        mut self,
        group: &mut Vec<Box<dyn Job>>,
        jobs: &mut mpsc::Receiver<Command>,
    ) -> Result<News, VmdbError> {
        let done = self.begin().and_then(|()| self.run_gathering(group, jobs));
        let ended = match done {
            Ok(done) => self.end(&done).map(|()| done.news),
            Err(error) if error.is_temporary() => Err(error),
            Err(_of_a_job) => {
                self.rollback()?;
                let done = self.begin().and_then(|()| self.run_carefully(group));
                done.and_then(|done| self.end(&done).map(|()| done.news))
            }
        };
        if ended.is_err() {
            self.rollback()?;
        }
        ended
    }

    /// The fast way: no savepoints, since hardly any job ever fails.
    fn run_gathering(
        &mut self,
        group: &mut Vec<Box<dyn Job>>,
        jobs: &mut mpsc::Receiver<Command>,
    ) -> Result<Done, VmdbError> {
        let began = Instant::now();
        let mut done = Done::default();
        let mut weight = 0;
        let mut index = 0;
        while let Some(job) = group.get_mut(index) {
            let mut transaction = Transaction::new(self.connection, self.now, self.state, false);
            job.run(&mut transaction)?;
            done.add(&transaction);
            weight += job.weight();
            index += 1;
            if weight < EVENTS_PER_COMMIT && began.elapsed() < GATHERING {
                match jobs.try_recv() {
                    Ok(Command::Job(job)) => group.push(job),
                    Ok(Command::Close) => jobs.close(),
                    Err(_empty) => {}
                }
            }
        }
        Ok(done)
    }

    /// The same jobs again, each within a savepoint.
    fn run_carefully(&mut self, group: &mut Vec<Box<dyn Job>>) -> Result<Done, VmdbError> {
        let mut done = Done::default();
        let mut index = 0;
        while let Some(job) = group.get_mut(index) {
            let mut transaction = Transaction::new(self.connection, self.now, self.state, true);
            match transaction.part(|transaction| job.run(transaction))? {
                Ok(()) => {
                    done.add(&transaction);
                    index += 1;
                }
                Err(error) => group.remove(index).finish(Err(error)),
            }
        }
        Ok(done)
    }

    fn begin(&mut self) -> Result<(), VmdbError> {
        execute(self.connection, "BEGIN IMMEDIATE")?;
        let mut query = self.connection.prepare_cached("PRAGMA data_version")?;
        let version: i64 = query.query_row([], |row| row.get(0))?;
        self.shared.lanes.lock().see_version(version);
        Ok(())
    }

    fn end(&mut self, done: &Done) -> Result<(), VmdbError> {
        done.books.write(self.connection, self.now)?;
        if let Some(id) = done.news.last_gone {
            let mut update = self
                .connection
                .prepare_cached("UPDATE appliance SET last_id = max(last_id, ?1)")?;
            update.execute([id.0])?;
        }
        self.state.seal(self.connection)?;
        execute(self.connection, "COMMIT")?;
        self.state.settle();
        Ok(())
    }

    /// Nothing is left to be done where SQLite has given up the transaction already, as when the disk is full.
    fn rollback(&mut self) -> Result<(), VmdbError> {
        self.state.undo();
        if self.connection.is_autocommit() {
            return Ok(());
        }
        execute(self.connection, "ROLLBACK")
    }
}

/// What the jobs of a transaction add to the books, and what others have to know.
#[derive(Default)]
struct Done {
    books: Books,
    news: News,
}

impl Done {
    fn add(&mut self, transaction: &Transaction<'_>) {
        self.books.add(&transaction.books);
        self.news.add(&transaction.news);
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<(), VmdbError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::model::clock::Clock;
    use crate::model::delivery::RulesId;
    use crate::model::event::NativeEvent;
    use crate::vmdb::DatabaseUrl;
    use crate::vmdb::NewEms;
    use crate::vmdb::NewMessage;
    use crate::vmdb::QueueFilter;
    use crate::vmdb::Vmdb;
    use crate::vmdb::VmdbError;

    /// The disk has room for so many pages from now on.
    fn room(vmdb: &Vmdb, pages: u32) {
        let sql = format!("PRAGMA max_page_count = {pages}");
        let request = vmdb.request(1, move |transaction| {
            transaction.first(&sql, [], |row| row.get::<_, i64>(0))
        });
        request.wait().unwrap();
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
