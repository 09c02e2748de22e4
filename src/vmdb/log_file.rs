//! What the last process left in the write-ahead log, made safe before anything is built on it.
//!
//! When the disk fails to keep a commit, the commit is refused, but its pages stay in the memory of the system, which
//! takes them for written from then on. As long as the process runs, the next commit goes over them. The next process
//! however reads them from memory like all others and would append to them: after a power cut the log would end where
//! they are missing, and with them all that was acknowledged since.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;

use crate::vmdb::VmdbError;

const CHUNK: usize = 1 << 20;

/// The write-ahead log of a database.
pub(crate) fn beside(database: &Path) -> PathBuf {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}

/// Writes the log again as it is read, then moves it into the database and begins it anew.
pub(crate) fn settle(connection: &Connection, database: &Path) -> Result<(), VmdbError> {
    // Nobody else may write meanwhile.
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let written = write_again(&beside(database));
    connection.execute_batch("ROLLBACK")?;
    written?;
    // While somebody else reads, only a part of it is moved; what stays is safe by now.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// SQLite locks the database and its index, never the log: that is why this file may be closed again.
fn write_again(log: &Path) -> Result<(), VmdbError> {
    let written = match OpenOptions::new().read(true).write(true).open(log) {
        Ok(file) => copy_onto_itself(&file).and_then(|()| file.sync_all()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    written.map_err(|error| VmdbError::io(log, error))
}

fn copy_onto_itself(file: &File) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut offset = 0;
    loop {
        let length = file.read_at(&mut chunk, offset)?;
        if length == 0 {
            return Ok(());
        }
        file.write_all_at(chunk.get(..length).unwrap_or_default(), offset)?;
        offset += length as u64;
    }
}
