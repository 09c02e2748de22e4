//! One object of the inventory for a page: found by its key, with what belongs to it, and how many there are.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::model::target::ManagerRef;
use crate::vmdb::ListedObject;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::inventory_list::COLUMNS;
use crate::vmdb::inventory_list::object;

/// Refreshes of a manager that are looked at for the last one that read an object.
const LATEST: i64 = 500;

/// What an object is a part of, and what is a part of it.
#[derive(Clone, Debug, Default)]
pub struct Family {
    /// What it is a part of.
    pub parent: Option<ListedObject>,
    /// Its parts that are there now, in the order of their numbers; not more than were asked for.
    pub children: Vec<ListedObject>,
    /// How many parts it has.
    pub count: u64,
}

/// How many objects of an association there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObjectCounts {
    /// That are there.
    pub present: u64,
    /// That were there.
    pub archived: u64,
}

impl Vmdb {
    /// The objects with this key, of one manager or of each that has one; of several, those that are there come first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn inventory_find(
        &self,
        ems_id: Option<EmsId>,
        associations: &[&str],
        manager_ref: &ManagerRef,
    ) -> Result<Vec<ListedObject>, VmdbError> {
        let managers = self.managers()?;
        let key = codec::to_json("a key", manager_ref)?;
        let wanted: Vec<EmsId> = match ems_id {
            Some(id) => vec![id],
            None => managers.all.iter().map(|(ems, _removed)| ems.id).collect(),
        };
        let mut found = self.read(|transaction| {
            let mut query = transaction.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM inventory_objects \
                 WHERE ems_id = ?1 AND association = ?2 AND manager_ref = ?3"
            ))?;
            let mut found = Vec::new();
            for association in associations {
                for id in &wanted {
                    let one =
                        query.query_row(params![id.0, association, key], |row| Ok(object(row, &managers)));
                    found.extend(one.optional()?.transpose()?);
                }
            }
            Ok(found)
        })?;
        found.sort_by_key(|object: &ListedObject| object.archived_on.is_some());
        Ok(found)
    }

    /// The object of this number, whatever its association.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn inventory_by_id(&self, id: i64) -> Result<Option<ListedObject>, VmdbError> {
        let managers = self.managers()?;
        self.read(|transaction| {
            let mut query = transaction
                .prepare_cached(&format!("SELECT {COLUMNS} FROM inventory_objects WHERE id = ?1"))?;
            let found = query.query_row([id], |row| Ok(object(row, &managers)));
            found.optional()?.transpose()
        })
    }

    /// What an object is a part of, and its parts, not more than `most` of them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn inventory_family(&self, id: i64, most: usize) -> Result<Family, VmdbError> {
        let managers = self.managers()?;
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(
                "SELECT ems_id, association || ' ' || manager_ref, parent FROM inventory_objects WHERE id = ?1",
            )?;
            let row = query.query_row([id], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
            });
            let Some((ems_id, own, parent)) = row.optional()? else {
                return Ok(Family::default());
            };
            let mut family = Family::default();
            if let Some((association, key)) = parent.as_deref().and_then(|parent| parent.split_once(' ')) {
                let mut query = transaction.prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM inventory_objects \
                     WHERE ems_id = ?1 AND association = ?2 AND manager_ref = ?3"
                ))?;
                let one = query.query_row(params![ems_id, association, key], |row| Ok(object(row, &managers)));
                family.parent = one.optional()?.transpose()?;
            }
            let mut query = transaction.prepare_cached(
                "SELECT count(*) FROM inventory_objects WHERE ems_id = ?1 AND parent = ?2 AND archived_on IS NULL",
            )?;
            family.count = query.query_row(params![ems_id, own], |row| row.get(0))?;
            let mut query = transaction.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM inventory_objects \
                 WHERE ems_id = ?1 AND parent = ?2 AND archived_on IS NULL ORDER BY id LIMIT ?3"
            ))?;
            let most = i64::try_from(most).unwrap_or(-1);
            let mut rows = query.query(params![ems_id, own, most])?;
            while let Some(row) = rows.next()? {
                family.children.push(object(row, &managers)?);
            }
            Ok(family)
        })
    }

    /// When an object was read last, by the latest refreshes of its manager.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn inventory_read_at(&self, id: i64) -> Result<Option<Timestamp>, VmdbError> {
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(
                "SELECT max(r.finished_at) FROM inventory_objects o, \
                 (SELECT id, ifnull(full_reason, widened) AS full_reason, finished_at FROM refresh_queue \
                  WHERE ems_id = (SELECT ems_id FROM inventory_objects WHERE id = ?1) AND state = 2 \
                  ORDER BY id DESC LIMIT ?2) r \
                 WHERE o.id = ?1 AND (r.full_reason IS NOT NULL OR EXISTS (SELECT 1 FROM refresh_targets t \
                  WHERE t.refresh_id = r.id AND t.association || ' ' || t.manager_ref IN \
                  (o.association || ' ' || o.manager_ref, o.association || ' {}', o.parent)))",
            )?;
            let at = query.query_row(params![id, LATEST], |row| row.get::<_, Option<i64>>(0));
            Ok(at.optional()?.flatten().map(codec::time))
        })
    }

    /// How many objects there are of each association, of one manager or of all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn inventory_counts(
        &self,
        ems_id: Option<EmsId>,
    ) -> Result<BTreeMap<String, ObjectCounts>, VmdbError> {
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(
                "SELECT association, count(*) FILTER (WHERE archived_on IS NULL), \
                 count(*) FILTER (WHERE archived_on IS NOT NULL) FROM inventory_objects \
                 WHERE ?1 IS NULL OR ems_id = ?1 GROUP BY association",
            )?;
            let rows = query.query_map([ems_id.map(|id| id.0)], |row| {
                let counts = ObjectCounts {
                    present: row.get(1)?,
                    archived: row.get(2)?,
                };
                Ok((row.get(0)?, counts))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
