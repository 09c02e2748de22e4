//! The kinds of outside effects besides plain HTTP: CloudEvents, programs, e-mail, lines of the log; and the way to them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;
use switchboard::handler::Outbox;
use switchboard::model::clock::SignedDuration;
use switchboard::vmdb::MessageState;

use crate::outbox::decide;
use crate::outbox::effects;
use crate::outbox::settings;
use crate::outbox::until;
use crate::outbox::until_sent;
use crate::support::Database;
use crate::support::project::Project;
use crate::support::receiver::Mood;
use crate::support::receiver::Receiver;
use crate::support::relay::Relay;
use crate::support::served::Served;

#[test]
fn a_cloud_event_has_the_key_as_its_id_and_the_same_bytes_in_every_attempt() {
    let (database, _ems) = Database::with_ems("cloud");
    let receiver = Arc::new(Receiver::with([Mood::status(503)]));
    let outbox = Outbox::start(&database.vmdb, &settings(&[&receiver], "")).unwrap();
    let target = receiver.clone();
    decide(&database, vec![("k", "vm-1")], move |_| {
        let event = json!({"type": "org.example.vm.gone", "subject": "vm-1", "data": {"n": 1}});
        vec![json!({"http": {"url": target.url(), "cloud_event": event}})]
    });
    until(&database.vmdb, || effects(&database.vmdb, 1)[0].attempts == 1);
    database.clock.advance(SignedDuration::from_secs(5));
    until_sent(&database.vmdb);
    outbox.stop();
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0], received[1]);
    assert_eq!(
        received[0].header("content-type"),
        Some("application/cloudevents+json")
    );
    assert_eq!(
        received[0].json(),
        json!({
            "specversion": "1.0",
            "id": received[0].key(),
            "source": "/switchboard/cloud",
            "type": "org.example.vm.gone",
            "subject": "vm-1",
            "time": "2026-01-01T12:00:00Z",
            "datacontenttype": "application/json",
            "data": {"n": 1},
        })
    );
}

#[test]
fn a_program_of_the_settings_runs_without_a_shell_reads_the_event_and_has_a_time_limit() {
    let (database, _ems) = Database::with_ems("cloud");
    let folder = database.folder.path().display().to_string();
    let commands = format!(
        "  :attempts: 2
  :commands:
    write:
      path: /bin/sh
      args: [-c, 'cat > \"$0/stdin\"; env > \"$0/env\"; printf \"%s|\" \"$@\" > \"$0/args\"; echo noise', '{folder}']
      environment: {{PAGER: env:CHAT}}
    complain: {{path: /bin/sh, args: [-c, 'echo \"no: $PAGER\" >&2; exit 3'], environment: {{PAGER: env:CHAT}}}}
    sleep: {{path: /bin/sh, args: [-c, 'sleep 60 & sleep 60'], timeout: 300ms}}
    missing: {{path: /nowhere/at/all}}
"
    );
    let outbox = Outbox::start(&database.vmdb, &settings(&[], &commands)).unwrap();
    let vmdb = &database.vmdb;
    decide(
        &database,
        vec![("k", "vm-1"), ("l", "vm-2"), ("m", "vm-3"), ("n", "vm-4")],
        |event| match event.hash.text("vm_ems_ref").unwrap() {
            "vm-1" => vec![json!({"command": ["write", "$(touch x)", "; rm -rf /", "-x"]})],
            "vm-2" => vec![json!({"command": ["complain"]})],
            "vm-3" => vec![json!({"command": ["sleep"]})],
            _other => vec![json!({"command": ["missing"]})],
        },
    );
    until(vmdb, || {
        (1..=7)
            .filter(|id| {
                vmdb.event_show(switchboard::model::event::EventId(*id))
                    .unwrap()
                    .is_some()
            })
            .all(|id| effects(vmdb, id)[0].attempts == 1)
    });
    let of = |vm: &str| {
        let filter = switchboard::vmdb::EventFilter {
            target: None,
            ..switchboard::vmdb::EventFilter::default()
        };
        let events = vmdb.events_list(&filter).unwrap();
        let event = events
            .iter()
            .find(|stored| stored.event.hash.text("vm_ems_ref") == Some(vm))
            .unwrap();
        effects(vmdb, event.event.id.unwrap().0).remove(0)
    };
    assert_eq!(
        (of("vm-1").state, of("vm-1").answer.as_deref()),
        ("sent", Some("exit status: 0"))
    );
    assert_eq!(of("vm-2").error.as_deref(), Some("exit status: 3: no: ********"));
    assert_eq!(
        of("vm-3").error.as_deref(),
        Some("stopped after 300ms, its time limit")
    );
    let missing = "cannot run `/nowhere/at/all`: No such file or directory (os error 2)";
    assert_eq!(of("vm-4").error.as_deref(), Some(missing));
    outbox.stop();
    let read = |name: &str| fs::read_to_string(database.folder.path().join(name)).unwrap();
    assert_eq!(read("args"), "$(touch x)|; rm -rf /|-x|");
    let told: Value = serde_json::from_str(&read("stdin")).unwrap();
    assert_eq!(told["idempotency_key"], json!(of("vm-1").idempotency_key));
    assert_eq!(
        (&told["ems"], &told["event"]["event_type"]),
        (&json!("cloud"), &json!("com.awesomecloud.vm.create"))
    );
    assert_eq!(told["event"]["full_data"]["vm"]["id"], json!("vm-1"));
    let names: Vec<String> = read("env")
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0.to_owned()))
        .collect();
    let ours = [
        "PATH",
        "PAGER",
        "SWITCHBOARD_EVENT_ID",
        "SWITCHBOARD_IDEMPOTENCY_KEY",
    ];
    assert!(
        ours.iter().all(|name| names.iter().any(|found| found == name)),
        "{names:?}"
    );
    // What the shell itself sets, and nothing of ours.
    assert!(
        names
            .iter()
            .all(|name| ours.contains(&name.as_str())
                || ["PWD", "_", "SHLVL", "OLDPWD"].contains(&name.as_str())),
        "{names:?}"
    );
}

