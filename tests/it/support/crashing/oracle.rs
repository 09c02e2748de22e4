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
use switchboard::model::clock::Clock;
use switchboard::model::delivery::Delivery;
use switchboard::model::delivery::Effect;
use switchboard::model::event::EventId;
use switchboard::source::Severity;
use switchboard::switchboard::Context;
use switchboard::verify::ledger;
use switchboard::verify::oracle;
use switchboard::vmdb::DatabaseUrl;
use switchboard::vmdb::Finding;
use switchboard::vmdb::ShownEvent;
use switchboard::vmdb::StoredDelivery;
use switchboard::vmdb::Vmdb;

use crate::support::crashing::effects;
use crate::support::crashing::ledger::Entry;
use crate::support::crashing::ledger::Expected;
use crate::support::crashing::ledger::Ledger;
use crate::support::crashing::rules::Sets;
use crate::support::receiver::Received;

/// Why a manager is read that no event asks for.
const NEVER_READ: &str = "nothing of this manager was ever read";

/// An event as it is saved.
pub(crate) struct Saved {
    id: i64,
    ems: String,
    key: String,
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

/// What is compared at rest.
pub(crate) struct AtRest<'a> {
    pub(crate) database: &'a DatabaseUrl,
    pub(crate) connection: &'a Connection,
    pub(crate) vmdb: &'a Vmdb,
    /// The rules that decided.
    pub(crate) sets: &'a Sets,
}

impl AtRest<'_> {
    /// What was sent, against what is there: by events, by their decisions, by the receiver of their effects.
    pub(crate) fn compare(&self, ledger: &Ledger, polled: usize, received: &[Received]) -> Vec<String> {
        let saved = saved(self.connection);
        let mut wrong = Vec::new();
        self.as_users_do(&ledger.wanted(), &mut wrong);
        self.decisions(&saved, &mut wrong);
        effects::compare(self.connection, received, &mut wrong);
        cursor(self.connection, polled, &mut wrong);
        lanes(self.connection, &saved, &ledger.entries(), &mut wrong);
        wrong
    }

    /// I1 to I4, and I10, by what users check theirs with: `switchboard verify --ledger`.
    pub(crate) fn as_users_do(&self, ledger: &ledger::Ledger, wrong: &mut Vec<String>) {
        let tell = |finding: Finding| {
            let rule = match finding.code {
                _ if finding.severity == Severity::Warning => return,
                "Lost" | "Changed" => "I1",
                "NotSent" | "SavedTwice" => "I2",
                "BooksDiffer" | "InTwoPlaces" | "RetryMissing" => "I4",
                "EffectTwice" => "I6",
                "LaneOrder" => "I8",
                _ => "I10",
            };
            wrong.push(format!("{rule}: {finding}"));
        };
        oracle::check(self.database, ledger, &Clock::System, tell).unwrap();
    }

    /// I9: each event has exactly the decisions that its recorded rules make. I5, I6: what they ask for is there, once.
    pub(crate) fn decisions(&self, saved: &[Saved], wrong: &mut Vec<String>) {
        let connection = self.connection;
        let mut targets: BTreeMap<(i64, String, String), i64> = BTreeMap::new();
        let mut whole = BTreeSet::new();
        let mut effects: BTreeMap<(i64, String), i64> = BTreeMap::new();
        for one in saved {
            let shown = self.vmdb.event_show(EventId(one.id)).unwrap().unwrap();
            let ems = shown.stored.event.ems.as_ref().unwrap().id.0;
            for delivery in pure(self.sets, one, &shown, wrong) {
                for effect in &delivery.effects {
                    match effect {
                        Effect::QueueFullRefresh { .. } => drop(whole.insert(ems)),
                        Effect::Outside { action } => {
                            *effects.entry((one.id, action.to_string())).or_default() += 1;
                        }
                        // Each effect is a request of its own, also where two of a decision name one object.
                        Effect::QueueRefresh { targets: asked } => {
                            for target in asked.targets() {
                                let reference = serde_json::to_string(&target.manager_ref).unwrap();
                                let target = (ems, target.association.to_string(), reference);
                                *targets.entry(target).or_default() += 1;
                            }
                        }
                        Effect::UpdateInventory { .. } | Effect::Builtin { .. } => (),
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
        // Nobody has to ask for the first one of a manager that can be read.
        let sql = "SELECT DISTINCT ems_id, full_reason FROM refresh_queue WHERE full_reason IS NOT NULL";
        let mut query = connection.prepare(sql).unwrap();
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        let queued: BTreeSet<(i64, String)> = rows.unwrap().map(Result::unwrap).collect();
        let is_asked = |ems: &i64| queued.iter().any(|(queued, _)| queued == ems);
        let is_wanted = |(ems, why): &(i64, String)| whole.contains(ems) || why == NEVER_READ;
        if !whole.iter().all(is_asked) || !queued.iter().all(is_wanted) {
            wrong.push(format!(
                "I5: managers {whole:?} are to be refreshed, of these it was asked for: {queued:?}"
            ));
        }
        let sql = "SELECT event_id, action, count(DISTINCT idempotency_key) FROM outbox GROUP BY 1, 2";
        let mut query = connection.prepare(sql).unwrap();
        let rows = query.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)));
        let queued: BTreeMap<_, i64> = rows.unwrap().map(Result::unwrap).collect();
        differ("I6: effects", &effects, &queued, wrong);
    }
}

