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
        /// Whether it was stopped because it used more than a script may.
        is_stopped: bool,
    },
}

impl ScriptError {
    /// Whether it was stopped because it used more than a script may.
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self, Self::Failed { is_stopped: true, .. })
    }
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
    let message = format!("{}{}", message(limits, origin.error), origin.called(path));
    let path = origin.source.map_or_else(|| path.clone(), Arc::from);
    let mut error = failed(&path, origin.position, message);
    if let ScriptError::Failed { is_stopped, .. } = &mut error {
        *is_stopped = matches!(
            origin.error,
            EvalAltResult::ErrorTerminated(..)
                | EvalAltResult::ErrorTooManyOperations(_)
                | EvalAltResult::ErrorStackOverflow(_)
                | EvalAltResult::ErrorDataTooLarge(..)
        );
    }
    error
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

/// So many callers are named.
const CALLERS: usize = 3;

/// The error that began it, with the place of it that is best known, and the places of the calls that led there.
struct Origin<'a> {
    error: &'a EvalAltResult,
    position: Position,
    /// The file of an imported module, if the error is in one of its functions.
    source: Option<&'a str>,
    /// The innermost last.
    callers: Vec<(Option<&'a str>, Position)>,
}

impl<'a> Origin<'a> {
    fn of(error: &'a EvalAltResult) -> Self {
        let mut origin = Self {
            error,
            position: error.position(),
            source: None,
            callers: Vec::new(),
        };
        let mut known = None;
        loop {
            match origin.error {
                EvalAltResult::ErrorInFunctionCall(_, source, inner, at) => {
                    known = Some((origin.source, *at))
                        .filter(|(_, at)| !at.is_none())
                        .or(known);
                    if !at.is_none() {
                        origin.callers.push((origin.source, *at));
                    }
                    let source = Some(source.as_str()).filter(|source| !source.is_empty());
                    origin.source = source.or(origin.source);
                    origin.error = inner;
                }
                EvalAltResult::ErrorInModule(_, inner, at) => {
                    known = Some((origin.source, *at))
                        .filter(|(_, at)| !at.is_none())
                        .or(known);
                    origin.error = inner;
                }
                other => {
                    origin.position = other.position();
                    break;
                }
            }
        }
        if let (true, Some((source, position))) = (origin.position.is_none(), known) {
            (origin.source, origin.position) = (source, position);
            origin.callers.retain(|caller| *caller != (source, position));
        }
        origin
    }

    /// The places of the calls that led there, the innermost first, in the script at `path` and in others.
    fn called(&self, path: &str) -> String {
        let places = self.callers.iter().rev().map(|(source, at)| {
            let (line, column) = (at.line().unwrap_or(0), at.position().unwrap_or(0));
            format!("{}{}", source.unwrap_or(path), place(line, column))
        });
        let mut places: Vec<String> = places.collect();
        // A function that calls itself, or is called by one of rhai's, comes from one place several times.
        places.dedup();
        let more = CALLERS < places.len();
        places.truncate(CALLERS);
        match places.as_slice() {
            [] => String::new(),
            some => format!(
                " (called at {}{})",
                some.join(", from "),
                if more { ", from …" } else { "" }
            ),
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
        is_stopped: false,
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

#[cfg(test)]
mod tests {
    use rhai::Scope;

    use crate::script::Limits;
    use crate::script::ScriptHost;
    use crate::source::RootKind;
    use crate::source::SourceFile;

    #[test]
    fn an_error_within_functions_names_the_places_of_the_calls_too() {
        let file = |relative: &str, text: &str| {
            SourceFile::new(RootKind::Scripts, format!("scripts/{relative}"), relative, text)
        };
        let mut host = ScriptHost::new(Limits::default());
        let module = file(
            "lib/parts.rhai",
            "fn inner(x) {\n    throw \"no\";\n}\nfn outer(x) { inner(x) }\n",
        );
        assert_eq!(host.add_modules(&[module.into()]), []);
        for (text, expected) in [
            ("throw \"at the top\"", "a.rhai:1:1: at the top"),
            (
                "\"x\".nothing()",
                "a.rhai:1:5: Function not found: nothing (&str | ImmutableString | String)",
            ),
            (
                "fn f() {\n  throw \"in f\"\n}\n\n  f();",
                "a.rhai:2:3: in f (called at scripts/a.rhai:5:3)",
            ),
            (
                "fn f() { throw \"in f\" }\nfn g() { f() }\nfn h() { 1 + g() }\nh()",
                "a.rhai:1:10: in f (called at scripts/a.rhai:2:10, from scripts/a.rhai:3:14, from scripts/a.rhai:4:1)",
            ),
            (
                "fn f(n) { if n == 0 { throw \"deep\" } f(n - 1) }\nf(9)",
                "a.rhai:1:23: deep (called at scripts/a.rhai:1:38, from scripts/a.rhai:2:1)",
            ),
            (
                "fn a() { throw 1 }\nfn b() { a() }\nfn c() { b() }\nfn d() { c() }\nd()",
                "a.rhai:1:10: 1 (called at scripts/a.rhai:2:10, from scripts/a.rhai:3:10, from scripts/a.rhai:4:10, from …)",
            ),
            (
                "[1].map(|x| x.nothing())",
                "a.rhai:1:15: Function not found: nothing (i64) (called at scripts/a.rhai:1:5)",
            ),
            (
                "import \"lib/parts\" as parts;\nfn f() { parts::outer(1) }\nf()",
                "lib/parts.rhai:2:5: no (called at scripts/lib/parts.rhai:4:15, from scripts/a.rhai:2:17, from scripts/a.rhai:3:1)",
            ),
        ] {
            let script = host.compile(&file("a.rhai", text)).unwrap();
            let error = host.run(&script, Scope::new()).unwrap_err();
            assert_eq!(error.to_string(), format!("scripts/{expected}"), "{text}");
        }
    }
}
