//! Connections that only read, so that looking never waits for the writer. Each look is short: it has a deadline, and
//! is ended before that where the write-ahead log has grown too large meanwhile.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::Transaction;

use crate::vmdb::VmdbError;
use crate::vmdb::connection;
use crate::vmdb::open_reads::OpenReads;

/// An open reader keeps the write-ahead log from being reset, so none may stay open longer.
const DEADLINE: Duration = Duration::from_secs(10);
/// How many steps of SQLite's machine lie between two looks at the clock.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;
const KEPT: usize = 4;

#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    open: Arc<OpenReads>,
}

impl Readers {
    pub(crate) fn new(path: &Path, open: Arc<OpenReads>) -> Self {
        Self {
            path: path.to_path_buf(),
            idle: Mutex::default(),
            open,
        }
    }

    /// Runs `look` over one consistent state of the database.
    pub(crate) fn read<T>(
        &self,
        look: impl FnOnce(&Transaction<'_>) -> Result<T, VmdbError>,
    ) -> Result<T, VmdbError> {
        let idle = self.idle.lock().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => connection::open_reader(&self.path)?,
        };
        let end = Instant::now() + DEADLINE;
        connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || end < Instant::now()))?;
        let open = self.open.begin(&connection);
        let found = within_transaction(&connection, look);
        let is_ended = open.is_ended();
        drop(open);
        let mut idle = self.idle.lock();
        if idle.len() < KEPT {
            idle.push(connection);
        }
        found.map_err(|error| match error {
            VmdbError::Interrupted if is_ended => VmdbError::unavailable(
                "a look-up was ended because the write-ahead log had grown too large and could not be emptied while \
                 it ran: ask for less",
            ),
            VmdbError::Interrupted => VmdbError::unavailable(format!(
                "a look-up took longer than {} s and was ended, so that the write-ahead log can shrink: ask for less",
                DEADLINE.as_secs()
            )),
            other => other,
        })
    }
}

fn within_transaction<T>(
    connection: &Connection,
    look: impl FnOnce(&Transaction<'_>) -> Result<T, VmdbError>,
) -> Result<T, VmdbError> {
    let transaction = connection.unchecked_transaction()?;
    // Stays half read. SQLite forgets that it was interrupted when no statement is under way; so, between two
    // statements of `look`, it does not.
    let mut anchor = transaction.prepare_cached("SELECT 1 UNION ALL SELECT 2")?;
    let mut half_read = anchor.query([])?;
    half_read.next()?;
    look(&transaction)
}
