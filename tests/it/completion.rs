//! `switchboard completion`: what is offered at a cursor, and that the shells themselves put it in.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::env;
use std::io;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::demo::Demo;
use crate::support::project::Project;
use crate::support::serving::Serving;
use crate::support::serving::pause;

/// A project whose database knows two managers, and events of all kinds.
fn project() -> Project {
    let project = Project::shipped();
    for line in [
        "ems add my_cloud --type awesome_cloud",
        "ems add other --type amazon",
    ] {
        assert!(project.run(line).contains("added"));
    }
    let name = project.output(&["ems", "add", "the other: one", "--type", "amazon"], "");
    assert!(name.status.success());
    project.write("config/settings.yml", "{}\n");
    let serving = Serving::start(&project, &[]);
    let event = |number: u32, event_type: &str| json!({ "id": format!("e-{number}"), "event_name": event_type, "vm": { "id": format!("vm-{number}") } });
    let types = [
        "com.awesomecloud.vm.create",
        "odd type: x",
        "not\nseen",
        "turned\u{202e}",
    ];
    let mut messages: Vec<_> = (1..)
        .zip(types)
        .map(|(number, name)| event(number, name))
        .collect();
    // This one cannot be parsed and waits.
    messages.push(json!({ "id": "e-9", "event_name": [] }));
    assert_eq!(serving.post(&json!(messages).to_string()).status, 202);
    while project.run("event list --format json").lines().count() <= types.len()
        || project.run("queue list --format json").lines().count() < 2
    {
        pause();
    }
    project
}

/// What is offered behind these words; the last one is being typed.
fn offered(project: &Project, words: &[&str]) -> Vec<String> {
    let output = project.output(
        &[&["__complete", "words", "--", "switchboard"], words].concat(),
        "",
    );
    let told = String::from_utf8(output.stdout).unwrap();
    let values = told
        .lines()
        .map(|line| line.split('\t').next().unwrap().to_owned());
    values.collect()
}

#[test]
fn what_could_stand_there_is_offered_from_rules_and_database() {
    let project = project();
    let all: [(&[&str], &[&str]); 27] = [
        (&["eve"], &["event"]),
        (&["event", ""], &["add", "list", "show", "tail"]),
        (&["queue", "re"], &["retry"]),
        (&["event", "list", "--e"], &["--ems", "--event-type"]),
        (&["event", "list", "--ems", "x", "--e"], &["--event-type"]),
        (
            &["event", "list", "--ems", ""],
            &["my_cloud", "other", "the other: one"],
        ),
        (&["ems", "disable", "my"], &["my_cloud"]),
        (&["refresh", "run", "o"], &["other"]),
        (&["event", "list", "--ems=my"], &["--ems=my_cloud"]),
        (
            &["event", "list", "--event-type", ""],
            &["com.awesomecloud.vm.create", "odd type: x"],
        ),
        (&["event", "show", ""], &["4", "3", "2", "1"]),
        (&["queue", "discard", ""], &["5"]),
        (&["refresh", "show", ""], &["1"]),
        (&["refresh", "list", "--state", "d"], &["done"]),
        (&["queue", "list", "--state", "p"], &["parked"]),
        (&["queue", "retry", "--all", "d"], &["dead"]),
        (&["ems", "add", "x", "--type", "a"], &["amazon", "awesome_cloud"]),
        (&["simulate", "--provider", "am"], &["amazon"]),
        (&["simulate", "--source", "A"], &["AMAZON", "AWESOME_CLOUD"]),
        (
            &[
                "simulate",
                "--source",
                "AWESOME_CLOUD",
                "--event-type",
                "com.awesomecloud.volume.d",
            ],
            &["com.awesomecloud.volume.delete", "com.awesomecloud.volume.detach"],
        ),
        (
            &["simulate", "--uri", "/System/event_handlers/refresh"],
            &[
                "/System/event_handlers/refresh",
                "/System/event_handlers/refresh_sync",
            ],
        ),
        (&["new", "handler", "x", "--domain", ""], &["ManageIQ"]),
        (&["event", "list", "--format", ""], &["text", "json"]),
        (&["event", "list", "--target", "vm"], &["vms:"]),
        (&["simulate", "--attribute", "vm_n"], &["vm_name="]),
        (&["completion", ""], &["bash", "zsh", "fish"]),
        // Files are the shell's own business.
        (&["simulate", ""], &[]),
    ];
    for (words, expected) in all {
        assert_eq!(offered(&project, words), expected, "{words:?}");
    }
    // What the line says counts.
    let elsewhere = Project::new(
        "//- automate/Mine/__domain__.yaml\nobject_type: domain\nversion: 1.0\nobject:\n  attributes: {name: Mine}\n",
    );
    let folder = elsewhere.path("automate").display().to_string();
    let words = ["new", "--automate", &folder, "handler", "x", "--domain", ""];
    assert_eq!(offered(&project, &words), ["Mine"]);
    let database = format!("sqlite:{}", project.path("switchboard.db").display());
    let words = ["--database", &database, "ems", "enable", ""];
    assert_eq!(offered(&elsewhere, &words).len(), 3);
    assert_eq!(
        offered(&elsewhere, &["--database", "sqlite:auto"]),
        ["sqlite:automate/"]
    );
}

