//! A thread that looks after the database while nothing happens: the room on its disk, its log, whether it works again.

use std::io;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::sync::mpsc::WeakSender;

use crate::vmdb::shared::Shared;
use crate::vmdb::writer::Command;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct UpkeepThread {
    running: Mutex<Option<(std_mpsc::Sender<()>, JoinHandle<()>)>>,
}

impl UpkeepThread {
    /// Starts it.
    pub(crate) fn start(
        tick: Duration,
        sender: &mpsc::Sender<Command>,
        shared: &Arc<Shared>,
    ) -> io::Result<Self> {
        let (stop, stopped) = std_mpsc::channel();
        // Weak, since the writer ends when nobody can send to it any more.
        let (sender, shared) = (sender.downgrade(), shared.clone());
        let thread = thread::Builder::new()
            .name("vmdb upkeep".to_owned())
            .spawn(move || run(tick, &stopped, &sender, &shared))?;
        Ok(Self {
            running: Mutex::new(Some((stop, thread))),
        })
    }

    /// Ends it.
    pub(crate) fn stop(&self) {
        let running = self.running.lock().take();
        if let Some((stop, thread)) = running {
            drop(stop);
            // A panic there has been told on standard error already.
            let _ended = thread.join();
        }
    }
}

impl Drop for UpkeepThread {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(tick: Duration, stopped: &std_mpsc::Receiver<()>, sender: &WeakSender<Command>, shared: &Shared) {
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(tick) {
        shared.room.look();
        let Some(sender) = sender.upgrade() else { return };
        // A channel without room is looked after by what is in it.
        let _full = sender.try_send(Command::Tick);
    }
}
