//! What is gone: because a refresh leaves it out and thereby says so, or with its manager.

use std::collections::BTreeSet;
use std::sync::Arc;

use ahash::HashSet;
use rusqlite::Connection;
use rusqlite::params;

use crate::model::ems::EmsId;
use crate::model::inventory::Collected;
use crate::model::inventory::RefreshScope;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::inventory_rows::ObjectRow;
use crate::vmdb::inventory_rows::text;
use crate::vmdb::transaction::Transaction;

/// What came, as far as it says what is gone.
pub(crate) struct Gone {
    ems_id: EmsId,
    /// Collections that came whole: what is not among them is gone.
    whole: BTreeSet<Arc<str>>,
    /// Confirmed by the provider, and did not come: association and key.
    not_found: HashSet<(Arc<str>, String)>,
    /// Objects that were read again one by one: their parts that did not come along are gone (C105). None in a full
    /// refresh: there the parts come as collections of their own, whole or not at all.
    parents: Option<Vec<String>>,
    /// What came and was there before.
    came: HashSet<i64>,
    /// Objects with greater numbers were saved since, and are there.
    last: i64,
}

impl Gone {
    /// Before anything of the refresh is looked up or saved.
    pub(crate) fn new(
        connection: &Connection,
        ems_id: EmsId,
        scope: &RefreshScope,
        collected: &Collected,
    ) -> Result<Self, VmdbError> {
        let (whole, parents) = match scope {
            RefreshScope::Full => (collected.collections.keys().cloned().collect(), None),
            RefreshScope::Targets(targets) => {
                let whole = targets
                    .iter()
                    .filter(|target| target.manager_ref.is_whole_association())
                    .map(|target| target.association.clone())
                    .filter(|association| collected.collections.contains_key(association));
                (whole.collect(), Some(Vec::new()))
            }
        };
        let mut not_found = HashSet::default();
        for key in &collected.not_found {
            not_found.insert((
                key.association.clone(),
                codec::to_json("a key", &key.manager_ref)?,
            ));
        }
        let mut query = connection.prepare_cached("SELECT ifnull(max(id), 0) FROM inventory_objects")?;
        Ok(Self {
            ems_id,
            whole,
            not_found,
            parents,
            came: HashSet::default(),
            last: query.query_row([], |row| row.get(0))?,
        })
    }

    /// Notes an object that came, and the number of its row where it had one.
    pub(crate) fn came(&mut self, row: &ObjectRow, id: Option<i64>) {
        self.came.extend(id);
        if !self.not_found.is_empty() {
            self.not_found.remove(&(row.association.clone(), row.key.clone()));
        }
        if let Some(parents) = &mut self.parents {
            parents.push(format!("{} {}", row.association, row.key));
        }
    }

    /// The numbers of the objects that are gone, with their parts; after all that came was noted.
    pub(crate) fn find(&self, connection: &Connection) -> Result<Vec<i64>, VmdbError> {
        let mut found = BTreeSet::new();
        let mut parents = self.parents.clone().unwrap_or_default();
        for association in &self.whole {
            let mut query = connection.prepare_cached(
                "SELECT id, manager_ref FROM inventory_objects \
                 WHERE ems_id = ?1 AND association = ?2 AND archived_on IS NULL",
            )?;
            let mut rows = query.query(params![self.ems_id.0, association])?;
            while let Some(row) = rows.next()? {
                let id = row.get(0)?;
                if !self.is_here(id) && found.insert(id) {
                    parents.push(format!("{association} {}", text(row, 1)?));
                }
            }
        }
        for (association, key) in &self.not_found {
            found.extend(present(connection, self.ems_id, association, key)?);
            parents.push(format!("{association} {key}"));
        }
        let mut query = connection.prepare_cached(
            "SELECT id, association, manager_ref FROM inventory_objects \
             WHERE ems_id = ?1 AND parent = ?2 AND archived_on IS NULL",
        )?;
        while let Some(parent) = parents.pop() {
            let mut rows = query.query(params![self.ems_id.0, parent])?;
            while let Some(row) = rows.next()? {
                let id = row.get(0)?;
                if !self.is_here(id) && found.insert(id) {
                    parents.push(format!("{} {}", text(row, 1)?, text(row, 2)?));
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    fn is_here(&self, id: i64) -> bool {
        self.last < id || self.came.contains(&id)
    }
}

/// The number of the object with this key, where it is there and not archived.
pub(crate) fn present(
    connection: &Connection,
    ems_id: EmsId,
    association: &str,
    key: &str,
) -> Result<Option<i64>, VmdbError> {
    let mut query = connection.prepare_cached(
        "SELECT id FROM inventory_objects \
         WHERE ems_id = ?1 AND association = ?2 AND manager_ref = ?3 AND archived_on IS NULL",
    )?;
    let mut rows = query.query(params![ems_id.0, association, key])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
}

/// Archives all that a manager has, since it was removed.
pub(crate) fn archive_all(transaction: &Transaction<'_>, ems_id: EmsId) -> Result<(), VmdbError> {
    let now = transaction.now.as_microsecond();
    transaction.execute(
        "INSERT INTO inventory_history (object_id, refresh_id, changed_at, change, before, after) \
         SELECT id, NULL, ?2, 'archived', attributes, NULL FROM inventory_objects \
         WHERE ems_id = ?1 AND archived_on IS NULL",
        params![ems_id.0, now],
    )?;
    transaction.execute(
        "UPDATE inventory_objects SET archived_on = ?2, updated_at = ?2 \
         WHERE ems_id = ?1 AND archived_on IS NULL",
        params![ems_id.0, now],
    )?;
    Ok(())
}

/// Whether this manager never had an object.
pub(crate) fn has_none(connection: &Connection, ems_id: EmsId) -> Result<bool, VmdbError> {
    let mut query = connection.prepare_cached("SELECT 1 FROM inventory_objects WHERE ems_id = ?1 LIMIT 1")?;
    Ok(!query.exists([ems_id.0])?)
}
