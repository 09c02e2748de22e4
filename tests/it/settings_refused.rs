//! Settings that cannot be used, as the program meets them: it does not start with them, and keeps to those before them
//! while it runs. Nothing opens, nothing is purged.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::process::Command;
use std::process::Output;

use expect_test::expect;

use crate::support::project::Project;
use crate::support::serving::Serving;

/// Settings that keep somebody out.
const GUARDED: &str = "web:\n  token: s3cret\n  webhook_secrets:\n    my_cloud: [hush]\nevent_streams:\n  history:\n    keep_events: 10.years\n";
/// The status of `timeout` for a program that ran on.
const RAN_ON: i32 = 124;

/// Runs a command to its end, which is to come by itself.
fn run(project: &Project, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = project.command(&[]).get_current_dir().unwrap().to_owned();
    let program = env!("CARGO_BIN_EXE_switchboard");
    let mut command = Command::new("timeout");
    command.args(["20", program]).args(arguments).current_dir(folder);
    command.env_remove("RUST_LOG").envs(variables.iter().copied());
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    assert_ne!(status.code(), Some(RAN_ON), "{arguments:?} goes on");
    let told = [stdout, stderr]
        .map(|told| String::from_utf8(told).unwrap())
        .concat();
    (status.code(), told)
}

const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0"];

