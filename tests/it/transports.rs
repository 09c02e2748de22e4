//! The same event is the same event, whichever way it came: sent in any form, read from a file, added by hand, tried
//! again, or simulated.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;

use serde_json::Value;
use serde_json::json;
use switchboard::model::event::EventId;
use switchboard::vmdb::MessageState;

use crate::support::process::Process;
use crate::support::process::prepared;
use crate::support::project::Project;
use crate::support::served::Served;

/// A parser that looks at everything there is.
const PARSER: &str = r#"//- automate/none
//- scripts/awesome_cloud/event_parser.rhai
fn event_to_hash(event, ems_id, envelope) {
    #{
        event_type: envelope.at("/cloud_event/type") ?? event.at("/type") ?? "plain",
        source: "X",
        ems_ref: event.at("/id"),
        timestamp: event.at("/time"),
        subject: envelope.cloud_event?.subject,
    }
}
"#;
const JSON: &str = "Content-Type: application/json";
const STRUCTURED: &str = "Content-Type: application/cloudevents+json; charset=utf-8";
const BATCH: &str = "Content-Type: application/cloudevents-batch+json";
const LINES: &str = "Content-Type: application/x-ndjson";
const TEXT: &str = "Content-Type: text/plain; charset=UTF-8";

/// A native event: its numbers, its order and its spaces are its own.
fn native(id: &str) -> String {
    format!(r#"{{"z": 1.50, "id":"{id}",  "time": "2026-03-01T12:00:00.25Z", "big": 18446744073709551616}}"#)
}

/// A CloudEvent with this data, none where it is blank.
fn cloud_event(id: &str, kind: &str, data: &str) -> String {
    let data = match data {
        "" => String::new(),
        data => format!(r#", "data": {data}"#),
    };
    format!(
        r#"{{"specversion": "1.0", "id": "{id}", "source": "//x/y", "type": "{kind}", "subject": "objects/a", "shard": 7,
             "time": "2026-03-01T12:00:00.123456789Z"{data}}}"#
    )
}

/// The hash of a saved event.
fn saved(served: &Served, number: i64) -> Value {
    let shown = served.vmdb().event_show(EventId(number)).unwrap().unwrap();
    serde_json::to_value(&shown.stored.event.hash).unwrap()
}

/// The hashes that `simulate` shows.
fn simulated(project: &Project, arguments: &[&str], input: &str) -> Vec<Value> {
    let arguments = [
        &["simulate", "--provider", "awesome_cloud", "--format", "json"],
        arguments,
    ]
    .concat();
    let output = project.output(&arguments, input);
    let told = String::from_utf8(output.stdout).unwrap();
    let documents = told
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    documents.map(|document| document["ems_event"].clone()).collect()
}

