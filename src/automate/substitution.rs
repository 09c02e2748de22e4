//! `${…}` at run time: references resolved, chains called (reference 4.11).

use std::sync::Arc;

use crate::automate::chain;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::field::Aetype;
use crate::automate::field::FieldText;
use crate::automate::field::Prepared;
use crate::automate::instantiate::MAX_DEPTH;
use crate::automate::relationship::DatastorePath;
use crate::automate::relationship::UriText;
use crate::automate::template::ChainStep;
use crate::automate::template::Part;
use crate::automate::template::Reference;
use crate::automate::template::ReferenceKind;
use crate::automate::template::Template;
use crate::automate::workspace::WORKSPACE_PATHS;
use crate::automate::workspace::Workspace;
use crate::model::ae_path::AePath;
use crate::model::value::Value;

/// What a reference gave.
pub(crate) struct Resolved {
    pub(crate) value: Value,
    /// Whether an event brought it, so that nothing in it may be syntax.
    pub(crate) is_from_event: bool,
}

impl Workspace {
    /// A text with its references put in; null where there is a single one and it gives nothing.
    pub(crate) fn substitute(&mut self, template: &Template) -> Ae<Value> {
        if let [Part::Reference(reference)] = &*template.parts {
            // A single reference that gives a text needs no copy of it.
            let value = self.resolve(reference, false)?.value;
            return Ok(if let Value::Text(_) = value {
                value
            } else {
                Value::text(value.to_string())
            });
        }
        let mut text = String::new();
        for part in &template.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Reference(reference) => {
                    text.push_str(&self.resolve(reference, false)?.value.to_string());
                }
            }
        }
        Ok(Value::text(text))
    }

    /// The text of a relationship, which keeps apart what came from an event.
    pub(crate) fn uri_text(&mut self, text: &FieldText) -> Ae<UriText> {
        let mut uri = UriText::with_capacity(text.written.len());
        let template = match &text.prepared {
            Prepared::Template(template) => template,
            Prepared::Coalescing(_) => {
                uri.push(&self.field_value(text)?.to_string());
                return Ok(uri);
            }
            _as_it_stands => {
                uri.push(&text.written);
                return Ok(uri);
            }
        };
        for part in &template.parts {
            match part {
                Part::Literal(literal) => uri.push(literal),
                Part::Reference(reference) => {
                    let resolved = self.resolve(reference, false)?;
                    match (&resolved.value, resolved.is_from_event) {
                        (Value::Text(text), true) => uri.push_opaque(text),
                        (value, true) => uri.push_opaque(&Arc::from(value.to_string())),
                        (Value::Text(text), false) => uri.push(text),
                        (value, false) => uri.push(&value.to_string()),
                    }
                }
            }
        }
        Ok(uri)
    }

    /// A text that is substituted always, such as `on_entry`.
    pub(crate) fn substitute_text(&mut self, text: &str) -> Ae<String> {
        self.substitute(&Template::parse(text))
            .map(|value| value.to_string())
    }

    /// Resolves a reference. A `required` one must exist (assertions).
    pub(crate) fn resolve(&mut self, reference: &Arc<Reference>, required: bool) -> Ae<Resolved> {
        let plain = |value| {
            Ok(Resolved {
                value,
                is_from_event: false,
            })
        };
        match &reference.kind {
            ReferenceKind::Attribute {
                object,
                attribute,
                chain,
            } => {
                let index = self.lookup(object)?.ok_or_else(|| {
                    AeError::engine(
                        "ObjectNotFound",
                        format!(
                            "`{}`: no object of this run is found at `{object}`; {WORKSPACE_PATHS} is expected",
                            reference.written
                        ),
                    )
                })?;
                let found = self
                    .object(index)
                    .and_then(|object| object.attribute(attribute))
                    .cloned();
                if required && found.is_none() {
                    let name = self
                        .object(index)
                        .map(|object| object.name.to_string())
                        .unwrap_or_default();
                    let why = format!(
                        "`{}`: `{name}` has no attribute `{attribute}`; conditions run before the arguments and attributes of their own object are set",
                        reference.written
                    );
                    return Err(AeError::engine("AttributeNotFound", why));
                }
                let value = found.unwrap_or_default();
                let is_event = matches!(&value, Value::Record(record) if self.is_event(&**record));
                let is_from_event =
                    &**attribute == "event_type" || (is_event && !chain.is_empty() && !is_namespace(chain));
                Ok(Resolved {
                    value: self.chained(value, chain, reference),
                    is_from_event,
                })
            }
            ReferenceKind::StateVar { name, chain } => {
                let found = self.state.state_var(name).cloned();
                if required && found.is_none() {
                    let why = format!("`{}`: there is no state variable `{name}`", reference.written);
                    return Err(AeError::engine("AttributeNotFound", why));
                }
                plain(self.chained(found.unwrap_or_default(), chain, reference))
            }
            ReferenceKind::CurrentMessage => plain(Value::Text(self.message())),
            ReferenceKind::Datastore { path, message } => {
                plain(self.datastore_attribute(path, message, required)?)
            }
            ReferenceKind::Text(text) => plain(Value::Text(text.clone())),
            ReferenceKind::Broken { exception, why } => Err(AeError::engine(exception, why.to_string())),
        }
    }

    fn is_event(&self, record: &dyn crate::model::value::Record) -> bool {
        self.env.event.as_ref().is_some_and(|view| {
            let event: &dyn crate::model::value::Record = &**view.event();
            std::ptr::addr_eq(event, record) || (event.class() == record.class() && event.id() == record.id())
        })
    }

    /// Calls a chain; what fails gives nothing, and the log says so (4.11).
    fn chained(&self, mut value: Value, steps: &[ChainStep], reference: &Reference) -> Value {
        for step in steps {
            let related = |why| match &value {
                Value::Record(record) if self.is_event(&**record) => {
                    let view = self.env.event.as_ref();
                    view.and_then(|view| view.association(&step.name)).ok_or(why)
                }
                _other => Err(why),
            };
            match chain::call(&value, step).or_else(related) {
                Ok(next) => value = next,
                Err(why) => {
                    tracing::warn!(reference = %reference.written, why, "A reference gave nothing.");
                    return Value::Null;
                }
            }
        }
        value
    }

    /// `${miqaedb:/Ns/Class/instance/attribute}`: builds the instance and runs its attributes only.
    fn datastore_attribute(&mut self, path: &str, message: &Arc<str>, required: bool) -> Ae<Value> {
        let (split, attribute) = AePath::split_attribute(path);
        let missing = || {
            AeError::engine(
                "InvalidPathFormat",
                format!(
                    "`${{miqaedb:{path}}}` names no attribute; `/Namespace/Class/instance/attribute` is expected"
                ),
            )
        };
        let attribute = attribute.ok_or_else(missing)?.to_lowercase();
        if self.state.depth >= MAX_DEPTH {
            return Err(AeError::engine(
                "DepthLimit",
                format!("`${{miqaedb:{path}}}` leads to itself"),
            ));
        }
        let class = split.class.map(Arc::from);
        let wanted = DatastorePath::new(Arc::from(split.namespace), class, split.instance.map(Arc::from));
        self.state.depth += 1;
        let built = self.build(&wanted, None);
        let result = built.and_then(|index| {
            let Some(planned) = self.planned(index) else {
                return Ok(index);
            };
            let attributes = planned
                .fields(message)
                .filter(|(_, field, _)| field.aetype == Some(Aetype::Attribute));
            for (_, field, entry) in attributes {
                let value = self.attribute_value(field, entry.text.as_deref())?;
                if let Some(object) = self.object_mut(index).filter(|_| !value.is_null()) {
                    object.set_shared(&field.key, value);
                }
            }
            Ok(index)
        });
        self.state.depth -= 1;
        let index = result?;
        let found = self
            .object(index)
            .and_then(|object| object.attribute(&attribute))
            .cloned();
        if required && found.is_none() {
            return Err(AeError::engine(
                "AttributeNotFound",
                format!("`${{miqaedb:{path}}}`: there is no attribute `{attribute}`"),
            ));
        }
        Ok(found.unwrap_or_default())
    }
}

/// `event_namespace` is ours, not the sender's: it may be a part of a path.
fn is_namespace(chain: &[ChainStep]) -> bool {
    matches!(chain, [step] if &*step.name == "event_namespace")
}
