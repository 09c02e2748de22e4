//! New values that an event brings for attributes of an inventory object: set with the event, until the object is read
//! again.

use std::collections::BTreeMap;

use rusqlite::params;

use crate::model::event::EventId;
use crate::model::json;
use crate::model::value::ValueMap;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::inventory_rows;
use crate::vmdb::inventory_rows::Reason;
use crate::vmdb::transaction::Transaction;

/// The change of one object by an event.
#[derive(Clone, Debug, PartialEq)]
pub struct InventoryUpdate {
    /// Its number.
    pub id: i64,
    /// The new values; the other attributes stay as they are.
    pub attributes: ValueMap,
}

impl InventoryUpdate {
    /// Sets them, and adds to the history if anything changed. An object that is gone meanwhile stays gone.
    pub(crate) fn write(&self, transaction: &Transaction<'_>, event: EventId) -> Result<(), VmdbError> {
        let before = transaction.first(
            "SELECT attributes FROM inventory_objects WHERE id = ?1 AND archived_on IS NULL",
            [self.id],
            |row| row.get::<_, String>(0),
        )?;
        let Some(before) = before else { return Ok(()) };
        let unreadable = |error| VmdbError::unreadable(format!("inventory object {}", self.id), error);
        let mut attributes: BTreeMap<String, json::Value> =
            serde_json::from_str(&before).map_err(unreadable)?;
        for (key, value) in &self.attributes {
            attributes.insert(key.to_string(), json::json!(value));
        }
        let after = codec::to_json("attributes", &attributes)?;
        if after == before {
            return Ok(());
        }
        transaction.execute(
            "UPDATE inventory_objects SET attributes = ?2, updated_at = ?3 WHERE id = ?1",
            params![self.id, after, transaction.now.as_microsecond()],
        )?;
        inventory_rows::history(
            transaction,
            self.id,
            Reason::Event(event),
            "updated",
            Some(&before),
            Some(&after),
        )
    }
}
