//! A recorded event with the rules of today.

use std::sync::Arc;

use crate::model::json;
use crate::vmdb::ShownEvent;
use crate::web::Rules;

/// Runs of a state machine that are followed.
const RUNS: usize = 20;

/// The document of `simulate`: as many runs as were recorded, the first at the time of the first one.
pub(crate) fn document(shown: &ShownEvent, rules: &dyn Rules) -> json::Value {
    run(shown, rules, shown.deliveries.len())
}

/// The same up to a run, counted from 1.
pub(crate) fn run(shown: &ShownEvent, rules: &dyn Rules, run: usize) -> json::Value {
    let event = Arc::new(shown.stored.event.clone());
    let first = shown.deliveries.first();
    let at = first.map_or(event.received_at, |run| run.decided_at);
    let deliveries = u32::try_from(run.clamp(1, RUNS)).unwrap_or(1);
    rules.simulate(&event, at, deliveries)
}
