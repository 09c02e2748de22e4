//! Looks at a database with a plain connection and says what it holds, in the words of the ledger.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::Row;
use switchboard::model::clock::Clock;
use switchboard::vmdb::PutOutcome;

use crate::ledger::Books;
use crate::ledger::Held;
use crate::ledger::Ledger;
use crate::ledger::Number;
use crate::ledger::Waiting;
use crate::ledger::full_data;
use crate::work;

/// Whether the database in this file may be what is left of what the ledger tells. Says what is wrong.
pub fn check(path: &Path, ledger: &Ledger) -> Result<Held, String> {
    let possible = ledger.possible();
    let found = look(path)?;
    match possible.contains(&found) {
        true => Ok(found),
        false => Err(format!(
            "this was kept:\n{found:?}\nthis was promised:\n{:?}\n({} more states were possible)",
            ledger.promised(),
            possible.len() - 1
        )),
    }
}

/// Whether the program starts with what is left in this folder, and goes on. Says what is wrong.
///
/// # Panics
/// When it starts and cannot go on.
pub fn open(folder: &Path, ledger: &Ledger) -> Result<(), String> {
    let path = folder.join(work::NAME);
    let vmdb = work::open(folder, &Clock::manual(work::noon()))
        .map_err(|error| format!("cannot be read: {error}"))?;
    let held: Held = check(&path, ledger)?;
    assert_eq!(
        vmdb.event_count().expect("a database that goes on"),
        held.events.len() as u64
    );
    let Some(ems) = vmdb.ems_by_name("cloud").expect("a database that goes on") else {
        return Ok(());
    };
    // Whatever is sent again is known where it is saved.
    let numbers: Vec<u32> = held.events.keys().copied().chain([u32::MAX - 1]).collect();
    let again: Vec<_> = numbers.iter().map(|number| work::event(&ems, *number)).collect();
    let outcomes = vmdb.put(again).wait().expect("a database that goes on");
    for (number, outcome) in numbers.iter().zip(outcomes) {
        let is_known = matches!(outcome, PutOutcome::Duplicate(_));
        if is_known != held.events.contains_key(number) {
            return Err(format!("event {number} came again: {outcome:?}"));
        }
    }
    vmdb.close();
    Ok(())
}

/// What the database holds. An error where it is damaged, or holds what it cannot have been given.
pub fn look(path: &Path) -> Result<Held, String> {
    let connection = Connection::open(path).map_err(|error| error.to_string())?;
    look_at(&connection).map_err(|error| format!("the database cannot be read: {error}"))?
}

fn look_at(connection: &Connection) -> rusqlite::Result<Result<Held, String>> {
    let found: String = connection.pragma_query_value(None, "integrity_check", |row| row.get(0))?;
    if found != "ok" {
        return Ok(Err(format!("integrity_check says `{found}`")));
    }
    if connection.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Ok(Err("foreign_key_check found something".to_owned()));
    }
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        return Ok(match tables {
            0 => Ok(Held::default()),
            _some => Err("half a schema".to_owned()),
        });
    }
    let natives: Vec<(i64, String)> = all(connection, "SELECT id, full_data FROM native_events", |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let mut numbers = std::collections::BTreeMap::new();
    for (id, text) in natives {
        match number_in(&text).filter(|number| full_data(*number) == text) {
            Some(number) => numbers.insert(id, number),
            None => return Ok(Err(format!("native event {id} was never sent"))),
        };
    }
    let number = |id: i64| numbers.get(&id).copied().unwrap_or(Number::MAX);
    let mut held = Held {
        ems: all(connection, "SELECT name FROM ext_management_systems", |row| {
            row.get(0)
        })?
        .into_iter()
        .collect(),
        books: books(connection)?,
        ..Held::default()
    };
    let queue = "SELECT id, kind, attempts, state, payload ->> 'event' FROM miq_queue";
    let queue: Vec<(i64, i64, u32, i64, Option<i64>)> = all(connection, queue, |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
    })?;
    for (id, kind, attempts, state, event) in &queue {
        let is_new = match (kind, event) {
            (2, Some(event)) => held.going_on.insert(number(*event)),
            _other => {
                let waiting = Waiting {
                    attempts: *attempts,
                    is_dead: *state == 1,
                };
                held.queue.insert(number(*id), waiting).is_none()
            }
        };
        if !is_new {
            return Ok(Err(format!("message {id} is on the queue twice")));
        }
    }
    let events: Vec<(i64, String, u32)> = all(
        connection,
        "SELECT e.id, e.event_key, (SELECT count(*) FROM deliveries d WHERE d.event_id = e.id) FROM event_streams e",
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    for (id, key, runs) in events {
        if key != format!("k{}", number(id)) || held.events.insert(number(id), runs).is_some() {
            return Ok(Err(format!(
                "event {id} with key {key} is there twice or of another message"
            )));
        }
    }
    if numbers.len() != held.events.len() + held.queue.len() {
        return Ok(Err(
            "a native event without a message and without an event, or the reverse".to_owned(),
        ));
    }
    held.effects = all(connection, "SELECT idempotency_key FROM outbox", |row| row.get(0))?
        .into_iter()
        .collect();
    held.targets = all(
        connection,
        "SELECT manager_ref ->> 'ems_ref', requests FROM refresh_targets",
        |row| Ok((row.get::<_, String>(0)?.parse().unwrap_or(u32::MAX), row.get(1)?)),
    )?
    .into_iter()
    .collect();
    let refreshed: Vec<i64> = all(connection, "SELECT event_id FROM event_refreshes", |row| {
        row.get(0)
    })?;
    held.refreshed = refreshed.into_iter().map(number).collect();
    held.cursors = all(
        connection,
        "SELECT stream, CAST(position AS INTEGER) FROM cursors",
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?
    .into_iter()
    .collect();
    Ok(Ok(held))
}

fn books(connection: &Connection) -> rusqlite::Result<Books> {
    let sum = |column: &str| -> rusqlite::Result<i64> {
        let sql = format!("SELECT ifnull(sum({column}), 0) FROM tallies");
        connection.query_row(&sql, [], |row| row.get(0))
    };
    Ok(Books {
        received: sum("received")?,
        accepted: sum("accepted")?,
        duplicate: sum("duplicate")?,
        filtered: sum("filtered")?,
        delivered: sum("delivered")?,
        dead: sum("dead")?,
        discarded: sum("discarded")?,
    })
}

fn number_in(text: &str) -> Option<Number> {
    let (_, rest) = text.split_once("\"number\": ")?;
    rest.split_once(',')?.0.parse().ok()
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare(sql)?.query_map([], read)?.collect()
}
