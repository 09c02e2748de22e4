//! inventory_history for pages: what a refresh changed, and because of which event an object changed.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;
use serde::Serialize;

use crate::model::event::EventId;
use crate::vmdb::ListedObject;
use crate::vmdb::ObjectChange;
use crate::vmdb::RefreshId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::inventory_list::COLUMNS;
use crate::vmdb::inventory_list::change;
use crate::vmdb::inventory_list::object;

/// Why a refresh looked at an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum ChangeCause {
    /// Events asked for the object, or for the one that it is a part of; or an event brought the change itself.
    Event {
        /// The first of them.
        event: EventId,
        /// Its type; none where it was purged.
        event_type: Option<String>,
        /// How often it was asked for.
        requests: u64,
    },
    /// The whole manager was read, and why.
    Full {
        /// As the refresh says.
        reason: String,
    },
    /// It came along with something else that was read.
    Along,
    /// Nothing is known of the refresh any more, or there was none.
    Unknown,
}

/// One change of an object with why it was found.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedChange {
    /// The change.
    #[serde(flatten)]
    pub change: ObjectChange,
    /// Why the refresh looked there.
    #[serde(flatten)]
    pub cause: ChangeCause,
}

/// One change with its object.
#[derive(Clone, Debug, Serialize)]
pub struct FoundChange {
    /// What changed.
    pub object: ListedObject,
    /// How.
    #[serde(flatten)]
    pub change: ObjectChange,
}

impl Vmdb {
    /// The changes of one object, the last first, each with its cause; `before` as in [`Vmdb::inventory_history`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn inventory_explained(
        &self,
        object: i64,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<ExplainedChange>, VmdbError> {
        let changes = self.inventory_history(object, before, limit)?;
        self.read(|transaction| {
            let mut known: BTreeMap<RefreshId, ChangeCause> = BTreeMap::new();
            let mut explained = Vec::with_capacity(changes.len());
            for change in changes {
                let cause = match (change.refresh, change.event) {
                    (None, Some(event)) => said_by(transaction, event)?,
                    (None, None) => ChangeCause::Unknown,
                    (Some(refresh), _) => match known.get(&refresh) {
                        Some(cause) => cause.clone(),
                        None => {
                            let cause = cause(transaction, refresh, object)?;
                            known.insert(refresh, cause.clone());
                            cause
                        }
                    },
                };
                explained.push(ExplainedChange { change, cause });
            }
            Ok(explained)
        })
    }

    /// How many changes of an object are kept.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn inventory_history_count(&self, object: i64) -> Result<u64, VmdbError> {
        self.read(|transaction| {
            let mut query =
                transaction.prepare_cached("SELECT count(*) FROM inventory_history WHERE object_id = ?1")?;
            Ok(query.query_row([object], |row| row.get(0))?)
        })
    }

    /// What refreshes changed, in order, not more than `limit` changes; and how many there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn refresh_changes(
        &self,
        refreshes: &[RefreshId],
        limit: usize,
    ) -> Result<(Vec<FoundChange>, u64), VmdbError> {
        let managers = self.managers()?;
        self.read(|transaction| {
            let mut objects = transaction
                .prepare_cached(&format!("SELECT {COLUMNS} FROM inventory_objects WHERE id = ?1"))?;
            let mut history = transaction.prepare_cached(
                "SELECT id, refresh_id, changed_at, change, before, after, event_id, object_id FROM inventory_history \
                 WHERE refresh_id = ?1 ORDER BY id LIMIT ?2",
            )?;
            let mut count =
                transaction.prepare_cached("SELECT count(*) FROM inventory_history WHERE refresh_id = ?1")?;
            let (mut found, mut total) = (Vec::new(), 0_u64);
            for refresh in refreshes {
                total += count.query_row([refresh.0], |row| row.get::<_, u64>(0))?;
                let room = i64::try_from(limit.saturating_sub(found.len())).unwrap_or(i64::MAX);
                let mut rows = history.query(params![refresh.0, room])?;
                while let Some(row) = rows.next()? {
                    let of: i64 = row.get(7)?;
                    let one = objects.query_row([of], |row| Ok(object(row, &managers)));
                    if let Some(object) = one.optional()?.transpose()? {
                        let change = change(row)?;
                        found.push(FoundChange { object, change });
                    }
                }
            }
            Ok((found, total))
        })
    }
}

/// An event that brought the change itself.
fn said_by(connection: &Connection, event: EventId) -> Result<ChangeCause, VmdbError> {
    let mut query = connection.prepare_cached("SELECT event_type FROM event_streams WHERE id = ?1")?;
    let event_type = query.query_row([event.0], |row| row.get(0)).optional()?;
    Ok(ChangeCause::Event {
        event,
        event_type,
        requests: 1,
    })
}

/// Why a refresh looked at an object: it was a target, or what it is a part of was.
fn cause(connection: &Connection, refresh: RefreshId, object: i64) -> Result<ChangeCause, VmdbError> {
    let mut query =
        connection.prepare_cached("SELECT ifnull(full_reason, widened) FROM refresh_queue WHERE id = ?1")?;
    let found = query.query_row([refresh.0], |row| row.get::<_, Option<String>>(0));
    let Some(full) = found.optional()? else {
        return Ok(ChangeCause::Unknown);
    };
    // An empty key asks for the whole association.
    let mut query = connection.prepare_cached(
        "SELECT t.first_event, e.event_type, t.requests FROM inventory_objects o \
         JOIN refresh_targets t ON t.refresh_id = ?1 AND (t.association || ' ' || t.manager_ref IN \
         (o.association || ' ' || o.manager_ref, o.association || ' {}', o.parent)) \
         LEFT JOIN event_streams e ON e.id = t.first_event \
         WHERE o.id = ?2 AND t.first_event IS NOT NULL ORDER BY t.id LIMIT 1",
    )?;
    let asked = query.query_row(params![refresh.0, object], |row| {
        Ok(ChangeCause::Event {
            event: EventId(row.get(0)?),
            event_type: row.get(1)?,
            requests: row.get(2)?,
        })
    });
    Ok(match (asked.optional()?, full) {
        (Some(event), _) => event,
        (None, Some(reason)) => ChangeCause::Full { reason },
        (None, None) => ChangeCause::Along,
    })
}
