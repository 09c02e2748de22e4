//! A system of our own that is killed.

use std::env;
use std::ffi::OsString;
use std::io::Write;

use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::verify::Verify;
use crate::cli::verify::database;
use crate::cli::verify::findings::Findings;
use crate::verify::chaos;
use crate::verify::chaos::ChaosConfig;

/// After so many kills a line of progress.
const TOLD: u32 = 10;

pub(crate) fn run(
    verify: &Verify,
    kills: u32,
    options: &GlobalOptions,
    out: &mut Output,
) -> Result<ExitCode, CliError> {
    let failed = |error| CliError::failed("cannot make a place for it", error);
    let mut folder = tempfile::Builder::new()
        .prefix("switchboard-chaos-")
        .tempdir()
        .map_err(failed)?;
    let config = ChaosConfig {
        program: env::current_exe().map_err(failed)?,
        arguments: rules_of(options),
        folder: folder.path().to_path_buf(),
        kills,
        seed: verify.seed.unwrap_or_else(|| fastrand::u64(..)),
    };
    let progress = |number: u32| {
        if number.is_multiple_of(TOLD) {
            // Whoever closed the place for progress wants none.
            let _closed = writeln!(std::io::stderr(), "killed {number} of {kills} times");
        }
    };
    let mut findings = Findings::new(verify.format, out);
    let report = chaos::run(&config, progress, |finding| findings.add(&finding));
    if !report.as_ref().is_ok_and(|report| report.sums.is_fine()) {
        folder.disable_cleanup(true);
        let _closed = writeln!(
            std::io::stderr(),
            "seed {}; the database and the ledger are kept in {}",
            config.seed,
            folder.path().display()
        );
    }
    let report = report.map_err(|error| CliError::failed("the kills say nothing", error))?;
    match verify.format {
        Format::Json => findings.out().json_line(&report)?,
        Format::Text => {
            let (seed, repeats) = (report.seed, report.repeats);
            writeln!(
                findings.out(),
                "killed {kills} times at random, seed {seed}; {repeats} requests were sent again"
            )?;
            database::print(findings.out(), &report.sums)?;
            if let Some(bound) = report.bound {
                let percent = 100.0 * bound.min(1.0);
                writeln!(
                    findings.out(),
                    "with 95 % confidence a kill loses something in less than {percent:.2} % of cases (3/{kills})"
                )?;
            }
        }
    }
    findings.end(&[(report.sums.sent, "event")])
}

/// The rules that were named; those of the usual folders are found by the child as they were by us.
fn rules_of(options: &GlobalOptions) -> Vec<OsString> {
    let automate = options.automate.iter().map(|folder| ("--automate", folder));
    let scripts = options.scripts.iter().map(|folder| ("--scripts", folder));
    let named = automate.chain(scripts);
    named
        .flat_map(|(flag, folder)| [flag.into(), folder.clone().into_os_string()])
        .collect()
}
