//! What a method is given: argument, else attribute, else default; converted, and never nothing (reference 6.3).

use crate::automate::call::Argument;
use crate::automate::call::MethodCall;
use crate::automate::datastore::Method;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::field;
use crate::automate::method::Inputs;
use crate::automate::records;
use crate::automate::workspace::Workspace;
use crate::model::records::Records;
use crate::model::value::Value;

impl Workspace {
    /// An action declares no inputs: it gets what the call gives, and the attributes of its object.
    pub(crate) fn action_inputs(&self, index: usize, call: &MethodCall) -> Inputs {
        let given = call
            .arguments
            .iter()
            .map(|(key, argument)| (key.clone(), self.argument(index, argument)));
        let mut inputs: Inputs = self
            .object(index)
            .map(|object| object.attributes.clone())
            .unwrap_or_default();
        for (key, value) in given {
            match inputs.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) => *known = value,
                None => inputs.push((key, value)),
            }
        }
        inputs
    }

    pub(crate) fn argument(&self, index: usize, argument: &Argument) -> Value {
        match argument {
            Argument::Literal(value) => value.clone(),
            Argument::Attribute(name) => {
                let found = self
                    .object(index)
                    .and_then(|object| object.attribute(&name.to_lowercase()));
                found.cloned().unwrap_or_default()
            }
        }
    }

    /// The inputs of a call (6.3): argument, else attribute, else default; converted, and never nothing.
    pub(crate) fn inputs(&mut self, index: usize, method: &Method, call: &MethodCall) -> Ae<Inputs> {
        let mut declared: Vec<_> = method.inputs.iter().collect();
        declared.sort_by_key(|field| (field.priority.is_none(), field.priority));
        let mut inputs = Vec::with_capacity(declared.len());
        for field in declared {
            let datatype = field::datatype(field.datatype.as_ref(), |class| {
                records::is_class(&*self.env.records, class)
            });
            let convert = |value: Value, records: &dyn Records| match &datatype {
                Some(datatype) => datatype.convert(value, records),
                None => Ok(value),
            };
            let records = self.env.records.clone();
            let argument = call.arguments.iter().find(|(key, _)| *key == field.name);
            let mut value = argument
                .map(|(_, argument)| self.argument(index, argument))
                .unwrap_or_default();
            // Keys are lower case, so an input with capitals never meets an attribute (G42).
            let attribute = self
                .object(index)
                .and_then(|object| object.attribute(&field.name))
                .cloned()
                .unwrap_or_default();
            if value.is_null() {
                value = attribute.clone();
                if !value.is_truthy() {
                    value = self.default_of(field)?;
                }
            }
            let value = convert(value, &*records)?;
            if attribute.is_truthy() && field.datatype.as_deref() != Some("string") {
                let converted = convert(attribute, &*records)?;
                if let Some(object) = self.object_mut(index) {
                    object.set(&field.name, converted);
                }
            }
            if value.is_null() {
                let why = format!(
                    "`{}` needs an input `{}`; give it as an argument, an attribute or a default",
                    method.name, field.name
                );
                return Err(AeError::engine("MethodParmMissing", why));
            }
            inputs.push((field.name.clone(), value));
        }
        Ok(inputs)
    }

    pub(crate) fn default_of(&mut self, field: &crate::automate::field::SchemaField) -> Ae<Value> {
        let Some(text) = field.default.clone() else {
            return Ok(Value::Null);
        };
        let untyped = crate::automate::field::SchemaField {
            datatype: None,
            ..field.clone()
        };
        self.attribute_value(&untyped, Some(&text))
    }
}
