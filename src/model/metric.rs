//! Sample: one figure that a stage shows to whoever watches it.

use std::sync::Arc;

/// How a figure moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only upwards, from 0 at the start of the process.
    Counter,
    /// Up and down.
    Gauge,
}

/// One figure at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its name, in Prometheus' manner: `switchboard_events_received_total`.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// How it moves.
    pub kind: MetricKind,
    /// What it is about, by label.
    pub labels: Vec<(&'static str, Arc<str>)>,
    /// The figure.
    pub value: f64,
}

impl Sample {
    /// A figure that only grows.
    #[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 is out of reach")]
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self::new(name, help, MetricKind::Counter, value as f64)
    }

    /// A figure that comes and goes.
    pub fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self::new(name, help, MetricKind::Gauge, value)
    }

    /// The same figure about one thing.
    #[must_use]
    pub fn label(mut self, label: &'static str, value: impl Into<Arc<str>>) -> Self {
        self.labels.push((label, value.into()));
        self
    }

    fn new(name: &'static str, help: &'static str, kind: MetricKind, value: f64) -> Self {
        Self {
            name,
            help,
            kind,
            labels: Vec::new(),
            value,
        }
    }
}
