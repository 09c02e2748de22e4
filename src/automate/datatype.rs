//! Datatypes of fields and typed arguments, and the conversions they ask for (reference 1.6).

use std::sync::Arc;

use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::secret;
use crate::model::json::Decimal;
use crate::model::json::Number;
use crate::model::records::Records;
use crate::model::value::Value;
use crate::model::written_time;

/// A datatype, parsed once at load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Datatype {
    /// `string`, and everything that asks for no conversion.
    Text,
    Boolean,
    /// `TrueClass`, `FalseClass`: the value does not matter.
    Fixed(bool),
    Time,
    Symbol,
    Integer,
    Float,
    Array,
    Password,
    /// `null coalescing`.
    Coalescing,
    /// A class of records.
    Record(Arc<str>),
    /// Not a datatype (InvalidClass).
    Unknown(Arc<str>),
}

impl Datatype {
    /// Reads the name of a datatype. `is_class` tells whether a name that is none of ours is a class of records.
    pub(crate) fn parse(name: &str, is_class: impl Fn(&str) -> bool) -> Self {
        match name {
            "boolean" => return Self::Boolean,
            "TrueClass" => return Self::Fixed(true),
            "FalseClass" => return Self::Fixed(false),
            "array" => return Self::Array,
            "password" => return Self::Password,
            "string" => return Self::Text,
            "null coalescing" => return Self::Coalescing,
            _other => (),
        }
        match name.to_ascii_lowercase().as_str() {
            "time" => Self::Time,
            "symbol" => Self::Symbol,
            "integer" | "fixnum" => Self::Integer,
            "float" => Self::Float,
            "string" => Self::Text,
            _other => {
                let class = record_class(name);
                if is_class(&class) {
                    Self::Record(class.into())
                } else {
                    Self::Unknown(name.into())
                }
            }
        }
    }

    /// Converts a value. Blank values stay what they are.
    pub(crate) fn convert(&self, value: Value, records: &dyn Records) -> Ae<Value> {
        if let Self::Fixed(flag) = self {
            return Ok(if value.is_blank() {
                value
            } else {
                Value::Bool(*flag)
            });
        }
        if value.is_blank() {
            return Ok(value);
        }
        Ok(match self {
            Self::Text | Self::Coalescing | Self::Fixed(_) => value,
            Self::Boolean => boolean(value),
            Self::Time => time(value)?,
            Self::Symbol => Value::text(value.to_string())
                .as_str()
                .map_or(Value::Null, |text| Value::Symbol(text.into())),
            Self::Integer => integer(value),
            Self::Float => float(value),
            Self::Array => array(value),
            Self::Password => match value {
                Value::Password(_) => value,
                other => Value::Password(secret::checked(&other.to_string())?),
            },
            Self::Record(class) => record(class, value, records)?,
            Self::Unknown(name) => {
                return Err(AeError::datastore(
                    "InvalidClass",
                    format!(
                        "`{name}` is neither a datatype, such as integer, float, boolean, array or time, nor a class of records, such as Vm"
                    ),
                ));
            }
        })
    }
}

/// Short names of record classes (rule 10).
pub(crate) fn record_class(name: &str) -> String {
    match name {
        "ems" => "ExtManagementSystem".to_owned(),
        "policy" => "MiqPolicy".to_owned(),
        "provision" => "MiqProvision".to_owned(),
        "provision_request" => "MiqProvisionRequest".to_owned(),
        "request" => "MiqRequest".to_owned(),
        "server" => "MiqServer".to_owned(),
        other if other.starts_with(char::is_uppercase) => other.to_owned(),
        other => other.split('_').map(capitalized).collect(),
    }
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

fn boolean(value: Value) -> Value {
    let text = value.to_string();
    match text.to_ascii_lowercase().as_str() {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _other => match text.as_str() {
            "1" => Value::Bool(true),
            "0" => Value::Bool(false),
            _other => value,
        },
    }
}

fn time(value: Value) -> Ae<Value> {
    if let Value::Time(_) = value {
        return Ok(value);
    }
    let text = value.to_string();
    let parsed = written_time::dated(&text);
    parsed.map(Value::Time).ok_or_else(|| {
        AeError::engine(
            "InvalidTime",
            format!("`{text}` is no time; one like `2026-01-31T12:00:00Z` was expected"),
        )
    })
}

fn integer(value: Value) -> Value {
    match value {
        Value::Int(_) => value,
        #[expect(
            clippy::cast_possible_truncation,
            reason = "Ruby's to_i cuts off as well; out of range saturates"
        )]
        Value::Float(float) => Value::Int(float as i64),
        Value::Decimal(decimal) => truncated(&decimal),
        other => leading_number(&other.to_string()),
    }
}

/// A number without its fraction; one that an integer does not hold stays as it was written.
pub(crate) fn truncated(decimal: &Decimal) -> Value {
    let truncated = decimal.truncated().map(Value::Int);
    truncated.unwrap_or_else(|| Value::Decimal(decimal.clone()))
}

/// Ruby's `to_i`: the leading whole number, however long, else 0.
pub(crate) fn leading_number(text: &str) -> Value {
    let number = leading_digits(text);
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number.as_str()),
    };
    let digits = digits.trim_start_matches('0');
    let number = Number::read(&format!("{sign}{digits}")).filter(|_| !digits.is_empty());
    number.map_or(Value::Int(0), Value::from)
}

/// The same where it counts something: beyond what an `i64` holds it is the nearest that it does.
pub(crate) fn leading_integer(text: &str) -> i64 {
    let number = leading_digits(text);
    let out_of_range = || match number.strip_prefix('-') {
        Some(digits) if !digits.is_empty() => i64::MIN,
        None if !number.is_empty() => i64::MAX,
        _no_digits => 0,
    };
    number.parse().unwrap_or_else(|_| out_of_range())
}

fn leading_digits(text: &str) -> String {
    let text = text.trim_start();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let length = text.len() - digits.len() + digits.len()
        - digits
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == '_')
            .len();
    let leading = text.chars().take(length);
    leading.filter(|c| !matches!(c, '_' | '+')).collect()
}

/// Ruby's `to_f`: the leading number, else 0.0.
fn float(value: Value) -> Value {
    let text = match value {
        Value::Float(_) => return value,
        #[expect(clippy::cast_precision_loss, reason = "Ruby's to_f rounds as well")]
        Value::Int(whole) => return Value::Float(whole as f64),
        other => other.to_string(),
    };
    let text = text.trim();
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let longest = ends.rev().filter_map(|end| text.get(..end)).find(|head| {
        head.ends_with(|c: char| c.is_ascii_digit())
            && head.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
            && head.parse::<f64>().is_ok()
    });
    Value::Float(longest.and_then(|head| head.parse().ok()).unwrap_or(0.0))
}

fn array(value: Value) -> Value {
    let Value::Text(text) = &value else { return value };
    let bare: String = text.chars().filter(|c| !matches!(c, '[' | ']')).collect();
    let mut parts: Vec<&str> = bare.trim().split(',').map(str::trim).collect();
    // As Ruby's `split` does: empty parts at the end are none.
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    Value::list(parts.into_iter().map(Value::text))
}

fn record(class: &Arc<str>, value: Value, records: &dyn Records) -> Ae<Value> {
    if let Value::Record(_) = value {
        return Ok(value);
    }
    let id = leading_integer(&value.to_string());
    let found = records.find(class, id).map(Value::Record);
    found.ok_or_else(|| {
        AeError::engine(
            "ServiceNotFound",
            format!("there is no {class} with the id `{value}`"),
        )
    })
}
