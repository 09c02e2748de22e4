//! `switchboard verify`: proves that nothing is lost, or shows what is.

mod findings;

use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::verify::findings::Findings;
use crate::model::clock::Clock;
use crate::vmdb::Audit;

/// Proves that nothing is lost, or shows what is
///
/// Looks at a database, also while `serve` runs, and changes nothing: the structure of the file, the digest of every
/// event as it came, the books of what came against the rows that are there, and that each event was decided once
/// and everything it asked for is there once. Exit status 1 only where there is an error; a warning leaves it 0.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  switchboard verify --database sqlite:/var/lib/switchboard/switchboard.db
  switchboard verify --format json | jq -r 'select(.severity == \"error\") | .where'")]
pub(crate) struct Verify {
    /// For people, or one JSON document a finding
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Verify {
    pub(crate) fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        let url = options.existing_database_url()?;
        let failed = |error| CliError::failed(format!("cannot verify `{url}`"), error);
        let audit = Audit::open(&url).map_err(failed)?;
        let mut findings = Findings::new(self.format, out);
        let audited = audit.check(&Clock::System, |finding| findings.add(&finding));
        let audited = audited.map_err(failed)?;
        findings.end(&[(audited.events, "event"), (audited.messages, "message")])
    }
}
