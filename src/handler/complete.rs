//! "_Complete" events: where an event ends a task, another event says so, from how the task began and ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::event::EmsEvent;
use crate::model::event::EventHash;
use crate::model::event::EventKey;
use crate::model::event::FullData;
use crate::model::json;
use crate::model::value::Value;
use crate::vmdb::Completion;
use crate::vmdb::NewMessage;

/// Task types whose subject is named by the event that began them, and whose result by the one that ended them.
const MOVES: [&str; 5] = [
    "CloneVM_Task",
    "MarkAsTemplate",
    "MigrateVM_Task",
    "RelocateVM_Task",
    "Rename_Task",
];
/// The keys that name the subject of an event; with `dest_` before them, its destination.
const SUBJECT: [&str; 7] = [
    "vm_ems_ref",
    "vm_uid_ems",
    "vm_name",
    "vm_location",
    "host_ems_ref",
    "host_uid_ems",
    "host_name",
];

/// Whether this event may end a task: its type is a final one, and it belongs to a chain.
pub(crate) fn completion(
    task_final_events: &BTreeMap<String, Vec<String>>,
    event: &EmsEvent,
) -> Option<Completion> {
    let originals = task_final_events.get(&*event.hash.event_type)?;
    let chain_id = event.hash.attributes.get("chain_id")?.to_string();
    if chain_id.trim().is_empty() {
        return None;
    }
    Some(Completion {
        chain_id,
        originals: originals.iter().map(|name| Arc::from(name.as_str())).collect(),
        build,
    })
}

/// The event that says that the task is over (the reference's 3.6).
fn build(original: &EmsEvent, last: &EmsEvent) -> Option<NewMessage> {
    let ems = last.ems.as_ref()?;
    let began_as = &original.hash.event_type;
    let mut attributes = BTreeMap::from([
        (Arc::from("is_task"), Value::Bool(true)),
        (Arc::from("message"), Value::text(format!("{began_as} Completed"))),
    ]);
    for key in ["chain_id", "username"] {
        copy(&last.hash, key, &mut attributes, key);
    }
    let is_move = MOVES.contains(&&**began_as);
    let source = if is_move { &original.hash } else { &last.hash };
    for key in SUBJECT {
        copy(source, key, &mut attributes, key);
    }
    if is_move {
        let has_destination = last.hash.text("dest_vm_name").is_some();
        for key in SUBJECT {
            let destination = format!("dest_{key}");
            let from = if has_destination { &destination } else { key };
            copy(&last.hash, from, &mut attributes, &destination);
        }
    }
    let ended_by = last.hash.event_key.as_ref().map_or("", |key| &key.0);
    let full_data = json::json!({"original_event_id": original.id, "final_event_id": last.id});
    Some(NewMessage::Add {
        ems_id: ems.id,
        hash: EventHash {
            event_type: format!("{began_as}_Complete").into(),
            source: "EVM".into(),
            event_key: Some(EventKey(format!("{ended_by}/{began_as}_Complete").into())),
            ems_ref: None,
            timestamp: last.hash.timestamp,
            attributes,
            full_data: FullData::new(full_data.to_string()),
        },
        received_at: last.received_at,
    })
}

fn copy(from: &EventHash, key: &str, to: &mut BTreeMap<Arc<str>, Value>, as_key: &str) {
    if let Some(value) = from.attributes.get(key).filter(|value| !value.is_blank()) {
        to.insert(as_key.into(), value.clone());
    }
}
