//! The one place that opens connections, so that none runs with settings that break the promise.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;

use crate::vmdb::VmdbError;
use crate::vmdb::migrate;

/// "SwBd": tells our files from those of other programs.
pub(crate) const APPLICATION_ID: i64 = 0x5377_4264;
/// The first SQLite with the fix of the reset of the write-ahead log.
const OLDEST_SQLITE: i32 = 3_051_003;
/// Pages in the write-ahead log after which a commit moves them into the database.
const WAL_PAGES: i64 = 1_000;
/// How long another program that writes is waited for.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const STATEMENTS_KEPT: usize = 128;

/// Opens the connection that writes; creates file and folder, readable by their owner only.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, VmdbError> {
    create_file(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    check_identity(&connection, path)?;
    migrate::check_not_newer(&connection, path)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    // At each commit SQLite may look through the whole cache, so a larger one is dearer than reading a page again.
    connection.pragma_update(None, "cache_size", -(16 << 10))?;
    connection.pragma_update(None, "temp_store", "memory")?;
    common(&connection)?;
    expect(&connection, "journal_mode", "wal".to_owned())?;
    expect(&connection, "synchronous", 2)?;
    expect(&connection, "foreign_keys", 1)?;
    Ok(connection)
}

/// Says whether the log is to be moved into the database, and deleted, when the connection is closed as the last
/// one. In the midst of serving it is not: a disk that failed would be written once more, and the log would be
/// missed.
pub(crate) fn set_checkpoint_on_close(connection: &Connection, is_wanted: bool) -> Result<(), VmdbError> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !is_wanted)?;
    Ok(())
}

/// Opens a connection that can only read.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, VmdbError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cache_size", -(8 << 10))?;
    common(&connection)?;
    Ok(connection)
}

fn common(connection: &Connection) -> Result<(), VmdbError> {
    connection.pragma_update(None, "foreign_keys", true)?;
    // A file cut short by somebody else is then an error, not a signal that ends the process.
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // Else partial indexes have statements planned anew for every value that is bound to them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(())
}

/// Refuses a database of another program, and a SQLite with known faults.
pub(crate) fn check_identity(connection: &Connection, path: &Path) -> Result<(), VmdbError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(VmdbError::Setting {
            name: "sqlite3_libversion",
            expected: "3.51.3 or newer".to_owned(),
            found: rusqlite::version().to_owned(),
        });
    }
    let found: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if found == APPLICATION_ID || (found == 0 && tables == 0) {
        return Ok(());
    }
    Err(VmdbError::Foreign {
        path: path.to_path_buf(),
        found,
    })
}

fn expect(
    connection: &Connection,
    name: &'static str,
    expected: impl Into<rusqlite::types::Value>,
) -> Result<(), VmdbError> {
    let expected = expected.into();
    let found: rusqlite::types::Value = connection.pragma_query_value(None, name, |row| row.get(0))?;
    if found == expected {
        return Ok(());
    }
    Err(VmdbError::Setting {
        name,
        expected: format!("{expected:?}"),
        found: format!("{found:?}"),
    })
}

/// Creates the file before SQLite does, since SQLite would let everybody read it. `create_new` never opens
/// a file that is there: opening and closing a live database would drop the locks of this process on it.
pub(crate) fn create_file(path: &Path) -> Result<(), VmdbError> {
    let folder = folder_of(path);
    create_folder(folder)?;
    let created = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match created {
        Ok(_file) => sync_folder(folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(VmdbError::io(path, error)),
    }
}

/// Creates a folder, and those above it, each so that it survives a power cut.
pub(crate) fn create_folder(folder: &Path) -> Result<(), VmdbError> {
    if folder.as_os_str().is_empty() || folder.exists() {
        return Ok(());
    }
    let parent = folder_of(folder);
    create_folder(parent)?;
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(VmdbError::io(folder, error)),
        _made => sync_folder(parent),
    }
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _none => Path::new("."),
    }
}

/// Makes a name that was created or changed in `folder` survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), VmdbError> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| VmdbError::io(folder, error))
}

#[cfg(test)]
mod tests {
    use super::OLDEST_SQLITE;
    use super::expect;
    use super::open_reader;
    use super::open_writer;
    use crate::vmdb::VmdbError;

    #[test]
    fn statement_13_the_library_is_new_enough_and_what_keeps_the_promise_is_read_back() {
        assert!(
            rusqlite::version_number() >= OLDEST_SQLITE,
            "{}",
            rusqlite::version()
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("deep").join("test.db");
        let writer = open_writer(&path).unwrap();
        let reader = open_reader(&path).unwrap();
        for (connection, settings) in [
            (
                &writer,
                &[
                    ("synchronous", 2),
                    ("wal_autocheckpoint", 1_000),
                    ("foreign_keys", 1),
                ][..],
            ),
            (&reader, &[("foreign_keys", 1)][..]),
        ] {
            let always = [("mmap_size", 0), ("trusted_schema", 0), ("cell_size_check", 1)];
            for (name, value) in settings.iter().chain(&always) {
                expect(connection, name, *value).unwrap();
            }
        }
        expect(&writer, "journal_mode", "wal".to_owned()).unwrap();
        // SQLite keeps its own counsel of a pragma that it does not follow.
        writer.pragma_update(None, "synchronous", "normal").unwrap();
        let refused = expect(&writer, "synchronous", 2).unwrap_err();
        assert!(
            matches!(
                refused,
                VmdbError::Setting {
                    name: "synchronous",
                    ..
                }
            ),
            "{refused}"
        );
    }
}
