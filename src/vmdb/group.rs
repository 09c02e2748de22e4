//! Group: one transaction and the jobs that share it.

use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::model::clock::Timestamp;
use crate::vmdb::VmdbError;
use crate::vmdb::event_counts::EventCounts;
use crate::vmdb::shared::Shared;
use crate::vmdb::tallies::Books;
use crate::vmdb::transaction::News;
use crate::vmdb::transaction::Transaction;
use crate::vmdb::writer::Command;
use crate::vmdb::writer::Job;
use crate::vmdb::writer_state::WriterState;

/// How many events a transaction gathers before it is committed.
const EVENTS_PER_COMMIT: usize = 512;
/// How long a transaction gathers.
const GATHERING: Duration = Duration::from_millis(4);

/// One transaction and the jobs that share it.
pub(crate) struct Group<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) now: Timestamp,
    pub(crate) state: &'a mut WriterState,
    pub(crate) shared: &'a Shared,
}

impl Group<'_> {
    /// Runs the jobs, and those that wait behind them, and commits. `Ok` means that everything in `group` is on
    /// the disk, `Err` that nothing of it is. A job that fails is answered and taken out; the others do not
    /// notice.
    pub(crate) fn commit(
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
                    Ok(Command::Tick) | Err(_) => {}
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
        done.counts.write(self.connection)?;
        if let Some(id) = done.news.last_gone {
            let mut update = self
                .connection
                .prepare_cached("UPDATE appliance SET last_id = max(last_id, ?1)")?;
            update.execute([id.0])?;
        }
        self.state.write(self.connection)?;
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
    counts: EventCounts,
    news: News,
}

impl Done {
    fn add(&mut self, transaction: &Transaction<'_>) {
        self.books.add(&transaction.books);
        self.counts.add(&transaction.counts);
        self.news.add(&transaction.news);
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<(), VmdbError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
