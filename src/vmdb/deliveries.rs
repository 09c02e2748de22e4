//! deliveries: what the rules made of each event, and which rules: what users are shown is what was recorded.

use rusqlite::params;
use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::model::delivery::Delivery;
use crate::model::delivery::DeliveryError;
use crate::model::delivery::RulesId;
use crate::model::event::EventId;
use crate::model::json;
use crate::model::target::Target;
use crate::model::target::TargetCollection;
use crate::vmdb::FeedPosition;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::known_steps::KnownSteps;
use crate::vmdb::traces::ReadTrace;
use crate::vmdb::traces::WrittenTrace;
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
    pub uri: json::Value,
    /// The steps, as `simulate` prints them.
    pub steps: json::Value,
    /// The method calls.
    pub actions: json::Value,
    /// What was asked to be refreshed.
    pub targets: json::Value,
    /// Everything that was asked for, in order.
    pub effects: json::Value,
    /// What went wrong.
    pub errors: Vec<DeliveryError>,
}

/// A delivery in the form of its row.
pub(crate) struct DeliveryRow {
    rules_id: RulesId,
    decided_at: Timestamp,
    state: &'static str,
    trace: WrittenTrace,
    effects: Option<String>,
    errors: Option<String>,
    pub(crate) effect_count: i64,
    pub(crate) target_count: i64,
}

impl DeliveryRow {
    pub(crate) fn new(
        delivery: &Delivery,
        rules_id: RulesId,
        decided_at: Timestamp,
        known: &KnownSteps,
    ) -> Result<Self, VmdbError> {
        let state = match delivery {
            Delivery { retry: Some(_), .. } => "retry",
            Delivery { errors, .. } if errors.iter().any(|error| error.fatal) => "failed",
            Delivery { .. } => "delivered",
        };
        let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        Ok(Self {
            rules_id,
            decided_at,
            state,
            trace: WrittenTrace::new(&delivery.trace, known)?,
            effects: list("effects", &delivery.effects)?,
            errors: list("errors", &delivery.errors)?,
            effect_count: count(delivery.effects.len()),
            target_count: count(delivery.target_count()),
        })
    }

    pub(crate) fn insert(&self, transaction: &mut Transaction<'_>, event: EventId) -> Result<(), VmdbError> {
        self.trace.insert_new(transaction)?;
        transaction.execute_held(
            "INSERT INTO deliveries (event_id, rules_id, decided_at, state, trace, effects, errors) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                event.0,
                self.rules_id.0.to_be_bytes(),
                self.decided_at.as_microsecond(),
                self.state,
                self.trace.text,
                self.effects,
                self.errors,
            ],
        )?;
        let position = FeedPosition(transaction.connection.last_insert_rowid());
        transaction.news.last_delivery = transaction.news.last_delivery.max(Some(position));
        Ok(())
    }
}

/// The runs over one event, in order.
pub(crate) fn of_event(
    transaction: &rusqlite::Transaction<'_>,
    event: EventId,
) -> Result<Vec<StoredDelivery>, VmdbError> {
    let mut query = transaction.prepare_cached(
        "SELECT rules_id, decided_at, state, trace, effects, errors FROM deliveries \
         WHERE event_id = ?1 ORDER BY id",
    )?;
    let mut rows = query.query([event.0])?;
    let mut deliveries = Vec::new();
    while let Some(row) = rows.next()? {
        let unreadable = |error| VmdbError::unreadable(format!("a delivery of event {}", event.0), error);
        let json = |column: usize| -> Result<json::Value, VmdbError> {
            let text: Option<String> = row.get(column)?;
            json::read(text.as_deref().unwrap_or("[]")).map_err(|error| unreadable(error.into()))
        };
        let trace: String = row.get(3)?;
        let trace = ReadTrace::read(transaction, &trace)?;
        let effects = json(4)?;
        deliveries.push(StoredDelivery {
            rules_id: RulesId(u128::from_be_bytes(row.get(0)?)),
            decided_at: codec::time(row.get(1)?),
            state: row.get(2)?,
            uri: trace.uri,
            steps: trace.steps,
            actions: trace.actions,
            targets: targets(&effects).map_err(unreadable)?,
            effects,
            errors: json::from_value(&json(5)?).map_err(unreadable)?,
        });
    }
    Ok(deliveries)
}

/// The targets of all effects, sorted and without duplicates, as `simulate` prints them.
fn targets(effects: &json::Value) -> Result<json::Value, serde_json::Error> {
    let lists = effects
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|effect| effect.get("targets"));
    let mut collection = TargetCollection::default();
    for list in lists {
        for target in json::from_value::<Vec<Target>>(list)? {
            collection.add(target);
        }
    }
    json::to_value(&collection.sorted())
}

fn list<T: Serialize>(what: &'static str, items: &[T]) -> Result<Option<String>, VmdbError> {
    let written = (!items.is_empty()).then(|| codec::to_json(what, &items));
    written.transpose()
}
