//! Looking at the queue, and setting right what failed.

use std::sync::Arc;

use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;
use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::model::delivery::RulesId;
use crate::model::ems::EmsId;
use crate::model::json;
use crate::vmdb::MessageId;
use crate::vmdb::MessageKind;
use crate::vmdb::MessageState;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::ems_names::Managers;
use crate::vmdb::outbox_list;
use crate::vmdb::request::Request;
use crate::vmdb::transaction::Transaction;

/// Which messages are wanted; the default is all of them.
#[derive(Clone, Debug, Default)]
pub struct QueueFilter {
    /// Of this manager only.
    pub ems_id: Option<EmsId>,
    /// In this state only.
    pub state: Option<MessageState>,
    /// Of this kind only.
    pub kind: Option<MessageKind>,
    /// Those after this one only.
    pub after: Option<MessageId>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// One message.
#[derive(Clone, Debug, Serialize)]
pub struct QueueEntry {
    /// Its number.
    pub id: MessageId,
    /// What it asks for.
    pub kind: MessageKind,
    /// How it fares.
    pub state: MessageState,
    /// The name of its manager.
    pub ems: Arc<str>,
    /// The type of its event, where it is known.
    pub event_type: Option<String>,
    /// Manager and resource; it waits for those before it with the same.
    pub lane: Option<String>,
    /// How often it failed.
    pub attempts: u32,
    /// When it will be tried.
    pub due: Option<Timestamp>,
    /// When it was received.
    pub received_at: Timestamp,
    /// Why it failed last.
    pub error: Option<String>,
    /// By which rules.
    pub generation: Option<RulesId>,
    /// What it carries; only where one message is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<json::Value>,
    /// The native event as it came; only where one message is shown. It need not be JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_data: Option<String>,
}

/// How many messages there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QueueCounts {
    /// To be taken.
    pub ready: u64,
    /// Not due yet.
    pub waiting: u64,
    /// Holding their lanes.
    pub parked: u64,
    /// Given up.
    pub dead: u64,
    /// When the first one to be taken was received.
    pub oldest: Option<Timestamp>,
}

const COLUMNS: &str = "m.id, m.kind, m.state, m.ems_id, m.lane, m.attempts, m.due, m.received_at, m.error, \
     m.rules_id, m.payload FROM miq_queue m";

