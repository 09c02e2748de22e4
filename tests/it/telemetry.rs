//! What whoever watches it sees: figures of every stage, spans in the logs, threads that break or stand still.
#![expect(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use expect_test::expect;
use parking_lot::Mutex;
use serde_json::Value;
use serde_json::json;
use switchboard::handler::Current;
use switchboard::handler::Handler;
use switchboard::handler::HandlerConfig;
use switchboard::handler::Rules;
use switchboard::model::delivery::Delivery;
use switchboard::model::delivery::RulesId;
use switchboard::model::event::EventId;

use crate::support::Database;
use crate::support::event;
use crate::support::project::Project;
use crate::support::served::Served;
use crate::support::told_rules::put;
use crate::support::told_rules::start_with;
use crate::support::told_rules::until;
use crate::support::told_rules::until_empty;

const NAMESPACE: &str = "object_type: namespace\nversion: 1.0\nobject:\n  attributes: {name: System}\n";

fn native(id: &str, name: &str) -> String {
    format!(r#"{{"id": "{id}", "event_name": "com.awesomecloud.{name}", "vm": {{"id": "vm-1"}}}}"#)
}

/// The families of an exposition: name, type, help; panics where promtool would complain.
fn families(text: &str) -> Vec<(String, String, String)> {
    let mut families: Vec<(String, String, String)> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    assert!(text.ends_with('\n'));
    let mut help: Option<(String, String)> = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, text) = rest.split_once(' ').expect(line);
            assert!(
                !text.is_empty() && seen.insert(format!("family {name}")),
                "{line}"
            );
            help = Some((name.to_owned(), text.to_owned()));
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect(line);
            let (helped, text) = help.take().expect("HELP stands before TYPE");
            assert_eq!(helped, name);
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(name.starts_with("switchboard_"), "{line}");
            families.push((name.to_owned(), kind.to_owned(), text));
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect(line);
        let value: f64 = value.parse().expect(line);
        assert!(seen.insert(series.to_owned()), "twice: {line}");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        assert!(
            name.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase()),
            "{line}"
        );
        assert!(labels.ends_with('}'), "{line}");
        let (family, kind, _) = families.last().expect("a family stands before its samples");
        match kind.as_str() {
            "histogram" => {
                let part = name.strip_prefix(family.as_str()).expect(line);
                assert!(["_bucket", "_sum", "_count"].contains(&part), "{line}");
                let end = labels
                    .split_once("le=\"")
                    .and_then(|(_, end)| end.split_once('"'));
                let end = end.map(|(end, _)| end.parse().unwrap_or(f64::INFINITY));
                assert_eq!(end.is_some(), part == "_bucket", "{line}");
                let of_family = buckets.entry(family.clone()).or_default();
                match (part, end) {
                    ("_bucket", Some(end)) => of_family.push((end, value)),
                    ("_count", _) => assert_eq!(of_family.last(), Some(&(f64::INFINITY, value)), "{line}"),
                    _sum => (),
                }
            }
            _number => assert_eq!(name, family, "{line}"),
        }
    }
    for (family, buckets) in buckets {
        assert!(
            buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1),
            "{family} {buckets:?}"
        );
    }
    families
}

