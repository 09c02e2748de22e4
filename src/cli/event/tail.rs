//! `switchboard event tail`: follows the events as they are saved.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use tokio::runtime;

use crate::cli::error::CliError;
use crate::cli::event::COLUMNS;
use crate::cli::event::Which;
use crate::cli::event::row;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::table::unaligned;
use crate::model::event::EventId;
use crate::vmdb::EventFilter;
use crate::vmdb::StoredEvent;
use crate::web::event_document::listed;

/// How often the database is asked: another process writes it, which wakes nobody here.
const INTERVAL: Duration = Duration::from_millis(100);
/// How many events are asked for at once.
const PAGE: usize = 500;

/// Follows the events in the order in which they are saved
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  switchboard event tail --ems my_cloud --format json")]
pub(crate) struct Tail {
    #[command(flatten)]
    which: Which,
    /// Begins with so many that are saved already
    #[arg(long, value_name = "N", default_value_t = 10)]
    last: usize,
    /// For people, or one JSON document an event
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Tail {
    pub(crate) fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        let vmdb = options.existing_database()?;
        let filter = self.which.filter(&vmdb)?;
        // Asked for first: what is saved between the two is in both, and told once.
        let mut position = vmdb.feed_position()?;
        let newest = vmdb.events_list(&EventFilter {
            limit: Some(self.last),
            ..filter.clone()
        })?;
        let told: BTreeSet<EventId> = newest.iter().filter_map(|stored| stored.event.id).collect();
        for stored in newest.iter().rev() {
            self.tell(stored, out)?;
        }
        let runtime = runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| CliError::failed("cannot start", error))?;
        loop {
            let events = vmdb.events_since(position, PAGE)?;
            for (at, stored) in &events {
                position = *at;
                let event = &stored.event;
                let is_meant = filter
                    .ems_id
                    .is_none_or(|id| event.ems.as_ref().is_some_and(|ems| ems.id == id))
                    && filter
                        .event_type
                        .as_deref()
                        .is_none_or(|wanted| wanted == &*event.hash.event_type);
                if is_meant && event.id.is_none_or(|id| !told.contains(&id)) {
                    self.tell(stored, out)?;
                }
            }
            out.flush()?;
            if events.len() < PAGE {
                runtime.block_on(async { tokio::time::sleep(INTERVAL).await });
            }
        }
    }

    fn tell(&self, stored: &StoredEvent, out: &mut Output) -> Result<(), CliError> {
        match self.format {
            Format::Json => out.json_line(&listed(stored))?,
            Format::Text => writeln!(out, "{}", unaligned(&COLUMNS, &row(stored)))?,
        }
        Ok(())
    }
}