#[test]
fn every_command_that_reads_settings_says_what_is_wrong_and_does_nothing() {
    let project = Project::shipped();
    project.run("ems add my_cloud --type awesome_cloud");
    project.write(
        "event.json",
        r#"{"id": "e-1", "event_name": "com.awesomecloud.vm.create"}"#,
    );
    project.write("config/settings.yml", &format!("{GUARDED}workers:\n\tx: 1\n"));
    expect![[r#"
        $ switchboard serve --listen 127.0.0.1:0
        ! error: the settings cannot be used
        !   config/settings.yml:9:2: error[YamlSyntax]: tabs disallowed within this context (block indentation)
        !     help: YAML indents with spaces: replace the tab
        exit Some(2)
    "#]].assert_eq(&project.run("serve --listen 127.0.0.1:0"));
    for arguments in [
        SERVE,
        &["demo", "--listen", "127.0.0.1:0", "--cloud", "127.0.0.1:0"],
        &["event", "add", "event.json", "--ems", "my_cloud"],
        &["verify", "--live", "http://127.0.0.1:1"],
        &["settings"],
    ] {
        let (status, told) = run(&project, arguments, &[]);
        assert_eq!(status, Some(2), "{arguments:?}: {told}");
        assert!(
            told.contains("config/settings.yml:9:2: error[YamlSyntax]"),
            "{arguments:?}: {told}"
        );
    }
    let (status, told) = run(&project, &["check", "--format", "json"], &[]);
    assert_eq!(status, Some(1), "{told}");
    assert!(
        told.contains(r#""code":"YamlSyntax","file":"config/settings.yml","line":9,"column":2"#),
        "{told}"
    );
    // Those that read none are what helps to look around.
    for arguments in [
        &["ems", "list"][..],
        &["queue", "list"],
        &["backup", "copy.db"],
        &["verify"],
        &["settings", "--defaults"],
    ] {
        let (status, told) = run(&project, arguments, &[]);
        assert_eq!(status, Some(0), "{arguments:?}: {told}");
    }
}

#[test]
fn it_does_not_start_with_settings_that_mean_something_else_than_is_written() {
    let project = Project::shipped();
    let guarded = |more: &str| format!("{GUARDED}{more}");
    for (settings, place) in [
        (
            guarded("workers:\n\tx: 1\n"),
            "settings.yml:9:2: error[YamlSyntax]",
        ),
        (String::new(), "settings.yml:1:1: error[EmptyFile]"),
        ("- web".to_owned(), "settings.yml:1:1: error[WrongSetting]"),
        (guarded("---\nweb: {}\n"), "settings.yml:8:1: error[YamlSyntax]"),
        (guarded(":web: {}\n"), "settings.yml:8:1: error[DuplicateSetting]"),
        (
            GUARDED.replace("token", "tokn"),
            "settings.yml:2:3: error[UnknownSetting]",
        ),
        (
            GUARDED.replace("s3cret", "env:NOT_SET"),
            "settings.yml:2:10: error[WrongSetting]",
        ),
        (
            GUARDED.replace("s3cret", "#s3cret"),
            "settings.yml:2:3: error[WrongSetting]",
        ),
        (
            GUARDED.replace("[hush]", "hush"),
            "settings.yml:4:15: error[WrongSetting]",
        ),
        (
            GUARDED.replace("10.years", "10.yaers"),
            "settings.yml:7:18: error[WrongSetting]",
        ),
        (
            GUARDED.replace("keep_events", "keep_evnts"),
            "settings.yml:7:5: error[UnknownSetting]",
        ),
        (
            guarded("    keep_rows: 1e6\n"),
            "settings.yml:8:16: error[WrongSetting]",
        ),
        (
            guarded("outbox: {threads: 100000}\n"),
            "settings.yml:8:19: error[WrongSetting]",
        ),
    ] {
        project.write("config/settings.yml", &settings);
        let (status, told) = run(&project, SERVE, &[]);
        assert_eq!(status, Some(2), "{settings}\n{told}");
        assert!(told.contains(place), "{settings}\n{told}");
    }
    fs::remove_file(project.path("config/settings.yml")).unwrap();
    for (name, value) in [
        ("SWITCHBOARD_WEB_TOKEN", "env:NOT_SET"),
        ("SWITCHBOARD_WEB_TOKEN", "file:/nowhere"),
        ("SWITCHBOARD_WEB_TOKEN", ""),
        ("SWITCHBOARD_WEB_TOKNE", "x"),
        ("SWITCHBOARD_TOKEN", "x"),
        ("SWITCHBOARD_CONFIG", "/etc/settings.yml"),
        ("SWITCHBOARD_EVENT_STREAMS_HISTORY_KEEP_EVENTS", "soon"),
    ] {
        let (status, told) = run(&project, SERVE, &[(name, value)]);
        assert_eq!(status, Some(2), "{name}={value}\n{told}");
        assert!(
            told.contains(&format!("{name}:1:1: error[")),
            "{name}={value}\n{told}"
        );
    }
    let named = [SERVE, &["--config", "nowhere.yml"]].concat();
    let (status, told) = run(&project, &named, &[]);
    assert_eq!(
        (
            status,
            told.contains("cannot read the settings file `nowhere.yml`")
        ),
        (Some(2), true),
        "{told}"
    );
    // Nothing of the database was touched, so nothing was purged.
    assert!(!project.path("switchboard.db").exists());
}

#[test]
fn settings_that_break_while_it_runs_leave_in_force_what_is() {
    const BODY: &str = r#"{"id":"e-1","event_name":"com.awesomecloud.vm.create"}"#;
    let project = Project::shipped();
    project.run("ems add my_cloud --type awesome_cloud");
    project.write("config/settings.yml", GUARDED);
    let serving = Serving::start(&project, &[]);
    let bearer = ["Authorization: Bearer s3cret"];
    let refusal = |serving: &Serving| {
        let ready = serving.send("GET /readyz", &bearer, "").json();
        ready["rules"]["settings_refused"]["errors"][0].clone()
    };
    let assert_closed = || {
        assert_eq!(serving.ask("GET /api/event_streams", "").status, 401);
        assert_eq!(serving.ask("POST /api/automate/reload", "{}").status, 401);
        assert_eq!(serving.send("POST /events/my_cloud", &bearer, BODY).status, 401);
        assert_eq!(serving.send("GET /api/event_streams", &bearer, "").status, 200);
    };
    let path = project.path("config/settings.yml");
    for (settings, code) in [
        (Some("web:\n\tx"), "YamlSyntax"),
        (Some(""), "EmptyFile"),
        (None, "Unreadable"),
        (Some("web: {webhook_secret: {}}"), "UnknownSetting"),
        (Some("ebhook_secrets: {my_cloud: [hush]}"), "UnknownSetting"),
        (
            Some("web: {webhook_secrets: {my_cloud: ['env:NOT_SET']}}"),
            "SecretMissing",
        ),
        (
            Some("event_streams: {history: {keep_events: soon}}"),
            "WrongSetting",
        ),
        (Some("web: {listen: '0.0.0.0:1'}"), "TokenNeeded"),
    ] {
        match settings {
            Some(settings) => project.write("config/settings.yml", settings),
            None => fs::remove_file(&path).unwrap(),
        }
        let reload = || serving.send("POST /api/automate/reload", &bearer, "{}").json();
        let told = reload();
        assert_eq!(told["outcome"], "refused", "{settings:?}: {told}");
        assert_eq!(told["findings"][0]["code"], code, "{settings:?}: {told}");
        assert_eq!(refusal(&serving)["code"], code, "{settings:?}");
        assert_closed();
        project.write("config/settings.yml", GUARDED);
        assert_eq!(reload()["findings"], serde_json::json!([]));
        assert!(refusal(&serving).is_null());
    }
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn a_manager_whose_secret_cannot_be_had_is_closed_and_readiness_says_so() {
    let project = Project::shipped();
    project.run("ems add my_cloud --type awesome_cloud");
    project.write(
        "config/settings.yml",
        "web: {webhook_secrets: {my_cloud: ['file:late']}}\n",
    );
    let serving = Serving::start(&project, &[]);
    assert_eq!(serving.post("{}").status, 401);
    let ready = serving.ask("GET /readyz", "");
    let left_out = ready.json()["rules"]["settings_left_out"][0].clone();
    assert_eq!(
        (ready.status, &left_out["code"]),
        (200, &"SecretMissing".into()),
        "{left_out}"
    );
    assert_eq!(run(&project, &["check"], &[]).0, Some(1));
    // As soon as it can be had, it counts.
    project.write("late", "hush");
    assert_eq!(serving.ask("POST /api/automate/reload", "{}").status, 200);
    let ready = serving.ask("GET /readyz", "").json();
    assert_eq!(ready["rules"]["settings_left_out"], serde_json::json!([]));
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn what_counts_after_a_restart_is_said() {
    let project = Project::shipped();
    project.write("config/settings.yml", "web: {token: old}\n");
    let mut serving = Serving::start(&project, &[]);
    let ready = |serving: &Serving, token: &str| {
        let bearer = format!("Authorization: Bearer {token}");
        serving.send("GET /readyz", &[&bearer], "").json()["rules"]["settings_after_restart"].clone()
    };
    project.write(
        "config/settings.yml",
        "web: {token: new, max_connections: 9}\noutbox: {threads: 3}\nscript: {max_time: 1s}\n",
    );
    serving.until_told("count after a restart. settings=\"web.token, web, outbox.threads\"");
    let waiting = serde_json::json!(["web.token", "web", "outbox.threads"]);
    assert_eq!(ready(&serving, "old"), waiting);
    project.write(
        "config/settings.yml",
        "web: {token: old}\nscript: {max_time: 1s}\n",
    );
    serving.until_told("Read the settings again.");
    assert_eq!(ready(&serving, "old"), serde_json::json!([]));
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn no_finding_shows_a_secret() {
    let project = Project::shipped();
    for settings in [
        "web:\n  token: '#hush\n",
        "web: {token: hush #hush}\n",
        "web:\n  webhook_secrets:\n    a: hush\n",
    ] {
        project.write("config/settings.yml", settings);
        let (status, told) = run(&project, &["check"], &[]);
        assert_eq!(status, Some(1), "{told}");
        assert!(told.contains("********") && !told.contains("hush"), "{told}");
    }
}

#[test]
fn it_starts_with_every_number_at_its_most() {
    let project = Project::shipped();
    let settings = "
outbox: {threads: 256, attempts: 1_000_000, pause: 1000.years, longest_pause: 1000.years, timeout: 1000.years}
workers:
  worker_base:
    event_handler: {threads: 256, batch: 100_000}
    event_catcher:
      defaults: {poll: 1000.years, ems_event_page_size: 100_000, ems_event_thread_shutdown_timeout: 1000.years}
event_streams: {history: {keep_events: 1000.years, keep_rows: 1_000_000_000_000, purge_window_size: 100_000}}
ems_refresh: {full_refresh_threshold: 1_000_000_000_000, gather: 1000.years, gather_most: 1000.years,
  refresh_interval: 1000.years, retry_pause: 1000.years}
web: {max_event_bytes: 512 MiB, max_batch_bytes: 512 MiB, header_timeout: 1000.years, body_timeout: 1000.years,
  idle_timeout: 1000.years, max_connections: 1_000_000, max_connections_per_address: 1_000_000,
  max_waiting_messages: 1_000_000_000_000}
script: {max_operations: 1_000_000_000_000, max_time: 1000.years, max_memory: 1024 GiB, max_call_levels: 128,
  max_string_size: 1 GiB, max_array_size: 1_000_000_000, max_map_size: 1_000_000_000}
database: {reserve: 1024 GiB}
reload: {gather: 50ms}
";
    project.write("config/settings.yml", settings);
    project.run("ems add my_cloud --type awesome_cloud");
    let serving = Serving::start(&project, &[]);
    let answer = serving.post(r#"{"id":"e-1","event_name":"com.awesomecloud.vm.create"}"#);
    assert_eq!(answer.status, 202, "{answer:?}");
    serving.until("/api/event_streams", |answer| {
        answer.body.contains("com.awesomecloud.vm.create")
    });
    assert_eq!(serving.ask("GET /readyz", "").status, 200);
    serving.signal("TERM");
    let (status, log) = serving.end();
    assert_eq!(status, Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}
