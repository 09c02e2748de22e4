//! What can go wrong with the database, told so that a user knows what to do.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::ErrorCode;

/// Why the database did not do what it was asked. Cheap to clone: one failed commit answers many requests.
#[derive(Clone, Debug, thiserror::Error)]
pub enum VmdbError {
    /// Not a database URL that this program knows.
    #[error("`{url}` is no database URL: {expected}")]
    Url {
        /// As written.
        url: String,
        /// What to write instead.
        expected: &'static str,
    },
    /// Another process serves this database.
    #[error("`{}` is in use by process {pid}: stop it first, or give this one another `--database`", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
        /// The other process, as its lock file names it.
        pid: String,
    },
    /// A database of another program.
    #[error("`{}` is a database of another program (application id {found}); it was not touched", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
        /// What its header says.
        found: i64,
    },
    /// Written by a newer version of this program.
    #[error("`{}` has schema {found}, this program knows up to {known}: use a newer switchboard", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// SQLite runs with other settings than those that keep the promise.
    #[error("SQLite answers `{found}` for `{name}` where `{expected}` is needed to keep events safe")]
    Setting {
        /// The pragma, or `sqlite3_libversion`.
        name: &'static str,
        /// What was asked for.
        expected: String,
        /// What it says.
        found: String,
    },
    /// The disk is full; nothing of the request was kept. It may be repeated.
    #[error("the disk is full, nothing was written")]
    Full {
        /// As SQLite tells it.
        source: Arc<rusqlite::Error>,
    },
    /// Too little is left of the disk to take more events. It may be repeated.
    #[error("the disk is full: {} MiB are free, and events are taken again when {} MiB are", free >> 20, needed >> 20)]
    NoRoom {
        /// What is free, in bytes.
        free: u64,
        /// What has to be, in bytes.
        needed: u64,
    },
    /// The disk cannot be read or written, or not be relied on; nothing of the request was kept. It may be repeated.
    #[error("the disk failed: {error}")]
    Disk {
        /// As SQLite tells it.
        error: Arc<rusqlite::Error>,
    },
    /// A file system that SQLite's locks do not work over.
    #[error(
        "`{}` is on {kind}, over which the locks that keep the database whole do not work: put it on a local disk \
         (`--unsafe-filesystem` takes the risk)", path.display()
    )]
    Filesystem {
        /// The folder of the database.
        path: PathBuf,
        /// What it is on.
        kind: &'static str,
    },
    /// The database is damaged.
    #[error(
        "the database is damaged ({found}): stop the program, keep all files of it, and put a backup in their place"
    )]
    Damaged {
        /// The first thing that is wrong.
        found: String,
    },
    /// A look-up was ended; told to its caller with the reason.
    #[error("interrupted")]
    Interrupted,
    /// The database cannot be used now; nothing of the request was kept. It may be repeated.
    #[error("the database cannot be used: {reason}")]
    Unavailable {
        /// What is wrong and, where known, what to do.
        reason: String,
    },
    /// A file beside the database, or its folder.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// The name is in use.
    #[error("there is a manager `{name}` already")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// There is no such thing.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// Its kind, as users call it.
        what: &'static str,
        /// What was asked for.
        name: String,
    },
    /// A row does not hold what this program writes.
    #[error(
        "cannot read {what}: the database is damaged or was changed by hand, `switchboard verify` tells more"
    )]
    Unreadable {
        /// Which row and column.
        what: String,
        /// What was found.
        source: Arc<serde_json::Error>,
    },
    /// Anything else SQLite says.
    #[error("the database refused the request")]
    Sqlite {
        /// As SQLite tells it.
        source: Arc<rusqlite::Error>,
    },
}

impl VmdbError {
    /// Whether the same request may succeed later without anybody's help: 503, not 500.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::Full { .. }
                | Self::NoRoom { .. }
                | Self::Disk { .. }
                | Self::Interrupted
                | Self::Unavailable { .. }
        )
    }

    /// Whether the disk failed at something else than at writing: that is how a limit on the size of files shows,
    /// and whatever it is, nothing is lost by it.
    pub(crate) fn is_worrying(&self) -> bool {
        match self {
            Self::Disk { error } => !matches!(
                &**error,
                rusqlite::Error::SqliteFailure(error, _)
                    if error.extended_code == rusqlite::ffi::SQLITE_IOERR_WRITE
                        || error.code == ErrorCode::ReadOnly
            ),
            _other => false,
        }
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_path_buf(),
            source: Arc::new(source),
        }
    }

    pub(crate) fn unreadable(what: impl Into<String>, source: impl Into<serde_json::Error>) -> Self {
        Self::Unreadable {
            what: what.into(),
            source: Arc::new(source.into()),
        }
    }

    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable {
            reason: reason.into(),
        }
    }
}

impl From<rusqlite::Error> for VmdbError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full {
                source: Arc::new(error),
            },
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Disk {
                error: Arc::new(error),
            },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::unavailable(format!("another program keeps it locked ({error})"))
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged {
                found: error.to_string(),
            },
            Some(ErrorCode::OperationInterrupted) => Self::Interrupted,
            _other => Self::Sqlite {
                source: Arc::new(error),
            },
        }
    }
}
