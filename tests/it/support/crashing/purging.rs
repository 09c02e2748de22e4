//! A trial of the purge: what it took off, and what it had to leave.

use std::collections::BTreeSet;
use std::time::Instant;

use rusqlite::Connection;
use switchboard::verify::ledger::Ledger;

use crate::support::crashing::ledger::Expected;
use crate::support::crashing::oracle::AtRest;
use crate::support::crashing::process;
use crate::support::crashing::process::PATIENCE;
use crate::support::crashing::rules;
use crate::support::crashing::trial::Trial;

/// How many events are kept.
const KEEP: usize = 60;
/// How many are purged in one transaction.
const WINDOW: usize = 4;
/// Has the process purge as soon as it starts.
const AT_START: (&str, &str) = ("SWITCHBOARD_BUG", "purge_at_start");

/// Events that are more than are kept; those that were there.
pub(crate) fn too_many(trial: &mut Trial) -> BTreeSet<i64> {
    while stored(&trial.look()).len() < 2 * KEEP {
        let process = trial.start(&[]).unwrap();
        for _ in 0..3 {
            trial.round(process.address());
        }
        trial.send_unanswered(process.address());
        trial.wait_for_rest().unwrap();
        process.stop();
    }
    trial.set(&format!(
        "event_streams:\n  history:\n    keep_events: 100.years\n    keep_rows: {KEEP}\n    purge_window_size: {WINDOW}\n"
    ));
    stored(&trial.look())
}

/// Runs it, with load, until it dies over the nth event that it purges.
pub(crate) fn die_at(trial: &mut Trial, nth: u32) {
    trial.die_at("purge.batch", nth, &[AT_START]);
}

/// What was purged of those that were there; what is wrong with that, if anything.
pub(crate) fn purged(trial: &Trial, before: &BTreeSet<i64>) -> (usize, Vec<String>) {
    let connection = trial.look();
    let now = stored(&connection);
    let mut wrong = Vec::new();
    if now.len() < KEEP {
        wrong.push(format!(
            "{} of {} are left, {KEEP} are kept",
            now.len(),
            before.len()
        ));
    }
    let purged: BTreeSet<i64> = before.difference(&now).copied().collect();
    let sql = "SELECT DISTINCT event_id FROM outbox WHERE state <> 3 \
               UNION SELECT payload ->> '$.event' FROM miq_queue WHERE kind = 2";
    let held = numbers(&connection, sql);
    let first = now.difference(&held).next();
    if purged.last() > first && first.is_some() {
        wrong.push(format!("{purged:?} were purged, and the older {first:?} was not"));
    }
    let sql = "SELECT sum(purged) FROM tallies";
    let booked: usize = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    if booked != purged.len() {
        wrong.push(format!("{} were purged, {booked} by the books", purged.len()));
    }
    let at_rest = AtRest {
        database: &trial.database(),
        connection: &connection,
        vmdb: &trial.vmdb(),
        sets: rules::sets(),
    };
    // Nothing of what was purged is left over, and the books balance.
    at_rest.as_users_do(&Ledger::default(), &mut wrong);
    (purged.len(), wrong)
}

/// Lets everything come in, then lets it purge to its end; what is wrong, if anything.
pub(crate) fn reckon(trial: &mut Trial) -> Vec<String> {
    let process = trial.start(&[]).unwrap();
    trial.send_unanswered(process.address());
    let mut wrong = Vec::from_iter(trial.wait_for_rest().err());
    process.stop();
    let process = trial.start(&[AT_START]).unwrap();
    let end = Instant::now() + PATIENCE;
    while stored(&trial.look()).len() > KEEP && Instant::now() < end {
        process::pause(std::time::Duration::from_millis(10));
    }
    process.stop();
    let connection = trial.look();
    let left = stored(&connection).len();
    let sql = "SELECT sum(purged) FROM tallies";
    let purged: usize = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    let entries = trial.ledger.entries();
    let sent = entries
        .iter()
        .filter(|entry| entry.answered && entry.expected == Expected::Saved)
        .count();
    if left != KEEP || left + purged != sent {
        wrong.push(format!("of {sent} events {left} are left, {purged} were purged"));
    }
    wrong
}

fn stored(connection: &Connection) -> BTreeSet<i64> {
    numbers(connection, "SELECT id FROM event_streams")
}

fn numbers(connection: &Connection, sql: &str) -> BTreeSet<i64> {
    let mut query = connection.prepare(sql).unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}
