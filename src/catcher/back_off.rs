//! How long to wait before a stream is tried again: longer from failure to failure, short again only after health.

use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::time::Duration;

use crate::catcher::stream::StreamError;
use crate::model::ems::EmsId;

/// The first pause, and the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// The same for credentials that were refused: at most a dozen tries an hour, fewer from hour to hour (C11).
const FIRST_REFUSED: Duration = Duration::from_secs(300);
const LONGEST_REFUSED: Duration = Duration::from_secs(3600);
/// The longest that a provider may ask us to stay away.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);
/// So long a stream has to run before earlier failures are forgotten (C10).
const HEALTHY: Duration = Duration::from_secs(300);

/// The failures of one stream.
#[derive(Clone, Debug)]
pub(crate) struct BackOff {
    ems_id: EmsId,
    failures: u32,
    refusals: u32,
}

impl BackOff {
    pub(crate) fn new(ems_id: EmsId) -> Self {
        let (failures, refusals) = (0, 0);
        Self {
            ems_id,
            failures,
            refusals,
        }
    }

    /// How often it failed without being healthy between.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The pause after a failure of a stream that had run for so long.
    pub(crate) fn pause_after(&mut self, error: &StreamError, had_run: Duration) -> Duration {
        if HEALTHY <= had_run {
            (self.failures, self.refusals) = (0, 0);
        }
        self.failures = self.failures.saturating_add(1);
        let own = if error.is_about_credentials() {
            self.refusals = self.refusals.saturating_add(1);
            doubled(FIRST_REFUSED, LONGEST_REFUSED, self.refusals)
        } else {
            doubled(FIRST, LONGEST, self.failures)
        };
        let asked = error.retry_after().unwrap_or_default().min(LONGEST_ASKED);
        own.max(asked).mul_f64(self.jitter())
    }

    /// From 1 to 1.25, other for each manager and failure, so that those who failed together do not return together.
    fn jitter(&self) -> f64 {
        let mut hasher = DefaultHasher::new();
        (self.ems_id, self.failures).hash(&mut hasher);
        let [byte, ..] = hasher.finish().to_le_bytes();
        1.0 + f64::from(byte) / 1024.0
    }
}

fn doubled(first: Duration, longest: Duration, times: u32) -> Duration {
    let factor = 2_u32.saturating_pow(times.saturating_sub(1));
    first.saturating_mul(factor).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(back_off: &mut BackOff, error: &StreamError, had_run: u64) -> f64 {
        let pause = back_off.pause_after(error, Duration::from_secs(had_run));
        (pause.as_secs_f64() / 1.25).ceil()
    }

    #[test]
    fn pauses_grow_to_a_limit_and_are_short_again_only_after_health() {
        let broken = StreamError::Unreachable("refused".to_owned());
        let mut back_off = BackOff::new(EmsId(1));
        let mut last = Duration::ZERO;
        for _failure in 0..8 {
            let pause = back_off.pause_after(&broken, Duration::from_secs(10));
            assert!(last < pause, "{last:?} {pause:?}");
            last = pause;
        }
        for _failure in 0..50 {
            assert!(back_off.pause_after(&broken, Duration::ZERO) <= LONGEST.mul_f64(1.25));
        }
        assert!(seconds(&mut back_off, &broken, 299) >= 240.0);
        assert_eq!(seconds(&mut back_off, &broken, 300), 1.0);
    }

    #[test]
    fn refused_credentials_are_tried_a_few_times_an_hour() {
        let refused = StreamError::Refused { status: 401 };
        let mut back_off = BackOff::new(EmsId(1));
        let mut day = Duration::from_secs(24 * 3600);
        let mut tries = 0;
        while let Some(rest) = day.checked_sub(back_off.pause_after(&refused, Duration::ZERO)) {
            (day, tries) = (rest, tries + 1);
        }
        assert!((20..=30).contains(&tries), "{tries}");
    }

    #[test]
    fn refusals_too_are_forgotten_after_health_and_managers_do_not_return_together() {
        let refused = StreamError::Refused { status: 401 };
        let mut back_off = BackOff::new(EmsId(1));
        let first = back_off.pause_after(&refused, Duration::ZERO);
        assert!(first.mul_f64(1.5) < back_off.pause_after(&refused, Duration::ZERO));
        assert_eq!(back_off.pause_after(&refused, HEALTHY), first);
        let pauses = (1..=9).map(|id| BackOff::new(EmsId(id)).pause_after(&refused, Duration::ZERO));
        assert!(pauses.collect::<std::collections::BTreeSet<_>>().len() > 1);
    }

    #[test]
    fn a_provider_may_ask_for_more_patience_but_not_for_ever() {
        let asks = |seconds| StreamError::RateLimited {
            status: 429,
            after: Some(Duration::from_secs(seconds)),
        };
        let mut back_off = BackOff::new(EmsId(1));
        let pause = back_off.pause_after(&asks(120), Duration::ZERO);
        assert!((120..=150).contains(&pause.as_secs()), "{pause:?}");
        let pause = back_off.pause_after(&asks(1_000_000), Duration::ZERO);
        assert!(pause <= LONGEST_ASKED.mul_f64(1.25), "{pause:?}");
    }
}
