//! refresh_queue from the side of whoever refreshes: take what is due, tell how it ended. Nothing that was asked for
//! is forgotten: a refresh that failed waits again with all its targets, longer from failure to failure.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::model::clock::SignedDuration;
use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::vmdb::RefreshId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::request::Request;

/// The pause after a first failure; it doubles up to the longest.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// What stands with a refresh that ran when the process ended.
const CRASHED: &str = "the process ended while this refresh ran";

impl Vmdb {
    /// Takes the waiting refresh of a manager, if it is due and none runs: what is asked for from now on waits for the
    /// next one. A disabled manager's waits until it is enabled.
    pub fn refresh_take(&self, ems_id: EmsId) -> Request<Option<RefreshId>> {
        self.request(1, move |transaction| {
            transaction.first(
                "UPDATE refresh_queue SET state = 1, started_at = ?2, due = NULL, attempts = attempts + 1 \
                 WHERE ems_id = ?1 AND state = 0 AND ifnull(due, 0) <= ?2 \
                 AND NOT EXISTS (SELECT 1 FROM refresh_queue WHERE ems_id = ?1 AND state = 1) \
                 AND EXISTS (SELECT 1 FROM ext_management_systems WHERE id = ?1 AND enabled) RETURNING id",
                params![ems_id.0, transaction.now.as_microsecond()],
                |row| Ok(RefreshId(row.get(0)?)),
            )
        })
    }

    /// What was taken is refreshed.
    pub fn refresh_done(&self, id: RefreshId) -> Request<()> {
        self.request(1, move |transaction| {
            let changed = transaction.execute(
                "UPDATE refresh_queue SET state = 2, finished_at = ?2, error = NULL WHERE id = ?1 AND state = 1",
                params![id.0, transaction.now.as_microsecond()],
            )?;
            if changed == 0 { Err(not_running(id)) } else { Ok(()) }
        })
    }

    /// What was taken could not be refreshed: it waits again, together with what was asked for meanwhile. Returns
    /// the refresh that has its targets now.
    pub fn refresh_failed(&self, id: RefreshId, error: &str) -> Request<RefreshId> {
        let error = error.to_owned();
        self.request(1, move |transaction| {
            wait_again(transaction.connection, id, &error, transaction.now)?.ok_or_else(|| not_running(id))
        })
    }
}

/// At the start: what ran when the last process ended waits again.
pub(crate) fn free_what_ran(connection: &Connection, now: Timestamp) -> Result<(), VmdbError> {
    let mut query = connection.prepare("SELECT id FROM refresh_queue WHERE state = 1")?;
    let ran: Vec<i64> = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for id in ran {
        wait_again(connection, RefreshId(id), CRASHED, now)?;
    }
    Ok(())
}

/// A running refresh waits again; where another one of its manager waits already, its targets join that one.
fn wait_again(
    connection: &Connection,
    id: RefreshId,
    error: &str,
    now: Timestamp,
) -> Result<Option<RefreshId>, VmdbError> {
    let running = connection.query_row(
        "SELECT r.attempts, w.id FROM refresh_queue r \
         LEFT JOIN refresh_queue w ON w.ems_id = r.ems_id AND w.state = 0 WHERE r.id = ?1 AND r.state = 1",
        [id.0],
        |row| Ok((row.get::<_, u32>(0)?, row.get::<_, Option<i64>>(1)?)),
    );
    let Some((attempts, waiting)) = running.optional()? else {
        return Ok(None);
    };
    let doubled = 1_i32
        .checked_shl(attempts.saturating_sub(1).min(30))
        .unwrap_or(i32::MAX);
    let due = now
        .saturating_add(PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE))
        .unwrap_or(now);
    let to = waiting.unwrap_or(id.0);
    if waiting.is_some() {
        connection.execute(
            "INSERT INTO refresh_targets \
             (refresh_id, association, manager_ref, options, requests, first_event, last_event) \
             SELECT ?2, association, manager_ref, options, requests, first_event, last_event \
             FROM refresh_targets WHERE refresh_id = ?1 \
             ON CONFLICT (refresh_id, association, manager_ref) DO UPDATE SET \
             options = ifnull(options, excluded.options), requests = requests + excluded.requests, \
             first_event = ifnull(excluded.first_event, first_event)",
            [id.0, to],
        )?;
        connection.execute(
            "INSERT OR IGNORE INTO event_refreshes (event_id, refresh_id) \
             SELECT event_id, ?2 FROM event_refreshes WHERE refresh_id = ?1",
            [id.0, to],
        )?;
        connection.execute(
            "UPDATE refresh_queue SET full_reason = \
             ifnull(full_reason, (SELECT full_reason FROM refresh_queue WHERE id = ?1)) WHERE id = ?2",
            [id.0, to],
        )?;
        connection.execute(
            "UPDATE refresh_queue SET state = 3, finished_at = ?2, error = ?3 WHERE id = ?1",
            params![
                id.0,
                now.as_microsecond(),
                format!("{error}; its targets wait as refresh {to}")
            ],
        )?;
    }
    connection.execute(
        "UPDATE refresh_queue SET state = 0, due = ?2, attempts = max(attempts, ?3), error = ?4 WHERE id = ?1",
        params![to, due.as_microsecond(), attempts, error],
    )?;
    Ok(Some(RefreshId(to)))
}

fn not_running(id: RefreshId) -> VmdbError {
    VmdbError::NotFound {
        what: "running refresh",
        name: id.to_string(),
    }
}
