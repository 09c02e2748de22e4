//! The outbox's sender: outside effects, after the commit, in order within a lane, at least once, each with its key.
//!
//! The steps of one effect: taken from the database, prepared, sent, answered, marked. Should the process end before
//! the mark is on the disk, the effect comes again with the same key and the same bytes; afterwards never.

mod command;
mod counts;
mod desk;
mod email;
mod http;
mod sender;
mod verdict;

use std::io;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use tracing::warn;

use crate::handler::outbox::counts::Counts;
use crate::handler::outbox::desk::Desk;
use crate::handler::outbox::sender::Sender;
use crate::model::metric::Sample;
use crate::settings::ActiveSettings;
use crate::vmdb::Vmdb;

/// How long what is under way may take to end once the outbox stops; what does not comes again.
const GRACE: Duration = Duration::from_secs(5);

/// The threads that send.
#[derive(Debug)]
pub struct Outbox {
    vmdb: Vmdb,
    desk: Arc<Desk>,
    counts: Arc<Counts>,
    threads: Vec<JoinHandle<()>>,
}

impl Outbox {
    /// Starts the threads, as many as the settings say now; everything else follows the settings in force.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(vmdb: &Vmdb, settings: &ActiveSettings) -> io::Result<Self> {
        let threads = settings.take().outbox.threads.max(1);
        let mut outbox = Self {
            vmdb: vmdb.clone(),
            desk: Arc::new(Desk::new(threads)),
            counts: Arc::default(),
            threads: Vec::new(),
        };
        for number in 0..threads {
            let sender = Sender::new(vmdb, settings, &outbox.desk, &outbox.counts);
            let thread = thread::Builder::new()
                .name(format!("outbox {number}"))
                .spawn(move || sender.work())?;
            outbox.threads.push(thread);
        }
        Ok(outbox)
    }

    /// Begins nothing new, and waits a while for what is under way. What does not end is sent again next time.
    pub fn stop(mut self) {
        self.end();
    }

    /// Its figures.
    pub fn samples(&self) -> impl Fn() -> Vec<Sample> + Send + Sync + use<> {
        let counts = self.counts.clone();
        move || counts.samples()
    }

    /// How many effects are under way; none where the threads do not live.
    pub fn under_way(&self) -> impl Fn() -> Option<usize> + Send + Sync + use<> {
        let (desk, threads) = (self.desk.clone(), self.threads.len());
        move || desk.under_way(threads)
    }

    fn end(&mut self) {
        self.desk.stop();
        self.vmdb.wake_outbox();
        let until = Instant::now() + GRACE;
        if !self.desk.wait_until_left(until) {
            warn!("Effects are still under way; those come again at the next start.");
        }
        for thread in self.threads.drain(..) {
            // One that is under way is let go: it marks its effect if it still can.
            if thread.is_finished() && thread.join().is_err() {
                warn!("A thread of the outbox had ended before.");
            }
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.end();
    }
}
