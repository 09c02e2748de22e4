//! `switchboard serve`: everything in one process.

use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::options::GlobalOptions;

/// Everything in one process: catchers, event handler, refresh, hot reload, web
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  switchboard serve --database sqlite:switchboard.db")]
pub(crate) struct Serve {}

impl Serve {
    pub(crate) fn run(&self, _options: &GlobalOptions) -> Result<ExitCode, CliError> {
        Ok(ExitCode::Fine)
    }
}
