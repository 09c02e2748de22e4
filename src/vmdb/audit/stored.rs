//! What a database holds, key by key: for those who kept a list of what they sent.

use std::sync::Arc;

use rusqlite::params;

use crate::model::ems::EmsId;
use crate::vmdb::Audit;
use crate::vmdb::MessageState;
use crate::vmdb::VmdbError;
use crate::vmdb::digest;

/// How many numbers a step looks at.
const STEP: i64 = 500;

/// Where an event is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredPlace {
    /// Saved and decided.
    Event,
    /// On the queue.
    Waiting,
    /// A dead letter.
    Dead,
}

/// One event, saved or on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEventKey {
    /// Its number.
    pub id: i64,
    /// The name of its manager.
    pub ems: Arc<str>,
    /// Its key; none where it could not be parsed.
    pub key: Option<String>,
    /// The SHA-256 of the bytes that are there now, not the one that was kept with them.
    pub sha256: [u8; 32],
    /// How far it got.
    pub place: StoredPlace,
}

impl Audit {
    /// Tells each event that is saved or on its way, in order. Those that come meanwhile may be missed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn stored(&self, mut tell: impl FnMut(StoredEventKey)) -> Result<(), VmdbError> {
        let (connection, managers) = (self.connection()?, self.managers()?);
        let sql = "SELECT max(ifnull((SELECT max(id) FROM miq_queue), 0), \
                   ifnull((SELECT max(id) FROM event_streams), 0))";
        let last: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        // One statement, so that none is missed on its way from the queue to the events.
        let mut query = connection.prepare(
            "SELECT e.id, e.ems_id, e.event_key, NULL, n.full_data FROM event_streams e \
             LEFT JOIN native_events n ON n.id = e.id WHERE e.id > ?1 AND e.id <= ?2 \
             UNION ALL \
             SELECT m.id, m.ems_id, iif(json_valid(m.payload), json_extract(m.payload, '$.event_key'), NULL), \
             m.state, n.full_data FROM miq_queue m \
             LEFT JOIN native_events n ON n.id = m.id WHERE m.id > ?1 AND m.id <= ?2 AND m.kind <> 2",
        )?;
        let mut after = 0;
        while after < last {
            let to = (after + STEP).min(last);
            let mut rows = query.query(params![after, to])?;
            while let Some(row) = rows.next()? {
                let state: Option<i64> = row.get(3)?;
                let bytes = row.get_ref(4)?.as_bytes().unwrap_or_default();
                tell(StoredEventKey {
                    id: row.get(0)?,
                    ems: managers.name(EmsId(row.get(1)?)),
                    key: row.get(2)?,
                    sha256: digest::of_bytes(bytes),
                    place: match state {
                        None => StoredPlace::Event,
                        Some(state) if state == MessageState::Dead.number() => StoredPlace::Dead,
                        Some(_) => StoredPlace::Waiting,
                    },
                });
            }
            after = to;
        }
        Ok(())
    }
}
