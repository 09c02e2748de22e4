//! `switchboard verify`: proves that nothing is lost, or shows what is. One file per form.

mod chaos;
mod database;
mod findings;
mod live;

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::settings;

/// Proves that nothing is lost, or shows what is
///
/// Looks at a database, also while `serve` runs, and changes nothing: the structure of the file, the digest of every
/// event as it came, the books of what came against the rows that are there, and that each event was decided once
/// and everything it asked for is there once. Exit status 1 only where there is an error; a warning leaves it 0.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  switchboard verify --database sqlite:/var/lib/switchboard/switchboard.db
  switchboard verify --format json | jq -r 'select(.severity == \"error\") | .where'
  switchboard verify --ledger sent.jsonl
  switchboard verify --live http://127.0.0.1:3000 --rate 20 --for 1m --add-ems
  switchboard verify --chaos 300")]
pub(crate) struct Verify {
    /// Also against a sender's own list, a line {\"ems\": …, \"key\": …, \"sha256\": …, \"answered\": true} for each event
    #[arg(long, value_name = "FILE", conflicts_with_all = ["live", "chaos"])]
    ledger: Option<PathBuf>,
    /// Sends marked probes to a running system and follows each to its decision; the token is that of the settings
    #[arg(long, value_name = "URL", conflicts_with = "chaos")]
    live: Option<String>,
    /// Probes a second
    #[arg(long, value_name = "R", requires = "live", default_value_t = 10.0)]
    rate: f64,
    /// For how long
    #[arg(long = "for", value_name = "D", requires = "live", default_value = "30s", value_parser = duration)]
    duration: Duration,
    /// The manager that is kept for probes, of type awesome_cloud
    #[arg(
        long,
        value_name = "NAME",
        requires = "live",
        default_value = "switchboard_verify"
    )]
    ems: String,
    /// Adds that manager to the database where it is missing
    #[arg(long, requires = "live")]
    add_ems: bool,
    /// Has a system of its own, kills it so often at random times under load, and looks whether anything is lost
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    chaos: Option<u32>,
    /// What chance begins with, to repeat a run
    #[arg(long, value_name = "S", requires = "chaos")]
    seed: Option<u64>,
    /// For people, or one JSON document a finding, and one with the sums
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Verify {
    pub(crate) fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        match (&self.ledger, &self.live, self.chaos) {
            (_, Some(url), _) => live::run(self, url, options, out),
            (_, _, Some(kills)) => chaos::run(self, kills, options, out),
            (Some(ledger), _, _) => database::run_with_ledger(self.format, ledger, options, out),
            (None, None, None) => database::run(self.format, options, out),
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = settings::duration(text)
        .ok()
        .filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| "a duration above 0 is expected, such as 30s or 5m".to_owned())
}
