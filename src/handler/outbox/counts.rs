//! What the outbox counts since the start of the process.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::model::metric::Sample;

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ended {
    Sent,
    Failed,
    Dead,
}

/// Tries by kind and end.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<BTreeMap<(Ended, &'static str), u64>>);

impl Counts {
    pub(crate) fn add(&self, ended: Ended, kind: &'static str) {
        *self.0.lock().entry((ended, kind)).or_default() += 1;
    }

    pub(crate) fn samples(&self) -> Vec<Sample> {
        let counts = self.0.lock();
        let samples = counts.iter().map(|((ended, kind), count)| {
            let (name, help) = match ended {
                Ended::Sent => (
                    "switchboard_outbox_sent_total",
                    "Outside effects that their receivers took.",
                ),
                Ended::Failed => (
                    "switchboard_outbox_failed_total",
                    "Tries to send an outside effect that failed and are repeated.",
                ),
                Ended::Dead => (
                    "switchboard_outbox_dead_total",
                    "Outside effects that were given up.",
                ),
            };
            Sample::counter(name, help, *count).label("kind", *kind)
        });
        samples.collect()
    }
}
