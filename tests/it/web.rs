//! The front door, on a real port: what is taken, what is refused and why, and whom others' slowness costs nothing.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use switchboard::appliance::ApplianceError;
use switchboard::model::event::EventId;
use switchboard::model::event::EventKey;
use switchboard::vmdb::EventFilter;
use switchboard::vmdb::MessageState;

use crate::support::project::Project;
use crate::support::served::Served;
use crate::support::served::read;

const JSON: &str = "Content-Type: application/json";
const STRUCTURED: &str = "Content-Type: Application/CloudEvents+JSON; charset=utf-8";
const BATCH: &str = "Content-Type: application/cloudevents-batch+json";
const ID: &str = "ce-id: c%20one";
const SOURCE: &str = "ce-source: /clouds/x";
const TYPE: &str = "ce-type: created";
const VERSION: &str = "ce-specversion: 1.0";

/// A native event of AWESOME_CLOUD; the bytes as a sender may write them.
fn native(id: &str, vm: &str) -> String {
    format!(
        r#"{{"id":"{id}",  "event_name":"com.awesomecloud.vm.create", "vm":{{"id":"{vm}", "size": 1.50}}}}"#
    )
}

fn cloud_event(id: &str, data: &str) -> String {
    format!(
        r#"{{"specversion": "1.0", "id": "{id}", "source": "/clouds/x", "type": "created", "region": "eu", "data": {data}}}"#
    )
}

#[test]
fn events_of_every_mode_are_saved_as_they_came_and_decided() {
    let served = Served::with("");
    let two = format!("[{}, {}]", native("p2", "vm-2"), native("p3", "vm-3"));
    let batch = format!("[{}]", cloud_event("c2", &native("p5", "vm-5")));
    for (headers, body, accepted) in [
        (vec![JSON], native("p1", "vm-1"), 1),
        (vec![], two, 2),
        (vec![JSON], "[]".to_owned(), 0),
        (vec![STRUCTURED], cloud_event("c1", &native("p4", "vm-4")), 1),
        (vec![BATCH], batch, 1),
        (vec![BATCH], "[]".to_owned(), 0),
        (vec![JSON, ID, SOURCE, TYPE, VERSION], native("p6", "vm-6"), 1),
    ] {
        let answer = served.request("POST /events/my_cloud", &headers, &body);
        let told = (answer.status, answer.json());
        assert_eq!(
            told,
            (202, serde_json::json!({"accepted": accepted})),
            "{headers:?} {body}"
        );
    }
    served.until_saved(6);
    for number in 1..=6 {
        let shown = served.vmdb().event_show(EventId(number)).unwrap().unwrap();
        let expected = native(&format!("p{number}"), &format!("vm-{number}"));
        assert_eq!(&**shown.stored.event.hash.full_data.text(), expected);
        let targets =
            serde_json::json!([{"association": "vms", "manager_ref": {"ems_ref": format!("vm-{number}")}}]);
        assert_eq!(shown.deliveries[0].targets, targets);
    }
    let api = served.get("/api/event_streams/4").json();
    assert_eq!(api["cloud_event"]["region"], "eu");
    assert_eq!(
        served.get("/api/event_streams/6").json()["cloud_event"]["id"],
        "c one"
    );
    assert_eq!(served.get("/api/refreshes").json()["refreshes"][0]["targets"], 6);
}

#[test]
fn what_is_seen_again_is_told_and_saved_once() {
    let served = Served::with("");
    assert_eq!(
        served.post(&native("p1", "vm-1")).json(),
        serde_json::json!({"accepted": 1})
    );
    served.until_saved(1);
    let again = serde_json::json!({"accepted": 1, "duplicates": 1});
    assert_eq!(served.post(&native("p1", "vm-1")).json(), again);
    assert_eq!(served.vmdb().event_count().unwrap(), 1);
}

