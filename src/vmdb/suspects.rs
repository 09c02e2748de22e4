//! What a process had in hand when it ended may have ended it: tried once more, alone, then given up.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::TransactionBehavior;
use rusqlite::params;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::vmdb::MessageState;
use crate::vmdb::VmdbError;
use crate::vmdb::tallies::Books;

/// A message that was in hand twice when the process ended is not tried a third time.
const MOST_CRASHES: i64 = 2;
const CRASHED: &str = "the process ended while this message was being handled";

/// At the start: what the last process had in hand may have ended it. Each is tried once more, alone.
pub(crate) fn free_what_was_taken(
    connection: &mut Connection,
    taken: &[i64],
    now: Timestamp,
) -> Result<(), VmdbError> {
    if taken.is_empty() {
        return Ok(());
    }
    // All or none: what ends meanwhile is to count for none of them.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut books = Books::default();
    for id in taken {
        let found = transaction
            .query_row(
                "SELECT crashes + 1, lane IS NOT NULL, ems_id FROM miq_queue WHERE id = ?1 AND state IN (0, 2)",
                [id],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, EmsId(row.get(2)?))),
            )
            .optional()?;
        let Some((crashes, has_lane, ems_id)) = found else {
            continue;
        };
        let state = match (crashes < MOST_CRASHES, has_lane) {
            (true, _) => MessageState::Waiting,
            (false, true) => MessageState::Parked,
            (false, false) => MessageState::Dead,
        };
        transaction.execute(
            "UPDATE miq_queue SET crashes = ?2, state = ?3, due = ?4, error = ?5 WHERE id = ?1",
            params![id, crashes, state.number(), now.as_microsecond(), CRASHED],
        )?;
        if state == MessageState::Dead {
            books.of(ems_id).dead += 1;
        }
    }
    books.write(&transaction, now)?;
    Ok(transaction.commit()?)
}
