//! The desk: effects in hand that wait for a thread, and how many are under way to each receiver.
//!
//! A receiver that answers nothing holds its callers until their time is over, so half of the threads at most call the
//! same one; the others are for everybody else.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use ahash::HashMap;
use parking_lot::Condvar;
use parking_lot::Mutex;

use crate::outbound::Outside;
use crate::outbound::SecretText;
use crate::vmdb::OutboxEntry;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;

/// How many effects are in hand and wait for a thread at most.
const ROOM: usize = 512;
/// How long nobody looks at what became due.
pub(crate) const IDLE: Duration = Duration::from_millis(250);
/// Looking takes this part of the time at most.
const SHARE: u32 = 4;

#[derive(Debug)]
pub(crate) struct Desk {
    /// How many go to one receiver at once.
    most: usize,
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(OutboxEntry, String)>,
    busy: HashMap<String, usize>,
    /// Threads that live.
    present: usize,
    looked: Option<Looked>,
    is_stopping: bool,
}

#[derive(Clone, Copy, Debug)]
struct Looked {
    seen: u64,
    at: Instant,
    took: Duration,
}

/// One effect for one thread; the receiver is free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) entry: Option<OutboxEntry>,
    pub(crate) receiver: String,
    desk: &'a Desk,
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        let mut state = self.desk.state.lock();
        if let Some(busy) = state.busy.get_mut(&self.receiver) {
            *busy -= 1;
            if *busy == 0 {
                state.busy.remove(&self.receiver);
            }
        }
    }
}

/// A thread at the desk.
#[derive(Debug)]
pub(crate) struct Present<'a>(&'a Desk);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.state.lock().present -= 1;
        self.0.left.notify_all();
    }
}

impl Desk {
    pub(crate) fn new(threads: usize) -> Self {
        let state = State {
            present: threads,
            ..State::default()
        };
        Self {
            most: threads.div_ceil(2),
            state: Mutex::new(state),
            left: Condvar::new(),
        }
    }

    /// Each thread says once that it is there.
    pub(crate) fn present(&self) -> Present<'_> {
        Present(self)
    }

    pub(crate) fn stop(&self) {
        let mut state = self.state.lock();
        state.is_stopping = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        // Their lanes are free again.
        drop(waiting);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.state.lock().is_stopping
    }

    /// How many are under way; none when threads are missing.
    pub(crate) fn under_way(&self, threads: usize) -> Option<usize> {
        let state = self.state.lock();
        (state.present == threads).then(|| state.busy.values().sum())
    }

    /// Waits until no thread is there any more; false where the time was over before.
    pub(crate) fn wait_until_left(&self, until: Instant) -> bool {
        let mut state = self.state.lock();
        while state.present > 0 {
            if self.left.wait_until(&mut state, until).timed_out() {
                return state.present == 0;
            }
        }
        true
    }

    /// Something to send to a receiver that is not busy enough already. `seen` is [`Vmdb::effects_seen`].
    pub(crate) fn next(&self, vmdb: &Vmdb, seen: u64) -> Result<Option<Work<'_>>, VmdbError> {
        let mut state = self.state.lock();
        if state.is_stopping {
            return Ok(None);
        }
        if let Some(work) = self.choose(&mut state) {
            return Ok(Some(work));
        }
        let room = ROOM.saturating_sub(state.waiting.len());
        if room == 0 || !state.looked.is_none_or(|looked| looked.is_over(seen)) {
            return Ok(None);
        }
        let at = Instant::now();
        let taken = vmdb.outbox_take(room)?;
        state.looked = Some(Looked {
            seen,
            at,
            took: at.elapsed(),
        });
        let is_for_others = taken.len() > 1;
        let taken = taken.into_iter().map(|entry| {
            let receiver = receiver(&entry);
            (entry, receiver)
        });
        state.waiting.extend(taken);
        let work = self.choose(&mut state);
        drop(state);
        if is_for_others {
            vmdb.wake_outbox();
        }
        Ok(work)
    }

    fn choose(&self, state: &mut State) -> Option<Work<'_>> {
        let State { waiting, busy, .. } = state;
        let is_free = |(_, receiver): &(_, String)| busy.get(receiver).is_none_or(|busy| *busy < self.most);
        let (entry, receiver) = waiting
            .iter()
            .position(is_free)
            .and_then(|index| waiting.remove(index))?;
        *busy.entry(receiver.clone()).or_default() += 1;
        Some(Work {
            entry: Some(entry),
            receiver,
            desk: self,
        })
    }
}

impl Looked {
    /// Whether it is time to look again.
    fn is_over(self, seen: u64) -> bool {
        let ago = self.at.elapsed();
        self.took * SHARE <= ago && (self.seen != seen || IDLE <= ago)
    }
}

/// Who an effect is for, as far as can be told before it is prepared.
pub(crate) fn receiver(entry: &OutboxEntry) -> String {
    match Outside::parse(&entry.action) {
        Ok(Outside::Http(call)) => match call.url {
            SecretText::Plain(url) => {
                let parts: Vec<&str> = url.splitn(4, '/').take(3).collect();
                parts.join("/")
            }
            SecretText::Secret { name, .. } => format!("secret {name}"),
        },
        Ok(Outside::Command(call)) => format!("command {}", call.name),
        Ok(Outside::Email(_)) => "email".to_owned(),
        Ok(Outside::Log(_)) | Err(_) => "log".to_owned(),
    }
}
