//! What every command takes: where the rules, the scripts, the settings and the database are.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::cli::error::CliError;
use crate::cli::logging::LogFormat;
use crate::settings::Environment;
use crate::settings::Settings;
use crate::settings::SettingsPath;
use crate::source::Diagnostic;
use crate::source::Root;
use crate::source::RootKind;
use crate::source::SourceTree;

/// Where the rules stand unless told otherwise.
const AUTOMATE: &str = "automate";
/// Where the settings stand unless told otherwise.
const SETTINGS: &str = "config/settings.yml";
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
    /// The folders that rules and scripts are read from; one that was named has to be there, and so has `automate`.
    pub(crate) fn roots(&self) -> Vec<Root> {
        let root = |kind, folder: &Path, required| Root {
            kind,
            folder: folder.to_owned(),
            required,
        };
        let mut roots: Vec<Root> = self
            .automate
            .iter()
            .map(|folder| root(RootKind::Automate, folder, true))
            .collect();
        if roots.is_empty() {
            roots.push(root(RootKind::Automate, Path::new(AUTOMATE), true));
        }
        // Rules without scripts are fine; a folder that somebody named is not optional.
        let scripts = self.scripts.as_deref().unwrap_or(Path::new(SCRIPTS));
        roots.push(root(RootKind::Scripts, scripts, self.scripts.is_some()));
        roots
    }

    /// The names of the folders that hold an event parser; none where there are no scripts.
    pub(crate) fn provider_folders(&self) -> Vec<String> {
        let scripts = self.scripts.as_deref().unwrap_or(Path::new(SCRIPTS));
        let folders = fs::read_dir(scripts).into_iter().flatten().flatten();
        let mut names: Vec<String> = folders
            .filter(|entry| entry.path().join("event_parser.rhai").exists())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The settings file that was named, or the usual one.
    pub(crate) fn settings_path(&self) -> SettingsPath {
        let usual = || SettingsPath::usual(SETTINGS);
        self.config.as_ref().map_or_else(usual, SettingsPath::named)
    }

    /// The settings in force.
    ///
    /// # Errors
    /// When they cannot be used: no command goes on with others than those that are written.
    pub(crate) fn settings(&self) -> Result<Settings, CliError> {
        let (settings, _told_by_check) = Settings::load(&self.settings_path(), &Environment::of_process())?;
        Ok(settings)
    }

    /// Everything that is wrong in the settings.
    ///
    /// # Errors
    /// When a file that was named is not there.
    pub(crate) fn settings_findings(&self) -> Result<Vec<Diagnostic>, CliError> {
        if let Some(named) = self.config.as_deref().filter(|named| !named.exists()) {
            let message = format!("there is no settings file `{}`", named.display());
            return Err(CliError::usage(
                message,
                "name it with --config FILE, or leave the option out",
            ));
        }
        let loaded = Settings::load(&self.settings_path(), &Environment::of_process());
        Ok(loaded.map_or_else(|error| error.0, |(_, findings)| findings))
    }

    /// The text of every rule and script.
    ///
    /// # Errors
    /// When a folder cannot be read at all; a file that cannot is a finding of the tree.
    pub(crate) fn source_tree(&self) -> Result<SourceTree, CliError> {
        SourceTree::from_disk(&self.roots()).map_err(|error| {
            let help = "name the folders with --automate DIR and --scripts DIR, or run this where they are";
            CliError::usage(error.to_string(), help)
        })
    }
}
