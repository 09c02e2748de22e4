//! Builtins that act on the objects of the run's event: policy, scan, state.

use std::sync::Arc;

use crate::automate::builtin::recorded;
use crate::automate::builtin::refresh;
use crate::automate::builtin::subject::Named;
use crate::automate::builtin::subject::ems_event;
use crate::automate::builtin::subject::event;
use crate::automate::builtin::subject::named;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::workspace::Workspace;
use crate::model::delivery::Effect;
use crate::model::event::EmsEvent;
use crate::model::event::EventClass;
use crate::model::json;
use crate::model::value::Record;
use crate::model::value::Value;
use crate::model::value::ValueMap;

/// `event_action_policy`: recorded.
pub(crate) fn policy(workspace: &mut Workspace, object: usize, name: &str, inputs: &ValueMap) -> Ae<Value> {
    ems_event(workspace, name)?;
    recorded(workspace, object, name, inputs)
}

/// `event_action_scan` and `src_vm_destroy_all_snapshots`: recorded for an object that inventory knows; any other is read
/// first.
pub(crate) fn on_known(workspace: &mut Workspace, object: usize, name: &str, inputs: &ValueMap) -> Ae<Value> {
    let event = ems_event(workspace, name)?;
    let word = word(inputs);
    let named = named(workspace, &event, &word);
    if named.word == "ems" || named.record(workspace).is_some() {
        return recorded(workspace, object, name, inputs);
    }
    read_first(workspace, &event, &named)
}

/// `change_event_target_state`: the power state of the object, as the event says it is now.
pub(crate) fn change_state(workspace: &mut Workspace, _: usize, name: &str, inputs: &ValueMap) -> Ae<Value> {
    let state = inputs.get("param").map(ToString::to_string).unwrap_or_default();
    set(workspace, name, &word(inputs), |record| {
        let mut attributes = ValueMap::new();
        if record.column("raw_power_state").is_some() {
            attributes.insert(Arc::from("raw_power_state"), Value::text(state.as_str()));
        }
        attributes.insert(Arc::from("power_state"), Value::text(power_state(&state)));
        attributes
    })
}

/// `src_vm_as_template`: whether the event's VM is a template.
pub(crate) fn as_template(workspace: &mut Workspace, _: usize, name: &str, inputs: &ValueMap) -> Ae<Value> {
    let flag = inputs.get("flag").cloned().unwrap_or_default();
    set(workspace, name, "src_vm", |_| {
        ValueMap::from([(Arc::from("template"), flag)])
    })
}

/// Sets attributes of the object that a word names, with the event; one that inventory does not know is read.
fn set(
    workspace: &mut Workspace,
    name: &str,
    word: &str,
    attributes: impl FnOnce(&dyn Record) -> ValueMap,
) -> Ae<Value> {
    let event = ems_event(workspace, name)?;
    let named = named(workspace, &event, word);
    let Some((record, id)) = named.record(workspace) else {
        return read_first(workspace, &event, &named);
    };
    let attributes = attributes(&*record);
    let said: Vec<String> = attributes
        .iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    let whose = record.column("name").unwrap_or_default();
    workspace.state.note = Some(format!(
        "sets {} of {} {id} `{whose}`",
        said.join(", "),
        record.class()
    ));
    workspace.state.effects.push(Effect::UpdateInventory {
        class: record.class(),
        id,
        attributes,
    });
    Ok(Value::Bool(true))
}

/// Refreshes an object that inventory does not know, in place of acting on it.
fn read_first(workspace: &mut Workspace, event: &EmsEvent, named: &Named<'_>) -> Ae<Value> {
    let result = refresh::refresh_named(workspace, event, named)?;
    let note = workspace.state.note.take();
    let note = note.map(|note| format!("; {note}")).unwrap_or_default();
    let word = named.word;
    workspace.state.note = Some(format!(
        "inventory does not know the event's `{word}`, so it is refreshed{note}"
    ));
    Ok(result)
}

/// The word for the object that is acted on.
fn word(inputs: &ValueMap) -> String {
    let word = inputs.get("target").map(ToString::to_string).unwrap_or_default();
    let word = word.trim();
    if word.is_empty() { "src_vm" } else { word }.to_owned()
}

/// How inventory spells a power state that a provider gives in its own words.
fn power_state(raw: &str) -> &str {
    match raw {
        "poweredOn" => "on",
        "poweredOff" => "off",
        other => other,
    }
}

/// `event_enforce_policy`: for policy events only.
pub(crate) fn enforce_policy(
    workspace: &mut Workspace,
    object: usize,
    name: &str,
    inputs: &ValueMap,
) -> Ae<Value> {
    let event = event(workspace, name)?;
    if event.class != EventClass::MiqEvent {
        return Err(AeError::engine(
            "AbortInstantiation",
            format!(
                "`{name}` is for policy events (MiqEvent); this one is an {}",
                event.class.as_str()
            ),
        ));
    }
    recorded(workspace, object, name, inputs)
}

/// `check_policy_prevent`: ends the run where a policy prevented the action (G43, G52).
pub(crate) fn check_policy_prevent(
    workspace: &mut Workspace,
    _: usize,
    name: &str,
    _: &ValueMap,
) -> Ae<Value> {
    let event = event(workspace, name)?;
    let data: json::Value = json::read(event.hash.full_data.text()).unwrap_or_default();
    if data.is_null() || data.as_object().is_some_and(json::Map::is_empty) {
        return Ok(Value::Null);
    }
    let part = |value: &json::Value, key: &str| {
        value
            .get(key)
            .or_else(|| value.get(format!(":{key}").as_str()))
            .cloned()
    };
    let Some(policy) = part(&data, "policy") else {
        return Err(AeError::engine(
            "AbortInstantiation",
            "the event's data has no `policy` part to check",
        ));
    };
    match part(&policy, "prevented") {
        None | Some(json::Value::Null | json::Value::Bool(false)) => Ok(Value::Null),
        Some(_) => Err(AeError::engine(
            "AbortInstantiation",
            "a policy prevented the action",
        )),
    }
}
