//! Stage 2 of 3: a batch of messages, one set of rules, one transaction.
//!
//! Events are saved, related to inventory and delivered to the rules; what the rules want is committed with them, and
//! what is to happen outside is sent afterwards by the [`Outbox`].
//! Knows nothing of streams, sockets or files.

mod apply;
mod batch;
mod complete;
mod failing_rules;
mod figures;
mod fold;
mod outbox;
mod pulse;
mod records;
mod relate;
mod rules;

pub use outbox::Outbox;
pub use pulse::ThreadStatus;
pub(crate) use records::InventoryRecords;
pub use records::RefreshWay;
pub use records::RefreshWays;
pub use rules::Rules;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use tracing::error;
use tracing::info;
use tracing::warn;

use crate::crash_point::crash_point;
use crate::handler::batch::Batch;
use crate::handler::figures::Figures;
use crate::handler::figures::Note;
use crate::handler::pulse::Pulse;
use crate::model::clock::SignedDuration;
use crate::model::event_group::EventGroups;
use crate::model::metric::Sample;
use crate::precedence::Precedence;
use crate::settings::Blacklists;
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
/// The pause before a thread that broke is started anew; it doubles from time to time.
const RESTART: Duration = Duration::from_millis(100);
const LONGEST_RESTART: Duration = Duration::from_secs(10);
/// A thread that ran so long before it broke is started anew after the shortest pause.
const HEALTHY: Duration = Duration::from_secs(60);
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
    /// A thread that does not get on for so long counts as stuck.
    pub patience: Duration,
    /// Where events stand on the timeline.
    pub groups: EventGroups,
    /// Which event types end tasks that began with which (`task_final_events`).
    pub task_final_events: BTreeMap<String, Vec<String>>,
    /// How inventory is kept up to date.
    pub refresh_ways: Arc<RefreshWays>,
    /// Which events are not wanted of whom.
    pub blacklists: Arc<Blacklists>,
}

impl Default for HandlerConfig {
    fn default() -> Self {
        Self {
            threads: 2,
            batch: 256,
            attempts: 5,
            pause: SignedDuration::from_secs(1),
            patience: Duration::from_secs(60),
            groups: EventGroups::default(),
            task_final_events: BTreeMap::new(),
            refresh_ways: Arc::default(),
            blacklists: Arc::default(),
        }
    }
}

/// What a handler asks for at the beginning of each batch: rules and configuration may have been replaced.
pub type Current<T> = Arc<dyn Fn() -> Arc<T> + Send + Sync>;

/// The threads that handle events.
pub struct Handler {
    vmdb: Vmdb,
    config: Current<HandlerConfig>,
    is_stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    pulses: Vec<Arc<Pulse>>,
    figures: Arc<Figures>,
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
            config: config.clone(),
            is_stopping: Arc::default(),
            threads: Vec::new(),
            pulses: Vec::new(),
            figures: Arc::default(),
        };
        for number in 0..config().threads.max(1) {
            let pulse = Arc::new(Pulse::new());
            handler.pulses.push(pulse.clone());
            let worker = Worker {
                vmdb: vmdb.clone(),
                rules: rules.clone(),
                config: config.clone(),
                is_stopping: handler.is_stopping.clone(),
                under_way: Vec::new(),
                pulse,
                figures: handler.figures.clone(),
                logged: None,
            };
            let thread = thread::Builder::new()
                .name(format!("event handler {number}"))
                .stack_size(THREAD_STACK)
                .spawn(move || {
                    Precedence::Handling.take();
                    worker.work();
                })?;
            handler.threads.push(thread);
        }
        Ok(handler)
    }

    /// How each thread fares; outlives the borrow.
    pub fn status(&self) -> impl Fn() -> Vec<ThreadStatus> + Send + Sync + use<> {
        let (pulses, config) = (self.pulses.clone(), self.config.clone());
        move || {
            let patience = config().patience;
            pulses.iter().map(|pulse| pulse.status(patience)).collect()
        }
    }

    /// What it decided, and how its threads fare, as figures; outlives the borrow.
    pub fn samples(&self) -> impl Fn() -> Vec<Sample> + Send + Sync + use<> {
        let (figures, status) = (self.figures.clone(), self.status());
        move || {
            let mut samples = figures.samples();
            let threads = status();
            let count = |state, is_in: fn(&ThreadStatus) -> bool| {
                let count = threads.iter().filter(|thread| is_in(thread)).count();
                let help = "Threads of the handler by how they fare.";
                Sample::count("switchboard_handler_threads", help, count as u64).label("state", state)
            };
            samples.push(count("working", |thread| thread.alive && !thread.stuck));
            samples.push(count("stuck", |thread| thread.stuck));
            samples.push(count("broken", |thread| !thread.alive));
            samples.push(Sample::counter(
                "switchboard_handler_restarts_total",
                "How often a thread of the handler broke and was started anew.",
                threads.iter().map(|thread| thread.restarts).sum(),
            ));
            samples
        }
    }

    /// Lets the threads finish what they have in hand, and waits for them.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.is_stopping.store(true, Ordering::Release);
        self.vmdb.wake();
        self.threads.iter().for_each(|thread| thread.thread().unpark());
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

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handler({} threads)", self.threads.len())
    }
}

