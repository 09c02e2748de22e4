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
use crate::vmdb::VmdbError;
use crate::vmdb::connection;
use crate::vmdb::shared::Shared;
use crate::vmdb::tallies::Books;
use crate::vmdb::transaction::News;
use crate::vmdb::transaction::Transaction;

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
    /// Does it, uncommitted.
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
    connection: Option<Connection>,
    next_id: i64,
}

impl Writer {
    pub(crate) fn new(
        path: &Path,
        clock: Clock,
        shared: Arc<Shared>,
        connection: Connection,
        serves: bool,
    ) -> Self {
        Self {
            path: path.to_path_buf(),
            serves,
            clock,
            shared,
            connection: Some(connection),
            next_id: 1,
        }
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
        let mut ran = Vec::new();
        let verdict = match self.reopened() {
            Ok(connection) => {
                let mut news = News::default();
                let group = Group {
                    connection: &connection,
                    ran: &mut ran,
                    news: &mut news,
                    next_id: &mut self.next_id,
                };
                let verdict = group
                    .run(&self.clock, first, jobs)
                    .and_then(|()| self.shared.files.check());
                if verdict.is_ok() {
                    self.shared.announce(&news);
                }
                // After an error of the disk the connection's view of it cannot be trusted.
                if connection.is_autocommit() && !matches!(verdict, Err(VmdbError::Unavailable { .. })) {
                    self.connection = Some(connection);
                }
                verdict
            }
            Err(error) => {
                ran.push(first);
                Err(error)
            }
        };
        self.shared.remember(&verdict);
        for job in ran {
            job.finish(verdict.clone());
        }
    }

    fn reopened(&mut self) -> Result<Connection, VmdbError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
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
        Ok(connection)
    }

    fn end(&mut self) -> Result<(), VmdbError> {
        let connection = self.reopened()?;
        connection.execute("UPDATE appliance SET clean_shutdown = 1", [])?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

/// The jobs of one transaction.
struct Group<'a> {
    connection: &'a Connection,
    ran: &'a mut Vec<Box<dyn Job>>,
    news: &'a mut News,
    next_id: &'a mut i64,
}

impl Group<'_> {
    /// Runs and commits. `Ok` means that everything in `ran` is on the disk, `Err` that nothing of it is.
    fn run(
        self,
        clock: &Clock,
        first: Box<dyn Job>,
        jobs: &mut mpsc::Receiver<Command>,
    ) -> Result<(), VmdbError> {
        let began = Instant::now();
        let now = clock.now();
        let mut books = Books::default();
        if let Err(error) = self.execute("BEGIN IMMEDIATE") {
            first.finish(Err(error.clone()));
            return Err(error);
        }
        let (mut next, mut weight) = (Some(first), 0);
        while let Some(job) = next.take() {
            weight += job.weight();
            let mut transaction = Transaction::new(self.connection, now, self.next_id);
            let is_first = self.ran.is_empty();
            if let Some(done) = Self::attempt(job, &mut transaction, is_first)? {
                books.add(&transaction.books);
                self.news.add(&transaction.news);
                self.ran.push(done);
            }
            if self.connection.is_autocommit() {
                // The first job failed and was taken back; the next begins a transaction of its own.
                return Ok(());
            }
            if weight < EVENTS_PER_COMMIT && began.elapsed() < GATHERING {
                match jobs.try_recv() {
                    Ok(Command::Job(job)) => next = Some(job),
                    Ok(Command::Close) => jobs.close(),
                    Err(_empty) => {}
                }
            }
        }
        let committed = books
            .write(self.connection, now)
            .and_then(|()| self.execute("COMMIT"));
        if committed.is_err() && !self.connection.is_autocommit() {
            self.execute("ROLLBACK")?;
        }
        committed
    }

    /// Runs one job. A job that fails is answered here, and takes nothing of the others with it; the first one
    /// takes its transaction, so that a lonely job costs no savepoint.
    ///
    /// # Errors
    /// When SQLite gave up the whole transaction, as it does when the disk is full.
    fn attempt(
        mut job: Box<dyn Job>,
        transaction: &mut Transaction<'_>,
        is_first: bool,
    ) -> Result<Option<Box<dyn Job>>, VmdbError> {
        let connection = transaction.connection;
        let ran = if is_first {
            job.run(transaction)
        } else {
            let ran = transaction.part(|transaction| job.run(transaction));
            if let Err(error) = ran {
                job.finish(Err(error.clone()));
                return Err(error);
            }
            ran?
        };
        let Err(error) = ran else { return Ok(Some(job)) };
        job.finish(Err(error));
        if is_first && !connection.is_autocommit() {
            execute(connection, "ROLLBACK")?;
        }
        Ok(None)
    }

    fn execute(&self, sql: &str) -> Result<(), VmdbError> {
        execute(self.connection, sql)
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<(), VmdbError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
