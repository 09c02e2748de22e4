//! An event, one type per stage: as it came, as parsed, as saved.

use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::OnceLock;

use jiff::Timestamp;
use serde::ser::{Error, SerializeMap};
use serde::{Deserialize, Serialize, Serializer};

use crate::model::ems::Ems;
use crate::model::envelope::Envelope;
use crate::model::json;
use crate::model::value::{Record, Value};

/// A message as its provider sent it: bytes in, bytes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeEvent {
    /// The JSON text, exactly as it came.
    pub body: Arc<str>,
    /// What stood around it, where its transport has such a thing.
    pub envelope: Option<Envelope>,
}

impl NativeEvent {
    /// A message without anything around it.
    pub fn new(body: impl Into<Arc<str>>) -> Self {
        Self {
            body: body.into(),
            envelope: None,
        }
    }
}

/// What makes two messages the same event; unique per manager, and kept so by the database.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventKey(pub Arc<str>);

/// The number of a saved event; ascending in the order of saving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub i64);

/// Which of ManageIQ's event classes it is; decides the namespace of its rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventClass {
    /// From a provider.
    #[default]
    EmsEvent,
    /// Raised by policy.
    MiqEvent,
    /// From the life of a request.
    RequestEvent,
    /// From an alert.
    CustomEvent,
    /// From a button.
    CustomButtonEvent,
}

impl EventClass {
    /// Each of them.
    pub const ALL: [Self; 5] = [
        Self::EmsEvent,
        Self::MiqEvent,
        Self::RequestEvent,
        Self::CustomEvent,
        Self::CustomButtonEvent,
    ];

    /// The name, as in `/System/Event/<name>/...`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmsEvent => "EmsEvent",
            Self::MiqEvent => "MiqEvent",
            Self::RequestEvent => "RequestEvent",
            Self::CustomEvent => "CustomEvent",
            Self::CustomButtonEvent => "CustomButtonEvent",
        }
    }
}

impl FromStr for EventClass {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == name)
            .ok_or_else(|| {
                format!("`{name}` is no event class; EmsEvent, MiqEvent, RequestEvent, CustomEvent or CustomButtonEvent is expected")
            })
    }
}

/// The native event as JSON text, with room for one parsed view of it, so that nobody parses it twice.
#[derive(Clone)]
pub struct FullData {
    text: Arc<str>,
    view: Arc<OnceLock<Arc<dyn Any + Send + Sync>>>,
}

impl FullData {
    /// Wraps a JSON text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self {
            text: text.into(),
            view: Arc::default(),
        }
    }

    /// The text, byte for byte.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Lets go of the view, which takes several times the memory of the text; other clones keep it.
    pub fn forget_view(&mut self) {
        self.view = Arc::default();
    }

    /// The view of it that `parse` makes; made once, whoever asks.
    pub fn view<T: Any + Send + Sync>(&self, parse: impl FnOnce(&Arc<str>) -> T) -> Option<Arc<T>> {
        self.view
            .get_or_init(|| Arc::new(parse(&self.text)))
            .clone()
            .downcast()
            .ok()
    }
}

impl fmt::Debug for FullData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FullData({} bytes)", self.text.len())
    }
}

impl PartialEq for FullData {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// An event as its parser gave it (`event_to_hash`).
#[derive(Clone, Debug, PartialEq)]
pub struct EventHash {
    /// The name that groups, filters and rules go by.
    pub event_type: Arc<str>,
    /// The provider's tag, for example `AWESOME_CLOUD`: the class of its rules.
    pub source: Arc<str>,
    /// What the parser says is the event's key.
    pub event_key: Option<EventKey>,
    /// The provider's own number for the event.
    pub ems_ref: Option<Arc<str>>,
    /// When it happened, as the provider says.
    pub timestamp: Option<Timestamp>,
    /// Every other key: `message`, `chain_id`, `vm_ems_ref`, ...; what the reference does not list is kept too (L12).
    pub attributes: BTreeMap<Arc<str>, Value>,
    /// The native event as JSON text, as it came.
    pub full_data: FullData,
}

impl EventHash {
    /// A key of the hash; `full_data` is not reached this way.
    pub fn get(&self, key: &str) -> Option<Value> {
        match key {
            "event_type" => Some(Value::Text(self.event_type.clone())),
            "source" => Some(Value::Text(self.source.clone())),
            "ems_ref" => self.ems_ref.clone().map(Value::Text),
            "timestamp" => self.timestamp.map(Value::Time),
            "event_key" => self.event_key.clone().map(|key| Value::Text(key.0)),
            other => self.attributes.get(other).cloned(),
        }
    }

    /// A key of the hash that holds a text which is not blank.
    pub fn text(&self, key: &str) -> Option<&str> {
        match key {
            "ems_ref" => self.ems_ref.as_deref(),
            other => self.attributes.get(other)?.as_str(),
        }
        .filter(|text| !text.trim().is_empty())
    }

