//! `switchboard settings`: the settings in force, or every default with its comment.

use std::io::Write;

use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::settings::Environment;
use crate::settings::Settings;
use crate::settings::effective_text;

/// The settings in force, or every default with its comment
///
/// What is printed is a settings file. Tokens are masked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  switchboard settings --defaults > config/settings.yml")]
pub(crate) struct PrintSettings {
    /// The compiled-in defaults, each with its comment
    #[arg(long)]
    defaults: bool,
}

impl PrintSettings {
    pub(crate) fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        if self.defaults {
            out.write_all(Settings::default_text().as_bytes())?;
            return Ok(ExitCode::Fine);
        }
        let text = effective_text(&options.settings_path(), &Environment::of_process())?;
        out.write_all(text.as_bytes())?;
        Ok(ExitCode::Fine)
    }
}
