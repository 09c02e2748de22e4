//! What events are related to: the inventory of their manager, and the other events of their task.

use std::collections::BTreeMap;
use std::sync::Arc;

use switchboard::handler::HandlerConfig;
use switchboard::model::delivery::Delivery;
use switchboard::model::ems::Ems;
use switchboard::model::event::EventHash;
use switchboard::model::event::EventId;
use switchboard::model::inventory::InventoryObject;
use switchboard::model::target::ManagerRef;
use switchboard::model::target::Target;
use switchboard::model::value::Value;
use switchboard::vmdb::EventFilter;

use crate::support::Database;
use crate::support::add_ems;
use crate::support::event;
use crate::support::noon;

use crate::support::told_rules::*;

fn task(key: &str, event_type: &str, attributes: &[(&str, Value)]) -> EventHash {
    let mut hash = event(key, "-");
    hash.event_type = event_type.into();
    hash.attributes = attributes
        .iter()
        .map(|(key, value)| (Arc::from(*key), value.clone()))
        .collect();
    hash
}

#[test]
fn the_end_of_a_task_makes_an_event_of_its_own_once() {
    let chain = ("chain_id", Value::text("r-abc"));
    let other_chain = ("chain_id", Value::text("r-def"));
    let name = |key, name| (key, Value::text(name));
    let began_clone = || {
        task(
            "1",
            "CloneVM_Task",
            &[chain.clone(), name("vm_name", "old"), name("host_name", "h1")],
        )
    };
    let ended_clone = || {
        task(
            "2",
            "VmClonedEvent",
            &[chain.clone(), name("vm_name", "new"), name("host_name", "h2")],
        )
    };
    let cases: [(&str, Vec<EventHash>, Option<serde_json::Value>); 5] = [
        (
            "C49: source from the first, destination from the last",
            vec![began_clone(), ended_clone()],
            Some(serde_json::json!({
                "chain_id": "r-abc", "is_task": true, "message": "CloneVM_Task Completed",
                "vm_name": "old", "host_name": "h1", "dest_vm_name": "new", "dest_host_name": "h2",
            })),
        ),
        (
            "C50: source from the last, no destination",
            vec![
                task("1", "PowerOnVM_Task", &[chain.clone(), name("vm_name", "before")]),
                task(
                    "2",
                    "VmPoweredOnEvent",
                    &[chain.clone(), name("vm_name", "after")],
                ),
            ],
            Some(serde_json::json!({
                "chain_id": "r-abc", "is_task": true, "message": "PowerOnVM_Task Completed", "vm_name": "after",
            })),
        ),
        (
            "C51: no chain",
            vec![task("1", "CloneVM_Task", &[]), task("2", "VmClonedEvent", &[])],
            None,
        ),
        (
            "C46: another chain",
            vec![began_clone(), task("2", "VmClonedEvent", &[other_chain])],
            None,
        ),
        (
            "C52: the end comes twice",
            vec![began_clone(), ended_clone(), ended_clone()],
            Some(serde_json::Value::Null),
        ),
    ];
    for (case, events, expected) in cases {
        let (database, ems) = Database::with_ems("cloud");
        let finals = [
            ("VmClonedEvent", "CloneVM_Task"),
            ("VmPoweredOnEvent", "PowerOnVM_Task"),
        ];
        let finals = finals.map(|(last, first)| (last.to_owned(), vec![first.to_owned()]));
        let config = HandlerConfig {
            task_final_events: finals.into(),
            ..HandlerConfig::default()
        };
        let handler = start_with(&database, config, Err(String::new()), |_, _| Delivery::default());
        for event in events {
            put(&database, &ems, vec![event]);
            until_empty(&database.vmdb);
        }
        handler.stop();
        let listed = database.vmdb.events_list(&EventFilter::default()).unwrap();
        let complete: Vec<_> = listed
            .iter()
            .filter(|event| &*event.event.hash.source == "EVM")
            .collect();
        assert_eq!(complete.len(), usize::from(expected.is_some()), "{case}");
        if let (Some(event), Some(expected)) =
            (complete.first(), expected.filter(|expected| !expected.is_null()))
        {
            assert_eq!(
                serde_json::to_value(&event.event.hash.attributes).unwrap(),
                expected,
                "{case}"
            );
            assert_eq!(event.event.hash.timestamp, Some(noon()), "{case}");
        }
    }
}

