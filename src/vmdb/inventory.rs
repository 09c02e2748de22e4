//! inventory_objects, inventory_history: what the managers have, found by association and key.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;

use crate::model::ems::EmsId;
use crate::model::inventory::InventoryObject;
use crate::model::json;
use crate::model::target::ManagerRef;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::held_statements::HeldStatements;

macro_rules! select_where {
    ($condition:literal) => {
        concat!(
            "SELECT id, ems_id, association, manager_ref, attributes FROM inventory_objects WHERE ",
            $condition
        )
    };
}

/// The inventory at one moment.
#[derive(Debug)]
pub struct InventoryView<'a> {
    transaction: &'a rusqlite::Transaction<'a>,
    version: u64,
    /// Each event of a batch asks them several times.
    held: HeldStatements<'a>,
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
        let sql =
            select_where!("ems_id = ?1 AND association = ?2 AND manager_ref = ?3 AND archived_on IS NULL");
        self.held.with(self.transaction, sql, |query| {
            for association in associations {
                let found = query.query_row(params![ems_id.0, association, key], read);
                if let Some(object) = found.optional()? {
                    return object.map(Some);
                }
            }
            Ok(None)
        })
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
        let sql = select_where!(
            "ems_id = ?1 AND association = ?2 AND uid_ems = ?3 AND (archived_on IS NOT NULL) = ?4"
        );
        self.held.with(self.transaction, sql, |query| {
            let mut objects = Vec::new();
            for association in associations {
                let mut rows = query.query(params![ems_id.0, association, uid, are_archived])?;
                while let Some(row) = rows.next()? {
                    objects.push(read(row)??);
                }
            }
            Ok(objects)
        })
    }

    /// The object with this number, archived or not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn by_id(&self, id: i64) -> Result<Option<InventoryObject>, VmdbError> {
        let mut query = self.transaction.prepare_cached(select_where!("id = ?1"))?;
        query.query_row([id], read).optional()?.transpose()
    }

    /// The objects of an association that are not archived, of one manager or of all, by number.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn all(&self, ems_id: Option<EmsId>, association: &str) -> Result<Vec<InventoryObject>, VmdbError> {
        let mut query = self.transaction.prepare_cached(select_where!(
            "(?1 IS NULL OR ems_id = ?1) AND association = ?2 AND archived_on IS NULL ORDER BY id"
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
        self.read(|transaction| {
            look(&InventoryView {
                transaction,
                version,
                held: HeldStatements::default(),
            })
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Result<InventoryObject, VmdbError>> {
    let id: i64 = row.get(0)?;
    let (key, attributes): (String, String) = (row.get(3)?, row.get(4)?);
    let parts = serde_json::from_str(&key).and_then(|key| Ok((key, entries(&attributes)?)));
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

/// The attributes of an object by name.
fn entries(text: &str) -> Result<BTreeMap<String, json::Value>, serde_json::Error> {
    match json::read(text)? {
        json::Value::Object(map) => Ok(map.into_iter().collect()),
        other => Err(serde::de::Error::custom(format_args!(
            "an object is expected, it is {}",
            other.kind()
        ))),
    }
}
