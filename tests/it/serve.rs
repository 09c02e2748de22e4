//! `switchboard serve` as a process: how it starts, how it ends.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write;
use std::time::Duration;
use std::time::Instant;

use expect_test::expect;
use switchboard::model::clock::Clock;
use switchboard::vmdb::DatabaseUrl;
use switchboard::vmdb::EventFilter;
use switchboard::vmdb::QueueFilter;
use switchboard::vmdb::Vmdb;

use crate::support::add;
use crate::support::add_ems;
use crate::support::event;
use crate::support::project::Project;
use crate::support::serving::Serving;

#[test]
fn every_signal_that_would_end_it_at_once_ends_it_in_order() {
    let project = Project::shipped();
    // 35 is a real-time signal, which anything may stand for.
    let signals = "TERM INT QUIT USR1 USR2 ALRM VTALRM PROF XCPU IO PWR 35";
    for signal in signals.split(' ') {
        let serving = Serving::start(&project, &[]);
        serving.signal(signal);
        let (code, log) = serving.end();
        assert_eq!(code, Some(0), "{signal}: {log}");
        assert!(log.contains("Stopped in order."), "{signal}: {log}");
    }
}

#[test]
fn a_hangup_has_it_read_rules_and_settings_again() {
    const BODY: &str = r#"{"id":"e-1","event_name":"com.awesomecloud.vm.create"}"#;
    const SIGNED: &str =
        "X-Hub-Signature-256: sha256=218d5205faa46ff3defd0113814acf9791eaff46446fea98194d85ea97578341";
    let project = Project::shipped();
    project.write("secret", "old");
    project.write(
        "config/settings.yml",
        "web:\n  webhook_secrets:\n    my_cloud: ['file:secret']\n",
    );
    let told = project.run("ems add my_cloud --type awesome_cloud");
    assert!(told.contains("added manager my_cloud"), "{told}");
    let mut serving = Serving::start(&project, &[]);
    let status = |serving: &Serving| serving.send("POST /events/my_cloud", &[SIGNED], BODY).status;
    assert_eq!(status(&serving), 401);
    // Nobody watches what the settings refer to.
    project.write("secret", "hush");
    serving.signal("HUP");
    serving.until_told("Read the settings again.");
    assert_eq!(status(&serving), 202);

    // What is broken then leaves in force what is, and says so.
    project.write("config/settings.yml", "web:\n\tx: 1");
    serving.signal("HUP");
    serving.until_told("Kept the old settings, the file is wrong.");
    assert_eq!(status(&serving), 202, "the signature is right still");
    let unsigned = serving.send("POST /events/my_cloud", &[], BODY).status;
    assert_eq!(unsigned, 401, "and needed still");
    let ready = serving.ask("GET /readyz", "").json();
    let wrong = &ready["rules"]["settings_refused"]["errors"][0];
    assert_eq!(
        (&wrong["code"], &wrong["line"]),
        (&"YamlSyntax".into(), &2.into()),
        "{ready}"
    );

    // It is no second signal for one that ends in order.
    serving.signal("TERM");
    serving.signal("HUP");
    let (code, log) = serving.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("Stopped in order."), "{log}");
}

#[test]
fn logs_are_json_where_they_are_asked_for() {
    let project = Project::shipped();
    let serving = Serving::start(&project, &["--log-format", "json"]);
    serving.signal("TERM");
    let (_, log) = serving.end();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["fields"]["message"].is_string(), "{line}");
    }
}

