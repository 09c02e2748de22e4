//! The oracle: compares the ledger with the database, and every decision with the pure one. I1 to I10 are the rules.
//!
//! It says what is wrong and never panics over it, since bugs are planted to see that it does.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::LazyLock;

use regex::Regex;
use rusqlite::Connection;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use switchboard::model::delivery::Delivery;
use switchboard::model::delivery::Effect;
use switchboard::model::event::EventId;
use switchboard::switchboard::Context;
use switchboard::vmdb::ShownEvent;
use switchboard::vmdb::StoredDelivery;
use switchboard::vmdb::Vmdb;

use crate::support::crashing::ledger::Entry;
use crate::support::crashing::ledger::Expected;
use crate::support::crashing::rules;

/// An event as it is saved.
struct Saved {
    id: i64,
    ems: String,
    key: String,
    digest: Vec<u8>,
    full_data: String,
}

/// Right after a crash, when nothing was sent again: a request is kept whole or not at all (I3), and a cursor is
/// nowhere beyond what is kept (I7).
pub(crate) fn halves(connection: &Connection, ledger: &[Entry]) -> Vec<String> {
    let transaction = connection.unchecked_transaction().unwrap();
    let cursor: i64 = transaction
        .query_row(
            "SELECT ifnull(max(CAST(position AS INTEGER)), 0) FROM cursors WHERE stream = 'poll'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let mut query = transaction.prepare("SELECT digest FROM native_events").unwrap();
    let kept: BTreeSet<Vec<u8>> = query
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let is_kept = |entry: &Entry| kept.contains(entry.digest().as_slice());
    let mut wrong = Vec::new();
    for request in ledger.chunk_by(|a, b| a.request == b.request) {
        let some = request.iter().filter(|entry| is_kept(entry)).count();
        if 0 < some && some < request.len() {
            wrong.push(format!(
                "I3: {some} of the {} of {} are kept",
                request.len(),
                request[0].key
            ));
        }
        let is_missing = request[0].expected != Expected::Filtered && some == 0;
        if request[0].answered && request[0].ems == "pushed" && is_missing {
            wrong.push(format!("I1: {} was answered and is not kept", request[0].key));
        }
    }
    let polled = ledger.iter().filter(|entry| entry.ems == "polled");
    for entry in polled
        .take(usize::try_from(cursor).unwrap())
        .filter(|entry| !is_kept(entry))
    {
        wrong.push(format!("I7: the cursor is {cursor}, {} is not kept", entry.key));
    }
    wrong
}

/// At rest.
pub(crate) fn compare(connection: &Connection, vmdb: &Vmdb, ledger: &[Entry], polled: usize) -> Vec<String> {
    let saved = saved(connection);
    let mut wrong = Vec::new();
    kept(&saved, ledger, &mut wrong);
    unparsed(connection, ledger, &mut wrong);
    books(connection, &mut wrong);
    decisions(connection, vmdb, &saved, &mut wrong);
    cursor(connection, polled, &mut wrong);
    lanes(connection, &saved, ledger, &mut wrong);
    database(connection, &saved, &mut wrong);
    wrong
}

fn saved(connection: &Connection) -> Vec<Saved> {
    let mut query = connection
        .prepare(
            "SELECT e.id, m.name, e.event_key, n.digest, n.full_data FROM event_streams e \
             JOIN ext_management_systems m ON m.id = e.ems_id JOIN native_events n ON n.id = e.id ORDER BY e.id",
        )
        .unwrap();
    let rows = query.query_map([], |row| {
        Ok(Saved {
            id: row.get(0)?,
            ems: row.get(1)?,
            key: row.get(2)?,
            digest: row.get(3)?,
            full_data: row.get(4)?,
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// I1: what was answered is there, with its bytes. I2: nothing else is there, and nothing twice.
fn kept(saved: &[Saved], ledger: &[Entry], wrong: &mut Vec<String>) {
    let mut by_key: BTreeMap<(&str, &str), Vec<&Saved>> = BTreeMap::new();
    for one in saved {
        by_key.entry((&one.ems, &one.key)).or_default().push(one);
    }
    for entry in ledger {
        let found = by_key.remove(&(entry.ems, &*entry.key)).unwrap_or_default();
        match (entry.expected, &*found) {
            (Expected::Saved, [one]) if one.full_data == entry.body => (),
            (Expected::Saved, [one]) => wrong.push(format!("I1: {} is kept as {}", entry.key, one.full_data)),
            (Expected::Saved, []) if entry.answered => wrong.push(format!("I1: {} is lost", entry.key)),
            (Expected::Filtered | Expected::Unparsed, []) | (Expected::Saved, []) => (),
            (_, found) => wrong.push(format!("I2: {} is there {} times", entry.key, found.len())),
        }
    }
    wrong.extend(by_key.keys().map(|(_, key)| format!("I2: nobody sent {key}")));
}

fn unparsed(connection: &Connection, ledger: &[Entry], wrong: &mut Vec<String>) {
    let sql = "SELECT n.full_data FROM miq_queue q JOIN native_events n USING (id) WHERE q.kind = 1 AND q.state = 1";
    let mut query = connection.prepare(sql).unwrap();
    let rows = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let there: BTreeSet<String> = rows.map(Result::unwrap).collect();
    let mut expected = ledger.iter().filter(|entry| entry.expected == Expected::Unparsed);
    for entry in expected
        .by_ref()
        .filter(|entry| entry.answered && !there.contains(&entry.body))
    {
        wrong.push(format!("I1: {}, which no parser understands, is lost", entry.key));
    }
}

/// I4: everything that came in is somewhere, by the books and by the rows.
fn books(connection: &Connection, wrong: &mut Vec<String>) {
    let sql = "SELECT m.name, t.received, t.accepted, t.duplicate, t.filtered, t.refused, t.delivered, t.dead, t.discarded, \
         (SELECT count(*) FROM event_streams e WHERE e.ems_id = m.id), \
         (SELECT count(*) FROM miq_queue q WHERE q.ems_id = m.id AND q.kind <> 2), \
         (SELECT count(*) FROM miq_queue q WHERE q.ems_id = m.id AND q.state = 1) \
         FROM ext_management_systems m JOIN (SELECT ems_id, sum(received) received, sum(accepted) accepted, \
         sum(duplicate) duplicate, sum(filtered) filtered, sum(refused) refused, sum(delivered) delivered, \
         sum(dead) dead, sum(discarded) discarded FROM tallies GROUP BY ems_id) t ON t.ems_id = m.id";
    let mut query = connection.prepare(sql).unwrap();
    let mut rows = query.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let name: String = row.get(0).unwrap();
        let number = |column: usize| row.get::<_, i64>(column).unwrap();
        let [
            received,
            accepted,
            duplicate,
            filtered,
            refused,
            delivered,
            dead,
            discarded,
            events,
            queued,
            given_up,
        ] = std::array::from_fn(|index| number(index + 1));
        for (rule, left, right) in [
            ("received", received, accepted + duplicate + filtered + refused),
            ("accepted", accepted, delivered + discarded + queued),
            ("delivered", delivered, events),
            ("dead", dead, given_up),
        ] {
            if left != right {
                wrong.push(format!(
                    "I4: {name}: {rule} is {left} by the books, {right} by what is there"
                ));
            }
        }
    }
}

/// I9: each event has exactly the decisions that its recorded rules make. I5, I6: what they ask for is there, once.
fn decisions(connection: &Connection, vmdb: &Vmdb, saved: &[Saved], wrong: &mut Vec<String>) {
    let mut targets: BTreeMap<(i64, String, String), i64> = BTreeMap::new();
    let mut whole = BTreeSet::new();
    let mut effects: BTreeMap<(i64, String), i64> = BTreeMap::new();
    for one in saved {
        let shown = vmdb.event_show(EventId(one.id)).unwrap().unwrap();
        let ems = shown.stored.event.ems.as_ref().unwrap().id.0;
        for delivery in pure(one, &shown, wrong) {
            for target in delivery.targets().targets() {
                let reference = serde_json::to_string(&target.manager_ref).unwrap();
                *targets
                    .entry((ems, target.association.to_string(), reference))
                    .or_default() += 1;
            }
            for effect in &delivery.effects {
                match effect {
                    Effect::QueueFullRefresh { .. } => drop(whole.insert(ems)),
                    Effect::Outside { action } => {
                        *effects.entry((one.id, action.to_string())).or_default() += 1;
                    }
                    Effect::QueueRefresh { .. } | Effect::Builtin { .. } => (),
                }
            }
        }
    }
    let mut query = connection
        .prepare(
            "SELECT q.ems_id, t.association, t.manager_ref, sum(t.requests) FROM refresh_targets t \
             JOIN refresh_queue q ON q.id = t.refresh_id GROUP BY 1, 2, 3",
        )
        .unwrap();
    let rows = query.query_map([], |row| {
        Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?))
    });
    let queued: BTreeMap<_, i64> = rows.unwrap().map(Result::unwrap).collect();
    differ("I5: targets", &targets, &queued, wrong);
    let sql = "SELECT DISTINCT ems_id FROM refresh_queue WHERE full_reason IS NOT NULL";
    let mut query = connection.prepare(sql).unwrap();
    let queued: BTreeSet<i64> = query
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    if whole != queued {
        wrong.push(format!(
            "I5: managers {whole:?} are to be refreshed, {queued:?} wait"
        ));
    }
    let sql = "SELECT event_id, action, count(DISTINCT idempotency_key) FROM outbox GROUP BY 1, 2";
    let mut query = connection.prepare(sql).unwrap();
    let rows = query.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)));
    let queued: BTreeMap<_, i64> = rows.unwrap().map(Result::unwrap).collect();
    differ("I6: effects", &effects, &queued, wrong);
}

