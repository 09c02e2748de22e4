//! What every script may call besides the language itself. The doc comments of `functions` are the reference.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;
use rhai::Dynamic;
use rhai::Engine;
use rhai::EvalAltResult;
use rhai::ImmutableString;
use rhai::NativeCallContext;
use rhai::Position;

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

/// How many steps a JSON pointer may have.
const MAX_STEPS: usize = 128;

/// The longest text that a regular expression is tried on, and the largest one: together they bound its time.
const MAX_MATCHED: usize = 64 << 10;
const MAX_PATTERN: usize = 256 << 10;

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// Registers the functions.
pub(crate) fn register(engine: &mut Engine) {
    let mut constants = rhai::Module::new();
    for (name, code) in RETURN_CODES {
        constants.set_var(name, code);
    }
    engine.register_global_module(constants.into());
    engine.register_global_module(rhai::exported_module!(functions).into());
}

#[rhai::export_module]
#[expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "rhai offers what is `pub`, and unwraps `self`"
)]
mod functions {
    use rhai::Dynamic;
    use rhai::EvalAltResult;
    use rhai::ImmutableString;
    use rhai::Map;
    use rhai::NativeCallContext;
    use rhai::Position;

    use crate::script::api;
    use crate::script::api::ExitCode;
    use crate::script::api::Result;
    use crate::script::convert;

    /// Ends the method with a return code: `MIQ_OK`, `MIQ_WARN`, `MIQ_STOP` (also `MIQ_ERROR`) or `MIQ_ABORT`.
    /// Nothing catches it, `try` included.
    #[rhai_fn(return_raw)]
    pub fn exit(code: i64) -> Result<()> {
        Err(EvalAltResult::ErrorTerminated(Dynamic::from(ExitCode(code)), Position::NONE).into())
    }

    /// Ends the method with `MIQ_OK`.
    #[rhai_fn(name = "exit", return_raw)]
    pub fn exit_ok() -> Result<()> {
        exit(0)
    }

    /// Always an error: a script cannot wait. A state machine waits with `ae_retry_interval`.
    #[rhai_fn(return_raw)]
    pub fn sleep(seconds: i64) -> Result<()> {
        let advice = "a script cannot sleep; let the state machine retry, with `ae_retry_interval`";
        Err(format!("{advice} (sleep {seconds})").into())
    }

    /// Always an error: a script cannot wait. A state machine waits with `ae_retry_interval`.
    #[rhai_fn(name = "sleep", return_raw)]
    pub fn sleep_float(seconds: f64) -> Result<()> {
        sleep(convert::whole(seconds))
    }

    /// Always an error: a script has no clock, so that the same event gives the same answer on every day.
    #[rhai_fn(return_raw)]
    pub fn timestamp() -> Result<()> {
        Err("a script has no clock; use the event's own times".into())
    }

    /// Says that a message is no event, and why; to be returned by `native_event` and `event_to_hash`.
    pub fn ignore(reason: &str) -> Map {
        Map::from([(api::IGNORED.into(), reason.into())])
    }

    /// What stands at a JSON pointer, such as `/detail/items/0/id`; `()` where a step is missing.
    /// Works on every value, and copies nothing but what it finds.
    #[rhai_fn(pure)]
    pub fn at(value: &mut Dynamic, pointer: &str) -> Dynamic {
        api::at(value, pointer)
    }

    /// The value that a JSON text stands for.
    #[rhai_fn(return_raw)]
    pub fn parse_json(text: &str) -> Result<Dynamic> {
        serde_json::from_str::<Dynamic>(text).map_err(|error| format!("this is no JSON: {error}").into())
    }

    /// A value as JSON text.
    #[rhai_fn(pure)]
    pub fn to_json(value: &mut Dynamic) -> String {
        convert::to_json(value)
    }

    /// Whether a text, of at most 64 KiB, matches a regular expression anywhere.
    #[rhai_fn(return_raw)]
    pub fn matches(text: &str, pattern: &str) -> Result<bool> {
        api::matches(text, pattern)
    }

    /// Replaces every occurrence of one text by another, in place.
    #[rhai_fn(return_raw)]
    pub fn replace(
        context: NativeCallContext<'_>,
        text: &mut ImmutableString,
        find: &str,
        with: &str,
    ) -> Result<()> {
        api::replace(&context, text, find, with)
    }

    /// Replaces every occurrence of a character by a text, in place.
    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_character(
        context: NativeCallContext<'_>,
        text: &mut ImmutableString,
        find: char,
        with: &str,
    ) -> Result<()> {
        api::replace(&context, text, find.encode_utf8(&mut [0; 4]), with)
    }

    /// The text behind its percent-encoded form: `%20` becomes a space.
    pub fn url_decode(text: &str) -> String {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    }

    /// The text behind its base64 form; bytes that are no UTF-8 become replacement characters.
    #[rhai_fn(return_raw)]
    pub fn base64_decode(text: &str) -> Result<String> {
        api::base64_decode(text)
    }
}

/// What stands at a JSON pointer.
fn at(value: &Dynamic, pointer: &str) -> Dynamic {
    // A longer pointer cannot meet anything: no document is nested so deep.
    let steps: Vec<&str> = pointer.split('/').skip(1).take(MAX_STEPS + 1).collect();
    match steps.len() {
        0..=MAX_STEPS => follow(value, &steps),
        _more => Dynamic::UNIT,
    }
}

fn follow(value: &Dynamic, steps: &[&str]) -> Dynamic {
    let Some((step, rest)) = steps.split_first() else {
        return value.flatten_clone();
    };
    if let Ok(map) = value.as_map_ref() {
        let found = match step.contains('~') {
            true => map.get(step.replace("~1", "/").replace("~0", "~").as_str()),
            false => map.get(*step),
        };
        return found.map_or(Dynamic::UNIT, |found| follow(found, rest));
    }
    if let Ok(items) = value.as_array_ref() {
        let found = step.parse::<usize>().ok().and_then(|index| items.get(index));
        return found.map_or(Dynamic::UNIT, |found| follow(found, rest));
    }
    Dynamic::UNIT
}

thread_local! {
    static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::default();
}

fn matches(text: &str, pattern: &str) -> Result<bool> {
    const MAX_KEPT: usize = 256;
    if MAX_MATCHED < text.len() {
        let length = text.len();
        return Err(format!(
            "`matches` looks at texts of at most {MAX_MATCHED} bytes, this one has {length}"
        )
        .into());
    }
    PATTERNS.with_borrow_mut(|patterns| {
        if let Some(regex) = patterns.get(pattern) {
            return Ok(regex.is_match(text));
        }
        let regex = regex::RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build();
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

/// Replaces in place. The standard library's own would make the result before it looks at its size.
fn replace(
    context: &NativeCallContext<'_>,
    text: &mut ImmutableString,
    find: &str,
    with: &str,
) -> Result<()> {
    let count = text.matches(find).count();
    let grown = with.len().saturating_sub(find.len()).saturating_mul(count);
    let max = context.engine().max_string_size();
    if 0 < max && max < text.len().saturating_add(grown) {
        return Err(EvalAltResult::ErrorDataTooLarge("Length of string".to_owned(), Position::NONE).into());
    }
    if 0 < count {
        *text = text.replace(find, with).into();
    }
    Ok(())
}

fn base64_decode(text: &str) -> Result<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim());
    let bytes = bytes.map_err(|error| format!("this is no base64: {error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