#[test]
fn statement_11_a_second_one_on_the_same_database_is_refused_and_names_the_first() {
    let project = Project::shipped();
    let serving = Serving::start(&project, &[]);
    let told = project
        .run("serve --listen 127.0.0.1:0")
        .replace(&serving.pid().to_string(), "[pid]");
    expect![[r#"
        $ switchboard serve --listen 127.0.0.1:0
        ! error: cannot serve
        !   because: cannot serve the database
        !   because: `switchboard.db` is in use by process [pid]: stop it first, or give this one another `--database`
        exit Some(2)
    "#]].assert_eq(&told);
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn what_is_wrong_at_the_start_is_told_and_only_the_strict_do_not_start() {
    let project = Project::shipped();
    project.write("site/Site/__domain__.yaml", "object_type: [");
    let folders = ["--automate", "automate", "--automate", "site"];
    let serving = Serving::start(&project, &folders);
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));
    expect![[r#"
        $ switchboard serve --strict --listen 127.0.0.1:0 --automate automate --automate site
        ! site/Site/__domain__.yaml:1:14: error[YamlSyntax]: unclosed bracket '['
        ! not started, because of --strict
        exit Some(1)
    "#]]
    .assert_eq(&project.run("serve --strict --listen 127.0.0.1:0 --automate automate --automate site"));
    expect![[r#"
        $ switchboard serve --automate nowhere
        ! error: cannot serve
        !   because: cannot read the rules
        !   because: cannot read the folder `nowhere`: No such file or directory (os error 2)
        exit Some(2)
    "#]]
    .assert_eq(&project.run("serve --automate nowhere"));
    project.write("config/settings.yml", "web:\n  listen: 0.0.0.0:0\n");
    expect![[r#"
        $ switchboard serve
        ! [time]  WARN switchboard::appliance: config/settings.yml:2:11: error[TokenNeeded]: `web.listen` is `0.0.0.0:0`, which others can reach, and there is no token help="set `web.token` (SWITCHBOARD_WEB_TOKEN), or listen on a loopback address"
        ! error: cannot serve
        !   because: cannot serve HTTP
        !   because: 0.0.0.0:0 can be reached by others: configure a token, or listen on 127.0.0.1
        exit Some(2)
    "#]].assert_eq(&project.run("serve"));
}

/// A project with so many messages that wait before the program starts.
fn waiting(messages: usize) -> Project {
    let project = Project::shipped();
    let vmdb = Vmdb::open(
        &DatabaseUrl::sqlite(project.path("switchboard.db")),
        Clock::System,
    )
    .unwrap();
    let ems = add_ems(&vmdb, "my_cloud");
    let of = |number: usize| {
        add(
            &ems,
            event(&format!("k{number}"), &format!("vm-{}", number % 100)),
        )
    };
    let put: Vec<_> = (0..messages).map(of).collect();
    for part in put.chunks(1_000) {
        vmdb.put(part.to_vec()).wait().unwrap();
    }
    project
}

/// Every message is an event, or waits; none is both, none is gone. The number of events.
fn assert_nothing_lost(project: &Project, messages: usize) -> usize {
    let vmdb = Vmdb::open(
        &DatabaseUrl::sqlite(project.path("switchboard.db")),
        Clock::System,
    )
    .unwrap();
    let tally = vmdb.tallies().unwrap().into_values().next().unwrap();
    let waiting = vmdb.queue_list(&QueueFilter::default()).unwrap().len();
    let events = vmdb.events_list(&EventFilter::default()).unwrap().len();
    assert_eq!(tally.accepted, i64::try_from(messages).unwrap());
    assert_eq!(tally.delivered, i64::try_from(events).unwrap());
    assert_eq!(waiting + events, messages);
    events
}

#[test]
fn statement_26_a_stop_signal_with_10_000_waiting_ends_it_soon_and_loses_nothing() {
    const WAITING: usize = 10_000;
    let project = waiting(WAITING);
    let serving = Serving::start(&project, &[]);
    let began = Instant::now();
    serving.signal("TERM");
    let (code, log) = serving.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_nothing_lost(&project, WAITING);
    // An orderly end leaves one file, with everything in it.
    assert!(!project.path("switchboard.db-wal").exists());
}

#[test]
fn statement_26_a_second_signal_ends_it_at_once_and_loses_nothing() {
    const WAITING: usize = 2_000;
    let project = waiting(WAITING);
    let mut serving = Serving::start(&project, &[]);
    // An orderly end waits for a sender that has not said all.
    let mut sender = serving.connect();
    let half = "POST /events/my_cloud HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{";
    sender.write_all(half.as_bytes()).unwrap();
    // Answered after the other one was accepted.
    assert_eq!(serving.ask("GET /healthz", "").status, 200);
    serving.signal("TERM");
    serving.until_told("Stopping.");
    serving.signal("TERM");
    let (code, log) = serving.end();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("Stopped at once"), "{log}");
    assert_nothing_lost(&project, WAITING);
    // It goes on where it was.
    let serving = Serving::start(&project, &[]);
    serving.until("/readyz", |answer| {
        answer.body.contains(r#""waiting_messages":0"#)
    });
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));
    assert_eq!(assert_nothing_lost(&project, WAITING), WAITING);
}
