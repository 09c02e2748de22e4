//! `switchboard simulate`: what would happen to an event; changes nothing.

mod input;

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;

use crate::cli::document::Document;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::simulate::input::Defaults;
use crate::cli::simulate::input::Sender;
use crate::model::clock::Clock;
use crate::model::delivery::DeliveryError;
use crate::model::event::EventClass;
use crate::model::json;
use crate::switchboard::Records;
use crate::switchboard::Switchboard;
use crate::switchboard::simulation::SimulatedEvent;
use crate::switchboard::simulation::Simulation;
use crate::switchboard::simulation::SimulationRequest;
use crate::transport::Form;

/// A line longer than this is answered with an error, so that endless input cannot fill the memory.
const LONGEST_LINE: u64 = 64 << 20;

/// What would happen to this event; changes nothing
///
/// No configuration and no database are needed. A run that ends in an error is no failure of this command.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  switchboard simulate event.json --provider amazon
  switchboard simulate --source AMAZON --event-type AWS_API_CALL_StopInstances --attribute vm_ems_ref=i-1
  switchboard simulate --provider amazon --ndjson < messages
  switchboard simulate body --provider my_cloud --header 'Content-Type: text/plain' --header 'ce-specversion: 1.0' ...
  echo '{\"source\": \"AMAZON\", \"event_type\": \"AWS_API_CALL_StopInstances\"}' | switchboard simulate --ndjson
  switchboard simulate --uri '/Lab/Box/plain?color=green#create'")]
pub(crate) struct Simulate {
    /// A file with a message as the provider sends it, a list of them, or a CloudEvent; - reads standard input
    event: Option<PathBuf>,
    /// Whose message it is: a folder under scripts/
    #[arg(long, value_name = "NAME", conflicts_with_all = ["source", "uri"])]
    provider: Option<String>,
    /// A header that the message is sent with, as for POST /events; may repeat. A content type of CloudEvents, or
    /// the `ce-` headers of their binary mode, have it read as such
    #[arg(long, value_name = "NAME: VALUE", value_parser = header, requires = "provider")]
    header: Vec<(HeaderName, HeaderValue)>,
    /// The event's source, in place of a message
    #[arg(long, requires = "event_type", conflicts_with_all = ["event", "uri", "ndjson"])]
    source: Option<String>,
    /// The event's type, with --source
    #[arg(long, requires = "source")]
    event_type: Option<String>,
    /// A key of the event hash, with --source; may repeat. A JSON object or list is taken as such
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value, requires = "source")]
    attribute: Vec<(String, json::Value)>,
    /// EmsEvent, MiqEvent, RequestEvent, CustomEvent or CustomButtonEvent, with --source
    #[arg(long, value_name = "CLASS", default_value = "EmsEvent", value_parser = event_class)]
    event_class: EventClass,
    /// Instantiates any path of the datastore; no event is needed
    #[arg(long, conflicts_with_all = ["event", "ndjson"])]
    uri: Option<String>,
    /// One message (with --provider) or one pair a line in, one result a line out
    #[arg(long)]
    ndjson: bool,
    /// Shows every object of the workspace too
    #[arg(long)]
    workspace: bool,
    /// Goes on after a retry at once, up to so many runs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    deliveries: u32,
    /// A tree for people, or one JSON document an event [default: text; json with --ndjson]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

