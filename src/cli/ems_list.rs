//! `switchboard ems list`: every manager, how its catcher fared when the process that serves last wrote it, and its
//! refreshes.

use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::table::Column;
use crate::cli::table::column;
use crate::cli::table::table;
use crate::vmdb::ManagerRefreshes;
use crate::web::managers::CatcherDocument;
use crate::web::managers::ManagerDocument;
use crate::web::managers::managers;

const COLUMNS: [Column; 9] = [
    column("NAME", 40),
    column("TYPE", 40),
    column("ENABLED", 8),
    column("LAG", 16),
    column("REFUSED", 12),
    column("URL", 80),
    column("CREDENTIALS", 40),
    column("CATCHER", 120),
    column("REFRESHED", 240),
];

/// In a few words: why the last refresh failed, or when one ended well.
fn refreshed(refreshes: &ManagerRefreshes) -> Option<String> {
    match &refreshes.last_refresh_error {
        Some(error) => Some(format!("failed: {error}")),
        None => refreshes.last_refresh_success_date.map(|time| time.to_string()),
    }
}

/// In a few words: the kind of its stream and what it does, and why.
fn words(catcher: &CatcherDocument) -> String {
    let what = match &catcher.stream {
        Some(stream) => format!("{stream} {}", catcher.state),
        None => "none".to_owned(),
    };
    match &catcher.reason {
        Some(reason) => format!("{what}: {reason}"),
        None => what,
    }
}

pub(crate) fn list(format: Format, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
    let vmdb = options.existing_database()?;
    let listed = managers(&vmdb)?.into_iter();
    match format {
        Format::Json => {
            for listed in listed {
                out.json_line(&listed)?;
            }
        }
        Format::Text => {
            let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            let rows = listed.map(
                |ManagerDocument {
                     ems,
                     catcher,
                     refreshes,
                     today,
                 }| {
                    let lag = catcher.as_ref().and_then(|catcher| catcher.lag_seconds);
                    vec![
                        ems.name.to_string(),
                        ems.provider.to_string(),
                        if ems.enabled { "yes" } else { "no" }.to_owned(),
                        or_dash(lag.map(|lag| format!("{lag} s"))),
                        today.refused.to_string(),
                        or_dash(ems.url.clone()),
                        or_dash(ems.credentials.clone()),
                        or_dash(catcher.as_ref().map(words)),
                        or_dash(refreshed(&refreshes)),
                    ]
                },
            );
            let rows: Vec<_> = rows.collect();
            table(out, &COLUMNS, &rows)?;
        }
    }
    Ok(ExitCode::Fine)
}
