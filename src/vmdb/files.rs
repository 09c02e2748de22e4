//! Notices when the database or its write-ahead log is deleted or replaced under the running program.
//!
//! SQLite does not: it goes on with the files it has open, says "ok" to every commit, and all of it is gone
//! at the next start. Only names are looked at here; the files are never opened.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use crate::vmdb::VmdbError;
use crate::vmdb::log_file;

/// The files that the writer has open, by what identifies them on disk.
#[derive(Debug)]
pub(crate) struct Files {
    known: Vec<(PathBuf, Option<(u64, u64)>)>,
}

impl Files {
    /// Remembers the database and its log; both have to exist, which a first commit sees to.
    pub(crate) fn remember(database: &Path) -> Self {
        let paths = [database.to_path_buf(), log_file::beside(database)];
        Self {
            known: paths.map(|path| (path.clone(), identity(&path))).into(),
        }
    }

    /// The size of the log in bytes.
    pub(crate) fn log_size(&self) -> u64 {
        let log = self.known.last().and_then(|(path, _)| fs::metadata(path).ok());
        log.map_or(0, |log| log.len())
    }

    /// Whether the names still lead to the files that were opened; asked before each acknowledgement.
    pub(crate) fn check(&self) -> Result<(), VmdbError> {
        for (path, known) in &self.known {
            if known.is_none() || identity(path) != *known {
                return Err(VmdbError::unavailable(format!(
                    "`{}` was deleted or replaced while it was in use: stop the program, put the file back from a \
                     backup, start again; nothing is accepted until then",
                    path.display()
                )));
            }
        }
        Ok(())
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
