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
        matches!(self, Self::Full { .. } | Self::Unavailable { .. })
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_path_buf(),
            source: Arc::new(source),
        }
    }

    pub(crate) fn unreadable(what: impl Into<String>, source: serde_json::Error) -> Self {
        Self::Unreadable {
            what: what.into(),
            source: Arc::new(source),
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
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OperationInterrupted,
            ) => Self::unavailable(error.to_string()),
            _other => Self::Sqlite {
                source: Arc::new(error),
            },
        }
    }
}
