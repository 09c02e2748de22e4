//! What came in and what became of it, counted by manager.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;

use crate::model::histogram::Histogram;
use crate::model::metric::Sample;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// An event on the queue.
    Queued,
    /// Known already.
    Duplicate,
    /// Kept as it came, because it could not be parsed.
    Unparsed,
    /// Not wanted by the settings.
    Blacklisted,
    /// No event, as its parser says.
    Ignored,
    /// Refused, because the database could not keep it.
    NotKept,
}

impl Fate {
    fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Duplicate => "duplicate",
            Self::Unparsed => "unparsed",
            Self::Blacklisted => "blacklisted",
            Self::Ignored => "ignored",
            Self::NotKept => "not_kept",
        }
    }
}

/// The figures of the first stage.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    received: AtomicU64,
    fates: Mutex<BTreeMap<(Arc<str>, Fate), u64>>,
    latency: Histogram,
}

impl Counts {
    /// So many messages came.
    pub(crate) fn received(&self, count: usize) {
        self.received.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// This became of so many messages of a manager.
    pub(crate) fn add(&self, ems: &Arc<str>, fate: Fate, count: usize) {
        if count > 0 {
            *self.fates.lock().entry((ems.clone(), fate)).or_default() += count as u64;
        }
    }

    /// So many messages that arrived together were kept, and their sender is told.
    pub(crate) fn acknowledged(&self, took: Duration, count: usize) {
        if count > 0 {
            self.latency.observe(took, count as u64);
        }
    }

    /// The figures now.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let received = self.received.load(Ordering::Relaxed);
        let mut samples = vec![Sample::counter(
            "switchboard_messages_received_total",
            "Messages that streams brought.",
            received,
        )];
        samples.push(Sample::histogram(
            "switchboard_event_acknowledged_seconds",
            "From the arrival of a message until the disk had it and its sender was told, in seconds.",
            &self.latency,
        ));
        for ((ems, fate), count) in &*self.fates.lock() {
            let sample = Sample::counter(
                "switchboard_messages_total",
                "Messages by what became of them.",
                *count,
            );
            samples.push(sample.label("ems", ems.clone()).label("fate", fate.as_str()));
        }
        samples
    }
}
