//! The power is cut at any moment: what was promised is there, and no batch is there by half.

use std::path::Path;

use switchboard_power_loss::disk::Disk;
use switchboard_power_loss::disk::Syncs;
use switchboard_power_loss::disk::Tear;
use switchboard_power_loss::ledger::Held;
use switchboard_power_loss::ledger::Ledger;
use switchboard_power_loss::oracle;
use switchboard_power_loss::random::Random;
use switchboard_power_loss::storage::Entry;
use switchboard_power_loss::storage::Storage;
use switchboard_power_loss::work;
use switchboard_power_loss::work::Worker;

use crate::scratch::knob;
use crate::scratch::scratch;
use crate::scratch::seed;

/// Of so many images one is opened by the program, which takes longer than a look with a plain connection.
const OPENED: usize = 10;

/// What came of looking at many images.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) images: usize,
    pub(crate) damaged: Vec<String>,
    /// Something promised is missing, something is there that was not asked for, or by half.
    pub(crate) wrong: Vec<String>,
}

impl Verdict {
    /// No image was damaged, and none was wrong.
    pub(crate) fn expect_nothing(&self) {
        for found in [&self.damaged, &self.wrong] {
            assert!(found.is_empty(), "{} such as: {}", found.len(), found[0]);
        }
    }
}

/// Everything that a run asked of the storage: a new database, work, several checkpoints, an orderly end and another
/// start in the midst of it.
fn recorded(seed: u64) -> Vec<Entry> {
    let folder = scratch();
    let storage = Storage::watch(folder.path());
    let tell = |note| storage.note(note);
    let mut worker = Worker::start(folder.path(), seed, &tell).unwrap();
    for _ in 0..40 {
        worker.round();
    }
    worker.begin_again(folder.path()).unwrap();
    for _ in 0..60 {
        worker.round();
    }
    worker.drain(50);
    worker.end();
    let log = storage.log();
    held_as_promised(folder.path(), &log);
    log
}

/// What the database in this folder holds, which is what the notes of its log promise, no more and no less.
pub(crate) fn held_as_promised(folder: &Path, log: &[Entry]) -> Held {
    let mut ledger = Ledger::default();
    read_notes(&mut ledger, log);
    let held = oracle::look(&folder.join(work::NAME)).unwrap();
    assert_eq!(held, *ledger.promised());
    held
}

fn read_notes(ledger: &mut Ledger, entries: &[Entry]) {
    for entry in entries {
        if let Entry::Note(note) = entry {
            ledger.read(note);
        }
    }
}

/// Cuts the power at random moments and looks at what might be left.
pub(crate) fn cut(
    log: &[Entry],
    images: usize,
    seed: u64,
    syncs: Syncs,
    told: impl Fn(&Ledger) -> Ledger,
) -> Verdict {
    let mut random = Random::new(seed);
    let mut moments: Vec<usize> = (0..images).map(|_| random.below(log.len() + 1)).collect();
    moments.sort_unstable();
    let (mut disk, mut ledger) = (Disk::new(syncs, seed), Ledger::default());
    let (folder, mut at, mut verdict) = (scratch(), 0, Verdict::default());
    for (count, moment) in moments.into_iter().enumerate() {
        for entry in &log[at..moment] {
            disk.follow(entry);
        }
        read_notes(&mut ledger, &log[at..moment]);
        at = moment;
        if disk.is_unsure() {
            continue;
        }
        let tear = [Tear::Writes, Tear::Sectors][random.below(2)];
        disk.image(&mut random, tear).put_into(folder.path());
        verdict.images += 1;
        let found = match count % OPENED {
            0 => oracle::open(folder.path(), &ledger),
            _often => oracle::check(&folder.path().join(work::NAME), &told(&ledger)).map(drop),
        };
        if let Err(problem) = found {
            let problem = format!("after entry {moment} of {}, {tear:?}: {problem}", log.len());
            let is_damage = problem.contains("integrity_check") || problem.contains("cannot be read");
            let list = if is_damage {
                &mut verdict.damaged
            } else {
                &mut verdict.wrong
            };
            list.push(problem);
        }
    }
    verdict
}

#[test]
fn nothing_promised_is_lost_and_no_batch_is_there_by_half() {
    let (seed, images) = (seed(), knob("SWITCHBOARD_POWER_IMAGES", 400));
    let log = recorded(seed);
    let begin = std::time::Instant::now();
    let verdict = cut(&log, images, seed, Syncs::All, Ledger::clone);
    println!(
        "{} entries, {} images, {:?}",
        log.len(),
        verdict.images,
        begin.elapsed()
    );
    verdict.expect_nothing();
}

/// The same log read as if less had been asked of the disk, or promised sooner: the test above would see it.
#[test]
fn a_database_that_asks_for_less_or_promises_sooner_is_found_out() {
    let (seed, images) = (seed(), knob("SWITCHBOARD_POWER_IMAGES", 400) / 8);
    let log = recorded(seed);
    let normal = cut(&log, images, seed, Syncs::NotOfCommits, Ledger::clone);
    println!(
        "NORMAL: {} of {} wrong, {} damaged",
        normal.wrong.len(),
        normal.images,
        normal.damaged.len()
    );
    assert!(!normal.wrong.is_empty());
    assert!(normal.damaged.is_empty(), "{}", normal.damaged[0]);
    let off = cut(&log, images, seed, Syncs::None, Ledger::clone);
    println!(
        "OFF: {} of {} wrong, {} damaged",
        off.wrong.len(),
        off.images,
        off.damaged.len()
    );
    assert!(!off.wrong.is_empty() && !off.damaged.is_empty());
    let early = cut(&log, images, seed, Syncs::All, Ledger::as_if_answered_early);
    println!("answered early: {} of {} wrong", early.wrong.len(), early.images);
    assert!(!early.wrong.is_empty());
}
