//! event_minutes, event_hours, event_kinds: how many events there were, kept in the transaction that saves them.

use std::sync::Arc;

use ahash::HashMap;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::model::ems::EmsId;
use crate::model::event::EmsEvent;
use crate::model::event::EventId;
use crate::model::event_group::GroupAndLevel;
use crate::model::event_outcome::EventOutcome;
use crate::vmdb::VmdbError;
use crate::vmdb::transaction::Transaction;

/// Microseconds of a minute.
const MINUTE: i64 = 60_000_000;
/// Minutes of an hour.
const MINUTES: i64 = 60;

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    minute: i64,
    ems_id: EmsId,
    event_type: Arc<str>,
    group: Arc<str>,
    level: &'static str,
    outcome: EventOutcome,
}

/// What one transaction adds to the counts, or takes off.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventCounts {
    counts: HashMap<Key, i64>,
}

/// When an event happened: where the timeline has it.
pub(crate) fn time_of(event: &EmsEvent) -> i64 {
    event.hash.timestamp.unwrap_or(event.received_at).as_microsecond()
}

impl EventCounts {
    /// Counts an event that is new.
    pub(crate) fn saved(
        &mut self,
        ems_id: EmsId,
        event: &EmsEvent,
        group: &GroupAndLevel,
        outcome: EventOutcome,
    ) {
        let key = Key {
            minute: time_of(event).div_euclid(MINUTE),
            ems_id,
            event_type: event.hash.event_type.clone(),
            group: group.group.clone(),
            level: group.level.as_str(),
            outcome,
        };
        *self.counts.entry(key).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (key, count) in &other.counts {
            *self.counts.entry(key.clone()).or_default() += count;
        }
    }

    /// Writes what changed: a row a minute, and one an hour, of each kind.
    pub(crate) fn write(&self, connection: &Connection) -> Result<(), VmdbError> {
        let mut hours: HashMap<(i64, EmsId, i64, EventOutcome), i64> = HashMap::default();
        for (key, count) in self.counts.iter().filter(|(_, count)| **count != 0) {
            let kind = kind_id(connection, key)?;
            let start = key.minute * MINUTES;
            change(
                connection,
                "event_minutes",
                (start, key.ems_id, kind, key.outcome),
                *count,
            )?;
            let hour = key.minute.div_euclid(MINUTES) * MINUTES * MINUTES;
            *hours.entry((hour, key.ems_id, kind, key.outcome)).or_default() += count;
        }
        for (of, count) in hours {
            change(connection, "event_hours", of, count)?;
        }
        Ok(())
    }
}

fn kind_id(connection: &Connection, key: &Key) -> Result<i64, VmdbError> {
    let of = params![key.event_type, key.group, key.level];
    let known = connection
        .prepare_cached(
            "SELECT id FROM event_kinds WHERE event_type = ?1 AND group_name = ?2 AND level = ?3",
        )?
        .query_row(of, |row| row.get(0))
        .optional()?;
    if let Some(known) = known {
        return Ok(known);
    }
    connection
        .prepare_cached("INSERT INTO event_kinds (event_type, group_name, level) VALUES (?1, ?2, ?3)")?
        .execute(of)?;
    Ok(connection.last_insert_rowid())
}

fn change(
    connection: &Connection,
    table: &str,
    (start, ems_id, kind, outcome): (i64, EmsId, i64, EventOutcome),
    count: i64,
) -> Result<(), VmdbError> {
    let of = params![start, ems_id.0, kind, outcome.number(), count];
    connection
        .prepare_cached(&format!(
            "INSERT INTO {table} VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET \
             events = events + excluded.events"
        ))?
        .execute(of)?;
    // Only where some are taken off may none be left.
    if count <= 0 {
        connection
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE start = ?1 AND ems_id = ?2 AND kind_id = ?3 AND outcome = ?4 \
                 AND events = 0"
            ))?
            .execute(params![start, ems_id.0, kind, outcome.number()])?;
    }
    Ok(())
}

/// The outcome of an event after another run over it.
pub(crate) fn decided_again(
    transaction: &mut Transaction<'_>,
    event: EventId,
    outcome: EventOutcome,
) -> Result<(), VmdbError> {
    let Some(mut key) = stored(transaction, event)? else {
        return Ok(());
    };
    if key.outcome == outcome {
        return Ok(());
    }
    transaction.execute(
        "UPDATE event_streams SET outcome = ?2 WHERE id = ?1",
        params![event.0, outcome.number()],
    )?;
    let counts = &mut transaction.counts.counts;
    *counts.entry(key.clone()).or_default() -= 1;
    key.outcome = outcome;
    *counts.entry(key).or_default() += 1;
    Ok(())
}

/// Takes an event off the counts, before its row is deleted.
pub(crate) fn purged(transaction: &mut Transaction<'_>, event: EventId) -> Result<(), VmdbError> {
    if let Some(key) = stored(transaction, event)? {
        *transaction.counts.counts.entry(key).or_default() -= 1;
    }
    Ok(())
}

fn stored(transaction: &Transaction<'_>, event: EventId) -> Result<Option<Key>, VmdbError> {
    transaction.first(
        "SELECT ifnull(timestamp, received_at), ems_id, event_type, group_name, level, outcome \
         FROM event_streams WHERE id = ?1",
        [event.0],
        |row| {
            let level: String = row.get(4)?;
            Ok(Key {
                minute: row.get::<_, i64>(0)?.div_euclid(MINUTE),
                ems_id: EmsId(row.get(1)?),
                event_type: row.get::<_, String>(2)?.into(),
                group: row.get::<_, String>(3)?.into(),
                level: crate::vmdb::event_streams::level(&level).as_str(),
                outcome: EventOutcome::from_number(row.get(5)?),
            })
        },
    )
}