#[test]
fn an_e_mail_goes_over_the_relay_and_is_the_same_message_when_it_comes_again() {
    let (database, _ems) = Database::with_ems("cloud");
    let relay = Relay::with(&["451 not now\r\n"]);
    let email = format!(
        "  :email:\n    relay: {}\n    security: none\n    user: us\n    password: env:PASSWORD\n    from: Switchboard <switch@example.org>\n",
        relay.address
    );
    let outbox = Outbox::start(&database.vmdb, &settings(&[], &email)).unwrap();
    decide(&database, vec![("k", "vm-1")], |_| {
        vec![
            json!({"email": {
                "to": ["Ops <ops@example.org>", "b@example.org"], "cc": "c@example.org",
                "subject": "VM größer", "body": "first\n.\nlast"
            }}),
            json!({"email": {"to": "no address", "subject": "x"}}),
        ]
    });
    let vmdb = &database.vmdb;
    until(vmdb, || effects(vmdb, 1)[0].attempts == 1);
    let error = effects(vmdb, 1)[0].error.clone().unwrap();
    assert!(error.contains("not now"), "{error}");
    database.clock.advance(SignedDuration::from_secs(5));
    until(vmdb, || effects(vmdb, 1)[1].state == "dead");
    outbox.stop();
    let shown = effects(vmdb, 1);
    assert_eq!(shown[0].answer.as_deref(), Some("SMTP 250 queued as 7"));
    assert!(
        shown[1]
            .error
            .as_deref()
            .unwrap()
            .starts_with("`email.to` is `no address`, which is no address")
    );
    let mails = relay.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0], mails[1]);
    let mail = &mails[0];
    assert!(mail.from.contains("switch@example.org"), "{mail:?}");
    assert_eq!(mail.to.len(), 3);
    assert!(mail.login.as_deref().unwrap().starts_with("PLAIN "));
    let id = format!("Message-ID: <{}@switchboard>\r\n", shown[0].idempotency_key);
    assert!(mail.data.contains(&id), "{}", mail.data);
    assert!(
        mail.data.contains("Date: Thu, 01 Jan 2026 12:00:00 +0000\r\n"),
        "{}",
        mail.data
    );
    assert!(mail.data.contains("Subject: VM =?utf-8?"), "{}", mail.data);
    assert!(mail.data.contains("first\r\n..\r\nlast"), "{}", mail.data);
}

#[test]
fn a_line_of_the_log_is_an_effect_like_the_others() {
    let (database, _ems) = Database::with_ems("cloud");
    let outbox = Outbox::start(&database.vmdb, &settings(&[], "")).unwrap();
    decide(&database, vec![("k", "vm-1")], |_| {
        vec![
            json!({"log": "a\nb"}),
            json!({"log": {"level": "warn", "message": "c"}}),
        ]
    });
    until_sent(&database.vmdb);
    outbox.stop();
    let shown = effects(&database.vmdb, 1);
    assert!(
        shown
            .iter()
            .all(|effect| effect.answer.as_deref() == Some("logged")),
        "{shown:?}"
    );
}

