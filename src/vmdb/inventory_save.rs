//! Saves what a refresh brought: objects created, updated and archived, and the refresh done with them.

use std::sync::Arc;

use rusqlite::params;

use crate::model::ems::EmsId;
use crate::model::inventory::Collected;
use crate::model::inventory::CollectedObject;
use crate::model::inventory::InventoryObject;
use crate::model::inventory::RefreshScope;
use crate::model::target::ManagerRef;
use crate::model::target::Target;
use crate::vmdb::RefreshId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::inventory_changes::Change;
use crate::vmdb::inventory_changes::Changing;
use crate::vmdb::inventory_gone;
use crate::vmdb::inventory_gone::Gone;
use crate::vmdb::inventory_rows;
use crate::vmdb::inventory_rows::InventoryChanges;
use crate::vmdb::inventory_rows::ObjectRow;
use crate::vmdb::refresh_run;
use crate::vmdb::request::Request;
use crate::vmdb::transaction::Transaction;

/// So many objects are looked at together.
const CHUNK: usize = 1_000;

impl Vmdb {
    /// Saves objects by their keys; what changed gets a row of history. Their `id`s are not looked at.
    pub fn inventory_save(
        &self,
        refresh: Option<RefreshId>,
        objects: Vec<InventoryObject>,
    ) -> Request<InventoryChanges> {
        let rows: Vec<ObjectRow> = match objects.into_iter().map(ObjectRow::of).collect() {
            Ok(rows) => rows,
            Err(error) => return self.refused_request(error),
        };
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

    /// Archives the object with this key, if it is there.
    pub fn inventory_archive(
        &self,
        refresh: Option<RefreshId>,
        ems_id: EmsId,
        association: Arc<str>,
        manager_ref: ManagerRef,
    ) -> Request<InventoryChanges> {
        self.request(1, move |transaction| {
            let mut changes = InventoryChanges::default();
            let key = codec::to_json("a key", &manager_ref)?;
            let id = inventory_gone::present(transaction.connection, ems_id, &association, &key)?;
            if let Some(id) = id
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
        let is_full = *scope == RefreshScope::Full;
        let changing = self.change(refresh, ems_id, scope, collected)?;
        changing.end(move |transaction, changes| refresh_run::done(transaction, refresh, is_full, changes))
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
        let scope = RefreshScope::Targets(vec![target.clone()]);
        let changing = self.change(refresh, ems_id, &scope, collected)?;
        let association = target.association.clone();
        let key = codec::to_json("a target", &target.manager_ref)?;
        changing.end(move |transaction, _| {
            transaction.execute(
                "DELETE FROM refresh_targets WHERE refresh_id = ?1 AND association = ?2 AND manager_ref = ?3",
                params![refresh.0, association, key],
            )?;
            Ok(())
        })
    }

    /// Finds out what a refresh changes, and begins to write it.
    fn change(
        &self,
        refresh: RefreshId,
        ems_id: EmsId,
        scope: &RefreshScope,
        collected: &Collected,
    ) -> Result<Changing<'_>, VmdbError> {
        let (mut gone, is_first) = self.read(|connection| {
            let gone = Gone::new(connection, ems_id, scope, collected)?;
            Ok((gone, inventory_gone::has_none(connection, ems_id)?))
        })?;
        let mut changing = Changing::new(self, ems_id, refresh);
        // In the order of their index: what is near in it shares pages, each of which is then written once.
        let of_collection = |(association, objects)| {
            let objects: &Vec<CollectedObject> = objects;
            let mut objects: Vec<_> = objects.iter().collect();
            objects.sort_by(|one, other| one.manager_ref.cmp(&other.manager_ref));
            objects.into_iter().map(move |object| (association, object))
        };
        let mut objects = collected.collections.iter().flat_map(of_collection).peekable();
        while objects.peek().is_some() {
            let rows = objects.by_ref().take(CHUNK);
            let rows = rows.map(|(association, object)| ObjectRow::collected(ems_id, association, object));
            let rows: Vec<ObjectRow> = rows.collect::<Result<_, _>>()?;
            let looked = self.read(|connection| {
                let look = |row: &ObjectRow| if is_first { Ok(None) } else { row.look(connection) };
                rows.iter().map(look).collect::<Result<Vec<_>, _>>()
            })?;
            for (row, known) in rows.into_iter().zip(looked) {
                gone.came(&row, known.as_ref().map(|known| known.id));
                changing.add(Change::of(row, known))?;
            }
        }
        for id in self.read(|connection| gone.find(connection))? {
            changing.add(Change::Archive(id))?;
        }
        Ok(changing)
    }
}
