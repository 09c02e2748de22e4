//! Flood control: equal events beyond the rate are decided together, each is saved, and none differs unseen.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use parking_lot::Mutex;
use switchboard::handler::HandlerConfig;
use switchboard::model::clock::SignedDuration;
use switchboard::model::delivery::Delivery;
use switchboard::model::event::EventId;
use switchboard::model::value::Value;
use switchboard::vmdb::EventFilter;

use crate::support::catching::Catching;
use crate::support::catching::with_settings;
use crate::support::cloud::Cloud;
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
