//! What the handler promises, over a real database and rules that each test tells.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Barrier;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard::handler::Current;
use switchboard::handler::Handler;
use switchboard::handler::HandlerConfig;
use switchboard::handler::Rules;
use switchboard::model::clock::SignedDuration;
use switchboard::model::delivery::Action;
use switchboard::model::delivery::Delivery;
use switchboard::model::delivery::DeliveryError;
use switchboard::model::delivery::Effect;
use switchboard::model::delivery::Location;
use switchboard::model::delivery::MachineState;
use switchboard::model::delivery::Outcome as StepOutcome;
use switchboard::model::delivery::Retry;
use switchboard::model::delivery::RulesId;
use switchboard::model::delivery::Step;
use switchboard::model::delivery::StepKind;
use switchboard::model::delivery::Trace;
use switchboard::model::ems::Ems;
use switchboard::model::event::EmsEvent;
use switchboard::model::event::EventHash;
use switchboard::model::event::EventId;
use switchboard::model::event::NativeEvent;
use switchboard::model::inventory::InventoryObject;
use switchboard::model::target::ManagerRef;
use switchboard::model::target::Target;
use switchboard::model::target::TargetCollection;
use switchboard::model::value::Value;
use switchboard::switchboard::ParseError;
use switchboard::switchboard::Parsed;
use switchboard::vmdb::EventFilter;
use switchboard::vmdb::MessageId;
use switchboard::vmdb::MessageState;
use switchboard::vmdb::NewMessage;
use switchboard::vmdb::QueueFilter;
use switchboard::vmdb::RefreshFilter;
use switchboard::vmdb::Vmdb;

use crate::support::Database;
use crate::support::add;
use crate::support::add_ems;
use crate::support::event;
use crate::support::noon;

type Deliver = dyn Fn(&EmsEvent, Option<&Retry>) -> Delivery + Send + Sync;

/// Rules as a test tells them.
struct Told {
    deliver: Box<Deliver>,
    parse: Result<EventHash, String>,
}

impl Rules for Told {
    fn id(&self) -> RulesId {
        RulesId(11)
    }

    fn parse(&self, _ems: &Ems, _native: &NativeEvent) -> Result<Parsed, ParseError> {
        self.parse.clone().map(Parsed::Event).map_err(ParseError)
    }

    fn deliver(&self, event: &Arc<EmsEvent>, retry: Option<&Retry>) -> Delivery {
        (self.deliver)(event, retry)
    }
}

fn start_with(
    database: &Database,
    config: HandlerConfig,
    parse: Result<EventHash, String>,
    deliver: impl Fn(&EmsEvent, Option<&Retry>) -> Delivery + Send + Sync + 'static,
) -> Handler {
    let deliver = Box::new(deliver);
    let rules: Arc<dyn Rules> = Arc::new(Told { deliver, parse });
    let rules: Current<dyn Rules> = Arc::new(move || rules.clone());
    let config = Arc::new(config);
    let config: Current<HandlerConfig> = Arc::new(move || config.clone());
    Handler::start(&database.vmdb, &rules, &config).unwrap()
}

fn start(
    database: &Database,
    deliver: impl Fn(&EmsEvent, Option<&Retry>) -> Delivery + Send + Sync + 'static,
) -> Handler {
    start_with(
        database,
        HandlerConfig::default(),
        Err("no parser".to_owned()),
        deliver,
    )
}

/// Waits until it is so; fails after a while.
fn until(vmdb: &Vmdb, is_so: impl Fn() -> bool) {
    for _turn in 0..1_000 {
        let seen = vmdb.messages_seen();
        if is_so() {
            return;
        }
        vmdb.wait_for_messages(seen, Duration::from_millis(20));
    }
    panic!("waited in vain");
}

fn until_empty(vmdb: &Vmdb) {
    until(vmdb, || {
        vmdb.queue_list(&QueueFilter::default()).unwrap().is_empty()
    });
}

fn put(database: &Database, ems: &Ems, events: Vec<EventHash>) {
    let messages: Vec<NewMessage> = events.into_iter().map(|hash| add(ems, hash)).collect();
    database.vmdb.put(messages).wait().unwrap();
}

fn refresh(targets: Vec<Target>) -> Delivery {
    Delivery {
        effects: vec![Effect::QueueRefresh {
            targets: targets.into_iter().collect::<TargetCollection>(),
        }],
        ..Delivery::default()
    }
}

fn vm(reference: &str) -> Target {
    Target::new("vms", ManagerRef::ems_ref(reference))
}

