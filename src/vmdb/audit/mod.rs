//! Checks a database from outside, beside the process that serves it or without one: read-only, through SQLite.
//!
//! Nothing here trusts the program that wrote the rows: what must hold between them is asked of the tables. Each
//! look is short, since an open reader keeps the write-ahead log from being reset.

mod across;
mod books;
mod counts;
mod events;
mod files;
mod finding;
mod rows;
mod runs;
mod stored;

pub use finding::Finding;
pub use stored::StoredEventKey;
pub use stored::StoredPlace;

use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use serde::Serialize;

use crate::model::clock::Clock;
use crate::vmdb::DatabaseUrl;
use crate::vmdb::VmdbError;
use crate::vmdb::audit::books::Moment;
use crate::vmdb::audit::events::Seen;
use crate::vmdb::audit::files::LogBefore;
use crate::vmdb::audit::finding::RESTORE;
use crate::vmdb::audit::finding::Report;
use crate::vmdb::connection;
use crate::vmdb::ems_names::Managers;
use crate::vmdb::ext_management_systems;
use crate::vmdb::migrate;

/// Up to this size the file is checked in one go, else table by table: an open reader holds up checkpoints.
const CHECKED_AT_ONCE: i64 = (1 << 30) / 4096;

/// A database that is looked at.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
    before: LogBefore,
    /// None where the log is missing: opening would make a new one, and hide that.
    connection: Option<Connection>,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audited {
    /// Events.
    pub events: usize,
    /// Messages that were to become events.
    pub messages: usize,
}

impl Audit {
    /// Opens a database that is there.
    ///
    /// # Errors
    /// When there is none, or it is no database of this program or of an older one.
    pub fn open(url: &DatabaseUrl) -> Result<Self, VmdbError> {
        let path = url.path().to_path_buf();
        let before = LogBefore::look(&path);
        let connection = match before.is_in_trouble() {
            false => Some(open_reader(&path)?),
            true => None,
        };
        Ok(Self {
            path,
            before,
            connection,
        })
    }

    /// Checks everything and tells each finding as it comes up.
    ///
    /// # Errors
    /// When the database cannot be read at all; what cannot be read in part is a finding.
    pub fn check(&self, clock: &Clock, mut found: impl FnMut(Finding)) -> Result<Audited, VmdbError> {
        let mut report = Report::new(&mut found);
        report.part("the files", |report| {
            files::check(&self.path, &self.before, report)
        });
        let Ok(connection) = self.connection() else {
            return Ok(Audited::default());
        };
        report.part("the schema", |report| self.check_schema(report));
        report.part("the file's structure", |report| self.check_structure(report));
        report.part("references between rows", |report| self.check_references(report));
        let moment = report.part("the books", |_| {
            let transaction = connection.unchecked_transaction()?;
            Moment::take(&transaction)
        });
        let Some(moment) = moment else {
            return Ok(Audited::default());
        };
        let seen = report.part("the events", |report| {
            let managers = self.managers()?;
            Seen::look(connection, &moment, &managers, report)
        });
        let mut audited = Audited {
            messages: moment.queued.len(),
            ..Audited::default()
        };
        if let Some(mut seen) = seen {
            let events: i64 = seen.counts.values().sum();
            audited.events = usize::try_from(events).unwrap_or_default();
            if moment.knows(&seen.counts) {
                moment.check(&seen.counts, &mut report);
            } else {
                // A purge may have taken some before they were counted: what differs is told by one moment alone.
                report.part("the books", |report| {
                    let transaction = connection.unchecked_transaction()?;
                    let events = books::count_events(&transaction)?;
                    Moment::take(&transaction)?.check(&events, report);
                    Ok(())
                });
            }
            report.part("what goes on later", |report| {
                across::retries(connection, &seen, report)
            });
            report.part("the keys", |report| across::keys(connection, &mut seen, report));
        }
        report.part("the timeline", |report| {
            counts::check(connection, &self.managers()?, report)
        });
        report.part("the outbox", |report| across::outbox(connection, report));
        let is_served = files::served_by(&self.path).is_some();
        report.part("the queue", |report| {
            across::queue(connection, clock.now(), is_served, report)
        });
        Ok(audited)
    }

    /// Where to look.
    ///
    /// # Errors
    /// When the log is missing.
    pub(crate) fn connection(&self) -> Result<&Connection, VmdbError> {
        let missing = || VmdbError::unavailable("its write-ahead log is missing");
        self.connection.as_ref().ok_or_else(missing)
    }

    fn managers(&self) -> Result<Managers, VmdbError> {
        ext_management_systems::all(self.connection()?)
    }

    fn check_schema(&self, report: &mut Report<'_>) -> Result<(), VmdbError> {
        let (found, known) = (migrate::version(self.connection()?)?, migrate::known());
        if found < known {
            let message = format!("has schema {found}, this program writes {known}");
            let help = "the next start brings it there; a copy as it is now is kept beside it";
            let place = self.path.display().to_string();
            report.add(Finding::warning("OldSchema", place, message, help));
        }
        Ok(())
    }

    /// What SQLite can see: pages, indexes, constraints. It is blind to what the rows say.
    fn check_structure(&self, report: &mut Report<'_>) -> Result<(), VmdbError> {
        let connection = self.connection()?;
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let tables = if pages <= CHECKED_AT_ONCE {
            vec![String::new()]
        } else {
            let sql = "SELECT '(' || name || ')' FROM sqlite_schema WHERE type = 'table'";
            let mut query = connection.prepare(sql)?;
            let names = query.query_map([], |row| row.get(0))?;
            names.collect::<Result<_, _>>()?
        };
        for table in tables {
            let mut query = connection.prepare(&format!("PRAGMA integrity_check{table}"))?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                let text: String = row.get(0)?;
                if text != "ok" {
                    let place = self.path.display().to_string();
                    report.add(Finding::error("Integrity", place, text, RESTORE));
                }
            }
        }
        Ok(())
    }

    fn check_references(&self, report: &mut Report<'_>) -> Result<(), VmdbError> {
        let mut query = self.connection()?.prepare("PRAGMA foreign_key_check")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (table, id, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let place = id.map_or_else(|| table.clone(), |id| format!("{table} {id}"));
            let message = format!("belongs to a row of {parent} that is gone");
            report.add(Finding::error("Orphan", place, message, RESTORE));
        }
        Ok(())
    }
}

fn open_reader(path: &Path) -> Result<Connection, VmdbError> {
    let connection = connection::open_reader(path)?;
    connection::check_identity(&connection, path)?;
    let (found, known) = (migrate::version(&connection)?, migrate::known());
    if found <= known {
        return Ok(connection);
    }
    Err(VmdbError::Newer {
        path: path.to_path_buf(),
        found,
        known,
    })
}
