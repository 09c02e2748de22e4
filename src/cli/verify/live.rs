//! Probes through a running system.

use std::io::Write;

use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::verify::Verify;
use crate::cli::verify::findings::Findings;
use crate::cli::width::line;
use crate::model::clock::Clock;
use crate::verify::live;
use crate::verify::live::LiveConfig;
use crate::verify::live::LiveError;
use crate::verify::live::Quantiles;
use crate::vmdb::NewEms;
use crate::vmdb::VmdbError;

const PROVIDER: &str = "awesome_cloud";

pub(crate) fn run(
    verify: &Verify,
    url: &str,
    options: &GlobalOptions,
    out: &mut Output,
) -> Result<ExitCode, CliError> {
    if verify.add_ems {
        add_manager(&verify.ems, options)?;
    }
    let settings = options.settings()?;
    let config = LiveConfig {
        url: url.to_owned(),
        token: settings.web.token,
        ems: verify.ems.clone(),
        rate: verify.rate,
        duration: verify.duration,
        clock: Clock::System,
    };
    let mut findings = Findings::new(verify.format, out);
    let report = live::run(&config, |finding| findings.add(&finding)).map_err(|error| {
        let message = error.to_string();
        match error {
            LiveError::NoManager { ems, .. } => CliError::usage(
                message,
                format!("--add-ems adds it to --database, or: switchboard ems add {ems} --type {PROVIDER}"),
            ),
            LiveError::Rate(_) => CliError::usage(message, "for example --rate 20"),
            LiveError::Unreachable { .. } => CliError::usage(
                message,
                "name it as http://HOST:PORT; its token is `web.token` of the settings, or SWITCHBOARD_WEB_TOKEN",
            ),
        }
    })?;
    match verify.format {
        Format::Json => findings.out().json_line(&report)?,
        Format::Text => {
            writeln!(
                findings.out(),
                "sent {} probes for {}, answered {}, lost {}, duplicate {}, without a target {}",
                report.sent,
                report.ems,
                report.answered,
                report.lost,
                report.duplicate,
                report.without_target
            )?;
            for (what, quantiles) in [("answered", report.answer), ("decided", report.decision)] {
                if let Some(Quantiles { p50, p99 }) = quantiles {
                    writeln!(
                        findings.out(),
                        "{what} within {p50:.1} ms (p50), {p99:.1} ms (p99)"
                    )?;
                }
            }
        }
    }
    findings.end(&[(usize::try_from(report.sent).unwrap_or(usize::MAX), "probe")])
}

fn add_manager(name: &str, options: &GlobalOptions) -> Result<(), CliError> {
    let new = NewEms {
        name: name.to_owned(),
        provider: PROVIDER.to_owned(),
        ..NewEms::default()
    };
    match options.existing_database()?.ems_add(new).wait() {
        Ok(ems) => {
            // Whoever closed the place for progress wants none.
            let _closed = writeln!(
                std::io::stderr(),
                "added manager {} of type {PROVIDER}",
                line(&ems.name)
            );
            Ok(())
        }
        Err(VmdbError::NameTaken { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
