//! What concerns many rows at once: the index of keys, the outbox, what is to go on later, the queue.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::model::clock::SignedDuration;
use crate::model::clock::Timestamp;
use crate::vmdb::VmdbError;
use crate::vmdb::audit::events::Seen;
use crate::vmdb::audit::finding::Finding;
use crate::vmdb::audit::finding::RESTORE;
use crate::vmdb::audit::finding::Report;
use crate::vmdb::codec;
use crate::vmdb::digest_index;
use crate::vmdb::event_keys;

/// A message that is due for longer than this waits in vain.
const OVERDUE: SignedDuration = SignedDuration::from_hours(1);

/// One event per manager and key, and the index leads to each: else it would be saved again.
pub(crate) fn keys(
    connection: &Connection,
    seen: &mut Seen,
    report: &mut Report<'_>,
) -> Result<(), VmdbError> {
    // After the events were read: what was saved meanwhile is not missed.
    let transaction = connection.unchecked_transaction()?;
    let mut indexed = digest_index::all(&transaction, event_keys::TABLES)?;
    drop(transaction);
    indexed.sort_unstable();
    let mut event_there = connection.prepare("SELECT 1 FROM event_streams WHERE id = ?1")?;
    for entry in &seen.keys {
        // What was purged since it was read may have left the index, too.
        if indexed.binary_search(entry).is_err() && event_there.exists([entry.0])? {
            let message = "the index of keys does not know it: sent again, it would be saved a second time";
            report.add(Finding::error(
                "KeyMissing",
                format!("event {}", entry.0),
                message,
                RESTORE,
            ));
        }
    }
    seen.keys.sort_unstable_by_key(|(id, digest)| (*digest, *id));
    for pair in seen.keys.windows(2) {
        let [(first, digest), (second, same)] = pair else {
            continue;
        };
        if digest == same && is_same_key(connection, *first, *second)? {
            let message = format!("has the key of event {first}: it was saved twice");
            report.add(Finding::error(
                "SavedTwice",
                format!("event {second}"),
                message,
                RESTORE,
            ));
        }
    }
    Ok(())
}