fn differ<K: Ord + std::fmt::Debug>(
    what: &str,
    expected: &BTreeMap<K, i64>,
    found: &BTreeMap<K, i64>,
    wrong: &mut Vec<String>,
) {
    let keys: BTreeSet<&K> = expected.keys().chain(found.keys()).collect();
    for key in keys.into_iter().filter(|key| expected.get(key) != found.get(key)) {
        let (expected, found) = (expected.get(key), found.get(key));
        wrong.push(format!(
            "{what}: {key:?} is wanted {expected:?} times and there {found:?} times"
        ));
    }
}

/// Decides again, run by run, and compares with what is recorded.
fn pure(saved: &Saved, shown: &ShownEvent, wrong: &mut Vec<String>) -> Vec<Delivery> {
    let event = Arc::new(shown.stored.event.clone());
    let (mut deliveries, mut resume) = (Vec::new(), None);
    for (run, recorded) in shown.deliveries.iter().enumerate() {
        let Some(set) = rules::sets().get(&recorded.rules_id.0) else {
            wrong.push(format!("I9: {} was decided by unknown rules", saved.key));
            continue;
        };
        if 0 < run && resume.is_none() {
            wrong.push(format!("I4: {} was decided {} times", saved.key, run + 1));
        }
        let context = Context {
            now: recorded.decided_at,
            resume: resume.take(),
            ..Context::at(event.received_at)
        };
        let delivery = set.deliver_within(&event, &context);
        let (again, recorded) = (decided(&delivery), as_recorded(recorded));
        if again != recorded {
            wrong.push(format!(
                "I9: {} was decided as\n{recorded}\nand again as\n{again}",
                saved.key
            ));
        }
        resume.clone_from(&delivery.retry);
        deliveries.push(delivery);
    }
    if deliveries.is_empty() || resume.is_some() {
        wrong.push(format!("I4: {} was not decided to its end", saved.key));
    }
    deliveries
}

