//! A sender that keeps a ledger: what gets no answer is sent again until it does, as senders do.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use parking_lot::Mutex;
use parking_lot::RwLock;

use crate::verify::client::Client;
use crate::verify::ledger::LedgerError;
use crate::verify::ledger::LedgerLine;
use crate::verify::ledger::LedgerWriter;
use crate::verify::ledger::Sha256Text;

/// How long it waits after a failure.
const PAUSE: Duration = Duration::from_millis(20);
/// The most events of one request.
const MOST: u32 = 20;
/// How many resources the events are about.
const RESOURCES: u32 = 5_000;
const TYPES: [&str; 4] = ["create", "update", "power_on", "suspend"];

/// What the senders of one system share.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) ems: String,
    pub(crate) ledger: Mutex<LedgerWriter>,
    /// The system, while it runs.
    pub(crate) client: RwLock<Option<Client>>,
    /// Set: finish what was begun, then end.
    pub(crate) is_enough: AtomicBool,
    /// Set: end at once.
    pub(crate) is_broken_off: AtomicBool,
}

/// Why a sender gave up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("an event was answered with {status}: {body}")]
    Refused { status: u16, body: String },
}

impl Sending {
    /// Sends until it is enough; how many requests had to be repeated.
    pub(crate) fn send(&self, sender: usize, mut rng: Rng) -> Result<u64, SendError> {
        let mut repeats = 0;
        let mut sent = 0_u64;
        let mut last: Option<Vec<Event>> = None;
        while !self.is_enough.load(Ordering::Acquire) {
            // Now and then what was accepted comes once more, as from a queue that delivers at least once.
            let events = match last.take_if(|_| rng.u8(..) < 10) {
                Some(events) => events,
                None => {
                    let count = rng.u32(1..=MOST);
                    (0..count)
                        .map(|_| {
                            sent += 1;
                            Event::new(sender, sent, &mut rng)
                        })
                        .collect()
                }
            };
            // Now and then the sender forgets what it got no answer for.
            let patience = if rng.u8(..) < 10 { 1 } else { u64::MAX };
            repeats += self.deliver(&events, patience)?;
            last = Some(events);
        }
        Ok(repeats)
    }

    /// Sends one request until it is accepted; how often it had to be repeated.
    fn deliver(&self, events: &[Event], patience: u64) -> Result<u64, SendError> {
        self.note(events, None)?;
        let bodies: Vec<&str> = events.iter().map(|event| &*event.body).collect();
        let body = format!("[{}]", bodies.join(","));
        for attempt in 0..patience {
            if self.is_broken_off.load(Ordering::Acquire) {
                return Ok(attempt);
            }
            let answer = match &*self.client.read() {
                Some(client) => client.post(&self.ems, &body),
                None => Err("it does not run".to_owned()),
            };
            match answer {
                Ok(answer) if answer.is_accepted() => {
                    self.note(events, Some(true))?;
                    return Ok(attempt);
                }
                Ok(answer) if !answer.is_temporary() => {
                    self.note(events, Some(false))?;
                    return Err(SendError::Refused {
                        status: answer.status,
                        body: answer.body,
                    });
                }
                Ok(_later) => {}
                Err(_no_answer) => {}
            }
            thread::park_timeout(PAUSE);
        }
        Ok(patience)
    }

    fn note(&self, events: &[Event], answered: Option<bool>) -> Result<(), LedgerError> {
        let line = |event: &Event| LedgerLine {
            ems: self.ems.clone(),
            key: event.key.clone(),
            sha256: Some(Sha256Text::of(event.body.as_bytes())),
            answered,
        };
        let lines: Vec<LedgerLine> = events.iter().map(line).collect();
        self.ledger.lock().write(&lines)
    }
}

struct Event {
    key: String,
    body: String,
}

impl Event {
    fn new(sender: usize, number: u64, rng: &mut Rng) -> Self {
        let key = format!("chaos-{sender}-{number}");
        let kind = rng.choice(TYPES).unwrap_or("update");
        let vm = rng.u32(0..RESOURCES);
        // Texts of any length, so that pages are shared and spill over.
        let note = "n".repeat(rng.usize(0..200) * usize::from(rng.u8(0..20) == 0) * 40);
        let body = format!(
            r#"{{"id": "{key}", "event_name": "com.awesomecloud.vm.{kind}", "time": "2026-03-01T12:00:00Z", "vm": {{"id": "vm-{vm}"}}, "note": "{note}"}}"#
        );
        Self { key, body }
    }
}
