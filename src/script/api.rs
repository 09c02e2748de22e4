//! What every script may call besides the language itself. The doc comments of `functions` are the reference.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;
use rhai::Dynamic;
use rhai::DynamicReadLock;
use rhai::EvalAltResult;
use rhai::ImmutableString;
use rhai::Module;
use rhai::NativeCallContext;
use rhai::Position;

use crate::script::places::Places;
use crate::script::unread::Unread;

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

/// What `ignore(reason)` returns: no data of an event can be one.
#[derive(Clone, Debug)]
pub(crate) struct Ignored(pub(crate) ImmutableString);

/// How many steps a JSON pointer may have.
const MAX_STEPS: usize = 128;

/// The longest text that a regular expression is tried on, and the largest one: together they bound its time.
const MAX_MATCHED: usize = 64 << 10;
const MAX_PATTERN: usize = 256 << 10;

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// Adds the functions.
pub(crate) fn register(module: &mut Module) {
    for (name, code) in RETURN_CODES {
        module.set_var(name, code);
    }
    module.combine_flatten(rhai::exported_module!(functions));
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
    use rhai::FnPtr;
    use rhai::ImmutableString;
    use rhai::Map;
    use rhai::NativeCallContext;
    use rhai::Position;

    use crate::script::api;
    use crate::script::api::ExitCode;
    use crate::script::api::Ignored;
    use crate::script::api::Result;
    use crate::script::convert;
    use crate::script::json;

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

    /// Always an error: a return code is a number.
    #[rhai_fn(name = "exit", return_raw)]
    pub fn exit_with(code: Dynamic) -> Result<()> {
        let type_name = code.type_name();
        Err(
            format!("`exit` takes MIQ_OK, MIQ_WARN, MIQ_STOP or MIQ_ABORT, this is of type {type_name}")
                .into(),
        )
    }

    /// A function pointer as text: its name, without the values that it captured, which may hold the pointer itself.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn function_name(function: &mut FnPtr) -> String {
        function.to_string()
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
    pub fn ignore(reason: ImmutableString) -> Ignored {
        Ignored(reason)
    }

    /// What stands at a JSON pointer, such as `/detail/items/0/id`; `()` where a step is missing.
    /// Works on every value, and copies nothing but what it finds.
    #[rhai_fn(pure)]
    pub fn at(value: &mut Dynamic, pointer: &str) -> Dynamic {
        api::at(value, pointer)
    }

    /// The text at a JSON pointer; `()` where there is none, or something that is no text.
    #[rhai_fn(pure)]
    pub fn text_at(value: &mut Dynamic, pointer: &str) -> Dynamic {
        let text = |found: &Dynamic| found.as_immutable_string_ref().ok().map(|text| text.clone());
        api::follow(value, pointer, &text)
            .flatten()
            .map_or(Dynamic::UNIT, Dynamic::from)
    }

    /// The value that a JSON text stands for. A number that neither an `int` nor a `float` gives back as it is written is
    /// a `number`.
    #[rhai_fn(return_raw)]
    pub fn parse_json(text: &str) -> Result<Dynamic> {
        json::parse(text).map_err(|error| format!("this is no JSON: {error}").into())
    }

    /// A value as JSON text.
    #[rhai_fn(pure)]
    pub fn to_json(value: &mut Dynamic) -> String {
        convert::to_json(value)
    }

    /// A map as JSON text.
    #[rhai_fn(name = "to_json", pure)]
    pub fn map_to_json(map: &mut Map) -> String {
        // The language has one of its own, which knows no numbers to the letter.
        convert::map_to_json(map)
    }

    /// What stands at a JSON pointer as JSON text, without a copy of it; `null` where a step is missing.
    #[rhai_fn(name = "to_json", pure)]
    pub fn to_json_at(value: &mut Dynamic, pointer: &str) -> String {
        api::follow(value, pointer, &convert::to_json).unwrap_or_else(|| "null".to_owned())
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
pub(crate) fn at(value: &Dynamic, pointer: &str) -> Dynamic {
    let found = match places(value) {
        Some(places) => places.at(pointer),
        None => follow(value, pointer, &Dynamic::flatten_clone),
    };
    found.unwrap_or(Dynamic::UNIT)
}

fn places(value: &Dynamic) -> Option<DynamicReadLock<'_, Places>> {
    // What is shared is whole.
    value.is_variant().then(|| value.read_lock())?
}

/// What `read` makes of the value at a JSON pointer; none where a step is missing.
fn follow<T>(value: &Dynamic, pointer: &str, read: &impl Fn(&Dynamic) -> T) -> Option<T> {
    if let Some(places) = places(value) {
        return places.at(pointer).as_ref().map(read);
    }
    let rest = pointer.split_once('/').map(|(_, rest)| rest);
    // A longer pointer cannot meet anything: no document is nested so deep.
    follow_steps(value, rest, MAX_STEPS, read)
}

fn follow_steps<T>(
    value: &Dynamic,
    steps: Option<&str>,
    left: usize,
    read: &impl Fn(&Dynamic) -> T,
) -> Option<T> {
    let Some(steps) = steps else {
        return Some(read(value));
    };
    let left = left.checked_sub(1)?;
    let (step, rest) = match steps.split_once('/') {
        Some((step, rest)) => (step, Some(rest)),
        None => (steps, None),
    };
    if let Ok(map) = value.as_map_ref() {
        let found = match step.contains('~') {
            true => map.get(step.replace("~1", "/").replace("~0", "~").as_str()),
            false => map.get(step),
        };
        return follow_steps(found?, rest, left, read);
    }
    if value.is_variant() && value.read_lock::<Unread>().is_some() {
        return Some(read(value));
    }
    let items = value.as_array_ref().ok()?;
    follow_steps(items.get(step.parse::<usize>().ok()?)?, rest, left, read)
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
