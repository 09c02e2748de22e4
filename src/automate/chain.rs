//! What can be called on a value in `${#value.step}`: columns of records, and a fixed list of Ruby's methods.

use std::sync::Arc;

use crate::automate::datatype::leading_number;
use crate::automate::datatype::truncated;
use crate::automate::template::ChainStep;
use crate::model::value::Value;
use crate::model::value::visible_column;

/// Calls one step.
///
/// # Errors
/// Why there is no such thing; the chain then gives nothing.
pub(crate) fn call(value: &Value, step: &ChainStep) -> Result<Value, String> {
    if let Value::Record(record) = value {
        if &*step.name == "get_option" {
            return option(record.column("options").unwrap_or_default(), step);
        }
        let found = visible_column(&**record, &step.name);
        return found.ok_or_else(|| format!("{} has no `{}`", record.class(), step.name));
    }
    let result = match (&*step.name, value) {
        ("to_s", other) => Some(Value::text(other.to_string())),
        ("get_option", map @ Value::Map(_)) => return option(map.clone(), step),
        ("upcase", Value::Text(text)) => Some(Value::text(text.to_uppercase())),
        ("downcase", Value::Text(text)) => Some(Value::text(text.to_lowercase())),
        ("capitalize", Value::Text(text)) => Some(Value::text(capitalized(text))),
        ("strip", Value::Text(text)) => Some(Value::text(text.trim())),
        ("reverse", Value::Text(text)) => Some(Value::text(text.chars().rev().collect::<String>())),
        ("length" | "size", Value::Text(text) | Value::Symbol(text)) => Some(count(text.chars().count())),
        ("first", Value::Text(text)) => Some(Value::text(
            text.chars().next().map_or_else(String::new, String::from),
        )),
        ("last", Value::Text(text)) => Some(Value::text(
            text.chars().next_back().map_or_else(String::new, String::from),
        )),
        ("upcase", Value::Symbol(text)) => Some(Value::Symbol(text.to_uppercase().into())),
        ("downcase", Value::Symbol(text)) => Some(Value::Symbol(text.to_lowercase().into())),
        ("capitalize", Value::Symbol(text)) => Some(Value::Symbol(capitalized(text).into())),
        ("to_i", Value::Null) => Some(Value::Int(0)),
        ("to_i", Value::Text(text)) => Some(leading_number(text)),
        ("to_i", Value::Decimal(decimal)) => Some(truncated(decimal)),
        ("to_i", Value::Int(whole)) => Some(Value::Int(*whole)),
        #[expect(clippy::cast_possible_truncation, reason = "Ruby's to_i cuts off as well")]
        ("to_i", Value::Float(float)) => Some(Value::Int(*float as i64)),
        ("length" | "size", Value::List(items)) => Some(count(items.len())),
        ("first", Value::List(items)) => Some(items.first().cloned().unwrap_or_default()),
        ("last", Value::List(items)) => Some(items.last().cloned().unwrap_or_default()),
        ("reverse", Value::List(items)) => Some(Value::list(items.iter().rev().cloned())),
        ("length" | "size", Value::Map(map)) => Some(count(map.len())),
        ("keys", Value::Map(map)) => Some(Value::list(map.keys().map(key_value))),
        ("values", Value::Map(map)) => Some(Value::list(map.values().cloned())),
        _other => None,
    };
    result.ok_or_else(|| format!("`{}` cannot be called on `{value}`", step.name))
}

fn count(count: usize) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars.as_str().to_lowercase().chars()).collect()
}

fn key_value(key: &Arc<str>) -> Value {
    key.strip_prefix(':')
        .map_or_else(|| Value::Text(key.clone()), |symbol| Value::Symbol(symbol.into()))
}

/// `get_option(:email)` passes a symbol; an option may be kept under either form of its name.
fn option(options: Value, step: &ChainStep) -> Result<Value, String> {
    let key = step
        .argument
        .as_deref()
        .ok_or("`get_option` needs the name of an option")?;
    let Value::Map(options) = options else {
        return Ok(Value::Null);
    };
    let bare = key.strip_prefix(':').unwrap_or(key);
    Ok(options
        .get(key)
        .or_else(|| options.get(bare))
        .cloned()
        .unwrap_or_default())
}
