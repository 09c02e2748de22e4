//! A database by itself, and against the list of a sender.

use std::io;
use std::io::Write;
use std::path::Path;

use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::verify::findings::Findings;
use crate::model::clock::Clock;
use crate::verify::ledger::Ledger;
use crate::verify::oracle;
use crate::verify::oracle::Sums;
use crate::vmdb::Audit;

pub(crate) fn run(format: Format, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
    let url = options.existing_database_url()?;
    let failed = |error| CliError::failed(format!("cannot verify `{url}`"), error);
    let audit = Audit::open(&url).map_err(failed)?;
    let mut findings = Findings::new(format, out);
    let audited = audit.check(&Clock::System, |finding| findings.add(&finding));
    let audited = audited.map_err(failed)?;
    findings.end(&[(audited.events, "event"), (audited.messages, "message")])
}

pub(crate) fn run_with_ledger(
    format: Format,
    ledger: &Path,
    options: &GlobalOptions,
    out: &mut Output,
) -> Result<ExitCode, CliError> {
    let url = options.existing_database_url()?;
    let ledger = Ledger::read(ledger).map_err(|error| CliError::failed("cannot read the ledger", error))?;
    let mut findings = Findings::new(format, out);
    let sums = oracle::check(&url, &ledger, &Clock::System, |finding| findings.add(&finding));
    let sums = sums.map_err(|error| CliError::failed(format!("cannot verify `{url}`"), error))?;
    match format {
        Format::Json => findings.out().json_line(&sums)?,
        Format::Text => print(findings.out(), &sums)?,
    }
    findings.end(&[(sums.sent, "key")])
}

/// The sums, for people.
pub(crate) fn print(out: &mut Output, sums: &Sums) -> io::Result<()> {
    writeln!(
        out,
        "sent {}, answered {}, stored {}, waiting {}, dead {}",
        sums.sent, sums.answered, sums.stored, sums.waiting, sums.dead
    )?;
    writeln!(
        out,
        "lost {}, duplicate {}, changed {}, made up {}, faults of the database {}",
        sums.lost, sums.duplicate, sums.changed, sums.made_up, sums.faults
    )
}