pub(crate) fn saved(connection: &Connection) -> Vec<Saved> {
    let mut query = connection
        .prepare(
            "SELECT e.id, m.name, e.event_key FROM event_streams e \
             JOIN ext_management_systems m ON m.id = e.ems_id ORDER BY e.id",
        )
        .unwrap();
    let rows = query.query_map([], |row| {
        Ok(Saved {
            id: row.get(0)?,
            ems: row.get(1)?,
            key: row.get(2)?,
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
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
fn pure(sets: &Sets, saved: &Saved, shown: &ShownEvent, wrong: &mut Vec<String>) -> Vec<Delivery> {
    let event = Arc::new(shown.stored.event.clone());
    let (mut deliveries, mut resume) = (Vec::new(), None);
    for (run, recorded) in shown.deliveries.iter().enumerate() {
        let Some(set) = sets.get(&recorded.rules_id.0) else {
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
        let mut delivery = set.deliver_within(&event, &context);
        let (again, recorded) = (decided(&delivery), as_recorded(recorded));
        if knew_the_object(&recorded) {
            // Here inventory is unknown, so the second decision refreshes the object that the first one changed.
            let is_refresh = |effect: &&Value| effect["effect"] == "queue_refresh";
            let asked = effects_of(&recorded).iter().filter(is_refresh).count();
            delivery.effects.truncate(asked);
        } else if again != recorded {
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

fn effects_of(decision: &Value) -> &[Value] {
    decision["effects"].as_array().unwrap()
}

/// Whether a decision found the object of its event in inventory and changed it. What a decision looks up is not
/// recorded with it, so such a one cannot be made again word for word.
fn knew_the_object(decision: &Value) -> bool {
    effects_of(decision)
        .iter()
        .any(|effect| effect["effect"] == "update_inventory")
}

fn decided(delivery: &Delivery) -> Value {
    comparable(&json!({
        "uri": without_links(&delivery.trace.uri),
        "steps": delivery.trace.steps,
        "actions": delivery.trace.actions,
        "effects": delivery.effects,
        "errors": delivery.errors,
    }))
}

fn as_recorded(delivery: &StoredDelivery) -> Value {
    comparable(&json!({
        "uri": without_links(delivery.uri.as_str().unwrap()),
        "steps": delivery.steps,
        "actions": delivery.actions,
        "effects": delivery.effects,
        "errors": delivery.errors,
    }))
}

/// A URI without the objects that its event is linked to: a refresh links an event to the object that it has read,
/// after the event was decided.
fn without_links(uri: &str) -> String {
    static LINK: LazyLock<Regex> = LazyLock::new(|| {
        let link = "&(?:(?:VmOrTemplate|Host)%3A%3A(?:dest_)?(?:vm|host)|(?:dest_)?(?:vm|host)_id)=[0-9]+";
        Regex::new(link).unwrap()
    });
    LINK.replace_all(uri, "").into_owned()
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
