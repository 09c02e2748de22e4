//! What every script may call besides the language itself. The doc comment of a function is its reference.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;
use rhai::Dynamic;
use rhai::Engine;
use rhai::EvalAltResult;
use rhai::Map;
use rhai::Position;

use crate::script::convert;

/// What `exit(code)` carries out of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExitCode(pub(crate) i64);

/// The return codes that every script sees as constants (reference 6.4).
pub(crate) const RETURN_CODES: [(&str, i64); 5] = [
    ("MIQ_OK", 0),
    ("MIQ_WARN", 4),
    ("MIQ_STOP", 8),
    ("MIQ_ERROR", 8),
    ("MIQ_ABORT", 16),
];

/// The key under which `ignore(reason)` returns its reason.
pub(crate) const IGNORED: &str = "__ignored__";

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// Registers the functions.
pub(crate) fn register(engine: &mut Engine) {
    let mut constants = rhai::Module::new();
    for (name, code) in RETURN_CODES {
        constants.set_var(name, code);
    }
    engine.register_global_module(constants.into());
    engine.register_fn("exit", exit);
    engine.register_fn("exit", || exit(0));
    engine.register_fn("sleep", |_: Dynamic| -> Result<()> {
        Err("a script cannot sleep".into())
    });
    engine.register_fn("timestamp", || -> Result<()> {
        Err("a script has no clock; use the event's own times".into())
    });
    engine.register_fn("ignore", ignore);
    engine.register_fn("at", at);
    engine.register_fn("parse_json", parse_json);
    engine.register_fn("to_json", |value: &mut Dynamic| convert::to_json(value));
    engine.register_fn("to_json", to_json_at);
    engine.register_fn("matches", matches);
    engine.register_fn("url_decode", |text: &str| percent_decode(text));
    engine.register_fn("base64_decode", base64_decode);
}

/// Ends the method with a return code: `MIQ_OK`, `MIQ_WARN`, `MIQ_STOP` or `MIQ_ABORT`.
fn exit(code: i64) -> Result<()> {
    Err(EvalAltResult::ErrorTerminated(Dynamic::from(ExitCode(code)), Position::NONE).into())
}

/// Says that a message is no event, and why; returned by `native_event` and `event_to_hash`.
fn ignore(reason: &str) -> Map {
    Map::from([(IGNORED.into(), reason.into())])
}

/// What stands at a JSON pointer, such as `/detail/items/0/id`; `()` where a step is missing.
fn at(value: &mut Dynamic, pointer: &str) -> Dynamic {
    let found = follow(value, pointer.split('/').skip(1), &Dynamic::flatten_clone);
    found.unwrap_or(Dynamic::UNIT)
}

/// The JSON text of what stands at a JSON pointer, without a copy of it; `null` where a step is missing.
fn to_json_at(value: &mut Dynamic, pointer: &str) -> String {
    follow(value, pointer.split('/').skip(1), &convert::to_json).unwrap_or_else(|| "null".to_owned())
}

/// What `read` makes of the value at the end of the steps; none where one is missing.
fn follow<'a, T>(
    value: &Dynamic,
    mut steps: impl Iterator<Item = &'a str>,
    read: &impl Fn(&Dynamic) -> T,
) -> Option<T> {
    let Some(step) = steps.next() else {
        return Some(read(value));
    };
    if let Ok(map) = value.as_map_ref() {
        let found = match step.contains('~') {
            true => map.get(step.replace("~1", "/").replace("~0", "~").as_str()),
            false => map.get(step),
        };
        return follow(found?, steps, read);
    }
    let items = value.as_array_ref().ok()?;
    follow(items.get(step.parse::<usize>().ok()?)?, steps, read)
}

/// The value that a JSON text stands for.
fn parse_json(text: &str) -> Result<Dynamic> {
    serde_json::from_str::<Dynamic>(text).map_err(|error| format!("this is no JSON: {error}").into())
}

thread_local! {
    static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::default();
}

/// Whether a text matches a regular expression.
fn matches(text: &str, pattern: &str) -> Result<bool> {
    const MAX_KEPT: usize = 256;
    PATTERNS.with_borrow_mut(|patterns| {
        if let Some(regex) = patterns.get(pattern) {
            return Ok(regex.is_match(text));
        }
        let regex = regex::RegexBuilder::new(pattern).size_limit(1 << 20).build();
        let regex = regex.map_err(|error| format!("`{pattern}` is no regular expression: {error}"))?;
        let is_match = regex.is_match(text);
        // Patterns are written in scripts and few; one that is built from data must not fill the memory.
        if patterns.len() >= MAX_KEPT {
            patterns.clear();
        }
        patterns.insert(pattern.to_owned(), regex);
        Ok(is_match)
    })
}

fn percent_decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// The text behind its base64 form; bytes that are no UTF-8 become replacement characters.
fn base64_decode(text: &str) -> Result<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim());
    let bytes = bytes.map_err(|error| format!("this is no base64: {error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
