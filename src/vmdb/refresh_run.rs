//! Refreshes that run: taken, ended, or back in the queue; and when each manager was refreshed last.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::params;
use serde::Serialize;

use crate::crash_point::planted_bug;
use crate::model::clock::SignedDuration;
use crate::model::clock::Timestamp;
use crate::model::ems::Ems;
use crate::model::ems::EmsId;
use crate::model::target::Target;
use crate::vmdb::InventoryChanges;
use crate::vmdb::RefreshId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::request::Request;
use crate::vmdb::transaction::Transaction;

/// When a refresh that waits may begin.
#[derive(Clone, Copy, Debug)]
pub struct RefreshPace {
    /// The longest pause after a failure. One that would end later is a clock that was set back, and is over.
    pub longest_pause: SignedDuration,
    /// While its manager was refreshed not long ago, a refresh waits until nothing has joined it for so long ...
    pub gather: SignedDuration,
    /// ... and not longer than this.
    pub gather_most: SignedDuration,
}

/// So long is not long ago.
const RECENT: SignedDuration = SignedDuration::from_secs(30);

/// Which of the refreshes `r` of the managers `e` may begin; see [`Moment::params`].
const MAY_BEGIN: &str = "r.state = 0 AND (r.due IS NULL OR r.due <= ?1 OR ?2 < r.due) \
     AND e.enabled AND e.removed_at IS NULL \
     AND r.ems_id NOT IN (SELECT value FROM json_each(?3)) \
     AND (e.last_refresh_date IS NULL OR e.last_refresh_date NOT BETWEEN ?4 AND ?1 \
          OR r.joined_at IS NULL OR r.joined_at NOT BETWEEN ?5 AND ?1 OR r.requested_at < ?6) \
     AND NOT EXISTS (SELECT 1 FROM refresh_queue o WHERE o.ems_id = r.ems_id AND o.state = 1)";

/// What it depends on whether a refresh may begin.
struct Moment {
    now: Timestamp,
    pace: RefreshPace,
    unwanted: String,
}

impl Moment {
    fn params(&self) -> (i64, i64, &str, i64, i64, i64) {
        let now = self.now;
        let at = |time: Result<Timestamp, _>| time.unwrap_or(now).as_microsecond();
        (
            now.as_microsecond(),
            at(now.checked_add(self.pace.longest_pause)),
            &self.unwanted,
            at(now.checked_sub(RECENT)),
            at(now.checked_sub(self.pace.gather)),
            at(now.checked_sub(self.pace.gather_most)),
        )
    }
}

/// A refresh that was taken from the queue and is to be run.
#[derive(Clone, Debug)]
pub struct RunningRefresh {
    /// Its number.
    pub id: RefreshId,
    /// Whose inventory.
    pub ems: Arc<Ems>,
    /// Set: all of it, and why.
    pub full: Option<String>,
    /// Which objects of it, without duplicates.
    pub targets: Vec<Target>,
    /// How often it was begun, this time included.
    pub attempts: u32,
}

/// When a manager was refreshed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ManagerRefreshes {
    /// When a refresh ended last, well or not.
    pub last_refresh_date: Option<Timestamp>,
    /// When one ended well.
    pub last_refresh_success_date: Option<Timestamp>,
    /// When a full one ended well.
    pub last_full_refresh_date: Option<Timestamp>,
    /// Why the last one failed; none once one ends well (C87).
    pub last_refresh_error: Option<String>,
    /// Whether a full one waits or runs.
    pub is_full_queued: bool,
}

