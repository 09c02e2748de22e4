//! Flood control: equal events beyond the rate are decided together, each is saved, and none differs unseen.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use parking_lot::Mutex;
use switchboard::handler::HandlerConfig;
use switchboard::model::clock::SignedDuration;
use switchboard::model::delivery::Delivery;
use switchboard::model::event::EventId;
use switchboard::model::flood::Mark;
use switchboard::model::value::Value;
use switchboard::vmdb::EventFilter;

use crate::support;
use crate::support::Database;
use crate::support::catching::Catching;
use crate::support::catching::with_settings;
use crate::support::cloud::Cloud;
use crate::support::noon;
use crate::support::told_rules::put;
use crate::support::told_rules::start_with;
use crate::support::told_rules::until_empty;

fn event(number: usize, disk: &str) -> String {
    format!(
        r#"{{"id": "e-{number}", "event_name": "com.awesomecloud.vm.update", "time": "2026-01-01T11:00:{:02}Z", "vm": {{"id": "vm-1"}}, "disk": "{disk}"}}"#,
        number % 60
    )
}

/// What the rules see of 41 events of which the last differs: the `flood` of each event that was decided.
async fn decided(settings: &str) -> (Catching, Vec<Option<Value>>) {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    catching.settings.replace(with_settings(settings));
    cloud.page_size(100);
    for number in 1..=40 {
        cloud.happens(event(number, "a"));
    }
    cloud.happens(event(41, "b"));
    catching.add("cloud", &cloud.url(), None).await;
    catching.until(cloud.requested_since(41)).await;
    catching.clock().advance(SignedDuration::from_secs(6));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = seen.clone();
    let config = HandlerConfig {
        threads: 1,
        ..HandlerConfig::default()
    };
    let handler = start_with(
        &catching.database,
        config,
        Err("no parser".to_owned()),
        move |event, _| {
            notes.lock().push(event.hash.get("flood"));
            Delivery::default()
        },
    );
    let vmdb = catching.vmdb().clone();
    tokio::task::spawn_blocking(move || {
        until_empty(&vmdb);
        handler.stop();
    })
    .await
    .unwrap();
    let seen = seen.lock().clone();
    (catching, seen)
}

fn of<'a>(value: &'a Value, key: &str) -> &'a Value {
    match value {
        Value::Map(map) => map.get(key).unwrap(),
        _other => &Value::Null,
    }
}

fn numbers(list: &Value) -> Vec<i64> {
    serde_json::from_str(&serde_json::to_string(list).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn c21_c22_equal_events_beyond_the_rate_become_one_decision_and_each_is_on_the_timeline() {
    let (catching, seen) = decided("").await;
    let floods: Vec<&Value> = seen.iter().flatten().collect();
    // Thirty by themselves, ten together, and the one that differs by itself again.
    assert_eq!((seen.len(), floods.len()), (32, 2));
    let counts: Vec<&Value> = floods.iter().map(|flood| of(flood, "count")).collect();
    assert_eq!(counts, [&Value::Int(10), &Value::Int(1)]);
    let ids = numbers(of(floods[0], "ids"));
    assert_eq!(ids.len(), 10);
    assert_eq!(of(floods[0], "first"), of(floods[0], "last"));
    let vmdb = catching.vmdb();
    assert_eq!(vmdb.events_list(&EventFilter::default()).unwrap().len(), 41);
    let shown = vmdb.event_show(EventId(ids[9])).unwrap().unwrap();
    let why = shown.deliveries[0].steps.to_string();
    assert!(why.contains("decided together with event"), "{why}");
    let folded = (catching.catcher.samples())();
    let folded = folded
        .iter()
        .find(|sample| sample.name == "switchboard_events_folded_total");
    assert_eq!(folded.and_then(|sample| sample.number()), Some(11.0));
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_control_can_be_switched_off() {
    let settings = "        flooding_monitor_enabled: false\n";
    let (catching, seen) = decided(settings).await;
    assert_eq!((seen.len(), seen.iter().flatten().count()), (41, 0));
    catching.stop().await;
}

#[test]
fn what_waits_in_a_flood_keeps_the_order_of_its_lane() {
    let (database, ems) = Database::with_ems("cloud");
    let until = noon() + SignedDuration::from_secs(1);
    let plain = |key: &str, vm: &str| support::event(key, vm);
    let marked = |key: &str, digest: &str| {
        let mut hash = plain(key, "a");
        Mark { until, digest }.put_on(&mut hash);
        hash
    };
    let events = vec![
        plain("1", "a"),
        marked("2", "x"),
        marked("3", "x"),
        plain("4", "a"),
        marked("5", "x"),
        plain("6", "b"),
        marked("7", "y"),
        marked("8", "x"),
    ];
    put(&database, &ems, events);
    let take = || {
        let taken = database.vmdb.take(99, 1).unwrap();
        let ids: Vec<i64> = taken.iter().map(|message| message.ticket.id().0).collect();
        ids
    };
    // Behind one that waits for its like its lane waits too; other lanes go on.
    assert_eq!(take(), [1, 6]);
    database.clock.advance(SignedDuration::from_secs(2));
    assert_eq!(take(), [1, 2, 3, 4, 5, 6, 7, 8]);
    let decided: Arc<Mutex<Vec<(i64, usize)>>> = Arc::default();
    let notes = decided.clone();
    // One thread takes them all at once: of two, each would take a share, and what lies between would be missing there.
    let config = HandlerConfig {
        threads: 1,
        ..HandlerConfig::default()
    };
    let handler = start_with(&database, config, Err("no parser".to_owned()), move |event, _| {
        let flood = event.hash.get("flood");
        let count = flood.map_or(0, |flood| numbers(of(&flood, "ids")).len());
        notes.lock().push((event.id.unwrap().0, count));
        Delivery::default()
    });
    until_empty(&database.vmdb);
    handler.stop();
    let decided: Vec<_> = decided
        .lock()
        .iter()
        .copied()
        .filter(|(id, _)| *id != 6)
        .collect();
    // One decision for 2 and 3; what lies between keeps 5 and 8 apart from them.
    assert_eq!(decided, [(1, 0), (2, 2), (4, 0), (5, 1), (7, 1), (8, 1)]);
}
