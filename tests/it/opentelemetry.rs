//! OpenTelemetry, where it is built in: the spans of an event reach a receiver over OTLP/HTTP, and a dead one costs nothing.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::project::Project;

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
    let mut command = project.command(&["serve", "--listen", "127.0.0.1:0"]);
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
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
