//! `switchboard event tail`: follows the events as they are saved.

use std::io::Write;
use std::time::Duration;

use tokio::runtime;

use crate::cli::error::CliError;
use crate::cli::event::Which;
use crate::cli::event::row;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::output::visible;
use crate::model::event::EventId;
use crate::vmdb::EventFilter;
use crate::web::event_document::listed;

/// How often the database is asked: another process writes it, which wakes nobody here.
const INTERVAL: Duration = Duration::from_millis(100);
/// How many events are asked for at once.
const PAGE: usize = 500;

/// Follows the events as they are saved, oldest first
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
        // One more than is shown tells where to begin, also where nothing is shown.
        let newest = vmdb.events_list(&EventFilter {
            limit: Some(self.last + 1),
            ..filter.clone()
        })?;
        let begin = newest.get(self.last).and_then(|stored| stored.event.id);
        let mut after = begin.unwrap_or(EventId(0));
        let runtime = runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| CliError::failed("cannot start", error))?;
        loop {
            let events = vmdb.events_list(&EventFilter {
                after: Some(after),
                limit: Some(PAGE),
                ..filter.clone()
            })?;
            for stored in &events {
                match self.format {
                    Format::Json => out.json_line(&listed(stored))?,
                    Format::Text => writeln!(out, "{}", visible(&row(stored).join("  ")))?,
                }
                after = stored.event.id.unwrap_or(after);
            }
            out.flush()?;
            if events.len() < PAGE {
                runtime.block_on(async { tokio::time::sleep(INTERVAL).await });
            }
        }
    }
}
