//! Statements about the catcher that no other test shows.

use regex::Regex;

use crate::support::process::prepared;
use crate::support::project::Project;

/// One thing that happens again and again, told anew each time.
fn vsphere(number: usize) -> String {
    format!(
        r#"{{"key": "{number}", "chainId": "{number}", "createdTime": "2026-01-01T12:00:{:02}Z",
            "eventType": "TaskEvent", "vm": {{"vm": "vm-7"}},
            "info": {{"key": "task-{number}", "task": "task-{number}", "queueTime": "2026-01-01T11:59:{:02}Z",
                      "eventChainId": "{number}", "state": "running"}}}}"#,
        number % 60,
        number % 60,
    )
}

#[test]
fn c23_what_is_new_each_time_makes_no_two_events_of_vsphere_different() {
    let own = Project::new(
        "//- automate/none\n//- scripts/awesome_cloud/event_parser.rhai\nfn event_to_hash(event, ems_id) {\n  \
         #{ event_type: event.eventType, source: \"VC\", ems_ref: event.key, chain_id: event.chainId, \
         timestamp: event.createdTime, vm_ems_ref: event.vm.vm, message: `task ${event.info.key}` }\n}\n",
    );
    // Put by a tool while nobody handles it, so that what waits can be looked at.
    let own = prepared(own, "", "");
    let same: Vec<String> = (1..=34).map(vsphere).collect();
    let other = vsphere(35).replace("running", "success");
    let output = own.output(
        &["event", "add", "-", "--ems", "my_cloud"],
        &[same.join("\n"), other].join("\n"),
    );
    assert!(output.status.success(), "{output:?}");
    let on_disk = rusqlite::Connection::open(own.path("switchboard.db")).unwrap();
    let mut query = on_disk
        .prepare("SELECT payload FROM miq_queue ORDER BY id")
        .unwrap();
    let payloads = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let digest = Regex::new(r#""digest":\s*"([0-9a-f]{32})""#).unwrap();
    let marks: Vec<Option<String>> = payloads
        .map(|payload| Some(digest.captures(&payload.unwrap())?[1].to_owned()))
        .collect();
    assert_eq!(marks.len(), 35);
    let (passed, marked) = marks.split_at(30);
    assert!(passed.iter().all(Option::is_none), "{passed:?}");
    assert!(
        marked[..4]
            .iter()
            .all(|mark| mark.is_some() && *mark == marked[0]),
        "{marked:?}"
    );
    // What differs in what it says is another event.
    assert!(marked[4].is_some() && marked[4] != marked[0], "{marked:?}");
}

#[test]
fn the_state_of_a_failing_provider_is_in_readyz_and_no_flood_of_lines_in_the_log() {
    let cloud = crate::support::cloud::Cloud::start();
    cloud.happen(1, 3);
    cloud.habit(Some(crate::support::cloud::Trick::Status(
        429,
        "Retry-After: 2\r\n",
    )));
    let project = crate::support::process::project("", &format!("--url {}", cloud.url()));
    let process = crate::support::process::Process::start(&project);
    let told = process.until("/readyz", |json| {
        json["catcher"]["managers"]["my_cloud"]["state"] == "backing_off"
    });
    // A provider that is down takes nobody else out of service.
    assert_eq!(told["ready"], true);
    let status = &told["catcher"]["managers"]["my_cloud"];
    assert_eq!(status["reason"], "the provider asks to come later (HTTP 429)");
    assert!(
        status["until"].is_string() && status["since"].is_string(),
        "{status}"
    );
    let metrics = process.get("/metrics").body;
    let line = "switchboard_catcher_state{ems=\"my_cloud\",state=\"backing_off\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    cloud.habit(Some(crate::support::cloud::Trick::Half));
    process.until("/readyz", |json| {
        let reason = json["catcher"]["managers"]["my_cloud"]["reason"]
            .as_str()
            .unwrap_or_default();
        reason.starts_with("cannot reach the provider")
    });
    cloud.habit(None);
    process.until_saved(crate::support::process::ids(1, 3));
    let tries = cloud.requests().len();
    let log = process.log();
    let warnings = log.lines().filter(|line| line.contains("WARN")).count();
    assert!(warnings <= tries, "{tries} tries, {log}");
    process.stop();
}

#[test]
fn a_flood_of_broken_messages_makes_no_flood_of_lines() {
    let served = crate::support::process::project("", "");
    let process = crate::support::process::Process::start(&served);
    let broken = format!("[{}]", vec!["{\"x\":1}"; 5_000].join(","));
    assert_eq!(process.post(&broken).json()["unparsed"], 5_000);
    let lines = process.log().lines().count();
    assert!(lines < 50, "{lines} lines");
}
