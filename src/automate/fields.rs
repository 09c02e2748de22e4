//! Fields as they run: assertions first, then attributes, relationships, methods and states by priority
//! (reference 4.6 to 4.9).

use std::borrow::Cow;
use std::sync::Arc;

use crate::automate::assertion;
use crate::automate::assertion::Assertion;
use crate::automate::call::MethodCall;
use crate::automate::collect;
use crate::automate::collect::Sources;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::evm;
use crate::automate::field;
use crate::automate::field::Aetype;
use crate::automate::field::FieldText;
use crate::automate::field::PlanEntry;
use crate::automate::field::Prepared;
use crate::automate::field::SchemaField;
use crate::automate::records;
use crate::automate::steps::StepIndex;
use crate::automate::workspace::Workspace;
use crate::model::delivery::Outcome;
use crate::model::delivery::StepKind;
use crate::model::value::Value;

/// What a field has to do.
pub(crate) enum Todo<T> {
    /// Nothing: blank, or a comment.
    Nothing,
    Do(T),
}

impl Workspace {
    /// Runs the assertions of an object; the first that fails is the AssertionFailure that deletes it (4.8).
    pub(crate) fn run_assertions(&mut self, index: usize, message: &Arc<str>) -> Ae<()> {
        let Some(planned) = self.planned(index) else {
            return Ok(());
        };
        // Assertions come first in every plan.
        let assertions = planned
            .fields(message)
            .take_while(|(_, field, _)| field.aetype == Some(Aetype::Assertion));
        for (at, field, entry) in assertions {
            let step = self.begin_step(index, StepKind::Assertion, field, entry);
            if let Err(mut error) = self.assert(entry, step) {
                self.keep_place(&mut error, Some(step));
                self.end_step(step, Outcome::Failed, None, Some(error.message.clone().into()));
                self.not_reached(index, message, at + 1);
                return Err(error);
            }
        }
        Ok(())
    }

    fn assert(&mut self, entry: &PlanEntry, step: StepIndex) -> Ae<()> {
        let Some(Prepared::Assertion(assertion)) = entry.text.as_ref().map(|text| &text.prepared) else {
            self.end_step(step, Outcome::Ok, None, None);
            return Ok(());
        };
        let expression = match &assertion.expression {
            Ok(expression) => expression,
            Err(why) => {
                return Err(AeError::assertion(format!(
                    "the condition cannot be understood: {why}"
                )));
            }
        };
        let mut values = Vec::new();
        for reference in assertion.template.references() {
            let text: Arc<str> = Arc::from(self.resolve(reference, true)?.value.to_string());
            values.push((assertion::typed(&text), text));
        }
        let shown = shown(assertion, &values);
        let shown_value = (!values.is_empty()).then(|| Value::text(shown.as_str()));
        if shown.trim().is_empty() {
            self.end_step(step, Outcome::Ok, shown_value, None);
            return Ok(());
        }
        let env = self.env.clone();
        let answer = if expression.uses_evm() {
            let object = self.current().unwrap_or(0);
            evm::lend(self, object, Vec::new(), |host| {
                expression.ask(&env.host, &values, env.event.as_ref(), Some(host))
            })
        } else {
            expression.ask(&env.host, &values, env.event.as_ref(), None)
        };
        if let Some(value) = shown_value {
            self.set_step_value(step, value);
        }
        match answer {
            Ok(true) => {
                self.end_step(step, Outcome::Ok, None, None);
                Ok(())
            }
            Ok(false) => {
                let seen = assertion.seen(&env.host, env.event.as_ref());
                let seen = if seen.is_empty() {
                    seen
                } else {
                    format!("; {seen}")
                };
                Err(AeError::assertion(format!("`{shown}` is not true{seen}")))
            }
            Err(fault) => Err(AeError::assertion(format!(
                "`{shown}` cannot be evaluated: {fault}"
            ))),
        }
    }

    /// Runs everything but assertions.
    pub(crate) fn run_fields(&mut self, index: usize, message: &Arc<str>) -> Ae<()> {
        let Some(planned) = self.planned(index) else {
            return Ok(());
        };
        for (at, field, entry) in planned.fields(message) {
            let result = match field.aetype {
                None | Some(Aetype::Assertion) => continue,
                Some(Aetype::Attribute) => self.run_attribute(index, field, entry),
                Some(Aetype::Relationship) => self.run_relationship(index, field, entry),
                Some(Aetype::Method) => self.run_method_field(index, field, entry),
                Some(Aetype::State) => self.run_state(index, field, entry, message),
            };
            if let Err(error) = result {
                self.not_reached(index, message, at + 1);
                return Err(error);
            }
        }
        Ok(())
    }