impl Vmdb {
    /// Messages, and effects that are not sent, in the order in which they came.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn queue_list(&self, filter: &QueueFilter) -> Result<Vec<QueueEntry>, VmdbError> {
        Ok(self.queue_page(filter)?.0)
    }

    /// The same, with the last that was looked at where there may be more behind it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn queue_page(
        &self,
        filter: &QueueFilter,
    ) -> Result<(Vec<QueueEntry>, Option<MessageId>), VmdbError> {
        let managers = self.managers()?;
        let entries = self.read(|transaction| {
            let mut query = transaction.prepare_cached(&format!(
                "SELECT {COLUMNS} WHERE (?1 IS NULL OR m.ems_id = ?1) AND (?2 IS NULL OR m.state = ?2) \
                 AND (?3 IS NULL OR m.kind = ?3) AND m.id > ?5 ORDER BY m.id LIMIT ?4"
            ))?;
            let params = params![
                filter.ems_id.map(|id| id.0),
                filter.state.map(MessageState::number),
                filter.kind.map(MessageKind::number),
                filter
                    .limit
                    .map_or(-1, |limit| i64::try_from(limit).unwrap_or(-1)),
                filter.after.map_or(i64::MIN, |id| id.0),
            ];
            let rows = query.query_map(params, |row| self.read_entry(row, &managers))?;
            let mut entries = rows.collect::<Result<Vec<_>, _>>()?;
            if filter.kind.is_none_or(|kind| kind == MessageKind::Outbox) {
                entries.extend(self.list_effects(transaction, filter, &managers)?);
                entries.sort_by_key(|entry| entry.id);
                entries.truncate(filter.limit.unwrap_or(usize::MAX));
            }
            Ok(entries)
        })?;
        let last = entries.last().map(|entry| entry.id);
        let last = last.filter(|_| filter.limit.is_some_and(|limit| limit <= entries.len()));
        // What is in hand is no column, so a filter for it, or against it, is applied here.
        let wanted = |entry: &QueueEntry| filter.state.is_none_or(|state| state == entry.state);
        let lean = |mut entry: QueueEntry| {
            entry.payload = None;
            entry
        };
        Ok((entries.into_iter().filter(wanted).map(lean).collect(), last))
    }

    /// One message, or one effect that is not sent, with what it carries.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn queue_show(&self, id: MessageId) -> Result<Option<QueueEntry>, VmdbError> {
        let managers = self.managers()?;
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(&format!("SELECT {COLUMNS} WHERE m.id = ?1"))?;
            let found = query
                .query_row([id.0], |row| self.read_entry(row, &managers))
                .optional()?;
            let Some(mut entry) = found else {
                return self.show_effect(transaction, id, &managers);
            };
            let mut query =
                transaction.prepare_cached("SELECT full_data FROM native_events WHERE id = ?1")?;
            entry.full_data = query.query_row([id.0], |row| row.get(0)).optional()?;
            Ok(Some(entry))
        })
    }

    /// How many messages there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn queue_counts(&self) -> Result<QueueCounts, VmdbError> {
        self.read(|transaction| {
            let mut counts = QueueCounts::default();
            let mut query =
                transaction.prepare_cached("SELECT state, count(*) FROM miq_queue GROUP BY state")?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                let count = row.get(1)?;
                match MessageState::from_number(row.get(0)?) {
                    Some(MessageState::Ready | MessageState::Taken) => counts.ready = count,
                    Some(MessageState::Waiting) => counts.waiting = count,
                    Some(MessageState::Parked) => counts.parked = count,
                    Some(MessageState::Dead) | None => counts.dead = count,
                }
            }
            let oldest = "SELECT received_at FROM miq_queue WHERE state = 0 ORDER BY id LIMIT 1";
            let oldest: Option<i64> = transaction.query_row(oldest, [], |row| row.get(0)).optional()?;
            counts.oldest = oldest.map(codec::time);
            Ok(counts)
        })
    }

    /// Has a message or an effect tried again now that failed or waits, its failures forgotten; a parked lane goes
    /// on with it.
    /// [`VmdbError::NotFound`] where there is none.
    pub fn queue_retry(&self, id: MessageId) -> Request<()> {
        self.request(1, move |transaction| {
            let which = Which::One(id);
            let retried = match retry(transaction, &which)? {
                0 => outbox_list::retry(transaction, &which)?,
                retried => retried,
            };
            (0 < retried).then_some(()).ok_or_else(|| not_found(id))
        })
    }

    /// Has every message and effect in `state` tried again; returns how many. Only parked and dead ones were given
    /// up.
    pub fn queue_retry_all(&self, state: MessageState) -> Request<usize> {
        self.queue_retry_matching(&QueueFilter {
            state: Some(state),
            ..QueueFilter::default()
        })
    }

    /// The same of those that a filter chooses by state, manager and kind; without a state, the dead.
    pub fn queue_retry_matching(&self, filter: &QueueFilter) -> Request<usize> {
        let which = Which::All {
            state: filter.state.unwrap_or(MessageState::Dead),
            ems_id: filter.ems_id,
            kind: filter.kind,
        };
        let effects = filter.kind.is_none_or(|kind| kind == MessageKind::Outbox);
        self.request(1, move |transaction| {
            let messages = retry(transaction, &which)?;
            let effects = if effects {
                outbox_list::retry(transaction, &which)?
            } else {
                0
            };
            Ok(messages + effects)
        })
    }

    /// Takes a message or an effect off the queue for good; its lane goes on behind it. [`VmdbError::NotFound`] where there is
    /// none.
    pub fn queue_discard(&self, id: MessageId) -> Request<()> {
        let shared = self.shared().clone();
        let done = move |discarded: &Result<(), VmdbError>| {
            if discarded.is_ok() {
                shared.lanes.lock().discard(id.0);
            }
        };
        let work = move |transaction: &mut Transaction<'_>| {
            let found = transaction.first(
                "DELETE FROM miq_queue WHERE id = ?1 RETURNING ems_id, state, kind",
                [id.0],
                |row| Ok((EmsId(row.get(0)?), row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)),
            )?;
            let Some((ems_id, state, kind)) = found else {
                let discarded = outbox_list::discard(transaction, id)?;
                return discarded.then_some(()).ok_or_else(|| not_found(id));
            };
            if state == MessageState::Dead.number() {
                transaction.books.of(ems_id).dead -= 1;
            } else {
                transaction.news.waiting.count(ems_id, -1);
            }
            if kind != MessageKind::Deliver.number() {
                transaction.execute("DELETE FROM native_events WHERE id = ?1", [id.0])?;
                transaction.books.of(ems_id).discarded += 1;
            }
            transaction.gone(id);
            transaction.news.has_messages = true;
            Ok(())
        };
        self.request_with(1, work, done)
    }

    fn read_entry(&self, row: &Row<'_>, managers: &Managers) -> rusqlite::Result<QueueEntry> {
        let id: i64 = row.get(0)?;
        let state = match MessageState::from_number(row.get(2)?).unwrap_or(MessageState::Dead) {
            MessageState::Ready | MessageState::Waiting if self.shared().lanes.lock().is_taken(id) => {
                MessageState::Taken
            }
            state => state,
        };
        let payload: String = row.get(10)?;
        let payload: json::Value = json::read(&payload).unwrap_or_default();
        let rules_id: Option<[u8; 16]> = row.get(9)?;
        Ok(QueueEntry {
            id: MessageId(id),
            kind: MessageKind::from_number(row.get(1)?).unwrap_or(MessageKind::Unparsed),
            state,
            ems: managers.name(EmsId(row.get(3)?)),
            event_type: payload
                .get("event_type")
                .and_then(|name| name.as_str())
                .map(str::to_owned),
            lane: row.get(4)?,
            attempts: row.get(5)?,
            due: row.get::<_, Option<i64>>(6)?.map(codec::time),
            received_at: codec::time(row.get(7)?),
            error: row.get(8)?,
            generation: rules_id.map(|bytes| RulesId(u128::from_be_bytes(bytes))),
            payload: Some(payload),
            full_data: None,
        })
    }
}

