//! What became of an event, in one word: what the timeline is filtered by.

use serde::Serialize;

use crate::model::delivery::Delivery;
use crate::model::delivery::Outcome;
use crate::model::delivery::StepKind;
use crate::model::event::EventHash;
use crate::model::flood;
use crate::model::value::Value;

/// How the reason of a step begins that was taken because its class has no instance of the name.
pub const MISSING_STANDS_IN: &str = "`.missing` stands in for";

/// Builtin methods that only read the event; each event runs some of them.
const READERS: [&str; 3] = [
    "parse_provider_category",
    "parse_automation_request",
    "parse_event_stream",
];

/// What became of an event. The words are those of the API and the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventOutcome {
    /// A method ran, or an effect was asked for.
    Acted,
    /// It was decided together with others of a flood.
    Folded,
    /// It has a rule, which did nothing: mostly since an assertion was not true.
    Skipped,
    /// No instance is named after its type.
    NoRule,
    /// The run ended in an error.
    Failed,
    /// A state machine goes on later.
    Waiting,
}

impl EventOutcome {
    /// Every outcome, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Acted,
        Self::Folded,
        Self::Skipped,
        Self::NoRule,
        Self::Failed,
        Self::Waiting,
    ];

    /// What became of an event with its latest run.
    pub fn of(hash: &EventHash, delivery: &Delivery) -> Self {
        let steps = &delivery.trace.steps;
        if delivery.retry.is_some() {
            return Self::Waiting;
        }
        if delivery.errors.iter().any(|error| error.fatal) {
            return Self::Failed;
        }
        if is_folded(hash) {
            return Self::Folded;
        }
        let acts = |method: &str| !READERS.iter().any(|reader| reader.eq_ignore_ascii_case(method));
        if !delivery.effects.is_empty() || delivery.trace.actions.iter().any(|action| acts(&action.method)) {
            return Self::Acted;
        }
        let is_refused = steps
            .iter()
            .any(|step| step.kind == StepKind::Assertion && step.outcome == Outcome::Failed);
        let has_rule = steps.iter().any(|step| {
            let stands_in = |why: &str| why.starts_with(MISSING_STANDS_IN);
            step.kind == StepKind::Instance
                && step.outcome != Outcome::Missing
                && !step.why.as_deref().is_some_and(stands_in)
                && is_named_after(&step.path, &hash.event_type)
        });
        if is_refused || has_rule {
            Self::Skipped
        } else {
            Self::NoRule
        }
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acted => "acted",
            Self::Folded => "folded",
            Self::Skipped => "skipped",
            Self::NoRule => "norule",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
        }
    }

    /// Its number in the database.
    pub fn number(self) -> i64 {
        Self::ALL
            .iter()
            .zip(0..)
            .find_map(|(one, number)| (*one == self).then_some(number))
            .unwrap_or(0)
    }

    /// The outcome with a number of the database.
    pub fn from_number(number: i64) -> Self {
        let found = usize::try_from(number)
            .ok()
            .and_then(|number| Self::ALL.get(number));
        found.copied().unwrap_or(Self::Skipped)
    }
}

impl std::str::FromStr for EventOutcome {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|outcome| outcome.as_str() == word);
        found.ok_or_else(|| {
            let words = Self::ALL.map(Self::as_str).join(", ");
            format!("`{word}` is no outcome; one of {words} is expected")
        })
    }
}

/// Whether an event was decided with another one of a flood.
fn is_folded(hash: &EventHash) -> bool {
    match hash.attributes.get(flood::FLOOD) {
        Some(Value::Map(map)) => map.contains_key("folded_into"),
        _other => false,
    }
}

/// An object's name ends in that of its instance.
fn is_named_after(path: &str, event_type: &str) -> bool {
    let at = path.len().checked_sub(event_type.len() + 1);
    let end = at.and_then(|at| path.get(at..));
    end.is_some_and(|end| {
        end.strip_prefix('/')
            .is_some_and(|name| name.eq_ignore_ascii_case(event_type))
    })
}
