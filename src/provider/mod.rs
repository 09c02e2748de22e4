//! A provider is a folder of scripts: how a message becomes an event, and an event becomes targets.
//!
//! Knows nothing of rules.

mod admit;
mod collect;
mod event_hash;
mod parse;
mod poll;

pub use admit::Admission;
pub use collect::Collects;
pub use poll::PollAnswer;
pub use poll::PollRequest;
pub use poll::PollResponse;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::target::RefreshWanted;
use crate::script::Script;
use crate::script::ScriptError;
use crate::script::ScriptHost;
use crate::script::evm::EventView;
use crate::source::Diagnostic;
use crate::source::SourceFile;

/// Why a message could not be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// There is no such provider.
    #[error(
        "there is no provider `{name}`: no folder `{name}` with an event_parser.rhai under the scripts{help}"
    )]
    UnknownProvider {
        /// The name asked for.
        name: Arc<str>,
        /// What may have been meant.
        help: String,
    },
    /// The message is not JSON.
    #[error("the message is no JSON: {0}")]
    Json(String),
    /// It has no script that polls.
    #[error("`{name}/stream.rhai` does not define both `poll_request(ems, cursor)` and `events(response)`")]
    NoPoll {
        /// The provider.
        name: Arc<str>,
    },
    /// It has no script that collects.
    #[error("`{name}/inventory_collector.rhai` does not define `{function}`")]
    NoCollector {
        /// The provider.
        name: Arc<str>,
        /// What is missing.
        function: &'static str,
    },
    /// A target of a collection that the provider does not have.
    #[error("{0}")]
    UnknownAssociation(String),
    /// A script failed.
    #[error(transparent)]
    Script(#[from] ScriptError),
}

impl ParseError {
    /// Whether a script was stopped because it used more than it may.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Script(error) if error.is_stopped())
    }
}

/// The scripts of one provider. A folder without `event_parser.rhai` is none.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    name: Arc<str>,
    stream: Option<Script>,
    event_parser: Script,
    event_target_parser: Option<Script>,
    inventory_collector: Option<Script>,
}

/// The file without which a folder is no provider.
const EVENT_PARSER: &str = "event_parser";

/// A function that a script may define: its name, and the numbers of parameters that it may have.
type Function = (&'static str, &'static [usize]);

/// The files that make a provider, each with the functions it may define.
const SCRIPTS: [(&str, &[Function]); 4] = [
    (
        "stream",
        &[
            (parse::NATIVE_EVENT, &[1, 2]),
            ("poll_request", &[2]),
            ("events", &[1]),
        ],
    ),
    (EVENT_PARSER, &[(parse::EVENT_TO_HASH, &[2, 3])]),
    ("event_target_parser", &[("parse", &[1])]),
    (
        "inventory_collector",
        &[("collect", &[2]), ("collect_all", &[1]), ("associations", &[0])],
    ),
];

impl Provider {
    /// Every provider of a tree; scripts that do not compile are left out, each with a diagnostic.
    pub(crate) fn load_all(
        host: &ScriptHost,
        files: &[Arc<SourceFile>],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> BTreeMap<Arc<str>, Self> {
        let mut scripts: BTreeMap<&str, BTreeMap<&str, Script>> = BTreeMap::new();
        // The first file of each folder, as long as no parser is found in it.
        let mut unparsed: BTreeMap<&str, Option<&Arc<SourceFile>>> = BTreeMap::new();
        for file in files {
            let Some((folder, name)) = file
                .relative
                .strip_suffix(".rhai")
                .and_then(|name| name.split_once('/'))
            else {
                continue;
            };
            let Some((_, functions)) = SCRIPTS.iter().find(|(known, _)| *known == name) else {
                continue;
            };
            let first = unparsed.entry(folder).or_insert(Some(file));
            if name == EVENT_PARSER {
                *first = None;
            }
            match host.compile(file) {
                Ok(script) => {
                    diagnostics.extend(host.check_names(&script, &[]));
                    let is_defined = |(function, parameters): &Function| {
                        parameters.iter().any(|count| script.defines(function, *count))
                    };
                    if !functions.iter().any(is_defined) {
                        diagnostics.push(defines_nothing(file, functions));
                    }
                    scripts.entry(folder).or_default().insert(name, script);
                }
                Err(diagnostic) => diagnostics.push(diagnostic),
            }
        }
        let unparsed = unparsed
            .into_iter()
            .filter_map(|(folder, file)| Some((folder, file?)));
        diagnostics.extend(unparsed.map(|(folder, file)| no_parser(folder, file)));
        let provider = |(folder, mut scripts): (&str, BTreeMap<&str, Script>)| {
            let name: Arc<str> = Arc::from(folder);
            let event_parser = scripts.remove(EVENT_PARSER)?;
            Some((
                name.clone(),
                Self {
                    name,
                    stream: scripts.remove("stream"),
                    event_parser,
                    event_target_parser: scripts.remove("event_target_parser"),
                    inventory_collector: scripts.remove("inventory_collector"),
                },
            ))
        };
        scripts.into_iter().filter_map(provider).collect()
    }

    /// The targets of an event; none where the provider has no target parser.
    ///
    /// # Errors
    /// When the script fails or returns a wrong shape.
    pub(crate) fn targets(
        &self,
        host: &ScriptHost,
        event: &Arc<EventView>,
    ) -> Result<Option<RefreshWanted>, ScriptError> {
        let Some(script) = &self.event_target_parser else {
            return Ok(None);
        };
        host.call_with_event(script, "parse", event)?
            .into_targets()
            .map(Some)
    }
}

fn no_parser(folder: &str, file: &SourceFile) -> Diagnostic {
    let message = format!("`{folder}` is no provider: there is no {EVENT_PARSER}.rhai beside this script");
    Diagnostic::warning("EventParserMissing", &file.path, message).help(format!(
        "add {folder}/{EVENT_PARSER}.rhai with `fn event_to_hash(event, ems_id)`; until then its events are not parsed"
    ))
}

fn defines_nothing(file: &SourceFile, functions: &[Function]) -> Diagnostic {
    let shape = |(name, parameters): &Function| {
        let counts: Vec<String> = parameters.iter().map(usize::to_string).collect();
        format!("`{name}` with {} parameters", counts.join(" or "))
    };
    let expected: Vec<String> = functions.iter().map(shape).collect();
    Diagnostic::error(
        "ScriptFunction",
        &file.path,
        format!(
            "the script defines none of the functions it is called for: {}",
            expected.join(", ")
        ),
    )
}
