//! The steps of traces that have a number, found by what they say without writing it down first.
//!
//! A decision has some ten steps, nearly always the same ones: making a text of each to look it up costs more than
//! all the rest of its trace.

use std::borrow::Cow;
use std::hash::Hash;
use std::hash::Hasher;

use ahash::HashMap;
use ahash::RandomState;
use parking_lot::RwLock;
use rusqlite::Connection;

use crate::model::delivery::Action;
use crate::model::delivery::Step;
use crate::model::value::Value;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;

/// Rules of any size say less than this; what says more puts values of events where names belong.
const MOST: usize = 1 << 16;

/// The steps that have a number.
#[derive(Debug, Default)]
pub(crate) struct KnownSteps {
    numbers: RwLock<HashMap<String, i64>>,
    /// By a digest of what they say, which is compared.
    said: RwLock<HashMap<u64, Vec<(Said, i64)>>>,
    digests: RandomState,
}

/// What a step says for every event.
#[derive(Clone, Debug)]
enum Said {
    Step(Step),
    Action(Action),
}

/// What to look a step up by.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Step(&'a Step),
    Action(&'a Action),
}

impl KnownSteps {
    /// Reads what is there.
    pub(crate) fn load(connection: &Connection) -> Result<Self, VmdbError> {
        let mut query = connection.prepare("SELECT step, id FROM trace_steps")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self {
            numbers: RwLock::new(rows.collect::<Result<_, _>>()?),
            ..Self::default()
        })
    }

    /// Learns steps that were committed.
    pub(crate) fn learn(&self, steps: Vec<(String, i64)>) {
        if !steps.is_empty() {
            self.numbers.write().extend(steps);
        }
    }

    /// The number of what a step says for every event; where it has none yet, its text is added to `new`.
    pub(crate) fn step(&self, step: &Step, new: &mut Vec<String>) -> Result<Option<i64>, VmdbError> {
        self.number(Wanted::Step(step), new)
    }

    /// As [`KnownSteps::step`], of an action.
    pub(crate) fn action(&self, action: &Action, new: &mut Vec<String>) -> Result<Option<i64>, VmdbError> {
        self.number(Wanted::Action(action), new)
    }

    fn number(&self, wanted: Wanted<'_>, new: &mut Vec<String>) -> Result<Option<i64>, VmdbError> {
        let digest = self.digests.hash_one(wanted);
        let find = |said: &HashMap<u64, Vec<(Said, i64)>>| {
            let mut alike = said.get(&digest)?.iter();
            alike
                .find(|(said, _)| wanted == Wanted::of(said))
                .map(|(_, number)| *number)
        };
        if let Some(number) = find(&self.said.read()) {
            return Ok(Some(number));
        }
        let said = wanted.said();
        let text = match &said {
            Said::Step(step) => codec::to_json("a step", step)?,
            Said::Action(action) => codec::to_json("an action", action)?,
        };
        let numbers = self.numbers.read();
        let number = numbers.get(&text).copied();
        match number {
            Some(number) => {
                let mut known = self.said.write();
                if known.len() < MOST && find(&known).is_none() {
                    known.entry(digest).or_default().push((said, number));
                }
            }
            None if numbers.len() < MOST => new.push(text),
            None => (),
        }
        Ok(number)
    }
}

/// The value of a step that is this event's own: not what is written anyway.
pub(crate) fn own_value(step: &Step) -> Option<&Value> {
    let is_written = |value: &&Value| {
        step.written
            .as_deref()
            .is_some_and(|written| value.as_str() == Some(written))
    };
    step.value.as_ref().filter(|value| !is_written(value))
}

/// The reason of a step that was put together for this event.
pub(crate) fn own_reason(step: &Step) -> Option<&str> {
    match &step.why {
        Some(Cow::Owned(why)) => Some(why),
        Some(Cow::Borrowed(_)) | None => None,
    }
}

/// The value of a step that it has for every event.
fn common_value(step: &Step) -> Option<&Value> {
    step.value.as_ref().filter(|_| own_value(step).is_none())
}

