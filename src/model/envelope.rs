//! Envelope: what its transport carried around a message, the attributes of a CloudEvent for example.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::model::event::EventHash;
use crate::model::event::EventKey;
use crate::model::json;
use crate::model::json::Map;
use crate::model::value::Value;

/// Under this name the attributes stay with the event hash.
const CLOUD_EVENT: &str = "cloud_event";

/// The context of a CloudEvent, apart from its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Source and id: what makes it the same event, where its parser says nothing else.
    pub event_key: EventKey,
    /// When it happened, where its parser says nothing else.
    pub time: Option<Timestamp>,
    /// Every attribute, extensions included, as it was given.
    pub attributes: Map<String, json::Value>,
}

impl Envelope {
    /// What scripts see of it: `{"cloud_event": {…}}`.
    pub fn for_scripts(&self) -> String {
        format!(
            "{{\"{CLOUD_EVENT}\":{}}}",
            json::Value::Object(self.attributes.clone())
        )
    }

    /// Adds to an event hash what its parser left open. The parser's word counts first.
    pub fn fill_in(&self, hash: &mut EventHash) {
        hash.event_key.get_or_insert_with(|| self.event_key.clone());
        hash.timestamp = hash.timestamp.or(self.time);
        let kept = hash.attributes.entry(Arc::from(CLOUD_EVENT));
        kept.or_insert_with(|| {
            let pairs = self.attributes.iter();
            let pairs = pairs.map(|(name, value)| (Arc::from(name.as_str()), Value::from_json(value)));
            Value::Map(Arc::new(pairs.collect()))
        });
    }
}
