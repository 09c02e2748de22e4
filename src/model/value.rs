//! Value: what an attribute of an automate object can hold. No rhai, no JSON library's tree.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::model::json;
use crate::model::json::{Decimal, Number};

/// A map of a value: keys are text; a symbol key is kept with its colon (`:name`).
pub type ValueMap = BTreeMap<Arc<str>, Value>;

/// How a password is shown, everywhere.
pub const MASKED: &str = "********";

/// What an attribute of an automate object, an input or a state variable can hold. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Nothing: Ruby's nil.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A fraction.
    Float(f64),
    /// Any other number, to the letter.
    Decimal(Decimal),
    /// A text.
    Text(Arc<str>),
    /// A symbol, without its colon.
    Symbol(Arc<str>),
    /// A moment, in UTC.
    Time(Timestamp),
    /// A list.
    List(Arc<[Value]>),
    /// A map.
    Map(Arc<ValueMap>),
    /// A secret, encrypted or not; shown as [`MASKED`].
    Password(Secret),
    /// A record of the inventory, or an event: equal when class and id are.
    Record(Arc<dyn Record>),
    /// An object of the workspace.
    Object(ObjectRef),
}

/// A text that no `Debug`, trace or page shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps the stored form of a password.
    pub fn new(stored: impl Into<Arc<str>>) -> Self {
        Self(stored.into())
    }

    /// The stored form: `v2:{…}` where it is encrypted.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASKED)
    }
}

/// Whether a column of a record is kept from rules and scripts (reference 7.3).
pub fn is_secret_column(name: &str) -> bool {
    name.contains("password") || name == "auth_key"
}

/// A column of a record as rules see it: not a secret one; with the prefix `normalized_`, fit for a path (reference 7.3).
/// None if the record has no such column.
pub fn visible_column(record: &dyn Record, name: &str) -> Option<Value> {
    if is_secret_column(name) {
        return None;
    }
    record.column(name).or_else(|| {
        let value = record.column(name.strip_prefix("normalized_")?)?;
        Some(if value.is_null() {
            value
        } else {
            Value::text(normalized(&value.to_string()))
        })
    })
}

/// A text whose characters that no path takes are underscores.
fn normalized(text: &str) -> String {
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || "<>#%\"{}|\\^[]`".contains(c);
    text.chars().map(|c| if is_odd(c) { '_' } else { c }).collect()
}

/// A record that rules can look into: its columns and associations, by name.
pub trait Record: fmt::Debug + Send + Sync {
    /// Its class, for example `Vm` or `EmsEvent`.
    fn class(&self) -> Arc<str>;
    /// Its number, where it has been saved.
    fn id(&self) -> Option<i64>;
    /// A column or association; `None` where the record has no such thing.
    fn column(&self, name: &str) -> Option<Value>;
}

/// A live object of one workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRef {
    /// Its place in the order of creation.
    pub index: usize,
    /// Its name, `/Domain/Namespace/Class/Instance`.
    pub name: Arc<str>,
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// A list value.
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::List(items.into_iter().collect())
    }

    /// Whether this is nothing at all.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Ruby's blank: null, `false`, an empty or white text, an empty list or map. `0` is not blank.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Null | Self::Bool(false) => true,
            Self::Text(text) | Self::Symbol(text) => text.trim().is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Map(map) => map.is_empty(),
            Self::Bool(true) | Self::Int(_) | Self::Float(_) | Self::Decimal(_) | Self::Time(_) => false,
            Self::Password(_) | Self::Record(_) | Self::Object(_) => false,
        }
    }

    /// Neither null nor false: what Ruby takes for true.
    pub fn is_truthy(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    /// The text of a text or symbol.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Symbol(text) => Some(text),
            _other => None,
        }
    }

    /// The key under which a map keeps what belongs to this value: a symbol has its colon there too.
    pub fn to_key(&self) -> Arc<str> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Symbol(text) => format!(":{text}").into(),
            other => other.to_string().into(),
        }
    }

    /// A copy of a JSON value.
    pub fn from_json(json: &json::Value) -> Self {
        match json {
            json::Value::Null => Self::Null,
            json::Value::Bool(flag) => Self::Bool(*flag),
            json::Value::Number(number) => Self::from(number.clone()),
            json::Value::String(text) => Self::text(text.as_str()),
            json::Value::Array(items) => Self::list(items.iter().map(Self::from_json)),
            json::Value::Object(map) => {
                let pairs = map
                    .iter()
                    .map(|(key, value)| (Arc::from(key.as_str()), Self::from_json(value)));
                Self::Map(Arc::new(pairs.collect()))
            }
        }
    }

    /// The number, where it is one.
    pub fn as_number(&self) -> Option<Number> {
        match self {
            Self::Int(whole) => Some(Number::Int(*whole)),
            Self::Float(float) => Some(Number::Float(*float)),
            Self::Decimal(decimal) => Some(Number::Decimal(decimal.clone())),
            _other => None,
        }
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(whole) => Self::Int(whole),
            Number::Float(float) => Self::Float(float),
            Number::Decimal(decimal) => Self::Decimal(decimal),
        }
    }
}

