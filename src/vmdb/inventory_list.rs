//! The inventory for pages: objects of one association, and what became of one object over time.

use std::sync::Arc;

use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;
use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::model::event::EventId;
use crate::model::json;
use crate::model::target::ManagerRef;
use crate::vmdb::RefreshId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::ems_names::Managers;
use crate::vmdb::event_selection::like;

/// Which objects are wanted.
#[derive(Clone, Debug, Default)]
pub struct InventoryFilter {
    /// The collection: `vms`, `hosts`, ...
    pub association: String,
    /// Of this manager only.
    pub ems_id: Option<EmsId>,
    /// Also those that are there no more.
    pub with_archived: bool,
    /// With this text in its name or its key.
    pub q: Option<String>,
    /// With a greater number: the next page.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// One object.
#[derive(Clone, Debug, Serialize)]
pub struct ListedObject {
    /// Its number.
    pub id: i64,
    /// The name of its manager.
    pub ems: Arc<str>,
    /// The collection it belongs to.
    pub association: String,
    /// Its key in that collection.
    pub manager_ref: json::Value,
    /// Its attributes as they are now, or were at last.
    pub attributes: json::Value,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// When it was found gone.
    pub archived_on: Option<Timestamp>,
}

impl ListedObject {
    /// What names it within its association, as [`ManagerRef::reference`] says it.
    pub fn reference(&self) -> String {
        let key = json::from_value::<ManagerRef>(&self.manager_ref);
        key.map_or_else(|_odd| self.manager_ref.to_string(), |key| key.reference())
    }

