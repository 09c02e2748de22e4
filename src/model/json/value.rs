//! A JSON value with every digit of its numbers.

use std::fmt;
use std::ops::Index;

use indexmap::IndexMap;

use crate::model::json::Build;
use crate::model::json::Number;
use crate::model::json::Quoted;

/// The entries of an object, in the order in which they came.
pub type Map<K = String, V = Value> = IndexMap<K, V>;

/// A JSON value. Objects are equal whatever the order of their keys, numbers when they are written alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    String(String),
    /// A list.
    Array(Vec<Value>),
    /// An object.
    Object(Map),
}

impl Value {
    /// What it is, for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::String(_) => "a text",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Whether it is a text.
    pub fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    /// Whether it is a list.
    pub fn is_array(&self) -> bool {
        matches!(self, Self::Array(_))
    }

    /// The truth value, where it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _other => None,
        }
    }

    /// The text, where it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _other => None,
        }
    }

    /// The number, where it is one.
    pub fn as_number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            _other => None,
        }
    }

    /// The whole number, where it is one that an `i64` holds.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number()?.as_i64()
    }

    /// The whole number, where it is one that a `u64` holds.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number()?.as_u64()
    }

    /// The float next to the number, where it is one.
    pub fn as_f64(&self) -> Option<f64> {
        self.as_number()?.as_f64()
    }

    /// The items, where it is a list.
    pub fn as_array(&self) -> Option<&Vec<Self>> {
        match self {
            Self::Array(items) => Some(items),
            _other => None,
        }
    }

    /// The items to be changed, where it is a list.
    pub fn as_array_mut(&mut self) -> Option<&mut Vec<Self>> {
        match self {
            Self::Array(items) => Some(items),
            _other => None,
        }
    }

    /// The entries, where it is an object.
    pub fn as_object(&self) -> Option<&Map> {
        match self {
            Self::Object(map) => Some(map),
            _other => None,
        }
    }

    /// The entries to be changed, where it is an object.
    pub fn as_object_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Object(map) => Some(map),
            _other => None,
        }
    }

    /// The value of a key, or the item with a number from 0.
    pub fn get<S: Step>(&self, step: S) -> Option<&Self> {
        step.enter(self)
    }

    /// The same to be changed.
    pub fn get_mut<S: Step>(&mut self, step: S) -> Option<&mut Self> {
        step.enter_mut(self)
    }

    /// What a JSON pointer leads to.
    pub fn pointer(&self, pointer: &str) -> Option<&Self> {
        let mut steps = pointer.split('/').skip(1);
        steps.try_fold(self, |value, step| match value {
            Self::Object(map) => map.get(&step.replace("~1", "/").replace("~0", "~")),
            Self::Array(items) => items.get(step.parse::<usize>().ok()?),
            _scalar => None,
        })
    }

    /// The same to be changed.
    pub fn pointer_mut(&mut self, pointer: &str) -> Option<&mut Self> {
        let mut steps = pointer.split('/').skip(1);
        steps.try_fold(self, |value, step| match value {
            Self::Object(map) => map.get_mut(&step.replace("~1", "/").replace("~0", "~")),
            Self::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
            _scalar => None,
        })
    }

    /// The value; null takes its place.
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

/// A step into a value: a key, or the number of an item from 0.
pub trait Step {
    /// What it leads to.
    fn enter(self, value: &Value) -> Option<&Value>;
    /// What it leads to, to be changed.
    fn enter_mut(self, value: &mut Value) -> Option<&mut Value>;
}

impl Step for &str {
    fn enter(self, value: &Value) -> Option<&Value> {
        value.as_object()?.get(self)
    }

    fn enter_mut(self, value: &mut Value) -> Option<&mut Value> {
        value.as_object_mut()?.get_mut(self)
    }
}

impl Step for &String {
    fn enter(self, value: &Value) -> Option<&Value> {
        self.as_str().enter(value)
    }

    fn enter_mut(self, value: &mut Value) -> Option<&mut Value> {
        self.as_str().enter_mut(value)
    }
}

impl Step for usize {
    fn enter(self, value: &Value) -> Option<&Value> {
        value.as_array()?.get(self)
    }

    fn enter_mut(self, value: &mut Value) -> Option<&mut Value> {
        value.as_array_mut()?.get_mut(self)
    }
}

/// What a step leads to, or null.
impl<S: Step> Index<S> for Value {
    type Output = Self;

    fn index(&self, step: S) -> &Self {
        const NULL: &Value = &Value::Null;
        self.get(step).unwrap_or(NULL)
    }
}

/// JSON text without space between its parts.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_error| fmt::Error)?)
    }
}

/// Builds values.
pub(crate) struct Tree;

impl<'a> Build<'a> for Tree {
    type Value = Value;
    type List = Vec<Value>;
    type Map = Map;
    type Key = String;

    fn null(&mut self, _at: usize) -> Value {
        Value::Null
    }

    fn flag(&mut self, _at: usize, flag: bool) -> Value {
        Value::Bool(flag)
    }

    fn number(&mut self, _at: usize, numeral: &'a str) -> Value {
        Value::Number(Number::of_numeral(numeral))
    }

    fn text(&mut self, _at: usize, text: Quoted<'a>) -> Value {
        Value::String(text.decode().into_owned())
    }

    fn list(&mut self, _at: usize) -> Vec<Value> {
        Vec::new()
    }

    fn item(&mut self, list: &mut Vec<Value>, item: Value) {
        list.push(item);
    }

    fn list_done(&mut self, list: Vec<Value>, _end: usize) -> Value {
        Value::Array(list)
    }

    fn map(&mut self, _at: usize) -> Map {
        Map::new()
    }

    fn key(&mut self, _at: usize, key: Quoted<'a>) -> String {
        key.decode().into_owned()
    }

    fn entry(&mut self, map: &mut Map, key: String, value: Value) {
        map.insert(key, value);
    }

    fn map_done(&mut self, map: Map, _end: usize) -> Value {
        Value::Object(map)
    }
}