fn is_same_key(connection: &Connection, first: i64, second: i64) -> Result<bool, VmdbError> {
    let mut query = connection.prepare_cached(
        "SELECT 1 FROM event_streams a JOIN event_streams b ON a.ems_id = b.ems_id AND a.event_key = b.event_key \
         WHERE a.id = ?1 AND b.id = ?2",
    )?;
    let found = query.query_row(params![first, second], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// Outside effects are told apart by their keys.
pub(crate) fn outbox(connection: &Connection, report: &mut Report<'_>) -> Result<(), VmdbError> {
    let sql = "SELECT idempotency_key, count(*), min(event_id) FROM outbox GROUP BY 1 HAVING count(*) > 1";
    let mut query = connection.prepare(sql)?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (key, count, event): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let message = format!("{count} entries of the outbox have the idempotency key {key}");
        report.add(Finding::error(
            "EffectTwice",
            format!("event {event}"),
            message,
            RESTORE,
        ));
    }
    Ok(())
}

/// What is to go on later waits on the queue, and what waits there has its event.
pub(crate) fn retries(
    connection: &Connection,
    seen: &Seen,
    report: &mut Report<'_>,
) -> Result<(), VmdbError> {
    let transaction = connection.unchecked_transaction()?;
    let sql =
        "SELECT id, json_extract(payload, '$.event') FROM miq_queue WHERE kind = 2 AND json_valid(payload)";
    let mut query = transaction.prepare(sql)?;
    let rows = query.query_map([], |row| {
        Ok((row.get::<_, Option<i64>>(1)?, row.get::<_, i64>(0)?))
    })?;
    let mut waiting = rows.collect::<Result<Vec<_>, _>>()?;
    waiting.sort_unstable();
    let mut event_there = transaction.prepare("SELECT 1 FROM event_streams WHERE id = ?1")?;
    for (event, message) in &waiting {
        if event_there.query_row([event], |_| Ok(())).optional()?.is_none() {
            let message_text = "is to go on with an event that is gone";
            report.add(Finding::error(
                "Orphan",
                format!("message {message}"),
                message_text,
                RESTORE,
            ));
        }
    }
    let mut last_state =
        transaction.prepare("SELECT state FROM deliveries WHERE event_id = ?1 ORDER BY id DESC LIMIT 1")?;
    for event in &seen.to_be_continued {
        let at = waiting.partition_point(|(known, _)| *known < Some(*event));
        let waits = waiting.get(at).is_some_and(|(known, _)| *known == Some(*event));
        // It may have gone on since its events were read.
        let state: Option<String> = last_state.query_row([event], |row| row.get(0)).optional()?;
        if !waits && state.as_deref() == Some("retry") {
            let message = "its state machine is to go on later, and no message for that waits";
            let help = "no wonder where that message was discarded; else restore a backup";
            report.add(Finding::warning(
                "RetryMissing",
                format!("event {event}"),
                message,
                help,
            ));
        }
    }
    Ok(())
}

/// Messages stand in one of the states that there are, and those that are due are taken.
pub(crate) fn queue(
    connection: &Connection,
    now: Timestamp,
    is_served: bool,
    report: &mut Report<'_>,
) -> Result<(), VmdbError> {
    let sql = "SELECT id, state, due, kind, json_valid(payload) FROM miq_queue \
               WHERE state NOT IN (0, 1, 2, 3) OR (state = 2 AND due IS NULL) OR (state = 3 AND lane IS NULL) \
               OR kind NOT IN (0, 1, 2) OR NOT json_valid(payload)";
    let mut query = connection.prepare(sql)?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let message = format!(
            "has state {}, kind {}, which no handler would take",
            row.get::<_, i64>(1)?,
            row.get::<_, i64>(3)?
        );
        let place = format!("message {}", row.get::<_, i64>(0)?);
        report.add(Finding::error("MessageState", place, message, RESTORE));
    }
    if !is_served {
        return Ok(());
    }
    let since = now
        .saturating_sub(OVERDUE)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .as_microsecond();
    let sql = "SELECT id, due FROM miq_queue WHERE state = 2 AND due < ?1 ORDER BY due LIMIT 1";
    let first = connection.query_row(sql, [since], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)));
    if let Some((id, due)) = first.optional()? {
        let message = format!("is due since {}, and nothing takes it", codec::time(due));
        let help = "look at the log and at /readyz of the process that serves the database";
        report.add(Finding::warning(
            "Overdue",
            format!("message {id}"),
            message,
            help,
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::keys;
    use crate::vmdb::audit::events::Seen;
    use crate::vmdb::audit::finding::Report;

    #[test]
    fn a_key_that_left_the_index_is_missing_where_its_event_is_still_there() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE event_streams (id INTEGER PRIMARY KEY, ems_id INTEGER, event_key TEXT);
                 CREATE TABLE event_keys (id INTEGER PRIMARY KEY, entries BLOB);
                 CREATE TABLE event_key_pages (id INTEGER PRIMARY KEY, entries BLOB);
                 INSERT INTO event_streams VALUES (2, 1, 'b'), (3, 1, 'c');
                 INSERT INTO event_keys VALUES (1, x'00000000000000370000000000000003');",
            )
            .unwrap();
        // The first was purged since it was seen.
        let mut seen = Seen::default();
        seen.keys = vec![(1, 0x35), (2, 0x36), (3, 0x37)];
        let mut found = Vec::new();
        let mut take = |finding| found.push(finding);
        keys(&connection, &mut seen, &mut Report::new(&mut take)).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|finding| (finding.code, &*finding.place))
            .collect();
        assert_eq!(found, [("KeyMissing", "event 2")]);
    }
}
