//! `switchboard backup`: a copy of the running database that passes `verify`.

use std::io::Write;
use std::path::PathBuf;

use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::vmdb;
use crate::vmdb::BackupError;

/// A copy of the running database that passes `verify`
///
/// Holds everything that was acknowledged before it began. One file, readable by its owner only; it appears under
/// its name when it is whole and on the disk, and never before.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  switchboard backup /var/backups/switchboard-2026-01-31.db
  switchboard verify --database sqlite:/var/backups/switchboard-2026-01-31.db")]
pub(crate) struct Backup {
    /// The copy; nothing may be there yet
    to: PathBuf,
}

impl Backup {
    pub(crate) fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        let url = options.existing_database_url()?;
        let copied = vmdb::backup(&url, &self.to, |_progress| {}).map_err(|error| match error {
            BackupError::Taken(_) | BackupError::UnderWay(_) => {
                CliError::usage(error.to_string(), "name a file that is not there")
            }
            error => CliError::failed(format!("no backup was made of `{url}`"), error),
        })?;
        let megabytes = copied.pages.saturating_mul(4_096) >> 20;
        writeln!(out, "backed up {url} to {}, {megabytes} MiB", self.to.display())?;
        Ok(ExitCode::Fine)
    }
}