#[test]
fn what_is_simulated_is_what_a_sender_of_the_same_brings() {
    let served = Served::of(Project::new(PARSER), "");
    let binary = |id: &'static str| {
        [
            "ce-specversion: 1.0",
            id,
            "ce-source: //x/y",
            "ce-type: binary",
            "ce-subject: a%20b",
        ]
    };
    let cases: Vec<(&str, Vec<&str>, String)> = vec![
        ("plain JSON", vec![JSON], native("1")),
        ("no content type", vec![], native("2")),
        ("text", vec![TEXT], native("3")),
        (
            "a byte order mark",
            vec![JSON],
            format!("\u{feff}{}", native("4")),
        ),
        (
            "a list",
            vec![JSON],
            format!("[{}, {}]", native("5"), native("6")),
        ),
        ("a list as text", vec![TEXT], format!("\u{feff}[{}]", native("7"))),
        (
            "lines",
            vec![LINES],
            format!("\n{}\n\n{}\n", native("8"), native("9")),
        ),
        (
            "structured",
            vec![STRUCTURED],
            cloud_event("c1", "made", &native("10")),
        ),
        (
            "structured, data a list",
            vec![STRUCTURED],
            cloud_event("c2", "made", "[18446744073709551616]"),
        ),
        (
            "structured, no data",
            vec![STRUCTURED],
            cloud_event("c3", "made", ""),
        ),
        (
            "structured with a mark",
            vec![STRUCTURED],
            format!("\u{feff}{}", cloud_event("c4", "made", "{}")),
        ),
        (
            "structured as JSON",
            vec![JSON],
            cloud_event("c5", "made", &native("11")),
        ),
        (
            "structured as text",
            vec![TEXT],
            cloud_event("c6", "made", &native("12")),
        ),
        (
            "batched",
            vec![BATCH],
            format!(
                "[{}, {}]",
                cloud_event("c7", "made", "{}"),
                cloud_event("c8", "gone", &native("13"))
            ),
        ),
        (
            "a list of both",
            vec![JSON],
            format!("[{}, {}]", cloud_event("c9", "made", "7"), native("14")),
        ),
        (
            "binary",
            [&[JSON], &binary("ce-id: b1")[..]].concat(),
            native("15"),
        ),
        (
            "binary, text",
            [&[TEXT], &binary("ce-id: b2")[..]].concat(),
            "hello".to_owned(),
        ),
        (
            "binary, anything",
            binary("ce-id: b3").to_vec(),
            "hello".to_owned(),
        ),
        (
            "binary, a list",
            [&[JSON], &binary("ce-id: b4")[..]].concat(),
            "[1.10]".to_owned(),
        ),
    ];
    let mut number = 0;
    for (case, headers, body) in cases {
        let answer = served.request("POST /events/my_cloud", &headers, &body);
        assert_eq!(answer.status, 202, "{case}: {answer:?}");
        let said: Vec<&str> = headers.iter().flat_map(|header| ["--header", header]).collect();
        let found = simulated(&served.project, &[&["-"], &said[..]].concat(), &body);
        assert_eq!(answer.json(), json!({"accepted": found.len()}), "{case}");
        assert!(!found.is_empty(), "{case}");
        // Without a word of how it would be sent, it is read as what it is.
        if !case.starts_with("binary") {
            assert_eq!(simulated(&served.project, &["-"], &body), found, "{case}");
        }
        for found in found {
            number += 1;
            served.until_saved(number);
            assert_eq!(saved(&served, number), found, "{case}");
        }
    }
    let types: Vec<Value> = (1..=number)
        .map(|number| saved(&served, number)["event_type"].clone())
        .collect();
    let of = |name: &str| types.iter().filter(|found| *found == name).count();
    assert_eq!(
        (of("plain"), of("made"), of("gone"), of("binary")),
        (10, 8, 1, 4),
        "{types:?}"
    );
}

#[test]
fn what_a_file_or_a_hand_brings_is_what_a_sender_brings() {
    let lines = format!(
        "\u{feff}{}\r\n\n{}\n[{}, {}]\n{}\n",
        native("e-1"),
        cloud_event("c1", "made", &native("e-2")).replace('\n', ""),
        native("e-3"),
        cloud_event("c2", "gone", &native("e-4")).replace('\n', ""),
        native("e-5"),
    );
    let project = prepared(Project::new(PARSER), "", "");
    project.write("events.ndjson", &lines);
    let told = project.run(&format!(
        "ems add file --type awesome_cloud --url file://{}",
        project.path("events.ndjson").display()
    ));
    assert!(told.contains("added"), "{told}");
    let output = project.output(&["event", "add", "-", "--ems", "my_cloud"], &lines);
    assert!(output.status.success(), "{output:?}");
    let expected = simulated(&project, &["--ndjson"], &lines);
    let process = Process::start(&project);
    process.until("/api/event_streams?ems=file", |json| {
        json["event_streams"]
            .as_array()
            .is_some_and(|events| events.len() == 5)
    });
    for ems in ["file", "my_cloud"] {
        let listed = process.get(&format!("/api/event_streams?ems={ems}")).json();
        let mut found: Vec<Value> = Vec::new();
        for event in listed["event_streams"].as_array().unwrap() {
            let shown = process.get(&format!("/api/event_streams/{}", event["id"])).json();
            let keys = expected[1].as_object().unwrap().keys();
            let keys = keys.filter(|key| shown.get(key.as_str()).is_some());
            found.push(keys.map(|key| (key.clone(), shown[key].clone())).collect());
        }
        found.sort_by_key(|event| event["ems_ref"].to_string());
        assert_eq!(found, expected, "{ems}");
    }
}

