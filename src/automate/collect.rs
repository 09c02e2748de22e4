//! The collect language: gather attributes of what a relationship gave (reference 4.10). Parsed at load.

use std::sync::Arc;

use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::model::value::Value;
use crate::model::value::ValueMap;

/// One expression: `[target =] array | hash | name`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Collect {
    pub(crate) target: Option<Arc<str>>,
    pub(crate) what: What,
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
}

/// A key or an item: something literal, or the attribute of a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Literal(Value),
    Attribute(Arc<str>),
}

/// What is made of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Sort,
    ReverseSort,
    Reverse,
    Count,
    Min,
    Max,
    Sum,
    Mean,
    Variance,
    StandardDeviation,
}

impl Collect {
    /// Parses the expressions of a relationship, separated by `;`.
    pub(crate) fn parse_list(text: &str) -> Ae<Vec<Self>> {
        text.split(';')
            .filter(|part| !part.trim().is_empty())
            .map(Self::parse)
            .collect()
    }

    /// Parses one expression.
    pub(crate) fn parse(text: &str) -> Ae<Self> {
        let (target, body) = split_target(text.trim());
        let what = if let Some(inner) = body.strip_prefix('[') {
            let (items, rest) = inner
                .rsplit_once(']')
                .ok_or_else(|| invalid(text, "`]` is missing"))?;
            let function = match rest.trim().strip_prefix('.') {
                Some(name) => Some(
                    Function::parse(name.trim()).ok_or_else(|| invalid(text, "this function is unknown"))?,
                ),
                None if rest.trim().is_empty() => None,
                None => return Err(invalid(text, "only `.function` may follow `]`")),
            };
            let items = items.split(',').map(str::trim).filter(|item| !item.is_empty());
            What::Array {
                items: items.map(Item::parse).collect(),
                function,
            }
        } else if let Some(inner) = body.strip_prefix('{') {
            let inner = inner
                .trim_end()
                .strip_suffix('}')
                .ok_or_else(|| invalid(text, "`}` is missing"))?;
            What::Hash(
                inner
                    .split(',')
                    .map(|entry| hash_entry(text, entry))
                    .collect::<Ae<_>>()?,
            )
        } else if body.is_empty() || body.contains(|c: char| c.is_whitespace() || "[]{}=>,".contains(c)) {
            return Err(invalid(text, "a name, `[a, b]` or `{key => name}` is expected"));
        } else {
            What::Name(lower(body))
        };
        Ok(Self {
            target: target.map(Arc::from),
            what,
        })
    }
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
        let number = text
            .parse()
            .map(Value::Int)
            .or_else(|_| text.parse().map(Value::Float));
        match number {
            Ok(number) if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => Self::Literal(number),
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

impl Function {
    fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "sort" => Self::Sort,
            "rsort" => Self::ReverseSort,
            "reverse" => Self::Reverse,
            "count" => Self::Count,
            "min" | "minimum" => Self::Min,
            "max" | "maximum" => Self::Max,
            "sum" => Self::Sum,
            "mean" | "average" | "avg" => Self::Mean,
            "variance" => Self::Variance,
            "stdev" | "stddev" => Self::StandardDeviation,
            _other => return None,
        })
    }

    /// Applies the function; skipped where every element is null.
    pub(crate) fn apply(self, items: Vec<Value>) -> Ae<Value> {
        if items.iter().all(Value::is_null) {
            return Ok(Value::list(items));
        }
        let sorted = |items: Vec<Value>| -> Ae<Vec<Value>> {
            let mut sorted = items;
            if let Some(wrong) = sorted.iter().find(|item| compare(item, item).is_none()) {
                return Err(not_comparable(wrong));
            }
            if sorted
                .windows(2)
                .any(|pair| matches!(pair, [a, b] if compare(a, b).is_none()))
            {
                return Err(not_comparable(&Value::list(sorted)));
            }
            sorted.sort_by(|a, b| compare(a, b).unwrap_or(std::cmp::Ordering::Equal));
            Ok(sorted)
        };
        Ok(match self {
            Self::Sort => Value::list(sorted(items)?),
            Self::ReverseSort => Value::list(sorted(items)?.into_iter().rev()),
            Self::Reverse => Value::list(items.into_iter().rev()),
            Self::Count => Value::Int(i64::try_from(items.len()).unwrap_or(i64::MAX)),
            Self::Min => sorted(items)?.into_iter().next().unwrap_or_default(),
            Self::Max => sorted(items)?.into_iter().next_back().unwrap_or_default(),
            Self::Sum if items.iter().all(|item| matches!(item, Value::Int(_))) => {
                Value::Int(items.iter().filter_map(whole).fold(0, i64::wrapping_add))
            }
            Self::Sum => Value::Float(numbers(&items)?.iter().sum()),
            Self::Mean => Value::Float(mean(&numbers(&items)?)),
            Self::Variance => Value::Float(variance(&numbers(&items)?)),
            Self::StandardDeviation => Value::Float(variance(&numbers(&items)?).sqrt()),
        })
    }
}

fn not_comparable(value: &Value) -> Box<AeError> {
    AeError::engine(
        "InvalidCollection",
        format!("`{value}` cannot be compared with the other elements"),
    )
}

fn whole(value: &Value) -> Option<i64> {
    if let Value::Int(whole) = value {
        Some(*whole)
    } else {
        None
    }
}

#[expect(clippy::cast_precision_loss, reason = "Ruby's to_f rounds as well")]
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(whole) => Some(*whole as f64),
        Value::Float(float) => Some(*float),
        _other => None,
    }
}

fn numbers(items: &[Value]) -> Ae<Vec<f64>> {
    let wrong = |item: &Value| {
        AeError::engine(
            "InvalidCollection",
            format!("`{item}` is no number to calculate with"),
        )
    };
    items
        .iter()
        .map(|item| number(item).ok_or_else(|| wrong(item)))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "lists are short")]
fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// The sample variance: divided by n - 1.
#[expect(clippy::cast_precision_loss, reason = "lists are short")]
fn variance(numbers: &[f64]) -> f64 {
    let mean = mean(numbers);
    numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / (numbers.len() as f64 - 1.0)
}

fn compare(a: &Value, b: &Value) -> Option<std::cmp::Ordering> {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.partial_cmp(&b),
        (None, None) => match (a, b) {
            (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
            (Value::Text(a), Value::Text(b)) | (Value::Symbol(a), Value::Symbol(b)) => Some(a.cmp(b)),
            _other => None,
        },
        _mixed => None,
    }
}

/// Gathers from what a relationship gave. `None`: nothing is to be stored.
pub(crate) fn gather(what: &What, sources: &Sources<'_>) -> Ae<Option<Value>> {
    Ok(match (what, sources) {
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
                    .map(|(key, name)| (key.value(read).to_string(), read(name)))
            });
            let map: ValueMap = pairs.map(|(key, value)| (Arc::from(key), value)).collect();
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
