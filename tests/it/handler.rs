//! What the handler promises, over a real database and rules that each test tells.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Barrier;

use parking_lot::Mutex;
use switchboard::handler::HandlerConfig;
use switchboard::model::clock::SignedDuration;
use switchboard::model::delivery::Delivery;
use switchboard::model::delivery::DeliveryError;
use switchboard::model::delivery::MachineState;
use switchboard::model::delivery::Retry;
use switchboard::model::delivery::RulesId;
use switchboard::model::event::EventId;
use switchboard::model::event::NativeEvent;
use switchboard::model::target::Target;
use switchboard::model::value::Value;
use switchboard::vmdb::MessageId;
use switchboard::vmdb::MessageState;
use switchboard::vmdb::NewMessage;
use switchboard::vmdb::QueueFilter;
use switchboard::vmdb::RefreshFilter;
use switchboard::vmdb::Vmdb;

use crate::support::Database;
use crate::support::add_ems;
use crate::support::event;
use crate::support::noon;

use crate::support::told_rules::*;

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
    let targets = serde_json::json!([{"association": "vms", "manager_ref": {"ems_ref": "vm-1"}}]);
    assert_eq!(shown.deliveries[0].targets, targets);
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
        native: NativeEvent::new("{}"),
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
        entry.state == MessageState::Dead && entry.error.is_some_and(|error| error.ends_with("still"))
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