#[test]
fn an_event_is_saved_decided_and_its_targets_wait() {
    let (database, ems) = Database::with_ems("cloud");
    let handler = start(&database, |event, _| {
        assert_eq!(event.id, Some(EventId(1)));
        refresh(vec![vm(event.hash.text("vm_ems_ref").unwrap())])
    });
    put(&database, &ems, vec![event("k", "vm-1")]);
    until_empty(&database.vmdb);
    handler.stop();
    let shown = database.vmdb.event_show(EventId(1)).unwrap().unwrap();
    assert_eq!(shown.stored.group.group.as_ref(), "other");
    assert_eq!(shown.deliveries[0].rules_id, RulesId(11));
    assert_eq!(shown.deliveries[0].state, "delivered");
    assert_eq!(shown.deliveries[0].targets, [vm("vm-1")]);
    let refresh = database.vmdb.refresh_show(shown.refreshes[0]).unwrap().unwrap();
    assert_eq!(refresh.requested[0].target, vm("vm-1"));
    let tally = database.vmdb.tallies().unwrap()[&ems.id];
    assert_eq!((tally.delivered, tally.effects, tally.targets), (1, 1, 1));
}

#[test]
fn an_event_whose_rules_fail_or_panic_is_saved_with_the_reason_and_spoils_none() {
    let (database, ems) = Database::with_ems("cloud");
    put(
        &database,
        &ems,
        (0..256)
            .map(|i| event(&format!("k{i}"), &format!("vm-{i}")))
            .collect(),
    );
    let handler = start(&database, |event, _| match event.id {
        Some(EventId(7)) => panic!("boom"),
        Some(EventId(9)) => Delivery {
            errors: vec![DeliveryError {
                path: "/x".into(),
                kind: "AbortInstantiation".into(),
                message: "thrown".into(),
                fatal: true,
            }],
            ..Delivery::default()
        },
        _other => refresh(vec![vm(event.hash.text("vm_ems_ref").unwrap())]),
    });
    until_empty(&database.vmdb);
    handler.stop();
    assert_eq!(database.vmdb.event_count().unwrap(), 256);
    let delivery = |id| {
        database
            .vmdb
            .event_show(EventId(id))
            .unwrap()
            .unwrap()
            .deliveries
            .remove(0)
    };
    assert_eq!(
        (delivery(7).state.as_str(), delivery(7).errors[0].kind.as_str()),
        ("failed", "Panic")
    );
    assert!(delivery(7).errors[0].message.contains("boom"));
    assert_eq!(delivery(9).errors[0].message, "thrown");
    assert_eq!(
        database.vmdb.refresh_list(&RefreshFilter::default()).unwrap()[0].targets,
        254
    );
}

#[test]
fn events_of_one_resource_are_delivered_in_order_by_any_number_of_threads() {
    let (database, ems) = Database::with_ems("cloud");
    let seen: Arc<Mutex<BTreeMap<String, Vec<i64>>>> = Arc::default();
    let delivered = seen.clone();
    let config = HandlerConfig {
        threads: 4,
        batch: 5,
        ..HandlerConfig::default()
    };
    let handler = start_with(&database, config, Err(String::new()), move |event, _| {
        let lane = event.hash.text("vm_ems_ref").unwrap().to_owned();
        delivered
            .lock()
            .entry(lane)
            .or_default()
            .push(event.id.unwrap().0);
        Delivery::default()
    });
    for round in 0..20 {
        put(
            &database,
            &ems,
            (0..25)
                .map(|i| event(&format!("k{round}-{i}"), &format!("vm-{}", i % 7)))
                .collect(),
        );
    }
    until_empty(&database.vmdb);
    handler.stop();
    let seen = seen.lock();
    assert_eq!(seen.values().map(Vec::len).sum::<usize>(), 500);
    for (lane, ids) in &*seen {
        assert!(ids.is_sorted(), "{lane}: {ids:?}");
    }
}

#[test]
fn events_of_different_resources_are_delivered_side_by_side() {
    let (database, ems) = Database::with_ems("cloud");
    put(&database, &ems, vec![event("k1", "a"), event("k2", "b")]);
    // Each waits within its delivery until the other one is there.
    let both = Barrier::new(2);
    let handler = start(&database, move |_, _| {
        both.wait();
        Delivery::default()
    });
    until_empty(&database.vmdb);
    handler.stop();
}