#[test]
fn the_figures_of_every_stage_are_right_and_can_be_read_by_prometheus() {
    let settings = "ems:\n  ems_awesome_cloud:\n    blacklisted_event_names: [com.awesomecloud.noise]\n\
";
    let served = Served::with(settings);
    let waiting = format!("[{}, {}]", native("1", "vm.create"), native("2", "vm.suspend"));
    for (body, status) in [
        (waiting, 202),
        (native("1", "vm.create"), 202),
        (native("3", "noise"), 202),
        (r#"{"id": "unparsed"}"#.to_owned(), 202),
        ("[".to_owned(), 400),
    ] {
        assert_eq!(served.post(&body).status, status, "{body}");
        // Saved first, so that the repeat is known when it comes.
        served.until("/metrics", |answer| {
            answer
                .body
                .contains("{ems=\"my_cloud\",outcome=\"delivered\"} 2\n")
        });
    }
    // The same again and again, beyond the rate.
    let flood: Vec<String> = (100..160)
        .map(|id| native(&id.to_string(), "vm.resume"))
        .collect();
    assert_eq!(served.post(&format!("[{}]", flood.join(","))).status, 202);
    served.until("/metrics", |answer| {
        let handled = "switchboard_messages_handled_total{ems=\"my_cloud\",outcome=\"delivered\"} 62\n";
        answer.body.contains(handled)
    });
    let text = served.get("/metrics").body;
    let told: Vec<String> = families(&text)
        .into_iter()
        .map(|(name, kind, help)| format!("{name} {kind}: {help}\n"))
        .collect();
    expect![[r#"
        switchboard_blacklist_hits_total counter: Events dropped, by entry of `blacklisted_event_names`.
        switchboard_build_info gauge: Always 1; its labels tell the program.
        switchboard_database_commit_seconds histogram: How long transactions took, from their first request until the disk had them, in seconds.
        switchboard_database_ready gauge: 1 while the database takes what it is given.
        switchboard_database_room gauge: How many more requests the writer of the database has room for.
        switchboard_database_wal_bytes gauge: The size of the write-ahead log.
        switchboard_disk_free_bytes gauge: What is free on the disk of the database.
        switchboard_disk_low gauge: 1 while less than a tenth of it, or less than 1 GiB, is free.
        switchboard_disk_size_bytes gauge: The size of the disk of the database.
        switchboard_event_acknowledged_seconds histogram: From the arrival of a message until the disk had it and its sender was told, in seconds.
        switchboard_event_decided_seconds histogram: From the arrival of an event until what its rules decided was on the disk, in seconds.
        switchboard_events_folded_total counter: Events beyond the rate, which are saved and decided together with their like.
        switchboard_handler_restarts_total counter: How often a thread of the handler broke and was started anew.
        switchboard_handler_threads gauge: Threads of the handler by how they fare.
        switchboard_http_requests_total counter: Requests answered, by route and status.
        switchboard_inventory_objects_total counter: Objects that refreshes brought or archived, by what became of them.
        switchboard_live_clients gauge: Clients that follow the events as they are saved.
        switchboard_messages_handled_total counter: Messages taken off the queue, by what became of them: delivered, failed and retry are decisions of the rules.
        switchboard_messages_received_total counter: Messages that streams brought.
        switchboard_messages_total counter: Messages by what became of them.
        switchboard_outbox_effects gauge: Outside effects that are not sent, by state.
        switchboard_outbox_oldest_seconds gauge: How long the oldest outside effect has waited to be sent, in seconds.
        switchboard_purge_clock_ahead_seconds gauge: How far the clock is ahead of the time that ages are counted from.
        switchboard_purge_held_events gauge: Events that are old enough but have something waiting, at the last purge.
        switchboard_purge_seconds gauge: How long the last purge took.
        switchboard_purged_events_total counter: Events that were purged, by age or by number.
        switchboard_purges_failed_total counter: Those that broke off.
        switchboard_purges_total counter: Purges, one every ten minutes.
        switchboard_queue_messages gauge: Messages on the queue by state.
        switchboard_queue_oldest_seconds gauge: How long the oldest message has waited for the handler, in seconds.
        switchboard_refresh_api_calls_total counter: Calls of managers' APIs that collectors made.
        switchboard_refresh_oldest_seconds gauge: How long the oldest refresh has waited, in seconds.
        switchboard_refresh_targets_total counter: Targets that were refreshed.
        switchboard_refresh_waiting_targets gauge: Targets of the refreshes that wait.
        switchboard_refreshes gauge: Refreshes that are not over, by state.
        switchboard_refreshes_total counter: Refreshes that ended, by kind; one that failed comes again.
        switchboard_reloads_total counter: Changes of rules on disk by what became of them.
        switchboard_requests_refused_total counter: Requests of senders that were refused, by manager and status.
        switchboard_rules_load_seconds gauge: How long the last load took, in seconds.
        switchboard_rules_refused gauge: 1 while the rules on disk are wrong and older ones are in force.
        switchboard_rules_since_seconds gauge: When the rules in force were loaded, in seconds since the epoch.
        switchboard_settings_refused gauge: 1 while the settings on disk are wrong and older ones are in force.
        switchboard_settings_reloads_total counter: Changes of the settings file by what became of them.
        switchboard_tally gauge: The books of each manager, kept with the rows since the database was made.
    "#]].assert_eq(&told.concat());
    for line in [
        "switchboard_messages_received_total 65",
        "switchboard_messages_total{ems=\"my_cloud\",fate=\"queued\"} 62",
        "switchboard_messages_total{ems=\"my_cloud\",fate=\"duplicate\"} 1",
        "switchboard_messages_total{ems=\"my_cloud\",fate=\"blacklisted\"} 1",
        "switchboard_messages_total{ems=\"my_cloud\",fate=\"unparsed\"} 1",
        "switchboard_events_folded_total{ems=\"my_cloud\"} 30",
        "switchboard_event_acknowledged_seconds_count 64",
        "switchboard_event_decided_seconds_count 62",
        "switchboard_queue_messages{state=\"ready\"} 0",
        "switchboard_queue_messages{state=\"dead\"} 1",
        "switchboard_queue_oldest_seconds 0",
        "switchboard_refreshes{state=\"waiting\"} 1",
        "switchboard_refresh_waiting_targets 1",
        "switchboard_handler_threads{state=\"working\"} 2",
        "switchboard_handler_threads{state=\"broken\"} 0",
        "switchboard_http_requests_total{route=\"/events/{ems}\",status=\"202\"} 5",
        "switchboard_http_requests_total{route=\"/events/{ems}\",status=\"400\"} 1",
        "switchboard_database_ready 1",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
}

#[test]
fn a_rule_that_fails_is_counted_by_its_name() {
    let project = Project::new(
        "//- automate/Site/__domain__.yaml\nobject_type: domain\nversion: 1.0\nobject:\n  attributes: {name: Site, priority: 1, enabled: true}\n//- scripts/none\n",
    );
    project.write("automate/Site/System/__namespace__.yaml", NAMESPACE);
    let class = "automate/Site/System/Process.class";
    project.write(
        &format!("{class}/__class__.yaml"),
        "object_type: class\nversion: 1.0\nobject:\n  attributes: {name: Process}\n  schema:\n  - field: {name: rel1, aetype: relationship}\n",
    );
    project.write(
        &format!("{class}/Event.yaml"),
        "object_type: instance\nversion: 1.0\nobject:\n  attributes: {name: Event}\n  fields:\n  - rel1:\n      value: /Nowhere/At/all\n",
    );
    let parser = "fn event_to_hash(event, ems_id) { #{ event_type: \"x\", source: \"X\" } }";
    project.write("scripts/awesome_cloud/event_parser.rhai", parser);
    let served = Served::of(project, "");
    assert_eq!(served.post(&native("1", "x")).status, 202);
    let text = served
        .until("/metrics", |answer| {
            answer.body.contains("switchboard_rule_errors_total{")
        })
        .body;
    let line = text
        .lines()
        .find(|line| line.starts_with("switchboard_rule_errors_total{"))
        .unwrap();
    expect![[r#"switchboard_rule_errors_total{rule="/Nowhere/At/all"} 1"#]].assert_eq(line);
    families(&text);
}

#[test]
fn a_thread_that_stands_still_is_told_with_what_it_has_in_hand() {
    let (database, ems) = Database::with_ems("cloud");
    let config = HandlerConfig {
        threads: 1,
        patience: Duration::from_millis(300),
        ..HandlerConfig::default()
    };
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock();
    let behind = gate.clone();
    let handler = start_with(&database, config, Err(String::new()), move |_, _| {
        drop(behind.lock());
        Delivery::default()
    });
    let status = handler.status();
    until(&database.vmdb, || status().iter().all(|thread| !thread.stuck));
    put(&database, &ems, vec![event("a", "a")]);
    until(&database.vmdb, || status().iter().any(|thread| thread.stuck));
    let stuck = status().remove(0);
    assert!(stuck.alive && stuck.last_progress.is_none(), "{stuck:?}");
    assert_eq!(stuck.in_hand, Some(EventId(1)));
    drop(closed);
    until_empty(&database.vmdb);
    until(&database.vmdb, || {
        status()
            .iter()
            .all(|thread| !thread.stuck && thread.last_progress.is_some())
    });
    assert_eq!(status().remove(0).in_hand, None);
    handler.stop();
    assert!(status().iter().all(|thread| !thread.alive));
}

#[test]
fn a_thread_that_breaks_is_started_anew_and_what_it_had_is_not_lost() {
    let (database, ems) = Database::with_ems("cloud");
    struct Good;
    impl Rules for Good {
        fn id(&self) -> RulesId {
            RulesId(3)
        }
        fn admit(
            &self,
            _ems: &switchboard::model::ems::Ems,
            _native: &switchboard::model::event::NativeEvent,
            _blacklist: &switchboard::settings::Blacklist,
        ) -> Result<switchboard::switchboard::Admission, switchboard::switchboard::ParseError> {
            Err(switchboard::switchboard::ParseError::Json(
                "nothing is parsed here".to_owned(),
            ))
        }
        fn deliver(
            &self,
            _event: &Arc<switchboard::model::event::EmsEvent>,
            _context: &switchboard::switchboard::Context,
        ) -> Delivery {
            Delivery::default()
        }
    }
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = is_broken.clone();
    // Beyond what guards a single message.
    let rules: Current<dyn Rules> = Arc::new(move || {
        assert!(!broken.load(Ordering::SeqCst), "no rules today");
        Arc::new(Good)
    });
    let config: Current<HandlerConfig> = Arc::new(|| {
        Arc::new(HandlerConfig {
            threads: 1,
            ..HandlerConfig::default()
        })
    });
    let handler = Handler::start(&database.vmdb, &rules, &config).unwrap();
    put(&database, &ems, vec![event("a", "a")]);
    let status = handler.status();
    until(&database.vmdb, || status().iter().any(|thread| !thread.alive));
    assert_eq!(status().remove(0).reason.as_deref(), Some("no rules today"));
    is_broken.store(false, Ordering::SeqCst);
    until_empty(&database.vmdb);
    let thread = status().remove(0);
    assert!(thread.alive && 0 < thread.restarts, "{thread:?}");
    assert_eq!(database.vmdb.event_count().unwrap(), 1);
    let restarts = (handler.samples())();
    let restarts = restarts
        .iter()
        .find(|sample| sample.name == "switchboard_handler_restarts_total");
    assert!(restarts.unwrap().number() >= Some(1.0));
    handler.stop();
}

#[test]
fn readiness_tells_how_each_thread_of_the_handler_fares() {
    let served = Served::with("");
    assert_eq!(served.post(&native("1", "vm.create")).status, 202);
    served.until_saved(1);
    let handler = &served.get("/readyz").json()["handler"];
    assert_eq!(handler["ready"], true);
    let threads = handler["threads"].as_array().unwrap();
    assert_eq!(threads.len(), 2);
    let told = |key: &str| {
        threads
            .iter()
            .map(|thread| thread[key].clone())
            .collect::<Vec<Value>>()
    };
    assert_eq!(
        (told("alive"), told("stuck")),
        (vec![json!(true); 2], vec![json!(false); 2])
    );
    assert!(told("last_progress").iter().any(Value::is_string), "{handler}");
}

/// A place for logs.
#[test]
fn each_line_about_an_event_in_json_says_which_one_it_is() {
    let project = Project::shipped();
    project.run("ems add my_cloud --type awesome_cloud");
    let method = "evm.log(\"info\", \"hello from a rule\");\n";
    project.write("site/Site/__domain__.yaml", "object_type: domain\nversion: 1.0\nobject:\n  attributes: {name: Site, priority: 1, enabled: true}\n");
    project.write("site/Site/System/__namespace__.yaml", NAMESPACE);
    let class = "site/Site/System/Process.class";
    project.write(
        &format!("{class}/__class__.yaml"),
        "object_type: class\nversion: 1.0\nobject:\n  attributes: {name: Process}\n  schema:\n  - field: {name: m, aetype: method}\n",
    );
    project.write(
        &format!("{class}/Event.yaml"),
        "object_type: instance\nversion: 1.0\nobject:\n  attributes: {name: Event}\n  fields:\n  - m:\n      value: hello\n",
    );
    project.write(
        &format!("{class}/__methods__/hello.yaml"),
        "object_type: method\nversion: 1.0\nobject:\n  attributes: {name: hello, language: rhai, location: inline}\n",
    );
    project.write(&format!("{class}/__methods__/hello.rhai"), method);
    project.write("event.json", &native("1", "vm.create"));
    project.write("bad.json", r#"{"id": "bad"}"#);
    project.run("event add bad.json --ems my_cloud");
    project.run("event add event.json --ems my_cloud");
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--log-format",
        "json",
        "--automate",
        "site",
    ];
    let mut child = project
        .command(&arguments)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(child.stderr.take().unwrap());
    let (sender, lines) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        // Nobody listens any more once the line is found.
        log.lines()
            .map_while(Result::ok)
            .all(|line| sender.send(line).is_ok())
    });
    let mut all = String::new();
    let found = loop {
        let line = lines.recv_timeout(Duration::from_secs(30)).expect(&all);
        if line.contains("hello from a rule") {
            break serde_json::from_str::<Value>(&line).unwrap();
        }
        all.push_str(&line);
        all.push('\n');
    };
    drop(lines);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    let handle = &found["spans"][0];
    assert_eq!(
        (&handle["name"], &handle["ems"], &handle["event_type"]),
        (
            &json!("handle"),
            &json!("my_cloud"),
            &json!("com.awesomecloud.vm.create")
        ),
        "{found}"
    );
    assert!(
        handle["event_id"].is_i64() && handle["rules_id"].is_string(),
        "{found}"
    );
    assert_eq!(found["span"]["name"], "decide", "{found}");
}
