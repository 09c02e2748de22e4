//! The n-th call to the storage fails, for n = 1, 2, 3 and so on until none fails: what is refused is not there, what is
//! answered is, and afterwards the database goes on by itself.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::thread::yield_now;
use std::time::Duration;
use std::time::Instant;

use rusqlite::ffi;
use switchboard::model::clock::Clock;
use switchboard_power_loss::disk::Syncs;
use switchboard_power_loss::ledger::Ledger;
use switchboard_power_loss::storage::Call;
use switchboard_power_loss::storage::Fault;
use switchboard_power_loss::storage::Storage;
use switchboard_power_loss::work;
use switchboard_power_loss::work::Worker;

use crate::power;
use crate::scratch::knob;
use crate::scratch::scratch;
use crate::scratch::seed;

/// Rounds of work while calls fail.
const ROUNDS: usize = 4;
/// Rounds of work after which the next checkpoint is near.
const LONG: usize = 30;
/// So many of the first n are tried, each; then some of them.
const EACH: usize = 5;

/// When calls begin to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// There is no database yet.
    Start,
    /// Events come and are handled.
    Work,
    /// The same, with a checkpoint.
    Checkpoint,
    /// It ends in order and begins again.
    Restart,
}

/// Lets the n-th of these calls fail and looks at what comes of it. Says whether there was such a call.
fn fail(seed: u64, when: When, call: Call, nth: usize, fault: Fault) -> bool {
    let folder = scratch();
    let storage = Storage::watch(folder.path());
    let tell = |note| storage.note(note);
    if when == When::Start {
        storage.plan(&[call], nth, fault);
    }
    let mut worker = match Worker::start(folder.path(), seed, &tell) {
        Ok(worker) => worker,
        Err(error) => {
            assert!(storage.heal() > 0, "{error:?}");
            // It can be opened now.
            work::open(folder.path(), &Clock::manual(work::noon()))
                .unwrap()
                .close();
            return true;
        }
    };
    if when != When::Start {
        let rounds = if when == When::Checkpoint { LONG } else { 1 };
        (0..rounds).for_each(|_| worker.round());
        storage.plan(&[call], nth, fault);
    }
    let n_failed = match when {
        When::Restart => {
            let again = worker.begin_again(folder.path());
            let n_failed = storage.heal();
            if again.is_err() {
                assert!(n_failed > 0);
                worker.begin_again(folder.path()).unwrap();
            }
            n_failed
        }
        _work => {
            (0..ROUNDS).for_each(|_| worker.round());
            storage.heal()
        }
    };
    let n_refused = worker.n_refused();
    assert!(n_failed > 0 || n_refused == 0, "refused for no reason");
    recovers(&worker);
    worker.round();
    worker.round();
    worker.drain(20);
    assert_eq!(worker.n_refused(), n_refused, "still refused after the trouble");
    worker.vmdb().health().unwrap();
    let log = storage.log();
    let held = power::held_as_promised(folder.path(), &log);
    assert!(
        held.queue.values().all(|waiting| waiting.is_dead),
        "forgotten: {:?}",
        held.queue
    );
    assert!(held.going_on.is_empty());
    worker.begin_again(folder.path()).unwrap();
    worker.round();
    worker.drain(20);
    assert_eq!(worker.n_refused(), n_refused);
    worker.end();
    // The power may be cut at any time in this as well.
    let images = knob("SWITCHBOARD_POWER_IMAGES", 400) / 200;
    power::cut(&log, images, seed + nth as u64, Syncs::All, Ledger::clone).expect_nothing();
    n_failed > 0
}

/// It goes on by itself; a database that could not be opened is tried again after a moment.
fn recovers(worker: &Worker<'_>) {
    let end = Instant::now() + Duration::from_secs(20);
    while worker.vmdb().health().is_err() && Instant::now() < end {
        yield_now();
    }
}

