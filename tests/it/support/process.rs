//! `switchboard serve` as a process with a manager, and callers that speak HTTP to it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;

use crate::support::project::Project;
use crate::support::served::Answer;
use crate::support::served::read;

/// Longer than anything here takes; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `serve`, killed with the test.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// A project with the shipped rules and scripts, these settings, and a manager `my_cloud`.
pub(crate) fn project(settings: &str, ems_add: &str) -> Project {
    prepared(Project::shipped(), settings, ems_add)
}

/// The same with rules and scripts of one's own.
pub(crate) fn prepared(project: Project, settings: &str, ems_add: &str) -> Project {
    if !settings.is_empty() {
        project.write("config/settings.yml", settings);
    }
    let line = format!("ems add my_cloud --type awesome_cloud {ems_add}");
    let told = project.run(&line);
    assert!(told.contains("added manager my_cloud"), "{told}");
    project
}

impl Process {
    /// Starts it on a free port and waits until it listens.
    pub(crate) fn start(project: &Project) -> Self {
        Self::start_with(project, &[], &[])
    }

    /// The same with variables and arguments.
    pub(crate) fn start_with(project: &Project, variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut command = project.command(&arguments);
        command.envs(variables.iter().copied()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let log: Arc<Mutex<String>> = Arc::default();
        let address = loop {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "{}", log.lock());
            log.lock().push_str(&line);
            if let Some(address) = line.trim().strip_prefix("listening on http://") {
                break address.parse().unwrap();
            }
        };
        let told = log.clone();
        let reader = thread::spawn(move || {
            let mut line = String::new();
            while stderr.read_line(&mut line).unwrap_or(0) > 0 {
                told.lock().push_str(&line);
                line.clear();
            }
        });
        Self {
            child,
            address,
            log,
            reader: Some(reader),
        }
    }

    /// What it logged until now.
    pub(crate) fn log(&self) -> String {
        self.log.lock().clone()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end: its status, and all that it logged.
    pub(crate) fn end(&mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        (status.code(), self.log())
    }

    /// Asks it to end in order, and it does.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let (code, log) = self.end();
        assert_eq!(code, Some(0), "{log}");
    }

    /// Ends it as a crash does, without a word.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The most memory that it has held, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// One request; nothing answered where the process is gone meanwhile.
    pub(crate) fn request(&self, line: &str, headers: &[&str], body: &str) -> Answer {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let length = body.len();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        let Ok(mut stream) = TcpStream::connect(self.address) else {
            return Answer::default();
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _refused = stream.write_all(format!("{head}{body}").as_bytes());
        read(&mut stream)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request(&format!("GET {path}"), &[], "")
    }

    /// Posts JSON for the manager.
    pub(crate) fn post(&self, body: &str) -> Answer {
        self.request("POST /events/my_cloud", &["Content-Type: application/json"], body)
    }

    /// Asks again until the answer is right.
    pub(crate) fn until(
        &self,
        path: &str,
        is_right: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path);
            let json = serde_json::from_str(&answer.body).unwrap_or_default();
            if is_right(&json) {
                return json;
            }
            assert!(Instant::now() < end, "waited in vain: {answer:?}\n{}", self.log());
            thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Waits until these events are saved, each once, whatever their order; `ems_ref` by `ems_ref`.
    pub(crate) fn until_saved(&self, mut expected: Vec<String>) {
        expected.sort();
        let refs = |json: &serde_json::Value| {
            let events = json["event_streams"].as_array().cloned().unwrap_or_default();
            let refs = events
                .iter()
                .map(|event| event["ems_ref"].as_str().unwrap_or("-").to_owned());
            let mut refs: Vec<String> = refs.collect();
            refs.sort();
            refs
        };
        self.until("/api/event_streams?limit=1000", |json| {
            expected.len() <= refs(json).len()
        });
        self.until("/api/queue", |json| {
            json["counts"]["ready"] == 0 && json["counts"]["waiting"] == 0
        });
        assert_eq!(refs(&self.get("/api/event_streams?limit=1000").json()), expected);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `e-<from>` to `e-<to>`.
pub(crate) fn ids(from: usize, to: usize) -> Vec<String> {
    (from..=to).map(|number| format!("e-{number}")).collect()
}
