//! A change of an object, field by field.

use maud::Markup;
use maud::html;

use crate::model::json;
use crate::model::json::Value;
use crate::vmdb::ObjectChange;
use crate::web::pages::words;

/// Characters of a value that are shown, and references of a list.
const WIDTH: usize = 120;
const LISTED: usize = 20;

/// What became of one field.
#[derive(Clone, Debug)]
pub(crate) struct FieldChange {
    /// Its name.
    pub(crate) name: String,
    /// What it was; none where it was not there.
    pub(crate) from: Option<Value>,
    /// What it is now.
    pub(crate) to: Option<Value>,
}

impl FieldChange {
    /// Old and new value, side by side.
    pub(crate) fn both(&self, between: &str) -> Markup {
        html! { del { (value(self.from.as_ref())) } (between) ins { (value(self.to.as_ref())) } }
    }
}

/// Whether a value is a reference to another object, or a list of such.
pub(crate) fn refers(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Array(list)) => !list.is_empty() && list.iter().all(|one| refers(Some(one))),
        Some(Value::Object(map)) => map.len() == 1 && map.contains_key("$ref"),
        _other => false,
    }
}

/// A value for people.
pub(crate) fn value(value: Option<&Value>) -> Markup {
    match value {
        None | Some(Value::Null) => html! { "none" },
        Some(Value::String(text)) if text.is_empty() => html! { "empty" },
        Some(Value::String(text)) => words::foreign_up_to(text, WIDTH),
        Some(Value::Object(map)) if map.len() == 1 && map.contains_key("$ref") => reference(map.get("$ref")),
        Some(Value::Array(list)) if refers(value) => {
            html! {
                @for (index, one) in list.iter().take(LISTED).enumerate() {
                    @if 0 < index { ", " }
                    (self::value(Some(one)))
                }
                @if LISTED < list.len() { " and " (list.len() - LISTED) " more" }
            }
        }
        Some(other) => words::foreign_up_to(&other.to_string(), WIDTH),
    }
}

/// The reference to another object.
fn reference(reference: Option<&Value>) -> Markup {
    let key = reference.and_then(|reference| json::from_value(reference).ok());
    match key {
        Some(crate::model::inventory::ObjectKey {
            association,
            manager_ref,
        }) => {
            let name = manager_ref.reference();
            html! {
                a href=(crate::web::pages::links::resource(&association, &name, None)) { (words::foreign_up_to(&name, WIDTH)) }
            }
        }
        None => words::foreign_up_to(&reference.map(ToString::to_string).unwrap_or_default(), WIDTH),
    }
}

/// The fields that a change is about, by name.
pub(crate) fn fields(change: &ObjectChange) -> Vec<FieldChange> {
    let empty = json::Map::new();
    let before = change
        .before
        .as_ref()
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let after = change.after.as_ref().and_then(Value::as_object).unwrap_or(&empty);
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let differ = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name));
    differ
        .map(|name| FieldChange {
            name: name.clone(),
            from: before.get(name).cloned(),
            to: after.get(name).cloned(),
        })
        .collect()
}