impl Vmdb {
    /// Takes the refresh that waits longest of those that may begin: of a manager that is `wanted` and of which none
    /// runs.
    ///
    /// # Errors
    /// When the database does not take it.
    pub fn refresh_take(
        &self,
        pace: RefreshPace,
        wanted: impl Fn(&Ems) -> bool,
    ) -> Result<Option<RunningRefresh>, VmdbError> {
        let managers = self.managers()?;
        let unwanted = managers.all.iter().filter(|(ems, _)| !wanted(ems));
        let unwanted: Vec<i64> = unwanted.map(|(ems, _)| ems.id.0).collect();
        let mut moment = Moment {
            now: self.clock().now(),
            pace,
            unwanted: codec::to_json("managers", &unwanted)?,
        };
        // Looking costs no commit.
        if !self.read(|transaction| is_one_ready(transaction, &moment))? {
            return Ok(None);
        }
        let taken = self.request(1, move |transaction| {
            moment.now = transaction.now;
            transaction.first(
                &format!(
                    "UPDATE refresh_queue SET state = 1, started_at = ?1, attempts = attempts + 1, progress = NULL, \
                     widened = NULL \
                     WHERE id = (SELECT r.id FROM refresh_queue r JOIN ext_management_systems e ON e.id = r.ems_id \
                     WHERE {MAY_BEGIN} ORDER BY r.requested_at, r.id LIMIT 1) \
                     RETURNING id, ems_id, full_reason, attempts"
                ),
                moment.params(),
                |row| {
                    Ok((
                        RefreshId(row.get(0)?),
                        EmsId(row.get(1)?),
                        row.get::<_, Option<String>>(2)?,
                        row.get::<_, u32>(3)?,
                    ))
                },
            )
        });
        let Some((id, ems_id, full, attempts)) = taken.wait()? else {
            return Ok(None);
        };
        let Some(ems) = managers.by_id(ems_id).or(self.managers()?.by_id(ems_id)) else {
            return Err(VmdbError::unavailable(format!(
                "manager {ems_id} is not there yet"
            )));
        };
        let shown = self.refresh_show(id)?;
        let requested = shown.into_iter().flat_map(|shown| shown.requested);
        Ok(Some(RunningRefresh {
            id,
            ems,
            full,
            targets: requested.map(|requested| requested.target).collect(),
            attempts,
        }))
    }

    /// Puts a refresh that failed back, with all its targets and whatever was asked for meanwhile (C88).
    pub fn refresh_failed(&self, id: RefreshId, error: &str, retry_at: Timestamp) -> Request<()> {
        let error = error.to_owned();
        self.request(1, move |transaction| {
            let now = transaction.now.as_microsecond();
            transaction.execute(
                "UPDATE ext_management_systems SET last_refresh_date = ?2, last_refresh_error = ?3 \
                 WHERE id = (SELECT ems_id FROM refresh_queue WHERE id = ?1)",
                params![id.0, now, error],
            )?;
            put_back(transaction, id, &error, Some(retry_at))
        })
    }

    /// Puts back what ran when the process that ran it ended.
    pub fn refresh_recover(&self) -> Request<usize> {
        self.request(1, move |transaction| {
            let running: Vec<RefreshId> = {
                let mut query = transaction.prepare("SELECT id FROM refresh_queue WHERE state = 1")?;
                let rows = query.query_map([], |row| Ok(RefreshId(row.get(0)?)))?;
                rows.collect::<Result<_, _>>()?
            };
            for id in &running {
                put_back(transaction, *id, "the process ended while it ran", None)?;
            }
            Ok(running.len())
        })
    }

    /// Notes how far a refresh is.
    pub fn refresh_progress(&self, id: RefreshId, progress: String) -> Request<()> {
        self.request(1, move |transaction| {
            transaction.execute(
                "UPDATE refresh_queue SET progress = ?2 WHERE id = ?1",
                params![id.0, progress],
            )?;
            Ok(())
        })
    }

    /// Notes why this try of a refresh reads everything, although only targets were asked for.
    pub fn refresh_widened(&self, id: RefreshId, reason: String) -> Request<()> {
        self.request(1, move |transaction| {
            transaction.execute(
                "UPDATE refresh_queue SET widened = ?2 WHERE id = ?1 AND full_reason IS NULL",
                params![id.0, reason],
            )?;
            Ok(())
        })
    }

