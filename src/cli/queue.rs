//! `switchboard queue`: what waits, what failed and why.

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
use crate::model::unseen::visible;
use crate::vmdb::MessageId;
use crate::vmdb::MessageKind;
use crate::vmdb::MessageState;
use crate::vmdb::QueueEntry;
use crate::vmdb::QueueFilter;
use crate::vmdb::VmdbError;

/// What waits, what failed and why
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:
  switchboard queue list --state dead")]
pub(crate) enum QueueCommand {
    List(List),
    /// One message, with what it carries
    #[command(after_help = "Example:
  switchboard queue show 17")]
    Show {
        /// Its number
        id: i64,
        /// For people, or one JSON document
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    Retry(Retry),
    /// Takes a message off the queue for good
    #[command(after_help = "Example:
  switchboard queue discard 17")]
    Discard {
        /// Its number
        id: i64,
    },
}

/// Messages in the order in which they came
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  switchboard queue list --ems my_cloud --state parked --format json")]
pub(crate) struct List {
    /// Of this manager only
    #[arg(long, value_name = "NAME")]
    ems: Option<String>,
    /// ready, taken, waiting, parked or dead
    #[arg(long)]
    state: Option<MessageState>,
    /// add, unparsed, deliver or outbox
    #[arg(long)]
    kind: Option<MessageKind>,
    /// At most so many; 0 for all
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// For people, or one JSON document a message
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Tries messages again that failed, now, for example after a script is mended
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  switchboard queue retry 17
  switchboard queue retry --all dead")]
pub(crate) struct Retry {
    /// Its number
    #[arg(required_unless_present = "all")]
    id: Option<i64>,
    /// Every message in this state: dead, parked or waiting
    #[arg(long, value_name = "STATE", conflicts_with = "id")]
    all: Option<MessageState>,
}

impl QueueCommand {
    pub(crate) fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        match self {
            Self::List(list) => list.run(options, out),
            Self::Show { id, format } => show(MessageId(*id), *format, options, out),
            Self::Retry(retry) => retry.run(options, out),
            Self::Discard { id } => {
                found(options.existing_database()?.queue_discard(MessageId(*id)).wait())?;
                writeln!(out, "discarded message {id}")?;
                Ok(ExitCode::Fine)
            }
        }
    }
}

impl List {
    fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        let vmdb = options.existing_database()?;
        let ems = self.ems.as_deref().map(|name| manager(&vmdb, name)).transpose()?;
        let filter = QueueFilter {
            ems_id: ems.map(|ems| ems.id),
            state: self.state,
            kind: self.kind,
            after: None,
            limit: limit(self.limit),
        };
        let entries = vmdb.queue_list(&filter)?;
        match self.format {
            Format::Json => {
                for entry in &entries {
                    out.json_line(entry)?;
                }
            }
            Format::Text => {
                let rows: Vec<_> = entries.iter().map(row).collect();
                table(out, &COLUMNS, &rows)?;
            }
        }
        Ok(ExitCode::Fine)
    }
}

const COLUMNS: [Column; 8] = [
    column("ID", 20),
    column("KIND", 12),
    column("STATE", 12),
    column("EMS", 40),
    column("EVENT TYPE", 80),
    column("ATTEMPTS", 10),
    column("RECEIVED", 24),
    column("ERROR", 240),
];

fn row(entry: &QueueEntry) -> Vec<String> {
    vec![
        entry.id.to_string(),
        entry.kind.as_str().to_owned(),
        entry.state.as_str().to_owned(),
        entry.ems.to_string(),
        entry.event_type.clone().unwrap_or_else(|| "-".to_owned()),
        entry.attempts.to_string(),
        cell(entry.received_at),
        entry.error.clone().unwrap_or_default(),
    ]
}

fn show(
    id: MessageId,
    format: Format,
    options: &GlobalOptions,
    out: &mut Output,
) -> Result<ExitCode, CliError> {
    let Some(entry) = options.existing_database()?.queue_show(id)? else {
        return Err(CliError::usage(
            format!("there is no message `{id}`"),
            "`switchboard queue list` names them",
        ));
    };
    if format == Format::Json {
        out.json_line(&entry)?;
        return Ok(ExitCode::Fine);
    }
    heading(
        "message",
        &format!("{} {} {}", entry.id, entry.kind.as_str(), entry.state.as_str()),
        out,
    )?;
    // What an effect carries is what a rule described; that of a message is for the program.
    let outside = entry
        .payload
        .as_ref()
        .filter(|_| entry.kind == MessageKind::Outbox);
    let told = [
        ("ems", Some(entry.ems.to_string())),
        ("event_type", entry.event_type.clone()),
        ("lane", entry.lane.clone()),
        ("attempts", Some(entry.attempts.to_string())),
        ("received_at", Some(entry.received_at.to_string())),
        ("due", entry.due.map(|due| due.to_string())),
        ("error", entry.error.clone()),
        ("generation", entry.generation.map(|rules| rules.to_string())),
        ("payload", outside.map(ToString::to_string)),
        ("full_data", entry.full_data.clone()),
    ];
    for (key, value) in told {
        if let Some(value) = value {
            let dim = out.palette.dim;
            writeln!(out, "        {dim}{key}{dim:#} {}", visible(&value))?;
        }
    }
    Ok(ExitCode::Fine)
}

impl Retry {
    fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        let vmdb = options.existing_database()?;
        if let Some(state) = self.all {
            let count = vmdb.queue_retry_all(state).wait()?;
            writeln!(out, "retrying {count} messages")?;
        }
        if let Some(id) = self.id {
            found(vmdb.queue_retry(MessageId(id)).wait())?;
            writeln!(out, "retrying message {id}")?;
        }
        Ok(ExitCode::Fine)
    }
}

fn found<T>(result: Result<T, VmdbError>) -> Result<T, CliError> {
    result.map_err(|error| match error {
        VmdbError::NotFound { .. } => {
            CliError::usage(error.to_string(), "`switchboard queue list` names them")
        }
        other => other.into(),
    })
}
