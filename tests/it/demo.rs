//! `switchboard demo` as a process: what it prints is true, what it says to try works, and it leaves nothing behind.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use regex::Regex;
use serde_json::Value;

use crate::support::project::Project;
use crate::support::served::Answer;
use crate::support::served::read;
use crate::support::serving::pause;

/// Longer than anything here takes; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `demo`, killed with the test.
pub(crate) struct Demo {
    child: Child,
    project: Project,
    /// What it printed once all ran.
    guide: String,
}

impl Demo {
    /// Starts it on what is shipped.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::of(Project::shipped(), arguments)
    }

    /// Starts it in a project and reads what it prints.
    pub(crate) fn of(project: Project, arguments: &[&str]) -> Self {
        let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/settings.yml");
        project.write("config/settings.yml", &std::fs::read_to_string(settings).unwrap());
        let mut command = project.command(&[&["demo"], arguments].concat());
        let mut child = command
            .env("TMPDIR", project.path(""))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut guide = String::new();
        while !guide.contains("switchboard ems list\n") {
            assert!(stdout.read_line(&mut guide).unwrap() > 0, "{guide}");
        }
        Self {
            child,
            project,
            guide,
        }
    }

    /// What stands after a word at the beginning of a line.
    pub(crate) fn place(&self, word: &str) -> &str {
        let line = self.guide.lines().find_map(|line| line.strip_prefix(word));
        line.and_then(|line| line.split_whitespace().next()).unwrap()
    }

    /// Where it runs.
    pub(crate) fn project(&self) -> &Project {
        &self.project
    }

    /// The commands to try that begin so.
    pub(crate) fn commands(&self, beginning: &str) -> Vec<&str> {
        let commands = self.guide.lines().filter_map(|line| line.strip_prefix("  "));
        commands.filter(|line| line.starts_with(beginning)).collect()
    }

    /// What a shell prints for a command of the program, as the guide says to define it.
    pub(crate) fn shell(&self, line: &str) -> String {
        let script = format!("{}\n{line}", self.commands("switchboard()")[0]);
        let mut shell = Command::new("sh");
        let output = shell
            .args(["-ec", &script])
            .current_dir(self.project.path(""))
            .output()
            .unwrap();
        let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{line}: {}", told(&output.stderr));
        told(&output.stdout)
    }

    /// Does what a `curl` of the guide does.
    fn curl(&self, line: &str) -> Answer {
        let form = Regex::new(
            r"^curl -s( -X PUT)? '?http://([^/]+)([^ ']*)'?(?: -H '([^']*)' -d '([^']*)')?(?:; echo| \| grep .*)$",
        );
        let found = form.unwrap().captures(line).unwrap();
        let (verb, body) = match (found.get(1), found.get(5)) {
            (Some(_), Some(body)) => ("PUT", body.as_str()),
            (None, Some(body)) => ("POST", body.as_str()),
            _ => ("GET", ""),
        };
        request(
            &found[2],
            verb,
            &found[3],
            found.get(4).map_or("X-None: 0", |header| header.as_str()),
            body,
        )
    }

    /// What its server answers.
    pub(crate) fn get(&self, path: &str) -> String {
        let host = self.place("Switchboard").trim_start_matches("http://");
        request(host, "GET", path, "X-None: 0", "").body
    }

    /// Looks again and again until something is there.
    pub(crate) fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Instant::now() < end, "waited in vain until {what}");
            pause();
        }
    }

    /// Ends it as Ctrl-C does.
    fn interrupt(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", "INT", &pid]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn request(host: &str, verb: &str, path: &str, header: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let head = format!(
        "{verb} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{header}\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    read(&mut stream)
}

#[test]
fn what_the_demo_says_to_try_works_and_its_end_leaves_nothing_behind() {
    let mut demo = Demo::start(&["--listen", "127.0.0.1:0", "--cloud", "127.0.0.1:0", "--rate", "5"]);
    let curls = demo.commands("curl");
    // A VM is created: an event, decided, whose refresh brings the row.
    let made: Value = demo.curl(curls[0]).json();
    let event: Value = demo.until("the event is there", || {
        let line = format!(
            "switchboard event list --target vms:{} --format json",
            made["id"].as_str()?
        );
        serde_json::from_str(demo.shell(&line).lines().next()?).ok()
    });
    assert_eq!(event["event_type"], "com.awesomecloud.vm.create");
    let row = demo.until("its row is there", || {
        let inventory: Value = demo.curl(curls[1]).json();
        let rows = inventory["inventory"].as_array()?.clone();
        rows.into_iter()
            .find(|row| row["manager_ref"]["ems_ref"] == made["id"])
    });
    assert_eq!(row["attributes"]["name"], "hello");
    demo.until("its refresh is done", || {
        let refreshes = demo.shell("switchboard refresh list --limit 0 --state done --format json");
        let refresh = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        let targeted = |refresh: &Value| refresh["full"].is_null() && refresh["changes"]["created"] != 0;
        refreshes.lines().map(refresh).find(targeted)
    });
    // A VM that chance leaves alone is stopped: the event says why it was read again.
    let stopped: Value = demo.curl(curls[2]).json();
    let listed = demo.until("it is listed", || {
        let listed = demo.shell(demo.commands("switchboard event list --target")[0]);
        listed.contains("power_off").then_some(listed)
    });
    assert!(listed.contains(stopped["id"].as_str().unwrap()), "{listed}");
    let shown = demo.shell(demo.commands("switchboard event show")[0]);
    assert!(
        shown.contains("/System/event_handlers/refresh") && shown.contains("\ntargets\n"),
        "{shown}"
    );
    // The cloud fails, and is well again.
    demo.curl(curls[3]);
    demo.until("it is noticed", || {
        let ready = demo.curl(curls[4]).json();
        (ready["catcher"]["managers"]["demo"]["state"] == "backing_off").then_some(())
    });
    demo.curl(curls[5]);
    demo.until("it is over", || {
        let managers = demo.shell(demo.commands("switchboard ems list")[0]);
        managers.contains("running").then_some(())
    });
    assert_eq!(curls.len(), 6);
    // Every other command works, too.
    for line in demo.commands("switchboard ") {
        demo.shell(line);
    }
    let database = demo.place("database").trim_start_matches("sqlite:").to_owned();
    assert!(Path::new(&database).exists());
    assert_eq!(demo.interrupt(), Some(0));
    assert!(!Path::new(&database).parent().unwrap().exists(), "{database}");
}

#[test]
fn where_the_usual_ports_are_taken_the_demo_finds_others() {
    // Taken by this test, or by somebody else.
    let _taken = ["127.0.0.1:3000", "127.0.0.1:8100"].map(TcpListener::bind);
    let mut demo = Demo::start(&["--rate", "0"]);
    for word in ["Switchboard", "the cloud"] {
        let host = demo.place(word).trim_start_matches("http://");
        assert!(!host.ends_with(":3000") && !host.ends_with(":8100"), "{host}");
        let answer = request(host, "GET", "/healthz", "X-None: 0", "");
        assert!([200, 404].contains(&answer.status), "{answer:?}");
    }
    assert_eq!(demo.interrupt(), Some(0));
    // Whoever names an address wants that one.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let told = Project::shipped().run(&format!("demo --listen {address} --cloud 127.0.0.1:0"));
    assert!(told.contains("cannot serve") && told.contains(&address), "{told}");
}
