//! Saves what a refresh brought: objects created, updated and archived, and the refresh done with them.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::params;

use crate::model::ems::EmsId;
use crate::model::inventory::Collected;
use crate::model::inventory::InventoryObject;
use crate::model::inventory::ObjectKey;
use crate::model::inventory::RefreshScope;
use crate::model::target::ManagerRef;
use crate::model::target::Target;
use crate::vmdb::RefreshId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::inventory_rows;
use crate::vmdb::inventory_rows::InventoryChanges;
use crate::vmdb::inventory_rows::ObjectRow;
use crate::vmdb::inventory_rows::parent_key;
use crate::vmdb::refresh_run;
use crate::vmdb::request::Request;
use crate::vmdb::transaction::Transaction;

/// So many objects go into one commit, so that events need not wait long for theirs.
const CHUNK: usize = 1_000;

impl Vmdb {
    /// Saves objects by their keys; what changed gets a row of history. Their `id`s are not looked at.
    pub fn inventory_save(
        &self,
        refresh: Option<RefreshId>,
        objects: Vec<InventoryObject>,
    ) -> Request<InventoryChanges> {
        match objects.into_iter().map(ObjectRow::of).collect() {
            Ok(rows) => self.save_rows(refresh, rows),
            Err(error) => self.refused_request(error),
        }
    }

    /// Archives the object with this key, if it is there.
    pub fn inventory_archive(
        &self,
        refresh: Option<RefreshId>,
        ems_id: EmsId,
        association: Arc<str>,
        manager_ref: ManagerRef,
    ) -> Request<InventoryChanges> {
        let key = ObjectKey {
            association,
            manager_ref,
        };
        self.request(1, move |transaction| {
            let mut changes = InventoryChanges::default();
            if let Some(id) = present(transaction.connection, ems_id, &key)?
                && inventory_rows::archive(transaction, refresh, id)?
            {
                changes.archived += 1;
            }
            Ok(changes)
        })
    }

    /// Saves all that a refresh brought, archives what is gone, and ends the refresh. What is saved before a crash is
    /// saved again by the next try, which changes nothing. Blocks: not for an async runtime.
    ///
    /// # Errors
    /// When the database does not take it; the refresh runs still.
    pub fn refresh_save(
        &self,
        refresh: RefreshId,
        ems_id: EmsId,
        scope: &RefreshScope,
        collected: &Collected,
    ) -> Result<InventoryChanges, VmdbError> {
        let mut rows = rows_of(ems_id, collected)?;
        let gone = Gone::new(ems_id, scope, collected, &rows)?;
        let mut changes = InventoryChanges::default();
        let last = rows.split_off(rows.len() - rows.len() % CHUNK);
        while !rows.is_empty() {
            let rest = rows.split_off(CHUNK.min(rows.len()));
            changes += self.save_rows(Some(refresh), rows).wait()?;
            rows = rest;
        }
        changes += self.save_rows(Some(refresh), last).wait()?;
        let mut ids = self.read(|transaction| gone.find(transaction))?;
        while CHUNK < ids.len() {
            let rest = ids.split_off(CHUNK);
            changes += self.archive_rows(refresh, ids).wait()?;
            ids = rest;
        }
        let is_full = *scope == RefreshScope::Full;
        let before = changes;
        let end = self.request(ids.len() + 1, move |transaction| {
            let mut changes = before;
            changes.archived += archive_all(transaction, refresh, &ids)?;
            refresh_run::done(transaction, refresh, is_full, &changes)?;
            Ok(changes)
        });
        end.wait()
    }

    /// Saves what a refresh brought of one of its targets, and takes that target off it; the refresh goes on.
    ///
    /// # Errors
    /// When the database does not take it.
    pub fn refresh_save_one(
        &self,
        refresh: RefreshId,
        ems_id: EmsId,
        target: &Target,
        collected: &Collected,
    ) -> Result<InventoryChanges, VmdbError> {
        let rows = rows_of(ems_id, collected)?;
        let scope = RefreshScope::Targets(vec![target.clone()]);
        let gone = Gone::new(ems_id, &scope, collected, &rows)?;
        let mut changes = self.save_rows(Some(refresh), rows).wait()?;
        let ids = self.read(|transaction| gone.find(transaction))?;
        let (association, key) = (
            target.association.clone(),
            codec::to_json("a target", &target.manager_ref)?,
        );
        let end = self.request(ids.len() + 1, move |transaction| {
            let archived = archive_all(transaction, refresh, &ids)?;
            transaction.execute(
                "DELETE FROM refresh_targets WHERE refresh_id = ?1 AND association = ?2 AND manager_ref = ?3",
                params![refresh.0, association, key],
            )?;
            Ok(archived)
        });
        changes.archived += end.wait()?;
        Ok(changes)
    }

