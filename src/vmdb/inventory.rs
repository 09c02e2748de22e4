//! inventory_objects, inventory_history: what the managers have, found by association and key.

use std::sync::Arc;

use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;

use crate::model::ems::EmsId;
use crate::model::inventory::InventoryObject;
use crate::model::target::ManagerRef;
use crate::vmdb::RefreshId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::event_refs;
use crate::vmdb::request::Request;
use crate::vmdb::transaction::Transaction;

const COLUMNS: &str = "id, ems_id, association, manager_ref, attributes";

/// What saving changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InventoryChanges {
    /// Objects that were not there, or archived.
    pub created: usize,
    /// Objects with other attributes than before.
    pub updated: usize,
    /// Objects that were as they are.
    pub unchanged: usize,
    /// Objects that are there no more.
    pub archived: usize,
}

/// The inventory at one moment.
#[derive(Debug)]
pub struct InventoryView<'a> {
    transaction: &'a rusqlite::Transaction<'a>,
    version: u64,
}

impl InventoryView<'_> {
    /// Which inventory it is: goes with what is committed after this look, which may miss what came since.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The object of this manager with this key, in the first of `associations` that has it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn by_ref(
        &self,
        ems_id: EmsId,
        associations: &[&str],
        manager_ref: &ManagerRef,
    ) -> Result<Option<InventoryObject>, VmdbError> {
        let key = codec::to_json("a key", manager_ref)?;
        for association in associations {
            let mut query = self.transaction.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM inventory_objects \
                 WHERE ems_id = ?1 AND association = ?2 AND manager_ref = ?3 AND archived_on IS NULL"
            ))?;
            let found = query
                .query_row(params![ems_id.0, association, key], read)
                .optional()?;
            if let Some(object) = found {
                return object.map(Some);
            }
        }
        Ok(None)
    }

    /// Every object of this manager with this `uid_ems`, archived ones where they are asked for.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn by_uid(
        &self,
        ems_id: EmsId,
        associations: &[&str],
        uid: &str,
        are_archived: bool,
    ) -> Result<Vec<InventoryObject>, VmdbError> {
        let mut objects = Vec::new();
        for association in associations {
            let mut query = self.transaction.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM inventory_objects \
                 WHERE ems_id = ?1 AND association = ?2 AND uid_ems = ?3 AND (archived_on IS NOT NULL) = ?4"
            ))?;
            let mut rows = query.query(params![ems_id.0, association, uid, are_archived])?;
            while let Some(row) = rows.next()? {
                objects.push(read(row)??);
            }
        }
        Ok(objects)
    }

    /// The object with this number, archived or not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn by_id(&self, id: i64) -> Result<Option<InventoryObject>, VmdbError> {
        let sql = format!("SELECT {COLUMNS} FROM inventory_objects WHERE id = ?1");
        let mut query = self.transaction.prepare_cached(&sql)?;
        query.query_row([id], read).optional()?.transpose()
    }

    /// The objects of an association that are not archived, of one manager or of all, by number.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn all(&self, ems_id: Option<EmsId>, association: &str) -> Result<Vec<InventoryObject>, VmdbError> {
        let mut query = self.transaction.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM inventory_objects \
             WHERE (?1 IS NULL OR ems_id = ?1) AND association = ?2 AND archived_on IS NULL ORDER BY id"
        ))?;
        let mut rows = query.query(params![ems_id.map(|id| id.0), association])?;
        let mut objects = Vec::new();
        while let Some(row) = rows.next()? {
            objects.push(read(row)??);
        }
        Ok(objects)
    }
}

impl Vmdb {
    /// Looks into the inventory: many look-ups, one state of it.
    ///
    /// # Errors
    /// When the database cannot be read, or as `look` says.
    pub fn with_inventory<T>(
        &self,
        look: impl FnOnce(&InventoryView<'_>) -> Result<T, VmdbError>,
    ) -> Result<T, VmdbError> {
        let version = self.shared().inventory_version();
        self.read(|transaction| look(&InventoryView { transaction, version }))
    }

    /// Saves objects by their keys; what changed gets a row of history. Their `id`s are not looked at.
    pub fn inventory_save(
        &self,
        refresh: Option<RefreshId>,
        objects: Vec<InventoryObject>,
    ) -> Request<InventoryChanges> {
        let (before, after) = (self.shared().clone(), self.shared().clone());
        let weight = objects.len();
        let work = move |transaction: &mut Transaction<'_>| {
            before.objects_are_created();
            let mut changes = InventoryChanges::default();
            for object in &objects {
                save(transaction, refresh, object, &mut changes)?;
            }
            Ok(changes)
        };
        self.request_with(weight, work, move |_| after.objects_are_created())
    }

