//! event_keys: what makes two messages the same event, unique per manager.

use rusqlite::params;

use crate::model::ems::EmsId;
use crate::model::event::EventId;
use crate::model::event::EventKey;
use crate::vmdb::VmdbError;
use crate::vmdb::digest;
use crate::vmdb::digest_index::Tables;
use crate::vmdb::transaction::Transaction;

/// Where the index is. One process writes events, and asks before it does: that makes the keys unique.
pub(crate) const TABLES: Tables = Tables {
    recent: "event_keys",
    sealed: "event_key_pages",
};

/// The digest of a key, which leads to the event, whose whole key is compared.
pub(crate) fn digest_of(ems_id: EmsId, key: &EventKey) -> u64 {
    digest::short(&[&ems_id.0.to_be_bytes(), key.0.as_bytes()])
}

/// The digest of a key that stands for it where its event is purged.
pub(crate) fn proof_of(ems_id: EmsId, key: &str) -> [u8; 16] {
    digest::proof(&[&ems_id.0.to_be_bytes(), key.as_bytes()])
}

/// The event of this manager with this key, if it was purged before its key was. A process that does not serve
/// does not look: the one that does will.
pub(crate) fn find(
    transaction: &Transaction<'_>,
    ems_id: EmsId,
    key: &EventKey,
    digest: u64,
) -> Result<Option<EventId>, VmdbError> {
    for event in transaction.events_with_key(digest)? {
        let is_same = transaction.first(
            "SELECT 1 FROM event_streams WHERE id = ?1 AND ems_id = ?2 AND event_key = ?3",
            params![event, ems_id.0, key.0],
            |_| Ok(()),
        )?;
        if is_same.is_some() || was_purged(transaction, event, ems_id, key)? {
            return Ok(Some(EventId(event)));
        }
    }
    Ok(None)
}

fn was_purged(
    transaction: &Transaction<'_>,
    event: i64,
    ems_id: EmsId,
    key: &EventKey,
) -> Result<bool, VmdbError> {
    let found = transaction.first(
        "SELECT 1 FROM purged_keys WHERE event_id = ?1 AND digest = ?2",
        params![event, proof_of(ems_id, &key.0)],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}
