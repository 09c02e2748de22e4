//! Builtins that act for the event of the run: policy, scan, state.

use std::sync::Arc;

use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::workspace::Workspace;
use crate::model::event::EmsEvent;
use crate::model::event::EventClass;
use crate::model::value::Value;
use crate::model::value::ValueMap;

fn event(workspace: &Workspace, name: &str) -> Ae<Arc<EmsEvent>> {
    let missing = || {
        AeError::engine(
            "MethodParmMissing",
            format!(
                "`{name}` needs an event, and the root has no `event_stream`; it is reached through /System/Process/Event"
            ),
        )
    };
    if workspace.root_attribute("event_stream").is_null() {
        return Err(missing());
    }
    workspace
        .env
        .event
        .as_ref()
        .map(|view| view.event().clone())
        .ok_or_else(missing)
}

/// Only events of providers can be refreshed, scanned and so on.
pub(crate) fn ems_event(workspace: &Workspace, name: &str) -> Ae<Arc<EmsEvent>> {
    let event = event(workspace, name)?;
    if event.class == EventClass::EmsEvent {
        return Ok(event);
    }
    Err(AeError::engine(
        "AbortInstantiation",
        format!(
            "`{name}` is for events of providers; this one is a {}",
            event.class.as_str()
        ),
    ))
}

/// Policy, scan, template and state: recorded, with what they would look up.
pub(crate) fn action(workspace: &mut Workspace, object: usize, name: &str, inputs: &ValueMap) -> Ae<Value> {
    ems_event(workspace, name)?;
    let target = inputs
        .get("target")
        .map(ToString::to_string)
        .unwrap_or_else(|| "src_vm".to_owned());
    crate::automate::builtin::recorded(workspace, object, name, inputs)?;
    workspace.state.note = Some(format!(
        "recorded; it would look up the event's `{target}` in the inventory"
    ));
    Ok(Value::Bool(true))
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
    crate::automate::builtin::recorded(workspace, object, name, inputs)
}

/// `check_policy_prevent`: ends the run where a policy prevented the action (G43, G52).
pub(crate) fn check_policy_prevent(
    workspace: &mut Workspace,
    _: usize,
    name: &str,
    _: &ValueMap,
) -> Ae<Value> {
    let event = event(workspace, name)?;
    let data: serde_json::Value = serde_json::from_str(event.hash.full_data.text()).unwrap_or_default();
    if data.is_null() || data.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(Value::Null);
    }
    let part = |value: &serde_json::Value, key: &str| {
        value.get(key).or_else(|| value.get(format!(":{key}"))).cloned()
    };
    let Some(policy) = part(&data, "policy") else {
        return Err(AeError::engine(
            "AbortInstantiation",
            "the event's data has no `policy` part to check",
        ));
    };
    match part(&policy, "prevented") {
        None | Some(serde_json::Value::Null | serde_json::Value::Bool(false)) => Ok(Value::Null),
        Some(_) => Err(AeError::engine(
            "AbortInstantiation",
            "a policy prevented the action",
        )),
    }
}