fn decided(delivery: &Delivery) -> Value {
    comparable(&json!({
        "uri": delivery.trace.uri,
        "steps": delivery.trace.steps,
        "actions": delivery.trace.actions,
        "effects": delivery.effects,
        "errors": delivery.errors,
    }))
}

fn as_recorded(delivery: &StoredDelivery) -> Value {
    comparable(&json!({
        "uri": delivery.uri,
        "steps": delivery.steps,
        "actions": delivery.actions,
        "effects": delivery.effects,
        "errors": delivery.errors,
    }))
}

/// Without the times at which states were entered: those of the clock, not of the rules.
fn comparable(value: &Value) -> Value {
    static TIME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"20\d\d-\d\d-\d\d[ T][0-9:.]+( UTC|Z)").unwrap());
    let text = value.to_string();
    let text = TIME.replace_all(&text, |found: &regex::Captures<'_>| {
        // The time that an event names is data like any other.
        if found[0].starts_with("2026-01-01") {
            found[0].to_owned()
        } else {
            "[now]".to_owned()
        }
    });
    serde_json::from_str(&text).unwrap()
}

/// I7: the cursor stands at the end of the provider's list.
fn cursor(connection: &Connection, polled: usize, wrong: &mut Vec<String>) {
    let sql = "SELECT ifnull(max(CAST(position AS INTEGER)), 0) FROM cursors WHERE stream = 'poll'";
    let cursor: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    if usize::try_from(cursor).ok() != Some(polled) {
        wrong.push(format!("I7: the cursor is {cursor}, the provider has {polled}"));
    }
}

