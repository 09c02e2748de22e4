//! A crash at every named place, and at any moment: nothing that was acknowledged is missing, nothing is there twice.
//!
//! A real process, real HTTP, real files; see `support/crashing` for the load and the oracle. Statements 1, 19, 22 and
//! 31 of the reference, and 32 under kills. The points in the midst of SQLite's own writing (`handle.inside_commit`,
//! `checkpoint.mid`) have no names here: a process cannot end itself there. More of it:
//! `SWITCHBOARD_CRASH_HITS=3` (each place at its first, second and third time), `SWITCHBOARD_CRASH_KILLS=1000`, and
//! `SWITCHBOARD_CRASH_SEED` to have the same kills again.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use regex::Regex;
use rusqlite::Connection;
use switchboard::model::clock::Clock;
use switchboard::verify::oracle;
use switchboard::vmdb::DatabaseUrl;
use switchboard::vmdb::MessageState;
use switchboard::vmdb::QueueFilter;

use crate::support::crashing::ABORTED;
use crate::support::crashing::PATIENCE;
use crate::support::crashing::Process;
use crate::support::crashing::RefreshTrial;
use crate::support::crashing::Trial;
use crate::support::crashing::entry;
use crate::support::crashing::purging;

const INTAKE: &[&str] = &[
    "intake.received",
    "intake.parsed",
    "intake.put_before_commit",
    "intake.after_commit",
    "intake.answer_half_sent",
];
const STREAMS: &[&str] = &[
    "poll.response_read",
    "poll.put_before_commit",
    "poll.after_commit",
    "poll.between_pages",
    "file.line_read",
    "file.rotated",
    "parse.script_running",
    "catch.filtered_counted",
];
const HANDLER: &[&str] = &[
    "queue.taken",
    "handle.rules_taken",
    "handle.related",
    "handle.event_inserted",
    "handle.delivered",
    "handle.targets_merged",
    "handle.outbox_put",
    "handle.before_commit",
    "handle.after_commit",
];
const OUTCOMES: &[&str] = &[
    "handle.one_of_batch_failed",
    "dead_letter.moved",
    "state.retry_scheduled",
    "refresh.full_requested",
    "reload.read",
    "reload.compiled",
    "reload.replaced_before_log",
];
const OUTBOX: &[&str] = &[
    "outbox.taken",
    "outbox.before_send",
    "outbox.sent_no_answer",
    "outbox.answered_before_mark",
    "outbox.after_mark",
    "dead_letter.effect_moved",
];
const REFRESH: &[&str] = &[
    "refresh.taken",
    "refresh.collecting",
    "refresh.new_target_meanwhile",
    "refresh.save_before_commit",
    "refresh.after_save_before_done",
];
const PURGE: &str = "purge.batch";
const BACKUP: &str = "backup.mid";
/// Only where there is no database yet, or an old one.
const MIGRATION: &[&str] = &[
    "start.before_migration",
    "start.in_migration",
    "start.after_migration",
];
const START: &[&str] = &["start.wal_recovery", "start.leases_cleared"];
const END: &[&str] = &["shutdown.draining"];

