//! A copy of a database, taken while it is in use, that is whole or not there.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::backup::Backup;
use rusqlite::backup::StepResult;
use rustix::fs::CWD;
use rustix::fs::RenameFlags;
use rustix::io::Errno;
use serde::Serialize;

use crate::vmdb::DatabaseUrl;
use crate::vmdb::VmdbError;
use crate::vmdb::connection;
use crate::vmdb::process_lock::beside;

/// How many pages are copied before somebody is told, 1 MiB.
const PAGES_AT_ONCE: i32 = 256;

/// Why there is no copy. Nothing is left under its name.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something is there under the name of the copy.
    #[error("`{}` is there already, and is left as it is: choose another name", .0.display())]
    Taken(PathBuf),
    /// Another backup to the same name.
    #[error("another backup to `{}` is under way", .0.display())]
    UnderWay(PathBuf),
    /// The copy, or its folder, cannot be written.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The copy has faults, which the database must have too.
    #[error(
        "the copy has faults, and was thrown away: {0}: `switchboard verify` tells more about the database"
    )]
    Faulty(String),
    /// The database cannot be read, or the copy not be written.
    #[error(transparent)]
    Vmdb(#[from] VmdbError),
}

/// How far a backup is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BackupProgress {
    /// Pages copied.
    pub copied: u64,
    /// Pages altogether.
    pub pages: u64,
}

/// Copies the database to a file that is not there yet, readable by its owner only. The copy holds everything that
/// was acknowledged before it began, passes SQLite's check, and is on the disk when this returns; it needs no
/// other file beside it.
///
/// The pages are copied as of one moment. Without that the copy would begin anew with every commit of the process
/// that serves the database, and never end; with it, that process's write-ahead log grows until the copy is done.
///
/// # Errors
/// When there is no such copy: see [`BackupError`].
pub fn backup(
    url: &DatabaseUrl,
    to: &Path,
    mut tell: impl FnMut(BackupProgress),
) -> Result<BackupProgress, BackupError> {
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Taken(to.to_path_buf()));
    }
    let source = connection::open_reader(url.path())?;
    connection::check_identity(&source, url.path())?;
    let partial = Partial::create(to)?;
    let progress = copy(&source, &partial.path, &mut tell)?;
    drop(source);
    finish(&partial.path)?;
    partial.rename(to)?;
    Ok(progress)
}

fn copy(
    source: &Connection,
    to: &Path,
    tell: &mut dyn FnMut(BackupProgress),
) -> Result<BackupProgress, BackupError> {
    let sqlite = |error: rusqlite::Error| BackupError::from(VmdbError::from(error));
    let mut copy = open(to)?;
    // One flush at the end is enough: until then the copy is nothing that anybody relies on.
    copy.pragma_update(None, "synchronous", "off").map_err(sqlite)?;
    let moment = source.unchecked_transaction().map_err(sqlite)?;
    let begin = moment.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    begin.map_err(sqlite)?;
    let backup = Backup::new(&moment, &mut copy).map_err(sqlite)?;
    loop {
        let stepped = backup.step(PAGES_AT_ONCE).map_err(sqlite)?;
        let (pages, remaining) = (backup.progress().pagecount, backup.progress().remaining);
        let progress = BackupProgress {
            copied: u64::try_from(pages - remaining).unwrap_or_default(),
            pages: u64::try_from(pages).unwrap_or_default(),
        };
        tell(progress);
        match stepped {
            StepResult::Done => return Ok(progress),
            StepResult::More => {}
            // Nobody else has the copy open, and who reads in a write-ahead log waits for nobody.
            other => return Err(VmdbError::unavailable(format!("the backup came to `{other:?}`")).into()),
        }
    }
}

/// Makes the copy a file that needs no other beside it, and looks whether it is whole.
fn finish(path: &Path) -> Result<(), BackupError> {
    let sqlite = |error: rusqlite::Error| BackupError::from(VmdbError::from(error));
    let copy = open(path)?;
    let mode = copy.pragma_update_and_check(None, "journal_mode", "delete", |row| row.get::<_, String>(0));
    let mode = mode.map_err(sqlite)?;
    if mode != "delete" {
        return Err(BackupError::Faulty(format!("its journal mode is `{mode}`")));
    }
    let found = copy.pragma_query_value(None, "integrity_check", |row| row.get::<_, String>(0));
    let found = found.map_err(sqlite)?;
    if found != "ok" {
        return Err(BackupError::Faulty(found));
    }
    copy.close().map_err(|(_, error)| sqlite(error))
}

fn open(path: &Path) -> Result<Connection, BackupError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(path, flags).map_err(VmdbError::from)?)
}

/// The copy under the name that it has until it is whole; removed where it never is.
struct Partial {
    path: PathBuf,
    /// Held open and locked, so that two backups do not write into one file.
    file: File,
    is_renamed: bool,
}

impl Partial {
    fn create(to: &Path) -> Result<Self, BackupError> {
        let path = beside(to, "partial");
        let fail = |source| BackupError::Io {
            path: path.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .mode(0o600);
        let file = options.open(&path).map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(BackupError::UnderWay(to.to_path_buf())),
            Err(fs::TryLockError::Error(error)) => return Err(fail(error)),
        }
        // What a backup left that was broken off.
        file.set_len(0).map_err(fail)?;
        Ok(Self {
            path,
            file,
            is_renamed: false,
        })
    }

    fn rename(mut self, to: &Path) -> Result<(), BackupError> {
        let fail = |path: &Path, source| BackupError::Io {
            path: path.to_path_buf(),
            source,
        };
        self.file.sync_all().map_err(|error| fail(&self.path, error))?;
        match rustix::fs::renameat_with(CWD, &self.path, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(BackupError::Taken(to.to_path_buf())),
            // Not every file system knows it.
            Err(Errno::INVAL | Errno::NOSYS) if to.symlink_metadata().is_err() => {
                fs::rename(&self.path, to).map_err(|error| fail(to, error))?;
            }
            Err(error) => return Err(fail(to, error.into())),
        }
        self.is_renamed = true;
        Ok(connection::sync_folder(connection::folder_of(to))?)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_renamed {
            // What cannot be removed is still not under the name of the copy.
            let _left = fs::remove_file(&self.path);
        }
    }
}
