//! `switchboard serve` as a process, and what is said to it over HTTP.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::process::Child;
use std::process::ChildStderr;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use crate::support::project::Project;
use crate::support::served;
use crate::support::served::Answer;

/// Longer than anything here takes; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A moment between two looks at something that nobody tells about.
pub(crate) fn pause() {
    let (_never, waits) = std::sync::mpsc::channel::<()>();
    let _over = waits.recv_timeout(Duration::from_millis(20));
}

/// A running `serve`, ended with the test.
pub(crate) struct Serving {
    child: Child,
    log: BufReader<ChildStderr>,
    address: String,
    /// What was logged until it listened.
    pub(crate) told: String,
}

impl Serving {
    /// Starts it and waits until it listens.
    pub(crate) fn start(project: &Project, arguments: &[&str]) -> Self {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        Self::spawn(&mut project.command(&arguments))
    }

    /// Starts a command that ends in `serve`, in the same process, and waits until it listens.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        while !told.contains("listening") {
            assert!(log.read_line(&mut told).unwrap() > 0, "{told}");
        }
        let address = told.split_once("http://").unwrap().1;
        let end = address.find(['"', '\n']).unwrap();
        let address = address.get(..end).unwrap().to_owned();
        Self {
            child,
            log,
            address,
            told,
        }
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end; its status and what it logged since it listened.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }

    /// Reads on in its log until it has told this.
    pub(crate) fn until_told(&mut self, text: &str) {
        let mut told = String::new();
        while !told.contains(text) {
            assert!(self.log.read_line(&mut told).unwrap() > 0, "{told}");
        }
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// One request.
    pub(crate) fn ask(&self, line: &str, body: &str) -> Answer {
        self.send(line, &[], body)
    }

    /// One request with more headers.
    pub(crate) fn send(&self, line: &str, headers: &[&str], body: &str) -> Answer {
        let mut stream = self.connect();
        let length = body.len();
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n{headers}\r\n"
        );
        // Who refuses a body need not read it to its end.
        let _refused = stream.write_all(format!("{head}{body}").as_bytes());
        served::read(&mut stream)
    }

    /// Posts an event for `my_cloud`.
    pub(crate) fn post(&self, body: &str) -> Answer {
        self.ask("POST /events/my_cloud", body)
    }

    /// Asks again until the answer is right.
    pub(crate) fn until(&self, path: &str, is_right: impl Fn(&Answer) -> bool) -> Answer {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(&format!("GET {path}"), "");
            if is_right(&answer) {
                return answer;
            }
            assert!(Instant::now() < end, "waited in vain: {answer:?}");
            pause();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
