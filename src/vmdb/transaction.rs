//! What a job of the writer works with: the open transaction, its time, its ids, its books.

use rusqlite::CachedStatement;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Params;
use rusqlite::Row;

use crate::model::clock::Timestamp;
use crate::model::event::EventId;
use crate::vmdb::FeedPosition;
use crate::vmdb::MessageId;
use crate::vmdb::VmdbError;
use crate::vmdb::digest_index;
use crate::vmdb::event_counts::EventCounts;
use crate::vmdb::event_refs;
use crate::vmdb::held_statements::HeldStatements;
use crate::vmdb::tallies::Books;
use crate::vmdb::waiting::Waiting;
use crate::vmdb::writer_state::WriterState;

/// One job's view of the transaction that it shares with others.
pub(crate) struct Transaction<'a> {
    /// The open transaction; `BEGIN` and `COMMIT` are the writer's.
    pub(crate) connection: &'a Connection,
    /// The time of the whole transaction.
    pub(crate) now: Timestamp,
    /// What the job adds to the books.
    pub(crate) books: Books,
    /// What the job adds to the counts of the timeline.
    pub(crate) counts: EventCounts,
    /// What the others have to know once it is committed.
    pub(crate) news: News,
    /// Whether a first time came to nothing: a job with parts that may fail keeps them apart now.
    pub(crate) is_careful: bool,
    state: &'a mut WriterState,
    is_next_id_known: bool,
    held: HeldStatements<'a>,
}

/// What a commit brought, for those who wait for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct News {
    /// How many messages wait more, or fewer.
    pub(crate) waiting: Waiting,
    /// Whether there may be something to take.
    pub(crate) has_messages: bool,
    /// Whether a message failed, or waits for its time.
    pub(crate) has_held: bool,
    /// Whether there may be something to send.
    pub(crate) has_effects: bool,
    /// The last event saved.
    pub(crate) last_event: Option<EventId>,
    /// The last delivery written.
    pub(crate) last_delivery: Option<FeedPosition>,
    /// Whether a manager was added or removed.
    pub(crate) has_managers: bool,
    /// Whether there may be another refresh to run.
    pub(crate) has_refreshes: bool,
    /// The greatest number of a message that is gone and became no event: nobody else may get it.
    pub(crate) last_gone: Option<MessageId>,
    /// Steps of traces that have a number now.
    pub(crate) steps: Vec<(String, i64)>,
}

impl News {
    pub(crate) fn add(&mut self, other: &Self) {
        self.waiting.add(&other.waiting);
        self.has_messages |= other.has_messages;
        self.has_held |= other.has_held;
        self.has_effects |= other.has_effects;
        self.last_event = self.last_event.max(other.last_event);
        self.last_delivery = self.last_delivery.max(other.last_delivery);
        self.has_managers |= other.has_managers;
        self.has_refreshes |= other.has_refreshes;
        self.last_gone = self.last_gone.max(other.last_gone);
        self.steps.extend(other.steps.iter().cloned());
    }
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(
        connection: &'a Connection,
        now: Timestamp,
        state: &'a mut WriterState,
        is_careful: bool,
    ) -> Self {
        Self {
            connection,
            now,
            books: Books::default(),
            counts: EventCounts::default(),
            news: News::default(),
            is_careful,
            state,
            is_next_id_known: false,
            held: HeldStatements::default(),
        }
    }