/// The text form that substitution inserts; a password stays masked.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Bool(flag) => flag.fmt(f),
            Self::Int(whole) => whole.fmt(f),
            Self::Float(float) => write!(f, "{float:?}"),
            Self::Decimal(decimal) => decimal.fmt(f),
            Self::Text(text) | Self::Symbol(text) => f.write_str(text),
            Self::Time(time) => time.fmt(f),
            Self::Password(_) => f.write_str(MASKED),
            Self::Record(record) => match record.id() {
                Some(id) => write!(f, "{}/{id}", record.class()),
                None => f.write_str(&record.class()),
            },
            Self::Object(object) => f.write_str(&object.name),
            Self::List(_) | Self::Map(_) => inspect(self, f),
        }
    }
}

/// Ruby's `inspect`, which is how lists and maps print within a text.
fn inspect(value: &Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        Value::Null => f.write_str("nil"),
        Value::Text(text) => write!(f, "{text:?}"),
        Value::Symbol(text) => write!(f, ":{text}"),
        Value::List(items) => {
            f.write_str("[")?;
            for (index, item) in items.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { ", " })?;
                inspect(item, f)?;
            }
            f.write_str("]")
        }
        Value::Map(map) => {
            f.write_str("{")?;
            for (index, (key, item)) in map.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { ", " })?;
                match key.strip_prefix(':') {
                    Some(symbol) => write!(f, ":{symbol}=>")?,
                    None => write!(f, "{key:?}=>")?,
                }
                inspect(item, f)?;
            }
            f.write_str("}")
        }
        simple => fmt::Display::fmt(simple, f),
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            #[expect(clippy::cast_precision_loss, reason = "Ruby compares 1 == 1.0 the same way")]
            (Self::Int(a), Self::Float(b)) | (Self::Float(b), Self::Int(a)) => *a as f64 == *b,
            (Self::Decimal(_), _) | (_, Self::Decimal(_)) => {
                let numbers = self.as_number().zip(other.as_number());
                numbers.is_some_and(|(a, b)| a.compare(&b) == Some(Ordering::Equal))
            }
            (Self::Text(a), Self::Text(b)) | (Self::Symbol(a), Self::Symbol(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Password(a), Self::Password(b)) => a == b,
            (Self::Record(a), Self::Record(b)) => (a.class(), a.id()) == (b.class(), b.id()),
            (Self::Object(a), Self::Object(b)) => a == b,
            _other => false,
        }
    }
}

/// The JSON of the contract: a symbol with its colon, a time in RFC 3339, a record as class and id.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Int(whole) => serializer.serialize_i64(*whole),
            Self::Float(float) => serializer.serialize_f64(*float),
            Self::Decimal(decimal) => decimal.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Symbol(text) => serializer.collect_str(&format_args!(":{text}")),
            Self::Time(time) => serializer.collect_str(time),
            Self::List(items) => serializer.collect_seq(items.iter()),
            Self::Map(map) => serializer.collect_map(map.iter()),
            Self::Password(_) => serializer.serialize_str(MASKED),
            Self::Record(record) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("class", &*record.class())?;
                map.serialize_entry("id", &record.id())?;
                map.end()
            }
            Self::Object(object) => serializer.serialize_str(&object.name),
        }
    }
}
