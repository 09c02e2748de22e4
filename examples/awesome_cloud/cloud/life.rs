//! A life of its own: changes by chance at a rate, and late events that come to light.

use std::time::Duration;

use super::Shared;

const TICK: Duration = Duration::from_millis(20);

/// Goes on until it is aborted.
pub(crate) async fn live(state: Shared) {
    let mut ticks = tokio::time::interval(TICK);
    let mut due = 0.0;
    loop {
        ticks.tick().await;
        let mut state = state.lock();
        due += state.rate.clamp(0.0, 10_000.0) * TICK.as_secs_f64();
        while 1.0 <= due {
            due -= 1.0;
            state.change_by_chance();
        }
        state.log.publish_due();
    }
}