    fn run_attribute(&mut self, index: usize, field: &SchemaField, entry: &PlanEntry) -> Ae<()> {
        let step = self.begin_step(index, StepKind::Attribute, field, entry);
        let value = match self.attribute_value(field, entry.text.as_deref()) {
            Ok(value) => value,
            Err(error) => return self.failed(step, error),
        };
        if value.is_null() {
            self.end_step(step, Outcome::Ok, None, None);
        } else {
            if let Some(object) = self.object_mut(index) {
                object.set_shared(&field.key, value.clone());
            }
            self.end_step(step, Outcome::Ok, Some(value), None);
        }
        if let Some(collects) = &entry.collect {
            let read = |name: &str| {
                self.object(index)
                    .and_then(|object| object.attribute(name))
                    .cloned()
                    .unwrap_or_default()
            };
            let gathered = match &collects.expressions {
                Ok(expressions) => expressions
                    .iter()
                    .map(|one| {
                        Ok((
                            one.target.clone(),
                            collect::gather(&one.what, &Sources::One(Box::new(read)))?,
                        ))
                    })
                    .collect::<Ae<Vec<_>>>(),
                Err(error) => Err(error.clone()),
            };
            match gathered {
                Ok(gathered) => self.store_collected(index, field, gathered),
                Err(error) => return self.failed(step, error),
            }
        }
        Ok(())
    }

    /// The value of a field after substitution and conversion (4.7).
    pub(crate) fn attribute_value(&mut self, field: &SchemaField, text: Option<&FieldText>) -> Ae<Value> {
        let raw = match text {
            Some(text) => self.field_value(text)?,
            None => Value::Null,
        };
        let records = self.env.records.clone();
        let datatype = field::datatype(field.datatype.as_ref(), |class| {
            records::is_class(&*records, class)
        });
        datatype.map_or(Ok(raw.clone()), |datatype| datatype.convert(raw, &*records))
    }

    pub(crate) fn field_value(&mut self, text: &FieldText) -> Ae<Value> {
        match &text.prepared {
            Prepared::Template(template) => self.substitute(template),
            Prepared::Coalescing(parts) => {
                let mut value = Value::Null;
                for part in parts {
                    // What goes wrong in one part counts as nothing (4.7).
                    let errors = self.state.errors.len();
                    value = self.substitute(part).unwrap_or_default();
                    self.state.errors.truncate(errors);
                    if !value.is_blank() {
                        break;
                    }
                }
                Ok(value)
            }
            _as_it_stands => Ok(Value::Text(text.written.clone())),
        }
    }

    fn run_method_field(&mut self, index: usize, field: &SchemaField, entry: &PlanEntry) -> Ae<()> {
        let step = self.begin_step(index, StepKind::Method, field, entry);
        let call = match self.method_call(entry.text.as_deref(), step) {
            Ok(Todo::Do(call)) => call,
            Ok(Todo::Nothing) => {
                self.end_step(step, Outcome::Skipped, None, Some("blank or a comment".into()));
                return Ok(());
            }
            Err(error) => return self.failed(step, error),
        };
        match self.call_method(index, &call) {
            Ok(value) => {
                let note = self.state.note.take().map(Cow::from);
                self.end_step(step, Outcome::Ok, None, note);
                if let Some(collects) = entry.collect.as_ref().filter(|_| !value.is_null())
                    && let Some(object) = self.object_mut(index)
                {
                    object.set(&collects.written.to_lowercase(), value);
                }
                Ok(())
            }
            Err(error) => self.failed(step, error),
        }
    }

    fn method_call(&mut self, text: Option<&FieldText>, step: StepIndex) -> Ae<Todo<MethodCall>> {
        let Some(text) = text else {
            return Ok(Todo::Nothing);
        };
        match &text.prepared {
            Prepared::Comment => Ok(Todo::Nothing),
            Prepared::Call(call) => {
                self.set_step_value(step, Value::Text(text.written.clone()));
                call.clone().map(Todo::Do)
            }
            Prepared::Template(_) | Prepared::Coalescing(_) => {
                let value = self.field_value(text)?;
                self.set_step_value(step, value.clone());
                let call = value.to_string();
                let bare = call.trim();
                if bare.is_empty() || bare.starts_with('#') {
                    return Ok(Todo::Nothing);
                }
                MethodCall::parse(bare).map(Todo::Do)
            }
            _as_it_stands => MethodCall::parse(text.written.trim()).map(Todo::Do),
        }
    }
}

/// The condition with the values it saw.
fn shown(assertion: &Assertion, values: &[(Value, Arc<str>)]) -> String {
    let mut values = values.iter();
    let parts = assertion.template.parts.iter().map(|part| match part {
        crate::automate::template::Part::Literal(text) => text.clone(),
        crate::automate::template::Part::Reference(_) => values
            .next()
            .map_or_else(|| Arc::from(""), |(_, text)| text.clone()),
    });
    parts.collect::<Vec<_>>().concat()
}
