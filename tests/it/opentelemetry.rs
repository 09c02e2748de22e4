//! OpenTelemetry, where it is built in: spans and figures reach a receiver over OTLP/HTTP, and a dead one costs nothing.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::project::Project;
use crate::support::served::read;

const PATIENCE: Duration = Duration::from_secs(60);

/// Takes requests: each head and body.
fn receiver() -> (String, mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while reader.read_line(&mut head).unwrap() > 2 {}
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.parse::<usize>().unwrap())
            });
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            reader.get_mut().write_all(answer).unwrap();
            // A test that has seen enough listens no more.
            let _enough = sender.send((head, body));
        }
    });
    (url, requests)
}

/// A project with an event that waits.
fn project() -> Project {
    let project = Project::shipped();
    project.run("ems add my_cloud --type awesome_cloud");
    let event = r#"{"id": "e-1", "event_name": "com.awesomecloud.vm.create", "vm": {"id": "vm-1"}}"#;
    project.write("event.json", event);
    project.run("event add event.json --ems my_cloud");
    project
}

fn serve(project: &Project, endpoint: &str) -> Child {
    serve_with(project, &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)])
}

fn serve_with(project: &Project, variables: &[(&str, &str)]) -> Child {
    let mut command = project.command(&["serve", "--listen", "127.0.0.1:0"]);
    command
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "100")
        .envs(variables.iter().copied())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn terminate(mut child: Child) -> String {
    let status = Command::new("kill")
        .args(["-s", "TERM", &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{log}");
    log
}

fn contains(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn the_spans_of_an_event_reach_the_receiver() {
    let (url, requests) = receiver();
    let project = project();
    let child = serve(&project, &url);
    let mut all = Vec::new();
    // Texts stand in Protocol Buffers as they are.
    let wanted = [
        "switchboard",
        "handle",
        "decide",
        "commit",
        "event_id",
        "rules_id",
        "my_cloud",
        "com.awesomecloud.vm.create",
    ];
    while !wanted.iter().all(|text| contains(&all, text)) {
        let (head, body) = requests.recv_timeout(PATIENCE).unwrap();
        if head.starts_with("POST /v1/metrics HTTP/1.1") {
            continue;
        }
        assert!(head.starts_with("POST /v1/traces HTTP/1.1"), "{head}");
        assert!(
            head.to_lowercase()
                .contains("content-type: application/x-protobuf"),
            "{head}"
        );
        all.extend(body);
    }
    terminate(child);
}

#[test]
fn without_a_receiver_events_are_handled_all_the_same() {
    let project = project();
    // Nobody listens on a port that was given back.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let child = serve(&project, &format!("http://127.0.0.1:{port}"));
    while project.run("refresh list --format json").lines().count() < 2 {
        thread::yield_now();
    }
    let log = terminate(child);
    assert!(log.contains("Stopped in order."), "{log}");
}

#[test]
fn an_endpoint_that_is_none_is_refused_with_the_reason() {
    let project = project();
    let child = serve(&project, "nowhere at all");
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("cannot send traces"), "{told}");
}

/// A field of a message in Protocol Buffers: its number, and what it holds.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message; panics where it is none.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    fn number(bytes: &mut &[u8]) -> u64 {
        let mut number = 0;
        for shift in (0..).step_by(7) {
            let (byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        number
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = number(&mut bytes);
        let field = match tag & 7 {
            0 => Field::Number(number(&mut bytes)),
            1 => {
                let (eight, rest) = bytes.split_at(8);
                bytes = rest;
                Field::Number(u64::from_le_bytes(eight.try_into().unwrap()))
            }
            2 => {
                let length = usize::try_from(number(&mut bytes)).unwrap();
                let (inner, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(inner)
            }
            other => panic!("wire type {other}"),
        };
        fields.push((tag >> 3, field));
    }
    fields
}

/// The messages in a message that stand under this number.
fn inner(message: &[u8], wanted: u64) -> Vec<&[u8]> {
    let found = fields(message)
        .into_iter()
        .filter_map(|(number, field)| match field {
            Field::Bytes(bytes) if number == wanted => Some(bytes),
            _other => None,
        });
    found.collect()
}

fn text(message: &[u8], wanted: u64) -> String {
    let bytes = inner(message, wanted).first().copied().unwrap_or_default();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What was sent, in the form of Prometheus' text: `name{label="value"}`, and the figure; names of what only grows.
fn figures(body: &[u8]) -> (BTreeMap<String, f64>, BTreeSet<String>) {
    let (mut figures, mut growing) = (BTreeMap::new(), BTreeSet::new());
    let scopes = inner(body, 1).into_iter().flat_map(|resource| inner(resource, 2));
    for metric in scopes.flat_map(|scope| inner(scope, 2)) {
        let name = text(metric, 1);
        assert!(!text(metric, 2).is_empty(), "{name} says what it is");
        let sums = inner(metric, 7);
        if !sums.is_empty() {
            growing.insert(name.clone());
        }
        for point in inner(metric, 5)
            .into_iter()
            .chain(sums)
            .flat_map(|data| inner(data, 1))
        {
            let labels: BTreeSet<String> = inner(point, 7)
                .into_iter()
                .map(|pair| format!("{}=\"{}\"", text(pair, 1), text(inner(pair, 2)[0], 1)))
                .collect();
            let value = fields(point).into_iter().find_map(|(number, field)| match field {
                Field::Number(bits) if number == 4 => Some(f64::from_bits(bits)),
                _other => None,
            });
            figures.insert(series(&name, labels), value.unwrap());
        }
    }
    (figures, growing)
}

fn series(name: &str, labels: BTreeSet<String>) -> String {
    format!("{name}{{{}}}", Vec::from_iter(labels).join(","))
}

/// What `/metrics` shows in the same form, with what only grows there.
fn shown(address: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let (mut all, mut growing, mut is_growing) = (BTreeSet::new(), BTreeSet::new(), false);
    for line in read(&mut stream).body.lines() {
        if line.starts_with('#') {
            is_growing = !line.ends_with(" gauge");
            continue;
        }
        let (named, _value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = named.split_once('{').unwrap_or((named, "}"));
        let labels = labels.strip_suffix('}').unwrap().split_inclusive("\",");
        let labels = labels.map(|label| label.trim_end_matches(',').to_owned());
        if is_growing {
            growing.insert(name.to_owned());
        }
        all.insert(series(name, labels.collect()));
    }
    (all, growing)
}

#[test]
fn the_figures_that_metrics_shows_reach_the_receiver_and_so_do_those_that_come_up_later() {
    let (url, requests) = receiver();
    let project = project();
    let metrics = format!("{url}/v1/metrics");
    let mut child = serve_with(&project, &[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &metrics)]);
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("listening on http://") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended");
    }
    let address = line.trim().rsplit_once('/').unwrap().1.to_owned();
    let log = thread::spawn(move || {
        let mut rest = String::new();
        log.read_to_string(&mut rest).unwrap();
        rest
    });
    // Counted from the first answer on: nobody had asked for anything when the sending began.
    shown(&address);
    let handled = "switchboard_messages_handled_total{ems=\"my_cloud\",outcome=\"delivered\"}";
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        let (head, body) = requests.recv_timeout(PATIENCE).unwrap();
        // No traces, since only a receiver of figures is named.
        assert!(head.starts_with("POST /v1/metrics HTTP/1.1"), "{head}");
        assert!(contains(&body, "service.name"), "{head}");
        let (sent, growing) = figures(&body);
        let (wanted, to_grow) = shown(&address);
        let missing: Vec<&String> = wanted
            .iter()
            .filter(|series| !sent.contains_key(*series))
            .collect();
        if missing.is_empty() && sent.get(handled) == Some(&1.0) {
            assert!(to_grow.is_superset(&growing), "{growing:?}");
            assert!(growing.contains("switchboard_database_commit_seconds_bucket"));
            assert_eq!(
                sent["switchboard_tally{column=\"delivered\",ems=\"my_cloud\"}"],
                1.0
            );
            let commits = |part: &str| sent[&format!("switchboard_database_commit_seconds_{part}")];
            assert_eq!(commits("bucket{le=\"+Inf\"}"), commits("count{}"));
            break;
        }
        assert!(std::time::Instant::now() < end, "never sent: {missing:?}");
    }
    let status = Command::new("kill")
        .args(["-s", "TERM", &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let log = log.join().unwrap();
    assert!(!log.contains("Cannot read the figures"), "{log}");
}

#[test]
fn a_receiver_that_never_answers_does_not_hold_up_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = format!("http://{}/v1/metrics", listener.local_addr().unwrap());
    let project = project();
    let child = serve_with(&project, &[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &metrics)]);
    // It waits for an answer.
    let (_silent, _address) = listener.accept().unwrap();
    let began = std::time::Instant::now();
    let log = terminate(child);
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?} {log}",
        began.elapsed()
    );
    assert!(log.contains("Stopped in order."), "{log}");
}
