//! A prototype of the pipeline: one thread parses the events and runs both scripts on a bare engine, one writes.
//!
//! It records no trace and checks nothing; the rows that it writes are those of the appliance.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::floor::Floor;
use crate::lean::Rows;

/// Types of events that have a rule.
const TYPES: usize = 10_000;
/// Batches that may be ready before they are written.
const AHEAD: usize = 2;

/// Handles these events, so many in each transaction; how long it took.
pub(crate) fn run(rows: &Rows, database: &Path, events: &[String], batch: usize) -> Duration {
    let (go, may_go) = mpsc::channel();
    let (decided, next) = mpsc::sync_channel(AHEAD);
    thread::scope(|scope| {
        scope.spawn(move || {
            let (floor, types) = (floor(), types());
            may_go.recv().unwrap();
            for part in events.chunks(batch) {
                let has_rule = |event_type: &str| types.contains_key(&event_type.to_lowercase());
                let targets = part.iter().map(|event| floor.decide_where(event, has_rule));
                decided.send((part.len(), targets.sum::<usize>())).unwrap();
            }
        });
        let mut go = Some(go);
        rows.write(database, events.len(), batch, |wanted| {
            if let Some(go) = go.take() {
                go.send(()).unwrap();
            }
            if !wanted.is_empty() {
                // Each of these events is about one object.
                assert_eq!(next.recv().unwrap(), (wanted.len(), wanted.len()));
            }
        })
    })
}

fn floor() -> Floor {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/awesome_cloud");
    let script = |name| fs::read_to_string(folder.join(name)).unwrap();
    Floor::new(&script("event_parser.rhai"), &script("event_target_parser.rhai"))
}

fn types() -> HashMap<String, usize> {
    let others = (1..TYPES).map(|number| format!("com.awesomecloud.kind_{number}.create"));
    let all = others.chain(["com.awesomecloud.vm.create".to_owned()]);
    all.zip(0..).collect()
}