    /// When each manager was refreshed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn manager_refreshes(&self) -> Result<BTreeMap<EmsId, ManagerRefreshes>, VmdbError> {
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(
                "SELECT id, last_refresh_date, last_refresh_success_date, last_full_refresh_date, \
                 last_refresh_error, EXISTS (SELECT 1 FROM refresh_queue r \
                 WHERE r.ems_id = e.id AND r.state IN (0, 1) AND r.full_reason IS NOT NULL) \
                 FROM ext_management_systems e WHERE removed_at IS NULL",
            )?;
            let at = |time: Option<i64>| time.map(codec::time);
            let rows = query.query_map([], |row| {
                let refreshes = ManagerRefreshes {
                    last_refresh_date: at(row.get(1)?),
                    last_refresh_success_date: at(row.get(2)?),
                    last_full_refresh_date: at(row.get(3)?),
                    last_refresh_error: row.get(4)?,
                    is_full_queued: row.get(5)?,
                };
                Ok((EmsId(row.get(0)?), refreshes))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

fn is_one_ready(connection: &Connection, moment: &Moment) -> Result<bool, VmdbError> {
    let mut query = connection.prepare_cached(&format!(
        "SELECT 1 FROM refresh_queue r JOIN ext_management_systems e ON e.id = r.ems_id WHERE {MAY_BEGIN} LIMIT 1"
    ))?;
    Ok(query.exists(moment.params())?)
}

/// Ends a refresh that went well.
pub(crate) fn done(
    transaction: &mut Transaction<'_>,
    id: RefreshId,
    is_full: bool,
    changes: &InventoryChanges,
) -> Result<(), VmdbError> {
    let now = transaction.now.as_microsecond();
    transaction.execute(
        "UPDATE refresh_queue SET state = 2, finished_at = ?2, due = NULL, error = NULL, progress = NULL, \
         changes = ?3 WHERE id = ?1",
        params![id.0, now, codec::to_json("changes", changes)?],
    )?;
    transaction.execute(
        "UPDATE ext_management_systems SET last_refresh_date = ?2, last_refresh_success_date = ?2, \
         last_refresh_error = NULL, last_full_refresh_date = CASE WHEN ?3 THEN ?2 ELSE last_full_refresh_date END \
         WHERE id = (SELECT ems_id FROM refresh_queue WHERE id = ?1)",
        params![id.0, now, is_full],
    )?;
    // Another of the same manager may have waited for this one to end.
    transaction.news.has_refreshes = true;
    Ok(())
}

/// Lets a refresh that runs wait again. What was asked for while it ran joins it, so that one waits per manager.
fn put_back(
    transaction: &mut Transaction<'_>,
    id: RefreshId,
    error: &str,
    due: Option<Timestamp>,
) -> Result<(), VmdbError> {
    let is_running = transaction.first(
        "SELECT state = 1 FROM refresh_queue WHERE id = ?1",
        [id.0],
        |row| row.get(0),
    )?;
    if is_running != Some(true) {
        // It waits already, and would be taken for the one that joins it.
        return Ok(());
    }
    let later = transaction.first(
        "SELECT l.id, l.full_reason FROM refresh_queue l JOIN refresh_queue r ON r.ems_id = l.ems_id \
         WHERE r.id = ?1 AND l.state = 0",
        [id.0],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?)),
    )?;
    let mut full = None;
    if let Some((later, reason)) = later {
        full = reason;
        transaction.execute(
            "INSERT INTO refresh_targets \
             (refresh_id, association, manager_ref, options, requests, first_event, last_event) \
             SELECT ?1, association, manager_ref, options, requests, first_event, last_event \
             FROM refresh_targets WHERE refresh_id = ?2 \
             ON CONFLICT (refresh_id, association, manager_ref) DO UPDATE SET \
             options = ifnull(excluded.options, options), requests = requests + excluded.requests, \
             last_event = ifnull(excluded.last_event, last_event)",
            [id.0, later],
        )?;
        transaction.execute("DELETE FROM refresh_targets WHERE refresh_id = ?1", [later])?;
        transaction.execute(
            "UPDATE OR REPLACE event_refreshes SET refresh_id = ?1 WHERE refresh_id = ?2",
            [id.0, later],
        )?;
        transaction.execute(
            "UPDATE refresh_queue SET state = 4, merged_into = ?1, finished_at = ?3 WHERE id = ?2",
            params![id.0, later, transaction.now.as_microsecond()],
        )?;
    }
    planted_bug!(
        "targets_dropped_on_failure",
        transaction.execute("DELETE FROM refresh_targets WHERE refresh_id = ?1", [id.0])?
    );
    transaction.execute(
        "UPDATE refresh_queue SET state = 0, due = ?2, error = ?3, progress = NULL, \
         full_reason = ifnull(full_reason, ?4) WHERE id = ?1",
        params![id.0, due.map(Timestamp::as_microsecond), error, full],
    )?;
    transaction.news.has_refreshes = true;
    Ok(())
}
