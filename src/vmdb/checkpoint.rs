//! Empties the write-ahead log: when nothing happens, and when it has grown too large.
//!
//! SQLite moves what is in the log into the database by itself, every 1,000 pages. It begins the log anew only when
//! nobody reads any more what is in it, so one reader that stays makes it grow without end, and no error says so.

use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use tracing::warn;

use crate::vmdb::VmdbError;
use crate::vmdb::connection;
use crate::vmdb::open_reads::OpenReads;

/// How long readers are waited for before the oldest is ended.
const PATIENCE: Duration = Duration::from_millis(50);
/// How many readers are ended at once at most.
const MOST_ENDED: usize = 16;
/// How soon it is tried again where readers are in the way that do not end, such as those of other programs.
const AGAIN: Duration = Duration::from_millis(250);

/// Keeps the log small.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    limit: u64,
    not_before: Option<Instant>,
}

impl Checkpoint {
    /// Of a log that must not grow beyond `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            not_before: None,
        }
    }

    /// After a commit: where the log, of this size, is near its limit, empties it, and ends who is in the way.
    pub(crate) fn after_commit(&mut self, connection: &Connection, log_size: u64, reads: &OpenReads) {
        if log_size < self.limit / 4 * 3 || self.not_before.is_some_and(|time| Instant::now() < time) {
            return;
        }
        for _reader in 0..MOST_ENDED {
            match truncate(connection, PATIENCE) {
                Ok(true) => {
                    self.not_before = None;
                    return;
                }
                Ok(false) if reads.end_oldest() => {}
                Ok(false) => break,
                Err(error) => {
                    warn!(%error, "Cannot empty the write-ahead log.");
                    break;
                }
            }
        }
        if self.not_before.is_none() {
            warn!(
                bytes = log_size,
                "The write-ahead log cannot be emptied: somebody reads the database without end."
            );
        }
        self.not_before = Some(Instant::now() + AGAIN);
    }
}

/// Moves everything into the database and empties the log; false where somebody was in the way.
pub(crate) fn truncate(connection: &Connection, patience: Duration) -> Result<bool, VmdbError> {
    connection.busy_timeout(patience)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    connection.busy_timeout(connection::BUSY_TIMEOUT)?;
    Ok(busy? == 0)
}
