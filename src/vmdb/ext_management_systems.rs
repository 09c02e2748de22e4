//! ext_management_systems: the managers.

use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::params;

use crate::model::ems::Ems;
use crate::model::ems::EmsId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::ems_names::Managers;
use crate::vmdb::inventory_gone;
use crate::vmdb::request::Request;
use crate::vmdb::transaction::Transaction;

const COLUMNS: &str = "id, name, provider, url, credentials, enabled, removed_at IS NOT NULL";

/// A manager to be added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewEms {
    /// The user's name for it.
    pub name: String,
    /// Its kind: the name of a folder under `scripts/`.
    pub provider: String,
    /// Where its API answers.
    pub url: Option<String>,
    /// `env:NAME` or `file:PATH`.
    pub credentials: Option<String>,
}

impl Vmdb {
    /// Adds a manager; [`VmdbError::NameTaken`] where there is one of that name.
    pub fn ems_add(&self, new: NewEms) -> Request<Ems> {
        self.request(1, move |transaction| {
            if by_name(transaction, &new.name)?.is_some() {
                return Err(VmdbError::NameTaken {
                    name: new.name.clone(),
                });
            }
            transaction.execute(
                "INSERT INTO ext_management_systems (name, provider, url, credentials, enabled, created_at) \
                 VALUES (?1, ?2, ?3, ?4, 1, ?5)",
                params![
                    new.name,
                    new.provider,
                    new.url,
                    new.credentials,
                    transaction.now.as_microsecond()
                ],
            )?;
            transaction.news.has_managers = true;
            by_name(transaction, &new.name)?.ok_or_else(|| not_found(&new.name))
        })
    }

    /// Removes a manager and archives its inventory; what came from it stays readable. [`VmdbError::NotFound`] where
    /// there is none.
    pub fn ems_remove(&self, name: &str) -> Request<Ems> {
        let name = name.to_owned();
        self.request(1, move |transaction| {
            let Some(ems) = by_name(transaction, &name)? else {
                return Err(not_found(&name));
            };
            transaction.execute(
                "UPDATE ext_management_systems SET removed_at = ?2, enabled = 0 WHERE id = ?1",
                params![ems.id.0, transaction.now.as_microsecond()],
            )?;
            inventory_gone::archive_all(transaction, ems.id)?;
            transaction.news.has_managers = true;
            Ok(ems)
        })
    }

    /// Has a manager take part, or not: a disabled one has no catcher; what is pushed for it is taken as ever, and its
    /// stream goes on from where it was. [`VmdbError::NotFound`] where there is none.
    pub fn ems_enable(&self, name: &str, enabled: bool) -> Request<Ems> {
        let name = name.to_owned();
        self.request(1, move |transaction| {
            transaction.execute(
                "UPDATE ext_management_systems SET enabled = ?2 WHERE name = ?1 AND removed_at IS NULL",
                params![name, enabled],
            )?;
            transaction.news.has_managers = true;
            by_name(transaction, &name)?.ok_or_else(|| not_found(&name))
        })
    }

    /// Every manager that was not removed, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ems_list(&self) -> Result<Vec<Arc<Ems>>, VmdbError> {
        let managers = self.load_managers()?;
        let present = managers.all.iter().filter(|(_, is_removed)| !is_removed);
        let mut list: Vec<Arc<Ems>> = present.map(|(ems, _)| ems.clone()).collect();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(list)
    }

    /// The manager of this name. From memory; what another process changed is seen within a second.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ems_by_name(&self, name: &str) -> Result<Option<Arc<Ems>>, VmdbError> {
        match self.managers()?.by_name(name) {
            Some(ems) => Ok(Some(ems)),
            None => Ok(self.load_managers()?.by_name(name)),
        }
    }

    /// The manager of this name, from memory alone while that is fresh: for whoever may be asked by strangers.
    pub fn ems_known(&self, name: &str) -> Option<Arc<Ems>> {
        self.managers().ok()?.by_name(name)
    }

    /// The manager that has this name, or had it last; and whether it was removed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ems_ever(&self, name: &str) -> Result<Option<(Arc<Ems>, bool)>, VmdbError> {
        let managers = self.load_managers()?;
        let named = managers.all.iter().filter(|(ems, _)| &*ems.name == name);
        Ok(named
            .max_by_key(|(ems, is_removed)| (!is_removed, ems.id))
            .cloned())
    }

    /// The managers, from memory where it is fresh.
    pub(crate) fn managers(&self) -> Result<Arc<Managers>, VmdbError> {
        match self.shared().names.get() {
            Some(managers) => Ok(managers),
            None => self.load_managers(),
        }
    }

    fn load_managers(&self) -> Result<Arc<Managers>, VmdbError> {
        let managers = Arc::new(self.read(|transaction| all(transaction))?);
        self.shared().names.keep(&managers);
        Ok(managers)
    }
}

/// Whether a manager was removed: nothing of its inventory is saved any more.
pub(crate) fn is_removed(transaction: &Transaction<'_>, ems_id: EmsId) -> Result<bool, VmdbError> {
    let removed = transaction.first(
        "SELECT 1 FROM ext_management_systems WHERE id = ?1 AND removed_at IS NOT NULL",
        [ems_id.0],
        |_| Ok(()),
    )?;
    Ok(removed.is_some())
}

/// Every manager, removed ones included.
pub(crate) fn all(connection: &Connection) -> Result<Managers, VmdbError> {
    let sql = format!("SELECT {COLUMNS} FROM ext_management_systems ORDER BY id");
    let mut query = connection.prepare_cached(&sql)?;
    let rows = query.query_map([], |row| Ok((Arc::new(read(row)?), row.get(6)?)))?;
    Ok(Managers {
        all: rows.collect::<Result<_, _>>()?,
    })
}

fn by_name(transaction: &Transaction<'_>, name: &str) -> Result<Option<Ems>, VmdbError> {
    let sql = format!("SELECT {COLUMNS} FROM ext_management_systems WHERE name = ?1 AND removed_at IS NULL");
    transaction.first(&sql, [name], read)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Ems> {
    Ok(Ems {
        id: EmsId(row.get(0)?),
        name: row.get::<_, String>(1)?.into(),
        provider: row.get::<_, String>(2)?.into(),
        url: row.get(3)?,
        credentials: row.get(4)?,
        enabled: row.get(5)?,
    })
}

fn not_found(name: &str) -> VmdbError {
    VmdbError::NotFound {
        what: "manager",
        name: name.to_owned(),
    }
}
