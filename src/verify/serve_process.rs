//! A `switchboard serve` of our own, as a child process.

use std::collections::VecDeque;
use std::env;
use std::ffi::OsString;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;

/// How long it may take until it listens, and until it has ended in order.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many of its last lines are kept for the case that it ends.
const LINES: usize = 20;
const LISTENING: &str = "listening on ";

/// How it is started.
#[derive(Clone, Debug)]
pub(crate) struct ServeCommand {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
}

/// The child; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct ServeProcess {
    child: Child,
    url: Receiver<Result<String, String>>,
}

impl ServeProcess {
    /// Starts it, on any free port, with no setting from our own environment.
    pub(crate) fn start(command: &ServeCommand) -> io::Result<Self> {
        let mut started = Command::new(&command.program);
        started
            .arg("serve")
            .args(["--listen", "127.0.0.1:0"])
            .args(&command.arguments);
        let ours = env::vars_os().map(|(name, _)| name);
        for name in ours.filter(|name| name.to_string_lossy().starts_with("SWITCHBOARD_")) {
            started.env_remove(name);
        }
        started
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = started.spawn()?;
        let (told, url) = mpsc::channel();
        if let Some(stderr) = child.stderr.take() {
            // Read to its end, so that the child never waits for a reader.
            thread::Builder::new()
                .name("log of serve".to_owned())
                .spawn(move || {
                    let mut last = VecDeque::new();
                    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                        if let Some(url) = line.strip_prefix(LISTENING) {
                            // Nobody may wait for it any more.
                            drop(told.send(Ok(url.to_owned())));
                        }
                        last.push_back(line);
                        last.drain(..last.len().saturating_sub(LINES));
                    }
                    drop(told.send(Err(Vec::from(last).join("\n"))));
                })?;
        }
        Ok(Self { child, url })
    }

    /// Waits until it listens: where, or why it ended.
    pub(crate) fn url(&self) -> Result<String, String> {
        let told = self.url.recv_timeout(PATIENCE);
        told.unwrap_or_else(|_| Err(format!("it does not listen after {} s", PATIENCE.as_secs())))
    }

    /// Kills it where it stands, and waits until it is gone.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Asks it to end, and waits until it has; its last lines where that was not in order.
    pub(crate) fn terminate(mut self) -> Result<(), String> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| "it has no process id".to_owned())?;
        kill_process(pid, Signal::TERM).map_err(|error| error.to_string())?;
        // The channel ends with its log, which ends with it.
        let mut last = String::new();
        while let Ok(told) = self.url.recv_timeout(PATIENCE) {
            last = told.unwrap_or_else(|lines| lines);
        }
        match self.child.try_wait() {
            Ok(Some(status)) if status.success() => Ok(()),
            Ok(Some(status)) => Err(format!("it ended with {status}: {last}")),
            Ok(None) => self.child.wait().map(drop).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for ServeProcess {
    fn drop(&mut self) {
        // It has ended already where somebody ended it.
        drop(self.kill());
    }
}