/// I8: in each lane events are in the order in which they were sent, and were decided one after another.
fn lanes(connection: &Connection, saved: &[Saved], ledger: &[Entry], wrong: &mut Vec<String>) {
    let places: BTreeMap<(&str, &str), (usize, &str)> = ledger
        .iter()
        .enumerate()
        .map(|(place, entry)| ((entry.ems, &*entry.key), (place, &*entry.lane)))
        .collect();
    let sql = "SELECT event_id, min(id), min(decided_at) FROM deliveries GROUP BY event_id";
    let mut query = connection.prepare(sql).unwrap();
    let rows = query.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
    let decided: BTreeMap<i64, (i64, i64)> = rows.unwrap().map(Result::unwrap).collect();
    let mut last: BTreeMap<&str, (usize, (i64, i64), &str)> = BTreeMap::new();
    for one in saved {
        let Some((place, lane)) = places.get(&(&*one.ems, &*one.key)) else {
            continue;
        };
        let Some((delivery, at)) = decided.get(&one.id) else {
            continue;
        };
        if let Some((before, (delivery_before, at_before), key)) = last.get(lane) {
            if place < before {
                wrong.push(format!("I8: {} came after {key} and was sent before", one.key));
            }
            if delivery < delivery_before || at < at_before {
                wrong.push(format!("I8: {} came after {key} and was decided before", one.key));
            }
        }
        last.insert(lane, (*place, (*delivery, *at), &one.key));
    }
}

/// I10: the database is sound, and every event has the digest of its bytes.
fn database(connection: &Connection, saved: &[Saved], wrong: &mut Vec<String>) {
    let found: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    if found != "ok" {
        wrong.push(format!("I10: {found}"));
    }
    let mut query = connection.prepare("PRAGMA foreign_key_check").unwrap();
    if query.exists([]).unwrap() {
        wrong.push("I10: a row refers to one that is not there".to_owned());
    }
    for one in saved {
        if Sha256::digest(one.full_data.as_bytes()).as_slice() != one.digest {
            wrong.push(format!("I10: {} has another digest than its bytes", one.key));
        }
    }
}
