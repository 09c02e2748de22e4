//! What every command takes: where the rules, the scripts, the settings and the database are.

use std::path::Path;
use std::path::PathBuf;

use crate::cli::error::CliError;
use crate::cli::logging::LogFormat;
use crate::source::Root;
use crate::source::RootKind;
use crate::source::SourceTree;

/// Where the rules stand unless told otherwise.
const AUTOMATE: &str = "automate";
/// Where the scripts stand unless told otherwise.
const SCRIPTS: &str = "scripts";

/// The options that stand before or after any command.
#[derive(Debug, clap::Args)]
pub(crate) struct GlobalOptions {
    /// The settings of this site [default: config/settings.yml, where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A folder of domains; may repeat [default: automate]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) automate: Vec<PathBuf>,
    /// The folder of providers, actions and shared modules [default: scripts]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) scripts: Option<PathBuf>,
    /// The database, sqlite:PATH [default: sqlite:switchboard.db]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// How log lines are written; RUST_LOG says how many
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    pub(crate) log_format: LogFormat,
}

impl GlobalOptions {
    /// The folders that rules and scripts are read from.
    ///
    /// # Errors
    /// When a folder that was named, or the default one of rules, is not there.
    pub(crate) fn roots(&self) -> Result<Vec<Root>, CliError> {
        let default = [PathBuf::from(AUTOMATE)];
        let automate = if self.automate.is_empty() {
            default.as_slice()
        } else {
            &self.automate
        };
        let mut roots = Vec::new();
        for folder in automate {
            roots.push(existing(RootKind::Automate, folder, "--automate")?);
        }
        match &self.scripts {
            Some(folder) => roots.push(existing(RootKind::Scripts, folder, "--scripts")?),
            // Rules without scripts are fine; a folder that somebody named is not.
            None if Path::new(SCRIPTS).is_dir() => {
                roots.push(Root {
                    kind: RootKind::Scripts,
                    folder: PathBuf::from(SCRIPTS),
                });
            }
            None => (),
        }
        Ok(roots)
    }

    /// The text of every rule and script.
    ///
    /// # Errors
    /// When a folder cannot be read at all; a file that cannot is a finding of the tree.
    pub(crate) fn source_tree(&self) -> Result<SourceTree, CliError> {
        Ok(SourceTree::from_disk(&self.roots()?))
    }
}

fn existing(kind: RootKind, folder: &Path, option: &str) -> Result<Root, CliError> {
    if folder.is_dir() {
        return Ok(Root {
            kind,
            folder: folder.to_owned(),
        });
    }
    let problem = if folder.exists() {
        "is no folder"
    } else {
        "does not exist"
    };
    Err(CliError::usage(
        format!("`{}` {problem}", folder.display()),
        format!("name the folder with {option} DIR, or run this where it is"),
    ))
}
