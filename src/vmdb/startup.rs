//! What is looked at before a database is served: where it is, who may read it, and whether it is whole.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rusqlite::Connection;
use tracing::info;
use tracing::warn;

use crate::vmdb::VmdbError;
use crate::vmdb::connection;
use crate::vmdb::log_file;
use crate::vmdb::shared::Shared;

/// File systems of which a lock on one machine is not known on another, or whose locks and flushes are some
/// program's word, by the number that `statfs` gives.
const UNSAFE_FILESYSTEMS: &[(u32, &str)] = &[
    (0x6969, "NFS"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB"),
    (0x517B, "SMB"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "FUSE"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
    (0x0BD0_0BD0, "Lustre"),
    (0x786F_4256, "a folder shared by VirtualBox"),
];

/// Refuses a folder on a file system that SQLite's locks do not work over.
pub(crate) fn check_filesystem(folder: &Path) -> Result<(), VmdbError> {
    // Of a file system that does not say what it is nothing is known to be wrong.
    let Ok(found) = rustix::fs::statfs(folder) else {
        return Ok(());
    };
    match u32::try_from(found.f_type).ok().and_then(unsafe_filesystem) {
        None => Ok(()),
        Some(kind) => Err(VmdbError::Filesystem {
            path: folder.to_path_buf(),
            kind,
        }),
    }
}

fn unsafe_filesystem(number: u32) -> Option<&'static str> {
    let found = UNSAFE_FILESYSTEMS.iter().find(|(known, _)| *known == number);
    found.map(|(_, name)| *name)
}

/// Warns where others may read the files, or replace them.
pub(crate) fn warn_of_modes(database: &Path) {
    let mode = |path: &Path| fs::metadata(path).map_or(0, |file| file.permissions().mode());
    let folder = connection::folder_of(database);
    // A folder with the sticky bit lets nobody remove what is another's.
    if mode(folder) & 0o022 != 0 && mode(folder) & 0o1000 == 0 {
        warn!(folder = %folder.display(), "Others may delete and replace the database: `chmod go-w` its folder.");
    }
    for path in [database.to_path_buf(), log_file::beside(database)] {
        if mode(&path) & 0o077 != 0 {
            warn!(file = %path.display(), "Others may read the database: `chmod 600` it.");
        }
    }
}

/// What is beside a database before it is opened: opening it changes that.
#[derive(Debug)]
pub(crate) struct Found {
    log: PathBuf,
    log_size: Option<u64>,
    has_index: bool,
    is_new: bool,
}

impl Found {
    /// Looks.
    pub(crate) fn beside(database: &Path) -> Self {
        let log = log_file::beside(database);
        let mut index = database.as_os_str().to_owned();
        index.push("-shm");
        let size = |path: &Path| fs::metadata(path).ok().map(|file| file.len());
        Self {
            log_size: size(&log),
            log,
            has_index: Path::new(&index).exists(),
            is_new: size(database).unwrap_or(0) == 0,
        }
    }

    /// Tells what the last end of the program left.
    pub(crate) fn tell(&self, connection: &Connection) -> Result<(), VmdbError> {
        let was_closed: bool =
            connection.query_row("SELECT clean_shutdown = 1 FROM appliance", [], |row| row.get(0))?;
        match self.log_size {
            _any if self.is_new => {}
            None | Some(0) if was_closed => {}
            None if self.has_index => {
                warn!(log = %self.log.display(), "The database was not closed in order, and its write-ahead log is gone: the last commits before the end are lost, unless it is put back.");
            }
            None => {
                info!(log = %self.log.display(), "The database was not closed in order, and has no write-ahead log: another program has put it in order meanwhile, or somebody deleted it.");
            }
            Some(bytes) => info!(bytes, was_closed, "Recovered the write-ahead log."),
        }
        Ok(())
    }
}

/// Checks the database unless it is larger than `at_most` bytes, so that events would wait for too long; says
/// whether it did.
pub(crate) fn quick_check(connection: &Connection, at_most: u64) -> Result<bool, VmdbError> {
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    if u64::try_from(pages.saturating_mul(page)).unwrap_or(u64::MAX) > at_most {
        return Ok(false);
    }
    check_all(connection).map(|()| true)
}

fn check_all(connection: &Connection) -> Result<(), VmdbError> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    Err(VmdbError::Damaged { found })
}

/// Checks a large database on a thread of its own, while it is used. Where the log grows too large meanwhile the
/// check is given up, until the next start.
pub(crate) fn check_in_background(path: &Path, shared: &Arc<Shared>) {
    let (path, shared) = (path.to_path_buf(), shared.clone());
    let check = move || {
        let checked = connection::open_reader(&path).and_then(|connection| {
            let _open = shared.reads.begin(&connection);
            check_all(&connection)
        });
        match checked {
            Ok(()) => info!("Checked the whole database: it is in order."),
            Err(error @ VmdbError::Damaged { .. }) => {
                warn!(%error, "The database is damaged; no more events are taken.");
                shared.is_damaged(error);
            }
            Err(error) => info!(%error, "The check of the whole database was broken off."),
        }
    };
    let started = thread::Builder::new().name("vmdb check".to_owned()).spawn(check);
    if let Err(error) = started {
        warn!(%error, "The database is not checked.");
    }
}

/// Compares the books with the messages `waiting` on the queue to become events; what does not add up is told, and
/// nothing else.
pub(crate) fn check_books(connection: &Connection, waiting: i64) -> Result<(), VmdbError> {
    let (accepted, rest): (i64, i64) = connection.query_row(
        "SELECT ifnull(sum(accepted), 0), ifnull(sum(delivered + discarded), 0) FROM tallies",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if accepted != rest + waiting {
        let missing = accepted - rest - waiting;
        warn!(
            accepted,
            waiting,
            missing,
            "The books do not balance: rows were added or deleted by something else. `switchboard verify` tells more."
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::check_filesystem;
    use super::unsafe_filesystem;

    #[test]
    fn statement_12_network_and_user_space_file_systems_are_known_by_their_numbers() {
        // As `stat -f -c %t` prints them.
        let known = [
            ("6969", Some("NFS")),
            ("ff534d42", Some("CIFS")),
            ("fe534d42", Some("SMB")),
            ("65735546", Some("FUSE")),
            ("1021997", Some("9p")),
            ("ef53", None),
            ("1021994", None),
            ("9123683e", None),
            ("58465342", None),
        ];
        for (number, kind) in known {
            let number = u32::from_str_radix(number, 16).unwrap();
            assert_eq!(unsafe_filesystem(number), kind, "{number:x}");
        }
        assert!(check_filesystem(Path::new("/nowhere/at/all")).is_ok());
    }
}
