//! `switchboard serve` as a process: how it starts, how it ends.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use expect_test::expect;

use crate::support::project::Project;

/// A running `serve`, ended with the test.
struct Serving {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
}

impl Serving {
    /// Starts it and waits until it listens.
    fn start(project: &Project, arguments: &[&str]) -> Self {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut child = project
            .command(&arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        while !told.contains("listening") {
            assert!(log.read_line(&mut told).unwrap() > 0, "{told}");
        }
        Self { child, log }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end; its status and what it logged since it listened.
    fn end(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

#[test]
fn either_signal_ends_it_in_order() {
    let project = Project::shipped();
    for signal in ["TERM", "INT"] {
        let serving = Serving::start(&project, &[]);
        serving.signal(signal);
        let (code, log) = serving.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("Stopped in order."), "{log}");
    }
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
fn a_second_one_on_the_same_database_is_refused_and_names_the_first() {
    let project = Project::shipped();
    let serving = Serving::start(&project, &[]);
    let told = project
        .run("serve --listen 127.0.0.1:0")
        .replace(&serving.child.id().to_string(), "[pid]");
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
        ! site/Site/__domain__.yaml:2:1: error[YamlSyntax]: did not find expected node content
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
