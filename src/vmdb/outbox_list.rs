//! Looking at the outbox, and setting right what was given up: the part of the queue that leaves the house.

use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;
use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::model::event::EventId;
use crate::model::json;
use crate::vmdb::MessageId;
use crate::vmdb::MessageKind;
use crate::vmdb::MessageState;
use crate::vmdb::QueueEntry;
use crate::vmdb::QueueFilter;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::ems_names::Managers;
use crate::vmdb::queue_list::Which;
use crate::vmdb::transaction::Transaction;

/// What became of one outside effect of an event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredEffect {
    /// Its number, as `queue show` takes it while it is not sent.
    pub id: MessageId,
    /// Its place among the effects of its delivery, from 0.
    pub position: u32,
    /// `ready`, `waiting`, `sent`, `dead` or `discarded`.
    pub state: &'static str,
    /// How often it was tried.
    pub attempts: u32,
    /// When it will be tried.
    pub due: Option<Timestamp>,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// What the receiver said.
    pub answer: Option<String>,
    /// Why it failed last.
    pub error: Option<String>,
    /// The same in every attempt.
    pub idempotency_key: String,
    /// What the rule described.
    pub action: json::Value,
}

/// How many effects there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OutboxCounts {
    /// To be sent.
    pub ready: u64,
    /// To be sent again, later.
    pub waiting: u64,
    /// Given up.
    pub dead: u64,
    /// When the first one that is not sent and not given up was decided on.
    pub oldest: Option<Timestamp>,
}

const COLUMNS: &str = "o.id, o.state, e.ems_id, e.event_type, o.lane, o.attempts, o.due, o.created_at, o.error, \
     o.action, o.event_id, o.position, o.idempotency_key \
     FROM outbox o LEFT JOIN event_streams e ON e.id = o.event_id";

impl Vmdb {
    /// How many effects there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn outbox_counts(&self) -> Result<OutboxCounts, VmdbError> {
        self.read(|transaction| {
            let mut counts = OutboxCounts::default();
            let mut query = transaction
                .prepare_cached("SELECT state, count(*) FROM outbox WHERE state <> 3 GROUP BY state")?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                let count = row.get(1)?;
                match row.get(0)? {
                    0 => counts.ready = count,
                    2 => counts.waiting = count,
                    _dead => counts.dead = count,
                }
            }
            let mut query = transaction.prepare_cached(
                "SELECT created_at FROM outbox WHERE id = \
                 (SELECT min(id) FROM outbox WHERE state <> 3 AND state IN (0, 2))",
            )?;
            let oldest: Option<i64> = query.query_row([], |row| row.get(0)).optional()?;
            counts.oldest = oldest.map(codec::time);
            Ok(counts)
        })
    }

    pub(crate) fn read_effect(&self, row: &Row<'_>, managers: &Managers) -> rusqlite::Result<QueueEntry> {
        let id: i64 = row.get(0)?;
        let lane: String = row.get(4)?;
        let is_taken = self.shared().effect_lanes.lock().in_hand.get(lane.as_str()) == Some(&id);
        let state = match MessageState::from_number(row.get(1)?).unwrap_or(MessageState::Dead) {
            MessageState::Ready | MessageState::Waiting if is_taken => MessageState::Taken,
            state => state,
        };
        let action: String = row.get(9)?;
        let action: json::Value = json::read(&action).unwrap_or_default();
        let ems_id: Option<i64> = row.get(2)?;
        Ok(QueueEntry {
            id: MessageId(id),
            kind: MessageKind::Outbox,
            state,
            ems: ems_id.map_or_else(|| "-".into(), |id| managers.name(EmsId(id))),
            event_type: row.get(3)?,
            lane: Some(lane),
            attempts: row.get(5)?,
            due: row.get::<_, Option<i64>>(6)?.map(codec::time),
            received_at: codec::time(row.get(7)?),
            error: row.get(8)?,
            generation: None,
            payload: Some(json::json!({
                "event": row.get::<_, i64>(10)?,
                "position": row.get::<_, i64>(11)?,
                "idempotency_key": row.get::<_, String>(12)?,
                "action": action,
            })),
            full_data: None,
        })
    }

    /// Effects that are not sent.
    pub(crate) fn list_effects(
        &self,
        transaction: &rusqlite::Transaction<'_>,
        filter: &QueueFilter,
        managers: &Managers,
    ) -> Result<Vec<QueueEntry>, VmdbError> {
        let limit = filter
            .limit
            .map_or(-1, |limit| i64::try_from(limit).unwrap_or(-1));
        let mut query = transaction.prepare_cached(&format!(
            "SELECT {COLUMNS} WHERE o.state <> 3 AND (?1 IS NULL OR e.ems_id = ?1) \
             AND (?2 IS NULL OR o.state = ?2 OR (?3 AND o.state = 2)) AND o.id > ?5 ORDER BY o.id LIMIT ?4"
        ))?;
        let parameters = params![
            filter.ems_id.map(|id| id.0),
            filter.state.map(MessageState::number),
            filter.state == Some(MessageState::Taken),
            limit,
            filter.after.map_or(i64::MIN, |id| id.0),
        ];
        let rows = query.query_map(parameters, |row| self.read_effect(row, managers))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One effect that is not sent.
    pub(crate) fn show_effect(
        &self,
        transaction: &rusqlite::Transaction<'_>,
        id: MessageId,
        managers: &Managers,
    ) -> Result<Option<QueueEntry>, VmdbError> {
        let mut query =
            transaction.prepare_cached(&format!("SELECT {COLUMNS} WHERE o.id = ?1 AND o.state <> 3"))?;
        let found = query.query_row([id.0], |row| self.read_effect(row, managers));
        Ok(found.optional()?)
    }
}

