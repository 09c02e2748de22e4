//! Stage 1 of 3: native events in. Receive, a bounded internal queue, parse, filter, put.
//!
//! Receiving and parsing are apart: a stream that brings more than can be parsed and kept is told so, before
//! anything is acknowledged. One [`Supervisor`] keeps one catcher running for each manager that has a stream; what
//! streams and senders bring is parsed and kept by the threads of the one [`Catcher`]. Knows nothing of what becomes
//! of a queued event.

mod back_off;
mod counts;
mod ems_catcher;
mod file_stream;
mod filtered;
mod flood;
mod lines;
mod nudge;
mod page_size;
mod parse;
mod poll_stream;
mod push_stream;
mod records;
mod status;
mod stream;
mod supervisor;
mod worker;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tracing::error;

pub use nudge::Nudges;
pub use push_stream::PushError;
pub use push_stream::PushStream;
pub use push_stream::Receipt;
pub use push_stream::Room;
pub use status::CatcherState;
pub use status::CatcherStatus;
pub use status::CatcherStatuses;
pub use stream::StreamKind;
pub use supervisor::Supervisor;
pub use supervisor::SupervisorConfig;

pub(crate) use push_stream::Broken;
pub(crate) use stream::Batch;

use crate::catcher::counts::Counts;
use crate::catcher::filtered::Filtered;
use crate::catcher::flood::FloodMonitor;
use crate::catcher::parse::Parser;
use crate::catcher::push_stream::Work;
use crate::catcher::worker::Worker;
use crate::model::metric::Sample;
use crate::precedence::Precedence;
use crate::settings::ActiveSettings;
use crate::switchboard::ActiveSwitchboard;
use crate::switchboard::THREAD_STACK;
use crate::vmdb::Vmdb;

/// How many requests may wait between receiving and parsing; beyond it senders are asked to come again.
const WAITING_REQUESTS: usize = 4096;

/// The first stage: threads that parse what streams bring and put it on the queue.
#[derive(Debug)]
pub struct Catcher {
    sender: mpsc::Sender<Work>,
    push: PushStream,
    counts: Arc<Counts>,
    filtered: Arc<Filtered>,
    flood: Arc<FloodMonitor>,
    living: Arc<Living>,
    threads: Vec<JoinHandle<()>>,
}

/// How many threads live; each counts itself out when it ends, however it ends.
#[derive(Debug, Default)]
struct Living(AtomicUsize);

struct Life(Arc<Living>);

impl Life {
    fn begin(living: &Arc<Living>) -> Self {
        living.0.fetch_add(1, Ordering::Relaxed);
        Self(living.clone())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Catcher {
    /// Starts `threads` threads of it; scripts block, so they are no tasks of the async runtime.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(
        vmdb: &Vmdb,
        rules: &ActiveSwitchboard,
        settings: ActiveSettings,
        threads: usize,
    ) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel(WAITING_REQUESTS);
        let receiver = Arc::new(Mutex::new(receiver));
        let counts = Arc::new(Counts::default());
        let filtered: Arc<Filtered> = Arc::default();
        let flood = Arc::new(FloodMonitor::new(settings.clone()));
        let parser = Arc::new(Parser::new(
            rules.clone(),
            settings,
            filtered.clone(),
            flood.clone(),
            counts.clone(),
        ));
        let living = Arc::new(Living::default());
        let spawn = |number| {
            let worker = Worker::new(receiver.clone(), parser.clone(), vmdb.clone());
            let thread = std::thread::Builder::new().name(format!("catcher-{number}"));
            let thread = thread.stack_size(THREAD_STACK);
            let life = Life::begin(&living);
            thread.spawn(move || {
                let _life = life;
                Precedence::Catching.take();
                worker.run();
            })
        };
        let threads = (0..threads.max(1)).map(spawn).collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            push: PushStream::new(sender.clone(), counts.clone()),
            sender,
            counts,
            filtered,
            flood,
            living,
            threads,
        })
    }

    /// Where the web hands over what senders push.
    pub fn push_stream(&self) -> PushStream {
        self.push.clone()
    }

    /// Tells whether its threads live: what they do not take, nobody takes. Outlives the borrow.
    pub fn is_running(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let (living, threads) = (self.living.clone(), self.threads.len());
        move || living.0.load(Ordering::Relaxed) == threads
    }

    /// What came in and what became of it, for whoever shows it; outlives the borrow.
    pub fn samples(&self) -> impl Fn() -> Vec<Sample> + Send + Sync + 'static {
        let (counts, filtered, flood) = (self.counts.clone(), self.filtered.clone(), self.flood.clone());
        move || {
            let samples = counts.samples().into_iter().chain(filtered.samples());
            samples.chain(flood.samples()).collect()
        }
    }

    /// Ends it: everything that came before is parsed, kept and answered first.
    pub async fn stop(self) {
        for _thread in &self.threads {
            // Fails only where the thread that would have taken it has ended already.
            let _ended = self.sender.send(Work::Stop).await;
        }
        let threads = self.threads;
        let joined = tokio::task::spawn_blocking(move || {
            threads
                .into_iter()
                .filter_map(|thread| thread.join().err())
                .count()
        });
        match joined.await {
            Ok(0) => (),
            Ok(panicked) => error!(panicked, "Threads of the catcher ended in a panic."),
            Err(error) => error!(%error, "The catcher could not be awaited."),
        }
    }
}
