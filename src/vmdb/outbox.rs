//! outbox: what the rules want done outside, committed with the event that caused it and sent afterwards.

use rusqlite::params;

use crate::model::event::EventId;
use crate::vmdb::VmdbError;
use crate::vmdb::transaction::Transaction;

/// An outside effect to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEffect {
    /// Its place among the effects of its delivery, from 0.
    pub position: usize,
    /// The same for every attempt to send it.
    pub idempotency_key: String,
    /// What the rule described: `http`, `command`, `email` or `log`.
    pub action: serde_json::Value,
}

pub(crate) fn insert(
    transaction: &Transaction<'_>,
    event: EventId,
    effect: &NewEffect,
) -> Result<(), VmdbError> {
    transaction.execute(
        "INSERT INTO outbox (event_id, position, idempotency_key, action, state, attempts, created_at) \
         VALUES (?1, ?2, ?3, ?4, 0, 0, ?5)",
        params![
            event.0,
            i64::try_from(effect.position).unwrap_or(i64::MAX),
            effect.idempotency_key,
            effect.action.to_string(),
            transaction.now.as_microsecond(),
        ],
    )?;
    Ok(())
}
