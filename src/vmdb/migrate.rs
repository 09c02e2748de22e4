//! Brings a database to the schema of this program, one transaction a step.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::TransactionBehavior;

use crate::crash_point::crash_point;
use crate::model::clock::Timestamp;
use crate::vmdb::VmdbError;
use crate::vmdb::connection::APPLICATION_ID;
use crate::vmdb::process_lock::beside;

/// Every step, in order; step n leads to schema n + 1. A step that was released is never changed.
const STEPS: &[&str] = &[
    include_str!("schema/0001.sql"),
    include_str!("schema/0002.sql"),
    include_str!("schema/0003.sql"),
    include_str!("schema/0004.sql"),
    include_str!("schema/0005.sql"),
    include_str!("schema/0006.sql"),
    include_str!("schema/0007.sql"),
    include_str!("schema/0008.sql"),
];

/// Applies the steps that are missing. A database with older contents is copied beside itself first.
///
/// # Errors
/// When a step fails; the database is then as it was.
pub(crate) fn migrate(connection: &mut Connection, path: &Path, now: Timestamp) -> Result<(), VmdbError> {
    let (known, found) = (known(), version(connection)?);
    if 0 < found && found < known {
        let copy = beside(path, &format!("before-schema-{known}"));
        connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    }
    for (step, to) in STEPS.iter().zip(1_i64..).filter(|(_, to)| found < *to) {
        crash_point!("start.before_migration");
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Read again within the transaction: another process may have been faster.
        if version(&transaction)? < to {
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", to)?;
        }
        if to == 1 && found == 0 {
            transaction.execute(
                "INSERT INTO appliance (id, created_at, last_id, clean_shutdown) VALUES (1, ?1, 0, 1) \
                 ON CONFLICT DO NOTHING",
                [now.as_microsecond()],
            )?;
        }
        crash_point!("start.in_migration");
        transaction.commit()?;
        crash_point!("start.after_migration");
    }
    Ok(())
}

/// Refuses a database of a newer program, before anything of it is touched.
pub(crate) fn check_not_newer(connection: &Connection, path: &Path) -> Result<(), VmdbError> {
    let (known, found) = (known(), version(connection)?);
    if found <= known {
        return Ok(());
    }
    Err(VmdbError::Newer {
        path: path.to_path_buf(),
        found,
        known,
    })
}

pub(crate) fn known() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

