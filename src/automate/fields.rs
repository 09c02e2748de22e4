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
use crate::automate::relationship::PreparedUri;
use crate::automate::relationship::UriText;
use crate::automate::relationship::Wildcard;
use crate::automate::workspace::Related;
use crate::automate::workspace::Workspace;
use crate::model::delivery::Outcome;
use crate::model::delivery::Step;
use crate::model::delivery::StepKind;
use crate::model::value::Value;

/// Where a step stands in the trace, to say later how it ended.
#[derive(Clone, Copy)]
pub(crate) struct StepIndex(usize);

/// What a field has to do.
enum Todo<T> {
    /// Nothing: blank, or a comment.
    Nothing,
    Do(T),
}

impl Workspace {
    /// Runs the assertions of an object; the first that fails is the AssertionFailure that deletes it (4.8).
    pub(crate) fn run_assertions(&mut self, index: usize, message: &Arc<str>) -> Ae<()> {
        let Some((class, plan)) = self
            .object(index)
            .map(|object| (object.class.clone(), object.plan.clone()))
        else {
            return Ok(());
        };
        for (at, entry) in plan.iter().enumerate() {
            let Some(field) = class.fields.get(usize::from(entry.field)) else {
                continue;
            };
            if field.aetype != Some(Aetype::Assertion) {
                break;
            }
            if !field.messages.contain(message) {
                continue;
            }
            let step = self.begin_step(index, StepKind::Assertion, field, entry);
            if let Err(error) = self.assert(entry, step) {
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
        let expression = match &assertion.expression {
            Ok(expression) => expression,
            Err(why) => {
                return Err(AeError::assertion(format!(
                    "the condition cannot be understood: {why}"
                )));
            }
        };
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
            Ok(false) => Err(AeError::assertion(format!("`{shown}` is not true"))),
            Err(fault) => Err(AeError::assertion(format!(
                "`{shown}` cannot be evaluated: {fault}"
            ))),
        }
    }

    /// Runs everything but assertions.
    pub(crate) fn run_fields(&mut self, index: usize, message: &Arc<str>) -> Ae<()> {
        let Some((class, plan)) = self
            .object(index)
            .map(|object| (object.class.clone(), object.plan.clone()))
        else {
            return Ok(());
        };
        for (at, entry) in plan.iter().enumerate() {
            let Some(field) = class.fields.get(usize::from(entry.field)) else {
                continue;
            };
            if !field.messages.contain(message) {
                continue;
            }
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

    /// Tells which fields were cut off, from a place of the plan on.
    pub(crate) fn not_reached(&mut self, index: usize, message: &Arc<str>, from: usize) {
        let Some((class, plan)) = self
            .object(index)
            .map(|object| (object.class.clone(), object.plan.clone()))
        else {
            return;
        };
        for entry in plan.iter().skip(from) {
            let Some(field) = class.fields.get(usize::from(entry.field)) else {
                continue;
            };
            let Some(aetype) = field
                .aetype
                .filter(|aetype| from > 0 || *aetype != Aetype::Assertion)
            else {
                continue;
            };
            if field.messages.contain(message) {
                let step = self.begin_step(index, step_kind(aetype), field, entry);
                self.end_step(step, Outcome::NotReached, None, None);
            }
        }
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

    fn field_value(&mut self, text: &FieldText) -> Ae<Value> {
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

    fn run_relationship(&mut self, index: usize, field: &SchemaField, entry: &PlanEntry) -> Ae<()> {
        let step = self.begin_step(index, StepKind::Relationship, field, entry);
        let related = match self.follow(index, entry.text.as_deref(), step) {
            Ok(Todo::Do(related)) => related,
            Ok(Todo::Nothing) => {
                self.end_step(step, Outcome::Skipped, None, Some("blank or a comment".into()));
                return Ok(());
            }
            Err(error) => return self.failed(step, error),
        };
        self.tell_followed(step, &related);
        if let Err(error) = self.collect_related(index, field, entry, &related) {
            return self.failed(step, error);
        }
        if let Some(object) = self.object_mut(index) {
            object.relationships.push((field.name.clone(), related));
        }
        Ok(())
    }

    /// Follows the relationship of a state; none where it is a comment.
    pub(crate) fn follow_state(
        &mut self,
        index: usize,
        text: &FieldText,
        step: StepIndex,
    ) -> Ae<Option<Related>> {
        Ok(match self.follow(index, Some(text), step)? {
            Todo::Do(related) => {
                self.tell_followed(step, &related);
                Some(related)
            }
            Todo::Nothing => None,
        })
    }

    fn tell_followed(&mut self, step: StepIndex, related: &Related) {
        let deleted =
            |workspace: &Self, index: usize| workspace.object(index).is_some_and(|object| object.is_deleted);
        let (outcome, why): (_, Option<Cow<'static, str>>) = match related {
            Related::Nothing => (
                Outcome::Missing,
                self.state.errors.last().map(|error| error.message.clone().into()),
            ),
            Related::Object(target) if deleted(self, *target) => {
                (Outcome::Followed, Some("it was taken out again".into()))
            }
            Related::Many(targets) if targets.is_empty() => {
                (Outcome::Followed, Some("nothing matches the wildcard".into()))
            }
            Related::Object(_) | Related::Many(_) | Related::Value(_) => (Outcome::Followed, None),
        };
        self.end_step(step, outcome, None, why);
    }

    fn follow(&mut self, index: usize, text: Option<&FieldText>, step: StepIndex) -> Ae<Todo<Related>> {
        let Some(text) = text else {
            return Ok(Todo::Nothing);
        };
        let message = self.message();
        match &text.prepared {
            Prepared::Comment => Ok(Todo::Nothing),
            Prepared::Relationship(prepared) => {
                let prepared = prepared.as_ref().map_err(Clone::clone)?;
                self.set_step_value(step, Value::Text(prepared.printed.clone()));
                self.follow_uri(index, prepared, &message).map(Todo::Do)
            }
            Prepared::Template(_) | Prepared::Coalescing(_) => {
                let uri = self.uri_text(text)?;
                let resolved = uri.resolved();
                self.set_step_value(step, Value::text(resolved.as_str()));
                let bare = resolved.trim();
                if bare.is_empty() || bare.starts_with('#') {
                    return Ok(Todo::Nothing);
                }
                let prepared = uri.prepare()?;
                self.follow_uri(index, &prepared, &message).map(Todo::Do)
            }
            Prepared::Literal => {
                let prepared = UriText::plain(&text.written).prepare()?;
                self.follow_uri(index, &prepared, &message).map(Todo::Do)
            }
            Prepared::Assertion(_) | Prepared::Call(_) => Ok(Todo::Nothing),
        }
    }

    fn follow_uri(&mut self, index: usize, uri: &PreparedUri, message: &Arc<str>) -> Ae<Related> {
        match uri.wildcard {
            Wildcard::None => self.instantiate(uri, message, Some(index)),
            Wildcard::Elsewhere => {
                let related = self.instantiate(uri, message, Some(index))?;
                Ok(Related::Many(if let Related::Object(target) = related {
                    vec![target]
                } else {
                    Vec::new()
                }))
            }
            Wildcard::AtEnd => {
                let path = uri
                    .printed
                    .split_once(':')
                    .map_or(&*uri.printed, |(_, rest)| rest);
                let (path, rest) = path
                    .find(['?', '#'])
                    .and_then(|at| path.split_at_checked(at))
                    .unwrap_or((path, ""));
                let mut targets = Vec::new();
                for full in self.env.datastore.clone().search_wildcard(path) {
                    let target = UriText::plain(&format!("{full}{rest}")).prepare()?;
                    let target = PreparedUri {
                        message: uri.message.clone(),
                        arguments: uri.arguments.clone(),
                        ..target
                    };
                    if let Related::Object(target) = self.instantiate(&target, message, Some(index))? {
                        targets.push(target);
                    }
                }
                Ok(Related::Many(targets))
            }
        }
    }

    /// Runs the `collect` of a relationship (4.10); not where it led to nothing.
    pub(crate) fn collect_related(
        &mut self,
        index: usize,
        field: &SchemaField,
        entry: &PlanEntry,
        related: &Related,
    ) -> Ae<()> {
        let Some(collects) = entry.collect.as_ref().filter(|_| *related != Related::Nothing) else {
            return Ok(());
        };
        let expressions = collects.expressions.as_ref().map_err(Clone::clone)?;
        let mut gathered = Vec::new();
        for expression in expressions {
            let workspace: &Self = self;
            let sources = match related {
                Related::Object(target) => Sources::One(workspace.reader(*target)),
                Related::Many(targets) => {
                    Sources::Many(targets.iter().map(|target| workspace.reader(*target)).collect())
                }
                Related::Nothing | Related::Value(_) => return Ok(()),
            };
            let target = match (&expression.target, &expression.what) {
                (None, collect::What::Name(name)) => Some(name.clone()),
                (target, _) => target.clone(),
            };
            gathered.push((target, collect::gather(&expression.what, &sources)?));
        }
        self.store_collected(index, field, gathered);
        Ok(())
    }

    fn reader(&self, index: usize) -> collect::Read<'_> {
        Box::new(move |name: &str| {
            self.object(index)
                .and_then(|object| object.attribute(name))
                .cloned()
                .unwrap_or_default()
        })
    }

    fn store_collected(
        &mut self,
        index: usize,
        field: &SchemaField,
        gathered: Vec<(Option<Arc<str>>, Option<Value>)>,
    ) {
        for (target, value) in gathered {
            let Some(value) = value else { continue };
            let target = target.unwrap_or_else(|| field.key.clone());
            let (object, key) = match target.rsplit_once('/') {
                // Whatever begins with a slash means the root; what stands between is ignored (G26).
                Some((path, key)) if target.starts_with('/') || path.is_empty() => (self.current_root(), key),
                Some((path, key)) => (self.lookup(path).ok().flatten(), key),
                None => (Some(index), &*target),
            };
            if let Some(object) = object.and_then(|object| self.object_mut(object)) {
                object.set(&key.trim().to_lowercase(), value);
            }
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
            Prepared::Call(call) => call.clone().map(Todo::Do),
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
            file: object.and_then(|object| {
                object
                    .file
                    .clone()
                    .filter(|_| !entry.is_of_class)
                    .or_else(|| Some(object.class.file.path.clone()))
            }),
            line: Some(entry.line),
            field: Some(field.name.clone()),
            written: entry.text.as_ref().map(|text| text.written.clone()),
            value: None,
            outcome: Outcome::NotReached,
            why: None,
        };
        self.state.trace.steps.push(step);
        StepIndex(self.state.trace.steps.len() - 1)
    }

    /// Says how a step ended; a value that is none leaves the one that was set before.
    pub(crate) fn end_step(
        &mut self,
        step: StepIndex,
        outcome: Outcome,
        value: Option<Value>,
        why: Option<Cow<'static, str>>,
    ) {
        if let Some(step) = self.state.trace.steps.get_mut(step.0) {
            step.outcome = outcome;
            step.why = why;
            if value.is_some() {
                step.value = value;
            }
        }
    }

    pub(crate) fn set_step_value(&mut self, step: StepIndex, value: Value) {
        if let Some(step) = self.state.trace.steps.get_mut(step.0) {
            step.value = Some(value);
        }
    }

    fn failed(&mut self, step: StepIndex, error: Box<AeError>) -> Ae<()> {
        self.end_step(step, Outcome::Failed, None, Some(error.message.clone().into()));
        Err(error)
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

fn step_kind(aetype: Aetype) -> StepKind {
    match aetype {
        Aetype::Assertion => StepKind::Assertion,
        Aetype::Attribute => StepKind::Attribute,
        Aetype::Relationship => StepKind::Relationship,
        Aetype::Method => StepKind::Method,
        Aetype::State => StepKind::State,
    }
}
