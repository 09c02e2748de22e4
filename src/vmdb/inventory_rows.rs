//! Rows of inventory_objects and inventory_history: one object is saved or archived, and what changed is kept.

use std::ops::AddAssign;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::params;
use serde::Deserialize;
use serde::Serialize;

use crate::model::ems::EmsId;
use crate::model::event::EventId;
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

    /// What the database has in its place.
    pub(crate) fn look(&self, connection: &Connection) -> Result<Option<Known>, VmdbError> {
        let mut query = connection.prepare_cached(
            "SELECT id, attributes, archived_on IS NOT NULL, parent IS ?4 FROM inventory_objects \
             WHERE ems_id = ?1 AND association = ?2 AND manager_ref = ?3",
        )?;
        let mut rows = query.query(params![self.ems_id.0, self.association, self.key, self.parent])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let has_these_attributes = text(row, 1)? == self.attributes;
        Ok(Some(Known {
            id: row.get(0)?,
            is_archived: row.get(2)?,
            has_this_parent: row.get(3)?,
            other_attributes: (!has_these_attributes).then(|| row.get(1)).transpose()?,
        }))
    }

    /// Saves it, unless it is there as it is.
    pub(crate) fn save(
        &self,
        transaction: &Transaction<'_>,
        refresh: Option<RefreshId>,
        changes: &mut InventoryChanges,
    ) -> Result<(), VmdbError> {
        let known = self.look(transaction.connection)?;
        if self.save_over(transaction, refresh, known.as_ref(), changes)? {
            return Ok(());
        }
        // Within one transaction it cannot be.
        Err(VmdbError::unavailable(format!(
            "{} {} changed while it was saved",
            self.association, self.key
        )))
    }

    /// The same where it was looked up before the transaction; somebody else may have saved it meanwhile.
    pub(crate) fn save_as_known(
        &self,
        transaction: &Transaction<'_>,
        refresh: Option<RefreshId>,
        known: Option<&Known>,
        changes: &mut InventoryChanges,
    ) -> Result<(), VmdbError> {
        if self.save_over(transaction, refresh, known, changes)? {
            return Ok(());
        }
        self.save(transaction, refresh, changes)
    }

    /// Saves it where the database still has what is `known` to be in its place; says whether it has.
    fn save_over(
        &self,
        transaction: &Transaction<'_>,
        refresh: Option<RefreshId>,
        known: Option<&Known>,
        changes: &mut InventoryChanges,
    ) -> Result<bool, VmdbError> {
        let Some(known) = known else {
            let Some(id) = self.insert(transaction)? else {
                return Ok(false);
            };
            self.link_late(transaction, id)?;
            changes.created += 1;
            history(
                transaction,
                id,
                Reason::Refresh(refresh),
                "created",
                None,
                Some(&self.attributes),
            )?;
            return Ok(true);
        };
        if known.is_same() {
            changes.unchanged += 1;
            return Ok(true);
        }
        let before = known.other_attributes.as_deref().unwrap_or(&self.attributes);
        if !self.update(transaction, known, before)? {
            return Ok(false);
        }
        let change = if known.is_archived {
            self.link_late(transaction, known.id)?;
            changes.created += 1;
            "created"
        } else if known.other_attributes.is_some() {
            changes.updated += 1;
            "updated"
        } else {
            changes.unchanged += 1;
            return Ok(true);
        };
        let after = Some(&*self.attributes);
        history(
            transaction,
            known.id,
            Reason::Refresh(refresh),
            change,
            Some(before),
            after,
        )?;
        Ok(true)
    }

    /// Its number, unless there is one with its key.
    fn insert(&self, transaction: &Transaction<'_>) -> Result<Option<i64>, VmdbError> {
        let inserted = transaction.execute(
            "INSERT INTO inventory_objects \
             (ems_id, association, manager_ref, name, uid_ems, parent, attributes, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) ON CONFLICT (ems_id, association, manager_ref) DO NOTHING",
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
        Ok((0 < inserted).then(|| transaction.connection.last_insert_rowid()))
    }

    /// Says whether the row was as it is known.
    fn update(&self, transaction: &Transaction<'_>, known: &Known, before: &str) -> Result<bool, VmdbError> {
        let updated = transaction.execute(
            "UPDATE inventory_objects SET name = ?2, uid_ems = ?3, parent = ?4, attributes = ?5, \
             updated_at = ?6, archived_on = NULL \
             WHERE id = ?1 AND attributes = ?7 AND (archived_on IS NOT NULL) = ?8",
            params![
                known.id,
                self.name,
                self.uid_ems,
                self.parent,
                self.attributes,
                transaction.now.as_microsecond(),
                before,
                known.is_archived,
            ],
        )?;
        Ok(0 < updated)
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

/// A row that is in an object's place.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) id: i64,
    is_archived: bool,
    has_this_parent: bool,
    /// Set: its attributes are others.
    other_attributes: Option<String>,
}

impl Known {
    /// Whether there is nothing to write.
    pub(crate) fn is_same(&self) -> bool {
        self.has_this_parent && !self.is_archived && self.other_attributes.is_none()
    }
}

/// How a child's row names its parent.
fn parent_key(parent: &ObjectKey) -> Result<String, VmdbError> {
    let key = codec::to_json("a key", &parent.manager_ref)?;
    Ok(format!("{} {key}", parent.association))
}

/// The text of a column, not copied.
pub(crate) fn text<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(column)?.as_str()?)
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
        history(
            transaction,
            id,
            Reason::Refresh(refresh),
            "archived",
            Some(before),
            None,
        )?;
    }
    Ok(before.is_some())
}

/// The reason for a change of an object.
#[derive(Clone, Copy)]
pub(crate) enum Reason {
    /// A refresh found it; none if nobody asked for one.
    Refresh(Option<RefreshId>),
    /// An event brought it.
    Event(EventId),
}

/// Adds a change to the history of an object.
pub(crate) fn history(
    transaction: &Transaction<'_>,
    id: i64,
    reason: Reason,
    change: &str,
    before: Option<&str>,
    after: Option<&str>,
) -> Result<(), VmdbError> {
    let (refresh, event) = match reason {
        Reason::Refresh(refresh) => (refresh, None),
        Reason::Event(event) => (None, Some(event)),
    };
    transaction.execute(
        "INSERT INTO inventory_history (object_id, refresh_id, event_id, changed_at, change, before, after) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            id,
            refresh.map(|refresh| refresh.0),
            event.map(|event| event.0),
            transaction.now.as_microsecond(),
            change,
            before,
            after
        ],
    )?;
    Ok(())
}
