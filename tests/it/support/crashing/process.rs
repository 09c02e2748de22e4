//! `switchboard serve` as a process that may die at any moment, and one who posts to it.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use crate::support::project::Project;
use crate::support::served;
use crate::support::served::Answer;

/// Longer than anything here takes; only a test that fails waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A `serve` that listens.
pub(crate) struct Process {
    child: Running,
    address: SocketAddr,
    log: JoinHandle<String>,
}

/// A child that does not outlive its test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the process does not end");
            pause(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Most have ended before.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Process {
    /// Starts it with these environment variables; how it ended, where it did before it listened.
    pub(crate) fn start(project: &Project, variables: &[(&str, &str)]) -> Result<Self, (ExitStatus, String)> {
        let mut child = Running::start(command(project, variables).stderr(Stdio::piped()));
        let mut log = BufReader::new(child.0.stderr.take().unwrap());
        let mut told = String::new();
        loop {
            let mut line = String::new();
            if log.read_line(&mut line).unwrap() == 0 {
                return Err((child.wait(), told));
            }
            told.push_str(&line);
            if let Some(address) = line.trim().strip_prefix("listening on http://") {
                let address = address.parse().unwrap();
                let log = thread::spawn(move || {
                    // What was written last before it died may be cut off anywhere.
                    let _rest = log.read_to_string(&mut told);
                    told
                });
                return Ok(Self { child, address, log });
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn is_dead(&mut self) -> bool {
        self.child.0.try_wait().unwrap().is_some()
    }

    /// As the system does it when it wants memory back.
    pub(crate) fn kill(mut self) {
        self.child.0.kill().unwrap();
        self.child.wait();
        drop(self.log.join());
    }

    /// Waits until it has ended by itself.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        (self.child.wait(), self.log.join().unwrap())
    }

    /// Asks it to end, where it has not, and waits for that.
    pub(crate) fn stop(mut self) -> (ExitStatus, String) {
        if !self.is_dead() {
            let pid = self.child.0.id().to_string();
            // It may have died meanwhile.
            let _status = Command::new("kill")
                .args(["-s", "TERM", &pid])
                .stderr(Stdio::null())
                .status();
        }
        (self.child.wait(), self.log.join().unwrap())
    }
}

fn command(project: &Project, variables: &[(&str, &str)]) -> Command {
    let folders = ["--automate", "automate", "--automate", "site"];
    let mut command = project.command(&[&["serve", "--listen", "127.0.0.1:0"], &folders[..]].concat());
    command.envs(variables.iter().copied()).stdout(Stdio::null());
    command
}

/// Starts it and kills it after so long, however far it has got.
pub(crate) fn start_and_kill(project: &Project, time: Duration) {
    let child = Running::start(command(project, &[]).stderr(Stdio::null()));
    pause(time);
    drop(child);
}

/// Posts a body for a manager; nothing where the other side died before it had answered all.
pub(crate) fn post(address: SocketAddr, ems: &str, body: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "POST /events/{ems} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let answer = served::read(&mut stream);
    let length = answer.header("content-length")?.parse::<usize>().ok()?;
    (answer.body.len() == length).then_some(answer)
}

/// Waits so long, and no longer than that.
pub(crate) fn pause(time: Duration) {
    thread::park_timeout(time);
}