#[test]
fn what_is_tried_again_is_what_a_sender_brings() {
    let path = "scripts/awesome_cloud/event_parser.rhai";
    let broken = "fn event_to_hash(event, ems_id) { throw \"broken\" }\n";
    let served = Served::of(
        Project::new(&format!("//- automate/none\n//- {path}\n{broken}")),
        "",
    );
    let bodies = [
        (vec![STRUCTURED], cloud_event("c1", "made", &native("1"))),
        (vec![JSON], cloud_event("c2", "made", "[1.10]")),
        (vec![TEXT], native("2")),
    ];
    for (headers, body) in &bodies {
        let answer = served.request("POST /events/my_cloud", headers, body);
        assert_eq!(answer.json(), json!({"accepted": 1, "unparsed": 1}));
    }
    let before = served.get("/readyz").json()["rules"]["generation"].clone();
    let (_, parser) = PARSER.split_once(".rhai\n").unwrap();
    served.project.write(path, parser);
    served.until("/readyz", |answer| answer.json()["rules"]["generation"] != before);
    served.vmdb().queue_retry_all(MessageState::Dead).wait().unwrap();
    served.until_saved(3);
    for (number, (_, body)) in (1..).zip(&bodies) {
        let found = simulated(&served.project, &["-"], body);
        assert_eq!(saved(&served, number), found[0], "{body}");
    }
}

