//! event_keys: what makes two messages the same event, unique per manager.

use rusqlite::params;
use sha2::Digest;
use sha2::Sha256;

use crate::model::ems::EmsId;
use crate::model::event::EventHash;
use crate::model::event::EventId;
use crate::model::event::EventKey;
use crate::vmdb::VmdbError;
use crate::vmdb::transaction::Transaction;

/// The key of an event: what its parser gave, else the provider's number for it, else the digest of what came.
pub(crate) fn key_of(hash: &EventHash, digest: impl FnOnce() -> [u8; 32]) -> EventKey {
    let given = hash.event_key.as_ref().map(|key| key.0.clone());
    let given = given.filter(|key| !key.is_empty());
    let own = given.or_else(|| hash.ems_ref.clone().filter(|reference| !reference.is_empty()));
    EventKey(own.unwrap_or_else(|| format!("sha256:{}", hex(&digest())).into()))
}

/// Gives an event the key that it would get on the queue.
pub fn settle_key(hash: &mut EventHash) {
    hash.event_key = Some(key_of(hash, || digest_of_data(hash)));
}

/// The digest that is kept beside `full_data`.
pub(crate) fn digest_of_data(hash: &EventHash) -> [u8; 32] {
    Sha256::digest(hash.full_data.text().as_bytes()).into()
}

/// Bytes as text.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The event of this manager with this key.
pub(crate) fn find(
    transaction: &Transaction<'_>,
    ems_id: EmsId,
    key: &EventKey,
) -> Result<Option<EventId>, VmdbError> {
    transaction.first(
        "SELECT e.id FROM event_keys k JOIN event_streams e ON e.id = k.event_id \
         WHERE k.digest = ?1 AND e.ems_id = ?2 AND e.event_key = ?3",
        params![digest_of(ems_id, key), ems_id.0, key.0],
        |row| Ok(EventId(row.get(0)?)),
    )
}

/// Notes the key of an event that is new.
pub(crate) fn insert(
    transaction: &Transaction<'_>,
    ems_id: EmsId,
    key: &EventKey,
    event: EventId,
) -> Result<(), VmdbError> {
    transaction.execute(
        "INSERT INTO event_keys (digest, event_id) VALUES (?1, ?2)",
        params![digest_of(ems_id, key), event.0],
    )?;
    Ok(())
}

/// Eight bytes are enough to find the event, whose whole key is compared.
fn digest_of(ems_id: EmsId, key: &EventKey) -> i64 {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(ems_id.0.to_be_bytes())
        .chain_update(key.0.as_bytes())
        .finalize()
        .into();
    let (first, _rest) = digest.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
    i64::from_be_bytes(*first)
}
