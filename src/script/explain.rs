//! What went wrong in a script, in words for its author: which file, where, what was exceeded.

use std::any::Any;
use std::sync::Arc;

use rhai::EvalAltResult;
use rhai::Position;

use crate::script::api::ExitCode;
use crate::script::convert;
use crate::script::limits::Limits;
use crate::script::limits::MAX_OUTPUTS;
use crate::script::limits::Stopped;

/// How a script ended, if not well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// It called `exit(code)`.
    #[error("exit({0})")]
    Exit(i64),
    /// It threw, or something that it did cannot be done.
    #[error("{path}{}: {message}", place(*line, *column))]
    Failed {
        /// The file.
        path: Arc<str>,
        /// From 1; 0 where rhai does not say.
        line: usize,
        /// From 1; 0 where rhai does not say.
        column: usize,
        /// What happened.
        message: String,
    },
}

fn place(line: usize, column: usize) -> String {
    if line == 0 {
        String::new()
    } else {
        format!(":{line}:{column}")
    }
}

/// The error of a call of the script at `path`.
pub(crate) fn explain(path: &Arc<str>, limits: &Limits, error: &EvalAltResult) -> ScriptError {
    let origin = Origin::of(error);
    if let EvalAltResult::ErrorTerminated(token, _) = origin.error
        && let Some(ExitCode(code)) = token.clone().try_cast::<ExitCode>()
    {
        return ScriptError::Exit(code);
    }
    // A function of an imported module stands in the module's file.
    let path = origin.source.map_or_else(|| path.clone(), Arc::from);
    failed(&path, origin.position, message(limits, origin.error))
}

fn message(limits: &Limits, error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorTerminated(token, _) => match token.clone().try_cast::<Stopped>() {
            Some(Stopped::Memory) => {
                format!(
                    "stopped: it took more than {} MiB of memory",
                    limits.max_memory >> 20
                )
            }
            Some(Stopped::Outputs) => {
                format!("stopped: it printed, logged and asked for more than {MAX_OUTPUTS} things")
            }
            Some(Stopped::Time) | None => format!("stopped: it ran longer than {:?}", limits.max_time),
        },
        EvalAltResult::ErrorTooManyOperations(_) => {
            let max = limits.max_operations;
            format!("stopped: more than {max} operations; is there a loop without an end?")
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            format!(
                "stopped: functions call each other more than {} deep",
                limits.max_call_levels
            )
        }
        EvalAltResult::ErrorDataTooLarge(what, _) if what.contains("string") => {
            let max = limits.max_string_size;
            format!("stopped: a text, or the texts in one value, grew beyond {max} bytes")
        }
        EvalAltResult::ErrorDataTooLarge(what, _) if what.contains("array") => {
            let max = limits.max_array_size;
            format!("stopped: a list grew beyond {max} items, nested ones included")
        }
        EvalAltResult::ErrorDataTooLarge(what, _) if what.contains("map") => {
            let max = limits.max_map_size;
            format!("stopped: a map grew beyond {max} entries, nested ones included")
        }
        EvalAltResult::ErrorRuntime(thrown, _) => convert::clip(&convert::to_text(thrown)).to_owned(),
        other => {
            let mut message = other.to_string();
            if let Some(place) = message.rfind(" (line ") {
                message.truncate(place);
            }
            // Reading on from a field that is not there is the commonest slip of a script; rhai tells it in its own terms.
            let of_nothing = message
                .strip_prefix("Unknown property '")
                .and_then(|rest| rest.strip_suffix("' - a getter is not registered for type '()'"));
            if let Some(name) = of_nothing {
                message =
                    format!("what should have `{name}` is not there; write `?.{name}` to read on as `()`");
            }
            message
        }
    }
}

/// The error that began it, with the place of it that is best known.
struct Origin<'a> {
    error: &'a EvalAltResult,
    position: Position,
    source: Option<&'a str>,
}

impl<'a> Origin<'a> {
    fn of(error: &'a EvalAltResult) -> Self {
        match error {
            EvalAltResult::ErrorInFunctionCall(_, source, inner, outer) => {
                let found = Self::of(inner);
                if found.position.is_none() {
                    return Self {
                        position: *outer,
                        source: None,
                        ..found
                    };
                }
                Self {
                    source: found
                        .source
                        .or(Some(source.as_str()).filter(|source| !source.is_empty())),
                    ..found
                }
            }
            EvalAltResult::ErrorInModule(_, inner, outer) => {
                let found = Self::of(inner);
                let position = if found.position.is_none() {
                    *outer
                } else {
                    found.position
                };
                Self { position, ..found }
            }
            other => Self {
                error: other,
                position: other.position(),
                source: None,
            },
        }
    }
}

/// A failure at a place of a file.
pub(crate) fn failed(path: &Arc<str>, at: Position, message: String) -> ScriptError {
    let (line, column) = (at.line().unwrap_or(0), at.position().unwrap_or(0));
    ScriptError::Failed {
        path: path.clone(),
        line,
        column,
        message,
    }
}

/// The failure of a function of ours that panicked.
pub(crate) fn panicked(path: &Arc<str>, panic: &(dyn Any + Send)) -> ScriptError {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_else(|| "it panicked".to_owned());
    failed(
        path,
        Position::NONE,
        format!("a function it called broke: {text}"),
    )
}
