//! `switchboard refresh`: asks for refreshes; what waits, runs and ran.

use std::io::Write;

use clap::Subcommand;

use crate::cli::database::limit;
use crate::cli::database::manager;
use crate::cli::document::heading;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::output::cell;
use crate::cli::table::Column;
use crate::cli::table::column;
use crate::cli::table::table;
use crate::cli::width::line;
use crate::model::target::Target;
use crate::vmdb::Refresh;
use crate::vmdb::RefreshFilter;
use crate::vmdb::RefreshId;
use crate::vmdb::RefreshRequest;
use crate::vmdb::RefreshState;

/// Asks for refreshes; what waits, runs and ran
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:
  switchboard refresh run my_cloud --target vms:i-1")]
pub(crate) enum RefreshCommand {
    Run(Run),
    List(List),
    /// One refresh, with its targets and the events that asked for it
    #[command(after_help = "Example:
  switchboard refresh show 3")]
    Show {
        /// Its number
        id: i64,
        /// For people, or one JSON document
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// Queues a refresh: of the whole manager, or of the targets that are named
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  switchboard refresh run my_cloud
  switchboard refresh run my_cloud --target vms:i-1 --target key_pairs.name:deploy")]
pub(crate) struct Run {
    /// The manager's name
    ems: String,
    /// What to refresh; may repeat. The key is ems_ref, or what follows a dot
    #[arg(long, value_name = "ASSOCIATION:REF", value_parser = Target::named)]
    target: Vec<Target>,
}

/// Refreshes, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  switchboard refresh list --ems my_cloud --state waiting")]
pub(crate) struct List {
    /// Of this manager only
    #[arg(long, value_name = "NAME")]
    ems: Option<String>,
    /// waiting, running, done or failed
    #[arg(long)]
    state: Option<RefreshState>,
    /// At most so many; 0 for all
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// For people, or one JSON document a refresh
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl RefreshCommand {
    pub(crate) fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        match self {
            Self::Run(run) => run.run(options, out),
            Self::List(list) => list.run(options, out),
            Self::Show { id, format } => show(RefreshId(*id), *format, options, out),
        }
    }
}

impl Run {
    fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        let vmdb = options.existing_database()?;
        let ems = manager(&vmdb, &self.ems)?;
        let request = RefreshRequest {
            ems_id: ems.id,
            targets: self.target.clone(),
            full: self
                .target
                .is_empty()
                .then(|| "asked for on the command line".to_owned()),
        };
        let id = vmdb.queue_refresh(&request).wait()?;
        writeln!(out, "queued refresh {id} of {}", line(&ems.name))?;
        Ok(ExitCode::Fine)
    }
}

impl List {
    fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        let vmdb = options.existing_database()?;
        let ems = self.ems.as_deref().map(|name| manager(&vmdb, name)).transpose()?;
        let filter = RefreshFilter {
            ems_id: ems.map(|ems| ems.id),
            state: self.state,
            before: None,
            limit: limit(self.limit),
        };
        let refreshes = vmdb.refresh_list(&filter)?;
        match self.format {
            Format::Json => {
                for refresh in &refreshes {
                    out.json_line(refresh)?;
                }
            }
            Format::Text => {
                let rows: Vec<_> = refreshes.iter().map(row).collect();
                table(out, &COLUMNS, &rows)?;
            }
        }
        Ok(ExitCode::Fine)
    }
}

const COLUMNS: [Column; 7] = [
    column("ID", 20),
    column("EMS", 40),
    column("STATE", 12),
    column("WHAT", 120),
    column("EVENTS", 12),
    column("REQUESTED", 24),
    column("ERROR", 240),
];

fn row(refresh: &Refresh) -> Vec<String> {
    let what = match &refresh.full {
        Some(reason) if refresh.widened => {
            format!("everything, for {}: {reason}", targets(refresh.targets))
        }
        Some(reason) => format!("everything: {reason}"),
        None => targets(refresh.targets),
    };
    vec![
        refresh.id.to_string(),
        refresh.ems.to_string(),
        refresh.state.as_str().to_owned(),
        what,
        refresh.events.to_string(),
        cell(refresh.requested_at),
        refresh.error.clone().unwrap_or_default(),
    ]
}

fn targets(count: u64) -> String {
    match count {
        1 => "1 target".to_owned(),
        many => format!("{many} targets"),
    }
}

fn show(
    id: RefreshId,
    format: Format,
    options: &GlobalOptions,
    out: &mut Output,
) -> Result<ExitCode, CliError> {
    let Some(shown) = options.existing_database()?.refresh_show(id)? else {
        return Err(CliError::usage(
            format!("there is no refresh `{id}`"),
            "`switchboard refresh list` names them",
        ));
    };
    if format == Format::Json {
        out.json_line(&shown)?;
        return Ok(ExitCode::Fine);
    }
    let refresh = &shown.refresh;
    heading(
        "refresh",
        &format!("{} of {}, {}", refresh.id, refresh.ems, refresh.state.as_str()),
        out,
    )?;
    match &refresh.full {
        Some(reason) if refresh.widened => {
            heading(
                "full",
                &format!("{reason}, for {}", targets(refresh.targets)),
                out,
            )?;
        }
        Some(reason) => heading("full", reason, out)?,
        None => (),
    }
    if let Some(error) = &refresh.error {
        heading("error", error, out)?;
    }
    if !shown.requested.is_empty() {
        heading("targets", "", out)?;
    }
    for requested in &shown.requested {
        let keys = requested.target.manager_ref.0.iter();
        let keys: Vec<String> = keys.map(|(key, value)| format!("{key}={value}")).collect();
        let target = format!("{}  {}", requested.target.association, keys.join(" "));
        let times = match requested.requests {
            1 => "once".to_owned(),
            many => format!("{many} times"),
        };
        writeln!(out, "  {}  asked for {times}", line(&target))?;
    }
    let events: Vec<String> = shown.event_ids.iter().map(|id| id.0.to_string()).collect();
    heading("events", &events.join(" "), out)?;
    Ok(ExitCode::Fine)
}
