//! Statements 37 and 38, and senders that dribble: nobody without credentials learns anything, and nobody costs much.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use regex::Regex;
use sha2::Sha256;
use switchboard::appliance::ApplianceConfig;
use switchboard::model::clock::Clock;
use switchboard::model::clock::SignedDuration;

use crate::support::noon;
use crate::support::process::Process;
use crate::support::process::project;
use crate::support::project::Project;
use crate::support::served::Served;
use crate::support::served::read;

const JSON: &str = "Content-Type: application/json";
/// What a probe may ask without showing anything.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];
/// What pages are made of: the same for everybody.
const ASSETS: &str = "/assets/{name}";

/// Every route of the program with its methods, as its sources make the router.
fn routes() -> Vec<(String, String)> {
    let route = Regex::new(r#"\.route\(\s*"([^"]+)",\s*((?:.|\n)*?)\)\)?\s*(?:\.|;|\n)"#).unwrap();
    let method = Regex::new(r"\b(get|post|put|delete|patch|options)\(").unwrap();
    let mut routes = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        for found in route.captures_iter(&fs::read_to_string(path).unwrap()) {
            let methods = method
                .captures_iter(&found[2])
                .map(|method| method[1].to_uppercase());
            routes.extend(methods.map(|method| (method, found[1].to_owned())));
        }
    }
    routes
}

