//! What the rules made of an event: effects to be carried out, the trace of how they came to it, errors.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::model::fired::Fired;
use crate::model::json;
use crate::model::target::TargetCollection;
use crate::model::value::{Value, ValueMap};

/// Which generation of rules decided: a digest of every rule file, the same for the same text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RulesId(pub u128);

impl fmt::Display for RulesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for RulesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for RulesId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The answer of the rules to one event. Deciding never fails: what went wrong is in `errors`.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// What is to be done, in order. Empty when the run was aborted: effects come together or not at all.
    pub effects: Vec<Effect>,
    /// How it went.
    pub trace: Trace,
    /// What went wrong, in order; a fatal one is last.
    pub errors: Vec<DeliveryError>,
    /// Set when the run ended in `retry`.
    pub retry: Option<Retry>,
    /// The instances that the run built, in the order in which they ended.
    pub fired: Vec<Fired>,
}

impl Delivery {
    /// Every target that the effects ask to refresh, without duplicates.
    pub fn targets(&self) -> TargetCollection {
        let refreshes = self.effects.iter().filter_map(|effect| match effect {
            Effect::QueueRefresh { targets } => Some(targets),
            _other => None,
        });
        refreshes
            .flat_map(|targets| targets.targets().iter().cloned())
            .collect()
    }

    /// How many targets that are.
    pub fn target_count(&self) -> usize {
        let mut refreshes = self.effects.iter().filter_map(|effect| match effect {
            Effect::QueueRefresh { targets } => Some(targets),
            _other => None,
        });
        match (refreshes.next(), refreshes.next()) {
            (None, _) => 0,
            // Without duplicates already.
            (Some(only), None) => only.targets().len(),
            (Some(_), Some(_)) => self.targets().targets().len(),
        }
    }
}

/// Something to be done once the event is committed, or with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Refresh these objects of the event's manager (`refresh`, `evm.refresh`).
    QueueRefresh {
        /// What to refresh.
        targets: TargetCollection,
    },
    /// Refresh the whole manager, and why it became that wide.
    QueueFullRefresh {
        /// For the trace and the list of refreshes.
        reason: Cow<'static, str>,
    },
    /// Set attributes of one object of the inventory, until it is read again.
    UpdateInventory {
        /// Its class, `Vm` for example.
        class: Arc<str>,
        /// Its number.
        id: i64,
        /// What to set.
        attributes: ValueMap,
    },
    /// Something outside, sent after the commit and retried (`evm.deliver`).
    Outside {
        /// What the script described: `http`, `command`, `email` or `log`.
        action: json::Value,
    },
    /// A builtin that acts on inventory or policy; a site may give it an action of its own.
    Builtin {
        /// Its name.
        name: Arc<str>,
        /// Its inputs, resolved.
        inputs: ValueMap,
    },
}

/// How a run went, step by step.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Trace {
    /// The URI that was instantiated.
    pub uri: Arc<str>,
    /// What happened, in order; what was cut off stands where it would have come.
    pub steps: Vec<Step>,
    /// Every method that was called, in order.
    pub actions: Vec<Action>,
}

/// What kind of thing a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// An object was built.
    Instance,
    /// A relationship field.
    Relationship,
    /// An assertion field.
    Assertion,
    /// An attribute field.
    Attribute,
    /// A method field.
    Method,
    /// A state of a state machine, or one of its steps.
    State,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Ok,
    /// A relationship led to an object.
    Followed,
    /// Nothing to do: a comment, another state's turn.
    Skipped,
    /// It failed; `why` says how.
    Failed,
    /// What it names does not exist.
    Missing,
    /// Cut off by what came before.
    NotReached,
}

/// One step of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// What it is about.
    pub kind: StepKind,
    /// The name of the object.
    pub path: Arc<str>,
    /// How deep below the entry, from 0.
    pub depth: u32,
    /// Where it is written; none for what is built in.
    pub file: Option<Arc<str>>,
    /// The line there, from 1.
    pub line: Option<u32>,
    /// The field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<Arc<str>>,
    /// Its text as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<Arc<str>>,
    /// After substitution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// How it ended.
    pub outcome: Outcome,
    /// The reason, where there is one to give.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Cow<'static, str>>,
}

/// Where a method's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// A Rhai script of the class, or of `scripts/actions`.
    Inline,
    /// Part of the engine.
    Builtin,
    /// A query over the inventory.
    Expression,
}

/// One method call.
#[derive(Clone, Debug, Serialize)]
pub struct Action {
    /// The object that called it, without its domain.
    pub object: Arc<str>,
    /// That object's attributes at that moment.
    #[serde(serialize_with = "as_map")]
    pub attributes: Vec<(Arc<str>, Value)>,
    /// The method.
    pub method: Arc<str>,
    /// Where its body is.
    pub location: Location,
    /// What it was given, converted.
    #[serde(serialize_with = "as_map")]
    pub inputs: Vec<(Arc<str>, Value)>,
    /// How it ended: `ok`, `warn`, `stop`, `abort`, `error`.
    pub result: &'static str,
}

/// Pairs as a map, without those that are nothing.
pub(crate) fn as_map<S: serde::Serializer>(
    pairs: &[(Arc<str>, Value)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(
        pairs
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, value)),
    )
}

/// One thing that went wrong during a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryError {
    /// The object.
    pub path: String,
    /// The exception's name in the reference, or our own.
    pub kind: String,
    /// What happened, where, what was expected, what to do.
    pub message: String,
    /// Whether it ended the run.
    pub fatal: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it on like this")]
fn seconds<S: Serializer>(seconds: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    // Every whole number up to here is exact in both forms.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
    match seconds.fract() == 0.0 && seconds.abs() < EXACT {
        true => serializer.serialize_i64(*seconds as i64),
        false => serializer.serialize_f64(*seconds),
    }
}

/// What a run that ended in `retry` needs to go on later.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Retry {
    /// Seconds until it is due; whole ones are written without a point.
    #[serde(serialize_with = "seconds")]
    pub after: f64,
    /// Whether the same server has to go on with it.
    pub server_affinity: bool,
    /// The saved state of each machine, by object name.
    pub machines: BTreeMap<Arc<str>, MachineState>,
    /// The state variables.
    pub state_vars: ValueMap,
    /// What goes back to the root as text: `ae_state`, `ae_state_started`, `ae_state_retries`, `ae_fsm_started`.
    #[serde(skip)]
    pub root: BTreeMap<Arc<str>, Arc<str>>,
}

/// The saved state of one state machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MachineState {
    /// The state to run next.
    pub ae_state: Value,
    /// When it was entered.
    pub ae_state_started: Value,
    /// How often it was retried.
    pub ae_state_retries: Value,
    /// How often it may be.
    pub ae_state_max_retries: Value,
}