#[test]
fn a_message_that_could_not_be_parsed_becomes_an_event_once_its_script_is_mended() {
    let (database, ems) = Database::with_ems("cloud");
    let unparsed = NewMessage::Unparsed {
        ems_id: ems.id,
        native: NativeEvent { body: "{}".into() },
        reason: "boom".into(),
        rules_id: RulesId(3),
        received_at: noon(),
    };
    database.vmdb.put(vec![unparsed]).wait().unwrap();
    let broken = start_with(
        &database,
        HandlerConfig::default(),
        Err("still".into()),
        |_, _| Delivery::default(),
    );
    database.vmdb.queue_retry(MessageId(1)).wait().unwrap();
    until(&database.vmdb, || {
        let entry = database.vmdb.queue_show(MessageId(1)).unwrap().unwrap();
        entry.state == MessageState::Dead && entry.error.as_deref() == Some("still")
    });
    broken.stop();
    let mended = start_with(
        &database,
        HandlerConfig::default(),
        Ok(event("k", "a")),
        |_, _| Delivery::default(),
    );
    database.vmdb.queue_retry(MessageId(1)).wait().unwrap();
    until_empty(&database.vmdb);
    mended.stop();
    assert_eq!(database.vmdb.event_count().unwrap(), 1);
    let tally = database.vmdb.tallies().unwrap()[&ems.id];
    assert_eq!((tally.accepted, tally.delivered, tally.dead), (1, 1, 0));
}

