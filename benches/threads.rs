//! What each kind of thread of this process has cost: unlike wall time, hardly touched by who else is at work.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Time on a processor, and time of waiting for one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) on: Duration,
    pub(crate) waited: Duration,
}

/// Of the threads that live now, by their names without numbers.
pub(crate) fn costs() -> BTreeMap<String, Cost> {
    let mut costs: BTreeMap<String, Cost> = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let folder = task.unwrap().path();
        // A thread may end meanwhile.
        let read = |name| fs::read_to_string(folder.join(name));
        let (Ok(name), Ok(times)) = (read("comm"), read("schedstat")) else {
            continue;
        };
        let mut times = times
            .split_whitespace()
            .map(|nanos| Duration::from_nanos(nanos.parse().unwrap()));
        let cost = costs.entry(bare(&name)).or_default();
        cost.on += times.next().unwrap();
        cost.waited += times.next().unwrap();
    }
    costs
}

/// The name of the main thread.
pub(crate) fn own() -> String {
    bare(&fs::read_to_string("/proc/self/comm").unwrap())
}

fn bare(name: &str) -> String {
    let is_number = |end: char| end.is_ascii_digit() || end == ' ' || end == '-';
    name.trim().trim_end_matches(is_number).to_owned()
}
