//! An event as the input of its run: the attributes of the root, and the URI that gives the same ones (reference 8.2,
//! 8.4).

use std::borrow::Cow;
use std::sync::Arc;

use crate::automate::names::EVENT_CONSTANTS;
use crate::automate::names::EVENT_STREAM;
use crate::automate::names::EVENT_TYPE;
use crate::model::ae_path;
use crate::model::event::EmsEvent;
use crate::model::records::Records;
use crate::model::value::Value;

/// The source whose events bring their manager along.
const WITH_MANAGER: &str = "VC";

/// A link of an event that becomes a record of the root.
struct Linked {
    /// The column that holds its number.
    column: &'static str,
    class: &'static str,
    /// The attribute of the record.
    name: &'static str,
    /// The attribute of its number.
    id: &'static str,
    /// The key of a URI that gives both.
    key: &'static str,
}

const LINKED: [Linked; 4] = [
    Linked {
        column: "vm_or_template_id",
        class: "VmOrTemplate",
        name: "vm",
        id: "vm_id",
        key: "VmOrTemplate::vm",
    },
    Linked {
        column: "dest_vm_or_template_id",
        class: "VmOrTemplate",
        name: "dest_vm",
        id: "dest_vm_id",
        key: "VmOrTemplate::dest_vm",
    },
    Linked {
        column: "host_id",
        class: "Host",
        name: "host",
        id: "host_id",
        key: "Host::host",
    },
    Linked {
        column: "dest_host_id",
        class: "Host",
        name: "dest_host",
        id: "dest_host_id",
        key: "Host::dest_host",
    },
];

/// The input of an event's run.
pub(crate) struct EventEntry {
    /// Attributes of the root.
    pub(crate) attributes: Vec<(Arc<str>, Value)>,
    /// Run by itself, it gives the root the same attributes.
    pub(crate) uri: Arc<str>,
}

/// The input of an event's run. A linked object that is no record any more is given by its number alone.
pub(crate) fn of(event: &Arc<EmsEvent>, records: &dyn Records) -> EventEntry {
    let mut attributes: Vec<(Arc<str>, Value)> = Vec::with_capacity(8);
    attributes.push((EVENT_TYPE.clone(), Value::Text(event.hash.event_type.clone())));
    attributes.push((EVENT_STREAM.clone(), Value::Record(event.clone())));
    attributes.extend_from_slice(&*EVENT_CONSTANTS);
    let mut pairs: Vec<(&str, Cow<'_, str>)> = Vec::with_capacity(8);
    pairs.push(("event_type", Cow::from(&*event.hash.event_type)));
    pairs.push(("object_name", Cow::from("Event")));
    pairs.push(("vmdb_object_type", Cow::from("event_stream")));
    if let Some(id) = event.id {
        let id = id.0.to_string();
        let value = Value::text(id.as_str());
        attributes.push((Arc::from("event_id"), value.clone()));
        attributes.push((Arc::from("event_stream_id"), value));
        let keys = ["EventStream::event_stream", "event_id", "event_stream_id"];
        pairs.extend(keys.map(|key| (key, Cow::from(id.clone()))));
    }
    let mut link =
        |name: &'static str, id_name: &'static str, key: &'static str, id: i64, record: Option<Value>| {
            let id = id.to_string();
            attributes.push((Arc::from(id_name), Value::text(id.as_str())));
            if let Some(record) = record {
                attributes.push((Arc::from(name), record));
                pairs.push((key, Cow::from(id.clone())));
            }
            pairs.push((id_name, Cow::from(id)));
        };
    for linked in &LINKED {
        if let Some(id) = event.links.get(linked.column) {
            let record = records.find(linked.class, *id).map(Value::Record);
            link(linked.name, linked.id, linked.key, *id, record);
        }
    }
    if let Some(ems) = event.ems.as_ref().filter(|_| &*event.hash.source == WITH_MANAGER) {
        let record = Value::Record(ems.clone());
        link(
            "ems",
            "ems_id",
            "ExtManagementSystem::ems",
            ems.id.0,
            Some(record),
        );
    }
    EventEntry {
        uri: Arc::from(["/System/Process/Event?", &ae_path::pairs_to_query(pairs)].concat()),
        attributes,
    }
}
