//! What many tests need.
#![expect(clippy::unwrap_used, reason = "tests")]

pub(crate) mod browser;
pub(crate) mod catching;
pub(crate) mod cloud;
pub(crate) mod crashing;
pub(crate) mod database;
pub(crate) mod findings;
pub(crate) mod managed;
pub(crate) mod pages;
pub(crate) mod posting;
pub(crate) mod process;
pub(crate) mod project;
pub(crate) mod receiver;
pub(crate) mod relay;
pub(crate) mod routes;
pub(crate) mod served;
pub(crate) mod serving;
pub(crate) mod tls;
pub(crate) mod told_rules;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

pub(crate) use crate::support::database::Database;
pub(crate) use crate::support::database::add;
pub(crate) use crate::support::database::add_ems;
pub(crate) use crate::support::database::decided;
pub(crate) use crate::support::database::event;
pub(crate) use crate::support::database::expect_sound;
pub(crate) use crate::support::database::have_trouble;
pub(crate) use crate::support::database::noon;
pub(crate) use crate::support::database::saved;
pub(crate) use crate::support::database::take_refresh;

/// A folder that is gone with the test.
pub(crate) fn new_folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// What another process would find of a database if this one ended now, under another name.
pub(crate) fn left_by_a_crash(database: &Path, to: &Path) {
    for suffix in ["", "-wal", ".taken"] {
        let name = |path: &Path| format!("{}{suffix}", path.display());
        fs::copy(name(database), name(to)).unwrap();
    }
}
