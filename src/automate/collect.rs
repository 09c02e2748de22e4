//! The collect language: gather attributes of what a relationship gave (reference 4.10). Parsed at load.

use std::borrow::Cow;
use std::sync::Arc;

use crate::automate::collect_function;
use crate::automate::collect_function::Function;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::model::json::Number;
use crate::model::value::Value;
use crate::model::value::ValueMap;
use crate::source::suggest;

/// One expression: `[target =] array | hash | name`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Collect {
    pub(crate) target: Option<Arc<str>>,
    pub(crate) what: What,
    /// Which part of it is not understood and not carried out, for its author.
    pub(crate) unknown: Option<String>,
}

/// What is gathered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    Array {
        items: Vec<Item>,
        function: Option<Function>,
    },
    Hash(Vec<(Item, Arc<str>)>),
    Name(Arc<str>),
    /// Nothing: the expression is not understood.
    Nothing,
}

/// A key or an item: something literal, or the attribute of a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Literal(Value),
    Attribute(Arc<str>),
}

impl Collect {
    /// Parses the expressions of a relationship, separated by `;`.
    pub(crate) fn parse_list(text: &str) -> Ae<Vec<Self>> {
        text.split(';')
            .filter(|part| !part.trim().is_empty())
            .map(Self::parse)
            .collect()
    }

    /// Parses one expression. An unknown part is left out, as in the original, and is named by `unknown`.
    ///
    /// # Errors
    /// InvalidCollection where an entry of a hash is none: that ends a run.
    pub(crate) fn parse(text: &str) -> Ae<Self> {
        let (target, body) = split_target(text.trim());
        let (what, unknown) = if let Some(inner) = body.strip_prefix('[') {
            array(inner)
        } else if let Some(inner) = body.strip_prefix('{') {
            hash(text, inner)?
        } else if body.is_empty() || body.contains(|c: char| c.is_whitespace() || "[]{}=>,".contains(c)) {
            (
                What::Nothing,
                Some("a name, `[a, b]` or `{key => name}` is expected; nothing is stored".into()),
            )
        } else {
            (What::Name(lower(body)), None)
        };
        Ok(Self {
            target: target.map(Arc::from),
            what,
            unknown: unknown.map(|why| format!("`{}`: {why}", text.trim())),
        })
    }
}

/// The part after `[`.
fn array(inner: &str) -> (What, Option<Cow<'static, str>>) {
    let Some((items, rest)) = inner.rsplit_once(']') else {
        return (What::Nothing, Some("`]` is missing; nothing is stored".into()));
    };
    let items = items.split(',').map(str::trim).filter(|item| !item.is_empty());
    let items: Vec<Item> = items.map(Item::parse).collect();
    let rest = rest.trim();
    let name = rest.strip_prefix('.').map(str::trim);
    let function = name.and_then(Function::parse);
    let unknown = match name {
        _none if rest.is_empty() => items
            .is_empty()
            .then(|| "it gathers nothing; nothing is stored".into()),
        None => Some(format!("`{rest}` is not understood; the array is stored as it is").into()),
        Some(name) if function.is_none() => {
            let near = suggest::nearest(&name.to_ascii_lowercase(), collect_function::NAMES);
            let near = near
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            Some(format!("there is no function `{name}`; the array is stored as it is{near}").into())
        }
        Some(_) => None,
    };
    (What::Array { items, function }, unknown)
}

/// The part after `{`.
fn hash(text: &str, inner: &str) -> Ae<(What, Option<Cow<'static, str>>)> {
    let Some(inner) = inner.trim_end().strip_suffix('}') else {
        return Ok((What::Nothing, Some("`}` is missing; nothing is stored".into())));
    };
    if inner.trim().is_empty() {
        return Ok((
            What::Nothing,
            Some("it gathers nothing; nothing is stored".into()),
        ));
    }
    let entries = inner.split(',').map(|entry| hash_entry(text, entry));
    Ok((What::Hash(entries.collect::<Ae<_>>()?), None))
}

