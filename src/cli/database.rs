//! What the commands over the database share: opening it, finding a manager, reading times.

use std::sync::Arc;

use crate::cli::error::CliError;
use crate::cli::options::GlobalOptions;
use crate::handler::InventoryRecords;
use crate::handler::RefreshWays;
use crate::model::clock::Clock;
use crate::model::clock::Timestamp;
use crate::model::ems::Ems;
use crate::model::written_time;
use crate::source::suggest;
use crate::switchboard::Records;
use crate::vmdb::DatabaseUrl;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;

/// Where the database is unless told otherwise.
const DATABASE: &str = "sqlite:switchboard.db";

impl GlobalOptions {
    /// Where the database is.
    ///
    /// # Errors
    /// When the URL is none that is known.
    pub(crate) fn database_url(&self) -> Result<DatabaseUrl, CliError> {
        let url = self.database.as_deref().unwrap_or(DATABASE);
        url.parse()
            .map_err(|error: VmdbError| CliError::usage(error.to_string(), ""))
    }

    /// Opens the database, or makes one.
    ///
    /// # Errors
    /// When it cannot be opened safely.
    pub(crate) fn open_database(&self) -> Result<Vmdb, CliError> {
        let url = self.database_url()?;
        Vmdb::open(&url, Clock::System)
            .map_err(|error| CliError::failed(format!("cannot open `{url}`"), error))
    }

    /// Opens a database that has to be there: looking must not make one where somebody mistyped its name.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened safely.
    pub(crate) fn existing_database(&self) -> Result<Vmdb, CliError> {
        self.existing_database_url()?;
        self.open_database()
    }

    /// Where a database is that has to be there.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn existing_database_url(&self) -> Result<DatabaseUrl, CliError> {
        let url = self.database_url()?;
        if url.exists() {
            return Ok(url);
        }
        Err(CliError::usage(
            format!("there is no database `{url}`"),
            "name it with --database sqlite:PATH; `switchboard serve` and `switchboard ems add` make one",
        ))
    }

    /// The inventory of the database, where one was named.
    ///
    /// # Errors
    /// When it cannot be opened safely.
    pub(crate) fn records(&self) -> Result<Option<Arc<dyn Records>>, CliError> {
        if self.database.is_none() {
            return Ok(None);
        }
        let ways = RefreshWays::of_settings(&self.settings()?);
        let records = InventoryRecords::new(self.existing_database()?, Arc::new(ways));
        Ok(Some(Arc::new(records)))
    }
}

impl From<VmdbError> for CliError {
    fn from(error: VmdbError) -> Self {
        Self::failed("the database did not do it", error)
    }
}

/// The manager of a name.
///
/// # Errors
/// When there is none, with a suggestion.
pub(crate) fn manager(vmdb: &Vmdb, name: &str) -> Result<Arc<Ems>, CliError> {
    if let Some(ems) = vmdb.ems_by_name(name)? {
        return Ok(ems);
    }
    let known = vmdb.ems_list()?;
    let help = match suggest::did_you_mean(name, known.iter().map(|ems| &*ems.name)) {
        help if help.is_empty() => format!("add it: switchboard ems add {name} --type PROVIDER"),
        help => help,
    };
    Err(CliError::usage(format!("there is no manager `{name}`"), help))
}

/// A moment of the command line.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    let expected = || "a time as in RFC 3339 is expected, such as 2026-01-31T12:00:00Z".to_owned();
    written_time::rfc3339(text).ok_or_else(expected)
}

/// The most rows of a list; 0 stands for all.
pub(crate) fn limit(number: usize) -> Option<usize> {
    (number > 0).then_some(number)
}
