//! The files of a database, as the file system shows them: which are there, who may read them, where they are.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::StatFs;

use crate::vmdb::VmdbError;
use crate::vmdb::audit::finding::Finding;
use crate::vmdb::audit::finding::RESTORE;
use crate::vmdb::audit::finding::Report;
use crate::vmdb::connection;
use crate::vmdb::process_lock::beside;

/// With less room than this the next hour is in danger.
const LITTLE_ROOM: u64 = 1 << 30;
/// File systems on which SQLite's locks or its shared memory cannot be relied on (statfs(2)).
const DOUBTFUL: [(u32, &str); 8] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "FUSE"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
];

/// What stood beside the database before it was opened: opening it makes files.
#[derive(Debug)]
pub(crate) struct FilesBefore {
    has_log: bool,
    has_shared_memory: bool,
}

impl FilesBefore {
    pub(crate) fn look(database: &Path) -> Self {
        Self {
            has_log: with_ending(database, "-wal").exists(),
            has_shared_memory: with_ending(database, "-shm").exists(),
        }
    }

    /// While the database is open, and after a crash, its log is a part of it.
    pub(crate) fn is_log_missing(&self, database: &Path) -> bool {
        self.why_log_is_missing(database).is_some()
    }

    fn why_log_is_missing(&self, database: &Path) -> Option<String> {
        if self.has_log {
            return None;
        }
        match served_by(database) {
            Some(pid) => Some(format!("process {pid} serves the database")),
            None if self.has_shared_memory => Some("the database was not closed in order".to_owned()),
            None => None,
        }
    }
}

/// Which process serves the database, where one does. Only looked up: trying the lock, even for a moment, could
/// keep a program from starting.
pub(crate) fn served_by(database: &Path) -> Option<String> {
    let lock = beside(database, "lock");
    let inode = fs::metadata(&lock).ok()?.ino().to_string();
    let is_held = fs::read_to_string("/proc/locks").ok()?.lines().any(|line| {
        let of_file = line
            .split_whitespace()
            .nth(5)
            .and_then(|file| file.rsplit(':').next());
        line.contains("FLOCK") && of_file == Some(&inode)
    });
    let pid = fs::read_to_string(&lock).ok()?.trim().to_owned();
    (is_held && Path::new("/proc").join(&pid).exists()).then_some(pid)
}

/// Checks what can be seen without opening anything.
pub(crate) fn check(database: &Path, before: &FilesBefore, report: &mut Report<'_>) -> Result<(), VmdbError> {
    check_log(database, before, report);
    check_modes(database, report)?;
    let folder = connection::folder_of(database);
    let system = rustix::fs::statfs(folder).map_err(|error| VmdbError::io(folder, error.into()))?;
    check_kind(folder, &system, report);
    check_room(folder, &system, report);
    Ok(())
}

fn check_log(database: &Path, before: &FilesBefore, report: &mut Report<'_>) {
    if let Some(why) = before.why_log_is_missing(database) {
        let place = with_ending(database, "-wal").display().to_string();
        let message = format!("is not there, although {why}; nothing else was looked at");
        report.add(Finding::error("LogMissing", place, message, RESTORE));
    }
}

fn check_modes(database: &Path, report: &mut Report<'_>) -> Result<(), VmdbError> {
    let beside_it = [
        with_ending(database, "-wal"),
        with_ending(database, "-shm"),
        beside(database, "taken"),
    ];
    for path in [database.to_path_buf()].iter().chain(&beside_it) {
        let Ok(metadata) = fs::metadata(path) else {
            continue;
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let message = format!("others may read or write it: its mode is {mode:04o}, 0600 is expected");
            let help = format!("chmod 600 '{}'", path.display());
            report.add(Finding::warning(
                "FileMode",
                path.display().to_string(),
                message,
                help,
            ));
        }
    }
    let folder = connection::folder_of(database);
    let metadata = fs::metadata(folder).map_err(|error| VmdbError::io(folder, error))?;
    let mode = metadata.permissions().mode();
    // In a folder with the sticky bit nobody can replace the files of others.
    if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        let message = format!(
            "others may replace files in it: its mode is {:04o}",
            mode & 0o7777
        );
        let help = format!("chmod go-w '{}'", folder.display());
        report.add(Finding::warning(
            "FolderMode",
            folder.display().to_string(),
            message,
            help,
        ));
    }
    Ok(())
}

fn check_kind(folder: &Path, system: &StatFs, report: &mut Report<'_>) {
    // The kernel's number has 32 bits, whatever the width of the field.
    let number = u32::try_from(i128::from(system.f_type) & 0xffff_ffff).unwrap_or_default();
    if let Some((_, name)) = DOUBTFUL.iter().find(|(known, _)| *known == number) {
        let message = format!("is on {name}, where SQLite's locks cannot be relied on");
        let help = "move the database to a local disk";
        report.add(Finding::error(
            "FileSystem",
            folder.display().to_string(),
            message,
            help,
        ));
    }
}

fn check_room(folder: &Path, system: &StatFs, report: &mut Report<'_>) {
    let unit = u64::try_from(system.f_bsize).unwrap_or_default();
    let (free, whole) = (
        system.f_bavail.saturating_mul(unit),
        system.f_blocks.saturating_mul(unit),
    );
    if free < LITTLE_ROOM || free < whole / 10 {
        let message = format!("has {} MiB left of {}", free >> 20, whole >> 20);
        let help = "make room: without it nothing more is accepted";
        report.add(Finding::warning(
            "LittleRoom",
            folder.display().to_string(),
            message,
            help,
        ));
    }
}

fn with_ending(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