    fn serialize_keys<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("event_type", &self.event_type)?;
        map.serialize_entry("source", &self.source)?;
        map.serialize_entry("ems_ref", &self.ems_ref)?;
        map.serialize_entry("timestamp", &self.timestamp)?;
        if let Some(key) = &self.event_key {
            map.serialize_entry("event_key", key)?;
        }
        for (key, value) in &self.attributes {
            map.serialize_entry(key, value)?;
        }
        Ok(())
    }

    /// The hash without `full_data`, as `event list` shows it.
    pub fn without_full_data(&self) -> impl Serialize + '_ {
        struct Keys<'a>(&'a EventHash);
        impl Serialize for Keys<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                self.0.serialize_keys(&mut map)?;
                map.end()
            }
        }
        Keys(self)
    }
}

/// The hash with `full_data` as it came, but for line breaks.
impl Serialize for EventHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // One document is one line: a line break can only stand between the parts of a JSON text.
        let one_line: Cow<'_, str> = match self.full_data.text().contains(['\n', '\r']) {
            true => self.full_data.text().replace(['\n', '\r'], " ").into(),
            false => Cow::Borrowed(self.full_data.text()),
        };
        let full_data = json::raw(&one_line).map_err(S::Error::custom)?;
        let mut map = serializer.serialize_map(None)?;
        self.serialize_keys(&mut map)?;
        map.serialize_entry("full_data", full_data)?;
        map.end()
    }
}

/// What an event has by the reference (7.3, and the keys of an event hash): columns, `full_data` and associations. A
/// parser may give it any other.
pub const EVENT_COLUMNS: [&str; 55] = [
    "availability_zone_ems_ref",
    "chain_id",
    "container_group_ems_ref",
    "container_group_name",
    "container_name",
    "container_namespace",
    "container_node",
    "container_node_ems_ref",
    "container_node_name",
    "container_replicator_ems_ref",
    "container_replicator_name",
    "created_on",
    "dest_host",
    "dest_host_ems_ref",
    "dest_host_id",
    "dest_host_name",
    "dest_vm",
    "dest_vm_ems_ref",
    "dest_vm_location",
    "dest_vm_name",
    "dest_vm_or_template_id",
    "ems",
    "ems_cluster_ems_ref",
    "ems_cluster_name",
    "ems_cluster_uid",
    "ems_id",
    "ems_ref",
    "event_key",
    "event_namespace",
    "event_type",
    "ext_management_system",
    "full_data",
    "host",
    "host_ems_ref",
    "host_id",
    "host_name",
    "host_uid_ems",
    "id",
    "is_task",
    "message",
    "physical_storage_ems_ref",
    "physical_storage_name",
    "received_at",
    "source",
    "src_vm",
    "timestamp",
    "type",
    "username",
    "vm",
    "vm_ems_ref",
    "vm_location",
    "vm_name",
    "vm_or_template",
    "vm_or_template_id",
    "vm_uid_ems",
];

/// An event as it is saved, and as rules see it: ManageIQ's EventStream.
#[derive(Clone)]
pub struct EmsEvent {
    /// Its number, once saved.
    pub id: Option<EventId>,
    /// Its class.
    pub class: EventClass,
    /// Whose it is; none in a simulation without a manager.
    pub ems: Option<Arc<Ems>>,
    /// What the parser gave.
    pub hash: EventHash,
    /// Ids of the inventory that it was related to: `vm_or_template_id`, `host_id`, ...
    pub links: BTreeMap<&'static str, i64>,
    /// When it was received; stands in for a missing `timestamp`.
    pub received_at: Timestamp,
}

impl fmt::Debug for EmsEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "EmsEvent({:?} {} {})",
            self.id, self.hash.source, self.hash.event_type
        )
    }
}

impl Record for EmsEvent {
    fn class(&self) -> Arc<str> {
        Arc::from(self.class.as_str())
    }

    fn id(&self) -> Option<i64> {
        self.id.map(|id| id.0)
    }

    /// The columns that the reference offers on an event object (7.3), `full_data` apart.
    fn column(&self, name: &str) -> Option<Value> {
        let found = match name {
            "id" => self.id.map(|id| Value::Int(id.0)),
            "event_namespace" => Some(Value::text(self.class.as_str())),
            "type" => Some(Value::text(self.class.as_str())),
            "ems_id" => self.ems.as_ref().map(|ems| Value::Int(ems.id.0)),
            "received_at" | "created_on" => Some(Value::Time(self.received_at)),
            other => self.links.get(other).map(|id| Value::Int(*id)),
        };
        // A key of that name which the parser gave comes first.
        found.or_else(|| self.hash.get(name)).or_else(|| match name {
            "ems" | "ext_management_system" => self.ems.clone().map(|ems| Value::Record(ems)),
            _other => None,
        })
    }
}
