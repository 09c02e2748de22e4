//! Changes that no watch of the system reports, and a system that grants no watch: `serve` sees them all the same.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::io::Write;
use std::process::Command;

use crate::support::project::Project;
use crate::support::served::Answer;
use crate::support::serving::Serving;

const RULE: &str = "automate/ManageIQ/System/Process.class/Event.yaml";

/// Whether this shell script runs as the root of a user namespace of its own, which a machine may forbid.
fn is_granted(script: &str) -> bool {
    let tried = Command::new("unshare")
        .args(["-Urm", "sh", "-c", script])
        .output();
    let is_granted = tried.is_ok_and(|output| output.status.success());
    if !is_granted {
        // Past the test harness, which shows what a test prints only where it fails.
        let told =
            format!("SKIPPED: this machine grants no user namespace in which `{script}` may be done\n");
        std::io::stderr().write_all(told.as_bytes()).unwrap();
    }
    is_granted
}

/// `serve` in a user namespace of its own, after this shell script.
fn serve_after(project: &Project, script: &str) -> Serving {
    let program = env!("CARGO_BIN_EXE_switchboard");
    let script = format!("{script} && exec {program} serve --listen 127.0.0.1:0");
    let mut command = project.command(&[]);
    let folder = command.get_current_dir().unwrap().to_owned();
    command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", &script]).current_dir(folder);
    command.env_remove("RUST_LOG");
    Serving::spawn(&mut command)
}

fn rules(answer: &Answer) -> serde_json::Value {
    answer.json()["rules"].clone()
}

/// Breaks a file and mends it, and waits until both were seen; the key of `/readyz` under which the first is.
fn assert_seen(serving: &Serving, key: &str, write: impl Fn(bool)) {
    write(true);
    serving.until("/readyz", |answer| !rules(answer)[key].is_null());
    write(false);
    serving.until("/readyz", |answer| rules(answer)[key].is_null());
}

#[test]
fn where_the_system_grants_no_watch_it_serves_says_so_and_compares() {
    for (limit, setting) in [
        ("max_inotify_instances", "fs.inotify.max_user_instances"),
        ("max_inotify_watches", "fs.inotify.max_user_watches"),
    ] {
        let limited = format!("echo 0 > /proc/sys/user/{limit}");
        if !is_granted(&limited) {
            return;
        }
        let project = Project::copied();
        project.write("config/settings.yml", "web: {}");
        let serving = serve_after(&project, &limited);
        let warned: Vec<&str> = serving
            .told
            .lines()
            .filter(|line| line.contains(setting))
            .collect();
        assert_eq!(warned.len(), 1, "{}", serving.told);
        let ready = serving.ask("GET /readyz", "");
        let problem = rules(&ready)["problem"].as_str().unwrap().to_owned();
        assert_eq!(ready.status, 200);
        assert!(problem.contains(setting), "{problem}");

        let rule = fs::read_to_string(project.path(RULE)).unwrap();
        assert_seen(&serving, "refused", |broken| {
            project.write(RULE, if broken { "object: [" } else { &rule });
        });
        assert_seen(&serving, "settings_refused", |broken| {
            project.write("config/settings.yml", if broken { "web: [" } else { "web: {}" });
        });

        // As soon as the system grants watches again, they are set.
        let more = format!("echo 1000 > /proc/sys/user/{limit}");
        let pid = serving.pid().to_string();
        let arguments = ["--preserve-credentials", "-U", "-t", &pid, "sh", "-c", &more];
        assert!(
            Command::new("nsenter")
                .args(arguments)
                .status()
                .unwrap()
                .success()
        );
        serving.until("/readyz", |answer| rules(answer)["problem"].is_null());
        serving.signal("TERM");
        assert_eq!(serving.end().0, Some(0));
    }
}

#[test]
fn a_file_that_is_mounted_and_written_elsewhere_is_seen() {
    let project = Project::copied();
    let rule = fs::read_to_string(project.path(RULE)).unwrap();
    project.write("elsewhere/rule", &rule);
    project.write("elsewhere/settings", "web: {}");
    project.write("config/settings.yml", "");
    let mount = |from: &str, to: &str| {
        let [from, to] = [from, to].map(|path| project.path(path));
        format!("mount --bind {} {}", from.display(), to.display())
    };
    let rule_mounted = mount("elsewhere/rule", RULE);
    let settings_mounted = mount("elsewhere/settings", "config/settings.yml");
    let mounted = format!("{rule_mounted} && {settings_mounted}");
    if !is_granted(&mounted) {
        return;
    }
    let serving = serve_after(&project, &mounted);
    assert_seen(&serving, "refused", |broken| {
        project.write("elsewhere/rule", if broken { "object: [" } else { &rule });
    });
    assert_seen(&serving, "settings_refused", |broken| {
        project.write("elsewhere/settings", if broken { "web: [" } else { "web: {}" });
    });
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));
}