#[test]
fn s37_no_route_tells_anything_to_a_caller_with_wrong_credentials() {
    let served = Served::with("web:\n  token: right\n  webhook_secrets:\n    signed: [hush]\n");
    let routes = routes();
    assert!(
        routes.contains(&("POST".to_owned(), "/events/{ems}".to_owned())),
        "{routes:?}"
    );
    assert!(
        routes.contains(&("GET".to_owned(), "/api/queue".to_owned())),
        "{routes:?}"
    );
    let long = format!("Authorization: Bearer {}", "x".repeat(20_000));
    let wrong: &[&[&str]] = &[
        &[],
        &["Authorization:"],
        &["Authorization: Bearer"],
        &["Authorization: Bearer "],
        &["Authorization: Bearer wrong"],
        &["Authorization: Bearer righ"],
        &["Authorization: Bearer rightt"],
        &["Authorization: Bearer RIGHT"],
        &["Authorization: Bearer nothing right"],
        &["Authorization: right"],
        &["Authorization: Basic cmlnaHQ6cmlnaHQ="],
        &["Authorization: Bearer right", "Authorization: Bearer right"],
        &["Authorization: Bearer wrong", "Authorization: Bearer right"],
        &["X-Authorization: Bearer right"],
        &["Cookie: token=right"],
        &[&long],
    ];
    let mut bodies = std::collections::BTreeSet::new();
    let is_guarded = |path: &str| path != ASSETS && !OPEN.contains(&path);
    let guarded = routes.iter().filter(|(_, path)| is_guarded(path));
    for (method, path) in guarded {
        let path = path.replace("{ems}", "my_cloud").replace("{id}", "1");
        for headers in wrong {
            let answer = served.request(&format!("{method} {path}"), &[*headers, &[JSON]].concat(), "{}");
            assert_eq!(answer.status, 401, "{method} {path} {headers:?} {answer:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            bodies.insert(answer.body);
        }
        for query in [
            "access_token=",
            "access_token=wrong",
            "access_token",
            "token=right",
        ] {
            let answer = served.request(&format!("{method} {path}?{query}"), &[JSON], "{}");
            assert_eq!(answer.status, 401, "{method} {path} {query}");
            bodies.insert(answer.body);
        }
    }
    // The same words everywhere: nothing tells a place that exists from one that does not.
    for path in ["/events/nobody", "/api/event_streams/99999"] {
        let method = if path.starts_with("/events") {
            "POST"
        } else {
            "GET"
        };
        let answer = served.request(&format!("{method} {path}"), &[JSON], "{}");
        assert_eq!(answer.status, 401, "{path}");
        bodies.insert(answer.body);
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    for path in OPEN {
        let body = served.get(path).body;
        assert!(body.len() < 40, "{path} tells {body}");
    }
    assert_eq!(served.vmdb().event_count().unwrap(), 0);
}

/// What a quarter of the answers are faster than: noise only ever adds.
fn typical(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 4]
}

#[test]
fn s37_how_long_a_refusal_takes_tells_nothing_of_the_token_nor_of_what_there_is() {
    let token = "right-and-a-good-deal-longer-than-a-guess";
    let served = Served::with(&format!("web:\n  token: {token}\n"));
    served.request(
        "POST /events/my_cloud",
        &[JSON, &format!("Authorization: Bearer {token}")],
        r#"{"id":"e","event_name":"com.awesomecloud.vm.create","vm":{"id":"vm-1"}}"#,
    );
    served.until_saved(1);
    let bearer = |shown: &str| format!("Authorization: Bearer {shown}");
    let (first, last) = (
        token.replacen("right", "xight", 1),
        token.replace("guess", "guesx"),
    );
    let kinds = [
        ("GET /api/queue", String::new()),
        ("GET /api/queue", bearer(&first)),
        ("GET /api/queue", bearer(&last)),
        ("GET /api/queue", bearer("right")),
        ("GET /api/queue", format!("{}x", bearer(token))),
        (
            "GET /api/queue",
            "Authorization: Basic cmlnaHQ6cmlnaHQ=".to_owned(),
        ),
        ("GET /api/event_streams/1", bearer(&last)),
        ("GET /api/event_streams/99999", bearer(&last)),
        ("POST /events/my_cloud", bearer(&last)),
        ("POST /events/nobody", bearer(&last)),
    ];
    let look = || {
        let mut times = vec![Vec::new(); kinds.len()];
        // By turns, so that whatever else the machine does concerns all of them alike.
        for _ in 0..100 {
            for ((line, header), times) in kinds.iter().zip(&mut times) {
                let began = Instant::now();
                let answer = served.request(line, &[header, JSON], "{}");
                times.push(began.elapsed());
                assert_eq!(answer.status, 401, "{line} {header}");
            }
        }
        times.into_iter().map(typical).collect::<Vec<_>>()
    };
    // What the code does it does each time, noise comes and goes.
    let mut looks = (0..5).map(|_| look());
    let within_noise = looks.find(|times| {
        let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        *most < *least + *least / 4 + Duration::from_micros(50)
    });
    assert!(within_noise.is_some(), "{:?} of {kinds:?}", look());
}

#[test]
fn s37_without_a_token_no_route_answers_under_a_foreign_name() {
    let served = Served::with("");
    let foreign: &[&[&str]] = &[
        &["Host: evil.example"],
        &["Host: localhost.evil.example"],
        &["Host: 127.0.0.1.evil.example:3000"],
        &["Host: 10.0.0.1"],
        &["Host: localhost", "Origin: https://evil.example"],
        &["Host: localhost", "Origin: null"],
    ];
    let is_guarded = |path: &str| path != ASSETS && !OPEN.contains(&path);
    for (method, path) in routes().iter().filter(|(_, path)| is_guarded(path)) {
        let path = path.replace("{ems}", "my_cloud").replace("{id}", "1");
        for headers in foreign {
            let answer = served.request(&format!("{method} {path}"), &[*headers, &[JSON]].concat(), "{}");
            let expected = if headers.len() == 1 { 421 } else { 403 };
            assert_eq!(answer.status, expected, "{method} {path} {headers:?}");
        }
    }
    // Of the state of this place a foreign page learns no more than whether.
    let ready = served.request("GET /readyz", &["Host: evil.example"], "");
    assert_eq!(ready.body, r#"{"ready":true}"#);
}

fn signed(id: &str, age: i64, body: &str) -> Vec<String> {
    let time = noon().as_second() - age;
    let mut mac = Hmac::<Sha256>::new_from_slice(b"hush").unwrap();
    mac.update(format!("{id}.{time}.{body}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    vec![
        JSON.to_owned(),
        format!("webhook-id: {id}"),
        format!("webhook-timestamp: {time}"),
        format!("webhook-signature: v1,{signature}"),
    ]
}

#[test]
fn s38_a_signed_message_is_good_for_five_minutes_and_again_it_adds_nothing() {
    let clock = Clock::manual(noon());
    let project = Project::shipped();
    project.write("settings.yml", "web:\n  webhook_secrets:\n    my_cloud: [hush]\n");
    let same = clock.clone();
    let served = Served::start(project, |config| ApplianceConfig {
        clock: same,
        ..config
    })
    .unwrap();
    let body = |id: &str| {
        format!(r#"{{"id":"{id}","event_name":"com.awesomecloud.vm.create","vm":{{"id":"vm-1"}}}}"#)
    };
    let send = |headers: &[String], body: &str| {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        served.request("POST /events/my_cloud", &headers, body)
    };
    for (id, age, status) in [
        ("a", 0, 202),
        ("b", 300, 202),
        ("c", 301, 401),
        ("d", -300, 202),
        ("e", -301, 401),
    ] {
        let answer = send(&signed(id, age, &body(id)), &body(id));
        assert_eq!(answer.status, status, "{age} {answer:?}");
    }
    served.until_saved(3);
    // The same message again within its time is answered as the first time, and adds nothing; later it is refused.
    let again = send(&signed("a", 0, &body("a")), &body("a"));
    assert_eq!(
        (again.status, again.json()),
        (202, serde_json::json!({"accepted": 1, "duplicates": 1}))
    );
    clock.advance(SignedDuration::from_secs(301));
    assert_eq!(send(&signed("a", 0, &body("a")), &body("a")).status, 401);
    assert_eq!(served.vmdb().event_count().unwrap(), 3);
}

#[test]
fn s38_the_signature_is_checked_before_anything_is_parsed() {
    let clock = Clock::manual(noon());
    let project = Project::shipped();
    project.write("settings.yml", "web:\n  webhook_secrets:\n    my_cloud: [hush]\n");
    let served = Served::start(project, |config| ApplianceConfig { clock, ..config }).unwrap();
    for body in ["{", "[[[[", "\u{0}", "{\"id\": 1} {}", ""] {
        let good = signed("a", 0, body);
        let good: Vec<&str> = good.iter().map(String::as_str).collect();
        let answer = served.request("POST /events/my_cloud", &good, body);
        assert_eq!(answer.status, 400, "{body:?} {answer:?}");
        let forged = served.request("POST /events/my_cloud", &good, &format!("{body} "));
        assert_eq!(forged.status, 401, "{body:?} {forged:?}");
        assert!(!forged.body.contains("JSON"), "{forged:?}");
        let unsigned = served.request("POST /events/my_cloud", &[JSON], body);
        assert_eq!(unsigned.body, forged.body);
    }
}

/// How much of an endless body is sent at most, in MiB; SWITCHBOARD_TEST_MIB=10240 for that of the statement.
fn mebibytes() -> usize {
    let told = std::env::var("SWITCHBOARD_TEST_MIB").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(64)
}

#[test]
fn s38_a_body_without_end_costs_less_than_16_mib_and_ends_with_413() {
    let project = project("", "");
    let process = Process::start(&project);
    assert_eq!(process.post("[]").status, 202);
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for kind in [
        "application/json",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    ] {
        let before = process.peak_kib();
        let mut stream = process.connect();
        let head = format!(
            "POST /events/my_cloud HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // Until the other side has had enough.
        let sent = (0..mebibytes() * 16)
            .take_while(|_| stream.write_all(chunk.as_bytes()).is_ok())
            .count();
        let answer = read(&mut stream);
        // Where the end was reset before it could be read, nothing was taken either.
        assert!(
            matches!(answer.status, 413 | 0),
            "{kind}: after {sent} chunks {answer:?}"
        );
        // Each by itself: what one has let go of, the allocator may keep for the thread that had it.
        let grown = process.peak_kib() - before;
        assert!(grown < 16 << 10, "{kind}: {grown} KiB");
    }
    assert_eq!(process.get("/api/queue").json()["queue"], serde_json::json!([]));
}

/// How many senders dribble; SWITCHBOARD_TEST_DRIBBLERS=1000 for many (and open files to match).
fn dribblers() -> usize {
    let told = std::env::var("SWITCHBOARD_TEST_DRIBBLERS").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(120)
}

#[test]
fn senders_that_dribble_are_let_go_and_honest_ones_do_not_notice() {
    let count = dribblers();
    let settings = format!(
        "web:\n  header_timeout: 2s\n  body_timeout: 2s\n  max_connections: {}\n  max_connections_per_address: {}\n",
        count + 20,
        count + 20
    );
    let served = Served::with(&settings);
    let head = "POST /events/my_cloud HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let mut slow: Vec<TcpStream> = (0..count).map(|_| served.connect()).collect();
    for (index, stream) in slow.iter_mut().enumerate() {
        let begun = match index % 2 {
            0 => head.to_owned(),
            _ => format!("{head}Content-Length: 1000000\r\n\r\n"),
        };
        stream.write_all(begun.as_bytes()).unwrap();
    }
    let begin = Instant::now();
    let mut honest = Vec::new();
    let mut number = 0;
    let mut open = slow;
    while !open.is_empty() {
        // A byte each, now and then.
        open.retain_mut(|stream| {
            stream.set_nonblocking(true).unwrap();
            let mut answer = [0; 512];
            let is_over = stream.read(&mut answer).is_ok() || stream.write_all(b"x").is_err();
            !is_over
        });
        number += 1;
        let sent = Instant::now();
        let body = format!(
            r#"{{"id":"h-{number}","event_name":"com.awesomecloud.vm.create","vm":{{"id":"vm-{number}"}}}}"#
        );
        assert_eq!(served.post(&body).status, 202);
        honest.push(sent.elapsed());
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "{} are still there",
            open.len()
        );
        thread::park_timeout(Duration::from_millis(20));
    }
    honest.sort();
    let typical = honest[honest.len() / 2];
    assert!(
        typical < Duration::from_millis(500),
        "{count} dribblers: {typical:?}"
    );
    assert_eq!(served.get("/healthz").status, 200);
}
