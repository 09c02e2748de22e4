//! A process that works on a database and ends at the n-th change of its files: `worker FOLDER SEED ROUNDS NTH`.
//!
//! It tells what it asks for and what it was promised, a line of JSON each, so that what it was told is known after it.

use std::io::Write;
use std::path::Path;

use switchboard_power_loss::ledger::Note;
use switchboard_power_loss::storage::Call;
use switchboard_power_loss::storage::Fault;
use switchboard_power_loss::storage::Storage;
use switchboard_power_loss::work::Worker;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, seed, rounds, nth] = &arguments[..] else {
        panic!("worker FOLDER SEED ROUNDS NTH")
    };
    let number = |text: &String| text.parse::<usize>().expect("a number");
    let folder = Path::new(folder);
    let storage = Storage::watch(folder);
    storage.plan(&Call::CHANGING, number(nth), Fault::Abort);
    let tell = |note: Note| {
        let mut line = serde_json::to_vec(&note).expect("a note");
        line.push(b'\n');
        std::io::stdout().write_all(&line).expect("somebody who listens");
    };
    let mut worker = Worker::start(folder, number(seed) as u64, &tell).expect("a new database");
    for _ in 0..number(rounds) {
        worker.round();
    }
    worker.begin_again(folder).expect("the same database");
    worker.drain(20);
    worker.end();
}
