//! How a cloud misbehaves, on request.

use serde::Deserialize;
use serde::Serialize;

/// What goes wrong, and how often: rates are between 0 and 1. `PUT /faults` takes it as JSON; what is left out is 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faults {
    /// Every answer takes this long, in milliseconds.
    pub(crate) delay_ms: u64,
    /// 500.
    pub(crate) error_rate: f64,
    /// 429 with Retry-After: 1.
    pub(crate) busy_rate: f64,
    /// The connection ends in the middle of the answer.
    pub(crate) half_rate: f64,
    /// So far is the clock of its events ahead, in seconds.
    pub(crate) skew_seconds: i64,
    /// Events that are seen late ...
    pub(crate) late_rate: f64,
    /// ... by up to this, in milliseconds.
    pub(crate) late_ms: u64,
    /// Events that are seen after the one that followed.
    pub(crate) swap_rate: f64,
    /// Events that are seen twice.
    pub(crate) twice_rate: f64,
}

/// What one request gets in place of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Error,
    Busy,
    Half,
}

impl Faults {
    /// What goes wrong with this request.
    pub(crate) fn one(&self, chance: &mut fastrand::Rng) -> Option<Fault> {
        let dice = chance.f64();
        let (error, busy) = (self.error_rate, self.error_rate + self.busy_rate);
        if dice < error {
            Some(Fault::Error)
        } else if dice < busy {
            Some(Fault::Busy)
        } else if dice < busy + self.half_rate {
            Some(Fault::Half)
        } else {
            None
        }
    }
}
