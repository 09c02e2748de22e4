//! trace_steps: what every run over the same rules says again is written once; a trace names it by number.
//!
//! A step that is not known yet stands in its trace in full, and is made known in the same transaction, so that
//! no trace ever names what is not there.

use std::sync::Arc;

use rusqlite::Connection;
use serde::Serialize;

use crate::model::delivery;
use crate::model::delivery::Action;
use crate::model::delivery::Step;
use crate::model::delivery::Trace;
use crate::model::json;
use crate::model::json::Map;
use crate::model::json::Value as Json;
use crate::model::value::Value;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::known_steps;
use crate::vmdb::known_steps::KnownSteps;
use crate::vmdb::transaction::Transaction;

/// The keys of a step in the order of the contract.
const STEP_KEYS: [&str; 10] = [
    "kind", "path", "depth", "file", "line", "field", "written", "value", "outcome", "why",
];
/// The keys of an action in the order of the contract.
const ACTION_KEYS: [&str; 6] = ["object", "attributes", "method", "location", "inputs", "result"];

/// A trace in the form of its column.
pub(crate) struct WrittenTrace {
    /// The column.
    pub(crate) text: String,
    /// Steps to be made known.
    pub(crate) new: Vec<String>,
}

/// A trace as its column holds it.
#[derive(Serialize)]
struct TraceOut<'a> {
    uri: &'a str,
    steps: Vec<StepOut<'a>>,
    actions: Vec<ActionOut<'a>>,
}

/// A step: its number, with what it says for this event alone behind it; or all of it.
#[derive(Serialize)]
#[serde(untagged)]
enum StepOut<'a> {
    Known(i64),
    OfEvent(i64, Option<&'a Value>, Option<&'a str>),
    Whole(&'a Step),
}

/// An action: its number, attributes and inputs; or all of it.
#[derive(Serialize)]
#[serde(untagged)]
enum ActionOut<'a> {
    OfEvent(i64, AsMap<'a>, AsMap<'a>),
    Whole(&'a Action),
}

#[derive(Serialize)]
#[serde(transparent)]
struct AsMap<'a>(#[serde(serialize_with = "delivery::as_map")] &'a [(Arc<str>, Value)]);

impl WrittenTrace {
    pub(crate) fn new(trace: &Trace, known: &KnownSteps) -> Result<Self, VmdbError> {
        let mut new = Vec::new();
        let mut steps = Vec::with_capacity(trace.steps.len());
        for step in &trace.steps {
            let (value, why) = (known_steps::own_value(step), known_steps::own_reason(step));
            steps.push(match known.step(step, &mut new)? {
                None => StepOut::Whole(step),
                Some(number) if value.is_none() && why.is_none() => StepOut::Known(number),
                Some(number) => StepOut::OfEvent(number, value, why),
            });
        }
        let mut actions = Vec::with_capacity(trace.actions.len());
        for action in &trace.actions {
            actions.push(match known.action(action, &mut new)? {
                None => ActionOut::Whole(action),
                Some(number) => ActionOut::OfEvent(number, AsMap(&action.attributes), AsMap(&action.inputs)),
            });
        }
        let uri = &trace.uri;
        let text = codec::to_json("a trace", &TraceOut { uri, steps, actions })?;
        Ok(Self { text, new })
    }

    /// Makes new steps known; those that were known meanwhile keep their numbers.
    pub(crate) fn insert_new(&self, transaction: &mut Transaction<'_>) -> Result<(), VmdbError> {
        for step in &self.new {
            // Without RETURNING, for which SQLite would make a table of its own each time.
            let inserted = transaction.execute_held(
                "INSERT INTO trace_steps (step) VALUES (?1) ON CONFLICT DO NOTHING",
                [step],
            )?;
            if 0 < inserted {
                let number = transaction.connection.last_insert_rowid();
                transaction.news.steps.push((step.clone(), number));
            }
        }
        Ok(())
    }
}

/// A trace as `simulate` prints it: `uri`, `steps`, `actions`.
pub(crate) struct ReadTrace {
    pub(crate) uri: Json,
    pub(crate) steps: Json,
    pub(crate) actions: Json,
}

impl ReadTrace {
    pub(crate) fn read(connection: &Connection, text: &str) -> Result<Self, VmdbError> {
        let unreadable = |error| VmdbError::unreadable("a trace", error);
        let mut trace: Json = json::read(text).map_err(unreadable)?;
        let mut query = connection.prepare_cached("SELECT step FROM trace_steps WHERE id = ?1")?;
        let mut named = |number: &Json| -> Result<Json, VmdbError> {
            let step: String = query.query_row([number.as_i64()], |row| row.get(0))?;
            json::read(&step).map_err(unreadable)
        };
        let mut take = |key| trace.get_mut(key).map(Json::take).unwrap_or_default();
        let (uri, steps, actions) = (take("uri"), take("steps"), take("actions"));
        let mut whole = |written: &Json, own: [&str; 2], keys: &[&str]| match written {
            Json::Array(parts) => {
                let mut step = named(parts.first().unwrap_or(&Json::Null))?;
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
            Json::Number(_) => named(written),
            _whole => Ok(written.clone()),
        };
        let list = |value: &Json| value.as_array().cloned().unwrap_or_default();
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
    let trace: Json = serde_json::from_str(text)?;
    let lists = ["steps", "actions"]
        .into_iter()
        .filter_map(|key| trace.get(key)?.as_array());
    let number = |step: &Json| step.as_i64().or_else(|| step.get(0)?.as_i64());
    Ok(lists.flatten().filter_map(number).collect())
}

fn in_order(mut step: Json, keys: &[&str]) -> Json {
    let mut ordered = Map::new();
    for key in keys {
        if let Some(part) = step.get_mut(*key) {
            ordered.insert((*key).to_owned(), part.take());
        }
    }
    ordered.into()
}