#[test]
fn a_cloud_event_is_known_by_source_and_id_where_its_parser_says_nothing() {
    let parser = "//- scripts/awesome_cloud/event_parser.rhai\n\
        fn event_to_hash(event, ems_id) { #{ event_type: event.type, source: \"X\" } }\n\
        //- automate/none\n";
    let served = Served::of(Project::new(parser), "");
    // Without data that is an object, the whole event is the message.
    for (id, data) in [("1", "null"), ("2", "[1]"), ("1", "\"again\"")] {
        let answer = served.request("POST /events/my_cloud", &[STRUCTURED], &cloud_event(id, data));
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    served.until_saved(2);
    served.until("/api/queue", |answer| answer.json()["counts"]["ready"] == 0);
    let events = served.vmdb().events_list(&EventFilter::default()).unwrap();
    let keys = events
        .into_iter()
        .map(|stored| stored.event.hash.event_key.unwrap());
    let expected = ["/clouds/x 2", "/clouds/x 1"].map(|key| EventKey(key.into()));
    assert_eq!(keys.collect::<Vec<_>>(), expected);
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason_and_nothing_of_it_is_taken() {
    let served = Served::with("");
    let broken_second = format!("[{}, {{\"id\": \"2\"}}]", cloud_event("1", "{}"));
    let deep = "[".repeat(100_000);
    for (headers, body, status, reason) in [
        (vec![JSON], "", 400, "the body is no JSON: EOF"),
        (vec![JSON], "{\"id\": ", 400, "the body is no JSON: EOF"),
        (
            vec![JSON],
            "{} {}",
            400,
            "the body is no JSON: trailing characters",
        ),
        (
            vec![JSON],
            "7",
            400,
            "a JSON object, or a list of objects, is expected",
        ),
        (vec![JSON], "[{}, 7]", 400, "event 2: a JSON object"),
        (vec![JSON], deep.as_str(), 400, "the body is no JSON"),
        (
            vec!["Content-Type: text/html"],
            "{}",
            415,
            "`text/html` is not understood",
        ),
        (
            vec!["Content-Type: multipart/form-data; boundary=x"],
            "{}",
            415,
            "`multipart/form-data`",
        ),
        (
            vec![JSON, "Content-Encoding: gzip"],
            "{}",
            415,
            "content encodings",
        ),
        (
            vec!["Content-Type: application/cloudevents+avro"],
            "{}",
            415,
            "`application/cloudevents+avro`",
        ),
        (vec![STRUCTURED], "{}", 400, "attribute `specversion` is missing"),
        (vec![STRUCTURED], "[]", 400, "expected a CloudEvent"),
        (vec![BATCH], "{}", 400, "expected a list of events"),
        (
            vec![BATCH],
            broken_second.as_str(),
            400,
            "event 2: attribute `specversion` is missing",
        ),
        (
            vec![JSON, SOURCE, TYPE, VERSION],
            "{}",
            400,
            "attribute `id` is missing",
        ),
        (
            vec![JSON, ID, SOURCE, TYPE, "ce-specversion: 0.3"],
            "{}",
            400,
            "attribute `specversion` is `0.3`",
        ),
        (
            vec![JSON, "ce-id: %C0%A0", SOURCE, TYPE, VERSION],
            "{}",
            400,
            "attribute `id` is not UTF-8",
        ),
        (
            vec![JSON, ID, ID, SOURCE, TYPE, VERSION],
            "{}",
            400,
            "attribute `id` is there twice",
        ),
        (
            vec![JSON, ID, SOURCE, TYPE, VERSION],
            "{",
            400,
            "the body is no JSON: EOF",
        ),
        (
            vec![JSON, ID, SOURCE, TYPE, VERSION, "ce-datacontenttype: x/y"],
            "{}",
            400,
            "attribute `datacontenttype`",
        ),
    ] {
        let answer = served.request("POST /events/my_cloud", &headers, body);
        assert_eq!(answer.status, status, "{headers:?} {answer:?}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(reason), "{headers:?} {error}");
    }
    let unknown = served.request("POST /events/my_clod", &[JSON], "{}");
    assert_eq!(
        (unknown.status, unknown.json()["help"].as_str()),
        (404, Some("did you mean `my_cloud`?"))
    );
    // There is the page of an event.
    assert_eq!(served.request("GET /events/my_cloud", &[], "").status, 404);
    let counts = served.get("/api/queue").json();
    assert_eq!(
        (&counts["queue"], served.vmdb().event_count().unwrap()),
        (&serde_json::json!([]), 0)
    );
}

#[test]
fn a_message_that_its_script_cannot_parse_is_kept_with_the_reason() {
    let served = Served::with("");
    let answer = served.post("{\"id\": \"x\"}");
    assert_eq!(
        (answer.status, answer.json()),
        (202, serde_json::json!({"accepted": 1, "unparsed": 1}))
    );
    let queue = served.get("/api/queue?state=dead&ems=my_cloud").json();
    let error = queue["queue"][0]["error"].as_str().unwrap();
    assert!(
        error.starts_with("scripts/awesome_cloud/event_parser.rhai:"),
        "{error}"
    );
    assert_eq!(served.post(&native("p1", "vm-1")).status, 202);
    served.until_saved(2);
}

#[test]
fn what_was_kept_is_the_same_event_once_its_script_is_mended() {
    let path = "scripts/awesome_cloud/event_parser.rhai";
    let fixture =
        format!("//- {path}\nfn event_to_hash(event, ems_id) {{ throw \"broken\" }}\n//- automate/none\n");
    let served = Served::of(Project::new(&fixture), "");
    for _again in 0..2 {
        let answer = served.request("POST /events/my_cloud", &[STRUCTURED], &cloud_event("1", "{}"));
        assert_eq!(answer.json(), serde_json::json!({"accepted": 1, "unparsed": 1}));
    }
    let before = served.get("/readyz").json()["rules"]["generation"].clone();
    let mended = "fn event_to_hash(event, ems_id) { #{ event_type: \"created\", source: \"X\" } }";
    served.project.write(path, mended);
    served.until("/readyz", |answer| answer.json()["rules"]["generation"] != before);
    served.vmdb().queue_retry_all(MessageState::Dead).wait().unwrap();
    served.until("/api/queue", |answer| {
        answer.json()["queue"] == serde_json::json!([])
    });
    let events = served.get("/api/event_streams").json();
    assert_eq!(events["event_streams"].as_array().unwrap().len(), 1);
    assert_eq!(events["event_streams"][0]["event_key"], "/clouds/x 1");
    assert_eq!(events["event_streams"][0]["cloud_event"]["region"], "eu");
}

#[test]
fn what_the_settings_do_not_want_is_counted_and_not_saved() {
    let settings = "ems:\n  ems_awesome_cloud:\n    blacklisted_event_names: [com.awesomecloud.vm.*]\n";
    let served = Served::with(settings);
    let answer = served.post(&native("p1", "vm-1"));
    assert_eq!(answer.json(), serde_json::json!({"accepted": 0, "filtered": 1}));
    let figures = served.get("/metrics").body;
    for line in [
        "switchboard_blacklist_hits_total{provider=\"awesome_cloud\",entry=\"com.awesomecloud.vm.*\"} 1",
        "switchboard_messages_total{ems=\"my_cloud\",fate=\"blacklisted\"} 1",
        "switchboard_tally{ems=\"my_cloud\",column=\"filtered\"} 1",
    ] {
        assert!(figures.lines().any(|shown| shown == line), "{line}\n{figures}");
    }
}

#[test]
fn bodies_have_a_longest_length_however_they_are_sent() {
    let served = Served::with("web:\n  max_event_bytes: 2 KiB\n  max_batch_bytes: 8 KiB\n");
    let long = |length| native(&"x".repeat(length), "vm");
    assert_eq!(served.post(&long(1500)).status, 202);
    assert_eq!(served.post(&long(2500)).status, 413);
    assert_eq!(
        served.post(&format!("[{}, {}]", long(10), long(2500))).status,
        413
    );
    assert_eq!(served.post(&long(9000)).status, 413);
    // Announced, and never sent.
    let head = "POST /events/my_cloud HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let answer = served.say(format!("{head}Content-Length: 10000000000\r\n\r\n").as_bytes());
    assert_eq!(answer.status, 413);
    // Without a length, and without an end.
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let answer =
        served.say(format!("{head}Transfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(4)).as_bytes());
    assert_eq!(answer.status, 413);
    let many = format!("[{}]", vec!["{}"; 4000].join(","));
    assert_eq!(served.post(&many).status, 413);
}

#[test]
fn slow_senders_are_let_go_and_cost_others_nothing() {
    let served = Served::with("web:\n  header_timeout: 300ms\n  body_timeout: 300ms\n");
    let began = Instant::now();
    let mut slow: Vec<_> = (0..20).map(|_| served.connect()).collect();
    for (index, stream) in slow.iter_mut().enumerate() {
        let head = "POST /events/my_cloud HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n";
        let sent = if index % 2 == 0 {
            head.to_owned()
        } else {
            format!("{head}\r\n{{")
        };
        stream.write_all(sent.as_bytes()).unwrap();
    }
    assert_eq!(served.post(&native("p1", "vm-1")).status, 202);
    for (index, stream) in slow.iter_mut().enumerate() {
        let answer = read(stream);
        assert_eq!(answer.status, if index % 2 == 0 { 0 } else { 408 }, "{answer:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn a_connection_may_rest_longer_than_a_head_may_take() {
    let served = Served::with("web:\n  header_timeout: 300ms\n  idle_timeout: 60s\n");
    let ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut resting = served.connect();
    let mut dribbling = served.connect();
    let mut silent = served.connect();
    for stream in [&mut resting, &mut dribbling] {
        stream.write_all(ask).unwrap();
        assert_eq!(one_answer(stream), 200);
    }
    // One that begins a second head and one that never says a word are let go, and by then the first one rested for
    // longer than a head may take.
    dribbling.write_all(b"GET /hea").unwrap();
    assert_eq!(read(&mut dribbling).status, 0);
    assert_eq!(read(&mut silent).status, 0);
    resting.write_all(ask).unwrap();
    assert_eq!(one_answer(&mut resting), 200);
    let served = Served::with("web:\n  header_timeout: 100ms\n  idle_timeout: 300ms\n");
    let mut resting = served.connect();
    resting.write_all(ask).unwrap();
    assert_eq!(one_answer(&mut resting), 200);
    assert_eq!(read(&mut resting).status, 0);
}

/// The status of the next answer on a connection that stays open.
fn one_answer(stream: &mut TcpStream) -> u16 {
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    let answer = String::from_utf8(answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn one_address_has_only_so_many_connections_and_gets_them_back() {
    let served = Served::with("web:\n  max_connections_per_address: 2\n");
    let ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut first = served.connect();
    let mut second = served.connect();
    for stream in [&mut first, &mut second] {
        stream.write_all(ask).unwrap();
    }
    let refused = served.until("/healthz", |answer| answer.status == 503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    drop((first, second));
    served.until("/healthz", |answer| answer.status == 200);
}

#[test]
fn without_a_token_only_this_machine_is_served_under_its_own_name() {
    let served = Served::with("");
    for (headers, status) in [
        (vec!["Host: localhost:3000"], 200),
        (vec!["Host: 127.0.0.1"], 200),
        (vec!["Host: [::1]:3000"], 200),
        (vec!["Host: evil.example"], 421),
        (vec!["Host: localhost", "Host: localhost"], 421),
        (vec!["Host: localhost", "Origin: http://localhost:3000"], 200),
        (vec!["Host: localhost", "Origin: https://evil.example"], 403),
        (vec!["Host: localhost", "Origin: null"], 403),
    ] {
        let answer = served.request("GET /api/queue", &headers, "");
        assert_eq!(answer.status, status, "{headers:?} {answer:?}");
    }
    let settings = "web:\n  listen: 0.0.0.0:0\n";
    let project = Project::shipped();
    project.write("settings.yml", settings);
    let open = Served::start(project, |config| switchboard::appliance::ApplianceConfig {
        listen: None,
        ..config
    });
    let error = open.map(|_served| ()).unwrap_err();
    assert!(matches!(error, ApplianceError::Bind(_)), "{error:?}");
}

#[test]
fn with_a_token_nobody_else_gets_anything() {
    let served = Served::with("web:\n  token: right\n");
    let credentials = [
        (vec![], 401),
        (vec!["Authorization: Bearer "], 401),
        (vec!["Authorization: Bearer wrong"], 401),
        (vec!["Authorization: Bearer nothing right"], 401),
        (vec!["Authorization: Basic right"], 401),
        (
            vec!["Authorization: Bearer right", "Authorization: Bearer right"],
            401,
        ),
        (
            vec!["Authorization: bearer right", "Host: switchboard.example"],
            200,
        ),
    ];
    for path in ["/api/queue", "/api/event_streams", "/api/refreshes", "/metrics"] {
        for (headers, status) in &credentials {
            let answer = served.request(&format!("GET {path}"), headers, "");
            assert_eq!(answer.status, *status, "{path} {headers:?} {answer:?}");
        }
    }
    let unauthorized = served.post(&native("p1", "vm-1"));
    assert_eq!(
        (unauthorized.status, unauthorized.header("www-authenticate")),
        (401, Some("Bearer"))
    );
    assert_eq!(
        served
            .request("POST /events/my_cloud?access_token=right", &[JSON], "[]")
            .status,
        202
    );
    // A probe learns only whether.
    assert_eq!(served.get("/readyz").json(), serde_json::json!({"ready": true}));
    let told = served.request("GET /readyz", &["Authorization: Bearer right"], "");
    assert_eq!(told.json()["database"]["ready"], true);
}

#[test]
fn a_manager_with_a_secret_takes_signed_events_only_and_those_without_a_token() {
    let served = Served::with(
        "web:\n  token: right\n  webhook_secrets:\n    my_cloud: [old, hush]\n    unset: ['env:NOT_SET_ANYWHERE']\n",
    );
    let body = r#"{"id":"e-1","event_name":"com.awesomecloud.vm.create"}"#;
    let signature =
        "X-Hub-Signature-256: sha256=218d5205faa46ff3defd0113814acf9791eaff46446fea98194d85ea97578341";
    let json = "Content-Type: application/json";
    let status = |place: &str, headers: &[&str], body: &str| {
        served
            .request(&format!("POST /events/{place}"), headers, body)
            .status
    };
    assert_eq!(status("my_cloud", &[json, signature], body), 202);
    assert_eq!(status("my_cloud", &[json], body), 401);
    assert_eq!(
        status("my_cloud", &[json, "Authorization: Bearer right"], body),
        401
    );
    assert_eq!(
        status("my_cloud", &[json, signature], &body.replace(',', ", ")),
        401
    );
    assert_eq!(status("my_cloud", &[json, signature, signature], body), 401);
    assert_eq!(status("other", &[json, signature], body), 401);
    assert_eq!(served.get("/metrics").status, 401);
}

#[test]
fn another_secret_counts_as_soon_as_the_settings_name_it() {
    let settings = |secret: &str| format!("web:\n  webhook_secrets:\n    my_cloud: [{secret}]\n");
    let served = Served::with(&settings("old"));
    let body = r#"{"id":"e-1","event_name":"com.awesomecloud.vm.create"}"#;
    let signature =
        "X-Hub-Signature-256: sha256=218d5205faa46ff3defd0113814acf9791eaff46446fea98194d85ea97578341";
    let status = |headers: &[&str]| served.request("POST /events/my_cloud", headers, body).status;
    assert_eq!(status(&[JSON, signature]), 401);
    served.project.write("settings.yml", &settings("hush"));
    served.until_answer(202, || {
        served.request("POST /events/my_cloud", &[JSON, signature], body)
    });
    // And without any, this manager needs no signature any more.
    served.project.write("settings.yml", "web: {}\n");
    served.until_answer(202, || served.request("POST /events/my_cloud", &[JSON], body));
}

#[test]
fn a_web_hook_is_registered_only_by_origins_of_the_settings() {
    let served = Served::with("web:\n  webhook_origins: [events.example.com]\n");
    let known = served.request(
        "OPTIONS /events/my_cloud",
        &["WebHook-Request-Origin: events.example.com"],
        "",
    );
    assert_eq!(
        (known.status, known.header("webhook-allowed-origin")),
        (200, Some("events.example.com"))
    );
    assert_eq!(known.header("allow"), Some("POST, OPTIONS"));
    let unknown = served.request(
        "OPTIONS /events/my_cloud",
        &["WebHook-Request-Origin: evil.example"],
        "",
    );
    assert_eq!(
        (unknown.status, unknown.header("webhook-allowed-origin")),
        (405, None)
    );
}

#[test]
fn readiness_and_figures_tell_that_broken_rules_are_not_in_force() {
    let project = Project::new(
        "//- automate/Site/__domain__.yaml\nobject_type: domain\nversion: 1.0\nobject:\n  attributes: {name: Site, priority: 1, enabled: true}\n//- scripts/none\n",
    );
    let served = Served::of(project, "");
    let before = served.get("/readyz").json();
    assert_eq!(
        (&before["ready"], &before["rules"]["state"]),
        (&true.into(), &"current".into())
    );
    served
        .project
        .write("automate/Site/__domain__.yaml", "object_type: [");
    let kept = served
        .until("/readyz", |answer| answer.json()["rules"]["state"] == "kept")
        .json();
    assert_eq!(
        (&kept["ready"], &kept["rules"]["generation"]),
        (&true.into(), &before["rules"]["generation"])
    );
    assert_eq!(
        kept["rules"]["refused"]["errors"][0]["file"],
        "automate/Site/__domain__.yaml"
    );
    assert!(
        served
            .get("/metrics")
            .body
            .contains("\nswitchboard_rules_refused 1\n")
    );
}

#[test]
fn without_its_database_nothing_is_taken_and_readiness_says_why() {
    let served = Served::with("");
    fs::remove_file(served.project.path("test.db")).unwrap();
    let refused = served.post(&native("p1", "vm-1"));
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("5")),
        "{refused:?}"
    );
    let ready = served.get("/readyz");
    assert_eq!(
        (ready.status, ready.json()["database"]["ready"].as_bool()),
        (503, Some(false))
    );
}

#[test]
fn lists_of_the_api_are_narrowed_and_paged() {
    let served = Served::with("");
    let events: Vec<String> = (1..=5)
        .map(|number| native(&format!("p{number}"), "vm-1"))
        .collect();
    assert_eq!(served.post(&format!("[{}]", events.join(","))).status, 202);
    served.until_saved(5);
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = served
            .get(&format!("/api/event_streams?ems=my_cloud&limit=2{cursor}"))
            .json();
        ids.extend(
            page["event_streams"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| event["id"].as_i64().unwrap()),
        );
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(ids, [5, 4, 3, 2, 1]);
    for (path, status, reason) in [
        ("/api/event_streams?event_type=none", 200, ""),
        ("/api/event_streams?level=high", 400, "`high` is no level"),
        ("/api/event_streams?from=yesterday", 400, "`yesterday` is no time"),
        ("/api/event_streams?cursor=x", 400, "no cursor"),
        ("/api/event_streams?color=red", 400, "unknown field `color`"),
        ("/api/event_streams?ems=x", 400, "there is no manager `x`"),
        ("/api/event_streams/99", 404, "there is no event `99`"),
        ("/api/event_streams/x", 404, "there is no event `x`"),
        ("/api/queue?state=x", 400, "`x` is no state"),
        ("/api/refreshes?kind=add", 400, "unknown field `kind`"),
        ("/nowhere", 404, "there is nothing at `/nowhere`"),
    ] {
        let answer = served.get(path);
        assert_eq!(answer.status, status, "{path} {answer:?}");
        assert!(answer.body.contains(reason), "{path} {answer:?}");
    }
}