pub(crate) fn version(connection: &Connection) -> Result<i64, VmdbError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::Connection;
    use rusqlite::params;

    use super::APPLICATION_ID;
    use super::STEPS;
    use super::migrate;
    use super::version;
    use crate::model::clock::Clock;
    use crate::model::clock::Timestamp;
    use crate::vmdb::Audit;
    use crate::vmdb::DatabaseUrl;
    use crate::vmdb::digest_index::DigestIndex;
    use crate::vmdb::event_keys;
    use crate::vmdb::event_refs;

    /// A database as it was before the step that holds these words.
    fn older(path: &Path, words: &str) -> Connection {
        let connection = Connection::open(path).unwrap();
        let before = STEPS.iter().position(|step| step.contains(words)).unwrap();
        for step in &STEPS[..before] {
            connection.execute_batch(step).unwrap();
        }
        let before = i64::try_from(before).unwrap();
        connection
            .pragma_update(None, "application_id", APPLICATION_ID)
            .unwrap();
        connection.pragma_update(None, "user_version", before).unwrap();
        connection
    }

    #[test]
    fn what_was_saved_before_there_were_counts_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let mut connection = older(&path, "CREATE TABLE event_minutes");
        connection
            .execute_batch(
                "INSERT INTO ext_management_systems (id, name, provider, enabled, created_at) VALUES (1, 'one', 'p', 1, 0)",
            )
            .unwrap();
        // Before the epoch and behind it, at the ends of minutes and of hours, with a time of their own and without.
        for (number, second) in [-7_200_i64, -3_601, -3_600, -1, 0, 59, 60, 3_599, 3_600, 3_600]
            .into_iter()
            .enumerate()
        {
            for (micros, has_time) in [(0, true), (1, false), (999_999, true)] {
                let time = second * 1_000_000 + micros;
                connection
                    .execute(
                        "INSERT INTO event_streams (ems_id, class, event_type, source, event_key, timestamp, \
                         received_at, group_name, level, attributes) \
                         VALUES (1, 'EmsEvent', ?1, 's', ?2, ?3, ?4, 'power', 'detail', '{}')",
                        params![
                            format!("type {}", number % 2),
                            time.to_string(),
                            has_time.then_some(time),
                            if has_time { 0 } else { time }
                        ],
                    )
                    .unwrap();
            }
        }
        migrate(&mut connection, &path, Timestamp::UNIX_EPOCH).unwrap();
        drop(connection);
        let mut found = Vec::new();
        Audit::open(&DatabaseUrl::sqlite(&path))
            .unwrap()
            .check(&Clock::System, |finding| found.push(finding))
            .unwrap();
        // The rest of what such events have is not made up here.
        found.retain(|finding| ["CountsDiffer", "Unreadable"].contains(&finding.code));
        assert_eq!(found, []);
    }

    #[test]
    fn digests_of_a_row_each_are_found_in_the_row_that_they_share() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let mut connection = older(&path, "old_event_keys");
        let digests = [
            0,
            1,
            0x0123_4567_89AB_CDEF,
            i64::MAX.cast_unsigned(),
            u64::MAX,
            1 << 63,
        ];
        for (digest, event) in digests.into_iter().zip(1_i64..) {
            for table in ["event_keys", "event_refs"] {
                let sql = format!("INSERT INTO {table} (event_id, digest) VALUES (?1, ?2)");
                connection.execute(&sql, [event, digest.cast_signed()]).unwrap();
            }
        }
        migrate(&mut connection, &path, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(version(&connection).unwrap(), super::known());
        for tables in [event_keys::TABLES, event_refs::TABLES] {
            let index = DigestIndex::load(&connection, tables).unwrap();
            for (digest, event) in digests.into_iter().zip(1_i64..) {
                assert_eq!(index.find(&connection, digest).unwrap(), [event], "{digest:x}");
            }
        }
    }
    #[test]
    fn what_was_left_of_managers_that_were_removed_is_archived_with_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let mut connection = older(&path, "ADD COLUMN kept_at");
        connection
            .execute_batch(
                "INSERT INTO ext_management_systems (id, name, provider, enabled, created_at, removed_at) \
                 VALUES (1, 'one', 'p', 0, 0, 7), (2, 'one', 'p', 1, 8, NULL);
                 INSERT INTO inventory_objects \
                 (id, ems_id, association, manager_ref, attributes, created_at, updated_at, archived_on) VALUES \
                 (1, 1, 'vms', 'a', '{}', 1, 1, NULL), (2, 1, 'vms', 'b', '{}', 1, 3, 3), \
                 (3, 2, 'vms', 'a', '{}', 9, 9, NULL);
                 INSERT INTO cursors (ems_id, stream, position, saved_at) VALUES (2, 'poll', '5', 11);",
            )
            .unwrap();
        migrate(&mut connection, &path, Timestamp::UNIX_EPOCH).unwrap();
        let archived: String = connection
            .query_row(
                "SELECT group_concat(ifnull(archived_on, '-')) FROM inventory_objects",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(archived, "7,3,-");
        let history: String = connection
            .query_row(
                "SELECT group_concat(object_id || ' ' || change || ' ' || changed_at || ' ' || before) \
                 FROM inventory_history",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(history, "1 archived 7 {}");
        let kept: i64 = connection
            .query_row("SELECT kept_at FROM cursors", [], |row| row.get(0))
            .unwrap();
        assert_eq!(kept, 11);
    }
}
