//! Histogram: how long something took, counted in buckets by whoever does it, without waiting for anybody.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The upper ends of the buckets in microseconds, from half a millisecond to a minute; one more has no end.
const BOUNDS: [u64; 16] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000, 60_000_000,
];
const MICROSECONDS: f64 = 1e6;

/// Counts durations.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS.len()],
    beyond: AtomicU64,
    microseconds: AtomicU64,
}

/// What a histogram has counted at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    /// The upper end of each bucket in seconds, and how many were not longer; rising.
    pub up_to: Vec<(f64, u64)>,
    /// How many there were.
    pub count: u64,
    /// How long all of them took, in seconds.
    pub sum: f64,
}

impl Buckets {
    /// The upper end of each bucket as Prometheus writes it, that of the last one included, and how many were not longer.
    pub fn ends(&self) -> impl Iterator<Item = (String, u64)> {
        let ends = self.up_to.iter().map(|(end, count)| (end.to_string(), *count));
        ends.chain([("+Inf".to_owned(), self.count)])
    }
}

impl Histogram {
    /// Counts `times` things that took so long each.
    pub fn observe(&self, took: Duration, times: u64) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| took <= *bound);
        let bucket = bucket.and_then(|bucket| self.buckets.get(bucket));
        bucket.unwrap_or(&self.beyond).fetch_add(times, Ordering::Relaxed);
        self.microseconds
            .fetch_add(took.saturating_mul(times), Ordering::Relaxed);
    }

    /// What was counted until now. The sum may be of a moment later than the counts.
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds beyond 2^53 are out of reach"
    )]
    pub fn buckets(&self) -> Buckets {
        let mut count = 0;
        let mut up_to = Vec::with_capacity(BOUNDS.len());
        for (bound, bucket) in BOUNDS.iter().zip(&self.buckets) {
            count += bucket.load(Ordering::Relaxed);
            up_to.push((*bound as f64 / MICROSECONDS, count));
        }
        Buckets {
            up_to,
            count: count + self.beyond.load(Ordering::Relaxed),
            sum: self.microseconds.load(Ordering::Relaxed) as f64 / MICROSECONDS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_holds_all_that_was_not_longer() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_micros(500), 1);
        histogram.observe(Duration::from_micros(501), 2);
        histogram.observe(Duration::from_secs(61), 1);
        let buckets = histogram.buckets();
        assert_eq!(buckets.up_to.first(), Some(&(0.0005, 1)));
        assert_eq!(buckets.up_to.get(1), Some(&(0.001, 3)));
        assert_eq!(buckets.up_to.last(), Some(&(60.0, 3)));
        assert_eq!(buckets.count, 4);
        assert!((buckets.sum - 61.001_502).abs() < 1e-9, "{}", buckets.sum);
    }
}
