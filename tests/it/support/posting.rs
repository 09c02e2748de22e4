//! `switchboard serve` as a process of its own, and a caller that posts to it.

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

use crate::support::project::Project;

/// Longer than anything here takes; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `serve`, killed with the test.
pub(crate) struct Process {
    child: Child,
    address: String,
    /// Read to its end, so that it never waits for somebody to read.
    log: Option<BufReader<ChildStderr>>,
}

impl Process {
    /// Serves `switchboard.db` of the project, with a manager `my_cloud`, and waits until it listens.
    pub(crate) fn serve(project: &Project) -> Self {
        project.run("ems add my_cloud --type awesome_cloud");
        let mut command = project.command(&["serve", "--listen", "127.0.0.1:0"]);
        // The log is read at the end only.
        command.env("RUST_LOG", "error");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        while !told.contains("listening on http://") {
            assert!(log.read_line(&mut told).unwrap() > 0, "{told}");
        }
        let (_, address) = told.split_once("listening on http://").unwrap();
        Self {
            child,
            address: address.trim().to_owned(),
            log: Some(log),
        }
    }

    /// Posts JSON for a manager; the status, and 0 where there is no answer.
    pub(crate) fn post(&self, ems: &str, body: &str) -> u16 {
        let Ok(mut stream) = TcpStream::connect(&self.address) else {
            return 0;
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "POST /events/{ems} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut answer = String::new();
        let _cut_off = stream.write_all(format!("{head}{body}").as_bytes());
        let _cut_off = stream.read_to_string(&mut answer);
        answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0)
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it in order; its status.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        let mut rest = String::new();
        self.log.take().unwrap().read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap().code()
    }

    /// Kills it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already, where the test ended it.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}