#[test]
fn a_state_machine_goes_on_when_it_is_due_with_all_it_knew() {
    let (database, ems) = Database::with_ems("cloud");
    let known = Retry {
        after: 60.0,
        server_affinity: true,
        machines: BTreeMap::from([(
            Arc::from("/M/S/C/i"),
            MachineState {
                ae_state: Value::text("check"),
                ae_state_started: Value::Time(noon()),
                ae_state_retries: Value::Int(1),
                ae_state_max_retries: Value::Null,
            },
        )]),
        state_vars: BTreeMap::from([(Arc::from("s"), Value::Symbol("sym".into()))]),
        root: BTreeMap::from([(Arc::from("ae_state"), Arc::from("check"))]),
    };
    let expected = known.clone();
    let handler = start(&database, move |_, retry| match retry {
        None => Delivery {
            retry: Some(known.clone()),
            ..Delivery::default()
        },
        Some(retry) => {
            assert_eq!(*retry, expected);
            refresh(vec![vm("late")])
        }
    });
    put(&database, &ems, vec![event("k", "a")]);
    until(&database.vmdb, || database.vmdb.event_count().unwrap() == 1);
    let waiting = database
        .vmdb
        .queue_list(&QueueFilter::default())
        .unwrap()
        .remove(0);
    assert_eq!(waiting.state, MessageState::Waiting);
    assert_eq!(waiting.due, Some(noon() + SignedDuration::from_secs(60)));
    database.clock.advance(SignedDuration::from_secs(61));
    until_empty(&database.vmdb);
    handler.stop();
    let shown = database.vmdb.event_show(EventId(1)).unwrap().unwrap();
    let states: Vec<&str> = shown
        .deliveries
        .iter()
        .map(|delivery| delivery.state.as_str())
        .collect();
    assert_eq!(states, ["retry", "delivered"]);
    assert_eq!(shown.refreshes.len(), 1);
}

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
    type Case = (
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static [(&'static str, i64)],
    );
    let cases: &[Case] = &[
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
        attributes: BTreeMap::from([("name".to_owned(), serde_json::json!("found"))]),
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

#[test]
fn a_trace_is_shown_as_it_was_whether_its_steps_were_known_or_not() {
    fn trace(event: &str) -> Trace {
        let step = |field: &str, written: &str, value: Option<Value>, why: Option<Cow<'static, str>>| Step {
            kind: StepKind::Relationship,
            path: "/ManageIQ/System/Event/EmsEvent/X".into(),
            depth: 2,
            file: Some("automate/x.yaml".into()),
            line: Some(3),
            field: Some(field.into()),
            written: Some(written.into()),
            value,
            outcome: StepOutcome::Followed,
            why,
        };
        let steps = vec![
            step("rel1", "/a", Some(Value::text("/a")), None),
            step(
                "rel2",
                "/${/#event_type}",
                Some(Value::text(format!("/{event}"))),
                None,
            ),
            step("rel3", "", None, Some("always so".into())),
            step("rel4", "", None, Some(format!("saw {event}").into())),
            Step {
                file: None,
                line: None,
                field: None,
                written: None,
                ..step("", "", Some(Value::Int(1)), None)
            },
        ];
        let action = Action {
            object: "/System/event_handlers/refresh".into(),
            attributes: vec![("event".into(), Value::text(event)), ("none".into(), Value::Null)],
            method: "refresh".into(),
            location: Location::Builtin,
            inputs: Vec::new(),
            result: "ok",
        };
        Trace {
            uri: format!("/x?{event}").into(),
            steps,
            actions: vec![action.clone(), action],
        }
    }
    let (database, ems) = Database::with_ems("cloud");
    let handler = start(&database, |event, _| Delivery {
        trace: trace(&event.hash.event_key.as_ref().unwrap().0),
        ..Delivery::default()
    });
    for key in ["k1", "k2", "k3"] {
        put(&database, &ems, vec![event(key, "a")]);
        until_empty(&database.vmdb);
    }
    handler.stop();
    for (key, id) in ["k1", "k2", "k3"].into_iter().zip(1..) {
        let shown = database
            .vmdb
            .event_show(EventId(id))
            .unwrap()
            .unwrap()
            .deliveries
            .remove(0);
        let shown = serde_json::json!({"uri": shown.uri, "steps": shown.steps, "actions": shown.actions});
        assert_eq!(shown.to_string(), serde_json::to_string(&trace(key)).unwrap());
    }
}

#[test]
fn a_poisoned_message_parks_its_lane_visibly_and_the_lane_goes_on_in_order() {
    let (database, ems) = Database::with_ems("cloud");
    put(
        &database,
        &ems,
        vec![
            event("k1", "a"),
            event("k2", "b"),
            event("k3", "a"),
            event("k4", "a"),
        ],
    );
    let path = database.folder.path().join("test.db");
    let by_hand = rusqlite::Connection::open(path).unwrap();
    by_hand
        .execute("UPDATE miq_queue SET payload = 'nonsense' WHERE id = 1", [])
        .unwrap();
    let seen: Arc<Mutex<Vec<i64>>> = Arc::default();
    let delivered = seen.clone();
    let handler = start(&database, move |event, _| {
        delivered.lock().push(event.id.unwrap().0);
        Delivery::default()
    });
    let vmdb = &database.vmdb;
    until(vmdb, || {
        vmdb.queue_counts().unwrap().parked == 1 && vmdb.event_count().unwrap() == 1
    });
    assert_eq!(*seen.lock(), [2]);
    let entry = vmdb.queue_show(MessageId(1)).unwrap().unwrap();
    assert_eq!(entry.state, MessageState::Parked);
    assert!(entry.error.is_some_and(|error| error.contains("expected")));
    vmdb.queue_discard(MessageId(1)).wait().unwrap();
    until_empty(vmdb);
    handler.stop();
    assert_eq!(*seen.lock(), [2, 3, 4]);
}

#[test]
fn a_message_that_ends_the_process_is_tried_once_more_alone_and_then_given_up() {
    let (database, ems) = Database::with_ems("cloud");
    put(
        &database,
        &ems,
        vec![event("k1", "a"), event("k2", "b"), event("k3", "a")],
    );
    let taken = database.folder.path().join("test.db.taken");
    let url = database.url();
    let (clock, mut vmdb) = (database.clock.clone(), database.vmdb.clone());
    let Database {
        folder: _folder,
        vmdb: first,
        ..
    } = database;
    drop(first);
    for (start, (expected, state)) in [(vec![1], MessageState::Taken), (vec![2], MessageState::Parked)]
        .into_iter()
        .enumerate()
    {
        vmdb.close();
        // Left behind by a process that ended with these in hand.
        std::fs::write(&taken, if start == 0 { "1\n2\n.\n3\n" } else { "1\n.\n" }).unwrap();
        vmdb = Vmdb::open_to_serve(&url, clock.clone()).unwrap();
        let messages = vmdb.take(9, 1).unwrap();
        let ids: Vec<i64> = messages.iter().map(|message| message.ticket.id().0).collect();
        assert_eq!(ids, expected, "start {start}");
        assert_eq!(
            vmdb.queue_show(MessageId(1)).unwrap().unwrap().state,
            state,
            "start {start}"
        );
    }
    assert_eq!(
        vmdb.queue_show(MessageId(3)).unwrap().unwrap().state,
        MessageState::Ready
    );
}

#[test]
fn a_target_may_be_another_managers_and_one_that_does_not_exist_is_told() {
    let (database, ems) = Database::with_ems("cloud");
    let parent = add_ems(&database.vmdb, "parent");
    let handler = start(&database, |_, _| {
        let of = |name: &str| Target {
            ems: Some(name.into()),
            ..vm("vm-1")
        };
        refresh(vec![vm("vm-1"), of("parent"), of("nobody")])
    });
    put(&database, &ems, vec![event("k", "a")]);
    until_empty(&database.vmdb);
    handler.stop();
    let refreshes = database.vmdb.refresh_list(&RefreshFilter::default()).unwrap();
    let names: Vec<&str> = refreshes.iter().map(|refresh| &*refresh.ems).collect();
    assert_eq!(names, [&*parent.name, "cloud"]);
    let shown = database.vmdb.event_show(EventId(1)).unwrap().unwrap();
    assert_eq!(shown.deliveries[0].errors[0].kind, "UnknownManager");
    assert_eq!(shown.refreshes.len(), 2);
}
