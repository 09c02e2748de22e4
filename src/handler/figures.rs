//! What became of messages in hand, counted once the disk has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::Span;

use crate::handler::failing_rules::FailingRules;
use crate::model::clock::Timestamp;
use crate::model::delivery::Delivery;
use crate::model::event_span;
use crate::model::histogram::Histogram;
use crate::model::metric::Sample;
use crate::vmdb::Committed;
use crate::vmdb::Handled;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Delivered,
    Failed,
    Retry,
    Duplicate,
    Ignored,
    Blacklisted,
    TriedAgain,
    GivenUp,
    Discarded,
}

impl Fate {
    fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Retry => "retry",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Blacklisted => "blacklisted",
            Self::TriedAgain => "tried_again",
            Self::GivenUp => "given_up",
            Self::Discarded => "discarded",
        }
    }
}

/// What is remembered of a message while its outcome is on its way to the disk.
#[derive(Debug)]
pub(crate) struct Note {
    ems: Arc<str>,
    /// When it arrived, where its event is new.
    arrived: Option<Timestamp>,
    decided: Fate,
    /// The objects in which something went wrong.
    errors: Vec<String>,
    /// Of the message, and of the commit within it; open until the note is counted.
    spans: (Span, Span),
}

impl Note {
    pub(crate) fn new(ems: Arc<str>, received_at: Timestamp, handled: &Handled, handle: Span) -> Self {
        let (arrived, delivery) = match handled {
            Handled::New { decided, .. } => (Some(received_at), Some(&decided.delivery)),
            Handled::Again { decided, .. } => (None, Some(&decided.delivery)),
            Handled::Ignored | Handled::Filtered | Handled::Failed { .. } => (None, None),
        };
        let decided = match handled {
            Handled::Ignored => Fate::Ignored,
            Handled::Filtered => Fate::Blacklisted,
            _decided => delivery.map_or(Fate::Delivered, fate),
        };
        let errors = delivery.into_iter().flat_map(|delivery| &delivery.errors);
        Self {
            ems,
            arrived,
            decided,
            errors: errors.map(|error| error.path.clone()).collect(),
            spans: (handle, Span::none()),
        }
    }

    /// Its outcome is handed over to be committed.
    pub(crate) fn is_submitted(&mut self) {
        self.spans.1 = event_span::commit(&self.spans.0);
    }
}

fn fate(delivery: &Delivery) -> Fate {
    match delivery {
        Delivery { retry: Some(_), .. } => Fate::Retry,
        Delivery { errors, .. } if errors.iter().any(|error| error.fatal) => Fate::Failed,
        Delivery { .. } => Fate::Delivered,
    }
}

/// The figures of the second stage.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    fates: Mutex<BTreeMap<(Arc<str>, Fate), u64>>,
    failing: Mutex<FailingRules>,
    latency: Histogram,
}

impl Figures {
    /// Counts what became of a part of a batch.
    pub(crate) fn count(&self, notes: Vec<Note>, committed: &[Committed], now: Timestamp) {
        let mut fates = self.fates.lock();
        for (note, committed) in notes.into_iter().zip(committed) {
            let fate = match committed {
                Committed::Saved(_) | Committed::Ignored => note.decided,
                Committed::Duplicate(_) => Fate::Duplicate,
                Committed::Waiting => Fate::TriedAgain,
                Committed::GivenUp => Fate::GivenUp,
                Committed::Lost => Fate::Discarded,
                // It comes again.
                Committed::Held => continue,
            };
            if let Some(count) = fates.get_mut(&(note.ems.clone(), fate)) {
                *count += 1;
            } else {
                fates.insert((note.ems.clone(), fate), 1);
            }
            if matches!(committed, Committed::Saved(_)) {
                if !note.errors.is_empty() {
                    let mut failing = self.failing.lock();
                    note.errors.iter().for_each(|rule| failing.count(rule));
                }
                let took = note.arrived.map(|arrived| now.duration_since(arrived));
                if let Some(took) = took {
                    // A clock that went back makes no time negative.
                    self.latency.observe(took.try_into().unwrap_or_default(), 1);
                }
            }
        }
    }

    /// The figures now.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let mut samples = vec![Sample::histogram(
            "switchboard_event_decided_seconds",
            "From the arrival of an event until what its rules decided was on the disk, in seconds.",
            &self.latency,
        )];
        for ((ems, fate), count) in &*self.fates.lock() {
            let help = "Messages taken off the queue, by what became of them: delivered, failed and retry are \
                        decisions of the rules.";
            let sample = Sample::counter("switchboard_messages_handled_total", help, *count);
            samples.push(sample.label("ems", ems.clone()).label("outcome", fate.as_str()));
        }
        for (rule, count) in self.failing.lock().counts() {
            let help = "Errors of deliveries by the object in which they arose; the rarer ones are `other`.";
            samples.push(Sample::counter("switchboard_rule_errors_total", help, count).label("rule", rule));
        }
        samples
    }
}