/// What became of the effects of one event, in order.
pub(crate) fn of_event(
    transaction: &rusqlite::Transaction<'_>,
    event: EventId,
) -> Result<Vec<StoredEffect>, VmdbError> {
    let mut query = transaction.prepare_cached(
        "SELECT id, position, state, attempts, due, sent_at, answer, error, idempotency_key, action \
         FROM outbox WHERE event_id = ?1 ORDER BY id",
    )?;
    let rows = query.query_map([event.0], |row| {
        let sent_at: Option<i64> = row.get(5)?;
        let action: String = row.get(9)?;
        Ok(StoredEffect {
            id: MessageId(row.get(0)?),
            position: row.get(1)?,
            state: match row.get(2)? {
                0 => "ready",
                1 => "dead",
                2 => "waiting",
                _done if sent_at.is_some() => "sent",
                _done => "discarded",
            },
            attempts: row.get(3)?,
            due: row.get::<_, Option<i64>>(4)?.map(codec::time),
            sent_at: sent_at.map(codec::time),
            answer: row.get(6)?,
            error: row.get(7)?,
            idempotency_key: row.get(8)?,
            action: json::read(&action).unwrap_or_default(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Has effects sent now that failed or wait, their failures forgotten; returns how many.
pub(crate) fn retry(transaction: &mut Transaction<'_>, which: &Which) -> Result<usize, VmdbError> {
    let condition = match which {
        Which::One(_) => "id = ?1 AND ?2 IS NULL",
        Which::All { .. } => {
            "state = ?1 AND (?2 IS NULL OR ?2 = (SELECT ems_id FROM event_streams e WHERE e.id = event_id))"
        }
    };
    let [number, ems_id, _kind] = which.parameters();
    transaction.news.has_effects = true;
    transaction.execute(
        &format!("UPDATE outbox SET state = 2, due = ?3, attempts = 0 WHERE {condition} AND state IN (1, 2)"),
        params![number, ems_id, transaction.now.as_microsecond()],
    )
}

/// Takes an effect off the outbox for good; its lane goes on behind it. Says whether there was one.
pub(crate) fn discard(transaction: &mut Transaction<'_>, id: MessageId) -> Result<bool, VmdbError> {
    transaction.news.has_effects = true;
    let discarded = transaction.execute(
        "UPDATE outbox SET state = 3, due = NULL WHERE id = ?1 AND state <> 3",
        [id.0],
    )?;
    Ok(discarded > 0)
}