    /// What people call it: its `name`, or else what names it within its association.
    pub fn name(&self) -> String {
        let name = self.attributes.get("name").and_then(json::Value::as_str);
        let name = name.filter(|name| !name.trim().is_empty());
        name.map_or_else(|| self.reference(), str::to_owned)
    }
}

/// One change of an object.
#[derive(Clone, Debug, Serialize)]
pub struct ObjectChange {
    /// Its number.
    pub id: i64,
    /// The refresh that found it.
    pub refresh: Option<RefreshId>,
    /// The event that brought it, if it was no refresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
    /// When.
    pub changed_at: Timestamp,
    /// `created`, `updated` or `archived`.
    pub change: String,
    /// The attributes before it.
    pub before: Option<json::Value>,
    /// The attributes after it.
    pub after: Option<json::Value>,
}

/// What [`object`] reads.
pub(crate) const COLUMNS: &str =
    "id, ems_id, association, manager_ref, attributes, created_at, updated_at, archived_on";

/// What a filter wants, whatever the page.
const WANTED: &str = "FROM inventory_objects INDEXED BY inventory_associations \
     WHERE association = ?1 AND (?2 IS NULL OR ems_id = ?2) AND (?3 OR archived_on IS NULL) \
     AND (?4 IS NULL OR name LIKE ?4 ESCAPE '\\' OR manager_ref LIKE ?4 ESCAPE '\\')";

impl InventoryFilter {
    fn pattern(&self) -> Option<String> {
        let text = self.q.as_deref().filter(|text| !text.is_empty())?;
        Some(format!("%{}%", like(text)))
    }
}

impl Vmdb {
    /// Objects in the order of their numbers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn inventory_list(&self, filter: &InventoryFilter) -> Result<Vec<ListedObject>, VmdbError> {
        let managers = self.managers()?;
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(&format!(
                "SELECT {COLUMNS} {WANTED} AND id > ?5 ORDER BY id LIMIT ?6"
            ))?;
            let limit = filter.limit.and_then(|limit| i64::try_from(limit).ok());
            let mut rows = query.query(params![
                filter.association,
                filter.ems_id.map(|id| id.0),
                filter.with_archived,
                filter.pattern(),
                filter.after.unwrap_or(0),
                limit.unwrap_or(-1),
            ])?;
            let mut objects = Vec::new();
            while let Some(row) = rows.next()? {
                objects.push(object(row, &managers)?);
            }
            Ok(objects)
        })
    }

    /// How many objects a filter wants on all its pages.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn inventory_count(&self, filter: &InventoryFilter) -> Result<u64, VmdbError> {
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(&format!("SELECT count(*) {WANTED}"))?;
            let parameters = params![
                filter.association,
                filter.ems_id.map(|id| id.0),
                filter.with_archived,
                filter.pattern(),
            ];
            Ok(query.query_row(parameters, |row| row.get(0))?)
        })
    }

    /// One object of an association, archived or not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn inventory_show(&self, association: &str, id: i64) -> Result<Option<ListedObject>, VmdbError> {
        let managers = self.managers()?;
        self.read(|transaction| {
            let sql = format!("SELECT {COLUMNS} FROM inventory_objects WHERE id = ?1 AND association = ?2");
            let mut query = transaction.prepare_cached(&sql)?;
            let found = query.query_row(params![id, association], |row| Ok(object(row, &managers)));
            found.optional()?.transpose()
        })
    }

    /// The changes of one object, the last first; `before` is the number of the last one of the page before.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn inventory_history(
        &self,
        object: i64,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<ObjectChange>, VmdbError> {
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(
                "SELECT id, refresh_id, changed_at, change, before, after, event_id FROM inventory_history \
                 WHERE object_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
            )?;
            let limit = i64::try_from(limit).unwrap_or(-1);
            let mut rows = query.query([object, before.unwrap_or(i64::MAX), limit])?;
            let mut changes = Vec::new();
            while let Some(row) = rows.next()? {
                changes.push(change(row)?);
            }
            Ok(changes)
        })
    }

    /// The associations that the inventory has, or had, objects of.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn inventory_associations(&self) -> Result<Vec<String>, VmdbError> {
        self.read(|transaction| {
            // From one association to the next along the index, however many objects each has.
            let mut query = transaction.prepare_cached(
                "WITH RECURSIVE found(one) AS ( \
                 SELECT min(association) FROM inventory_objects UNION ALL \
                 SELECT (SELECT min(association) FROM inventory_objects WHERE association > found.one) \
                 FROM found WHERE found.one IS NOT NULL) SELECT one FROM found WHERE one IS NOT NULL",
            )?;
            let rows = query.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// Reads a row of [`COLUMNS`].
pub(crate) fn object(row: &Row<'_>, managers: &Managers) -> Result<ListedObject, VmdbError> {
    let id = row.get(0)?;
    let unreadable = |error| VmdbError::unreadable(format!("inventory object {id}"), error);
    let json = |column: usize| -> Result<json::Value, VmdbError> {
        json::read(&row.get::<_, String>(column)?).map_err(unreadable)
    };
    Ok(ListedObject {
        id,
        ems: managers.name(EmsId(row.get(1)?)),
        association: row.get(2)?,
        manager_ref: json(3)?,
        attributes: json(4)?,
        created_at: codec::time(row.get(5)?),
        updated_at: codec::time(row.get(6)?),
        archived_on: row.get::<_, Option<i64>>(7)?.map(codec::time),
    })
}

/// Reads a row of inventory_history.
pub(crate) fn change(row: &Row<'_>) -> Result<ObjectChange, VmdbError> {
    let id = row.get(0)?;
    let json = |column: usize| -> Result<Option<json::Value>, VmdbError> {
        let text: Option<String> = row.get(column)?;
        let read = text.map(|text| json::read(&text)).transpose();
        read.map_err(|error| VmdbError::unreadable(format!("change {id} of an inventory object"), error))
    };
    Ok(ObjectChange {
        id,
        refresh: row.get::<_, Option<i64>>(1)?.map(RefreshId),
        changed_at: codec::time(row.get(2)?),
        change: row.get(3)?,
        before: json(4)?,
        after: json(5)?,
        event: row.get::<_, Option<i64>>(6)?.map(EventId),
    })
}
