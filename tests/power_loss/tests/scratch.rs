//! Folders in memory, sizes and seeds from the environment.

use std::env;
use std::path::Path;

use tempfile::TempDir;

/// A folder that is gone with the test; in memory where there is one, since no real disk is to be tested.
pub(crate) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

/// A number from the environment.
pub(crate) fn knob(name: &str, default: usize) -> usize {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The seed of all chance; printed, so that a failure can be had again.
pub(crate) fn seed() -> u64 {
    let seed = knob("SWITCHBOARD_STORAGE_SEED", 1) as u64;
    println!("SWITCHBOARD_STORAGE_SEED={seed}");
    seed
}
