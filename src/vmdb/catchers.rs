//! catchers: how each manager's catcher fares, written by the process that serves and read by any other.

use std::collections::BTreeMap;

use rusqlite::Row;
use rusqlite::params;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::model::json;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::request::Request;

/// How one catcher fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatcherRecord {
    /// Whose it is.
    pub ems_id: EmsId,
    /// Whether the manager is to have one.
    pub wanted: bool,
    /// `poll` or `file`.
    pub stream: Option<String>,
    /// `stopped`, `connecting`, `running` or `backing_off`.
    pub state: String,
    /// Why that, or why none is wanted.
    pub reason: Option<String>,
    /// Since when it is in this state.
    pub since: Option<Timestamp>,
    /// When it tries again.
    pub until: Option<Timestamp>,
    /// How often its stream broke off since the catcher was started.
    pub broke_off: u64,
}

/// A record as it was found, with the position of its stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCatcher {
    /// What was written.
    pub record: CatcherRecord,
    /// The last sign of life of who wrote it.
    pub seen_at: Timestamp,
    /// Where its stream has got to, in the stream's own words, and when that was saved.
    pub position: Option<(json::Value, Timestamp)>,
    /// When its stream last brought something that was not kept before.
    pub kept_at: Option<Timestamp>,
}

impl Vmdb {
    /// Writes how catchers fare; those of other managers stay as they are.
    pub fn catchers_save(&self, records: Vec<CatcherRecord>) -> Request<()> {
        self.request(1, move |transaction| {
            for record in &records {
                transaction.execute(
                    "INSERT OR REPLACE INTO catchers \
                     (ems_id, wanted, stream, state, reason, since, until, broke_off, seen_at) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    params![
                        record.ems_id.0,
                        record.wanted,
                        record.stream,
                        record.state,
                        record.reason,
                        record.since.map(Timestamp::as_microsecond),
                        record.until.map(Timestamp::as_microsecond),
                        record.broke_off,
                        transaction.now.as_microsecond(),
                    ],
                )?;
            }
            Ok(())
        })
    }

    /// How the catchers fared when the process that serves last wrote it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn catchers(&self) -> Result<BTreeMap<EmsId, StoredCatcher>, VmdbError> {
        self.read(|transaction| {
            // Of a manager that had several streams the one that was read last counts.
            let mut query = transaction.prepare_cached(
                "SELECT a.ems_id, wanted, a.stream, state, reason, since, until, broke_off, seen_at, \
                 position, max(saved_at), kept_at FROM catchers a LEFT JOIN cursors c ON c.ems_id = a.ems_id \
                 GROUP BY a.ems_id",
            )?;
            let rows = query.query_map([], read)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<(EmsId, StoredCatcher)> {
    let ems_id = EmsId(row.get(0)?);
    let time = |index| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(index)?.map(codec::time));
    let position: Option<String> = row.get(9)?;
    // Written by us as JSON; what somebody else put there is shown as the text it is.
    let position = position.map(|text| json::read(&text).unwrap_or(json::Value::String(text)));
    let record = CatcherRecord {
        ems_id,
        wanted: row.get(1)?,
        stream: row.get(2)?,
        state: row.get(3)?,
        reason: row.get(4)?,
        since: time(5)?,
        until: time(6)?,
        broke_off: row.get(7)?,
    };
    let stored = StoredCatcher {
        record,
        seen_at: codec::time(row.get(8)?),
        position: position.zip(time(10)?),
        kept_at: time(11)?,
    };
    Ok((ems_id, stored))
}
