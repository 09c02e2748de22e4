//! Statements about the way from the catcher to the handler, and what a CloudEvent may look like on its way in.

use crate::support::cloud::Cloud;
use crate::support::process::Process;
use crate::support::process::ids;
use crate::support::process::prepared;
use crate::support::process::project;
use crate::support::project::Project;
use crate::support::served::Served;

/// How many events are put while nobody handles them.
const EVENTS: usize = 1_000;

#[test]
fn c31_what_comes_while_no_handler_runs_is_stored_once_there_is_one() {
    let project = project("", "");
    let event = |number: usize| {
        format!(
            r#"{{"id": "e-{number}", "event_name": "com.awesomecloud.vm.create", "vm": {{"id": "vm-{number}"}}}}"#
        )
    };
    let events: Vec<String> = (1..=EVENTS).map(event).collect();
    let output = project.output(&["event", "add", "-", "--ems", "my_cloud"], &events.join("\n"));
    assert!(output.status.success(), "{output:?}");
    let process = Process::start(&project);
    process.until_saved(ids(1, EVENTS));
    // Put again, all of them turn out to be known.
    let output = project.output(&["event", "add", "-", "--ems", "my_cloud"], &events.join("\n"));
    assert!(output.status.success(), "{output:?}");
    process.until_saved(ids(1, EVENTS));
    let figures = process.get("/metrics").body;
    let line = format!("switchboard_tally{{ems=\"my_cloud\",column=\"duplicate\"}} {EVENTS}");
    assert!(figures.lines().any(|shown| shown == line), "{figures}");
}

/// Odd, and JSON all the same: spaces, an order of its own, numbers that no float holds, escapes, keys twice.
fn odd(id: &str) -> String {
    format!(
        r#"{{ "z": 1.50, "id":"{id}" ,  "event_name":"com.awesomecloud.vm.create", "big": 12345678901234567890123, "a": "\u00e9\/", "a": [ ], "vm": {{"id":"vm-1"}} }}"#
    )
}

#[test]
fn c32_the_native_event_is_read_back_byte_for_byte_whichever_way_it_came() {
    let (cloud, folder) = (Cloud::start(), tempfile::tempdir().unwrap());
    cloud.happens(odd("polled"));
    let file = folder.path().join("events.ndjson");
    std::fs::write(&file, format!("{}\n", odd("read"))).unwrap();
    let poll = "workers:\n  worker_base:\n    event_catcher:\n      event_catcher_awesome_cloud:\n        poll: 50ms\n";
    let project = prepared(Project::shipped(), poll, &format!("--url {}", cloud.url()));
    let told = project.run(&format!(
        "ems add file --type awesome_cloud --url file://{}",
        file.display()
    ));
    assert!(told.contains("added"), "{told}");
    let output = project.output(&["event", "add", "-", "--ems", "my_cloud"], &odd("put"));
    assert!(output.status.success(), "{output:?}");
    let process = Process::start(&project);
    let send = |headers: &[&str], body: &str| process.request("POST /events/my_cloud", headers, body).status;
    assert_eq!(send(&["Content-Type: application/json"], &odd("pushed")), 202);
    assert_eq!(
        send(
            &["Content-Type: application/json"],
            &format!("[{}, {}]", odd("listed"), odd("listed-2"))
        ),
        202
    );
    let structured = format!(
        r#"{{"specversion": "1.0", "id": "1", "source": "/x", "type": "t", "data": {}}}"#,
        odd("structured")
    );
    assert_eq!(
        send(&["Content-Type: application/cloudevents+json"], &structured),
        202
    );
    let batch = format!(
        "[{}]",
        structured
            .replace("structured", "batched")
            .replace("\"1\"", "\"2\"")
    );
    assert_eq!(
        send(&["Content-Type: application/cloudevents-batch+json"], &batch),
        202
    );
    let binary = [
        "Content-Type: application/json",
        "ce-specversion: 1.0",
        "ce-id: 3",
        "ce-source: /x",
        "ce-type: t",
    ];
    assert_eq!(send(&binary, &odd("binary")), 202);
    let all = [
        "polled",
        "read",
        "put",
        "pushed",
        "listed",
        "listed-2",
        "structured",
        "batched",
        "binary",
    ];
    process.until_saved(all.map(str::to_owned).to_vec());
    let on_disk = rusqlite::Connection::open(project.path("switchboard.db")).unwrap();
    let mut query = on_disk
        .prepare("SELECT e.ems_ref, n.full_data FROM event_streams e JOIN native_events n ON n.id = e.id")
        .unwrap();
    let rows = query
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
        .unwrap();
    for row in rows {
        let (id, full_data) = row.unwrap();
        assert_eq!(full_data, odd(&id), "{id}");
    }
}

