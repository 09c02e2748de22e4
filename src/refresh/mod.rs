//! Stage 3 of 3: targets out. Takes what waits for each manager, collects it, saves it.
//!
//! One refresh of a manager runs at a time, those of different managers side by side. One that fails keeps its targets
//! and comes again. Knows nothing of events, and of the rules only the providers' collectors.

mod api;
mod figures;
mod run;
mod schedule;
mod scope;

use std::io;
use std::sync::Arc;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::info;
use tracing::warn;

use crate::model::clock::Clock;
use crate::model::metric::Sample;
use crate::precedence::Precedence;
use crate::refresh::figures::Figures;
use crate::refresh::run::Runner;
use crate::refresh::run::Told;
use crate::refresh::schedule::Schedule;
use crate::settings::ActiveSettings;
use crate::settings::Environment;
use crate::switchboard::ActiveSwitchboard;
use crate::switchboard::THREAD_STACK;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;

/// How many managers are refreshed side by side.
const THREADS: usize = 4;
/// How long to wait before looking again whether a pause has ended, or another process asked for something.
const LOOK: Duration = Duration::from_millis(500);

/// How long the end waits for a manager that does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What refreshing needs to know.
#[derive(Clone, Debug)]
pub struct RefresherConfig {
    /// The database.
    pub vmdb: Vmdb,
    /// The rules in force, for their collectors.
    pub rules: ActiveSwitchboard,
    /// The settings in force.
    pub settings: ActiveSettings,
    /// Where `env:NAME` credentials are found.
    pub environment: Environment,
    /// The time.
    pub clock: Clock,
}

/// The threads that refresh.
#[derive(Debug)]
pub struct Refresher {
    is_stopping: Arc<AtomicBool>,
    wake: watch::Sender<u64>,
    threads: Vec<JoinHandle<()>>,
    /// Closed when the last thread has ended.
    ended: Mutex<mpsc::Receiver<()>>,
    figures: Arc<Figures>,
    /// One reference to it in each thread that lives.
    alive: Weak<()>,
}

impl Refresher {
    /// Puts back what ran when the process ended last, and starts the threads. On an async runtime.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(config: &RefresherConfig) -> io::Result<Self> {
        let (wake, woken) = watch::channel(0);
        let (recover, recovered) = watch::channel(false);
        let mut recover = Some(recover);
        let (end, ended) = mpsc::channel();
        let mut refresher = Self {
            is_stopping: Arc::default(),
            wake,
            threads: Vec::new(),
            ended: Mutex::new(ended),
            figures: Arc::default(),
            alive: Weak::new(),
        };
        let (told, alive) = (Arc::<Told>::default(), Arc::new(()));
        refresher.alive = Arc::downgrade(&alive);
        let runtime = Handle::current();
        for number in 0..THREADS {
            let worker = Worker {
                runner: Runner::new(
                    config,
                    refresher.figures.clone(),
                    refresher.is_stopping.clone(),
                    told.clone(),
                ),
                // One thread asks for what is due: two would only ask twice.
                schedule: (number == 0).then(|| Schedule::new(config)),
                recover: recover.take(),
                recovered: recovered.clone(),
                queued: config.vmdb.refreshes_queued(),
                vmdb: config.vmdb.clone(),
                woken: woken.clone(),
                is_stopping: refresher.is_stopping.clone(),
                runtime: runtime.clone(),
                _end: end.clone(),
                _alive: alive.clone(),
            };
            let thread = thread::Builder::new()
                .name(format!("refresh {number}"))
                .stack_size(THREAD_STACK)
                .spawn(move || {
                    Precedence::Refreshing.take();
                    worker.work();
                })?;
            refresher.threads.push(thread);
        }
        drop(end);
        Ok(refresher)
    }

    /// How refreshes fare, as figures; outlives the borrow.
    pub fn samples(&self) -> impl Fn() -> Vec<Sample> + Send + Sync + 'static {
        let figures = self.figures.clone();
        move || figures.samples()
    }

    /// Whether all threads live; outlives the borrow.
    pub fn is_running(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let alive = self.alive.clone();
        move || alive.strong_count() == THREADS
    }

    /// Ends the threads. What runs is left where it is, and runs again after the next start: nothing of it is lost.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.is_stopping.store(true, Ordering::Release);
        self.wake.send_modify(|times| *times += 1);
        // Nothing is ever sent: it is closed when all have ended.
        if let Err(RecvTimeoutError::Timeout) = self.ended.lock().recv_timeout(PATIENCE) {
            warn!("A manager does not answer; its refresh is left, and runs again after the next start.");
            return;
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                warn!("A thread that refreshes had ended before.");
            }
        }
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.end();
    }
}

/// One thread.
struct Worker {
    runner: Runner,
    schedule: Option<Schedule>,
    /// The thread that has this one puts back what ran; the others wait until then, since what they run would be put
    /// back too.
    recover: Option<watch::Sender<bool>>,
    recovered: watch::Receiver<bool>,
    vmdb: Vmdb,
    queued: watch::Receiver<u64>,
    woken: watch::Receiver<u64>,
    is_stopping: Arc<AtomicBool>,
    runtime: Handle,
    _end: mpsc::Sender<()>,
    _alive: Arc<()>,
}

impl Worker {
    fn work(mut self) {
        match self.recover.take() {
            Some(recovered) => {
                self.recover();
                recovered.send_replace(true);
            }
            // Where nobody puts anything back any more, the program is stopping.
            None => drop(self.runtime.block_on(self.recovered.wait_for(|is_done| *is_done))),
        }
        let mut is_well = true;
        while !self.is_stopping.load(Ordering::Acquire) {
            self.queued.mark_unchanged();
            match self.turn() {
                Ok(true) => is_well = true,
                Ok(false) => {
                    is_well = true;
                    self.wait();
                }
                Err(error) => {
                    if std::mem::replace(&mut is_well, false) {
                        warn!(%error, "The database does not take refreshes; none is lost.");
                    }
                    self.wait();
                }
            }
        }
    }

    /// What ran when the process ended comes again.
    fn recover(&mut self) {
        while !self.is_stopping.load(Ordering::Acquire) {
            match self.vmdb.refresh_recover().wait() {
                Ok(0) => return,
                Ok(count) => {
                    return info!(count, "Refreshes that ran when the process ended will run again.");
                }
                Err(error) => {
                    warn!(%error, "Cannot put back the refreshes that ran when the process ended; trying again.");
                    self.wait();
                }
            }
        }
    }

    /// Asks for what is due, then runs one refresh; says whether there was one.
    fn turn(&mut self) -> Result<bool, VmdbError> {
        if let Some(schedule) = &mut self.schedule {
            schedule.look()?;
        }
        self.runner.run_one()
    }

    /// Until something is asked for, or for a moment.
    fn wait(&mut self) {
        let (queued, woken) = (&mut self.queued, &mut self.woken);
        self.runtime.block_on(async {
            tokio::select! {
                // A closed channel means that the end is near.
                _asked = queued.changed() => (),
                _woken = woken.changed() => (),
                () = tokio::time::sleep(LOOK) => (),
            }
        });
    }
}
