//! Steps of the trace: begun when a field's turn comes, ended when it is known how it went.

use std::borrow::Cow;
use std::sync::Arc;

use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::field::Aetype;
use crate::automate::field::PlanEntry;
use crate::automate::field::SchemaField;
use crate::automate::workspace::Workspace;
use crate::model::delivery::Outcome;
use crate::model::delivery::Step;
use crate::model::delivery::StepKind;
use crate::model::value::MASKED;
use crate::model::value::Value;

/// Where a step stands in the trace, to say later how it ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct StepIndex(usize);

impl Workspace {
    /// Adds a step whose end is not known yet.
    pub(crate) fn begin_step(
        &mut self,
        index: usize,
        kind: StepKind,
        field: &SchemaField,
        entry: &PlanEntry,
    ) -> StepIndex {
        let object = self.object(index);
        let step = Step {
            kind,
            path: object.map_or_else(|| Arc::from(""), |object| object.name.clone()),
            depth: object.map_or(0, |object| object.depth),
            file: object.map(|object| match (&entry.inherited_from, &object.file) {
                (Some(file), _) => file.path.clone(),
                (None, Some(file)) if !entry.is_of_class => file.clone(),
                (None, _) => object.class.file.path.clone(),
            }),
            line: Some(entry.line),
            field: Some(field.name.clone()),
            written: entry.text.as_ref().map(|text| {
                if field.is_password() {
                    Arc::from(MASKED)
                } else {
                    text.written.clone()
                }
            }),
            value: None,
            outcome: Outcome::NotReached,
            why: None,
        };
        self.state.trace.steps.push(step);
        let step = StepIndex(self.state.trace.steps.len() - 1);
        self.state.open_steps.push(step);
        step
    }

    /// Says how a step ended; a value that is none leaves the one that was set before.
    pub(crate) fn end_step(
        &mut self,
        step: StepIndex,
        outcome: Outcome,
        value: Option<Value>,
        why: Option<Cow<'static, str>>,
    ) {
        if self.state.open_steps.last() == Some(&step) {
            self.state.open_steps.pop();
        }
        if let Some(step) = self.state.trace.steps.get_mut(step.0) {
            step.outcome = outcome;
            step.why = why;
            if value.is_some() {
                step.value = value;
            }
        }
    }

    /// The innermost step of a kind that is not over yet.
    pub(crate) fn open_step(&self, kind: StepKind) -> Option<&Step> {
        let open = self.state.open_steps.iter().rev();
        open.filter_map(|step| self.state.trace.steps.get(step.0))
            .find(|step| step.kind == kind)
    }

    pub(crate) fn set_step_value(&mut self, step: StepIndex, value: Value) {
        if let Some(step) = self.state.trace.steps.get_mut(step.0) {
            step.value = Some(value);
        }
    }

    /// Tells an error where the text stands that led to it, the first time it passes a step.
    pub(crate) fn keep_place(&self, error: &mut AeError, step: Option<StepIndex>) {
        let step = step.and_then(|step| self.state.trace.steps.get(step.0));
        if let (true, Some(step)) = (error.place.is_empty(), step) {
            let field = step.field.iter().map(|field| format!("field `{field}`, "));
            let file = step.file.as_deref().unwrap_or("");
            error.place = format!("{}{file}:{}", field.collect::<String>(), step.line.unwrap_or(0));
        }
    }

    pub(crate) fn failed(&mut self, step: StepIndex, mut error: Box<AeError>) -> Ae<()> {
        self.keep_place(&mut error, Some(step));
        self.end_step(step, Outcome::Failed, None, Some(error.message.clone().into()));
        Err(error)
    }

    /// Tells which fields were cut off, from a place of the plan on.
    pub(crate) fn not_reached(&mut self, index: usize, message: &Arc<str>, from: usize) {
        let Some(planned) = self.planned(index) else {
            return;
        };
        for (_, field, entry) in planned.fields(message).filter(|(at, _, _)| from <= *at) {
            let aetype = field
                .aetype
                .filter(|aetype| from > 0 || *aetype != Aetype::Assertion);
            if let Some(aetype) = aetype {
                let step = self.begin_step(index, step_kind(aetype), field, entry);
                self.end_step(step, Outcome::NotReached, None, None);
            }
        }
    }
}

fn step_kind(aetype: Aetype) -> StepKind {
    match aetype {
        Aetype::Assertion => StepKind::Assertion,
        Aetype::Attribute => StepKind::Attribute,
        Aetype::Relationship => StepKind::Relationship,
        Aetype::Method => StepKind::Method,
        Aetype::State => StepKind::State,
    }
}