    /// Prepares a statement once and keeps it.
    pub(crate) fn prepare(&self, sql: &str) -> Result<CachedStatement<'a>, VmdbError> {
        Ok(self.connection.prepare_cached(sql)?)
    }

    /// Executes a statement that is kept prepared; returns how many rows it changed.
    pub(crate) fn execute(&self, sql: &str, params: impl Params) -> Result<usize, VmdbError> {
        Ok(self.connection.prepare_cached(sql)?.execute(params)?)
    }

    /// The same for a statement that one job executes many times: it is held until the job ends.
    pub(crate) fn execute_held(&self, sql: &'static str, params: impl Params) -> Result<usize, VmdbError> {
        self.held
            .with(self.connection, sql, |statement| Ok(statement.execute(params)?))
    }

    /// Notes that a message is gone and became no event.
    pub(crate) fn gone(&mut self, id: MessageId) {
        self.news.last_gone = self.news.last_gone.max(Some(id));
    }

    /// Does a part of the job. Where that fails, `Ok(Err(..))`, it is as if it had not begun.
    ///
    /// # Errors
    /// When SQLite gave up the whole transaction, as it does when the disk is full.
    pub(crate) fn part<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, VmdbError>,
    ) -> Result<Result<T, VmdbError>, VmdbError> {
        let (books, counts, news) = (self.books.clone(), self.counts.clone(), self.news.clone());
        let marks: Vec<usize> = self.state.each().map(|index| index.mark()).collect();
        self.execute("SAVEPOINT part", [])?;
        let done = work(self);
        if let Err(error) = &done {
            if self.connection.is_autocommit() {
                return Err(error.clone());
            }
            self.execute("ROLLBACK TO part", [])?;
            (self.books, self.counts, self.news) = (books, counts, news);
            self.state
                .each()
                .zip(marks)
                .for_each(|(index, mark)| index.undo(mark));
        }
        self.execute("RELEASE part", [])?;
        Ok(done)
    }

    /// The first row of a query that is kept prepared.
    pub(crate) fn first<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, VmdbError> {
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row(params, read)
            .optional()?)
    }

    /// An id for a message or an effect, greater than that of every message, event and effect there ever was.
    ///
    /// Another process may have put messages since the last transaction, so each job asks the tables once.
    pub(crate) fn next_id(&mut self) -> Result<i64, VmdbError> {
        if !self.is_next_id_known {
            let greatest = self.first(
                "SELECT max(last_id, ifnull((SELECT max(id) FROM miq_queue), 0), \
                 ifnull((SELECT max(id) FROM event_streams), 0), ifnull((SELECT max(id) FROM outbox), 0)) \
                 FROM appliance",
                [],
                |row| row.get::<_, i64>(0),
            )?;
            self.state.next_id = (self.state.next_id).max(greatest.unwrap_or(0) + 1);
            self.is_next_id_known = true;
        }
        let id = self.state.next_id;
        self.state.next_id += 1;
        Ok(id)
    }

    /// Notes that a number is in use, though no table says so until its event is inserted.
    pub(crate) fn uses_id(&mut self, id: i64) {
        self.state.next_id = self.state.next_id.max(id + 1);
    }

    /// The events whose keys have this digest, as far as this process knows.
    pub(crate) fn events_with_key(&self, digest: u64) -> Result<Vec<i64>, VmdbError> {
        let indexes = self.state.indexes.as_ref();
        indexes.map_or(Ok(Vec::new()), |indexes| {
            indexes.keys.find(self.connection, digest)
        })
    }

    /// The events about the object with this digest.
    pub(crate) fn events_about(&self, digest: u64) -> Result<Vec<i64>, VmdbError> {
        match &self.state.indexes {
            Some(indexes) => indexes.refs.find(self.connection, digest),
            None => digest_index::find(self.connection, event_refs::TABLES, digest),
        }
    }

    /// Drops what the indexes say of events that are gone for good: all before `saved`, and, as keys, all before
    /// `keyed`.
    pub(crate) fn forget_before(&mut self, saved: i64, keyed: i64) -> Result<(), VmdbError> {
        let Some(indexes) = &mut self.state.indexes else {
            return Ok(());
        };
        indexes.keys.forget_before(self.connection, keyed)?;
        indexes.refs.forget_before(self.connection, saved)
    }

    /// Indexes an event that is new.
    pub(crate) fn index_event(&mut self, event: EventId, key: u64, refs: &[u64]) -> Result<(), VmdbError> {
        let Some(indexes) = &mut self.state.indexes else {
            return Err(VmdbError::unavailable(
                "only the process that serves it saves events",
            ));
        };
        indexes.keys.insert(key, event.0);
        refs.iter()
            .for_each(|digest| indexes.refs.insert(*digest, event.0));
        Ok(())
    }
}
