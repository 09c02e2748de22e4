//! The files of a database, as the file system shows them: which are there, who may read them, where they are.

use std::fs;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

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

/// A database that is being opened or closed is given so long.
const SETTLED: Duration = Duration::from_millis(500);

/// What is wrong with the write-ahead log, looked at before the database is opened: opening makes a new one. While
/// the database is open, and after a crash, its log is a part of it.
#[derive(Debug)]
pub(crate) struct LogBefore {
    trouble: Option<String>,
}

impl LogBefore {
    pub(crate) fn look(database: &Path) -> Self {
        let trouble = trouble(database).and_then(|_perhaps| {
            thread::park_timeout(SETTLED);
            trouble(database)
        });
        Self { trouble }
    }

    /// Whether the database must not be opened, since that would hide what happened.
    pub(crate) fn is_in_trouble(&self) -> bool {
        self.trouble.is_some()
    }
}

fn trouble(database: &Path) -> Option<String> {
    let log = with_ending(database, "-wal");
    match (served_by(database), fs::metadata(&log)) {
        (Some(pid), Ok(found)) => match is_open_in(&pid, &found) {
            Some(false) => Some(format!(
                "is not the one that process {pid} writes, which serves the database"
            )),
            Some(true) | None => None,
        },
        (Some(pid), Err(_gone)) => Some(format!(
            "is not there, although process {pid} serves the database"
        )),
        (None, Err(_gone)) if with_ending(database, "-shm").exists() => {
            Some("is not there, although the database was not closed in order".to_owned())
        }
        (None, _) => None,
    }
}

/// Whether a process has a file open; none where it is not ours to ask.
fn is_open_in(pid: &str, file: &Metadata) -> Option<bool> {
    let descriptors = fs::read_dir(Path::new("/proc").join(pid).join("fd")).ok()?;
    let open = descriptors
        .flatten()
        .filter_map(|one| fs::metadata(one.path()).ok());
    let identity = |file: &Metadata| (file.dev(), file.ino());
    Some(open.into_iter().any(|open| identity(&open) == identity(file)))
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
pub(crate) fn check(database: &Path, before: &LogBefore, report: &mut Report<'_>) -> Result<(), VmdbError> {
    check_log(database, before, report);
    check_modes(database, report)?;
    let folder = connection::folder_of(database);
    let system = rustix::fs::statfs(folder).map_err(|error| VmdbError::io(folder, error.into()))?;
    check_kind(folder, &system, report);
    check_room(folder, &system, report);
    Ok(())
}

fn check_log(database: &Path, before: &LogBefore, report: &mut Report<'_>) {
    if let Some(trouble) = &before.trouble {
        let place = with_ending(database, "-wal").display().to_string();
        let message = format!("{trouble}; nothing else was looked at");
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
