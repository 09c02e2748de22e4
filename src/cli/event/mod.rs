//! `switchboard event`: put events in, look them up, follow them.

mod add;
mod documents;
mod laid_out;
mod tail;

use std::io::Write;

use crate::model::json;
use crate::model::json::Value;
use clap::Subcommand;

use crate::cli::database::limit;
use crate::cli::database::manager;
use crate::cli::database::moment;
use crate::cli::document::Document;
use crate::cli::document::heading;
use crate::cli::document::print_event;
use crate::cli::error::CliError;
use crate::cli::event::laid_out::laid_out;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::output::cell;
use crate::cli::table::Column;
use crate::cli::table::column;
use crate::cli::table::table;
use crate::cli::width::line;
use crate::model::clock::Timestamp;
use crate::model::event::EventId;
use crate::model::unseen::visible;
use crate::outbound::Outside;
use crate::vmdb::EventFilter;
use crate::vmdb::StoredEffect;
use crate::vmdb::StoredEvent;
use crate::vmdb::Vmdb;
use crate::web::event_document::Shown;
use crate::web::event_document::listed;

/// Put events in, look them up, follow them
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:
  switchboard event list --ems my_cloud --limit 5")]
pub(crate) enum EventCommand {
    Add(add::Add),
    List(List),
    /// One event, with its full data, and what the rules made of it
    #[command(after_help = "Example:
  switchboard event show 17")]
    Show {
        /// Its number
        id: i64,
        /// For people, or one JSON document
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    Tail(tail::Tail),
}

/// Which events are meant.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Of this manager only
    #[arg(long, value_name = "NAME")]
    ems: Option<String>,
    /// Of this type only
    #[arg(long, value_name = "T")]
    event_type: Option<String>,
}

/// Events, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  switchboard event list --ems my_cloud --from 2026-01-31T00:00:00Z --format json")]
pub(crate) struct List {
    #[command(flatten)]
    which: Which,
    /// About this object only: its association and its key, as in vms:vm-1
    #[arg(long, value_name = "ASSOCIATION:KEY", value_parser = EventFilter::target_of)]
    target: Option<(String, String)>,
    /// Not older than this
    #[arg(long, value_name = "T", value_parser = moment)]
    from: Option<Timestamp>,
    /// Older than this
    #[arg(long, value_name = "T", value_parser = moment)]
    to: Option<Timestamp>,
    /// At most so many; 0 for all
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// For people, or one JSON document an event
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl EventCommand {
    pub(crate) fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        match self {
            Self::Add(add) => add.run(options, out),
            Self::List(list) => list.run(options, out),
            Self::Show { id, format } => show(EventId(*id), *format, options, out),
            Self::Tail(tail) => tail.run(options, out),
        }
    }
}

impl Which {
    /// The filter for them.
    fn filter(&self, vmdb: &Vmdb) -> Result<EventFilter, CliError> {
        let ems = self.ems.as_deref().map(|name| manager(vmdb, name)).transpose()?;
        Ok(EventFilter {
            ems_id: ems.map(|ems| ems.id),
            event_type: self.event_type.clone(),
            ..EventFilter::default()
        })
    }
}

impl List {
    fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        let vmdb = options.existing_database()?;
        let filter = EventFilter {
            target: self.target.clone(),
            from: self.from,
            to: self.to,
            limit: limit(self.limit),
            ..self.which.filter(&vmdb)?
        };
        let events = vmdb.events_list(&filter)?;
        match self.format {
            Format::Json => {
                for event in &events {
                    out.json_line(&listed(event))?;
                }
            }
            Format::Text => {
                let rows: Vec<_> = events.iter().map(row).collect();
                table(out, &COLUMNS, &rows)?;
            }
        }
        Ok(ExitCode::Fine)
    }
}

/// What is told of a listed event.
const COLUMNS: [Column; 7] = [
    column("ID", 20),
    column("TIME", 24),
    column("EMS", 40),
    column("EVENT TYPE", 80),
    column("GROUP", 24),
    column("LEVEL", 12),
    column("RESOURCE", 120),
];

/// The cells of a listed event.
fn row(stored: &StoredEvent) -> Vec<String> {
    let event = &stored.event;
    let resource = [
        "vm_ems_ref",
        "vm_uid_ems",
        "host_ems_ref",
        "availability_zone_ems_ref",
    ];
    let resource = resource.iter().find_map(|key| event.hash.text(key));
    vec![
        event.id.map(|id| id.0.to_string()).unwrap_or_default(),
        cell(event.hash.timestamp.unwrap_or(event.received_at)),
        event
            .ems
            .as_ref()
            .map(|ems| ems.name.to_string())
            .unwrap_or_default(),
        event.hash.event_type.to_string(),
        stored.group.group.to_string(),
        stored.group.level.as_str().to_owned(),
        resource.unwrap_or("-").to_owned(),
    ]
}

/// The event as its provider sent it, all of it.
fn print_full_data(text: &str, out: &mut Output) -> std::io::Result<()> {
    heading("full_data", "", out)?;
    laid_out(text)
        .lines()
        .try_for_each(|line| writeln!(out, "        {}", visible(line)))
}

/// What became of the outside effects.
fn print_outbox(effects: &[StoredEffect], out: &mut Output) -> std::io::Result<()> {
    if !effects.is_empty() {
        heading("outbox", "", out)?;
    }
    for effect in effects {
        let told = match effect.state {
            "sent" => effect.answer.as_deref(),
            _not_sent => effect.error.as_deref(),
        };
        let when = effect.sent_at.or(effect.due).map(|at| format!(" {at}"));
        let told = told.map(|told| format!(", {told}"));
        let (kind, tries) = (Outside::kind_of(&effect.action), effect.attempts);
        writeln!(
            out,
            "        {} {kind} {}{}, {tries} {}{}",
            effect.id,
            effect.state,
            when.unwrap_or_default(),
            if tries == 1 { "try" } else { "tries" },
            line(&told.unwrap_or_default()),
        )?;
    }
    Ok(())
}

fn show(
    id: EventId,
    format: Format,
    options: &GlobalOptions,
    out: &mut Output,
) -> Result<ExitCode, CliError> {
    let Some(event) = options.existing_database()?.event_show(id)? else {
        let message = format!("there is no event `{}`", id.0);
        return Err(CliError::usage(message, "`switchboard event list` names them"));
    };
    let shown = Shown::new(&event);
    match format {
        Format::Json => out.json_line(&shown)?,
        Format::Text => {
            print_event(&listed(&event.stored), out)?;
            print_full_data(event.stored.event.hash.full_data.text(), out)?;
            let decision = Value::Object(shown.decision());
            let document: Document = json::from_value(&decision).map_err(std::io::Error::from)?;
            document.print_decision(out)?;
            print_outbox(&event.outbox, out)?;
        }
    }
    Ok(ExitCode::Fine)
}