    /// Archives the object with this key, if it is there.
    pub fn inventory_archive(
        &self,
        refresh: Option<RefreshId>,
        ems_id: EmsId,
        association: Arc<str>,
        manager_ref: ManagerRef,
    ) -> Request<InventoryChanges> {
        self.request(1, move |transaction| {
            let now = transaction.now.as_microsecond();
            let archived = transaction.first(
                "UPDATE inventory_objects SET archived_on = ?4, updated_at = ?4 \
                 WHERE ems_id = ?1 AND association = ?2 AND manager_ref = ?3 AND archived_on IS NULL \
                 RETURNING id, attributes",
                params![ems_id.0, association, codec::to_json("a key", &manager_ref)?, now],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)),
            )?;
            let mut changes = InventoryChanges::default();
            if let Some((id, before)) = archived {
                changes.archived += 1;
                history(transaction, id, refresh, "archived", Some(&before), None)?;
            }
            Ok(changes)
        })
    }
}

fn save(
    transaction: &Transaction<'_>,
    refresh: Option<RefreshId>,
    object: &InventoryObject,
    changes: &mut InventoryChanges,
) -> Result<(), VmdbError> {
    let key = codec::to_json("a key", &object.manager_ref)?;
    let after = codec::to_json("attributes", &object.attributes)?;
    let text = |name: &str| object.attributes.get(name).and_then(|value| value.as_str());
    let known = transaction.first(
        "SELECT id, attributes, archived_on IS NOT NULL FROM inventory_objects \
         WHERE ems_id = ?1 AND association = ?2 AND manager_ref = ?3",
        params![object.ems_id.0, object.association, key],
        |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, bool>(2)?,
            ))
        },
    )?;
    let now = transaction.now.as_microsecond();
    let Some((id, before, is_archived)) = known else {
        transaction.execute(
            "INSERT INTO inventory_objects \
             (ems_id, association, manager_ref, name, uid_ems, attributes, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
            params![
                object.ems_id.0,
                object.association,
                key,
                text("name"),
                text("uid_ems"),
                after,
                now
            ],
        )?;
        changes.created += 1;
        let id = transaction.connection.last_insert_rowid();
        event_refs::link_late(transaction, object, id)?;
        return history(transaction, id, refresh, "created", None, Some(&after));
    };
    if before == after && !is_archived {
        changes.unchanged += 1;
        return Ok(());
    }
    transaction.execute(
        "UPDATE inventory_objects SET name = ?2, uid_ems = ?3, attributes = ?4, updated_at = ?5, \
         archived_on = NULL WHERE id = ?1",
        params![id, text("name"), text("uid_ems"), after, now],
    )?;
    if is_archived {
        event_refs::link_late(transaction, object, id)?;
    }
    let change = if is_archived { "created" } else { "updated" };
    *(if is_archived {
        &mut changes.created
    } else {
        &mut changes.updated
    }) += 1;
    history(transaction, id, refresh, change, Some(&before), Some(&after))
}

fn history(
    transaction: &Transaction<'_>,
    id: i64,
    refresh: Option<RefreshId>,
    change: &str,
    before: Option<&str>,
    after: Option<&str>,
) -> Result<(), VmdbError> {
    transaction.execute(
        "INSERT INTO inventory_history (object_id, refresh_id, changed_at, change, before, after) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            id,
            refresh.map(|refresh| refresh.0),
            transaction.now.as_microsecond(),
            change,
            before,
            after
        ],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Result<InventoryObject, VmdbError>> {
    let id: i64 = row.get(0)?;
    let (key, attributes): (String, String) = (row.get(3)?, row.get(4)?);
    let parts = serde_json::from_str(&key).and_then(|key| Ok((key, serde_json::from_str(&attributes)?)));
    let (ems_id, association) = (EmsId(row.get(1)?), row.get::<_, String>(2)?);
    Ok(match parts {
        Ok((manager_ref, attributes)) => Ok(InventoryObject {
            id,
            ems_id,
            association: association.into(),
            manager_ref,
            attributes,
        }),
        Err(error) => Err(VmdbError::unreadable(format!("inventory object {id}"), error)),
    })
}