#[test]
fn a_parser_tells_events_apart_by_the_type_of_their_cloud_event() {
    let served = Served::of(Project::new(PARSER), "");
    for (id, kind) in [
        ("1", "com.example.storage.finalized"),
        ("2", "com.example.storage.deleted"),
    ] {
        let body = cloud_event(id, kind, r#"{"bucket": "b"}"#);
        assert_eq!(
            served
                .request("POST /events/my_cloud", &[STRUCTURED], &body)
                .status,
            202
        );
    }
    served.until_saved(2);
    let types = [1, 2].map(|number| saved(&served, number)["event_type"].clone());
    assert_eq!(
        types,
        ["com.example.storage.finalized", "com.example.storage.deleted"]
    );
    // And what the event keeps of it.
    assert_eq!(saved(&served, 1)["cloud_event"]["shard"], 7);
    assert_eq!(saved(&served, 1)["timestamp"], "2026-03-01T12:00:00.123456Z");
}

#[test]
fn a_function_of_fewer_parameters_is_called_as_ever_and_a_stream_may_see_the_envelope_too() {
    let parser = |parser: &str, stream: &str| {
        let folder = "scripts/awesome_cloud";
        Project::new(&format!(
            "//- automate/none\n//- {folder}/event_parser.rhai\n{parser}\n//- {folder}/stream.rhai\n{stream}\n"
        ))
    };
    let body = cloud_event("1", "made", r#"{"a": 1}"#);
    for (project, expected) in [
        (
            parser(
                "fn event_to_hash(event, ems_id) { #{ event_type: `${event.a} ${ems_id}` } }",
                "fn native_event(message) { true }",
            ),
            "1 0",
        ),
        (
            parser(
                "fn event_to_hash(event, ems_id) { #{ event_type: event.kind } }",
                "fn native_event(message, envelope) { #{ kind: envelope.cloud_event.type + message.a } }",
            ),
            "made1",
        ),
        (
            parser(
                "fn event_to_hash(event, ems_id) { #{ event_type: \"two\" } }\n\
                 fn event_to_hash(event, ems_id, envelope) { #{ event_type: `three ${envelope.keys()}` } }",
                "fn native_event(message, envelope) { if envelope.cloud_event == () { ignore(\"none\") } else { true } }",
            ),
            "three [\"cloud_event\"]",
        ),
    ] {
        let found = simulated(&project, &["-"], &body);
        assert_eq!(found[0]["event_type"], expected);
    }
    // Without one it is a map without keys, not nothing.
    let project = parser(
        "fn event_to_hash(event, ems_id, envelope) { #{ event_type: `${envelope.len()} ${envelope.cloud_event}` } }",
        "fn native_event(message) { true }",
    );
    assert_eq!(simulated(&project, &["-"], "{}")[0]["event_type"], "0 ");
}

#[test]
fn an_event_that_the_settings_drop_is_dropped_whichever_way_it_came() {
    let path = "scripts/awesome_cloud/event_parser.rhai";
    let broken =
        format!("//- automate/none\n//- {path}\nfn event_to_hash(event, ems_id) {{ throw \"broken\" }}\n");
    let settings = "ems:\n  ems_awesome_cloud:\n    blacklisted_event_names: [\"made*\"]\n";
    let served = Served::of(Project::new(&broken), settings);
    let event = |id: &str, kind: &str| format!(r#"{{"id": "{id}", "type": "{kind}"}}"#);
    for (id, kind) in [("1", "made.up"), ("2", "gone")] {
        let answer = served.post(&event(id, kind));
        assert_eq!(answer.json(), json!({"accepted": 1, "unparsed": 1}));
    }
    let before = served.get("/readyz").json()["rules"]["generation"].clone();
    let (_, parser) = PARSER.split_once(".rhai\n").unwrap();
    served.project.write(path, parser);
    served.until("/readyz", |answer| answer.json()["rules"]["generation"] != before);
    served.vmdb().queue_retry_all(MessageState::Dead).wait().unwrap();
    served.until("/api/queue", |answer| answer.json()["queue"] == json!([]));
    let events = served.get("/api/event_streams").json();
    let types: Vec<&Value> = events["event_streams"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["event_type"])
        .collect();
    assert_eq!(types, ["gone"]);
    assert_eq!(
        served.post(&event("3", "made.up")).json(),
        json!({"accepted": 0, "filtered": 1})
    );
    let figures = served.get("/metrics").body;
    for line in [
        "switchboard_messages_handled_total{ems=\"my_cloud\",outcome=\"blacklisted\"} 1",
        "switchboard_messages_total{ems=\"my_cloud\",fate=\"blacklisted\"} 1",
        "switchboard_tally{ems=\"my_cloud\",column=\"filtered\"} 2",
    ] {
        assert!(figures.lines().any(|shown| shown == line), "{line}\n{figures}");
    }
    let arguments = [
        "simulate",
        "-",
        "--provider",
        "awesome_cloud",
        "--config",
        "settings.yml",
    ];
    let told = served.project.output(&arguments, &event("1", "made.up"));
    assert_eq!(
        String::from_utf8(told.stdout).unwrap(),
        "event   none: the settings do not want it (`made.up` is dropped by `made*` of `blacklisted_event_names`)\n\n"
    );
    let json = [&arguments[..], &["--ndjson"]].concat();
    let json: Vec<&str> = json.into_iter().filter(|argument| *argument != "-").collect();
    let told = served.project.output(
        &json,
        &format!("{}\n\n{}\n", event("1", "made.up"), event("2", "gone")),
    );
    let told = String::from_utf8(told.stdout).unwrap();
    let documents: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(documents.len(), 2, "{told}");
    assert_eq!(documents[0]["ems_event"], Value::Null);
    assert_eq!(
        documents[0]["filtered"],
        "`made.up` is dropped by `made*` of `blacklisted_event_names`"
    );
    assert_eq!(documents[1]["ems_event"]["event_type"], "gone");
}

#[test]
fn a_batch_that_holds_an_event_twice_says_so_and_its_books_do() {
    let served = Served::of(Project::new(PARSER), "");
    let two = format!("[{0}, {1}, {0}]", native("1"), native("2"));
    assert_eq!(served.post(&two).json(), json!({"accepted": 3, "duplicates": 1}));
    served.until_saved(2);
    assert_eq!(served.post(&two).json(), json!({"accepted": 3, "duplicates": 3}));
    // Events without a name of their own are the same where their text is.
    let nameless = r#"[{"a": 1}, {"a": 1}, {"a":1}]"#;
    assert_eq!(
        served.post(nameless).json(),
        json!({"accepted": 3, "duplicates": 1})
    );
    let tally = |tally: switchboard::vmdb::Tally| (tally.received, tally.accepted, tally.duplicate);
    let tallies = served.vmdb().tallies().unwrap();
    assert_eq!(tallies.into_values().map(tally).collect::<Vec<_>>(), [(9, 4, 5)]);
}

#[test]
fn a_text_that_holds_no_message_is_told_in_a_document_of_its_own() {
    let project = Project::new(PARSER);
    for (input, arguments, expected) in [
        ("[]", &["-"][..], vec![("ignored", "there is no message in it")]),
        ("", &["-"], vec![("ignored", "there is no message in it")]),
        (
            "\n[]\n \n{\"id\": \"1\"}\n",
            &["--ndjson"],
            vec![("ignored", "there is no message in it"), ("event", "plain")],
        ),
        (
            "{\"id\": \"1\"}\n7\n",
            &["--ndjson"],
            vec![
                ("event", "plain"),
                ("error", "a JSON object, or a list of objects, is expected"),
            ],
        ),
        (
            "[{}, 7]",
            &["-"],
            vec![(
                "error",
                "event 2: a JSON object, or a list of objects, is expected",
            )],
        ),
        (
            "{\"id\": ",
            &["-"],
            vec![(
                "error",
                "the body is no JSON: EOF: a bracket is not closed at line 1 column 8",
            )],
        ),
        (
            "\u{ff}",
            &["-", "--header", "Content-Encoding: gzip"],
            vec![(
                "error",
                "content encodings are not understood: the body is sent as `gzip`, and has to be sent as it is",
            )],
        ),
    ] {
        let arguments = [
            &["simulate", "--provider", "awesome_cloud", "--format", "json"],
            arguments,
        ]
        .concat();
        let output = project.output(&arguments, input);
        assert!(output.status.success(), "{output:?}");
        let told = String::from_utf8(output.stdout).unwrap();
        let told: Vec<Value> = told
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let told: Vec<(&str, &str)> = told
            .iter()
            .map(
                |document| match (&document["ems_event"]["event_type"], &document["ignored"]) {
                    (Value::String(event_type), _) => ("event", event_type.as_str()),
                    (_, Value::String(why)) => ("ignored", why.as_str()),
                    _error => ("error", document["errors"][0]["message"].as_str().unwrap()),
                },
            )
            .collect();
        assert_eq!(told, expected, "{input}");
    }
    let wrong = project.run("simulate - --provider awesome_cloud --header nonsense");
    assert!(
        wrong.contains("NAME: VALUE is expected") && wrong.contains("exit Some(2)"),
        "{wrong}"
    );
}

#[test]
fn what_is_added_by_hand_may_begin_with_a_byte_order_mark() {
    let project = prepared(Project::new(PARSER), "", "");
    fs::write(project.path("event.json"), format!("\u{feff}{}", native("1"))).unwrap();
    let told = project.run("event add event.json --ems my_cloud --format json");
    assert!(told.contains("{\"accepted\":1}"), "{told}");
}
