//! Connections that only read, so that looking never waits for the writer. Each look is short: it has a deadline.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::Transaction;

use crate::vmdb::VmdbError;
use crate::vmdb::connection;

/// An open reader keeps the write-ahead log from being reset, so none may stay open longer.
const DEADLINE: Duration = Duration::from_secs(10);
/// How many steps of SQLite's machine lie between two looks at the clock.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;
const KEPT: usize = 4;

#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            idle: Mutex::default(),
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
        let transaction = connection.unchecked_transaction()?;
        let found = look(&transaction);
        drop(transaction);
        let mut idle = self.idle.lock();
        if idle.len() < KEPT {
            idle.push(connection);
        }
        found.map_err(|error| match error {
            VmdbError::Unavailable { reason } if reason.contains("interrupted") => VmdbError::unavailable(format!(
                "a look-up took longer than {} s and was ended, so that the write-ahead log can shrink: ask for less",
                DEADLINE.as_secs()
            )),
            other => other,
        })
    }
}