fn common_reason(step: &Step) -> Option<&str> {
    step.why.as_deref().filter(|_| own_reason(step).is_none())
}

impl<'a> Wanted<'a> {
    fn of(said: &'a Said) -> Self {
        match said {
            Said::Step(step) => Self::Step(step),
            Said::Action(action) => Self::Action(action),
        }
    }

    /// What it says for every event, to be kept.
    fn said(self) -> Said {
        match self {
            Self::Step(step) => Said::Step(Step {
                value: common_value(step).cloned(),
                why: step.why.clone().filter(|_| own_reason(step).is_none()),
                ..step.clone()
            }),
            Self::Action(action) => Said::Action(Action {
                attributes: Vec::new(),
                inputs: Vec::new(),
                ..action.clone()
            }),
        }
    }
}

impl PartialEq for Wanted<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Step(a), Self::Step(b)) => {
                (a.kind, &a.path, a.depth, &a.file, a.line) == (b.kind, &b.path, b.depth, &b.file, b.line)
                    && (&a.field, &a.written, a.outcome) == (&b.field, &b.written, b.outcome)
                    && common_value(a) == common_value(b)
                    && common_reason(a) == common_reason(b)
            }
            (Self::Action(a), Self::Action(b)) => {
                (&a.object, &a.method, a.location, a.result) == (&b.object, &b.method, b.location, b.result)
            }
            (Self::Step(_), Self::Action(_)) | (Self::Action(_), Self::Step(_)) => false,
        }
    }
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Step(step) => {
                (step.kind as u8, &step.path, step.depth, &step.file, step.line).hash(state);
                (&step.field, &step.written, step.outcome as u8).hash(state);
                (common_value(step).is_some(), common_reason(step)).hash(state);
            }
            Self::Action(action) => {
                (
                    &action.object,
                    &action.method,
                    action.location as u8,
                    action.result,
                )
                    .hash(state);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::delivery::Outcome;
    use crate::model::delivery::StepKind;

    fn step() -> Step {
        Step {
            kind: StepKind::Attribute,
            path: Arc::from("/D/N/C/i"),
            depth: 1,
            file: Some(Arc::from("automate/i.yaml")),
            line: Some(3),
            field: Some(Arc::from("a")),
            written: Some(Arc::from("x")),
            value: None,
            outcome: Outcome::Ok,
            why: None,
        }
    }

    #[test]
    fn a_step_is_found_by_all_that_it_says_for_every_event_and_by_nothing_else() {
        let known = KnownSteps::default();
        let number = |step: &Step| {
            let mut new = Vec::new();
            let number = known.step(step, &mut new).unwrap();
            (number, new)
        };
        let texts: [fn(&mut Step); 12] = [
            |_step| (),
            |step| step.kind = StepKind::Method,
            |step| step.path = Arc::from("/D/N/C/j"),
            |step| step.depth = 2,
            |step| step.file = None,
            |step| step.line = Some(4),
            |step| step.field = None,
            |step| step.written = Some(Arc::from("y")),
            |step| step.outcome = Outcome::Failed,
            |step| step.why = Some("always".into()),
            |step| step.value = Some(Value::text("x")),
            // Written out, a symbol is another text.
            |step| step.value = Some(Value::Symbol(Arc::from("x"))),
        ];
        let steps = texts.map(|change| {
            let mut step = step();
            change(&mut step);
            step
        });
        for (index, step) in steps.iter().enumerate() {
            let (none, new) = number(step);
            assert_eq!((none, new.len()), (None, 1), "{step:?}");
            let index = i64::try_from(index).unwrap();
            known.learn(new.into_iter().map(|text| (text, index)).collect());
        }
        // By its text, then by what it says.
        for _time in 0..2 {
            for (index, step) in steps.iter().enumerate() {
                assert_eq!(number(step), (i64::try_from(index).ok(), Vec::new()), "{step:?}");
            }
        }
        let of_one_event = Step {
            value: Some(Value::text("another one")),
            why: Some("seen just now".to_owned().into()),
            ..step()
        };
        assert_eq!(number(&of_one_event), (Some(0), Vec::new()));
    }
}
