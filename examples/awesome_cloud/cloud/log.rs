//! The events, in the order in which callers see them; that need not be the order in which they happened.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

use super::Faults;

/// What `GET /events` reads. A cursor is the number of events seen.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    published: Vec<Value>,
    /// Seen later, and when.
    late: Vec<(Instant, Value)>,
    /// Seen after the next one.
    held: Option<Value>,
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
    }

    /// Publishes what is due, whatever held it back.
    pub(crate) fn publish_due(&mut self) {
        let now = Instant::now();
        let due = self.late.extract_if(.., |(at, _)| *at <= now);
        self.published.extend(due.map(|(_, event)| event));
    }

    /// Publishes everything.
    pub(crate) fn publish_all(&mut self) {
        self.published.extend(self.held.take());
        self.published.extend(self.late.drain(..).map(|(_, event)| event));
    }

    /// At most so many events after the first `since`, the cursor behind them, and whether there are more.
    pub(crate) fn page(&self, since: usize, limit: usize) -> (&[Value], usize, bool) {
        let since = since.min(self.published.len());
        let end = since.saturating_add(limit).min(self.published.len());
        let page = self.published.get(since..end).unwrap_or_default();
        (page, end, end < self.published.len())
    }

    /// How many events there are to see.
    pub(crate) fn len(&self) -> usize {
        self.published.len()
    }
}
