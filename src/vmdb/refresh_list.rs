//! What waits to be refreshed, runs, and ran: for lists and pages.

use std::sync::Arc;

use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;
use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::model::event::EventId;
use crate::model::target::Target;
use crate::vmdb::InventoryChanges;
use crate::vmdb::RefreshId;
use crate::vmdb::RefreshState;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;

/// How many events of a refresh are shown.
const EVENTS_SHOWN: usize = 1_000;

/// Which refreshes are wanted; the default is all of them.
#[derive(Clone, Debug, Default)]
pub struct RefreshFilter {
    /// Of this manager only.
    pub ems_id: Option<EmsId>,
    /// In this state only.
    pub state: Option<RefreshState>,
    /// Those before this one only.
    pub before: Option<RefreshId>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// One refresh.
#[derive(Clone, Debug, Serialize)]
pub struct Refresh {
    /// Its number.
    pub id: RefreshId,
    /// The name of its manager.
    pub ems: Arc<str>,
    /// How it fares.
    pub state: RefreshState,
    /// Set: the whole manager, and why.
    pub full: Option<String>,
    /// Whether only targets were asked for, and everything is read all the same, as `full` says.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub widened: bool,
    /// How many objects are to be looked at.
    pub targets: u64,
    /// How many events asked for it.
    pub events: u64,
    /// When it was first asked for.
    pub requested_at: Timestamp,
    /// Not before this, after a failure.
    pub due: Option<Timestamp>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last try failed.
    pub error: Option<String>,
    /// How far it is, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// What it changed, once it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<InventoryChanges>,
    /// Where its targets wait, when they joined an earlier refresh that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<RefreshId>,
}

/// One object of a refresh.
#[derive(Clone, Debug, Serialize)]
pub struct RequestedTarget {
    /// The object.
    #[serde(flatten)]
    pub target: Target,
    /// How often it was asked for.
    pub requests: u64,
    /// By which event first.
    pub first_event: Option<EventId>,
    /// By which event last.
    pub last_event: Option<EventId>,
}

/// One refresh with all that belongs to it.
#[derive(Clone, Debug, Serialize)]
pub struct ShownRefresh {
    /// The refresh.
    #[serde(flatten)]
    pub refresh: Refresh,
    /// Its objects, by association and key.
    pub requested: Vec<RequestedTarget>,
    /// The events that asked for it, the first thousand.
    pub event_ids: Vec<EventId>,
}

const COLUMNS: &str = "r.id, r.ems_id, r.state, ifnull(r.full_reason, r.widened), \
     (SELECT count(*) FROM refresh_targets t WHERE t.refresh_id = r.id), \
     (SELECT count(*) FROM event_refreshes e WHERE e.refresh_id = r.id), \
     r.requested_at, r.due, r.started_at, r.finished_at, r.attempts, r.error, r.progress, r.changes, r.merged_into, r.full_reason IS NULL AND r.widened IS NOT NULL FROM refresh_queue r";

impl Vmdb {
    /// Refreshes, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn refresh_list(&self, filter: &RefreshFilter) -> Result<Vec<Refresh>, VmdbError> {
        let managers = self.managers()?;
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(&format!(
                "SELECT {COLUMNS} WHERE (?1 IS NULL OR r.ems_id = ?1) AND (?2 IS NULL OR r.state = ?2) \
                 AND r.id < ?4 ORDER BY r.id DESC LIMIT ?3"
            ))?;
            let limit = filter
                .limit
                .map_or(-1, |limit| i64::try_from(limit).unwrap_or(-1));
            let params = params![
                filter.ems_id.map(|id| id.0),
                filter.state.map(RefreshState::number),
                limit,
                filter.before.map_or(i64::MAX, |id| id.0),
            ];
            let rows = query.query_map(params, |row| read(row, |id| managers.name(id)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Refreshes by their numbers, in that order; those that are gone are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn refreshes_by_id(&self, ids: &[RefreshId]) -> Result<Vec<Refresh>, VmdbError> {
        let managers = self.managers()?;
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(&format!("SELECT {COLUMNS} WHERE r.id = ?1"))?;
            let mut refreshes = Vec::new();
            for id in ids {
                let one = query.query_row([id.0], |row| read(row, |id| managers.name(id)));
                refreshes.extend(one.optional()?);
            }
            Ok(refreshes)
        })
    }

    /// One refresh, its targets and its events.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn refresh_show(&self, id: RefreshId) -> Result<Option<ShownRefresh>, VmdbError> {
        let managers = self.managers()?;
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(&format!("SELECT {COLUMNS} WHERE r.id = ?1"))?;
            let found = query
                .query_row([id.0], |row| read(row, |id| managers.name(id)))
                .optional()?;
            let Some(refresh) = found else { return Ok(None) };
            let mut query = transaction.prepare_cached(
                "SELECT association, manager_ref, options, requests, first_event, last_event \
                 FROM refresh_targets WHERE refresh_id = ?1 ORDER BY association, manager_ref",
            )?;
            let mut rows = query.query([id.0])?;
            let mut requested = Vec::new();
            while let Some(row) = rows.next()? {
                requested.push(read_target(row)?);
            }
            let mut query = transaction.prepare_cached(
                "SELECT event_id FROM event_refreshes WHERE refresh_id = ?1 ORDER BY event_id LIMIT ?2",
            )?;
            let limit = i64::try_from(EVENTS_SHOWN).unwrap_or(i64::MAX);
            let events = query.query_map([id.0, limit], |row| Ok(EventId(row.get(0)?)))?;
            Ok(Some(ShownRefresh {
                refresh,
                requested,
                event_ids: events.collect::<Result<_, _>>()?,
            }))
        })
    }
}

fn read(row: &Row<'_>, name: impl Fn(EmsId) -> Arc<str>) -> rusqlite::Result<Refresh> {
    let at = |column| {
        row.get::<_, Option<i64>>(column)
            .map(|time| time.map(codec::time))
    };
    Ok(Refresh {
        id: RefreshId(row.get(0)?),
        ems: name(EmsId(row.get(1)?)),
        state: RefreshState::from_number(row.get(2)?).unwrap_or(RefreshState::Failed),
        full: row.get(3)?,
        targets: row.get(4)?,
        events: row.get(5)?,
        requested_at: codec::time(row.get(6)?),
        due: at(7)?,
        started_at: at(8)?,
        finished_at: at(9)?,
        attempts: row.get(10)?,
        error: row.get(11)?,
        progress: row.get(12)?,
        changes: row
            .get::<_, Option<String>>(13)?
            .and_then(|changes| serde_json::from_str(&changes).ok()),
        merged_into: row.get::<_, Option<i64>>(14)?.map(RefreshId),
        widened: row.get(15)?,
    })
}

fn read_target(row: &Row<'_>) -> Result<RequestedTarget, VmdbError> {
    let manager_ref: String = row.get(1)?;
    let options: Option<String> = row.get(2)?;
    let unreadable = |error| VmdbError::unreadable("a target", error);
    let mut target = Target::new(
        row.get::<_, String>(0)?,
        serde_json::from_str(&manager_ref).map_err(unreadable)?,
    );
    target.options = options
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(unreadable)?;
    Ok(RequestedTarget {
        target,
        requests: row.get(3)?,
        first_event: row.get::<_, Option<i64>>(4)?.map(EventId),
        last_event: row.get::<_, Option<i64>>(5)?.map(EventId),
    })
}
