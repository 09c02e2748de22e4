//! The room on the disk: how much is left, and a reserve for when there is none.
//!
//! On a full disk the reserve is deleted. No more events are taken then, but what was accepted can be handled, sent
//! and purged in its place. Once there is room for it again it is made anew, and events are taken as before.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use rustix::fs::FallocateFlags;
use tracing::info;
use tracing::warn;

use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::connection;
use crate::vmdb::process_lock::beside;

/// What has to be free before events are taken again, where there is no reserve: a few transactions.
const LEAST: u64 = 4 << 20;
/// Less than this is worth an alarm, and less than a tenth of the disk is.
const LOW: u64 = 1 << 30;

/// The disk that the database is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What is free, in bytes.
    pub free: u64,
    /// How large it is, in bytes.
    pub total: u64,
    /// Whether less than a tenth or less than 1 GiB is free.
    pub is_low: bool,
    /// The size of the write-ahead log, in bytes.
    pub log: u64,
}

impl Vmdb {
    /// What there is to know of its disk, at the last look.
    pub fn disk(&self) -> Disk {
        let shared = self.shared();
        Disk {
            free: shared.room.free.load(Ordering::Relaxed),
            total: shared.room.total.load(Ordering::Relaxed),
            is_low: shared.room.is_low.load(Ordering::Relaxed),
            log: shared.files.log_size(),
        }
    }
}

/// The room on the disk of the database.
#[derive(Debug)]
pub(crate) struct DiskRoom {
    folder: PathBuf,
    reserve_path: PathBuf,
    reserve: u64,
    is_short: AtomicBool,
    is_low: AtomicBool,
    free: AtomicU64,
    total: AtomicU64,
}

impl DiskRoom {
    /// Looks for the first time, and makes the reserve.
    pub(crate) fn new(database: &Path, reserve: u64) -> Self {
        let room = Self {
            folder: connection::folder_of(database).to_path_buf(),
            reserve_path: beside(database, "reserve"),
            reserve,
            is_short: AtomicBool::new(false),
            is_low: AtomicBool::new(false),
            free: AtomicU64::new(0),
            total: AtomicU64::new(0),
        };
        room.look();
        room
    }

    /// Whether there is room for more events.
    ///
    /// # Errors
    /// [`VmdbError::NoRoom`] since the disk was full, until enough is free again.
    pub(crate) fn check(&self) -> Result<(), VmdbError> {
        if !self.is_short.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(VmdbError::NoRoom {
            free: self.free.load(Ordering::Relaxed),
            needed: self.needed(),
        })
    }

    /// Learns that the disk is full: gives the reserve away, and has no more events taken.
    pub(crate) fn ran_out(&self) {
        self.measure();
        if self.needed() <= self.free.load(Ordering::Relaxed) {
            return;
        }
        if !self.is_short.swap(true, Ordering::Relaxed) {
            warn!(
                needed = self.needed(),
                "The disk is full: no events are taken until there is room."
            );
        }
        match fs::remove_file(&self.reserve_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn!(%error, reserve = %self.reserve_path.display(), "Cannot give the reserve away.");
            }
            _gone => self.measure(),
        }
    }

    /// Looks how much is free; makes the reserve where it is missing and there is room for it.
    pub(crate) fn look(&self) {
        self.measure();
        if self.free.load(Ordering::Relaxed) < self.needed() {
            return;
        }
        if 0 < self.reserve
            && !self.reserve_path.exists()
            && let Err(error) = self.make_reserve()
        {
            warn!(%error, reserve = %self.reserve_path.display(), "Cannot make the reserve.");
        }
        if self.is_short.swap(false, Ordering::Relaxed) {
            info!("There is room on the disk again: events are taken.");
        }
    }

    /// What has to be free: the reserve, and as much again.
    fn needed(&self) -> u64 {
        self.reserve.saturating_mul(2).max(LEAST)
    }

    fn measure(&self) {
        let Ok(disk) = rustix::fs::statvfs(&self.folder) else {
            return;
        };
        let (free, total) = (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize);
        self.free.store(free, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        let is_low = free < LOW || free < total / 10;
        if is_low && !self.is_low.swap(is_low, Ordering::Relaxed) {
            warn!(free, total, "Little room is left on the disk of the database.");
        }
        self.is_low.store(is_low, Ordering::Relaxed);
    }

    /// Its blocks are taken, not only its length.
    fn make_reserve(&self) -> io::Result<()> {
        let made = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&self.reserve_path)
            .and_then(|file| {
                Ok(rustix::fs::fallocate(
                    &file,
                    FallocateFlags::empty(),
                    0,
                    self.reserve,
                )?)
            });
        if made.is_err() {
            // Half a reserve is worth nothing, and would be taken for a whole one.
            let _gone = fs::remove_file(&self.reserve_path);
        }
        made
    }
}
