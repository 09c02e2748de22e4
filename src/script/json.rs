//! JSON in rhai's form and back. Knows nothing of what it says.
//!
//! Rhai's own reader builds every map twice and copies every key; this is the part of a decision that costs most.

use rhai::Array;
use rhai::Dynamic;
use rhai::ImmutableString;
use rhai::Map;
use serde::Serialize;
use serde::Serializer;

use crate::model::json;
use crate::model::json::Build;
use crate::model::json::Decimal;
use crate::model::json::Found;
use crate::model::json::JsonError;
use crate::model::json::Number;
use crate::model::json::Place;
use crate::model::json::Quoted;
use crate::model::json::Rounded;

/// The value that a JSON text stands for. A number that neither an `int` nor a `float` gives back as it is written is a
/// [`Decimal`].
///
/// # Errors
/// When it is no JSON, with line and column.
pub(crate) fn parse(text: &str) -> Result<Dynamic, JsonError> {
    json::read_as(text, &mut Values)
}

/// The value at a place of a JSON text.
pub(crate) fn at(place: Place<'_>) -> Dynamic {
    match place.found() {
        Found::Null => Dynamic::UNIT,
        Found::Flag(flag) => flag.into(),
        Found::Number(numeral) => number(Number::of_numeral(numeral)),
        Found::Text(quoted) => text(quoted),
        Found::List(items) => Dynamic::from_array(items.map(at).collect::<Array>()),
        Found::Map(entries) => {
            let entries = entries.map(|(key, value)| (key.decode().as_ref().into(), at(value)));
            Dynamic::from_map(entries.collect::<Map>())
        }
    }
}

/// A JSON value for a script.
pub(crate) fn of(value: &json::Value) -> Dynamic {
    match value {
        json::Value::Null => Dynamic::UNIT,
        json::Value::Bool(flag) => (*flag).into(),
        json::Value::Number(known) => number(known.clone()),
        json::Value::String(text) => ImmutableString::from(text.as_str()).into(),
        json::Value::Array(items) => Dynamic::from_array(items.iter().map(of).collect::<Array>()),
        json::Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| (key.as_str().into(), of(value)));
            Dynamic::from_map(entries.collect::<Map>())
        }
    }
}

/// A number for a script.
pub(crate) fn number(number: Number) -> Dynamic {
    match number {
        Number::Int(whole) => whole.into(),
        Number::Float(float) => float.into(),
        Number::Decimal(decimal) => Dynamic::from(decimal),
    }
}

fn text(quoted: Quoted<'_>) -> Dynamic {
    ImmutableString::from(quoted.decode().as_ref()).into()
}

/// A script's value as JSON; functions become their names, and objects of ours the names of their types. The depth has
/// to be known, see [`convert::kept_in`](crate::script::convert::kept_in).
pub(crate) fn to_value(value: &Dynamic) -> json::Value {
    if let Ok(text) = value.as_immutable_string_ref() {
        return json::Value::from(text.as_str());
    }
    if let Ok(items) = value.as_array_ref() {
        return items.iter().map(to_value).collect();
    }
    if let Ok(map) = value.as_map_ref() {
        let entries = map.iter().map(|(key, value)| (key.to_string(), to_value(value)));
        return json::Value::Object(entries.collect());
    }
    if let Some(number) = to_number(value) {
        return match number {
            Number::Float(float) => json::Value::from(float),
            exact => json::Value::Number(exact),
        };
    }
    json::to_value(value).unwrap_or_default()
}

/// The number, where the value is one.
pub(crate) fn to_number(value: &Dynamic) -> Option<Number> {
    let whole = value.as_int().map(Number::Int);
    let number = whole.or_else(|_| value.as_float().map(Number::Float));
    number.ok().or_else(|| decimal(value).map(Number::Decimal))
}

/// A float within the value that may have been rounded.
pub(crate) fn rounded_in(value: &Dynamic) -> Option<Rounded> {
    if let Ok(items) = value.as_array_ref() {
        return items.iter().find_map(rounded_in);
    }
    if let Ok(map) = value.as_map_ref() {
        return map.values().find_map(rounded_in);
    }
    to_number(value)?.name().err()
}

/// The number to the letter, where the value is one.
pub(crate) fn decimal(value: &Dynamic) -> Option<Decimal> {
    value.read_lock::<Decimal>().map(|decimal| decimal.clone())
}

/// A script's value that is written as JSON, with the digits of its numbers.
pub(crate) struct Written<'a>(pub(crate) &'a Dynamic);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(items) = self.0.as_array_ref() {
            return serializer.collect_seq(items.iter().map(Written));
        }
        if let Ok(map) = self.0.as_map_ref() {
            return WrittenMap(&map).serialize(serializer);
        }
        match decimal(self.0) {
            Some(decimal) => decimal.serialize(serializer),
            None => self.0.serialize(serializer),
        }
    }
}

/// The same of a map.
pub(crate) struct WrittenMap<'a>(pub(crate) &'a Map);

impl Serialize for WrittenMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key.as_str(), Written(value))))
    }
}

/// Builds rhai's values.
struct Values;

impl<'a> Build<'a> for Values {
    type Value = Dynamic;
    type List = Array;
    type Map = Map;
    type Key = rhai::Identifier;

    fn null(&mut self, _at: usize) -> Dynamic {
        Dynamic::UNIT
    }

    fn flag(&mut self, _at: usize, flag: bool) -> Dynamic {
        flag.into()
    }

    fn number(&mut self, _at: usize, numeral: &'a str) -> Dynamic {
        number(Number::of_numeral(numeral))
    }

    fn text(&mut self, _at: usize, quoted: Quoted<'a>) -> Dynamic {
        text(quoted)
    }

    fn list(&mut self, _at: usize) -> Array {
        Array::new()
    }

    fn item(&mut self, list: &mut Array, item: Dynamic) {
        list.push(item);
    }

    fn list_done(&mut self, list: Array, _end: usize) -> Dynamic {
        Dynamic::from_array(list)
    }

    fn map(&mut self, _at: usize) -> Map {
        Map::new()
    }

    fn key(&mut self, _at: usize, key: Quoted<'a>) -> rhai::Identifier {
        key.decode().as_ref().into()
    }

    fn entry(&mut self, map: &mut Map, key: rhai::Identifier, value: Dynamic) {
        map.insert(key, value);
    }

    fn map_done(&mut self, map: Map, _end: usize) -> Dynamic {
        Dynamic::from_map(map)
    }
}