    fn save_rows(&self, refresh: Option<RefreshId>, rows: Vec<ObjectRow>) -> Request<InventoryChanges> {
        let (before, after) = (self.shared().clone(), self.shared().clone());
        let work = move |transaction: &mut Transaction<'_>| {
            before.objects_are_created();
            let mut changes = InventoryChanges::default();
            for row in &rows {
                row.save(transaction, refresh, &mut changes)?;
            }
            Ok(changes)
        };
        self.request_with(CHUNK, work, move |_| after.objects_are_created())
    }

    fn archive_rows(&self, refresh: RefreshId, ids: Vec<i64>) -> Request<InventoryChanges> {
        self.request(ids.len(), move |transaction| {
            Ok(InventoryChanges {
                archived: archive_all(transaction, refresh, &ids)?,
                ..InventoryChanges::default()
            })
        })
    }
}

fn rows_of(ems_id: EmsId, collected: &Collected) -> Result<Vec<ObjectRow>, VmdbError> {
    let mut rows = Vec::new();
    for (association, objects) in &collected.collections {
        for object in objects {
            rows.push(ObjectRow::collected(ems_id, association, object)?);
        }
    }
    Ok(rows)
}

fn archive_all(transaction: &Transaction<'_>, refresh: RefreshId, ids: &[i64]) -> Result<usize, VmdbError> {
    let mut archived = 0;
    for id in ids {
        archived += usize::from(inventory_rows::archive(transaction, Some(refresh), *id)?);
    }
    Ok(archived)
}

/// What a refresh leaves out and thereby says is gone.
struct Gone {
    ems_id: EmsId,
    /// Collections that came whole: what is not among them is gone.
    whole: BTreeSet<Arc<str>>,
    /// Confirmed by the provider.
    not_found: Vec<ObjectKey>,
    /// Objects that were read again one by one: their parts that did not come along are gone (C105).
    parents: Vec<String>,
    /// What came.
    came: HashSet<(Arc<str>, String)>,
}

impl Gone {
    fn new(
        ems_id: EmsId,
        scope: &RefreshScope,
        collected: &Collected,
        rows: &[ObjectRow],
    ) -> Result<Self, VmdbError> {
        let came: HashSet<(Arc<str>, String)> = rows
            .iter()
            .map(|row| (row.association.clone(), row.key.clone()))
            .collect();
        let whole = match scope {
            RefreshScope::Full => collected.collections.keys().cloned().collect(),
            RefreshScope::Targets(targets) => targets
                .iter()
                .filter(|target| target.manager_ref.is_whole_association())
                .map(|target| target.association.clone())
                .filter(|association| collected.collections.contains_key(association))
                .collect(),
        };
        let mut not_found = Vec::new();
        for key in &collected.not_found {
            let is_here = (
                key.association.clone(),
                codec::to_json("a key", &key.manager_ref)?,
            );
            if !came.contains(&is_here) {
                not_found.push(key.clone());
            }
        }
        // In a full refresh the parts come as collections of their own, whole or not at all.
        let parents = match scope {
            RefreshScope::Full => Vec::new(),
            RefreshScope::Targets(_) => rows
                .iter()
                .map(|row| format!("{} {}", row.association, row.key))
                .collect(),
        };
        Ok(Self {
            ems_id,
            whole,
            not_found,
            parents,
            came,
        })
    }

    /// The numbers of the objects that are gone, with their parts.
    fn find(&self, connection: &Connection) -> Result<Vec<i64>, VmdbError> {
        let mut found = BTreeSet::new();
        let mut parents = self.parents.clone();
        for association in &self.whole {
            let mut query = connection.prepare_cached(
                "SELECT id, manager_ref FROM inventory_objects \
                 WHERE ems_id = ?1 AND association = ?2 AND archived_on IS NULL",
            )?;
            let mut rows = query.query(params![self.ems_id.0, association])?;
            while let Some(row) = rows.next()? {
                let key: String = row.get(1)?;
                let place = (association.clone(), key);
                if !self.came.contains(&place) && found.insert(row.get::<_, i64>(0)?) {
                    parents.push(format!("{association} {}", place.1));
                }
            }
        }
        for key in &self.not_found {
            if let Some(id) = present(connection, self.ems_id, key)? {
                found.insert(id);
            }
            parents.push(parent_key(key)?);
        }
        let mut query = connection.prepare_cached(
            "SELECT id, association, manager_ref FROM inventory_objects \
             WHERE ems_id = ?1 AND parent = ?2 AND archived_on IS NULL",
        )?;
        while let Some(parent) = parents.pop() {
            let mut rows = query.query(params![self.ems_id.0, parent])?;
            while let Some(row) = rows.next()? {
                let place = (row.get::<_, String>(1)?.into(), row.get::<_, String>(2)?);
                if !self.came.contains(&place) && found.insert(row.get::<_, i64>(0)?) {
                    parents.push(format!("{} {}", place.0, place.1));
                }
            }
        }
        Ok(found.into_iter().collect())
    }
}

fn present(connection: &Connection, ems_id: EmsId, key: &ObjectKey) -> Result<Option<i64>, VmdbError> {
    let mut query = connection.prepare_cached(
        "SELECT id FROM inventory_objects \
         WHERE ems_id = ?1 AND association = ?2 AND manager_ref = ?3 AND archived_on IS NULL",
    )?;
    let json = codec::to_json("a key", &key.manager_ref)?;
    let mut rows = query.query(params![ems_id.0, key.association, json])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
}