/// A number from the environment.
fn knob(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// A crash at each of these places, then the reckoning.
fn crash_at_each(points: &[&str]) {
    for (number, point) in points.iter().enumerate() {
        let hits = match env::var("SWITCHBOARD_CRASH_HITS") {
            Ok(hits) => 1..=hits.parse().unwrap(),
            // Each place once, one after another at its first, second and third time.
            Err(_) => {
                let nth = u32::try_from(number % 3).unwrap() + 1;
                nth..=nth
            }
        };
        for nth in hits {
            let mut trial = Trial::new();
            trial.add_managers();
            trial.die_at(point, nth, &[]);
            fine(&format!("{point}:{nth}"), &mut trial);
        }
    }
}

fn fine(what: &str, trial: &mut Trial) {
    let wrong = trial.reckon(&[]);
    assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
}

#[test]
fn every_crash_point_is_tested() {
    let tested = [
        INTAKE,
        STREAMS,
        HANDLER,
        OUTCOMES,
        OUTBOX,
        REFRESH,
        &[PURGE, BACKUP],
        MIGRATION,
        START,
        END,
    ]
    .concat();
    assert_eq!(
        points_in_source(),
        tested.into_iter().map(str::to_owned).collect()
    );
}

fn points_in_source() -> BTreeSet<String> {
    fn look(folder: &Path, named: &Regex, points: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                look(&path, named, points);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                points.extend(named.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
    }
    let mut points = BTreeSet::new();
    let named = Regex::new(r#"crash_point!\(\s*"([^"]+)""#).unwrap();
    look(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &named,
        &mut points,
    );
    points
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn a_crash_at_the_front_door_loses_and_doubles_nothing() {
    crash_at_each(INTAKE);
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn a_crash_of_a_stream_loses_and_doubles_nothing() {
    crash_at_each(STREAMS);
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn a_crash_of_the_handler_loses_and_doubles_nothing() {
    crash_at_each(HANDLER);
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn a_crash_over_retries_dead_letters_and_reloads_loses_and_doubles_nothing() {
    crash_at_each(OUTCOMES);
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn a_crash_of_the_outbox_sends_again_under_the_same_key_and_loses_nothing() {
    crash_at_each(OUTBOX);
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn a_crash_of_a_refresh_loses_no_target_and_archives_nothing_that_is_there() {
    for point in REFRESH {
        let trial = RefreshTrial::new();
        for what in ["everything", "targets"] {
            // A second one is asked for while the first one runs only where that takes its time.
            trial.die_at(point, 1, &[]);
            let wrong = trial.reckon(&[]);
            assert!(wrong.is_empty(), "{point}, {what}:\n{}", wrong.join("\n"));
        }
    }
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn targets_that_a_failed_refresh_drops_are_noticed() {
    let trial = RefreshTrial::new();
    let bug = [("SWITCHBOARD_BUG", "targets_dropped_on_failure")];
    let wrong = trial.reckon(&bug);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    trial.die_at("refresh.collecting", 1, &bug);
    let wrong = trial.reckon(&bug);
    for noticed in ["I5: targets: ", "I5: vms "] {
        let is_noticed = wrong.iter().any(|wrong| wrong.starts_with(noticed));
        assert!(is_noticed, "{noticed:?}:\n{}", wrong.join("\n"));
    }
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn a_crash_of_the_purge_takes_off_only_what_is_beyond_the_limit() {
    // In the midst of the first window, and after it.
    for nth in [1, 6] {
        let mut trial = Trial::new();
        trial.add_managers();
        let before = purging::too_many(&mut trial);
        purging::die_at(&mut trial, nth);
        let (purged, mut wrong) = purging::purged(&trial, &before);
        // Whole windows only: what it was about is there again.
        if (purged > 0) != (nth > 1) || nth <= u32::try_from(purged).unwrap() {
            wrong.push(format!("{purged} events were purged"));
        }
        wrong.extend(purging::reckon(&mut trial));
        assert!(wrong.is_empty(), "{PURGE}:{nth}:\n{}", wrong.join("\n"));
    }
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn a_backup_that_is_killed_leaves_nothing_of_its_name_and_the_next_one_is_whole() {
    let mut trial = Trial::new();
    trial.add_managers();
    let process = trial.start(&[]).unwrap();
    trial.round(process.address());
    trial.wait_for_rest().unwrap();
    let copy = trial.project.path("copy.db");
    let backup = |crash: &str| {
        let mut command = trial.project.command(&["backup", "copy.db"]);
        command.env("SWITCHBOARD_CRASH", crash).output().unwrap()
    };
    let killed = backup(&format!("{BACKUP}:1"));
    assert_eq!(killed.status.signal(), ABORTED, "{killed:?}");
    assert!(!copy.exists());
    let whole = backup("");
    assert!(whole.status.success(), "{whole:?}");
    let sums = oracle::check(
        &DatabaseUrl::sqlite(copy),
        &trial.ledger.wanted(),
        &Clock::System,
        drop,
    );
    let sums = sums.unwrap();
    assert!(sums.is_fine() && sums.stored > 0, "{sums:?}");
    process.stop();
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn a_crash_while_it_starts_for_the_first_time_leaves_nothing_half_made() {
    for point in MIGRATION {
        let mut trial = Trial::new();
        trial.die_at_start(point);
        trial.add_managers();
        fine(point, &mut trial);
    }
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn crashes_while_it_recovers_from_a_crash_lose_nothing_and_blame_nobody() {
    for point in START {
        let mut trial = Trial::new();
        trial.add_managers();
        trial.die_at("handle.delivered", 3, &[]);
        for _again in 0..3 {
            trial.die_at_start(point);
        }
        fine(point, &mut trial);
        assert_eq!(trial.blamed.load(Ordering::Relaxed), 0, "{point}");
    }
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn a_crash_while_it_stops_loses_and_doubles_nothing() {
    for point in END {
        let mut trial = Trial::new();
        trial.add_managers();
        trial.die_at_end(point);
        fine(point, &mut trial);
    }
}

#[test]
fn killed_at_any_moment_it_loses_and_doubles_nothing() {
    let kills = knob("SWITCHBOARD_CRASH_KILLS", 20);
    let seed = knob("SWITCHBOARD_CRASH_SEED", RandomState::new().hash_one(0));
    let mut random = seed;
    let mut trial = Trial::new();
    trial.add_managers();
    for _ in 0..kills {
        // Numbers that look like chance and come again with their seed.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let time = Duration::from_millis((random >> 33) % 300);
        if random >> 63 == 0 {
            trial.kill_in_start(time);
        } else {
            trial.kill_after(time);
        }
    }
    fine(&format!("SWITCHBOARD_CRASH_SEED={seed}"), &mut trial);
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn a_row_that_ends_the_process_twice_is_a_dead_letter_and_the_third_start_is_ready() {
    let bug = [("SWITCHBOARD_BUG", "abort_on_row")];
    let mut trial = Trial::new();
    trial.add_managers();
    let mut request = vec![
        entry("pushed", "x", "before".to_owned(), "create"),
        entry("pushed", "x", "poison".to_owned(), "poison"),
        entry("pushed", "x", "behind".to_owned(), "create"),
    ];
    request.extend((0..12).map(|number| {
        entry(
            "pushed",
            &format!("beside-{number}"),
            format!("beside-{number}"),
            "slow",
        )
    }));
    let process = trial.start(&bug).unwrap();
    trial.send(process.address(), &request);
    let (status, log) = process.end();
    assert_eq!(status.signal(), ABORTED, "{log}");
    let (status, log) = trial.start(&bug).map_or_else(|ended| ended, Process::end);
    assert_eq!(status.signal(), ABORTED, "{log}");

    let process = trial.start(&bug).unwrap();
    let vmdb = trial.vmdb();
    let left = until(
        || vmdb.queue_list(&QueueFilter::default()).unwrap(),
        |left| left.len() <= 2,
    );
    let parked = left.iter().filter(|entry| entry.state == MessageState::Parked);
    let parked: Vec<_> = parked
        .map(|entry| {
            (
                entry.event_type.as_deref().unwrap(),
                entry.error.as_deref().unwrap(),
            )
        })
        .collect();
    // Not those beside it, and the one behind it waits.
    let why = "the process ended while this message was being handled";
    assert_eq!(parked, [("com.awesomecloud.poison", why)], "{left:#?}");
    assert_eq!(left.len(), 2, "{left:#?}");
    assert_eq!(process.stop().0.code(), Some(0));
    // Once the program is mended, somebody has it tried again, and its lane goes on behind it.
    fine("mended", &mut trial);
    assert_eq!(trial.blamed.load(Ordering::Relaxed), 1);
}

fn until<T: std::fmt::Debug>(look: impl Fn() -> T, is_right: impl Fn(&T) -> bool) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        let seen = look();
        if is_right(&seen) {
            return seen;
        }
        assert!(Instant::now() < end, "waited in vain: {seen:#?}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn a_manager_that_was_read_whole_more_than_once_is_no_difference_and_one_that_nobody_asked_for_is() {
    let mut trial = Trial::new();
    trial.add_managers();
    assert_eq!(trial.reckon(&[]), [""; 0]);
    let by_hand = Connection::open(trial.project.path("switchboard.db")).unwrap();
    let read = "INSERT INTO refresh_queue (ems_id, state, full_reason, requested_at, attempts) \
                SELECT id, 2, ?1, 0, 1 FROM ext_management_systems";
    for _ in 0..2 {
        by_hand
            .execute(read, ["nothing of this manager was ever read"])
            .unwrap();
    }
    assert_eq!(trial.reckon(&[]), [""; 0]);
    by_hand.execute(read, ["by chance"]).unwrap();
    let wrong = trial.reckon(&[]);
    assert!(
        wrong.iter().any(|wrong| wrong.starts_with("I5: managers")),
        "{wrong:?}"
    );
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn bugs_that_are_planted_are_noticed() {
    for (bug, point, nth, rule) in [
        ("acknowledge_before_commit", "intake.put_before_commit", 3, "I1"),
        // Of the cloud or of the file, whichever was first.
        ("cursor_before_events", "intake.put_before_commit", 1, "I1"),
        ("keys_in_memory", "handle.after_commit", 9, "I2"),
        ("lane_by_event", "handle.after_commit", 9, "I8"),
        ("targets_dropped", "handle.after_commit", 1, "I5"),
        ("marked_before_sending", "outbox.before_send", 1, "I6"),
    ] {
        let bug = [("SWITCHBOARD_BUG", bug)];
        let mut trial = Trial::new();
        // So that the first thing that is put is what was polled.
        trial.pushes = bug[0].1 != "cursor_before_events";
        trial.add_managers();
        trial.die_at(point, nth, &bug);
        trial.pushes = true;
        let wrong = trial.reckon(&bug);
        let is_noticed = wrong.iter().any(|wrong| wrong.starts_with(rule));
        assert!(is_noticed, "{bug:?} is not noticed:\n{}", wrong.join("\n"));
    }
}
