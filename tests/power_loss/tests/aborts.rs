//! The process ends at the n-th change of its files, in the midst of SQLite, for n = 1, 2, 3 and so on until it ends in
//! order: what it was promised is there for the next one, which goes on.
//!
//! A binary of its own: a process that begins holds for a moment every lock of the one that began it.

mod scratch;

use std::process::Command;

use switchboard::model::clock::Clock;
use switchboard_power_loss::ledger::Ledger;
use switchboard_power_loss::ledger::Note;
use switchboard_power_loss::oracle;
use switchboard_power_loss::work;

use crate::scratch::knob;
use crate::scratch::scratch;
use crate::scratch::seed;

const ROUNDS: &str = "5";

/// Says whether the process ended in order.
fn abort(seed: u64, nth: usize) -> bool {
    let folder = scratch();
    let worker = Command::new(env!("CARGO_BIN_EXE_worker"))
        .arg(folder.path())
        .args([&seed.to_string(), ROUNDS, &nth.to_string()])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&worker.stderr);
    assert!(errors.is_empty(), "n = {nth}: {errors}");
    let mut ledger = Ledger::default();
    for line in worker
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        ledger.read(&serde_json::from_slice::<Note>(line).unwrap());
    }
    let path = folder.path().join(work::NAME);
    if path.exists() {
        oracle::check(&path, &ledger).unwrap_or_else(|problem| panic!("n = {nth}: {problem}"));
    }
    oracle::open(folder.path(), &ledger).unwrap_or_else(|problem| panic!("n = {nth}: {problem}"));
    // Opened as by the next process, that a message may have ended: nothing but that differs.
    work::open(folder.path(), &Clock::manual(work::noon()))
        .unwrap()
        .close();
    worker.status.success()
}

#[test]
fn a_process_that_ends_at_any_change_of_its_files_keeps_what_it_promised() {
    let (seed, step) = (seed(), knob("SWITCHBOARD_ABORT_STEP", 17));
    let mut nth = 0;
    while !abort(seed, nth) {
        nth += step;
    }
    println!("ended in order after {nth}");
    assert!(nth > 100, "it ended in order all too soon");
}
