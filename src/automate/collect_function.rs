//! What a collect makes of an array: sorted, counted, calculated (reference 4.10).

use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::model::json::Number;
use crate::model::value::Value;

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

/// The names of the functions, for those that are close to one.
pub(crate) const NAMES: [&str; 15] = [
    "sort", "rsort", "reverse", "count", "min", "minimum", "max", "maximum", "sum", "mean", "average", "avg",
    "variance", "stdev", "stddev",
];

impl Function {
    /// The function of a name, in any letter case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
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
            Self::Sum => match whole_sum(&items) {
                Some(sum) => Value::from(Number::from(sum)),
                None => Value::Float(numbers(&items)?.iter().sum()),
            },
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

/// The sum of whole numbers; none where one of them is none, or it is beyond 127 bits.
fn whole_sum(items: &[Value]) -> Option<i128> {
    items
        .iter()
        .try_fold(0, |sum: i128, item| sum.checked_add(item.as_number()?.whole()?))
}

fn number(value: &Value) -> Option<f64> {
    value.as_number()?.as_f64()
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
    match (a.as_number(), b.as_number()) {
        (Some(a), Some(b)) => a.compare(&b),
        (None, None) => match (a, b) {
            (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
            (Value::Text(a), Value::Text(b)) | (Value::Symbol(a), Value::Symbol(b)) => Some(a.cmp(b)),
            _other => None,
        },
        _mixed => None,
    }
}
