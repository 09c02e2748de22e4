//! State machines: one state field at a time, with its steps, jumps, retries and maxima (reference 5).
//! Everything lives on the root, so nested machines share result and reason.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::automate::datatype::leading_integer;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::field::Aetype;
use crate::automate::field::PlanEntry;
use crate::automate::field::SchemaField;
use crate::automate::field::StateSteps;
use crate::automate::steps::StepIndex;
use crate::automate::workspace::Workspace;
use crate::model::delivery::MachineState;
use crate::model::delivery::Outcome;
use crate::model::delivery::StepKind;
use crate::model::value::Value;

/// Bookkeeping of nested machines (5.8).
#[derive(Default)]
pub(crate) struct Machines {
    /// The four values of the enclosing machine, one entry per machine that was entered.
    stack: Vec<MachineState>,
    /// Saved values by object name.
    pub(crate) saved: BTreeMap<Arc<str>, MachineState>,
}

/// The step of a state that is running.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum StateStep {
    Entry,
    Main,
    Exit,
    Error,
}

impl StateStep {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Entry => "on_entry",
            Self::Main => "main",
            Self::Exit => "on_exit",
            Self::Error => "on_error",
        }
    }
}

impl Workspace {
    /// Enters a machine: saves the enclosing one's four values, restores this one's (5.8).
    pub(crate) fn enter_machine(&mut self, index: usize) {
        let enclosing = self.machine_state();
        self.state.machines.stack.push(enclosing);
        let name = self.object(index).map(|object| object.name.clone());
        let saved = name.and_then(|name| self.state.machines.saved.get(&name).cloned());
        // A first delivery may hand the outermost machine its state through the root's own attributes.
        let resumed = saved.unwrap_or_default();
        self.set_machine_state(&resumed);
    }

    /// Leaves a machine: forgets it when it is done, saves it for a retry, restores the enclosing one.
    pub(crate) fn leave_machine(&mut self, index: usize) {
        let Some(name) = self.object(index).map(|object| object.name.clone()) else {
            return;
        };
        match self.text_of("ae_result").as_str() {
            "ok" => {
                self.state.machines.saved.remove(&name);
            }
            "retry" => {
                let state = self.machine_state();
                self.state.machines.saved.insert(name, state);
            }
            _other => (),
        }
        let enclosing = self.state.machines.stack.pop();
        // The outermost machine has nothing to give back to: its values are what the delivery reads.
        if let Some(enclosing) = enclosing.filter(|_| !self.state.machines.stack.is_empty()) {
            self.set_machine_state(&enclosing);
        }
    }

    fn machine_state(&self) -> MachineState {
        MachineState {
            ae_state: self.root_attribute("ae_state"),
            ae_state_started: self.root_attribute("ae_state_started"),
            ae_state_retries: self.root_attribute("ae_state_retries"),
            ae_state_max_retries: self.root_attribute("ae_state_max_retries"),
        }
    }

    fn set_machine_state(&mut self, state: &MachineState) {
        self.set_root_attribute("ae_state", state.ae_state.clone());
        self.set_root_attribute("ae_state_started", state.ae_state_started.clone());
        self.set_root_attribute("ae_state_retries", state.ae_state_retries.clone());
        self.set_root_attribute("ae_state_max_retries", state.ae_state_max_retries.clone());
    }

    pub(crate) fn text_of(&self, key: &str) -> String {
        self.root_attribute(key).to_string()
    }

    pub(crate) fn set_text(&mut self, key: &str, text: &str) {
        self.set_root_attribute(key, Value::text(text));
    }

    pub(crate) fn is_runnable(&self, field: &SchemaField) -> bool {
        self.text_of("ae_state") == *field.name && self.text_of("ae_result") == "ok"
    }

    /// Runs one state field (5.2).
    pub(crate) fn run_state(
        &mut self,
        index: usize,
        field: &SchemaField,
        entry: &PlanEntry,
        message: &Arc<str>,
    ) -> Ae<()> {
        let step = self.begin_step(index, StepKind::State, field, entry);
        if self.root_attribute("ae_state").is_blank() {
            self.set_text("ae_state", &field.name);
        }
        if self.root_attribute("ae_result").is_blank() {
            self.set_text("ae_result", "ok");
        }
        self.set_text("ae_next_state", "");
        self.set_root_attribute("ae_retry_server_affinity", Value::Bool(false));
        if !self.is_runnable(field) {
            let why = format!(
                "ae_state is `{}`, ae_result is `{}`",
                self.text_of("ae_state"),
                self.text_of("ae_result")
            );
            self.end_step(step, Outcome::Skipped, None, Some(why.into()));
            return Ok(());
        }
        let mut result = self.run_state_steps(index, field, entry, message, step);
        self.tell_state(step, &mut result);
        result
    }

