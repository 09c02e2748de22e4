//! Stage 2 of 3: a batch of messages, one set of rules, one transaction.
//!
//! Events are saved, related to inventory and delivered to the rules; what the rules want is committed with them.
//! Knows nothing of streams, sockets or files.

mod apply;
mod batch;
mod complete;
mod fold;
mod records;
mod relate;
mod rules;

pub(crate) use records::InventoryRecords;
pub use rules::Rules;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use tracing::info;
use tracing::warn;

use crate::handler::batch::Batch;
use crate::model::clock::SignedDuration;
use crate::model::event_group::EventGroups;
use crate::switchboard::THREAD_STACK;
use crate::vmdb::Committed;
use crate::vmdb::Pending;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;

/// How long a handler with nothing to do waits before it looks at what became due, or what another process put.
const IDLE: Duration = Duration::from_millis(100);
/// How long it waits after the database refused a batch.
const TROUBLE: Duration = Duration::from_millis(250);
/// How often the same trouble is logged.
const TROUBLE_LOGGED: Duration = Duration::from_secs(30);
/// How many commits may be under way while the next batch is delivered.
const UNDER_WAY: usize = 2;

/// How events are handled.
#[derive(Clone, Debug)]
pub struct HandlerConfig {
    /// Threads that run rules.
    pub threads: usize,
    /// How many events are taken together at most.
    pub batch: usize,
    /// How often a message is tried before it is given up.
    pub attempts: u32,
    /// The pause before the second try; it doubles from try to try.
    pub pause: SignedDuration,
    /// Where events stand on the timeline.
    pub groups: EventGroups,
    /// Which event types end tasks that began with which (`task_final_events`).
    pub task_final_events: BTreeMap<String, Vec<String>>,
}

impl Default for HandlerConfig {
    fn default() -> Self {
        Self {
            threads: 2,
            batch: 256,
            attempts: 5,
            pause: SignedDuration::from_secs(1),
            groups: EventGroups::default(),
            task_final_events: BTreeMap::new(),
        }
    }
}

/// What a handler asks for at the beginning of each batch: rules and configuration may have been replaced.
pub type Current<T> = Arc<dyn Fn() -> Arc<T> + Send + Sync>;

/// The threads that handle events.
#[derive(Debug)]
pub struct Handler {
    vmdb: Vmdb,
    is_stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Handler {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(
        vmdb: &Vmdb,
        rules: &Current<dyn Rules>,
        config: &Current<HandlerConfig>,
    ) -> io::Result<Self> {
        let mut handler = Self {
            vmdb: vmdb.clone(),
            is_stopping: Arc::default(),
            threads: Vec::new(),
        };
        for number in 0..config().threads.max(1) {
            let worker = Worker {
                vmdb: vmdb.clone(),
                rules: rules.clone(),
                config: config.clone(),
                is_stopping: handler.is_stopping.clone(),
                under_way: Vec::new(),
                logged: None,
            };
            let thread = thread::Builder::new()
                .name(format!("event handler {number}"))
                .stack_size(THREAD_STACK)
                .spawn(move || worker.work())?;
            handler.threads.push(thread);
        }
        Ok(handler)
    }

    /// Lets the threads finish what they have in hand, and waits for them.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.is_stopping.store(true, Ordering::Release);
        self.vmdb.wake();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                warn!("A handler had ended before.");
            }
        }
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.end();
    }
}

/// One thread.
struct Worker {
    vmdb: Vmdb,
    rules: Current<dyn Rules>,
    config: Current<HandlerConfig>,
    is_stopping: Arc<AtomicBool>,
    under_way: Vec<Pending<Vec<Committed>>>,
    logged: Option<Instant>,
}

impl Worker {
    fn work(mut self) {
        while !self.is_stopping.load(Ordering::Acquire) {
            let seen = self.vmdb.messages_seen();
            match self.turn() {
                Ok(true) => {}
                Ok(false) => self.vmdb.wait_for_messages(seen, IDLE),
                Err(error) => {
                    self.log(&error);
                    let seen = self.vmdb.messages_seen();
                    self.vmdb.wait_for_messages(seen, TROUBLE);
                }
            }
        }
        if let Err(error) = self.settle(0) {
            self.log(&error);
        }
    }

    /// Takes a batch, handles it, hands it over; says whether there was anything.
    fn turn(&mut self) -> Result<bool, VmdbError> {
        let vmdb = self.vmdb.clone();
        let config = (self.config)();
        let messages = self.vmdb.take(config.batch, config.threads)?;
        if messages.is_empty() {
            self.settle(0)?;
            return Ok(false);
        }
        let rules = (self.rules)();
        let mut batch = Batch::new(&vmdb, &*rules, &config, messages);
        let mut next_part = |under_way: &[Pending<_>]| {
            let done = || under_way.iter().any(Pending::is_answered);
            batch.next_part(|| under_way.len() < UNDER_WAY || done())
        };
        while let Some(outcomes) = next_part(&self.under_way) {
            self.settle(UNDER_WAY - 1)?;
            self.under_way.push(vmdb.commit(outcomes).submit()?);
        }
        Ok(true)
    }

    /// Waits until at most so many commits are under way.
    fn settle(&mut self, most: usize) -> Result<(), VmdbError> {
        let done = self.under_way.len().saturating_sub(most);
        let mut trouble = None;
        for pending in self.under_way.drain(..done) {
            // Whatever became of each message is told where it is kept; a batch that was refused comes again.
            if let Err(error) = pending.wait() {
                trouble = Some(error);
            }
        }
        match trouble {
            Some(error) => Err(error),
            None => {
                if 0 < done && self.logged.take().is_some() {
                    info!("The database takes events again.");
                }
                Ok(())
            }
        }
    }

    fn log(&mut self, error: &VmdbError) {
        if self.logged.is_none_or(|at| TROUBLE_LOGGED < at.elapsed()) {
            self.logged = Some(Instant::now());
            warn!(%error, "The database does not take events; none is lost.");
        }
    }
}
