//! Values across the border: JSON and [`Value`] on our side, [`Dynamic`] on rhai's.

use std::sync::Arc;

use rhai::Array;
use rhai::Dynamic;
use rhai::FnPtr;
use rhai::ImmutableString;
use rhai::Map;

use crate::model::value::Value;
use crate::model::value::ValueMap;
use crate::script::evm::AutomateObject;
use crate::script::evm::EvmHost;
use crate::script::evm::RecordView;
use crate::script::evm::SecretView;
use crate::script::json;

/// The longest text that one `print` or `log` writes, in bytes.
const MAX_LINE: usize = 16 << 10;

/// A value as JSON text; the reason as a text, where it cannot be one.
pub(crate) fn to_json(value: &Dynamic) -> String {
    if let Some(why) = kept_in(value) {
        return format!("\"{why}\"");
    }
    serde_json::to_string(&json::Written(value)).unwrap_or_else(|_| "null".to_owned())
}

/// The same for a map.
pub(crate) fn map_to_json(map: &Map) -> String {
    if let Some(why) = map.values().find_map(kept_in) {
        return format!("\"{why}\"");
    }
    serde_json::to_string(&json::WrittenMap(map)).unwrap_or_else(|_| "null".to_owned())
}

/// A value for a script. `host` lets objects of the workspace be looked into.
pub(crate) fn to_dynamic(value: &Value, host: &Arc<dyn EvmHost>) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(flag) => (*flag).into(),
        Value::Int(whole) => (*whole).into(),
        Value::Float(float) => (*float).into(),
        Value::Decimal(decimal) => Dynamic::from(decimal.clone()),
        Value::Text(text) => ImmutableString::from(&**text).into(),
        Value::Symbol(text) => {
            host.hand_out_symbol(text);
            ImmutableString::from(format!(":{text}")).into()
        }
        Value::Time(time) => ImmutableString::from(time.to_string()).into(),
        Value::List(items) => Array::from_iter(items.iter().map(|item| to_dynamic(item, host))).into(),
        Value::Map(map) => map_to_dynamic(map, host).into(),
        Value::Password(secret) => Dynamic::from(SecretView(secret.clone())),
        Value::Record(record) => Dynamic::from(RecordView {
            record: record.clone(),
        }),
        Value::Object(object) => Dynamic::from(AutomateObject {
            object: object.clone(),
            host: host.clone(),
        }),
    }
}

/// A value that holds no object of the workspace, as the columns of events and records do.
pub(crate) fn plain(value: &Value) -> Dynamic {
    match value {
        Value::Null | Value::Password(_) | Value::Object(_) => Dynamic::UNIT,
        Value::Record(record) => Dynamic::from(RecordView {
            record: record.clone(),
        }),
        Value::Bool(flag) => (*flag).into(),
        Value::Int(whole) => (*whole).into(),
        Value::Float(float) => (*float).into(),
        Value::Decimal(decimal) => Dynamic::from(decimal.clone()),
        Value::Text(text) => ImmutableString::from(&**text).into(),
        Value::Symbol(text) => ImmutableString::from(format!(":{text}")).into(),
        Value::Time(time) => ImmutableString::from(time.to_string()).into(),
        Value::List(items) => Array::from_iter(items.iter().map(plain)).into(),
        Value::Map(map) => {
            Map::from_iter(map.iter().map(|(key, value)| (key.as_ref().into(), plain(value)))).into()
        }
    }
}

pub(crate) fn map_to_dynamic(map: &ValueMap, host: &Arc<dyn EvmHost>) -> Map {
    map.iter()
        .map(|(key, value)| (key.as_ref().into(), to_dynamic(value, host)))
        .collect()
}

/// How deep values may lie within values when they leave a script; also what the JSON parser allows. Outside, they
/// are walked and dropped on stacks that have room for no more.
const MAX_DEPTH: usize = 128;

/// Why a value that a script made cannot leave it, if so.
pub(crate) fn kept_in(value: &Dynamic) -> Option<&'static str> {
    fn look(value: &Dynamic, left: usize) -> Option<&'static str> {
        // A document was parsed within the same depth, and no script can have changed it.
        if value.is_shared() && value.is_read_only() {
            return None;
        }
        let Some(left) = left.checked_sub(1) else {
            return Some("nested more than 128 deep");
        };
        if let Ok(items) = value.as_array_ref() {
            return items.iter().find_map(|item| look(item, left));
        }
        if let Ok(map) = value.as_map_ref() {
            return map.values().find_map(|value| look(value, left));
        }
        // What it captured may hold the function itself.
        let is_closure = value.is_fnptr()
            && value
                .read_lock::<FnPtr>()
                .is_some_and(|function| function.is_curried());
        is_closure.then_some("a function that has captured variables")
    }
    look(value, MAX_DEPTH)
}

/// What a script gave, as a value; functions and other things that cannot be kept become their text. A symbol that this
/// run was given comes back as one: for a script it is a text with a colon.
pub(crate) fn to_value(dynamic: &Dynamic, host: Option<&Arc<dyn EvmHost>>) -> Value {
    match kept_in(dynamic) {
        Some(why) => Value::text(why),
        None => shallow_to_value(dynamic, host),
    }
}

fn shallow_to_value(dynamic: &Dynamic, host: Option<&Arc<dyn EvmHost>>) -> Value {
    if dynamic.is_unit() {
        return Value::Null;
    }
    if let Ok(flag) = dynamic.as_bool() {
        return Value::Bool(flag);
    }
    if let Ok(whole) = dynamic.as_int() {
        return Value::Int(whole);
    }
    if let Ok(float) = dynamic.as_float() {
        return Value::Float(float);
    }
    if let Ok(text) = dynamic.as_immutable_string_ref() {
        let symbol = text.strip_prefix(':');
        let symbol = symbol.filter(|symbol| host.is_some_and(|host| host.knows_symbol(symbol)));
        return symbol.map_or_else(
            || Value::text(text.as_str()),
            |symbol| Value::Symbol(symbol.into()),
        );
    }
    if let Ok(items) = dynamic.as_array_ref() {
        return Value::list(items.iter().map(|item| shallow_to_value(item, host)));
    }
    if let Ok(map) = dynamic.as_map_ref() {
        let entries = map
            .iter()
            .map(|(key, value)| (Arc::from(key.as_str()), shallow_to_value(value, host)));
        return Value::Map(Arc::new(entries.collect()));
    }
    if let Some(object) = dynamic.read_lock::<AutomateObject>() {
        return Value::Object(object.object.clone());
    }
    if let Some(record) = dynamic.read_lock::<RecordView>() {
        return Value::Record(record.record.clone());
    }
    if let Some(secret) = dynamic.read_lock::<SecretView>() {
        return Value::Password(secret.0.clone());
    }
    if let Some(decimal) = json::decimal(dynamic) {
        return Value::Decimal(decimal);
    }
    Value::text(to_text(dynamic))
}

/// A value as text; what a function has captured is not shown, as it may hold the function itself.
pub(crate) fn to_text(value: &Dynamic) -> String {
    if value.is_array() || value.is_map() {
        return to_json(value);
    }
    json::decimal(value).map_or_else(|| value.to_string(), |decimal| decimal.to_string())
}

/// A float as the whole number next to it towards zero, within what an `i64` holds.
pub(crate) fn whole(float: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "`as` keeps to the nearest that fits"
    )]
    let whole = float as i64;
    whole
}

/// The beginning of a text, as much as one line may hold.
pub(crate) fn clip(text: &str) -> &str {
    let end = (0..=MAX_LINE.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    end.and_then(|end| text.get(..end)).unwrap_or("")
}
