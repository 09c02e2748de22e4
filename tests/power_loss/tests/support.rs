//! What the model of the queue needs: a crash of its database is a power cut.

#[path = "../../it/support/database.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod database;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_power_loss::disk::Disk;
use switchboard_power_loss::disk::Syncs;
use switchboard_power_loss::disk::Tear;
use switchboard_power_loss::random::Random;
use switchboard_power_loss::storage::Storage;
use tempfile::TempDir;

use crate::scratch::scratch;
pub(crate) use crate::support::database::Database;
pub(crate) use crate::support::database::add;
pub(crate) use crate::support::database::add_ems;
pub(crate) use crate::support::database::event;
pub(crate) use crate::support::database::expect_sound;
pub(crate) use crate::support::database::have_trouble;
pub(crate) use crate::support::database::saved;

/// The folders that the model of the queue works in.
static WATCHED: Mutex<BTreeMap<PathBuf, Arc<Storage>>> = Mutex::new(BTreeMap::new());

/// A folder that is watched from the beginning.
pub(crate) fn new_folder() -> TempDir {
    let folder = scratch();
    let mut watched = WATCHED.lock();
    watched.retain(|folder, _| folder.exists());
    watched.insert(folder.path().to_owned(), Storage::watch(folder.path()));
    folder
}

/// What is left of a database when the power is cut now, under another name.
pub(crate) fn left_by_a_crash(database: &Path, to: &Path) {
    let folder = to.parent().unwrap();
    let log = WATCHED.lock()[folder].log();
    let mut disk = Disk::new(Syncs::All, 1);
    log.iter().for_each(|entry| disk.follow(entry));
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let image = disk.image(&mut Random::new(log.len() as u64), Tear::Sectors);
    // Not a file of SQLite: what it says is of no weight for what is kept.
    let taken = |path: &Path| format!("{}.taken", path.display());
    std::fs::copy(taken(database), taken(to)).unwrap();
    image.renamed(&name(database), &name(to)).add_to(folder);
}
