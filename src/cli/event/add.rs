//! `switchboard event add`: puts messages on the queue, as their provider would have sent them.

use std::fs;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use tokio::runtime;

use crate::catcher::Batch;
use crate::catcher::Catcher;
use crate::catcher::Receipt;
use crate::cli::database::manager;
use crate::cli::error::CliError;
use crate::cli::event::documents::Documents;
use crate::cli::event::documents::Piece;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::model::ems::Ems;
use crate::model::event::NativeEvent;
use crate::model::json;
use crate::model::json::JsonError;
use crate::settings::ActiveSettings;
use crate::switchboard::ActiveSwitchboard;
use crate::switchboard::Switchboard;
use crate::vmdb::Vmdb;

/// How many messages are put at once.
const BATCH: usize = 256;

/// Puts messages in, as their provider would have sent them
///
/// The file holds one JSON object, a list of them, or several behind each other, such as one a line. Of a file nothing
/// is taken where it is no JSON. What comes through a pipe is taken as it comes: what is no JSON there is kept as
/// unparsed, with the reason, and the next line is read.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  switchboard event add event.json --ems my_cloud
  tail -f events.ndjson | switchboard event add - --ems my_cloud")]
pub(crate) struct Add {
    /// The file; - or nothing reads standard input
    file: Option<PathBuf>,
    /// The manager that they come from
    #[arg(long, value_name = "NAME")]
    ems: String,
    /// For people, or one JSON document
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Add {
    pub(crate) fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        let vmdb = options.existing_database()?;
        let ems = manager(&vmdb, &self.ems)?;
        let source = self.source()?;
        let settings = options.settings()?;
        let switchboard = Switchboard::load(&options.source_tree()?, None).switchboard;
        let rules = ActiveSwitchboard::new(switchboard);
        let runtime = runtime::Builder::new_current_thread()
            .build()
            .map_err(|error| CliError::failed("cannot start", error))?;
        let catcher = Catcher::start(&vmdb, &rules, ActiveSettings::new(settings), 1)
            .map_err(|error| CliError::failed("cannot start", error))?;
        let receipt = runtime.block_on(async {
            let receipt = put(&catcher, &vmdb, &ems, source).await;
            catcher.stop().await;
            receipt
        })?;
        match self.format {
            Format::Json => out.json_line(&receipt.counts())?,
            Format::Text => {
                let counts = receipt.counts();
                let counts: Vec<String> = counts
                    .iter()
                    .map(|(name, count)| format!("{name} {count}"))
                    .collect();
                writeln!(out, "{}", counts.join(", "))?;
            }
        }
        Ok(ExitCode::Fine)
    }

    /// Where the messages come from: of a file that can be read whole nothing is taken before all of it is known to be
    /// JSON, while what comes through a pipe is taken as it comes.
    fn source(&self) -> Result<Source, CliError> {
        let Some(path) = self.file.as_deref().filter(|path| path.as_os_str() != "-") else {
            return Ok(Source::Pipe(Box::new(io::stdin())));
        };
        let unreadable = |source| CliError::Unreadable {
            path: path.to_owned(),
            source,
        };
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
            return Ok(Source::Pipe(Box::new(fs::File::open(path).map_err(unreadable)?)));
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Ok(Source::Whole(messages(&text)?))
    }
}

/// What is to be added.
enum Source {
    /// All of it.
    Whole(Vec<NativeEvent>),
    /// What comes, until its end.
    Pipe(Box<dyn Read + Send>),
}

/// The end of a fault of a file.
const NOTHING_TAKEN: &str = "nothing of it was taken";

/// Every message of a text of JSON documents, or the fault that makes all of it unreadable.
fn messages(text: &str) -> Result<Vec<NativeEvent>, CliError> {
    let unreadable = |position: usize, problem: String| {
        CliError::usage(format!("document {position}: {problem}"), NOTHING_TAKEN)
    };
    let mut natives = Vec::new();
    for (position, document) in json::Documents::of(text).enumerate() {
        let unreadable = |error: JsonError| unreadable(position + 1, error.to_string());
        let (at, document) = document.map_err(unreadable)?;
        json::check_form(document).map_err(|error| unreadable(error.within(text, at)))?;
        for element in elements(document).map_err(unreadable)? {
            if !element.starts_with('{') {
                return Err(CliError::usage(
                    format!(
                        "document {}: a JSON object, or a list of objects, is expected",
                        position + 1
                    ),
                    NOTHING_TAKEN,
                ));
            }
            natives.push(NativeEvent::new(element));
        }
    }
    Ok(natives)
}

/// The elements of a list, or the document itself.
fn elements(document: &str) -> Result<Vec<&str>, JsonError> {
    match document.starts_with('[') {
        true => json::elements(document),
        false => Ok(vec![document]),
    }
}

/// What is put together, and why nothing follows it, where that is no good end.
#[derive(Default)]
struct Next {
    batch: Batch,
    fault: Option<io::Error>,
}

/// All that is to be added, in portions.
fn portions(source: Source) -> Box<dyn Iterator<Item = Next>> {
    match source {
        Source::Whole(natives) => {
            let mut natives = natives.into_iter().peekable();
            Box::new(std::iter::from_fn(move || {
                natives.peek()?;
                let mut next = Next::default();
                next.batch.messages.extend(natives.by_ref().take(BATCH));
                Some(next)
            }))
        }
        Source::Pipe(pipe) => {
            let (sender, receiver) = mpsc::sync_channel(BATCH);
            // It is read on while what was read is put.
            thread::spawn(move || {
                let mut documents = Documents::new(pipe);
                while documents.next().is_some_and(|piece| sender.send(piece).is_ok()) {}
            });
            Box::new(std::iter::from_fn(move || {
                let first = receiver.recv().ok()?;
                let mut next = Next::default();
                next.add(first);
                receiver
                    .try_iter()
                    .take(BATCH - 1)
                    .for_each(|piece| next.add(piece));
                Some(next)
            }))
        }
    }
}

impl Next {
    fn add(&mut self, piece: io::Result<Piece>) {
        match piece {
            Ok(Piece::Document(document)) => {
                let document = document.get();
                let natives = elements(document).unwrap_or_else(|_no_list| vec![document]);
                let natives = natives.into_iter().map(NativeEvent::new);
                self.batch.messages.extend(natives);
            }
            Ok(Piece::Broken(broken)) => self.batch.broken.push(broken),
            Err(error) => self.fault = Some(error),
        }
    }
}

async fn put(catcher: &Catcher, vmdb: &Vmdb, ems: &Arc<Ems>, source: Source) -> Result<Receipt, CliError> {
    let push = catcher.push_stream();
    let mut sum = Receipt::default();
    for next in portions(source) {
        let kept = push.keep(ems.clone(), next.batch, None, vmdb.clock().now()).await;
        let kept = kept.map_err(|error| CliError::failed("cannot put the messages", error))?;
        sum.add(kept.receipt());
        if let Some(source) = next.fault {
            let path = PathBuf::from("-");
            return Err(CliError::Unreadable { path, source });
        }
    }
    Ok(sum)
}