impl Simulate {
    pub(crate) fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        let sender = self.sender(options)?;
        let input = self.input(sender.as_ref())?;
        let tree = options.source_tree()?;
        let simulator = Simulator {
            switchboard: Switchboard::load(&tree, None).switchboard,
            records: options.records()?,
        };
        match input {
            Input::Lines(reader) => self.lines(reader, sender.as_ref(), &simulator, out)?,
            Input::Events(events) => {
                let requests = events.map(|events| {
                    let requests = events.into_iter().map(|event| self.request(event));
                    requests.collect()
                });
                self.answer(requests, &simulator, out)?;
            }
        }
        Ok(ExitCode::Fine)
    }

    /// Whose messages are simulated, where they are a provider's.
    fn sender(&self, options: &GlobalOptions) -> Result<Option<Sender>, CliError> {
        let Some(provider) = self.provider.clone() else {
            return Ok(None);
        };
        let settings = options.settings()?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.header {
            headers.append(name, value.clone());
        }
        Ok(Some(Sender {
            provider,
            headers,
            blacklists: settings.blacklists().clone(),
        }))
    }

    /// What is to be simulated, before anything is loaded.
    fn input(&self, sender: Option<&Sender>) -> Result<Input, CliError> {
        if self.ndjson {
            return Ok(Input::Lines(self.reader()?));
        }
        if let Some(uri) = &self.uri {
            return Ok(Input::Events(Ok(vec![SimulatedEvent::Uri(uri.clone())])));
        }
        if let (Some(source), Some(event_type)) = (&self.source, &self.event_type) {
            return Ok(Input::Events(Ok(vec![SimulatedEvent::Event {
                class: self.event_class,
                source: source.clone(),
                event_type: event_type.clone(),
                attributes: self.attribute.iter().cloned().collect(),
            }])));
        }
        match (&self.event, sender) {
            (Some(path), Some(sender)) => {
                let mut bytes = Vec::new();
                self.reader()?
                    .read_to_end(&mut bytes)
                    .map_err(|source| CliError::Unreadable {
                        path: path.clone(),
                        source,
                    })?;
                Ok(Input::Events(sender.messages(Form::Lines, &bytes)))
            }
            (Some(_), None) => Err(CliError::usage(
                "nobody said whose message this is",
                "add --provider NAME, a folder under scripts/",
            )),
            (None, _) => Err(CliError::usage(
                "there is nothing to simulate",
                "name a file, or - for standard input, with --provider; or use --source with --event-type, --uri or --ndjson",
            )),
        }
    }

    /// The named file, or standard input.
    fn reader(&self) -> Result<Box<dyn BufRead>, CliError> {
        match &self.event {
            Some(path) if path.as_os_str() != "-" => {
                let file = File::open(path).map_err(|source| CliError::Unreadable {
                    path: path.clone(),
                    source,
                })?;
                Ok(Box::new(BufReader::new(file)))
            }
            _ => Ok(Box::new(BufReader::with_capacity(1 << 16, io::stdin().lock()))),
        }
    }

    /// One result for each line, written out before the next line is read.
    fn lines(
        &self,
        mut reader: Box<dyn BufRead>,
        sender: Option<&Sender>,
        simulator: &Simulator,
        out: &mut Output,
    ) -> Result<(), CliError> {
        let defaults = Defaults {
            sender,
            workspace: self.workspace,
            deliveries: self.deliveries,
        };
        let path = || self.event.clone().unwrap_or_else(|| PathBuf::from("-"));
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = (&mut reader).take(LONGEST_LINE);
            let read = limited.read_until(b'\n', &mut line);
            match read.map_err(|source| CliError::Unreadable { path: path(), source })? {
                0 => return Ok(()),
                _some if line.last() == Some(&b'\n') => line.truncate(line.len() - 1),
                _some if limited.limit() == 0 => {
                    reader
                        .skip_until(b'\n')
                        .map_err(|source| CliError::Unreadable { path: path(), source })?;
                    let error = input::unreadable(format!("the line is longer than {LONGEST_LINE} bytes"));
                    self.print(&failed(error), out)?;
                    continue;
                }
                _last_line => (),
            }
            if let Some(requests) = defaults.requests(&line) {
                self.answer(requests, simulator, out)?;
            }
        }
    }

    /// A document for each simulation, and one that says so where there is nothing to simulate.
    fn answer(
        &self,
        requests: Result<Vec<SimulationRequest>, DeliveryError>,
        simulator: &Simulator,
        out: &mut Output,
    ) -> io::Result<()> {
        match requests {
            Err(error) => self.print(&failed(error), out),
            Ok(requests) if requests.is_empty() => {
                self.print(&Simulation::of_nothing("there is no message in it"), out)
            }
            Ok(requests) => requests
                .iter()
                .try_for_each(|request| self.print(&simulator.simulate(request), out)),
        }
    }

    fn request(&self, event: SimulatedEvent) -> SimulationRequest {
        SimulationRequest {
            event,
            workspace: self.workspace,
            deliveries: self.deliveries,
            records: None,
        }
    }

    fn print(&self, simulation: &Simulation, out: &mut Output) -> io::Result<()> {
        let usual = if self.ndjson { Format::Json } else { Format::Text };
        match self.format.unwrap_or(usual) {
            Format::Text => document(simulation)?.print(out)?,
            Format::Json => out.json_line(simulation)?,
        }
        out.flush()
    }
}

/// The rules, and where records are looked up.
struct Simulator {
    switchboard: Switchboard,
    records: Option<Arc<dyn Records>>,
}

impl Simulator {
    /// Records of the request stand in for those of the database.
    fn simulate(&self, request: &SimulationRequest) -> Simulation {
        let now = Clock::System.now();
        match &self.records {
            Some(records) if request.records.is_none() => {
                self.switchboard.simulate_within(request, records.clone(), now)
            }
            _given_or_none => self.switchboard.simulate(request, now),
        }
    }
}

enum Input {
    /// Events, or why they could not be read.
    Events(Result<Vec<SimulatedEvent>, DeliveryError>),
    /// One or more a line.
    Lines(Box<dyn BufRead>),
}

/// The document of an event that could not be read.
fn failed(error: DeliveryError) -> Simulation {
    Simulation {
        errors: vec![error],
        ..Simulation::default()
    }
}

fn document(simulation: &Simulation) -> Result<Document, serde_json::Error> {
    json::from_value(&json::to_value(simulation)?)
}

fn key_and_value(text: &str) -> Result<(String, json::Value), String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is expected")?;
    let is_json = value.starts_with(['{', '[']);
    let json = is_json.then(|| json::read(value).ok()).flatten();
    Ok((key.to_owned(), json.unwrap_or_else(|| value.into())))
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("NAME: VALUE is expected")?;
    let name = name
        .trim()
        .parse()
        .map_err(|_| format!("`{name}` is no name of a header"))?;
    let value = value
        .trim()
        .parse()
        .map_err(|_| format!("`{value}` is no value of a header"))?;
    Ok((name, value))
}

fn event_class(name: &str) -> Result<EventClass, String> {
    name.parse()
}
