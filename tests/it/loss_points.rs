//! The fourteen places where ManageIQ loses events (the reference's 12.6, L1 to L14), each shown to lose none here:
//! the real program, killed, stopped, paused, over real HTTP, files and SQLite.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::time::Duration;
use std::time::Instant;

use switchboard::model::clock::Clock;
use switchboard::model::clock::SignedDuration;
use switchboard::model::delivery::RulesId;
use switchboard::model::event::NativeEvent;
use switchboard::vmdb::DatabaseUrl;
use switchboard::vmdb::NewMessage;
use switchboard::vmdb::RefreshRequest;
use switchboard::vmdb::Vmdb;

use crate::support::Database;
use crate::support::cloud::Cloud;
use crate::support::cloud::event;
use crate::support::process::Process;
use crate::support::process::ids;
use crate::support::process::prepared;
use crate::support::process::project;
use crate::support::project::Project;
use crate::support::take_refresh;
use crate::support::told_rules::vm;

/// A short pause between two polls.
const POLL: &str =
    "workers:\n  worker_base:\n    event_catcher:\n      event_catcher_awesome_cloud:\n        poll: 20ms\n";

fn polled(cloud: &Cloud) -> Project {
    project(POLL, &format!("--url {}", cloud.url()))
}

/// The database as it is on the disk.
fn sql(project: &Project) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(project.path("switchboard.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection
}

fn count(connection: &rusqlite::Connection, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    connection.query_row(&sql, [], |row| row.get(0)).unwrap()
}

/// A project whose target parser is this one.
fn with_target_parser(parser: &str, settings: &str) -> Project {
    let own = Project::new("");
    let source = |path: &str| format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::os::unix::fs::symlink(source("automate"), own.path("automate")).unwrap();
    for name in ["event_parser.rhai", "stream.rhai"] {
        let text = fs::read_to_string(source(&format!("scripts/awesome_cloud/{name}"))).unwrap();
        own.write(&format!("scripts/awesome_cloud/{name}"), &text);
    }
    own.write("scripts/awesome_cloud/event_target_parser.rhai", parser);
    prepared(own, settings, "")
}

/// Waits until `ems list` says so.
fn until_listed(project: &Project, words: &str) {
    let begin = Instant::now();
    loop {
        let listed = project.run("ems list");
        if listed.contains(words) {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "{listed}");
    }
}

fn named(id: &str, vm: &str) -> String {
    event(id).replace("vm-1", vm)
}

/// Statement 24.
#[test]
fn l01_s24_a_first_start_takes_what_happened_before_it_and_says_how_far_back() {
    let cloud = Cloud::start();
    cloud.happen(1, 5);
    let project = polled(&cloud);
    let process = Process::start(&project);
    process.until_saved(ids(1, 5));
    assert!(!cloud.requests()[0].contains("since="), "{:?}", cloud.requests());
    let log = process.log();
    assert!(log.contains("this is how far back it reaches"), "{log}");
    assert!(log.contains("2026-01-01T11:00:00Z"), "{log}");
    process.stop();
}

#[test]
fn l02_what_was_acknowledged_is_on_the_disk_whenever_the_process_is_killed() {
    let project = project("", "");
    let mut sent = Vec::new();
    for round in 0..5 {
        let process = Process::start(&project);
        for number in 0..3 {
            let id = format!("e-{round}.{number}");
            assert_eq!(process.post(&event(&id)).status, 202);
            sent.push(id);
        }
        process.kill();
        let on_disk = sql(&project);
        let rows = count(&on_disk, "native_events");
        assert_eq!(usize::try_from(rows).unwrap(), sent.len());
    }
    let process = Process::start(&project);
    process.until_saved(sent);
}

/// Statement 22.
#[test]
fn l03_s22_a_kill_between_pages_leaves_cursor_and_events_together_and_none_is_missing() {
    let cloud = Cloud::start();
    cloud.page_size(7);
    for number in 1..=400 {
        cloud.happens(named(&format!("e-{number}"), &format!("vm-{number}")));
    }
    let project = polled(&cloud);
    let mut kills = 0;
    loop {
        let process = Process::start(&project);
        let asked = cloud.requests().len();
        let begin = Instant::now();
        while cloud.requests().len() < asked + 9 && begin.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        process.kill();
        kills += 1;
        let on_disk = sql(&project);
        let saved: Option<String> = on_disk
            .query_row("SELECT max(position) FROM cursors", [], |row| row.get(0))
            .unwrap();
        let saved: i64 = saved.map_or(0, |text| text.parse().unwrap());
        // Neither one nor the other: as many events as the cursor says.
        assert_eq!(count(&on_disk, "native_events"), saved);
        if saved == 400 || kills == 12 {
            break;
        }
    }
    assert!(2 <= kills, "it was never killed on its way");
    let process = Process::start(&project);
    // What was in hand at two of the kills may have caused them, and waits to be asked for.
    process.until("/api/queue", |json| {
        json["counts"]["ready"] == 0 && json["counts"]["waiting"] == 0
    });
    let told = project.run("queue retry --all parked");
    assert!(!told.contains("error"), "{told}");
    process.until_saved(ids(1, 400));
    // A poll after the restart overlaps, and adds nothing.
    assert_eq!(count(&sql(&project), "native_events"), 400);
}

/// Statement 23, with L7's first half: the script is mended while it runs.
#[test]
fn l04_s23_of_a_page_with_a_broken_event_nine_are_stored_and_the_tenth_waits_for_its_script() {
    let cloud = Cloud::start();
    cloud.page_size(10);
    let broken = r#"{ "id":  "e-3", "name_of_event": "com.awesomecloud.vm.create" }"#;
    for number in 1..=10 {
        let text = event(&format!("e-{number}"));
        cloud.happens(if number == 3 { broken.to_owned() } else { text });
    }
    let own = with_target_parser("fn parse(ems_event) { targets() }\n", POLL);
    let told = own.run("ems remove my_cloud");
    assert!(told.contains("removed manager"), "{told}");
    let own = prepared(own, POLL, &format!("--url {}", cloud.url()));
    let process = Process::start(&own);
    let nine = ids(1, 10).into_iter().filter(|id| id != "e-3").collect();
    process.until_saved(nine);
    let dead = process.until("/api/queue?state=dead", |json| {
        json["queue"][0]["kind"] == "unparsed"
    });
    let error = dead["queue"][0]["error"].as_str().unwrap();
    assert!(error.contains("the event has no `event_name`"), "{error}");
    let kept: String = sql(&own)
        .query_row(
            "SELECT n.full_data FROM native_events n JOIN miq_queue q ON q.id = n.id",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(kept, broken);

    let before = process.get("/readyz").json()["rules"]["generation"].clone();
    let path = "scripts/awesome_cloud/event_parser.rhai";
    let script = fs::read_to_string(own.path(path)).unwrap();
    let mended = script.replace(
        "let event_type = event.at(\"/event_name\");",
        "let event_type = event.at(\"/event_name\") ?? event.at(\"/name_of_event\");",
    );
    assert_ne!(script, mended);
    own.write(path, &mended);
    process.until("/readyz", |json| json["rules"]["generation"] != before);
    let told = own.run(&format!("queue retry {}", dead["queue"][0]["id"]));
    assert!(!told.contains("error"), "{told}");
    process.until_saved(ids(1, 10));
}

/// How many events wait at the stop; SWITCHBOARD_TEST_EVENTS=10000 for the number of statement 26.
fn events() -> usize {
    let told = std::env::var("SWITCHBOARD_TEST_EVENTS").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(2_000)
}

/// Statement 26, its first half: everything received before the signal, bad messages among it.
#[test]
fn l05_s26_a_stop_drains_past_bad_messages_and_a_second_signal_loses_nothing() {
    let project = project("", "");
    let all = events();
    let all_rows = i64::try_from(all).unwrap();
    let bad_rows = all_rows / 100;
    let natives: Vec<String> = (1..=all)
        .map(|number| match number % 100 {
            0 => "{\"bad\": true}".to_owned(),
            _ => named(&format!("e-{number}"), &format!("vm-{}", number % 50)),
        })
        .collect();
    let process = Process::start(&project);
    for batch in natives.chunks(500) {
        let answer = process.post(&format!("[{}]", batch.join(",")));
        assert_eq!((answer.status, &answer.json()["unparsed"]), (202, &5.into()));
    }
    let mut process = process;
    let begin = Instant::now();
    process.signal("TERM");
    let (code, log) = process.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    let count_all = |project: &Project| {
        let on_disk = sql(project);
        // Whatever has become an event and whatever waits: each once.
        assert_eq!(count(&on_disk, "native_events"), all_rows);
        count(&on_disk, "event_streams") + count(&on_disk, "miq_queue WHERE kind < 2")
    };
    assert_eq!(count_all(&project), all_rows);

    let mut process = Process::start(&project);
    process.signal("TERM");
    process.signal("INT");
    let (code, log) = process.end();
    // Whichever came first: an end in order, or at once.
    assert!(matches!(code, Some(0 | 1)), "{log}");
    assert_eq!(count_all(&project), all_rows);

    let process = Process::start(&project);
    process.until("/api/queue", |json| {
        json["counts"]["ready"] == 0 && json["counts"]["waiting"] == 0
    });
    assert_eq!(count(&sql(&project), "event_streams"), all_rows - bad_rows);
    assert_eq!(count(&sql(&project), "miq_queue WHERE state = 1"), bad_rows);
}

/// Statement 29, as far as there is no broker: who was away goes on with the oldest it has not handled.
#[test]
fn l06_s29_who_was_away_goes_on_where_it_stopped_and_never_at_the_latest() {
    let cloud = Cloud::start();
    cloud.happen(1, 3);
    let project = polled(&cloud);
    let process = Process::start(&project);
    process.until_saved(ids(1, 3));
    process.stop();
    // While nobody is there, the provider, and a tool that puts events in.
    cloud.happen(4, 30);
    let put = named("e-put", "vm-2");
    let output = project.output(&["event", "add", "-", "--ems", "my_cloud"], &put);
    assert!(output.status.success(), "{output:?}");
    let process = Process::start(&project);
    process.until_saved([ids(1, 30), vec!["e-put".to_owned()]].concat());
    assert!(
        cloud.requests().iter().any(|head| head.contains("since=3")),
        "{:?}",
        cloud.requests()
    );
    // In the order in which they came to be on the queue.
    let events = process.get("/api/event_streams?limit=1000").json();
    let newest_first = events["event_streams"].as_array().unwrap();
    assert_eq!(newest_first.last().unwrap()["ems_ref"], "e-1");
}

#[test]
fn l07_a_row_that_cannot_be_handled_stays_with_its_reason_and_the_handler_lives() {
    let project = project("", "");
    let events = [named("e-1", "vm-1"), named("e-2", "vm-2"), named("e-3", "vm-1")].join("\n");
    let output = project.output(&["event", "add", "-", "--ems", "my_cloud"], &events);
    assert!(output.status.success(), "{output:?}");
    let good: String = {
        let by_hand = sql(&project);
        let good = by_hand
            .query_row("SELECT payload FROM miq_queue WHERE id = 1", [], |row| row.get(0))
            .unwrap();
        by_hand
            .execute("UPDATE miq_queue SET payload = 'nonsense' WHERE id = 1", [])
            .unwrap();
        good
    };
    let process = Process::start(&project);
    let parked = process.until("/api/queue?state=parked", |json| json["queue"][0]["id"] == 1);
    assert!(
        parked["queue"][0]["error"].as_str().unwrap().contains("expected"),
        "{parked}"
    );
    // Its neighbour is through; what is behind it in its lane waits for it, visibly.
    process.until("/api/event_streams", |json| {
        json["event_streams"][0]["ems_ref"] == "e-2"
    });
    assert_eq!(process.get("/api/queue?state=ready").json()["queue"][0]["id"], 3);
    sql(&project)
        .execute("UPDATE miq_queue SET payload = ?1 WHERE id = 1", [good])
        .unwrap();
    let told = project.run("queue retry 1");
    assert!(!told.contains("error"), "{told}");
    process.until_saved(ids(1, 3));
}

/// Statement 21; C44.
#[test]
fn l08_s21_two_events_of_two_instances_in_one_second_stay_two_and_a_repeat_stays_one() {
    let project = project("", "");
    let told = project.run("ems add aws --type amazon");
    assert!(told.contains("added"), "{told}");
    let process = Process::start(&project);
    // The names of the events are not told, so only what is in them can tell them apart.
    let state_change = |instance: &str| {
        format!(
            r#"{{"version": "0", "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2", "time": "2026-01-01T12:00:00Z", "region": "eu-west-1", "detail": {{"instance-id": "{instance}", "state": "running"}}}}"#
        )
    };
    let awesome = |vm: &str| {
        format!(
            r#"{{"event_name": "com.awesomecloud.vm.create", "time": "2026-01-01T12:00:00Z", "vm": {{"id": "{vm}"}}}}"#
        )
    };
    let send = |ems: &str, body: &str| {
        let json = ["Content-Type: application/json"];
        process
            .request(&format!("POST /events/{ems}"), &json, body)
            .status
    };
    for _again in 0..2 {
        assert_eq!(send("my_cloud", &awesome("vm-1")), 202);
        assert_eq!(send("my_cloud", &awesome("vm-2")), 202);
        assert_eq!(send("aws", &state_change("i-1")), 202);
        assert_eq!(send("aws", &state_change("i-2")), 202);
        process.until("/api/queue", |json| json["queue"] == serde_json::json!([]));
    }
    for (ems, expected) in [("my_cloud", 2), ("aws", 2)] {
        let events = process.get(&format!("/api/event_streams?ems={ems}")).json();
        assert_eq!(
            events["event_streams"].as_array().unwrap().len(),
            expected,
            "{ems}"
        );
    }
}

/// Statement 19; C98.
#[test]
fn l09_s19_a_row_in_hand_when_the_process_dies_is_taken_again_and_never_destroyed() {
    let slow = "fn parse(ems_event) {\n  if ems_event.vm_ems_ref == \"vm-slow\" { while true { } }\n  targets()\n}\n";
    let limits = "script:\n  max_time: 300s\n  max_operations: 1_000_000_000_000\n";
    let project = with_target_parser(slow, limits);
    let events = [
        named("e-slow", "vm-slow"),
        named("e-2", "vm-slow"),
        named("e-3", "vm-3"),
    ]
    .join("\n");
    let output = project.output(&["event", "add", "-", "--ems", "my_cloud"], &events);
    assert!(output.status.success(), "{output:?}");
    for _crash in 0..2 {
        let process = Process::start(&project);
        process.until("/api/queue", |json| {
            json["queue"][0]["id"] == 1 && json["queue"][0]["state"] == "taken"
        });
        process.kill();
    }
    // The third start is ready and tells what is wrong; whoever does not stand behind that row is through.
    let process = Process::start(&project);
    assert_eq!(process.get("/readyz").status, 200);
    let parked = process.until("/api/queue?state=parked", |json| json["queue"][0]["id"] == 1);
    let error = parked["queue"][0]["error"].as_str().unwrap();
    assert_eq!(error, "the process ended while this message was being handled");
    process.until("/api/event_streams", |json| {
        json["event_streams"][0]["ems_ref"] == "e-3"
    });

    // What outlives its time limit is an error of its delivery, and the event is saved.
    let before = process.get("/readyz").json()["rules"]["generation"].clone();
    project.write(
        "scripts/awesome_cloud/event_target_parser.rhai",
        "fn parse(ems_event) { throw \"mended\" }\n",
    );
    process.until("/readyz", |json| json["rules"]["generation"] != before);
    let told = project.run("queue retry 1");
    assert!(!told.contains("error"), "{told}");
    process.until_saved(vec!["e-slow".into(), "e-2".into(), "e-3".into()]);
}

#[test]
fn l10_an_event_and_what_it_causes_are_one_commit_or_none() {
    let project = project("", "");
    let by_hand = sql(&project);
    by_hand
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON refresh_targets WHEN new.manager_ref LIKE '%vm-bad%' \
             BEGIN SELECT RAISE(ABORT, 'refused for a test'); END",
        )
        .unwrap();
    let process = Process::start(&project);
    let events = [named("e-1", "vm-1"), named("e-2", "vm-bad"), named("e-3", "vm-3")];
    assert_eq!(process.post(&format!("[{}]", events.join(","))).status, 202);
    // The one whose target cannot be queued is not saved as if it were through: it waits, with the reason.
    process.until("/api/event_streams", |json| {
        json["event_streams"].as_array().map(Vec::len) == Some(2)
    });
    let waits = process.until("/api/queue", |json| json["queue"][0]["error"].is_string());
    assert!(
        waits["queue"][0]["error"]
            .as_str()
            .unwrap()
            .contains("refused for a test"),
        "{waits}"
    );
    assert_eq!(count(&by_hand, "event_streams"), 2);
    assert_eq!(count(&by_hand, "refresh_targets"), 2);
    by_hand.execute_batch("DROP TRIGGER refuse").unwrap();
    let told = project.run(&format!("queue retry {}", waits["queue"][0]["id"]));
    assert!(!told.contains("error"), "{told}");
    process.until_saved(ids(1, 3));
    assert_eq!(count(&by_hand, "refresh_targets"), 3);
}

/// Statement 27, at the queue; how long the pauses are is for whoever refreshes to say. C88 has more.
#[test]
fn l11_s27_a_refresh_that_fails_keeps_its_targets_and_what_comes_meanwhile_is_not_forgotten() {
    let (database, ems) = Database::with_ems("cloud");
    let vmdb = &database.vmdb;
    let ask = |reference: &str| {
        let request = RefreshRequest {
            ems_id: ems.id,
            targets: vec![vm(reference)],
            full: None,
        };
        vmdb.queue_refresh(&request).wait().unwrap()
    };
    let take = || take_refresh(vmdb).map(|taken| (taken.id, taken.targets));
    let first = ask("vm-1");
    assert_eq!(ask("vm-2"), first);
    let mut targets = vec![vm("vm-1"), vm("vm-2")];
    for failure in 1..=5 {
        assert_eq!(take(), Some((first, targets.clone())));
        // One at a time; what comes during the run is of a later one, and joins it where the run fails.
        let later = format!("vm-1{failure}");
        assert_ne!(ask(&later), first);
        assert_eq!(take(), None);
        let pause = SignedDuration::from_secs(30 << failure);
        let retry_at = database.clock.now() + pause;
        vmdb.refresh_failed(first, "the cloud is down", retry_at)
            .wait()
            .unwrap();
        targets.push(vm(&later));
        targets.sort_by_key(|target| target.manager_ref.clone());
        assert_eq!(take(), None);
        let refresh = vmdb.refresh_show(first).unwrap().unwrap().refresh;
        assert_eq!(
            (refresh.attempts, refresh.error.as_deref()),
            (failure, Some("the cloud is down"))
        );
        database.clock.advance(pause);
    }
    // Paused, it is not refreshed, and nothing is forgotten.
    vmdb.ems_enable("cloud", false).wait().unwrap();
    assert_eq!(take(), None);
    vmdb.ems_enable("cloud", true).wait().unwrap();
    assert_eq!(take(), Some((first, targets.clone())));
    // The process ends while it runs: the next one has it wait again.
    let (url, clock) = (database.url(), database.clock.clone());
    let Database {
        folder: _folder,
        vmdb,
        ..
    } = database;
    vmdb.close();
    let vmdb = Vmdb::open_to_serve(&url, clock).unwrap();
    assert_eq!(vmdb.refresh_recover().wait().unwrap(), 1);
    let again = take_refresh(&vmdb).unwrap();
    assert_eq!((again.id, again.targets), (first, targets));
}

/// Statement 28, its last part; C47.
#[test]
fn l12_s28_an_unknown_key_of_the_hash_is_stored_and_shown() {
    let own = Project::new(
        "//- automate/none\n//- scripts/awesome_cloud/event_parser.rhai\nfn event_to_hash(event, ems_id) {\n  \
         #{ event_type: event.type, source: \"AWESOME_CLOUD\", ems_ref: event.id, timestamp: event.time, \
         flavour_of_the_day: #{ name: \"plum\", stones: 1 } }\n}\n",
    );
    let project = prepared(own, "", "");
    let process = Process::start(&project);
    let body = r#"{"id": "e-1", "type": "x", "time": "2026-01-01T12:00:00Z"}"#;
    assert_eq!(process.post(body).status, 202);
    process.until_saved(ids(1, 1));
    let shown = process.get("/api/event_streams/1").json();
    assert_eq!(
        shown["flavour_of_the_day"],
        serde_json::json!({"name": "plum", "stones": 1}),
        "{shown}"
    );
}

/// Statement 28; C01, its second half; C96.
#[test]
fn l13_s28_a_paused_manager_is_left_alone_and_nothing_of_it_is_skipped() {
    let cloud = Cloud::start();
    cloud.happen(1, 2);
    let project = polled(&cloud);
    let process = Process::start(&project);
    process.until_saved(ids(1, 2));
    let told = project.run("ems disable my_cloud");
    assert!(told.contains("disabled manager my_cloud"), "{told}");
    process.until("/readyz", |json| {
        json["catcher"]["managers"] == serde_json::json!({})
    });
    // Written with the supervisor's look, so that any process can tell.
    until_listed(&project, "none: the manager is disabled");
    let asked = cloud.requests().len();
    cloud.happen(3, 9);
    // What is pushed for it meanwhile is stored and shown.
    assert_eq!(process.post(&named("e-pushed", "vm-2")).status, 202);
    process.until_saved([ids(1, 2), vec!["e-pushed".to_owned()]].concat());
    assert_eq!(cloud.requests().len(), asked);
    let told = project.run("ems enable my_cloud");
    assert!(told.contains("enabled manager my_cloud"), "{told}");
    process.until_saved([ids(1, 9), vec!["e-pushed".to_owned()]].concat());
    until_listed(&project, "poll running");
    let catcher = {
        let output = project.output(&["ems", "list", "--format", "json"], "");
        let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        listed["catcher"].clone()
    };
    assert_eq!(
        (&catcher["wanted"], &catcher["stream"]),
        (&true.into(), &"poll".into())
    );
    assert_eq!(
        (&catcher["position"], &catcher["broke_off"]),
        (&9.into(), &0.into())
    );
    assert!(catcher["lag_seconds"].as_i64().unwrap() < 60, "{catcher}");
}

/// Statement 29: rows that came another way than the usual one.
#[test]
fn l14_s29_rows_that_somebody_else_put_are_handled_like_any_other() {
    let project = project("", "");
    let put = |id: &str| {
        let output = project.output(&["event", "add", "-", "--ems", "my_cloud"], &named(id, id));
        assert!(output.status.success(), "{output:?}");
    };
    put("e-1");
    let process = Process::start(&project);
    process.until_saved(ids(1, 1));
    // While it serves, by turns with its own.
    put("e-2");
    assert_eq!(process.post(&named("e-3", "vm")).status, 202);
    put("e-4");
    process.until_saved(ids(1, 4));
    // By a library of ours that knows nothing of the process, as a broker's fallback would.
    let vmdb = Vmdb::open(
        &DatabaseUrl::sqlite(project.path("switchboard.db")),
        Clock::System,
    )
    .unwrap();
    let ems = vmdb.ems_by_name("my_cloud").unwrap().unwrap();
    let unparsed = NewMessage::Unparsed {
        ems_id: ems.id,
        native: NativeEvent::new(named("e-5", "vm")),
        reason: "put by hand".to_owned(),
        rules_id: RulesId(1),
        received_at: crate::support::noon(),
    };
    vmdb.put(vec![unparsed]).wait().unwrap();
    let told = project.run("queue retry --all dead");
    assert!(!told.contains("error"), "{told}");
    process.until_saved(ids(1, 5));
}