/// Which messages, or effects, are tried again.
pub(crate) enum Which {
    One(MessageId),
    All {
        state: MessageState,
        ems_id: Option<EmsId>,
        kind: Option<MessageKind>,
    },
}

impl Which {
    /// Number or state, manager, kind.
    pub(crate) fn parameters(&self) -> [Option<i64>; 3] {
        match self {
            Self::One(id) => [Some(id.0), None, None],
            Self::All { state, ems_id, kind } => [
                Some(state.number()),
                ems_id.map(|id| id.0),
                kind.map(MessageKind::number),
            ],
        }
    }
}

/// What is due is found by that, wherever it stands: so it waits for now.
fn retry(transaction: &mut Transaction<'_>, which: &Which) -> Result<usize, VmdbError> {
    let condition = match which {
        Which::One(_) => "id = ?1 AND ?2 IS NULL AND ?3 IS NULL",
        Which::All { .. } => "state = ?1 AND (?2 IS NULL OR ems_id = ?2) AND (?3 IS NULL OR kind = ?3)",
    };
    let mut query = transaction.prepare(&format!(
        "SELECT ems_id, count(*) FROM miq_queue WHERE {condition} AND state = 1 GROUP BY ems_id"
    ))?;
    let [number, ems_id, kind] = which.parameters();
    let rows = query.query_map(params![number, ems_id, kind], |row| {
        Ok((EmsId(row.get(0)?), row.get::<_, i64>(1)?))
    })?;
    for row in rows {
        let (ems_id, count) = row?;
        transaction.books.of(ems_id).dead -= count;
        transaction.news.waiting.count(ems_id, count);
    }
    transaction.news.has_messages = true;
    transaction.news.has_held = true;
    transaction.execute(
        &format!(
            "UPDATE miq_queue SET state = 2, due = ?4, attempts = 0, crashes = 0 \
             WHERE {condition} AND state <> 0"
        ),
        params![number, ems_id, kind, transaction.now.as_microsecond()],
    )
}

fn not_found(id: MessageId) -> VmdbError {
    VmdbError::NotFound {
        what: "message",
        name: id.to_string(),
    }
}
