//! I6: what the receiver of the outside effects has in its own books, against what was decided.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::support::receiver::Received;

/// The states of the outbox that are an end.
const DEAD: i64 = 1;
const SENT: i64 = 3;

/// At rest: every effect came to its end; each that is for the receiver came to it, under one key with one body, in
/// the order of its lane, and again only in another life of the process.
///
/// That the outbox is what the decisions ask for is compared elsewhere.
pub(crate) fn compare(connection: &Connection, received: &[Received], wrong: &mut Vec<String>) {
    let sql =
        "SELECT idempotency_key, lane, state, (SELECT key FROM json_each(action)) FROM outbox ORDER BY id";
    let mut query = connection.prepare(sql).unwrap();
    let mut rows = query.query([]).unwrap();
    let mut decided: BTreeMap<String, String> = BTreeMap::new();
    let mut order: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(row) = rows.next().unwrap() {
        let (key, lane): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let (state, kind): (i64, String) = (row.get(2).unwrap(), row.get(3).unwrap());
        let end = if kind == "command" { DEAD } else { SENT };
        if state != end {
            wrong.push(format!("I6: the {kind} {key} is in state {state}, not {end}"));
        }
        if kind == "http" {
            order.entry(lane.clone()).or_default().push(key.clone());
            decided.insert(key, lane);
        }
    }
    let mut came: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut bodies: BTreeMap<&str, &[u8]> = BTreeMap::new();
    let mut lives = BTreeSet::new();
    for one in received {
        let key = one.key();
        match bodies.insert(key, &one.body) {
            None => match decided.get(key) {
                Some(lane) => came.entry(lane.clone()).or_default().push(key.to_owned()),
                None => wrong.push(format!(
                    "I6: nobody decided on {key}, and it came: {}",
                    one.text()
                )),
            },
            Some(before) if before != one.body => {
                wrong.push(format!("I6: {key} came again with another body: {}", one.text()));
            }
            Some(_same) => (),
        }
        if !lives.insert((key, one.header("x-life"))) {
            wrong.push(format!("I6: {key} came twice in one life of the process"));
        }
    }
    let lost = decided.keys().filter(|key| !bodies.contains_key(&***key));
    wrong.extend(lost.map(|key| format!("I6: {key} never came")));
    for (lane, keys) in came {
        let expected: Vec<&String> = order[&lane].iter().filter(|key| keys.contains(key)).collect();
        if expected != keys.iter().collect::<Vec<_>>() {
            wrong.push(format!(
                "I6: in {lane} came {keys:?}, and decided was {expected:?}"
            ));
        }
    }
}
