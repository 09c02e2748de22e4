//! The API over a real port: events by object and by time, in pages that stay where they are, and the inventory.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;
use switchboard::model::ems::EmsId;
use switchboard::model::inventory::InventoryObject;
use switchboard::model::target::ManagerRef;
use switchboard::vmdb::RefreshId;

use crate::support::served::Served;

fn native(id: &str, vm: &str, minute: u32) -> String {
    format!(
        r#"{{"id": "{id}", "event_name": "com.awesomecloud.vm.create", "time": "2026-01-01T11:{minute:02}:00Z",
             "vm": {{"id": "{vm}"}}}}"#
    )
}

/// The ids of every page, and how many pages there were.
fn pages(served: &Served, path: &str) -> (Vec<i64>, usize) {
    let (mut ids, mut count, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let answer = served.get(&format!("{path}{cursor}"));
        assert_eq!(answer.status, 200, "{path}{cursor} {answer:?}");
        let page = answer.json();
        let events = page["event_streams"].as_array().unwrap();
        ids.extend(events.iter().map(|event| event["id"].as_i64().unwrap()));
        count += 1;
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (ids, count),
        }
    }
}

#[test]
fn events_are_found_by_object_and_by_time_and_pages_stay_where_they_are() {
    let served = Served::with("");
    // They do not come in the order in which they happened; two happened at once.
    let minutes = [5, 1, 4, 1, 3];
    let events = minutes.iter().zip(1..).map(|(minute, number)| {
        let vm = if number % 2 == 1 { "a:1" } else { "b" };
        native(&format!("e-{number}"), vm, *minute)
    });
    let events: Vec<String> = events.collect();
    assert_eq!(served.post(&format!("[{}]", events.join(","))).status, 202);
    served.until_saved(5);
    served.until("/api/queue", |answer| answer.json()["queue"] == json!([]));

    let from = "from=2026-01-01T11:00:00Z";
    for (path, expected) in [
        ("/api/event_streams?limit=2", vec![5, 4, 3, 2, 1]),
        ("/api/event_streams?limit=2&target=vms:a:1", vec![5, 3, 1]),
        ("/api/event_streams?limit=2&target=miq_templates:b", vec![4, 2]),
        ("/api/event_streams?limit=2&target=vms:c", vec![]),
        ("/api/event_streams?limit=2&target=hosts:b", vec![]),
        (
            "/api/event_streams?limit=2&from=2026-01-01T11:01:00Z&to=2026-01-01T11:05:00Z",
            vec![3, 5, 4, 2],
        ),
        ("/api/event_streams?limit=1&to=2026-01-01T11:02:00Z", vec![4, 2]),
        (
            "/api/event_streams?limit=1&target=vms:a:1&from=2026-01-01T11:04:00Z",
            vec![1, 3],
        ),
        (
            "/api/event_streams?limit=1&target=vms:b&event_type=com.awesomecloud.vm.create&level=detail&ems=my_cloud",
            vec![4, 2],
        ),
    ] {
        assert_eq!(pages(&served, path).0, expected, "{path}");
    }

    // What comes meanwhile moves no page: neither later events nor such that happened earlier.
    let first = served.get(&format!("/api/event_streams?limit=2&{from}")).json();
    let posted = format!("[{}, {}]", native("e-6", "b", 59), native("e-7", "b", 0));
    assert_eq!(served.post(&posted).status, 202);
    served.until_saved(7);
    served.until("/api/queue", |answer| answer.json()["queue"] == json!([]));
    let cursor = first["cursor"].as_str().unwrap();
    let path = format!("/api/event_streams?limit=2&{from}&cursor={cursor}");
    assert_eq!(
        pages(&served, &path.replace("limit=2", "limit=100")).0,
        [5, 4, 2, 7]
    );

    for (query, reason) in [
        (
            "target=vms",
            "`vms` is no target: an association and a key are expected",
        ),
        ("target=:a", "is no target"),
        ("cursor=1.x", "`1.x` is no cursor"),
        (&format!("cursor={cursor}"), "the cursor is of another list"),
        (&format!("cursor=3&{from}"), "the cursor is of another list"),
    ] {
        let answer = served.get(&format!("/api/event_streams?{query}"));
        assert_eq!(answer.status, 400, "{query} {answer:?}");
        assert!(answer.body.contains(reason), "{query} {answer:?}");
    }
}

