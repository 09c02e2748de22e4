//! Following along: events in the order of their commits, none left out, over a real port.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpStream;
use std::process::Stdio;

use serde_json::Value;
use switchboard::model::delivery::Delivery;
use switchboard::vmdb::FeedPosition;
use switchboard::vmdb::Handled;
use switchboard::vmdb::Outcome;

use crate::support::Database;
use crate::support::add;
use crate::support::decided;
use crate::support::event;
use crate::support::saved;
use crate::support::served::Served;

#[test]
fn the_order_is_that_of_the_commits_and_a_second_run_brings_nothing_again() {
    let (database, ems) = Database::with_ems("cloud");
    let vmdb = &database.vmdb;
    vmdb.put(vec![add(&ems, event("a", "a")), add(&ems, event("b", "b"))])
        .wait()
        .unwrap();
    let mut messages = vmdb.take(9, 1).unwrap();
    let (second, first) = (messages.pop().unwrap(), messages.pop().unwrap());
    let mut commits = vmdb.commits();
    let ids_since = |position: &str| -> Vec<i64> {
        let after: FeedPosition = position.parse().unwrap();
        let events = vmdb.events_since(after, 9).unwrap();
        events
            .iter()
            .map(|(_, stored)| stored.event.id.unwrap().0)
            .collect()
    };
    // The one that came last is committed first, and waits for another run.
    let delivery = Delivery {
        retry: Some(switchboard::model::delivery::Retry::default()),
        ..Delivery::default()
    };
    let mut waits = saved(second, delivery);
    if let Handled::New { decided, .. } = &mut waits.handled {
        decided.retry = Some(switchboard::vmdb::NewRetry {
            retry: switchboard::model::delivery::Retry::default(),
            run: 1,
            due: vmdb.clock().now(),
        });
    }
    vmdb.commit(vec![waits]).wait().unwrap();
    assert!(commits.has_changed().unwrap());
    let seen = commits.borrow_and_update().to_string();
    assert_eq!(ids_since("0"), [2]);
    // Whoever has seen the greater number gets the lower one all the same.
    vmdb.commit(vec![saved(first, Delivery::default())])
        .wait()
        .unwrap();
    assert_eq!((ids_since(&seen), ids_since("0")), (vec![1], vec![2, 1]));
    let again = vmdb.take(9, 1).unwrap().pop().unwrap();
    let run = Outcome {
        ticket: again.ticket,
        handled: Handled::Again {
            event: switchboard::model::event::EventId(2),
            decided: Box::new(decided(Delivery::default())),
        },
    };
    vmdb.commit(vec![run]).wait().unwrap();
    assert_eq!(ids_since("0"), [2, 1]);
    assert_eq!(vmdb.feed_position().unwrap().to_string(), "3");
}

/// A client of the stream.
struct Client(BufReader<TcpStream>);

impl Client {
    /// Asks, and waits until it is heard.
    fn new(served: &Served, query: &str, headers: &str) -> Self {
        let mut stream = served.connect();
        let ask = format!("GET /api/event_streams/live{query} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        stream.write_all(ask.as_bytes()).unwrap();
        let mut client = Self(BufReader::new(stream));
        assert!(client.line().starts_with("HTTP/1.1 200"));
        while client.line() != ":\n" {}
        client
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    /// The next event: its place in the stream, and what is told of it.
    fn next(&mut self) -> (i64, Value) {
        let mut id = 0;
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "the stream ended");
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.trim().parse().unwrap();
            }
            if let Some(text) = line.strip_prefix("data: ") {
                return (id, serde_json::from_str(text).unwrap());
            }
        }
    }

    fn keys(&mut self, count: usize) -> Vec<String> {
        let mut key = || self.next().1["event_key"].as_str().unwrap().to_owned();
        (0..count).map(|_| key()).collect()
    }
}

