//! cursors: where each stream has got to, written in the transaction of what it brought.

use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::model::ems::EmsId;
use crate::model::json;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::transaction::Transaction;

/// Where a stream has got to.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    /// Whose stream it is.
    pub ems_id: EmsId,
    /// Which of its streams: `poll`, or the path of a file.
    pub stream: String,
    /// The position, in the stream's own words.
    pub position: json::Value,
}

impl Vmdb {
    /// Where a stream had got to, or nothing where it never began.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn cursor(&self, ems_id: EmsId, stream: &str) -> Result<Option<json::Value>, VmdbError> {
        let text: Option<String> = self.read(|transaction| {
            let mut query = transaction
                .prepare_cached("SELECT position FROM cursors WHERE ems_id = ?1 AND stream = ?2")?;
            Ok(query
                .query_row(params![ems_id.0, stream], |row| row.get(0))
                .optional()?)
        })?;
        let position = text.map(|text| json::read(&text)).transpose();
        position.map_err(|error| VmdbError::unreadable(format!("the cursor of manager {ems_id}"), error))
    }
}

/// Saves where a stream has got to; `is_new` says whether it brought something that was not kept before.
pub(crate) fn save(transaction: &Transaction<'_>, cursor: &Cursor, is_new: bool) -> Result<(), VmdbError> {
    let now = transaction.now.as_microsecond();
    transaction.execute(
        "INSERT INTO cursors (ems_id, stream, position, saved_at, kept_at) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (ems_id, stream) DO UPDATE SET position = excluded.position, saved_at = excluded.saved_at, \
         kept_at = ifnull(excluded.kept_at, kept_at)",
        params![
            cursor.ems_id.0,
            cursor.stream,
            codec::to_json("a cursor", &cursor.position)?,
            now,
            is_new.then_some(now),
        ],
    )?;
    Ok(())
}
