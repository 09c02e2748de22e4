//! deliveries: what the rules made of each event, and which rules: what users are shown is what was recorded.

use rusqlite::params;
use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::model::delivery::Delivery;
use crate::model::delivery::DeliveryError;
use crate::model::delivery::RulesId;
use crate::model::event::EventId;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::transaction::Transaction;

/// One run of the rules over an event, as it was recorded.
#[derive(Clone, Debug, Serialize)]
pub struct StoredDelivery {
    /// Which rules decided.
    pub rules_id: RulesId,
    /// When.
    pub decided_at: Timestamp,
    /// `delivered`, `failed` or `retry`.
    pub state: String,
    /// The URI that was instantiated.
    pub uri: serde_json::Value,
    /// The steps, as `simulate` prints them.
    pub steps: serde_json::Value,
    /// The method calls.
    pub actions: serde_json::Value,
    /// What was asked to be refreshed.
    pub targets: serde_json::Value,
    /// Everything that was asked for, in order.
    pub effects: serde_json::Value,
    /// What went wrong.
    pub errors: Vec<DeliveryError>,
}

/// A delivery in the form of its row.
pub(crate) struct DeliveryRow {
    rules_id: RulesId,
    decided_at: Timestamp,
    state: &'static str,
    trace: String,
    effects: Option<String>,
    targets: Option<String>,
    errors: Option<String>,
    pub(crate) effect_count: i64,
    pub(crate) target_count: i64,
}

impl DeliveryRow {
    pub(crate) fn new(
        delivery: &Delivery,
        rules_id: RulesId,
        decided_at: Timestamp,
    ) -> Result<Self, VmdbError> {
        let targets = delivery.targets();
        let sorted = targets.sorted();
        let state = match delivery {
            Delivery { retry: Some(_), .. } => "retry",
            Delivery { errors, .. } if errors.iter().any(|error| error.fatal) => "failed",
            Delivery { .. } => "delivered",
        };
        Ok(Self {
            rules_id,
            decided_at,
            state,
            trace: codec::to_json("a trace", &delivery.trace)?,
            effects: list("effects", &delivery.effects)?,
            targets: list("targets", &sorted)?,
            errors: list("errors", &delivery.errors)?,
            effect_count: i64::try_from(delivery.effects.len()).unwrap_or(i64::MAX),
            target_count: i64::try_from(sorted.len()).unwrap_or(i64::MAX),
        })
    }

    pub(crate) fn insert(&self, transaction: &Transaction<'_>, event: EventId) -> Result<(), VmdbError> {
        transaction.execute(
            "INSERT INTO deliveries (event_id, rules_id, decided_at, state, trace, effects, targets, errors) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                event.0,
                self.rules_id.0.to_be_bytes(),
                self.decided_at.as_microsecond(),
                self.state,
                self.trace,
                self.effects,
                self.targets,
                self.errors,
            ],
        )?;
        Ok(())
    }
}

/// The runs over one event, in order.
pub(crate) fn of_event(
    transaction: &rusqlite::Transaction<'_>,
    event: EventId,
) -> Result<Vec<StoredDelivery>, VmdbError> {
    let mut query = transaction.prepare_cached(
        "SELECT rules_id, decided_at, state, trace, effects, targets, errors FROM deliveries \
         WHERE event_id = ?1 ORDER BY id",
    )?;
    let mut rows = query.query([event.0])?;
    let mut deliveries = Vec::new();
    while let Some(row) = rows.next()? {
        let json = |column: usize| -> Result<serde_json::Value, VmdbError> {
            let text: Option<String> = row.get(column)?;
            let read = serde_json::from_str(text.as_deref().unwrap_or("[]"));
            read.map_err(|error| VmdbError::unreadable(format!("a delivery of event {}", event.0), error))
        };
        let mut trace = json(3)?;
        let mut take = |key| {
            trace
                .get_mut(key)
                .map(serde_json::Value::take)
                .unwrap_or_default()
        };
        deliveries.push(StoredDelivery {
            rules_id: RulesId(u128::from_be_bytes(row.get(0)?)),
            decided_at: codec::time(row.get(1)?),
            state: row.get(2)?,
            uri: take("uri"),
            steps: take("steps"),
            actions: take("actions"),
            effects: json(4)?,
            targets: json(5)?,
            errors: serde_json::from_value(json(6)?)
                .map_err(|error| VmdbError::unreadable(format!("the errors of event {}", event.0), error))?,
        });
    }
    Ok(deliveries)
}

fn list<T: Serialize>(what: &'static str, items: &[T]) -> Result<Option<String>, VmdbError> {
    let written = (!items.is_empty()).then(|| codec::to_json(what, &items));
    written.transpose()
}