#[test]
fn events_are_related_to_the_inventory_of_their_own_manager() {
    let (database, ems) = Database::with_ems("cloud");
    let other = add_ems(&database.vmdb, "other");
    let object =
        |ems: &Ems, association: &str, reference: &str, attributes: serde_json::Value| InventoryObject {
            id: 0,
            ems_id: ems.id,
            association: association.into(),
            manager_ref: ManagerRef::ems_ref(reference),
            attributes: serde_json::from_value(attributes).unwrap(),
        };
    use serde_json::json;
    let objects = vec![
        object(
            &ems,
            "vms",
            "i-1",
            json!({"name": "web", "uid_ems": "u-1", "availability_zone": "z-1"}),
        ),
        object(
            &ems,
            "miq_templates",
            "t-1",
            json!({"name": "image", "uid_ems": "u-2"}),
        ),
        object(&ems, "vms", "i-3", json!({"uid_ems": "twice"})),
        object(&ems, "vms", "i-4", json!({"uid_ems": "twice"})),
        object(&other, "vms", "i-5", json!({"uid_ems": "u-5"})),
        object(&ems, "availability_zones", "z-1", json!({})),
        object(&ems, "hosts", "h-1", json!({"uid_ems": "hu-1"})),
        object(&ems, "hosts", "h-2", json!({"uid_ems": "hu-2"})),
    ];
    database.vmdb.inventory_save(None, objects).wait().unwrap();
    let archived = ManagerRef::ems_ref("h-2");
    database
        .vmdb
        .inventory_archive(None, ems.id, "hosts".into(), archived)
        .wait()
        .unwrap();
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [(&'a str, i64)]);
    let cases: &[Case<'_>] = &[
        (
            "C35, C39: by ems_ref, with its zone",
            &[("vm_ems_ref", "i-1")],
            &[("availability_zone_id", 6), ("vm_or_template_id", 1)],
        ),
        (
            "C40: a template",
            &[("vm_ems_ref", "t-1")],
            &[("vm_or_template_id", 2)],
        ),
        ("by uid", &[("vm_uid_ems", "u-2")], &[("vm_or_template_id", 2)]),
        ("C37: not by an ambiguous uid", &[("vm_uid_ems", "twice")], &[]),
        (
            "C37: not by the uid of another manager's",
            &[("vm_uid_ems", "u-5")],
            &[],
        ),
        (
            "a destination by ems_ref",
            &[("dest_vm_ems_ref", "i-3"), ("dest_host_ems_ref", "h-1")],
            &[("dest_host_id", 7), ("dest_vm_or_template_id", 3)],
        ),
        ("a host by uid", &[("host_uid_ems", "hu-1")], &[("host_id", 7)]),
        (
            "C38: an archived host",
            &[("host_uid_ems", "hu-2")],
            &[("host_id", 8)],
        ),
        ("unknown", &[("vm_ems_ref", "i-9")], &[]),
    ];
    let handler = start(&database, |_, _| Delivery::default());
    for (number, (_, attributes, _)) in cases.iter().enumerate() {
        let attributes: Vec<_> = attributes
            .iter()
            .map(|(key, text)| (*key, Value::text(*text)))
            .collect();
        put(
            &database,
            &ems,
            vec![task(&format!("k{number}"), "x", &attributes)],
        );
    }
    let given = [
        ("vm_ems_ref", Value::text("i-1")),
        ("vm_or_template_id", Value::Int(77)),
    ];
    put(&database, &ems, vec![task("given", "x", &given)]);
    until_empty(&database.vmdb);
    handler.stop();
    let event = |id| {
        database
            .vmdb
            .event_show(EventId(id))
            .unwrap()
            .unwrap()
            .stored
            .event
    };
    for ((case, _, links), id) in cases.iter().zip(1..) {
        assert_eq!(event(id).links.into_iter().collect::<Vec<_>>(), *links, "{case}");
    }
    assert_eq!(
        event(1).hash.text("vm_name"),
        Some("web"),
        "C35: the name where there was none"
    );
    let last = i64::try_from(cases.len()).unwrap() + 1;
    assert_eq!(
        event(last).links["vm_or_template_id"],
        77,
        "C36: a given id is not looked up"
    );
}

#[test]
fn events_are_linked_late_to_objects_that_come_to_be_known_after_them() {
    let (database, ems) = Database::with_ems("cloud");
    let other = add_ems(&database.vmdb, "other");
    let handler = start(&database, |_, _| Delivery::default());
    let about = |key: &str, attributes: &[(&str, &str)]| {
        let attributes: Vec<_> = attributes
            .iter()
            .map(|(key, text)| (*key, Value::text(*text)))
            .collect();
        task(key, "x", &attributes)
    };
    let events = vec![
        about("1", &[("vm_ems_ref", "i-1")]),
        about(
            "2",
            &[
                ("dest_vm_ems_ref", "i-1"),
                ("vm_ems_ref", "i-2"),
                ("vm_name", "own"),
            ],
        ),
        about("3", &[("host_ems_ref", "i-1")]),
    ];
    put(&database, &ems, events);
    put(&database, &other, vec![about("1", &[("vm_ems_ref", "i-1")])]);
    until_empty(&database.vmdb);
    handler.stop();
    let object = |association: &str, reference: &str| InventoryObject {
        id: 0,
        ems_id: ems.id,
        association: association.into(),
        manager_ref: ManagerRef::ems_ref(reference),
        attributes: BTreeMap::from([("name".to_owned(), "found".into())]),
    };
    let objects = vec![
        object("miq_templates", "i-1"),
        object("hosts", "i-1"),
        object("vms", "i-2"),
    ];
    database.vmdb.inventory_save(None, objects).wait().unwrap();
    let event = |id| {
        database
            .vmdb
            .event_show(EventId(id))
            .unwrap()
            .unwrap()
            .stored
            .event
    };
    let links = |id| event(id).links.into_iter().collect::<Vec<_>>();
    assert_eq!(links(1), [("vm_or_template_id", 1)]);
    assert_eq!(event(1).hash.text("vm_name"), Some("found"));
    assert_eq!(
        links(2),
        [("dest_vm_or_template_id", 1), ("vm_or_template_id", 3)]
    );
    assert_eq!(
        (event(2).hash.text("vm_name"), event(2).hash.text("dest_vm_name")),
        (Some("own"), Some("found"))
    );
    assert_eq!(links(3), [("host_id", 2)]);
    assert!(links(4).is_empty(), "another manager's");
}

#[test]
fn events_about_an_object_are_found_by_its_association_and_key() {
    let (database, ems) = Database::with_ems("cloud");
    let handler = start(&database, |event, _| match event.id {
        Some(EventId(2)) => refresh(vec![
            vm("i-1"),
            Target::new("cloud_volumes", ManagerRef::ems_ref("v-1")),
        ]),
        _other => Delivery::default(),
    });
    put(
        &database,
        &ems,
        vec![
            event("1", "i-1"),
            event("2", "i-2"),
            event("3", "i-3"),
            event("4", "i-1"),
        ],
    );
    until_empty(&database.vmdb);
    handler.stop();
    let found = |association: &str, reference: &str| -> Vec<i64> {
        let target = Some((association.to_owned(), reference.to_owned()));
        let filter = EventFilter {
            target,
            ..EventFilter::default()
        };
        let events = database.vmdb.events_list(&filter).unwrap();
        events.iter().map(|event| event.event.id.unwrap().0).collect()
    };
    assert_eq!(found("vms", "i-1"), [4, 2, 1]);
    assert_eq!(found("cloud_volumes", "v-1"), [2]);
    assert!(found("cloud_volumes", "i-1").is_empty());
}