/// A rule that calls a hook for every VM that is created.
fn hooked(url: &str) -> Project {
    let project = Project::new("");
    for name in ["automate", "scripts"] {
        let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let status = std::process::Command::new("cp")
            .arg("-r")
            .arg(from)
            .arg(project.path(name))
            .status();
        assert!(status.unwrap().success());
    }
    let class = "automate/Local/System/Event/EmsEvent/AWESOME_CLOUD.class";
    let domain = "object_type: domain\nversion: 1.0\nobject:\n  attributes: {name: Local, priority: 10, enabled: true}\n";
    project.write("automate/Local/__domain__.yaml", domain);
    for name in [
        "__namespace__",
        "Event/__namespace__",
        "Event/EmsEvent/__namespace__",
        "Event/EmsEvent/AWESOME_CLOUD.class/__class__",
    ] {
        let text =
            fs::read_to_string(project.path(&format!("automate/ManageIQ/System/{name}.yaml"))).unwrap();
        project.write(&format!("automate/Local/System/{name}.yaml"), &text);
    }
    let method = "object_type: method\nversion: 1.0\nobject:\n  attributes: {name: call, language: rhai, location: inline}\n";
    project.write(&format!("{class}/__methods__/call.yaml"), method);
    let script = format!(
        "evm.deliver(#{{ http: #{{ url: \"{url}/made\", json: #{{ vm: evm.event.vm_ems_ref }} }} }});\n"
    );
    project.write(&format!("{class}/__methods__/call.rhai"), &script);
    let instance = "object_type: instance\nversion: 1.0\nobject:\n  attributes: {name: com.awesomecloud.vm.create}\n  fields:\n  - meth1:\n      value: call\n";
    project.write(&format!("{class}/com.awesomecloud.vm.create.yaml"), instance);
    project
}

#[test]
fn an_event_in_is_a_request_out_and_what_became_of_it_is_told_everywhere() {
    let receiver = Receiver::with([Mood::status(500)]);
    let settings = format!(
        ":outbox: {{allowed_origins: ['{}'], attempts: 1}}\n",
        receiver.url()
    );
    let served = Served::of(hooked(&receiver.url()), &settings);
    let event = r#"{"id": "e-1", "event_name": "com.awesomecloud.vm.create", "time": "2026-03-01T12:00:00Z", "vm": {"id": "vm-1", "name": "web"}}"#;
    assert_eq!(served.post(event).status, 202);
    let queue = served.until("/api/queue?kind=outbox&state=dead", |answer| {
        answer.json()["queue"]
            .as_array()
            .is_some_and(|queue| !queue.is_empty())
    });
    let queue = queue.json();
    assert_eq!(queue["outbox"]["dead"], 1);
    assert_eq!(
        queue["queue"][0]["error"],
        "the receiver answered HTTP 500 Internal Server Error"
    );
    let id = queue["queue"][0]["id"].as_i64().unwrap();
    let listed = served
        .project
        .run("queue list --database sqlite:test.db --kind outbox");
    assert!(listed.contains("outbox  dead"), "{listed}");
    let shown = served
        .project
        .run(&format!("queue show {id} --database sqlite:test.db"));
    assert!(shown.contains("\"vm\":\"vm-1\""), "{shown}");
    // From another process, as an operator does.
    let retried = served
        .project
        .run(&format!("queue retry {id} --database sqlite:test.db"));
    assert!(retried.contains("retrying message"), "{retried}");
    assert_eq!(receiver.until(2)[0], receiver.until(2)[1]);
    let sent = served.until("/api/event_streams/1", |answer| {
        answer.json()["outbox"][0]["state"] == json!("sent")
    });
    assert_eq!(sent.json()["outbox"][0]["answer"], "HTTP 202 Accepted");
    let told = served.project.run("event show 1 --database sqlite:test.db");
    assert!(
        told.contains("http sent") && told.contains("HTTP 202 Accepted"),
        "{told}"
    );
    let metrics = served.get("/metrics").body;
    for line in [
        "switchboard_outbox_sent_total{kind=\"http\"} 1",
        "switchboard_outbox_dead_total{kind=\"http\"} 1",
        "switchboard_outbox_effects{state=\"dead\"} 0",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    assert_eq!(
        served.get("/readyz").json()["outbox"]["under_way"],
        json!(0),
        "{}",
        served.get("/readyz").body
    );
    assert!(served.vmdb().queue_retry_all(MessageState::Dead).wait().unwrap() == 0);
}