fn vm(number: i64, name: &str) -> InventoryObject {
    InventoryObject {
        id: 0,
        ems_id: EmsId(1),
        association: "vms".into(),
        manager_ref: ManagerRef::ems_ref(format!("vm-{number}")),
        attributes: BTreeMap::from([("name".to_owned(), name.into())]),
    }
}

#[test]
fn the_inventory_is_shown_in_pages_and_each_object_with_its_history() {
    let served = Served::with("");
    let vmdb = served.vmdb();
    let objects = (1..=5).map(|number| vm(number, "old")).collect();
    vmdb.inventory_save(None, objects).wait().unwrap();
    vmdb.inventory_save(Some(RefreshId(7)), vec![vm(2, "new")])
        .wait()
        .unwrap();
    let gone = ManagerRef::ems_ref("vm-2");
    vmdb.inventory_archive(None, EmsId(1), "vms".into(), gone)
        .wait()
        .unwrap();

    let ids = |path: &str| -> (Vec<i64>, Value) {
        let answer = served.get(path);
        assert_eq!(answer.status, 200, "{path} {answer:?}");
        let page = answer.json();
        let objects = page["inventory"].as_array().unwrap();
        let ids = objects.iter().map(|object| object["id"].as_i64().unwrap());
        (ids.collect(), page["cursor"].clone())
    };
    assert_eq!(ids("/api/inventory/vms?limit=3"), (vec![1, 3, 4], json!("4")));
    assert_eq!(ids("/api/inventory/vms?limit=3&cursor=4"), (vec![5], Value::Null));
    assert_eq!(
        ids("/api/inventory/vms?archived=true&ems=my_cloud").0,
        [1, 2, 3, 4, 5]
    );
    assert_eq!(ids("/api/inventory/hosts").0, [0_i64; 0]);

    let shown = served.get("/api/inventory/vms/2?limit=2").json();
    assert_eq!(
        (&shown["ems"], &shown["manager_ref"], &shown["attributes"]["name"]),
        (&json!("my_cloud"), &json!({"ems_ref": "vm-2"}), &json!("new"))
    );
    assert!(shown["archived_on"].is_string(), "{shown}");
    let changes = |shown: &Value| -> Vec<(Value, Value, Value)> {
        let history = shown["history"].as_array().unwrap().iter();
        let change = |change: &Value| {
            let name = |side: &str| change[side].get("name").cloned().unwrap_or_default();
            (change["change"].clone(), name("before"), name("after"))
        };
        history.map(change).collect()
    };
    assert_eq!(
        changes(&shown),
        [
            (json!("archived"), json!("new"), Value::Null),
            (json!("updated"), json!("old"), json!("new")),
        ]
    );
    assert_eq!(shown["history"][1]["refresh"], 7);
    let cursor = shown["cursor"].as_str().unwrap();
    let rest = served
        .get(&format!("/api/inventory/vms/2?limit=2&cursor={cursor}"))
        .json();
    assert_eq!(changes(&rest), [(json!("created"), Value::Null, json!("old"))]);
    assert_eq!(rest["cursor"], Value::Null);

    for (path, status, reason) in [
        ("/api/inventory/vmz", 404, "did you mean `vms`?"),
        ("/api/inventory/vmz/1", 404, "no association `vmz`"),
        ("/api/inventory/hosts/1", 404, "no object `1` among the hosts"),
        ("/api/inventory/vms/x", 404, "no object `x`"),
        ("/api/inventory/vms?cursor=x", 400, "no cursor"),
        ("/api/inventory/vms?ems=x", 400, "there is no manager `x`"),
        ("/api/inventory/vms?state=x", 400, "unknown field `state`"),
    ] {
        let answer = served.get(path);
        assert_eq!(answer.status, status, "{path} {answer:?}");
        assert!(answer.body.contains(reason), "{path} {answer:?}");
    }
}
