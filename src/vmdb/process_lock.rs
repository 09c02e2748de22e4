//! Only one process handles the queue of a database: a lock on a file beside it, never on the database itself.

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io::Read;
use std::io::Seek;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use crate::vmdb::VmdbError;
use crate::vmdb::connection;

/// Held as long as the process serves; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    _file: File,
}

impl ProcessLock {
    /// Takes `NAME.lock` and writes this process's id into it.
    pub(crate) fn take(database: &Path) -> Result<Self, VmdbError> {
        let path = beside(database, "lock");
        let fail = |error| VmdbError::io(&path, error);
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid).map_err(fail)?;
                return Err(VmdbError::InUse {
                    path: database.to_path_buf(),
                    pid: pid.trim().to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        file.set_len(0).map_err(fail)?;
        file.rewind().map_err(fail)?;
        writeln!(file, "{}", std::process::id()).map_err(fail)?;
        connection::sync_folder(connection::folder_of(&path))?;
        Ok(Self { _file: file })
    }
}

/// The file `NAME.suffix` beside the database.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}