/// The first n and some of the others, until none fails.
fn fail_each(when: When, call: Call, fault: Fault) {
    let (seed, step) = (seed(), knob("SWITCHBOARD_FAULT_STEP", 47));
    // A checkpoint needs much work before it.
    let step = if when == When::Checkpoint { 3 * step } else { step };
    let (mut nth, mut tried, mut wrong) = (0, 0, Vec::new());
    loop {
        match catch_unwind(AssertUnwindSafe(|| fail(seed, when, call, nth, fault))) {
            Ok(true) => {}
            Ok(false) => break,
            Err(_told) => wrong.push(nth),
        }
        tried += 1;
        nth += if nth < EACH { 1 } else { step };
    }
    println!("{when:?}, {call:?}, {fault:?}: {tried} tried, none after {nth}");
    assert!(wrong.is_empty(), "{when:?}, {call:?}, {fault:?}, n = {wrong:?}");
}

macro_rules! faults {
    ($($name:ident, $call:ident, $code:expr, [$($when:ident),*];)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn once() {
                $(fail_each(When::$when, Call::$call, Fault::Once($code));)*
            }

            #[test]
            fn from_then_on() {
                $(fail_each(When::$when, Call::$call, Fault::FromNowOn($code));)*
            }
        })*
    };
}

faults! {
    a_write_fails, Write, Call::Write.failure(), [Start, Work, Restart];
    the_disk_is_full, Write, ffi::SQLITE_FULL, [Start, Work, Checkpoint, Restart];
    a_sync_fails, Sync, Call::Sync.failure(), [Start, Work, Checkpoint, Restart];
    a_truncation_fails, Truncate, Call::Truncate.failure(), [Start, Work, Restart];
    a_deletion_fails, Delete, Call::Delete.failure(), [Start, Work, Restart];
    a_file_cannot_be_opened, Open, Call::Open.failure(), [Start, Work, Restart];
    a_read_fails, Read, Call::Read.failure(), [Start, Work, Restart];
    a_size_is_not_told, FileSize, Call::FileSize.failure(), [Start, Work, Restart];
    a_lock_fails, Lock, Call::Lock.failure(), [Start, Work, Restart];
    shared_memory_fails, ShmMap, Call::ShmMap.failure(), [Start, Work, Checkpoint, Restart];
    a_lock_on_shared_memory_fails, ShmLock, Call::ShmLock.failure(), [Start, Work, Restart];
}

#[test]
fn what_cannot_be_moved_out_of_the_log_pauses_the_intake_and_refuses_nothing_that_is_safe_in_it() {
    for (call, code) in [
        (Call::DatabaseWrite, Call::Write.failure()),
        (Call::DatabaseWrite, ffi::SQLITE_FULL),
        (Call::DatabaseSync, Call::Sync.failure()),
    ] {
        let folder = scratch();
        let storage = Storage::watch(folder.path());
        let tell = |note| storage.note(note);
        let mut worker = Worker::start(folder.path(), seed(), &tell).unwrap();
        storage.plan(&[call], 0, Fault::FromNowOn(code));
        let mut rounds = 0;
        while worker.vmdb().health().is_ok() {
            worker.round();
            rounds += 1;
            assert!(rounds < 50 * LONG, "{call:?} {code}: the log is never moved");
        }
        // Whoever does not ask about its health is served all the same.
        (0..ROUNDS).for_each(|_| worker.round());
        assert_eq!(worker.n_refused(), 0, "{call:?} {code}");
        assert!(worker.vmdb().health().is_err(), "{call:?} {code}");
        assert!(storage.heal() > 0);
        recovers(&worker);
        worker.vmdb().health().unwrap();
        worker.drain(rounds);
        worker.end();
        let log = storage.log();
        power::held_as_promised(folder.path(), &log);
        let images = knob("SWITCHBOARD_POWER_IMAGES", 400) / 8;
        power::cut(&log, images, seed(), Syncs::All, Ledger::clone).expect_nothing();
    }
}