/// Outcomes on their way to the disk.
struct UnderWay {
    notes: Vec<Note>,
    pending: Pending<Vec<Committed>>,
}

/// One thread.
struct Worker {
    vmdb: Vmdb,
    rules: Current<dyn Rules>,
    config: Current<HandlerConfig>,
    is_stopping: Arc<AtomicBool>,
    under_way: Vec<UnderWay>,
    pulse: Arc<Pulse>,
    figures: Arc<Figures>,
    logged: Option<Instant>,
}

impl Worker {
    /// Works until it is told to stop. A thread that breaks loses nothing: what it had in hand goes back, and it
    /// is started anew.
    fn work(mut self) {
        let mut pause = RESTART;
        loop {
            let began = Instant::now();
            let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.run())) else {
                break;
            };
            let reason = batch::panic_text(&*panic);
            error!(reason, "A thread of the handler broke and is started anew.");
            self.under_way.clear();
            self.pulse.breaks(reason);
            pause = match HEALTHY < began.elapsed() {
                true => RESTART,
                false => (pause * 2).min(LONGEST_RESTART),
            };
            if self.is_stopping.load(Ordering::Acquire) {
                break;
            }
            thread::park_timeout(pause);
            self.pulse.restarts();
        }
        self.pulse.ends();
    }

    fn run(&mut self) {
        while !self.is_stopping.load(Ordering::Acquire) {
            self.pulse.beat();
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
        crash_point!("queue.taken");
        let rules = (self.rules)();
        crash_point!("handle.rules_taken");
        let pulse = self.pulse.clone();
        let mut batch = Batch::new(&vmdb, &*rules, &config, &pulse, messages);
        crash_point!("handle.related");
        let mut next_part = |under_way: &[UnderWay]| {
            let done = || under_way.iter().any(|one| one.pending.is_answered());
            batch.next_part(|| under_way.len() < UNDER_WAY || done())
        };
        while let Some((outcomes, mut notes)) = next_part(&self.under_way) {
            crash_point!("handle.delivered");
            self.settle(UNDER_WAY - 1)?;
            notes.iter_mut().for_each(Note::is_submitted);
            let pending = vmdb.commit(outcomes).submit()?;
            self.under_way.push(UnderWay { notes, pending });
        }
        Ok(true)
    }

    /// Waits until at most so many commits are under way.
    fn settle(&mut self, most: usize) -> Result<(), VmdbError> {
        let done = self.under_way.len().saturating_sub(most);
        let mut trouble = None;
        for UnderWay { notes, pending } in self.under_way.drain(..done) {
            match pending.wait() {
                Ok(committed) => self.figures.count(notes, &committed, self.vmdb.clock().now()),
                // A batch that was refused comes again.
                Err(error) => trouble = Some(error),
            }
            self.pulse.beat();
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
