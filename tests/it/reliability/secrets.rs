//! Statement 40, without a browser: canaries in every place for secrets are found in no log, row, trace or figure.

use std::fs;

use crate::support::cloud::Cloud;
use crate::support::process::Process;
use crate::support::process::prepared;
use crate::support::project::Project;

const TOKEN: &str = "canary-token-5f1d";
const QUERY_TOKEN: &str = "canary-wrong-token-77aa";
const WEBHOOK: &str = "canary-webhook-91c2";
const CREDENTIALS: &str = "canary-credentials-c0de";
const ALL: [&str; 4] = [TOKEN, QUERY_TOKEN, WEBHOOK, CREDENTIALS];

fn without_canary(place: &str, bytes: &[u8]) {
    for canary in ALL {
        let found = bytes
            .windows(canary.len())
            .position(|window| window == canary.as_bytes());
        let line = |at: usize| bytes.split_at(at).0.rsplit(|byte| *byte == b'\n').next();
        let around = found.and_then(line).map(String::from_utf8_lossy);
        assert_eq!(around, None, "{canary} in {place}");
    }
}

#[test]
fn s40_secrets_are_in_no_log_at_trace_no_row_no_trace_and_no_figure() {
    let cloud = Cloud::start();
    cloud.happen(1, 2);
    let settings = "web:\n  token: env:THE_TOKEN\n  webhook_secrets:\n    my_cloud: [env:THE_WEBHOOK]\n\
                    workers:\n  worker_base:\n    event_catcher:\n      event_catcher_awesome_cloud:\n        poll: 50ms\n";
    let add = format!("--url {} --credentials env:THE_CREDENTIALS", cloud.url());
    let project = prepared(Project::shipped(), settings, &add);
    let told = project.run("ems add plain --type awesome_cloud");
    assert!(told.contains("added"), "{told}");
    let variables = [
        ("THE_TOKEN", TOKEN),
        ("THE_WEBHOOK", WEBHOOK),
        ("THE_CREDENTIALS", CREDENTIALS),
        ("RUST_LOG", "trace"),
    ];
    let mut process = Process::start_with(&project, &variables, &[]);
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let json = "Content-Type: application/json";
    let event = r#"{"id":"p-1","event_name":"com.awesomecloud.vm.create","vm":{"id":"vm-1"}}"#;
    let by_header = process.request("POST /events/plain", &[json, &bearer], event);
    assert_eq!(by_header.status, 202, "{by_header:?}");
    let by_query = process.request(
        &format!("POST /events/plain?access_token={TOKEN}"),
        &[json],
        event,
    );
    assert_eq!(by_query.status, 202, "{by_query:?}");
    let mut seen = Vec::new();
    for (line, headers) in [
        (
            format!("POST /events/plain?access_token={QUERY_TOKEN}"),
            vec![json],
        ),
        (format!("GET /api/queue?access_token={QUERY_TOKEN}"), vec![]),
        (format!("GET /nowhere?access_token={TOKEN}"), vec![]),
        (
            format!("GET /api/queue?color={TOKEN}&access_token={TOKEN}"),
            vec![],
        ),
        (
            "POST /events/my_cloud".to_owned(),
            vec![json, "X-Hub-Signature-256: sha256=00"],
        ),
        ("POST /events/my_cloud".to_owned(), vec![json, bearer.as_str()]),
    ] {
        let answer = process.request(&line, &headers, "{");
        assert!(400 <= answer.status, "{line} {answer:?}");
        // A caller may be told what it said itself; others are not.
        if !line.contains("color=") {
            seen.push((line, answer.body));
        }
    }
    let wait = |path: &str, has: &dyn Fn(&serde_json::Value) -> bool| loop {
        let answer = process.request(&format!("GET {path}"), &[&bearer], "");
        if has(&answer.json()) {
            break answer.body;
        }
    };
    let events = wait("/api/event_streams", &|json| {
        json["event_streams"].as_array().map(Vec::len) == Some(3)
    });
    // A duplicate may have taken a number, so they do not count from 1.
    let listed: serde_json::Value = serde_json::from_str(&events).unwrap();
    let listed = listed["event_streams"].as_array().unwrap();
    let mut paths: Vec<String> = listed
        .iter()
        .map(|event| format!("/api/event_streams/{}", event["id"]))
        .collect();
    paths.extend(["/api/queue", "/api/refreshes", "/readyz", "/metrics"].map(ToOwned::to_owned));
    seen.push(("the events".to_owned(), events));
    for path in paths {
        let answer = process.request(&format!("GET {path}"), &[&bearer], "");
        assert_eq!(answer.status, 200, "{path}");
        seen.push((path, answer.body));
    }
    for line in [
        "ems list",
        "ems list --format json",
        "settings",
        "check",
        "event show 1",
        "queue list",
    ] {
        seen.push((line.to_owned(), project.run(line)));
    }
    // Where the credentials do not help, the reason says so without them.
    cloud.habit(Some(crate::support::cloud::Trick::Status(401, "")));
    wait("/readyz", &|json| {
        json["catcher"]["managers"]["my_cloud"]["state"] == "backing_off"
    });
    assert!(
        cloud.requests().iter().any(|head| head.contains(CREDENTIALS)),
        "the canary was not sent"
    );
    process.signal("TERM");
    let (_, log) = process.end();
    assert!(
        log.contains("TRACE") || log.contains("DEBUG"),
        "the log is not that of TRACE"
    );
    for (place, text) in &seen {
        without_canary(place, text.as_bytes());
    }
    without_canary("the log", log.as_bytes());
    for name in [
        "switchboard.db",
        "switchboard.db-wal",
        "switchboard.db.taken",
        "switchboard.db.lock",
    ] {
        if let Ok(bytes) = fs::read(project.path(name)) {
            without_canary(name, &bytes);
        }
    }
}
