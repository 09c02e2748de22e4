//! audit_log: what people had the program do, on a page or by the API, and what came of it.

use rusqlite::Row;
use rusqlite::params;
use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::request::Request;

/// One deed, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// As what the doer was let in: `token`, `session` or `loopback`.
    pub who: &'static str,
    /// What was done, such as `queue.retry`.
    pub action: &'static str,
    /// What it was done to.
    pub subject: String,
    /// `done`, or what stood in the way.
    pub result: String,
}

/// One deed, as it was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredDeed {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// As what the doer was let in.
    pub who: String,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// `done`, or what stood in the way.
    pub result: String,
}

impl Vmdb {
    /// Keeps a deed.
    pub fn audit_log_add(&self, deed: Deed) -> Request<()> {
        self.request(1, move |transaction| {
            transaction.execute(
                "INSERT INTO audit_log (at, who, action, subject, result) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    transaction.now.as_microsecond(),
                    deed.who,
                    deed.action,
                    deed.subject,
                    deed.result,
                ],
            )?;
            Ok(())
        })
    }

    /// Deeds, the newest first, before the one of a number where it is given.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn audit_log(&self, before: Option<i64>, limit: usize) -> Result<Vec<StoredDeed>, VmdbError> {
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(
                "SELECT id, at, who, action, subject, result FROM audit_log WHERE id < ?1 \
                 ORDER BY id DESC LIMIT ?2",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = query.query_map(params![before.unwrap_or(i64::MAX), limit], read)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredDeed> {
    Ok(StoredDeed {
        id: row.get(0)?,
        at: codec::time(row.get(1)?),
        who: row.get(2)?,
        action: row.get(3)?,
        subject: row.get(4)?,
        result: row.get(5)?,
    })
}
