//! An event as JSON, listed or shown: one form for the API and the command line.

use serde::Serialize;
use serde::Serializer;
use serde::ser::Error;
use serde::ser::SerializeMap;

use crate::model::json;
use crate::model::json::Map;
use crate::model::json::Value;
use crate::model::json::json;
use crate::model::relation;
use crate::vmdb::ShownEvent;
use crate::vmdb::StoredDelivery;
use crate::vmdb::StoredEvent;

/// A listed event: `id`, `ems`, `event_key`, the keys of its event hash except `full_data`, its group and level.
pub(crate) fn listed(stored: &StoredEvent) -> Map<String, Value> {
    let event = &stored.event;
    let mut map = Map::new();
    map.insert("id".to_owned(), json!(event.id));
    map.insert("ems".to_owned(), json!(event.ems.as_ref().map(|ems| &ems.name)));
    map.insert("event_key".to_owned(), json!(event.hash.event_key));
    if let Ok(Value::Object(keys)) = json::to_value(&event.hash.without_full_data()) {
        for (key, value) in keys {
            map.entry(key).or_insert(value);
        }
    }
    map.insert("received_at".to_owned(), json!(event.received_at));
    map.insert("group".to_owned(), json!(stored.group.group));
    map.insert("level".to_owned(), json!(stored.group.level));
    map.insert("outcome".to_owned(), json!(stored.outcome));
    if let Some(subject) = relation::subject(&event.hash) {
        let resource =
            json!({"association": subject.association, "ref": subject.reference, "name": subject.name});
        map.insert("resource".to_owned(), resource);
    }
    for (link, id) in &event.links {
        map.insert((*link).to_owned(), json!(id));
    }
    map
}

/// A shown event: as listed, and `full_data` as it came, which generation decided and how it went.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    event: &'a ShownEvent,
    more: Map<String, Value>,
}

impl<'a> Shown<'a> {
    /// The event and its decision.
    pub(crate) fn new(event: &'a ShownEvent) -> Self {
        Self::with(event, Map::new())
    }

    /// With what is known besides, behind them.
    pub(crate) fn with(event: &'a ShownEvent, more: Map<String, Value>) -> Self {
        Self { event, more }
    }

    /// How the last run of the rules went, and where there were several, each of them.
    pub(crate) fn decision(&self) -> Map<String, Value> {
        let deliveries = &self.event.deliveries;
        let mut map = match deliveries.last() {
            Some(last) => run(last),
            None => undecided(),
        };
        if deliveries.len() > 1 {
            let runs = deliveries.iter().map(|delivery| Value::Object(run(delivery)));
            map.insert("deliveries".to_owned(), runs.collect());
        }
        map.insert("refreshes".to_owned(), json!(self.event.refreshes));
        map.insert("outbox".to_owned(), json!(self.event.outbox));
        map
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in listed(&self.event.stored) {
            map.serialize_entry(&key, &value)?;
        }
        let text = self.event.stored.event.hash.full_data.text();
        match json::raw(text) {
            Ok(raw) => map.serialize_entry("full_data", raw)?,
            Err(_) if text.is_empty() => {
                return Err(S::Error::custom("the event was read without its full data"));
            }
            Err(_) => map.serialize_entry("full_data", text)?,
        }
        for (key, value) in self.decision().iter().chain(&self.more) {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

fn run(delivery: &StoredDelivery) -> Map<String, Value> {
    let entries = [
        ("generation", json!(delivery.rules_id)),
        ("decided_at", json!(delivery.decided_at)),
        ("state", json!(delivery.state)),
        ("uri", delivery.uri.clone()),
        ("steps", delivery.steps.clone()),
        ("actions", delivery.actions.clone()),
        ("targets", delivery.targets.clone()),
        ("effects", delivery.effects.clone()),
        ("errors", json!(delivery.errors)),
    ];
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn undecided() -> Map<String, Value> {
    let keys = ["steps", "actions", "targets", "effects", "errors"].map(|key| (key.to_owned(), json!([])));
    [("generation".to_owned(), Value::Null)]
        .into_iter()
        .chain(keys)
        .collect()
}
