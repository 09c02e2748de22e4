//! Sample: one figure that a stage shows to whoever watches it.

use std::sync::Arc;

use crate::model::histogram::Buckets;
use crate::model::histogram::Histogram;

/// How a figure moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only upwards, from 0 at the start of the process.
    Counter,
    /// Up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

/// What a figure says.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// A number.
    Number(f64),
    /// Durations, in seconds.
    Durations(Buckets),
}

/// One figure at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its name, in Prometheus' manner: `switchboard_events_received_total`.
    pub name: &'static str,
    /// What it counts, and in which unit.
    pub help: &'static str,
    /// How it moves.
    pub kind: MetricKind,
    /// What it is about, by label.
    pub labels: Vec<(&'static str, Arc<str>)>,
    /// The figure.
    pub reading: Reading,
}

impl Sample {
    /// A figure that only grows.
    #[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 is out of reach")]
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self::new(name, help, MetricKind::Counter, Reading::Number(value as f64))
    }

    /// A figure that comes and goes.
    pub fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self::new(name, help, MetricKind::Gauge, Reading::Number(value))
    }

    /// 1 where something is so, else 0.
    pub fn flag(name: &'static str, help: &'static str, is_so: bool) -> Self {
        Self::gauge(name, help, if is_so { 1.0 } else { 0.0 })
    }

    /// How many of something there are.
    #[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 is out of reach")]
    pub fn count(name: &'static str, help: &'static str, count: u64) -> Self {
        Self::gauge(name, help, count as f64)
    }

    /// How long something took each time.
    pub fn histogram(name: &'static str, help: &'static str, histogram: &Histogram) -> Self {
        let reading = Reading::Durations(histogram.buckets());
        Self::new(name, help, MetricKind::Histogram, reading)
    }

    /// The figure, where it is one number.
    pub fn number(&self) -> Option<f64> {
        match self.reading {
            Reading::Number(number) => Some(number),
            Reading::Durations(_) => None,
        }
    }

    /// The same figure about one thing.
    #[must_use]
    pub fn label(mut self, label: &'static str, value: impl Into<Arc<str>>) -> Self {
        self.labels.push((label, value.into()));
        self
    }

    fn new(name: &'static str, help: &'static str, kind: MetricKind, reading: Reading) -> Self {
        Self {
            name,
            help,
            kind,
            labels: Vec::new(),
            reading,
        }
    }
}