fn invalid(text: &str, why: &str) -> Box<AeError> {
    AeError::engine(
        "InvalidCollection",
        format!("`{}` is no collect expression: {why}", text.trim()),
    )
}

/// `target = rest`; the `=` of `=>` is none.
fn split_target(text: &str) -> (Option<&str>, &str) {
    let end = text.find(['[', '{']).unwrap_or(text.len());
    let head = text.get(..end).unwrap_or(text);
    match head.find('=') {
        Some(at) => {
            let target = text.get(..at).unwrap_or("").trim();
            (
                Some(target).filter(|target| !target.is_empty()),
                text.get(at + 1..).unwrap_or("").trim(),
            )
        }
        None => (None, text),
    }
}

fn hash_entry(text: &str, entry: &str) -> Ae<(Item, Arc<str>)> {
    let mut sides = entry.split("=>");
    match (sides.next(), sides.next(), sides.next()) {
        (Some(key), Some(name), None) if !name.trim().is_empty() => {
            Ok((hash_key(key.trim()), lower(name.trim())))
        }
        _other => Err(invalid(text, "each entry of a hash needs exactly one `=>`")),
    }
}

fn hash_key(key: &str) -> Item {
    match key.strip_prefix(':') {
        Some(_) => Item::Literal(Value::text(key)),
        None => quoted(key).map_or_else(|| Item::Attribute(lower(key)), Item::Literal),
    }
}

fn quoted(text: &str) -> Option<Value> {
    let inside = |mark| text.strip_prefix(mark)?.strip_suffix(mark);
    inside('\'').or_else(|| inside('"')).map(Value::text)
}

fn lower(text: &str) -> Arc<str> {
    Arc::from(text.to_lowercase())
}

impl Item {
    fn parse(text: &str) -> Self {
        if let Some(literal) = quoted(text) {
            return Self::Literal(literal);
        }
        let exact = Number::read(text).map(Value::from);
        let number = exact.or_else(|| text.parse().map(Value::Float).ok());
        match number {
            Some(number) if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                Self::Literal(number)
            }
            _no_number => Self::Attribute(lower(text)),
        }
    }

    pub(crate) fn value(&self, attribute: &dyn Fn(&str) -> Value) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Attribute(name) => attribute(name),
        }
    }
}

/// Gathers from what a relationship gave. `None`: nothing is to be stored.
pub(crate) fn gather(what: &What, sources: &Sources<'_>) -> Ae<Option<Value>> {
    Ok(match (what, sources) {
        (What::Nothing, _) => None,
        (What::Name(name), Sources::One(read)) => Some(read(name)),
        (What::Name(name), Sources::Many(all)) => Some(Value::list(all.iter().map(|read| read(name)))),
        (What::Array { items, function }, _) => {
            let gathered: Vec<Value> = sources
                .each()
                .flat_map(|read| items.iter().map(|item| item.value(read)))
                .collect();
            if gathered.is_empty() {
                return Ok(None);
            }
            Some(function.map_or_else(
                || Ok(Value::list(gathered.iter().cloned())),
                |function| function.apply(gathered.clone()),
            )?)
        }
        (What::Hash(entries), _) => {
            let pairs = sources.each().flat_map(|read| {
                entries
                    .iter()
                    .map(|(key, name)| (key.value(read).to_key(), read(name)))
            });
            let map: ValueMap = pairs.collect();
            (!map.is_empty()).then(|| Value::Map(Arc::new(map)))
        }
    })
}

/// How an attribute of one object is read.
pub(crate) type Read<'a> = Box<dyn Fn(&str) -> Value + 'a>;

/// Whose attributes are gathered.
pub(crate) enum Sources<'a> {
    /// A single object.
    One(Read<'a>),
    /// A list of objects.
    Many(Vec<Read<'a>>),
}

impl<'a> Sources<'a> {
    fn each(&self) -> impl Iterator<Item = &Read<'a>> {
        let (one, many) = match self {
            Self::One(read) => (Some(read), [].as_slice()),
            Self::Many(all) => (None, all.as_slice()),
        };
        one.into_iter().chain(many)
    }
}
