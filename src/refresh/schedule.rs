//! When everything is read again: once when a manager is new, then every `refresh_interval` (C89, C90).

use std::time::Duration;
use std::time::Instant;

use tracing::info;

use crate::model::clock::SignedDuration;
use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::refresh::RefresherConfig;
use crate::vmdb::RefreshRequest;
use crate::vmdb::VmdbError;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Managers of one interval are refreshed in the last tenth of it, each at its own time.
const SPREAD: i64 = 10;

/// Asks for the full refreshes that are due.
pub(crate) struct Schedule {
    config: RefresherConfig,
    looked: Option<Instant>,
}

impl Schedule {
    pub(crate) fn new(config: &RefresherConfig) -> Self {
        Self {
            config: config.clone(),
            looked: None,
        }
    }

    /// Asks for what is due, if it is time to look.
    pub(crate) fn look(&mut self) -> Result<(), VmdbError> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        let (rules, settings) = (self.config.rules.take(), self.config.settings.take());
        let vmdb = &self.config.vmdb;
        let mut refreshes = vmdb.manager_refreshes()?;
        let now = self.config.clock.now();
        for ems in vmdb.ems_list()? {
            let is_asked = ems.enabled && ems.url.is_some() && rules.collects(&ems.provider).everything;
            let state = refreshes.remove(&ems.id).unwrap_or_default();
            let settings = settings.refresh(&ems.provider);
            if !is_asked || state.is_full_queued || settings.streaming_refresh {
                continue;
            }
            let reason = reason(
                ems.id,
                state.last_full_refresh_date,
                settings.refresh_interval,
                now,
            );
            if let Some(reason) = reason {
                info!(ems = %ems.name, reason, "A full refresh is due.");
                let request = RefreshRequest {
                    ems_id: ems.id,
                    targets: Vec::new(),
                    full: Some(reason),
                };
                vmdb.queue_refresh(&request).wait()?;
            }
        }
        Ok(())
    }
}

/// Why a manager is to be read whole now, if it is. Without an interval it never is, not even a new one.
fn reason(
    ems_id: EmsId,
    last: Option<Timestamp>,
    interval: Option<Duration>,
    now: Timestamp,
) -> Option<String> {
    let interval = SignedDuration::try_from(interval?).ok()?;
    let Some(last) = last else {
        return Some("nothing of this manager was ever read".to_owned());
    };
    // Golden ratio: numbers that follow each other lie far apart.
    let place = (ems_id.0.wrapping_mul(618_033_989)).rem_euclid(1_000);
    let early =
        interval / i32::try_from(SPREAD).unwrap_or(i32::MAX) * i32::try_from(place).unwrap_or(0) / 1_000;
    let due = last.saturating_add(interval - early).unwrap_or(last);
    // A clock that was set back must not put it off for years.
    let is_due = due <= now || now < last.saturating_sub(interval).unwrap_or(last);
    is_due.then(|| format!("`refresh_interval` is over: everything was read last at {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c89_managers_are_read_whole_once_and_then_every_interval_each_at_its_own_time() {
        let now: Timestamp = "2026-01-02T12:00:00Z".parse().unwrap();
        let day = Some(Duration::from_secs(86_400));
        let ago = |hours: i64| Some(now - SignedDuration::from_hours(hours));
        for (what, last, interval, expected) in [
            ("new", None, day, true),
            ("never", None, None, false),
            ("never again", ago(1_000), None, false),
            ("not yet", ago(20), day, false),
            ("a day later", ago(24), day, true),
            ("the clock was set back by years", ago(-24 * 365), day, true),
            ("the clock was set back by an hour", ago(-1), day, false),
        ] {
            assert_eq!(
                reason(EmsId(7), last, interval, now).is_some(),
                expected,
                "{what}"
            );
        }
        let due = |ems| {
            (0..200).find(|minutes| {
                let last = now - SignedDuration::from_hours(21) - SignedDuration::from_mins(*minutes);
                reason(EmsId(ems), Some(last), day, now).is_some()
            })
        };
        let mut times: Vec<_> = (1..=20).map(|ems| due(ems).unwrap()).collect();
        times.sort_unstable();
        times.dedup();
        assert!(times.len() > 15, "{times:?}");
    }
}
