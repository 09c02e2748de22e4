//! `switchboard ems`: the managers, one catcher each.

use std::io::Write;

use clap::Subcommand;

use crate::cli::ems_list;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::width::line;
use crate::model::ems::Ems;
use crate::model::unseen::is_unseen;
use crate::source::suggest;
use crate::vmdb::NewEms;
use crate::vmdb::VmdbError;

/// The managers, one catcher each
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:
  switchboard ems add my_cloud --type awesome_cloud")]
pub(crate) enum EmsCommand {
    /// Every manager, by name
    #[command(after_help = "Example:
  switchboard ems list --format json")]
    List {
        /// For people, or one JSON document a manager
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    Add(Add),
    /// Has a manager caught again, from where its stream was
    #[command(after_help = "Example:
  switchboard ems enable my_cloud")]
    Enable {
        /// Its name
        name: String,
    },
    /// Pauses a manager: its stream is left alone; what is pushed for it is still taken, saved and shown
    #[command(after_help = "Example:
  switchboard ems disable my_cloud")]
    Disable {
        /// Its name
        name: String,
    },
    /// Removes a manager; what came from it stays readable
    #[command(after_help = "Example:
  switchboard ems remove my_cloud")]
    Remove {
        /// Its name
        name: String,
    },
}

/// Adds a manager
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  switchboard ems add my_cloud --type awesome_cloud
  switchboard ems add aws-eu --type amazon --url https://events.example.com --credentials env:AWS_EU_TOKEN")]
pub(crate) struct Add {
    /// Its name: events come in at /events/NAME
    name: String,
    /// Its kind: a folder under scripts/
    #[arg(long = "type", value_name = "PROVIDER")]
    provider: String,
    /// Where its API answers
    #[arg(long)]
    url: Option<String>,
    /// Where its credentials are, env:VAR or file:PATH; they themselves are never kept
    #[arg(long, value_name = "WHERE", value_parser = reference)]
    credentials: Option<String>,
}

impl EmsCommand {
    pub(crate) fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        match self {
            Self::List { format } => ems_list::list(*format, options, out),
            Self::Add(add) => add.run(options, out),
            Self::Enable { name } => {
                let ems = found(options.existing_database()?.ems_enable(name, true).wait())?;
                writeln!(out, "enabled manager {}", line(&ems.name))?;
                Ok(ExitCode::Fine)
            }
            Self::Disable { name } => {
                let ems = found(options.existing_database()?.ems_enable(name, false).wait())?;
                writeln!(out, "disabled manager {}", line(&ems.name))?;
                Ok(ExitCode::Fine)
            }
            Self::Remove { name } => {
                let ems = found(options.existing_database()?.ems_remove(name).wait())?;
                writeln!(out, "removed manager {}", line(&ems.name))?;
                Ok(ExitCode::Fine)
            }
        }
    }
}

fn found(ems: Result<Ems, VmdbError>) -> Result<Ems, CliError> {
    ems.map_err(|error| match error {
        error @ VmdbError::NotFound { .. } => {
            CliError::usage(error.to_string(), "`switchboard ems list` names them")
        }
        error => error.into(),
    })
}

impl Add {
    fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        if self.name.trim().is_empty() || self.name.contains(is_unseen) {
            return Err(CliError::usage(
                format!("`{}` cannot be the name of a manager", self.name),
                "it is part of /events/NAME, and every character of it has to be seen",
            ));
        }
        let known = options.provider_folders();
        if !known.is_empty() && !known.contains(&self.provider) {
            let help = match suggest::did_you_mean(&self.provider, known.iter().map(String::as_str)) {
                help if help.is_empty() => format!("there are {}", known.join(", ")),
                help => help,
            };
            let message = format!("there is no provider `{}` under the scripts", self.provider);
            return Err(CliError::usage(message, help));
        }
        let new = NewEms {
            name: self.name.clone(),
            provider: self.provider.clone(),
            url: self.url.clone(),
            credentials: self.credentials.clone(),
        };
        let ems = match options.open_database()?.ems_add(new).wait() {
            Ok(ems) => ems,
            Err(error @ VmdbError::NameTaken { .. }) => {
                return Err(CliError::usage(
                    error.to_string(),
                    "choose another name, or remove it first",
                ));
            }
            Err(error) => return Err(error.into()),
        };
        writeln!(
            out,
            "added manager {} of type {}",
            line(&ems.name),
            line(&ems.provider)
        )?;
        Ok(ExitCode::Fine)
    }
}

fn reference(text: &str) -> Result<String, String> {
    if text.starts_with("env:") || text.starts_with("file:") {
        return Ok(text.to_owned());
    }
    Err("env:VAR or file:PATH is expected, not the credentials themselves".to_owned())
}
