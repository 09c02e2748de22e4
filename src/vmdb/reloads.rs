//! reloads: which rules were in force when, what the change was, and which were refused.

use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;
use serde::Deserialize;
use serde::Serialize;

use crate::model::clock::SignedDuration;
use crate::model::clock::Timestamp;
use crate::model::delivery::RulesId;
use crate::model::json;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::request::Request;

/// How many are kept.
const KEPT: i64 = 1_000;

/// One reload, to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct NewReload {
    /// When.
    pub at: Timestamp,
    /// The rules until then, where they are known.
    pub before: Option<RulesId>,
    /// The rules from then on; none where what was read was refused.
    pub after: Option<RulesId>,
    /// Which files made the difference.
    pub changes: ChangedFiles,
    /// Their text, as a unified diff.
    pub difference: Option<String>,
    /// Why it was refused, as `check` prints it.
    pub findings: Option<json::Value>,
    /// How long it took.
    pub took: SignedDuration,
}

/// Files that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFiles {
    /// Only in the new tree.
    pub added: Vec<String>,
    /// In both, with another text.
    pub changed: Vec<String>,
    /// Only in the old tree.
    pub removed: Vec<String>,
    /// How many more there are than are named.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// One reload, as it was kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredReload {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// The rules until then.
    pub before: Option<RulesId>,
    /// The rules from then on; none where what was read was refused.
    pub after: Option<RulesId>,
    /// Which files made the difference.
    pub changes: ChangedFiles,
    /// Why it was refused; null where it was not.
    pub findings: json::Value,
    /// How long it took, in milliseconds.
    #[serde(rename = "took_ms", serialize_with = "milliseconds")]
    pub took: SignedDuration,
}

fn milliseconds<S: serde::Serializer>(length: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(length.as_secs_f64() * 1_000.0)
}

const COLUMNS: &str = "id, at, before, after, changes, findings, took FROM reloads";

impl Vmdb {
    /// Keeps a reload; the oldest are forgotten where there are many.
    pub fn reload_save(&self, reload: NewReload) -> Request<()> {
        self.request(1, move |transaction| {
            transaction.execute(
                "INSERT INTO reloads (at, before, after, changes, difference, findings, took) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    reload.at.as_microsecond(),
                    reload.before.map(|id| id.0.to_be_bytes()),
                    reload.after.map(|id| id.0.to_be_bytes()),
                    codec::to_json("the files of a reload", &reload.changes)?,
                    reload.difference,
                    reload.findings.as_ref().map(ToString::to_string),
                    i64::try_from(reload.took.as_micros()).unwrap_or(i64::MAX),
                ],
            )?;
            transaction.execute(
                "DELETE FROM reloads WHERE id <= (SELECT max(id) FROM reloads) - ?1",
                [KEPT],
            )?;
            Ok(())
        })
    }

    /// The reloads of a span of time, both ends optional, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn reloads(
        &self,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<StoredReload>, VmdbError> {
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(&format!(
                "SELECT {COLUMNS} WHERE at >= ?1 AND at <= ?2 ORDER BY at DESC, id DESC LIMIT ?3"
            ))?;
            let rows = query.query_map(
                params![
                    from.map_or(i64::MIN, Timestamp::as_microsecond),
                    to.map_or(i64::MAX, Timestamp::as_microsecond),
                    i64::try_from(limit).unwrap_or(i64::MAX),
                ],
                read,
            )?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The last reload that brought other rules, and the difference of their texts.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn last_replacement(&self) -> Result<Option<(StoredReload, Option<String>)>, VmdbError> {
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(
                "SELECT id, at, before, after, changes, findings, took, difference FROM reloads \
                 WHERE after IS NOT NULL ORDER BY id DESC LIMIT 1",
            )?;
            Ok(query
                .query_row([], |row| Ok((read(row)?, row.get(7)?)))
                .optional()?)
        })
    }

    /// The last reload whose rules were refused.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn last_refusal(&self) -> Result<Option<StoredReload>, VmdbError> {
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(&format!(
                "SELECT {COLUMNS} WHERE after IS NULL ORDER BY id DESC LIMIT 1"
            ))?;
            Ok(query.query_row([], read).optional()?)
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredReload> {
    let rules = |index| {
        let bytes: Option<[u8; 16]> = row.get(index)?;
        Ok::<_, rusqlite::Error>(bytes.map(|bytes| RulesId(u128::from_be_bytes(bytes))))
    };
    let (changes, findings): (String, Option<String>) = (row.get(4)?, row.get(5)?);
    Ok(StoredReload {
        id: row.get(0)?,
        at: codec::time(row.get(1)?),
        before: rules(2)?,
        after: rules(3)?,
        changes: serde_json::from_str(&changes).unwrap_or_default(),
        findings: findings
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default(),
        took: SignedDuration::from_micros(row.get(6)?),
    })
}
