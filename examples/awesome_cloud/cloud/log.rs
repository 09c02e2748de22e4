//! The events, in the order in which callers see them; that need not be the order in which they happened.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

use super::Faults;

/// What `GET /events` reads. A cursor is the number of events seen.
#[derive(Debug)]
pub(crate) struct EventLog {
    /// Those that are still kept.
    published: Vec<Value>,
    /// How many were published before those and are kept no longer.
    forgotten: usize,
    /// How many are kept at most.
    keep: usize,
    /// Seen later, and when.
    late: Vec<(Instant, Value)>,
    /// Seen after the next one.
    held: Option<Value>,
}

impl Default for EventLog {
    fn default() -> Self {
        Self {
            published: Vec::new(),
            forgotten: 0,
            keep: usize::MAX,
            late: Vec::new(),
            held: None,
        }
    }
}

impl EventLog {
    /// Takes an event in; faults say when it is seen, and how often.
    pub(crate) fn add(&mut self, event: &Value, faults: &Faults, chance: &mut fastrand::Rng) {
        let late = |chance: &mut fastrand::Rng| {
            let most = Duration::from_millis(faults.late_ms);
            (Instant::now() + most.mul_f64(chance.f64()), event.clone())
        };
        if chance.f64() < faults.twice_rate {
            self.late.push(late(chance));
        }
        if chance.f64() < faults.late_rate {
            self.late.push(late(chance));
        } else if chance.f64() < faults.swap_rate && self.held.is_none() {
            self.held = Some(event.clone());
        } else {
            self.published.push(event.clone());
            self.published.extend(self.held.take());
        }
        self.forget();
    }

    /// Publishes what is due, whatever held it back.
    pub(crate) fn publish_due(&mut self) {
        let now = Instant::now();
        let due = self.late.extract_if(.., |(at, _)| *at <= now);
        self.published.extend(due.map(|(_, event)| event));
        self.forget();
    }

    /// Publishes everything.
    pub(crate) fn publish_all(&mut self) {
        self.published.extend(self.held.take());
        self.published.extend(self.late.drain(..).map(|(_, event)| event));
        self.forget();
    }

    /// Keeps so many events at most from now on, the last ones.
    pub(crate) fn set_keep(&mut self, keep: usize) {
        self.keep = keep;
        self.forget();
    }

    /// Lets go of all but those after the first `count`.
    pub(crate) fn forget_before(&mut self, count: usize) {
        let gone = count.saturating_sub(self.forgotten).min(self.published.len());
        self.published.drain(..gone);
        self.forgotten += gone;
    }

    fn forget(&mut self) {
        self.forget_before(self.len().saturating_sub(self.keep));
    }

    /// At most so many events after the first `since`, the cursor behind them, and whether there are more. Those that
    /// are kept no longer are passed over.
    pub(crate) fn page(&self, since: usize, limit: usize) -> (&[Value], usize, bool) {
        let since = since.clamp(self.forgotten, self.len());
        let end = since.saturating_add(limit).min(self.len());
        let range = since - self.forgotten..end - self.forgotten;
        let page = self.published.get(range).unwrap_or_default();
        (page, end, end < self.len())
    }

    /// The earliest cursor after which nothing is missing.
    pub(crate) fn oldest(&self) -> usize {
        self.forgotten
    }

    /// How many events there were to see until now.
    pub(crate) fn len(&self) -> usize {
        self.forgotten + self.published.len()
    }
}
