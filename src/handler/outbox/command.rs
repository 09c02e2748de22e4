//! An effect as a program of the settings: no shell, an environment of its own, the event on standard input.

use std::io;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process_group;
use serde::Serialize;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::process::Child;
use tokio::process::Command;
use tokio::runtime;

use crate::handler::outbox::verdict::Trouble;
use crate::model::event::EmsEvent;
use crate::model::event::EventHash;
use crate::model::json;
use crate::outbound::CommandCall;
use crate::settings::CommandSettings;
use crate::settings::OutboxSettings;
use crate::vmdb::OutboxEntry;

/// Where programs look for others, unless their settings say otherwise.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// How much of what a program complains about is read, in bytes.
const COMPLAINT: u64 = 4096;
/// How long a complaint may take to come once the program is gone.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A program, and what it is told.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    settings: &'a CommandSettings,
    call: &'a CommandCall,
    key: &'a str,
    event: i64,
    stdin: Vec<u8>,
}

/// What a program reads: one JSON document, the same in every attempt.
#[derive(Serialize)]
struct Document<'a> {
    idempotency_key: &'a str,
    event_id: i64,
    ems: Option<&'a str>,
    event: Option<Told<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Whole(&'a EventHash),
    /// Where the native event is no JSON.
    WithText {
        keys: json::Value,
        full_data: &'a str,
    },
}

/// The program of an effect.
pub(crate) fn prepare<'a>(
    call: &'a CommandCall,
    entry: &'a OutboxEntry,
    settings: &'a OutboxSettings,
) -> Result<Prepared<'a>, Trouble> {
    let Some(settings) = settings.commands.get(&call.name) else {
        return Err(Trouble::Lasting(format!(
            "there is no program `{}` below `outbox.commands` of the settings",
            call.name.escape_debug()
        )));
    };
    let document = Document {
        idempotency_key: &entry.idempotency_key,
        event_id: entry.event_id.0,
        ems: entry
            .event
            .as_ref()
            .and_then(|event| Some(&*event.ems.as_ref()?.name)),
        event: entry.event.as_deref().map(told),
    };
    let stdin = serde_json::to_vec(&document);
    Ok(Prepared {
        settings,
        call,
        key: &entry.idempotency_key,
        event: entry.event_id.0,
        stdin: stdin.map_err(|error| Trouble::Lasting(format!("the event cannot be written: {error}")))?,
    })
}

fn told(event: &EmsEvent) -> Told<'_> {
    match serde_json::to_string(&event.hash) {
        Ok(_json) => Told::Whole(&event.hash),
        Err(_no_json) => Told::WithText {
            keys: json::to_value(&event.hash.without_full_data()).unwrap_or_default(),
            full_data: event.hash.full_data.text(),
        },
    }
}

impl Prepared<'_> {
    /// Runs it to its end, or to the end of its time.
    pub(crate) fn run(self) -> Result<String, Trouble> {
        let failed = |error: io::Error| {
            let path = self.settings.path.display();
            Trouble::passing(format!("cannot run `{path}`: {error}"))
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        runtime.block_on(async {
            let mut child = self.spawn().map_err(failed)?;
            let group = child.id();
            let ended = tokio::time::timeout(self.settings.timeout, self.attend(&mut child)).await;
            let Ok(ended) = ended else {
                end_group(group);
                // It has ended; its status says nothing new.
                let _killed = child.wait().await;
                let limit = self.settings.timeout;
                return Err(Trouble::passing(format!(
                    "stopped after {limit:?}, its time limit"
                )));
            };
            let (status, complaint) = ended.map_err(failed)?;
            if status.success() {
                return Ok(status.to_string());
            }
            let complaint = String::from_utf8_lossy(&complaint).trim().to_owned();
            let separator = if complaint.is_empty() { "" } else { ": " };
            Err(Trouble::passing(format!("{status}{separator}{complaint}")))
        })
    }

    fn spawn(&self) -> io::Result<Child> {
        let environment = self.settings.environment.iter();
        Command::new(&self.settings.path)
            .args(&self.settings.args)
            .args(&self.call.arguments)
            .env_clear()
            .env("PATH", PATH)
            .envs(environment.map(|(name, secret)| (name, secret.reveal())))
            .env("SWITCHBOARD_EVENT_ID", self.event.to_string())
            .env("SWITCHBOARD_IDEMPOTENCY_KEY", self.key)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Of its own, so that what it starts can be ended with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// Feeds it, listens to it, waits for it.
    async fn attend(&self, child: &mut Child) -> io::Result<(ExitStatus, Vec<u8>)> {
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A program need not read what it is told.
                let _unread = stdin.write_all(&self.stdin).await;
            }
        };
        let mut complaint = Vec::new();
        let mut exit = None;
        {
            let listen = async {
                if let Some(mut stderr) = stderr {
                    // What cannot be read is not told.
                    let _unread = (&mut stderr).take(COMPLAINT).read_to_end(&mut complaint).await;
                    let _rest = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
                }
            };
            let attend = async { tokio::join!(feed, listen) };
            tokio::pin!(attend);
            tokio::select! {
                status = child.wait() => {
                    exit = Some(status?);
                    // What it left running may keep the pipe open.
                    let _over = tokio::time::timeout(LAST_WORDS, attend).await;
                }
                _fed = &mut attend => (),
            }
        }
        let status = match exit {
            Some(status) => status,
            None => child.wait().await?,
        };
        Ok((status, complaint))
    }
}

fn end_group(group: Option<u32>) {
    let group = group.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(group) = group {
        // It may have ended just now.
        let _gone = kill_process_group(group, Signal::KILL);
    }
}