/// The table of what a receiver of CloudEvents has to bear, over HTTP; each part has tests beside its code.
#[test]
fn every_row_of_the_cloud_events_table_is_answered_as_it_says() {
    let parser = "//- automate/none\n//- scripts/awesome_cloud/event_parser.rhai\n\
        fn event_to_hash(event, ems_id) { #{ event_type: \"t\", source: \"X\" } }\n";
    let served = Served::of(Project::new(parser), "");
    let structured = "Content-Type: application/cloudevents+json";
    let batch = "Content-Type: application/cloudevents-batch+json";
    let ce = |id: &'static str| ["ce-specversion: 1.0", id, "ce-source: /x", "ce-type: t"];
    let event = |more: &str| format!(r#"{{"specversion": "1.0", "source": "/x", "type": "t"{more}}}"#);
    let sixty_four = event(&format!(
        r#", "id": "big", "data": {{"x": "{}"}}"#,
        "x".repeat(64 << 10)
    ));
    let text = |content_type: &'static str, id| [&[content_type], &ce(id)[..]].concat();
    let cases: Vec<(&str, Vec<&str>, String, u16)> = vec![
        (
            "letter case",
            vec!["Content-Type: Application/CloudEvents+JSON; charset=utf-8"],
            event(r#", "id": "1""#),
            202,
        ),
        (
            "batch is no structured event",
            vec![batch],
            event(r#", "id": "2""#),
            400,
        ),
        (
            "a structured event is no batch",
            vec![structured],
            format!("[{}]", event(r#", "id": "2""#)),
            400,
        ),
        (
            "binary: empty",
            text("Content-Type: text/plain", "ce-id: 3"),
            String::new(),
            202,
        ),
        (
            "binary: text",
            text("Content-Type: text/plain", "ce-id: 4"),
            "some text".to_owned(),
            202,
        ),
        (
            "binary: XML",
            text("Content-Type: application/xml", "ce-id: 5"),
            "<a/>".to_owned(),
            202,
        ),
        (
            "binary: its content type twice",
            text("ce-datacontenttype: text/plain", "ce-id: 6"),
            String::new(),
            400,
        ),
        (
            "a value that is encoded",
            text("Content-Type: text/plain", "ce-id: a%20b"),
            String::new(),
            202,
        ),
        (
            "a value that is not UTF-8",
            text("Content-Type: text/plain", "ce-id: %C0%A0"),
            String::new(),
            400,
        ),
        (
            "a quoted value",
            text("Content-Type: text/plain", "ce-id: \"x y\""),
            String::new(),
            202,
        ),
        (
            "a value of Go and Java",
            text("Content-Type: text/plain", "ce-id: 100%"),
            String::new(),
            202,
        ),
        (
            "another format",
            vec!["Content-Type: application/cloudevents+protobuf"],
            String::new(),
            415,
        ),
        (
            "null is unset",
            vec![structured],
            event(r#", "id": "7", "subject": null"#),
            202,
        ),
        (
            "data_base64",
            vec![structured],
            event(r#", "id": "8", "data_base64": "AAEC/w==""#),
            202,
        ),
        (
            "an extension",
            vec![structured],
            event(r#", "id": "9", "region": "eu", "shard": 7, "hot": true"#),
            202,
        ),
        (
            "data is null",
            vec![structured],
            event(r#", "id": "10", "data": null"#),
            202,
        ),
        ("an empty batch", vec![batch], "[]".to_owned(), 202),
        ("no id", vec![structured], event(""), 400),
        ("an empty id", vec![structured], event(r#", "id": """#), 400),
        (
            "an id that is no text",
            vec![structured],
            event(r#", "id": 1"#),
            400,
        ),
        (
            "an id twice",
            vec![structured],
            event(r#", "id": "1", "id": "2""#),
            400,
        ),
        (
            "version 0.3",
            vec![structured],
            event(r#", "id": "11""#).replace("1.0", "0.3"),
            400,
        ),
        (
            "the same id, another source",
            vec![structured],
            event(r#", "id": "1""#).replace("/x", "/y"),
            202,
        ),
        (
            "a name that none has",
            vec![structured],
            event(r#", "id": "12", "Bad_Name": 1"#),
            400,
        ),
        (
            "a time that is none",
            vec![structured],
            event(r#", "id": "13", "time": "noon""#),
            400,
        ),
        ("64 KiB", vec![structured], sixty_four, 202),
        (
            "more than the limit",
            vec![structured],
            event(&format!(r#", "id": "14", "data": "{}""#, "x".repeat(1 << 20))),
            413,
        ),
    ];
    let mut taken = 0;
    for (case, headers, body, status) in cases {
        let answer = served.request("POST /events/my_cloud", &headers, &body);
        assert_eq!(answer.status, status, "{case}: {answer:?}");
        if status == 202 {
            taken += answer.json()["accepted"].as_i64().unwrap();
        } else {
            assert!(!answer.json()["error"].as_str().unwrap().is_empty(), "{case}");
        }
    }
    served.until_saved(taken);
    served.until("/api/queue", |answer| {
        answer.json()["queue"] == serde_json::json!([])
    });
    assert_eq!(
        served.vmdb().event_count().unwrap(),
        u64::try_from(taken).unwrap()
    );
}
