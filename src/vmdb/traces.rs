//! trace_steps: what every run over the same rules says again is written once; a trace names it by number.
//!
//! A step that is not known yet stands in its trace in full, and is made known in the same transaction, so that
//! no trace ever names what is not there.

use ahash::HashMap;
use parking_lot::RwLock;
use rusqlite::Connection;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::model::delivery::Action;
use crate::model::delivery::Step;
use crate::model::delivery::Trace;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::transaction::Transaction;

/// Rules of any size say less than this; what says more puts values of events where names belong.
const MOST: usize = 1 << 16;
/// The keys of a step in the order of the contract.
const STEP_KEYS: [&str; 10] = [
    "kind", "path", "depth", "file", "line", "field", "written", "value", "outcome", "why",
];
/// The keys of an action in the order of the contract.
const ACTION_KEYS: [&str; 6] = ["object", "attributes", "method", "location", "inputs", "result"];

/// The steps that have a number, by their text.
#[derive(Debug, Default)]
pub(crate) struct KnownSteps {
    numbers: RwLock<HashMap<String, i64>>,
}

impl KnownSteps {
    /// Reads what is there.
    pub(crate) fn load(connection: &Connection) -> Result<Self, VmdbError> {
        let mut query = connection.prepare("SELECT step, id FROM trace_steps")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self {
            numbers: RwLock::new(rows.collect::<Result<_, _>>()?),
        })
    }

    /// Learns steps that were committed.
    pub(crate) fn learn(&self, steps: Vec<(String, i64)>) {
        if !steps.is_empty() {
            self.numbers.write().extend(steps);
        }
    }
}

/// A trace in the form of its column.
pub(crate) struct WrittenTrace {
    /// The column.
    pub(crate) text: String,
    /// Steps to be made known.
    pub(crate) new: Vec<String>,
}

impl WrittenTrace {
    pub(crate) fn new(trace: &Trace, known: &KnownSteps) -> Result<Self, VmdbError> {
        let numbers = known.numbers.read();
        let mut new = Vec::new();
        let mut number_of = |text: String| {
            let number = numbers.get(&text).copied();
            if number.is_none() && numbers.len() < MOST {
                new.push(text);
            }
            number
        };
        let mut steps = Vec::with_capacity(trace.steps.len());
        for step in &trace.steps {
            let (bare, value, why) = split_step(step);
            steps.push(match number_of(codec::to_json("a step", &bare)?) {
                None => json!(step),
                Some(number) if value.is_null() && why.is_null() => json!(number),
                Some(number) => json!([number, value, why]),
            });
        }
        let mut actions = Vec::with_capacity(trace.actions.len());
        for action in &trace.actions {
            let bare = Action {
                attributes: Vec::new(),
                inputs: Vec::new(),
                ..action.clone()
            };
            actions.push(match number_of(codec::to_json("an action", &bare)?) {
                None => json!(action),
                Some(number) => {
                    let mut whole = json!(action);
                    let mut take = |key| whole.get_mut(key).map(Value::take);
                    json!([number, take("attributes"), take("inputs")])
                }
            });
        }
        let text = codec::to_json(
            "a trace",
            &json!({"uri": trace.uri, "steps": steps, "actions": actions}),
        )?;
        Ok(Self { text, new })
    }

    /// Makes new steps known; those that were known meanwhile keep their numbers.
    pub(crate) fn insert_new(&self, transaction: &mut Transaction<'_>) -> Result<(), VmdbError> {
        for step in &self.new {
            let inserted = transaction.first(
                "INSERT INTO trace_steps (step) VALUES (?1) ON CONFLICT DO NOTHING RETURNING id",
                [step],
                |row| row.get(0),
            )?;
            if let Some(number) = inserted {
                transaction.news.steps.push((step.clone(), number));
            }
        }
        Ok(())
    }
}

/// What a step says for every event, and what it says for this one: its value, unless it is as written, and a
/// reason that was put together.
fn split_step(step: &Step) -> (Step, Value, Value) {
    let mut bare = step.clone();
    let is_as_written = match (&bare.value, &bare.written) {
        (Some(value), Some(written)) => value.as_str() == Some(written),
        (None, _) => true,
        (Some(_), None) => false,
    };
    let value = if is_as_written {
        Value::Null
    } else {
        json!(bare.value.take())
    };
    let why = match &bare.why {
        Some(std::borrow::Cow::Owned(_)) => json!(bare.why.take()),
        Some(std::borrow::Cow::Borrowed(_)) | None => Value::Null,
    };
    (bare, value, why)
}

/// A trace as `simulate` prints it: `uri`, `steps`, `actions`.
pub(crate) struct ReadTrace {
    pub(crate) uri: Value,
    pub(crate) steps: Value,
    pub(crate) actions: Value,
}

impl ReadTrace {
    pub(crate) fn read(connection: &Connection, text: &str) -> Result<Self, VmdbError> {
        let unreadable = |error| VmdbError::unreadable("a trace", error);
        let mut trace: Value = serde_json::from_str(text).map_err(unreadable)?;
        let mut query = connection.prepare_cached("SELECT step FROM trace_steps WHERE id = ?1")?;
        let mut named = |number: &Value| -> Result<Value, VmdbError> {
            let step: String = query.query_row([number.as_i64()], |row| row.get(0))?;
            serde_json::from_str(&step).map_err(unreadable)
        };
        let mut take = |key| trace.get_mut(key).map(Value::take).unwrap_or_default();
        let (uri, steps, actions) = (take("uri"), take("steps"), take("actions"));
        let mut whole = |written: &Value, own: [&str; 2], keys: &[&str]| match written {
            Value::Array(parts) => {
                let mut step = named(parts.first().unwrap_or(&Value::Null))?;
                for (key, part) in own
                    .into_iter()
                    .zip(parts.iter().skip(1))
                    .filter(|(_, part)| !part.is_null())
                {
                    if let Some(step) = step.as_object_mut() {
                        step.insert(key.to_owned(), part.clone());
                    }
                }
                Ok(in_order(step, keys))
            }
            Value::Number(_) => named(written),
            _whole => Ok(written.clone()),
        };
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let steps = list(&steps)
            .iter()
            .map(|step| whole(step, ["value", "why"], &STEP_KEYS))
            .collect::<Result<Vec<_>, VmdbError>>()?;
        let actions = list(&actions)
            .iter()
            .map(|action| whole(action, ["attributes", "inputs"], &ACTION_KEYS))
            .collect::<Result<Vec<_>, VmdbError>>()?;
        Ok(Self {
            uri,
            steps: steps.into(),
            actions: actions.into(),
        })
    }
}

/// Which steps a written trace names by number.
pub(crate) fn named_steps(text: &str) -> Result<Vec<i64>, serde_json::Error> {
    let trace: Value = serde_json::from_str(text)?;
    let lists = ["steps", "actions"]
        .into_iter()
        .filter_map(|key| trace.get(key)?.as_array());
    let number = |step: &Value| step.as_i64().or_else(|| step.get(0)?.as_i64());
    Ok(lists.flatten().filter_map(number).collect())
}

fn in_order(mut step: Value, keys: &[&str]) -> Value {
    let mut ordered = Map::new();
    for key in keys {
        if let Some(part) = step.get_mut(*key) {
            ordered.insert((*key).to_owned(), part.take());
        }
    }
    ordered.into()
}
