//! What people have the program do over HTTP: allowed, refused, and in the audit log either way; and the lists that
//! they look at before they do.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use serde_json::json;

use crate::support::project::Project;
use crate::support::served::Answer;
use crate::support::served::Served;

const JSON: &str = "Content-Type: application/json";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

fn native(id: &str, event_name: &str) -> String {
    format!(r#"{{"id": "{id}", "event_name": "{event_name}", "vm": {{"id": "vm-{id}"}}}}"#)
}

fn act(served: &Served, path: &str, body: &str) -> Answer {
    served.request(&format!("POST {path}"), &[JSON], body)
}

/// The audit log, oldest first, without numbers and times.
fn audit(served: &Served) -> Vec<String> {
    let answer = served.get("/api/audit").json();
    let line = |deed: &Value| {
        let words = ["who", "action", "subject", "result"].map(|key| deed[key].as_str().unwrap());
        words.join(" | ")
    };
    answer["audit"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(line)
        .collect()
}

/// A manager with two dead letters.
fn with_dead_letters() -> Served {
    let served = Served::with("");
    for id in ["a", "b"] {
        assert_eq!(served.post(&format!(r#"{{"id": "{id}"}}"#)).status, 202);
    }
    served.until("/api/queue?state=dead", |answer| {
        answer.json()["queue"].as_array().unwrap().len() == 2
    });
    served
}

#[test]
fn a_dead_letter_is_looked_at_retried_and_discarded() {
    let served = with_dead_letters();
    let dead = served.get("/api/queue?state=dead&limit=1").json();
    assert_eq!(dead["counts"]["dead"], 2);
    let first = dead["queue"][0]["id"].as_i64().unwrap();
    let cursor = dead["cursor"].as_str().unwrap();
    let rest = served
        .get(&format!("/api/queue?state=dead&limit=1&cursor={cursor}"))
        .json();
    let second = rest["queue"][0]["id"].as_i64().unwrap();
    assert!(first < second);
    let shown = served.get(&format!("/api/queue/{first}")).json();
    assert_eq!(shown["full_data"], r#"{"id": "a"}"#);
    assert_eq!(served.get("/api/queue/999").status, 404);

    let retried = act(&served, &format!("/api/queue/{first}/retry"), "");
    assert_eq!((retried.status, retried.json()), (200, json!({"retried": 1})));
    let all = act(
        &served,
        "/api/queue/retry",
        r#"{"state": ["dead", "parked"], "ems": "my_cloud", "kind": "unparsed"}"#,
    );
    assert_eq!(all.status, 200, "{all:?}");
    assert!(1 <= all.json()["retried"].as_i64().unwrap());
    // They are still broken, and come back.
    served.until("/api/queue?state=dead", |answer| {
        answer.json()["queue"].as_array().unwrap().len() == 2
    });
    for id in [first, second] {
        let discarded = act(&served, &format!("/api/queue/{id}/discard"), "{}");
        assert_eq!(discarded.json(), json!({"discarded": 1}));
    }
    assert_eq!(served.get("/api/queue").json()["counts"]["dead"], 0);
    let gone = act(&served, &format!("/api/queue/{first}/discard"), "");
    assert_eq!(gone.status, 404);
    assert_eq!(
        audit(&served),
        [
            format!("loopback | queue.retry | message {first} | done"),
            "loopback | queue.retry | every message: dead, parked, unparsed, my_cloud | done".to_owned(),
            format!("loopback | queue.discard | message {first} | done"),
            format!("loopback | queue.discard | message {second} | done"),
            format!("loopback | queue.discard | message {first} | there is no message `{first}`"),
        ]
    );
}

#[test]
fn what_cannot_be_read_is_refused_before_anything_is_done() {
    let served = Served::with("");
    for (path, headers, body, status, says) in [
        (
            "/api/queue/x/retry",
            &[JSON][..],
            "",
            404,
            "there is no message `x`",
        ),
        (
            "/api/queue/1/retry",
            &[JSON],
            r#"{"stat": "dead"}"#,
            400,
            "nothing is expected",
        ),
        ("/api/queue/retry", &[JSON], "{}", 400, "`state` is missing"),
        (
            "/api/queue/retry",
            &[JSON],
            r#"{"state": "ded"}"#,
            400,
            "no state of a message",
        ),
        (
            "/api/queue/retry",
            &[JSON],
            r#"{"stat": "dead"}"#,
            400,
            "did you mean `state`?",
        ),
        ("/api/queue/retry", &[JSON], "[1]", 400, "no JSON object"),
        (
            "/api/queue/retry",
            &["Content-Type: text/plain"],
            "state=dead",
            415,
            "neither JSON nor a form",
        ),
        ("/api/refreshes", &[JSON], "{}", 400, "`ems` is missing"),
        (
            "/api/refreshes",
            &[JSON],
            r#"{"ems": "my_cloud"}"#,
            400,
            "either `targets`",
        ),
        (
            "/api/refreshes",
            &[JSON],
            r#"{"ems": "my_cloud", "targets": ["vms"]}"#,
            400,
            "is no target",
        ),
        (
            "/api/refreshes",
            &[JSON],
            r#"{"ems": "my_cloud", "full": "yes"}"#,
            400,
            "true or false",
        ),
        (
            "/api/queue/1/retry",
            &[FORM],
            "back=/rules&x=1",
            400,
            "`x` is not read",
        ),
    ] {
        let answer = served.request(&format!("POST {path}"), headers, body);
        assert_eq!(answer.status, status, "{path} {body} {answer:?}");
        assert!(
            answer.body.replace("&#x27;", "'").contains(says),
            "{path} {body} {answer:?}"
        );
    }
    assert!(audit(&served).is_empty());
    let other_site = served.request("POST /api/automate/reload", &["Origin: https://evil.example"], "");
    assert_eq!(other_site.status, 403);
    assert_eq!(served.get("/api/queue/1/retry").status, 405);
    // An unknown name is tried, and told.
    for path in ["/api/catchers/nobody/stop", "/api/catchers/nobody/try"] {
        assert_eq!(act(&served, path, "").status, 404, "{path}");
    }
    let nobody = act(&served, "/api/refreshes", r#"{"ems": "nobody", "full": true}"#);
    assert_eq!(nobody.status, 400);
    assert_eq!(
        audit(&served),
        [
            "loopback | catchers.stop | nobody | there is no manager `nobody`",
            "loopback | catchers.try | nobody | there is no manager `nobody`",
            "loopback | refreshes.ask | nobody: everything | there is no manager `nobody`",
        ]
    );
}

#[test]
fn a_token_is_needed_where_there_is_one_and_stands_in_the_log() {
    let project = Project::shipped();
    project.write("settings.yml", "web: {token: sesame}\n");
    let served = Served::start(project, |config| config).unwrap();
    for path in [
        "/api/queue/1/retry",
        "/api/automate/reload",
        "/api/catchers/my_cloud/stop",
    ] {
        assert_eq!(act(&served, path, "").status, 401, "{path}");
    }
    let bearer = "Authorization: Bearer sesame";
    let done = served.request("POST /api/catchers/my_cloud/stop", &[bearer], "");
    assert_eq!(done.json(), json!({"ems": "my_cloud", "enabled": false}));
    let audit = served.request("GET /api/audit", &[bearer], "").json();
    assert_eq!(audit["audit"][0]["who"], "token");
    assert_eq!(audit["audit"].as_array().unwrap().len(), 1);
}

#[test]
fn a_form_leads_back_to_its_page() {
    let served = with_dead_letters();
    let answer = served.request(
        "POST /api/queue/retry",
        &[FORM],
        "state=dead&back=%2Foperations%3Fx%3D1",
    );
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(answer.header("location"), Some("/operations?x=1"));
    let answer = served.request("POST /api/queue/999/retry", &[FORM], "back=//evil.example");
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("<h1>Not Found</h1>"), "{answer:?}");
}

#[test]
fn refreshes_and_catchers_do_as_they_are_told() {
    let served = Served::with("");
    let asked = act(
        &served,
        "/api/refreshes",
        r#"{"ems": "my_cloud", "targets": ["vms:i-1", "vms:i-2"]}"#,
    );
    let id = asked.json()["refresh"].as_i64().unwrap();
    let shown = served.get(&format!("/api/refreshes/{id}")).json();
    let keys: Vec<&Value> = shown["requested"].as_array().unwrap().iter().collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0]["manager_ref"], json!({"ems_ref": "i-1"}));
    let full = act(&served, "/api/refreshes", r#"{"ems": "my_cloud", "full": true}"#);
    assert_eq!(full.status, 200, "{full:?}");
    let list = served.get("/api/refreshes").json();
    let counts = &list["counts"];
    let sum: i64 = ["waiting", "running", "done", "failed", "merged"]
        .iter()
        .map(|state| counts[state].as_i64().unwrap())
        .sum();
    assert_eq!(
        usize::try_from(sum),
        Ok(list["refreshes"].as_array().unwrap().len())
    );
    assert_eq!(served.get("/api/refreshes/999").status, 404);

    for (deed, enabled) in [("stop", false), ("start", true)] {
        act(&served, &format!("/api/catchers/my_cloud/{deed}"), "");
        let catchers = served.get("/api/catchers").json();
        assert_eq!(catchers["catchers"][0]["enabled"], enabled, "{catchers}");
    }
    // Nothing waits: its events are pushed.
    let tried = act(&served, "/api/catchers/my_cloud/try", "");
    assert_eq!(tried.json(), json!({"ems": "my_cloud", "tried": false}));
}

#[test]
fn a_reload_is_asked_for_refused_and_kept_in_the_history() {
    let served = Served::of(Project::copied(), "reload: {gather: 50ms}\n");
    let before = served.get("/api/automate").json()["generation"].clone();
    let reload = || act(&served, "/api/automate/reload", "").json();
    assert_eq!(reload()["outcome"], "unchanged");
    let file = served.project.path("scripts/awesome_cloud/event_parser.rhai");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("let event_type", "let event_type = ;")).unwrap();
    let refused = reload();
    assert_eq!(refused["outcome"], "refused", "{refused}");
    assert_eq!(
        refused["findings"][0]["file"],
        "scripts/awesome_cloud/event_parser.rhai"
    );
    assert_eq!(refused["generation"], before);
    // Asked again, it is still refused, and no news.
    assert_eq!(reload()["outcome"], "refused");
    fs::write(&file, format!("{text}\n// The end.\n")).unwrap();
    let replaced = reload();
    assert_eq!(
        (&replaced["outcome"], &replaced["findings"]),
        (&json!("replaced"), &json!([]))
    );
    assert_ne!(replaced["generation"], before);

    let history = served.get("/api/reloads").json();
    let rows = history["reloads"].as_array().unwrap();
    let line = |row: &Value| (row["before"].clone(), row["after"].clone());
    let lines: Vec<(Value, Value)> = rows.iter().rev().map(line).collect();
    assert_eq!(
        lines,
        [
            (Value::Null, before.clone()),
            (before.clone(), Value::Null),
            (before, replaced["generation"].clone()),
        ]
    );
    assert_eq!(
        rows[0]["changes"]["changed"],
        json!(["scripts/awesome_cloud/event_parser.rhai"])
    );
    let (_last, difference) = served.vmdb().last_replacement().unwrap().unwrap();
    assert!(difference.unwrap().contains("\n+// The end.\n"));
}

#[test]
fn the_tree_counts_what_the_traces_say() {
    let served = Served::with("");
    let names = [
        "vm.create",
        "vm.power_off",
        "vm.unheard_of",
        "host.create",
        "vm.delete",
    ];
    let events: Vec<String> = (0..60)
        .map(|number| {
            let name = names[number % 7 % names.len()];
            native(&number.to_string(), &format!("com.awesomecloud.{name}"))
        })
        .collect();
    for events in events.chunks(13) {
        assert_eq!(served.post(&format!("[{}]", events.join(","))).status, 202);
    }
    served.until_saved(60);
    served.until("/api/queue", |answer| answer.json()["queue"] == json!([]));

    // A plain count: every instance that a step says was built, by its file.
    let mut plain: BTreeMap<String, i64> = BTreeMap::new();
    for id in 1..=60 {
        let event = served.get(&format!("/api/event_streams/{id}")).json();
        for step in event["steps"].as_array().unwrap() {
            let file = step["file"].as_str().unwrap_or_default();
            if step["kind"] == "instance" && !file.ends_with("__class__.yaml") && file.ends_with(".yaml") {
                *plain.entry(file.to_owned()).or_default() += 1;
            }
        }
    }
    let mut counted: BTreeMap<String, i64> = BTreeMap::new();
    let (mut cursor, mut seen) = (String::new(), 0);
    loop {
        let page = served.get(&format!("/api/automate?limit=100{cursor}")).json();
        for one in page["instances"].as_array().unwrap() {
            seen += 1;
            let fired = one["fired"].as_i64().unwrap();
            assert_eq!(one["last"].is_null(), fired == 0, "{one}");
            if 0 < fired {
                counted.insert(one["file"].as_str().unwrap().to_owned(), fired);
            }
        }
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => {
                assert_eq!(page["total"], seen);
                break;
            }
        }
    }
    assert!(!plain.is_empty());
    assert_eq!(counted, plain);
    let found = served.get("/api/automate?q=VM.CREATE&domain=manageiq").json();
    let first = &found["instances"][0];
    assert_eq!(first["instance"], "com.awesomecloud.vm.create", "{found}");
    assert!(0 < first["fired"].as_i64().unwrap());
    let unknown = served
        .vmdb()
        .types_without_rule(switchboard::model::clock::Timestamp::UNIX_EPOCH);
    let unknown: Vec<String> = unknown
        .unwrap()
        .iter()
        .map(|one| one.event_type.to_string())
        .collect();
    assert!(
        unknown.contains(&"com.awesomecloud.vm.unheard_of".to_owned()),
        "{unknown:?}"
    );
}
