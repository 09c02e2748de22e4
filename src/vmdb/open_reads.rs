//! The reads that are under way: each keeps the write-ahead log from being emptied, so the oldest can be ended.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::InterruptHandle;

/// The reads that are under way.
#[derive(Debug, Default)]
pub(crate) struct OpenReads {
    reads: Mutex<Reads>,
}

#[derive(Default)]
struct Reads {
    last: u64,
    open: BTreeMap<u64, (InterruptHandle, Arc<AtomicBool>)>,
}

impl fmt::Debug for Reads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reads({})", self.open.len())
    }
}

/// A read that is under way, as long as it lives.
#[derive(Debug)]
pub(crate) struct OpenRead<'a> {
    reads: &'a OpenReads,
    number: u64,
    is_ended: Arc<AtomicBool>,
}

impl OpenReads {
    /// Notes that a read begins.
    pub(crate) fn begin(&self, connection: &Connection) -> OpenRead<'_> {
        let is_ended = Arc::new(AtomicBool::new(false));
        let mut reads = self.reads.lock();
        reads.last += 1;
        let number = reads.last;
        let handle = connection.get_interrupt_handle();
        reads.open.insert(number, (handle, is_ended.clone()));
        OpenRead {
            reads: self,
            number,
            is_ended,
        }
    }

    /// Ends the oldest read; false where there is none, or where it was told to end before and has not yet: ending
    /// others would be of no use then.
    pub(crate) fn end_oldest(&self) -> bool {
        // Under the lock, so that none is ended whose connection has begun another one.
        let reads = self.reads.lock();
        let Some((handle, is_ended)) = reads.open.values().next() else {
            return false;
        };
        if is_ended.swap(true, Ordering::Relaxed) {
            return false;
        }
        handle.interrupt();
        true
    }

    /// Ends every read.
    pub(crate) fn end_all(&self) {
        let reads = self.reads.lock();
        for (handle, is_ended) in reads.open.values() {
            is_ended.store(true, Ordering::Relaxed);
            handle.interrupt();
        }
    }
}

impl OpenRead<'_> {
    /// Whether it was ended from outside.
    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended.load(Ordering::Relaxed)
    }
}

impl Drop for OpenRead<'_> {
    fn drop(&mut self) {
        self.reads.reads.lock().open.remove(&self.number);
    }
}
