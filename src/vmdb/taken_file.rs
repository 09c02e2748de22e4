//! Which messages the process has in hand, in a small file beside the database.
//!
//! It is what is left of a process that was killed by one of its messages: at the next start these are the
//! suspects, taken one at a time. Nothing else depends on it, so it costs no flush of the disk.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use crate::vmdb::VmdbError;
use crate::vmdb::process_lock::beside;

/// The last line; what follows is left of a longer list.
const END: &str = ".";

#[derive(Debug)]
pub(crate) struct TakenFile {
    path: PathBuf,
    file: File,
}

impl TakenFile {
    /// Opens `NAME.taken`.
    pub(crate) fn open(database: &Path) -> Result<Self, VmdbError> {
        let path = beside(database, "taken");
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| VmdbError::io(&path, error))?;
        Ok(Self { path, file })
    }

    /// What the last process had in hand when it ended; nothing after an orderly end.
    pub(crate) fn left_behind(&self) -> Result<Vec<i64>, VmdbError> {
        let text = io::read_to_string(&self.file).map_err(|error| VmdbError::io(&self.path, error))?;
        let lines = text.lines().take_while(|line| *line != END);
        Ok(lines.filter_map(|line| line.parse().ok()).collect())
    }

    /// Replaces the list.
    pub(crate) fn write<'a>(&self, taken: impl Iterator<Item = &'a i64>) -> Result<(), VmdbError> {
        let mut text = String::new();
        for id in taken {
            text.push_str(&id.to_string());
            text.push('\n');
        }
        text.push_str(END);
        text.push('\n');
        let written = self.file.write_all_at(text.as_bytes(), 0);
        written.map_err(|error| VmdbError::io(&self.path, error))
    }
}
