//! `switchboard ems list`: every manager, and how its catcher fared when the process that serves last wrote it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::output::table;
use crate::model::clock::Timestamp;
use crate::model::ems::Ems;
use crate::vmdb::StoredCatcher;

/// A process that serves gives a sign of life more often than this.
const SILENT: Duration = Duration::from_secs(90);
/// What a catcher does of which nothing was heard for so long.
const UNKNOWN: &str = "unknown";

/// A manager as it is shown.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    ems: Arc<Ems>,
    catcher: Option<Catcher>,
}

/// Its catcher; none before a process has served.
#[derive(Serialize)]
struct Catcher {
    wanted: bool,
    stream: Option<String>,
    state: String,
    reason: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    broke_off: u64,
    seen_at: Timestamp,
    position: Option<serde_json::Value>,
    position_saved_at: Option<Timestamp>,
    /// How long ago its stream last brought something that was kept.
    lag_seconds: Option<i64>,
}

impl Catcher {
    fn new(stored: StoredCatcher, now: Timestamp) -> Self {
        let StoredCatcher {
            record,
            seen_at,
            position,
        } = stored;
        let is_silent = Duration::try_from(now.duration_since(seen_at)).is_ok_and(|passed| SILENT < passed);
        let state = match record.state.as_str() {
            "stopped" => record.state,
            _other if is_silent => UNKNOWN.to_owned(),
            _other => record.state,
        };
        let (position, position_saved_at) = position.unzip();
        let lag = |saved_at: Timestamp| now.duration_since(saved_at).as_secs().max(0);
        Self {
            wanted: record.wanted,
            stream: record.stream,
            state,
            reason: record.reason,
            since: record.since,
            until: record.until,
            broke_off: record.broke_off,
            seen_at,
            position,
            position_saved_at,
            lag_seconds: position_saved_at.filter(|_| record.wanted).map(lag),
        }
    }

    /// In a few words: the kind of its stream and what it does, and why.
    fn words(&self) -> String {
        let what = match &self.stream {
            Some(stream) => format!("{stream} {}", self.state),
            None => "none".to_owned(),
        };
        match &self.reason {
            Some(reason) => format!("{what}: {reason}"),
            None => what,
        }
    }
}

pub(crate) fn list(format: Format, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
    let vmdb = options.existing_database()?;
    let mut catchers = vmdb.catchers()?;
    let now = vmdb.clock().now();
    let listed = vmdb.ems_list()?.into_iter().map(|ems| Listed {
        catcher: catchers.remove(&ems.id).map(|stored| Catcher::new(stored, now)),
        ems,
    });
    match format {
        Format::Json => {
            for listed in listed {
                out.json_line(&listed)?;
            }
        }
        Format::Text => {
            let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            let rows = listed.map(|Listed { ems, catcher }| {
                let lag = catcher.as_ref().and_then(|catcher| catcher.lag_seconds);
                vec![
                    ems.name.to_string(),
                    ems.provider.to_string(),
                    if ems.enabled { "yes" } else { "no" }.to_owned(),
                    or_dash(lag.map(|lag| format!("{lag} s"))),
                    or_dash(ems.url.clone()),
                    or_dash(ems.credentials.clone()),
                    or_dash(catcher.as_ref().map(Catcher::words)),
                ]
            });
            let rows: Vec<_> = rows.collect();
            let head = ["NAME", "TYPE", "ENABLED", "LAG", "URL", "CREDENTIALS", "CATCHER"];
            table(out, &head, &rows)?;
        }
    }
    Ok(ExitCode::Fine)
}