    fn tell_state(&mut self, step: StepIndex, result: &mut Ae<()>) {
        let ended = self.text_of("ae_result");
        let note = self.state.note.take();
        match (result, ended.as_str()) {
            (Err(error), _) => {
                self.keep_place(error, Some(step));
                self.end_step(step, Outcome::Failed, None, Some(error.message.clone().into()));
            }
            (Ok(()), "error") => {
                let reason = self.text_of("ae_reason");
                let why = if reason.is_empty() {
                    Cow::from("ae_result is `error`")
                } else {
                    Cow::from(reason)
                };
                self.end_step(step, Outcome::Failed, None, Some(why));
            }
            (Ok(()), "ok") => self.end_step(step, Outcome::Ok, None, note.map(Cow::from)),
            (Ok(()), other) => {
                let why = match note {
                    Some(note) => format!("ae_result is `{other}`: {note}"),
                    None => format!("ae_result is `{other}`"),
                };
                self.end_step(step, Outcome::Ok, None, Some(why.into()));
            }
        }
    }

    fn run_state_steps(
        &mut self,
        index: usize,
        field: &SchemaField,
        entry: &PlanEntry,
        message: &Arc<str>,
        step: StepIndex,
    ) -> Ae<()> {
        if self.root_attribute("ae_state_started").is_blank() {
            self.set_root_attribute("ae_state_started", Value::text(self.env.now.to_string()));
        }
        if self.root_attribute("ae_state_retries").is_blank() {
            self.set_root_attribute("ae_state_retries", Value::Int(0));
        }
        let steps = entry.steps.clone().unwrap_or_default();
        let max_retries = steps.max_retries.as_deref().map_or(0, leading_integer);
        self.set_root_attribute("ae_state_max_retries", Value::Int(max_retries));

        self.run_calls(index, field, StateStep::Entry, steps.on_entry.as_deref())?;
        if self.is_runnable(field) {
            self.run_main(index, field, entry, &steps, step)?;
        }
        match self.text_of("ae_result").as_str() {
            "skip" => return self.advance(index, field, message),
            "retry" | "restart" | "async_launch" => self.count_retry(),
            "error" => return self.run_on_error(index, field, message, &steps),
            _other => (),
        }
        if self.text_of("ae_result") == "async_launch" {
            self.set_text("ae_result", "retry");
        } else {
            let before = self.text_of("ae_result");
            self.run_calls(index, field, StateStep::Exit, steps.on_exit.as_deref())?;
            if before != "retry" && self.text_of("ae_result") == "retry" {
                self.count_retry();
            }
        }
        self.advance(index, field, message)
    }

    fn run_on_error(
        &mut self,
        index: usize,
        field: &SchemaField,
        message: &Arc<str>,
        steps: &StateSteps,
    ) -> Ae<()> {
        self.run_calls(index, field, StateStep::Error, steps.on_error.as_deref())?;
        if self.text_of("ae_result") == "continue" {
            self.set_text("ae_result", "ok");
            let advanced = self.advance(index, field, message);
            return self.as_ae_result(field, StateStep::Error, advanced);
        }
        Ok(())
    }

    fn count_retry(&mut self) {
        let retries = leading_integer(&self.text_of("ae_state_retries"));
        self.set_root_attribute("ae_state_retries", Value::Int(retries + 1));
    }

    /// Goes on to the next state (5.3).
    fn advance(&mut self, index: usize, field: &SchemaField, message: &Arc<str>) -> Ae<()> {
        let states = self.states(index, message);
        match self.text_of("ae_result").as_str() {
            "ok" | "skip" => {
                let next = match self.next_state(&states)? {
                    Some(next) => next,
                    None => states
                        .iter()
                        .skip_while(|state| **state != field.name)
                        .nth(1)
                        .cloned()
                        .unwrap_or_else(|| Arc::from("")),
                };
                self.set_text("ae_state", &next);
                self.set_text("ae_state_started", "");
                self.set_root_attribute("ae_state_retries", Value::Int(0));
                self.set_root_attribute("ae_state_max_retries", Value::Int(0));
                self.set_text("ae_result", "ok");
            }
            "restart" => {
                let next = self.next_state(&states)?.or_else(|| states.first().cloned());
                self.set_text("ae_result", "retry");
                self.set_text("ae_state", next.as_deref().unwrap_or(""));
            }
            _stays => (),
        }
        Ok(())
    }

    /// The state that `ae_next_state` names; it has to be one of this class for this message.
    fn next_state(&self, states: &[Arc<str>]) -> Ae<Option<Arc<str>>> {
        let wanted = self.text_of("ae_next_state");
        if wanted.is_empty() {
            return Ok(None);
        }
        let found = states.iter().find(|state| ***state == *wanted).cloned();
        found.map(Some).ok_or_else(|| {
            let near = crate::source::suggest::nearest(&wanted, states.iter().map(|state| &**state));
            let near = near
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            AeError::engine(
                "AbortInstantiation",
                format!("ae_next_state is `{wanted}`, which is no state of this machine{near}"),
            )
        })
    }

    fn states(&self, index: usize, message: &Arc<str>) -> Vec<Arc<str>> {
        let Some(planned) = self.planned(index) else {
            return Vec::new();
        };
        let states = planned
            .fields(message)
            .filter(|(_, field, _)| field.aetype == Some(Aetype::State));
        states.map(|(_, field, _)| field.name.clone()).collect()
    }
}
