//! The steps of one state: on_entry, main with its maxima, on_exit, on_error (reference 5.4 to 5.6).

use std::sync::Arc;

use crate::automate::call::MethodCall;
use crate::automate::datatype::leading_integer;
use crate::automate::duration;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::error::Family;
use crate::automate::field::FieldText;
use crate::automate::field::PlanEntry;
use crate::automate::field::Prepared;
use crate::automate::field::SchemaField;
use crate::automate::field::StateSteps;
use crate::automate::field_text_loader::method_of_state;
use crate::automate::relationship::UriText;
use crate::automate::state_machine::StateStep;
use crate::automate::steps::StepIndex;
use crate::automate::workspace::Related;
use crate::automate::workspace::Workspace;
use crate::model::value::Value;
use crate::model::written_time;

impl Workspace {
    /// The main step (5.4); nothing where the value is blank or a comment.
    pub(crate) fn run_main(
        &mut self,
        index: usize,
        field: &SchemaField,
        entry: &PlanEntry,
        steps: &StateSteps,
        step: StepIndex,
    ) -> Ae<()> {
        let Some(text) = entry.text.clone() else {
            return Ok(());
        };
        let result = self.main_step(index, field, entry, &text, steps, step);
        self.as_ae_result(field, StateStep::Main, result)
    }

    pub(crate) fn main_step(
        &mut self,
        index: usize,
        field: &SchemaField,
        entry: &PlanEntry,
        text: &Arc<FieldText>,
        steps: &StateSteps,
        step: StepIndex,
    ) -> Ae<()> {
        let text = match &text.prepared {
            Prepared::Comment => return Ok(()),
            Prepared::Template(_) => {
                let value = self.uri_text(text)?;
                let bare = value.resolved();
                let bare = bare.trim();
                if bare.is_empty() || bare.starts_with('#') {
                    return Ok(());
                }
                let prepared = match method_of_state(bare) {
                    Some(call) => Prepared::Call(MethodCall::parse(call)),
                    None => Prepared::Relationship(value.prepare()),
                };
                self.set_step_value(step, Value::text(bare));
                Arc::new(FieldText {
                    written: text.written.clone(),
                    prepared,
                })
            }
            Prepared::Literal => {
                let bare = text.written.trim();
                let prepared = match method_of_state(bare) {
                    Some(call) => Prepared::Call(MethodCall::parse(call)),
                    None => Prepared::Relationship(UriText::plain(bare).prepare()),
                };
                Arc::new(FieldText {
                    written: text.written.clone(),
                    prepared,
                })
            }
            _prepared => text.clone(),
        };
        self.set_text("ae_state_step", StateStep::Main.as_str());
        self.check_maxima(field, steps)?;
        if let Prepared::Call(call) = &text.prepared {
            let call = call.clone()?;
            self.call_method(index, &call)?;
            return Ok(());
        }
        let Some(related) = self.follow_state(index, &text, step)? else {
            return Ok(());
        };
        if related == Related::Nothing {
            let mut error = AeError::datastore(
                "EmptyRelationship",
                format!("the state `{}` leads to nothing: `{}`", field.name, text.written),
            );
            // What was not found is on the list already; this is its consequence.
            error.is_listed = true;
            return Err(error);
        }
        self.collect_related(index, field, entry, &related)?;
        if let Some(object) = self.object_mut(index) {
            object.relate(&field.name, related);
        }
        Ok(())
    }

    pub(crate) fn check_maxima(&mut self, field: &SchemaField, steps: &StateSteps) -> Ae<()> {
        let retries = leading_integer(&self.text_of("ae_state_retries"));
        if let Some(limit) = steps
            .max_retries
            .as_deref()
            .map(leading_integer)
            .filter(|limit| *limit < retries)
        {
            return Err(AeError::engine(
                "MaximumRetriesReached",
                format!(
                    "the state `{}` was retried {retries} times; {limit} are allowed",
                    field.name
                ),
            ));
        }
        let Some(limit) = steps.max_time.as_deref().map(duration::seconds).transpose()? else {
            return Ok(());
        };
        let started = self.root_attribute("ae_state_started");
        let Some(started) = written_time::dated(&started.to_string()) else {
            return Ok(());
        };
        let elapsed = self.env.now.duration_since(started).as_secs_f64();
        if elapsed >= limit {
            return Err(AeError::engine(
                "MaximumTimeReached",
                format!(
                    "the state `{}` took {elapsed} seconds; {limit} are allowed",
                    field.name
                ),
            ));
        }
        Ok(())
    }

    /// Runs the calls of a step, separated by `;` (5.5). All run, whatever the first ones set.
    pub(crate) fn run_calls(
        &mut self,
        index: usize,
        field: &SchemaField,
        state_step: StateStep,
        calls: Option<&str>,
    ) -> Ae<()> {
        let Some(calls) = calls else { return Ok(()) };
        let result = calls.split(';').map(str::trim).try_for_each(|call| {
            let call = self.substitute_text(call)?;
            let call = call.trim();
            if call.is_empty() || call.starts_with('#') {
                return Ok(());
            }
            self.set_text("ae_status_state", state_step.as_str());
            self.set_text("ae_state", &field.name);
            self.set_text("ae_state_step", state_step.as_str());
            let call = MethodCall::parse(call)?;
            self.call_method(index, &call).map(|_| ())
        });
        let is_good = result.is_ok();
        self.as_ae_result(field, state_step, result)?;
        let next = self.text_of("ae_next_state");
        if state_step == StateStep::Entry && is_good && !next.is_empty() && next != *field.name {
            self.set_text("ae_result", "skip");
        }
        Ok(())
    }

    /// Within a step everything but a stop becomes `ae_result = error` (5.5).
    pub(crate) fn as_ae_result(
        &mut self,
        field: &SchemaField,
        state_step: StateStep,
        result: Ae<()>,
    ) -> Ae<()> {
        match result {
            Ok(()) => Ok(()),
            Err(error) if matches!(error.family, Family::Stop) => Err(error),
            Err(mut error) => {
                self.list(&mut error, false);
                let reason = format!(
                    "state `{}`, step `{}`: {}",
                    field.name,
                    state_step.as_str(),
                    error.message
                );
                self.set_text("ae_reason", &reason);
                self.set_text("ae_result", "error");
                Ok(())
            }
        }
    }
}
