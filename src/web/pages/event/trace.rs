//! A decision as it is shown: typed steps and calls, and the steps as a tree.

use serde::Deserialize;

use crate::model::delivery::DeliveryError;
use crate::model::delivery::Outcome;
use crate::model::delivery::StepKind;
use crate::model::json;
use crate::model::json::Map;
use crate::model::json::Value;
use crate::model::target::Target;
use crate::vmdb::StoredDelivery;

/// A decision: recorded, or as it would be today. Its form is that of `simulate`'s document.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Decision {
    #[serde(default)]
    pub(crate) steps: Vec<ShownStep>,
    #[serde(default)]
    pub(crate) actions: Vec<ShownAction>,
    #[serde(default)]
    pub(crate) targets: Vec<Target>,
    #[serde(default)]
    pub(crate) errors: Vec<DeliveryError>,
}

/// One step.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ShownStep {
    pub(crate) kind: StepKind,
    pub(crate) path: String,
    pub(crate) depth: u32,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) field: Option<String>,
    pub(crate) written: Option<String>,
    pub(crate) value: Option<Value>,
    pub(crate) outcome: Outcome,
    pub(crate) why: Option<String>,
}

/// One method call.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ShownAction {
    pub(crate) method: String,
    #[serde(default)]
    pub(crate) inputs: Map<String, Value>,
    pub(crate) result: String,
}

/// A step with what it led to.
#[derive(Debug)]
pub(crate) struct Branch<'a> {
    /// Its number in the order in which they happened, from 1.
    pub(crate) number: usize,
    pub(crate) step: &'a ShownStep,
    pub(crate) below: Vec<Branch<'a>>,
}

impl Decision {
    /// What was recorded of a run.
    pub(crate) fn recorded(run: &StoredDelivery) -> Self {
        let list = |value: &Value| value.clone();
        Self {
            steps: json::from_value(&list(&run.steps)).unwrap_or_default(),
            actions: json::from_value(&list(&run.actions)).unwrap_or_default(),
            targets: json::from_value(&list(&run.targets)).unwrap_or_default(),
            errors: run.errors.clone(),
        }
    }

    /// The steps as a tree: fields within their instance, an instance within the relationship that led to it.
    pub(crate) fn tree(&self) -> Vec<Branch<'_>> {
        let mut open: Vec<(u32, Branch<'_>)> = Vec::new();
        let mut roots = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            let level = step.depth.saturating_mul(2) + u32::from(step.kind != StepKind::Instance);
            close(&mut open, &mut roots, level);
            let branch = Branch {
                number: index + 1,
                step,
                below: Vec::new(),
            };
            open.push((level, branch));
        }
        close(&mut open, &mut roots, 0);
        roots
    }

    /// Why a method ran, found by its step.
    pub(crate) fn failed_step(&self) -> Option<(usize, &ShownStep)> {
        let mut steps = self.steps.iter().enumerate().rev();
        let found =
            steps.find(|(_, step)| step.outcome == Outcome::Failed && step.kind != StepKind::Assertion);
        found.map(|(index, step)| (index + 1, step))
    }
}

/// Ends the branches that are not above this level.
fn close<'a>(open: &mut Vec<(u32, Branch<'a>)>, roots: &mut Vec<Branch<'a>>, level: u32) {
    while let Some((_, done)) = open.pop_if(|(above, _)| level <= *above) {
        match open.last_mut() {
            Some((_, parent)) => parent.below.push(done),
            None => roots.push(done),
        }
    }
}

impl ShownStep {
    /// What stands after substitution, where that is something else than what is written.
    pub(crate) fn substituted(&self) -> Option<String> {
        let value = self.value.as_ref().map(said)?;
        (self.written.as_deref() != Some(&*value)).then_some(value)
    }

    /// The last two parts of its object's name.
    pub(crate) fn short_path(&self) -> &str {
        let mut slashes = self.path.rmatch_indices('/');
        let second = slashes.nth(1).map_or(0, |(at, _)| at + 1);
        self.path.get(second..).unwrap_or(&self.path)
    }
}

/// A value as people read it: a text without quotes.
pub(crate) fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
