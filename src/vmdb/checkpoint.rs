//! Moves the write-ahead log into the database, and empties it when nothing happens or when it has grown too large.
//!
//! SQLite would move it by itself, as the last part of a commit. Here that is done after the commit was told of: those
//! who wait for it need nothing but the log. SQLite begins the log anew only when nobody reads any more what is in it,
//! so one reader that stays makes it grow without end, and no error says so.

use std::sync::Arc;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use tracing::warn;

use crate::vmdb::VmdbError;
use crate::vmdb::connection;
use crate::vmdb::open_reads::OpenReads;

/// Pages in the log from which on it is moved while nobody waits for the writer.
const PAGES: i32 = 1_000;
/// Pages from which on it is moved whoever waits. Under load a page is written again and again, and moved once.
const MOST_PAGES: i32 = 4_000;
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
    /// How many pages were in the log after the last commit.
    pages: Arc<AtomicI32>,
    has_failed: bool,
}

impl Checkpoint {
    /// Of a log that must not grow beyond `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            not_before: None,
            pages: Arc::default(),
            has_failed: false,
        }
    }

    /// From now on this connection tells how much is in the log, and does not move it by itself.
    pub(crate) fn follow(&self, connection: &mut Connection) -> Result<(), VmdbError> {
        let pages = self.pages.clone();
        connection.wal_hook(Some(move |_: &mut Wal, in_log| {
            pages.store(in_log, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(())
    }

    /// Whether what is in the log could not be moved the last time.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// After a commit: moves what is in the log, where it is time to; `is_awaited` where others wait for the writer.
    /// Who reads does not hold it up: the rest is moved another time.
    pub(crate) fn after_commit(
        &mut self,
        connection: &Connection,
        is_awaited: bool,
    ) -> Result<(), VmdbError> {
        let least = if is_awaited { MOST_PAGES } else { PAGES };
        if self.pages.load(Ordering::Relaxed) < least && !self.has_failed {
            return Ok(());
        }
        let moved = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        self.has_failed = moved.is_err();
        Ok(moved?)
    }

    /// After that: where the log, of this size, is near its limit, empties it, and ends who is in the way.
    pub(crate) fn keep_within_limit(&mut self, connection: &Connection, log_size: u64, reads: &OpenReads) {
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
