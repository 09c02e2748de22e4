//! What many tests need.
#![expect(clippy::unwrap_used, reason = "tests")]

pub(crate) mod catching;
pub(crate) mod cloud;
pub(crate) mod database;
pub(crate) mod findings;
pub(crate) mod project;
pub(crate) mod served;
pub(crate) mod told_rules;

use std::path::Path;

use tempfile::TempDir;

pub(crate) use crate::support::database::Database;
pub(crate) use crate::support::database::add;
pub(crate) use crate::support::database::add_ems;
pub(crate) use crate::support::database::event;
pub(crate) use crate::support::database::noon;
pub(crate) use crate::support::database::saved;

/// A folder that is gone with the test.
pub(crate) fn new_folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// What another process would find of a database if this one ended now, under another name.
pub(crate) fn left_by_a_crash(database: &Path, to: &Path) {
    let reader = rusqlite::Connection::open(database).unwrap();
    reader.execute("VACUUM INTO ?1", [to.to_string_lossy()]).unwrap();
}