#[test]
fn objects_of_the_inventory_are_offered_as_targets() {
    let demo = Demo::start(&["--rate", "0", "--listen", "127.0.0.1:0", "--cloud", "127.0.0.1:0"]);
    demo.until("everything is read", || {
        let refreshes = demo.shell("switchboard refresh list --state done --format json");
        (!refreshes.is_empty()).then_some(())
    });
    // The function that `demo` defines brings its database along.
    let offered = |word: &str| {
        demo.shell(&format!(
            "switchboard __complete words -- switchboard event list --target '{word}'"
        ))
    };
    assert_eq!(offered("cloud_v"), "cloud_volumes:\t\n");
    let vms = offered("vms:vm-");
    assert_eq!(vms.lines().count(), 12, "{vms}");
    assert!(
        vms.lines()
            .all(|vm| vm.starts_with("vms:vm-") && !vm.ends_with('\t')),
        "{vms}"
    );
    assert_eq!(offered("vms:nothing"), "");
}

#[test]
fn a_key_in_a_shell_makes_nothing() {
    let project = Project::new("");
    for words in [
        &["event", "show", ""][..],
        &["ems", "enable", ""],
        &["simulate", "--source", ""],
    ] {
        assert_eq!(offered(&project, words), [""; 0]);
    }
    assert_eq!(std::fs::read_dir(project.path("")).unwrap().count(), 0);
}

/// The search path with this program in front.
fn path() -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_switchboard")).parent().unwrap();
    format!("{}:{}", folder.display(), env::var("PATH").unwrap())
}

/// What a shell prints for a script, if there is such a shell. One that hangs is ended.
fn shell(project: &Project, shell: &str, arguments: &[&str], script: &str) -> Option<String> {
    let mut command = Command::new("timeout");
    command.args(["60", shell]).args(arguments).args(["-c", script]);
    command
        .current_dir(project.path(""))
        .env("PATH", path())
        .env("TERM", "dumb")
        .env("HOME", project.path(""));
    let output = command.output().unwrap();
    if output.status.code() == Some(127) {
        let _closed = writeln!(io::stderr(), "skipped: there is no {shell} here");
        return None;
    }
    assert_ne!(output.status.code(), Some(124), "{shell} hangs: {script}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn bash_puts_in_what_is_offered() {
    let project = project();
    let complete = r#"
        source <(switchboard completion bash)
        complete -p switchboard >/dev/null || exit 1
        at() {
            COMP_LINE=$1 COMP_POINT=${#1}
            _switchboard switchboard 2>/dev/null
            printf '<%s>' "${COMPREPLY[@]}"
            echo
        }
    "#;
    for (line, replies) in [
        ("switchboard eve", "<event>"),
        (
            "switchboard event list --ems ",
            "<my_cloud><other><the\\ other:\\ one>",
        ),
        ("switchboard event list --ems the", "<the\\ other:\\ one>"),
        ("switchboard event list --ems \"the", "<the other: one>"),
        // Bash leaves what stands before `=` or `:` as it is.
        ("switchboard event list --ems=my", "<my_cloud>"),
        ("switchboard event list --ems the\\ other:", "<\\ one>"),
        ("switchboard event list --target vm", "<vms:>"),
        ("RUST_LOG=debug switchboard queue retry --all de", "<dead>"),
        ("switchboard event list --event-type odd", "<odd\\ type:\\ x>"),
        ("switchboard nothing ", "<>"),
    ] {
        let line = line.replace('\\', "\\\\").replace('"', "\\\"");
        let told = shell(
            &project,
            "bash",
            &["--norc"],
            &format!("{complete}\nat \"{line}\""),
        )
        .unwrap();
        assert_eq!(told.trim_end(), replies, "{line}");
    }
}

#[test]
fn zsh_puts_in_what_is_offered() {
    let project = project();
    // A terminal within the shell, where keys are pressed; Ctrl-T shows the line as it is then.
    let complete = r#"
        zmodload zsh/zpty
        zpty inner zsh -f -i
        zpty -w inner 'autoload -Uz compinit; compinit -u -D; source <(switchboard completion zsh)'
        zpty -w inner 'tell() { print -r -- "<$BUFFER>" }; zle -N tell; bindkey "^T" tell; print -r -- RE""ADY'
        zpty -r -m inner line '*READY*'
        zpty -w -n inner "$LINE_TYPED"$'\t\C-t'
        zpty -r -m inner line '*<*>*'
        print -r -- "$line"
        zpty -d inner
    "#;
    for (line, expected) in [
        ("switchboard eve", "<switchboard event >"),
        (
            "switchboard event list --ems my",
            "<switchboard event list --ems my_cloud >",
        ),
        (
            "switchboard event list --ems=my",
            "<switchboard event list --ems=my_cloud >",
        ),
        (
            "switchboard event list --ems the",
            r"<switchboard event list --ems the\ other:\ one >",
        ),
        (
            "switchboard event list --target vm",
            "<switchboard event list --target vms:>",
        ),
        ("switchboard --config aut", "<switchboard --config automate/>"),
    ] {
        let script = format!("LINE_TYPED='{line}'\n{complete}");
        let Some(told) = shell(&project, "zsh", &["-f"], &script) else {
            return;
        };
        assert!(told.contains(expected), "{line}: {told}");
    }
}

#[test]
fn fish_puts_in_what_is_offered() {
    let project = project();
    for (line, replies) in [
        (
            "switchboard eve",
            "event\tPut events in, look them up, follow them\n",
        ),
        ("switchboard event list --ems the", "the other: one\tamazon\n"),
        (
            "switchboard event list --ems=my",
            "--ems=my_cloud\tawesome_cloud\n",
        ),
        ("switchboard queue retry --all de", "dead\n"),
        ("switchboard --config conf", "config/\n"),
    ] {
        let script = format!("switchboard completion fish | source; complete -C '{line}'");
        let Some(told) = shell(&project, "fish", &["--no-config"], &script) else {
            return;
        };
        assert_eq!(told, replies, "{line}");
    }
}
