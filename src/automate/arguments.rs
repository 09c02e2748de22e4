//! Arguments of a URI become attributes (reference 4.5).

use std::sync::Arc;

use crate::automate::datatype::Datatype;
use crate::automate::datatype::leading_integer;
use crate::automate::error::Ae;
use crate::automate::records;
use crate::automate::workspace::Workspace;
use crate::model::value::Value;

/// What separates the elements of an `Array::` argument.
const UNIT_SEPARATOR: char = '\u{1f}';

impl Workspace {
    /// Merges arguments over the attributes of an object: all of them, or on a fault none.
    pub(crate) fn merge_arguments(&mut self, index: usize, arguments: &[(Arc<str>, Arc<str>)]) -> Ae<()> {
        let mut merged: Vec<(Arc<str>, Value)> = Vec::with_capacity(arguments.len());
        for (key, text) in arguments {
            let Some((kind, name)) = key
                .split_once("::")
                .map(|(kind, _)| (kind, key.rsplit("::").next().unwrap_or("")))
            else {
                merged.push((lower(key), Value::Text(text.clone())));
                continue;
            };
            let name: Arc<str> = Arc::from(name.to_lowercase());
            if kind.eq_ignore_ascii_case("array") {
                merged.push((name, self.array(text)?));
                continue;
            }
            let kind = key
                .strip_suffix(key.rsplit("::").next().unwrap_or(""))
                .map_or(kind, |kind| kind.trim_end_matches("::"));
            let datatype = Datatype::parse(kind, |class| records::is_class(&*self.env.records, class));
            let value = datatype.convert(Value::Text(text.clone()), &*self.env.records)?;
            if is_constant(kind, &datatype) && leading_integer(text) != 0 {
                merged.push((Arc::from(format!("{name}_id")), Value::Text(text.clone())));
            }
            merged.push((name, value));
        }
        if let Some(object) = self.object_mut(index) {
            for (key, value) in merged {
                object.set_shared(&key, value);
            }
        }
        Ok(())
    }

    fn array(&self, text: &str) -> Ae<Value> {
        let mut items = Vec::new();
        for piece in text.split(UNIT_SEPARATOR).filter(|piece| !piece.is_empty()) {
            let mut sides = piece.split("::");
            items.push(match (sides.next(), sides.next()) {
                (Some(kind), Some(value)) => {
                    let datatype =
                        Datatype::parse(kind.trim(), |class| records::is_class(&*self.env.records, class));
                    datatype.convert(Value::text(value.trim()), &*self.env.records)?
                }
                _plain => Value::text(piece),
            });
        }
        Ok(Value::list(items))
    }
}

/// Whether the type of an argument is a constant of the original, which keeps the raw number beside the value.
fn is_constant(kind: &str, datatype: &Datatype) -> bool {
    let is_builtin = [
        "Integer",
        "Float",
        "String",
        "Symbol",
        "Time",
        "TrueClass",
        "FalseClass",
    ]
    .contains(&kind);
    is_builtin || (matches!(datatype, Datatype::Record(_)) && kind.starts_with(char::is_uppercase))
}

fn lower(text: &Arc<str>) -> Arc<str> {
    if text.chars().any(char::is_uppercase) {
        Arc::from(text.to_lowercase())
    } else {
        text.clone()
    }
}
