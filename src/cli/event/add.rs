//! `switchboard event add`: puts messages on the queue, as their provider would have sent them.

use std::fs;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::runtime;

use crate::catcher::Catcher;
use crate::catcher::Receipt;
use crate::cli::database::manager;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::model::ems::Ems;
use crate::model::event::NativeEvent;
use crate::settings::ActiveSettings;
use crate::switchboard::ActiveSwitchboard;
use crate::switchboard::Switchboard;
use crate::vmdb::Vmdb;

/// How many messages are put at once.
const BATCH: usize = 256;

/// Puts messages in, as their provider would have sent them
///
/// The file holds one JSON object, a list of them, or several behind each other, such as one a line.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  switchboard event add event.json --ems my_cloud
  switchboard event add - --ems my_cloud < events.ndjson")]
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
        let text = self.text()?;
        let natives = messages(&text)?;
        let (settings, _findings) = options.settings()?;
        let switchboard = Switchboard::load(&options.source_tree()?, None).switchboard;
        let rules = ActiveSwitchboard::new(switchboard);
        let runtime = runtime::Builder::new_current_thread()
            .build()
            .map_err(|error| CliError::failed("cannot start", error))?;
        let catcher = Catcher::start(&vmdb, &rules, ActiveSettings::new(settings), 1)
            .map_err(|error| CliError::failed("cannot start", error))?;
        let receipt = runtime.block_on(async {
            let receipt = put(&catcher, &vmdb, &ems, natives).await;
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

    fn text(&self) -> Result<String, CliError> {
        let read = match &self.file {
            Some(path) if path.as_os_str() != "-" => fs::read_to_string(path),
            _ => {
                let mut text = String::new();
                io::stdin().lock().read_to_string(&mut text).map(|_length| text)
            }
        };
        read.map_err(|source| CliError::Unreadable {
            path: self.file.clone().unwrap_or_else(|| PathBuf::from("-")),
            source,
        })
    }
}

/// Every message of a text of JSON documents, or the fault that makes all of it unreadable.
fn messages(text: &str) -> Result<Vec<NativeEvent>, CliError> {
    let unreadable = |position: usize, problem: String| {
        CliError::usage(
            format!("document {position}: {problem}"),
            "nothing of it was taken",
        )
    };
    let documents = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let mut natives = Vec::new();
    for (position, document) in documents.enumerate() {
        let document = document.map_err(|error| unreadable(position + 1, error.to_string()))?;
        let listed = document.get().starts_with('[');
        let elements: Vec<&RawValue> = if listed {
            serde_json::from_str(document.get())
                .map_err(|error| unreadable(position + 1, error.to_string()))?
        } else {
            vec![document]
        };
        for element in elements {
            if !element.get().starts_with('{') {
                return Err(unreadable(
                    position + 1,
                    "a JSON object, or a list of objects, is expected".to_owned(),
                ));
            }
            natives.push(NativeEvent::new(element.get()));
        }
    }
    Ok(natives)
}

async fn put(
    catcher: &Catcher,
    vmdb: &Vmdb,
    ems: &Arc<Ems>,
    natives: Vec<NativeEvent>,
) -> Result<Receipt, CliError> {
    let push = catcher.push_stream();
    let mut sum = Receipt::default();
    let mut natives = natives.into_iter().peekable();
    while natives.peek().is_some() {
        let batch: Vec<NativeEvent> = natives.by_ref().take(BATCH).collect();
        let receipt = push
            .push(ems.clone(), batch, vmdb.clock().now(), push.room())
            .await;
        sum.add(receipt.map_err(|error| CliError::failed("cannot put the messages", error))?);
    }
    Ok(sum)
}