fn native(id: &str, name: &str) -> String {
    format!(r#"{{"id": "{id}", "event_name": "com.awesomecloud.vm.{name}", "vm": {{"id": "vm-{id}"}}}}"#)
}

#[test]
fn events_come_as_they_are_saved_to_those_who_want_them() {
    let served = Served::with("");
    assert_eq!(served.post(&native("before", "create")).status, 202);
    served.until_saved(1);
    let mut all = Client::new(&served, "", "");
    let mut suspended = Client::new(
        &served,
        "?event_type=com.awesomecloud.vm.suspend&ems=my_cloud",
        "",
    );
    assert!(
        served
            .get("/metrics")
            .body
            .contains("\nswitchboard_live_clients 2\n")
    );
    for (id, name) in [
        ("1", "create"),
        ("2", "suspend"),
        ("3", "create"),
        ("4", "suspend"),
    ] {
        assert_eq!(served.post(&native(id, name)).status, 202);
        // One after the other, so that the order is known.
        assert_eq!(all.keys(1), [id]);
    }
    assert_eq!(suspended.keys(2), ["2", "4"]);
    for (path, headers, status, reason) in [
        ("?ems=x", "X: y", 400, "there is no manager `x`"),
        ("?level=high", "X: y", 400, "`high` is no level"),
        ("?from=now", "X: y", 400, "unknown field `from`"),
        ("", "Last-Event-ID: x", 400, "`x` is no id of an earlier event"),
        ("", "Last-Event-ID: 99", 400, "has not come to this"),
    ] {
        let answer = served.request(&format!("GET /api/event_streams/live{path}"), &[headers], "");
        assert_eq!(answer.status, status, "{path} {headers} {answer:?}");
        assert!(answer.body.contains(reason), "{path} {headers} {answer:?}");
    }
}

#[test]
fn a_client_that_comes_again_or_is_slow_misses_nothing() {
    let served = Served::with("");
    let mut slow = Client::new(&served, "", "");
    let count = 3_000_i64;
    for part in 0..3 {
        let ids = (part * 1_000)..((part + 1) * 1_000);
        let events: Vec<String> = ids.map(|id| native(&id.to_string(), "create")).collect();
        assert_eq!(served.post(&format!("[{}]", events.join(","))).status, 202);
    }
    served.until("/api/queue?limit=1", |answer| {
        answer.json()["queue"] == serde_json::json!([])
    });
    let told: Vec<(i64, Value)> = (0..count).map(|_| slow.next()).collect();
    let places: Vec<i64> = told.iter().map(|(place, _)| *place).collect();
    assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
    let mut keys: Vec<i64> = told
        .iter()
        .map(|(_, event)| event["event_key"].as_str().unwrap().parse().unwrap())
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, Vec::from_iter(0..count));
    // From the middle on, and from the beginning.
    let (place, _) = &told[1_499];
    let mut again = Client::new(&served, "", &format!("Last-Event-ID: {place}\r\n"));
    let rest: Vec<_> = (1_500..count).map(|_| again.next()).collect();
    assert_eq!(rest, told[1_500..]);
    let mut first = Client::new(&served, "?last_event_id=0", "");
    assert_eq!(first.next(), told[0]);
    // The end of the process ends the streams; nobody waits for them.
    let began = std::time::Instant::now();
    drop(served);
    assert!(
        began.elapsed() < std::time::Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    while !again.line().is_empty() {}
}

#[test]
fn with_a_token_only_those_who_show_it_may_follow() {
    let served = Served::with("web:\n  token: right\n");
    let path = "GET /api/event_streams/live";
    assert_eq!(served.request(path, &[], "").status, 401);
    assert_eq!(
        served
            .request(&format!("{path}?access_token=wrong"), &[], "")
            .status,
        401
    );
    Client::new(&served, "?access_token=right", "");
    Client::new(&served, "", "Authorization: Bearer right\r\n");
}

#[test]
fn the_command_line_follows_what_another_process_saves() {
    let served = Served::with("");
    for id in ["1", "2", "3"] {
        assert_eq!(served.post(&native(id, "create")).status, 202);
    }
    served.until_saved(3);
    served.until("/api/queue", |answer| {
        answer.json()["queue"] == serde_json::json!([])
    });
    let arguments = "event tail --database sqlite:test.db --format json --last 2 --ems my_cloud";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let mut child = served
        .project
        .command(&arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        event["event_key"].as_str().unwrap().to_owned()
    };
    let newest = served.get("/api/event_streams?limit=2").json();
    let newest = newest["event_streams"].as_array().unwrap().clone();
    let told = [next(), next()];
    assert!(
        newest
            .iter()
            .rev()
            .zip(&told)
            .all(|(event, told)| event["event_key"] == **told),
        "{told:?}"
    );
    assert_eq!(served.post(&native("4", "create")).status, 202);
    assert_eq!(next(), "4");
    child.kill().unwrap();
    child.wait().unwrap();
}
