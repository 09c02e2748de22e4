//! What was done about events, in few words: for the rows of a list.

use rusqlite::params;

use crate::model::event::EventId;
use crate::model::json;
use crate::model::json::Value;
use crate::vmdb::RefreshId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;

/// What followed from one event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventDone {
    /// The last refresh that it asked for.
    pub refresh: Option<RefreshDone>,
    /// What its last run failed of.
    pub error: Option<String>,
    /// Outside effects that are sent, and all that it asked for.
    pub effects: (u64, u64),
}

/// How a refresh went.
#[derive(Clone, Debug, PartialEq)]
pub struct RefreshDone {
    /// Its number.
    pub id: RefreshId,
    /// Whether it has ended, well.
    pub is_done: bool,
    /// Why it failed last.
    pub error: Option<String>,
    /// Whether it was of the whole manager.
    pub is_full: bool,
    /// How many objects it created, updated or archived.
    pub changed: u64,
}

impl Vmdb {
    /// What followed from each of these events, in their order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn events_done(&self, events: &[EventId]) -> Result<Vec<EventDone>, VmdbError> {
        self.read(|transaction| {
            let mut refresh = transaction.prepare_cached(
                "SELECT q.id, q.finished_at IS NOT NULL AND q.error IS NULL, q.error, ifnull(q.full_reason, q.widened) IS NOT NULL, q.changes \
                 FROM event_refreshes r JOIN refresh_queue a ON a.id = r.refresh_id \
                 JOIN refresh_queue q ON q.id = ifnull(a.merged_into, a.id) \
                 WHERE r.event_id = ?1 ORDER BY r.refresh_id DESC LIMIT 1",
            )?;
            let mut error = transaction
                .prepare_cached("SELECT errors FROM deliveries WHERE event_id = ?1 ORDER BY id DESC LIMIT 1")?;
            let mut effects = transaction.prepare_cached(
                "SELECT count(*) FILTER (WHERE state = 3 AND sent_at IS NOT NULL), count(*) FROM outbox WHERE event_id = ?1",
            )?;
            let mut done = Vec::with_capacity(events.len());
            for event in events {
                let mut found = refresh.query_map(params![event.0], |row| {
                    let changes: Option<String> = row.get(4)?;
                    Ok(RefreshDone {
                        id: RefreshId(row.get(0)?),
                        is_done: row.get(1)?,
                        error: row.get(2)?,
                        is_full: row.get(3)?,
                        changed: changes.as_deref().map_or(0, changed),
                    })
                })?;
                let mut errors = error.query_map(params![event.0], |row| row.get::<_, Option<String>>(0))?;
                let errors = errors.next().transpose()?.flatten();
                done.push(EventDone {
                    refresh: found.next().transpose()?,
                    error: errors.as_deref().and_then(fatal),
                    effects: effects.query_row(params![event.0], |row| Ok((row.get(0)?, row.get(1)?)))?,
                });
            }
            Ok(done)
        })
    }
}

fn changed(changes: &str) -> u64 {
    let changes: Value = json::read(changes).unwrap_or_default();
    let count = |key| changes.get(key).and_then(Value::as_u64).unwrap_or(0);
    count("created") + count("updated") + count("archived")
}

/// The message of the error that ended a run.
fn fatal(errors: &str) -> Option<String> {
    let errors: Value = json::read(errors).ok()?;
    let last = errors.as_array()?.last()?;
    Some(last.get("message")?.as_str()?.to_owned())
}
