//! Rows of inventory_objects and inventory_history: one object is saved or archived, and what changed is kept.

use std::ops::AddAssign;
use std::sync::Arc;

use rusqlite::params;
use serde::Deserialize;
use serde::Serialize;

use crate::model::ems::EmsId;
use crate::model::inventory::CollectedObject;
use crate::model::inventory::InventoryObject;
use crate::model::inventory::ObjectKey;
use crate::model::target::ManagerRef;
use crate::vmdb::RefreshId;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::event_refs;
use crate::vmdb::transaction::Transaction;

/// What saving changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

impl AddAssign for InventoryChanges {
    fn add_assign(&mut self, other: Self) {
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.archived += other.archived;
    }
}

/// An object in the form of its row.
#[derive(Clone, Debug)]
pub(crate) struct ObjectRow {
    pub(crate) ems_id: EmsId,
    pub(crate) association: Arc<str>,
    manager_ref: ManagerRef,
    pub(crate) key: String,
    name: Option<String>,
    uid_ems: Option<String>,
    parent: Option<String>,
    attributes: String,
}

impl ObjectRow {
    /// The row of an object that a collector brought.
    pub(crate) fn collected(
        ems_id: EmsId,
        association: &Arc<str>,
        object: &CollectedObject,
    ) -> Result<Self, VmdbError> {
        let text = |name: &str| Some(object.attributes.get(name)?.as_str()?.to_owned());
        Ok(Self {
            ems_id,
            association: association.clone(),
            manager_ref: object.manager_ref.clone(),
            key: codec::to_json("a key", &object.manager_ref)?,
            name: text("name"),
            uid_ems: text("uid_ems"),
            parent: object.parent.as_ref().map(parent_key).transpose()?,
            attributes: codec::to_json("attributes", &object.attributes)?,
        })
    }

    /// The row of an object that stands by itself.
    pub(crate) fn of(object: InventoryObject) -> Result<Self, VmdbError> {
        let collected = CollectedObject {
            manager_ref: object.manager_ref,
            parent: None,
            attributes: object.attributes,
        };
        Self::collected(object.ems_id, &object.association, &collected)
    }

    /// Saves it, unless it is there as it is.
    pub(crate) fn save(
        &self,
        transaction: &Transaction<'_>,
        refresh: Option<RefreshId>,
        changes: &mut InventoryChanges,
    ) -> Result<(), VmdbError> {
        let known = transaction.first(
            "SELECT id, attributes, archived_on IS NOT NULL, parent IS ?4 FROM inventory_objects \
             WHERE ems_id = ?1 AND association = ?2 AND manager_ref = ?3",
            params![self.ems_id.0, self.association, self.key, self.parent],
            |row| {
                Ok(Known {
                    id: row.get(0)?,
                    attributes: row.get(1)?,
                    is_archived: row.get(2)?,
                    has_this_parent: row.get(3)?,
                })
            },
        )?;
        match known {
            None => {
                let id = self.insert(transaction)?;
                self.link_late(transaction, id)?;
                changes.created += 1;
                history(transaction, id, refresh, "created", None, Some(&self.attributes))
            }
            Some(known) if known.attributes == self.attributes && !known.is_archived => {
                changes.unchanged += 1;
                if known.has_this_parent {
                    Ok(())
                } else {
                    self.update(transaction, known.id)
                }
            }
            Some(known) => {
                self.update(transaction, known.id)?;
                let change = if known.is_archived {
                    self.link_late(transaction, known.id)?;
                    changes.created += 1;
                    "created"
                } else {
                    changes.updated += 1;
                    "updated"
                };
                let before = Some(&*known.attributes);
                history(
                    transaction,
                    known.id,
                    refresh,
                    change,
                    before,
                    Some(&self.attributes),
                )
            }
        }
    }

    fn insert(&self, transaction: &Transaction<'_>) -> Result<i64, VmdbError> {
        transaction.execute(
            "INSERT INTO inventory_objects \
             (ems_id, association, manager_ref, name, uid_ems, parent, attributes, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
            params![
                self.ems_id.0,
                self.association,
                self.key,
                self.name,
                self.uid_ems,
                self.parent,
                self.attributes,
                transaction.now.as_microsecond(),
            ],
        )?;
        Ok(transaction.connection.last_insert_rowid())
    }

    fn update(&self, transaction: &Transaction<'_>, id: i64) -> Result<(), VmdbError> {
        transaction.execute(
            "UPDATE inventory_objects SET name = ?2, uid_ems = ?3, parent = ?4, attributes = ?5, \
             updated_at = ?6, archived_on = NULL WHERE id = ?1",
            params![
                id,
                self.name,
                self.uid_ems,
                self.parent,
                self.attributes,
                transaction.now.as_microsecond(),
            ],
        )?;
        Ok(())
    }

    fn link_late(&self, transaction: &Transaction<'_>, id: i64) -> Result<(), VmdbError> {
        let object = event_refs::Object {
            ems_id: self.ems_id,
            association: &self.association,
            manager_ref: &self.manager_ref,
            id,
            name: self.name.as_deref(),
        };
        event_refs::link_late(transaction, &object)
    }
}

struct Known {
    id: i64,
    attributes: String,
    is_archived: bool,
    has_this_parent: bool,
}

/// How a child's row names its parent.
pub(crate) fn parent_key(parent: &ObjectKey) -> Result<String, VmdbError> {
    let key = codec::to_json("a key", &parent.manager_ref)?;
    Ok(format!("{} {key}", parent.association))
}

/// Archives an object; says whether it was there.
pub(crate) fn archive(
    transaction: &Transaction<'_>,
    refresh: Option<RefreshId>,
    id: i64,
) -> Result<bool, VmdbError> {
    let now = transaction.now.as_microsecond();
    let before = transaction.first(
        "UPDATE inventory_objects SET archived_on = ?2, updated_at = ?2 \
         WHERE id = ?1 AND archived_on IS NULL RETURNING attributes",
        params![id, now],
        |row| row.get::<_, String>(0),
    )?;
    if let Some(before) = &before {
        history(transaction, id, refresh, "archived", Some(before), None)?;
    }
    Ok(before.is_some())
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
