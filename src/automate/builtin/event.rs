//! Builtins that act for the event of the run: refreshes, policy, state.

use std::borrow::Cow;
use std::sync::Arc;

use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::workspace::Workspace;
use crate::model::delivery::Effect;
use crate::model::event::EmsEvent;
use crate::model::event::EventClass;
use crate::model::target::ManagerRef;
use crate::model::target::Target;
use crate::model::target::TargetCollection;
use crate::model::value::Value;
use crate::model::value::ValueMap;

/// What a target word of `event_action_refresh` comes to.
enum Wanted {
    Target(Target),
    WholeManager(Cow<'static, str>),
}

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
fn ems_event(workspace: &Workspace, name: &str) -> Ae<Arc<EmsEvent>> {
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

/// `refresh`: what the provider's target parser finds in the event (4.5).
pub(crate) fn refresh(workspace: &mut Workspace, _: usize, name: &str, _: &ValueMap) -> Ae<Value> {
    let event = ems_event(workspace, name)?;
    let (env, view) = (workspace.env.clone(), workspace.env.event.clone());
    let parsed = match (&env.provider, view) {
        (Some(provider), Some(view)) => provider
            .targets(&env.host, &view)
            .map_err(|error| AeError::engine("AbortInstantiation", error.to_string()))?,
        _no_provider => None,
    };
    match parsed {
        Some(targets) if targets.is_empty() => {
            workspace.state.note = Some("the target parser found nothing to refresh".to_owned());
        }
        Some(targets) => workspace.state.effects.push(Effect::QueueRefresh { targets }),
        None => {
            let reason = format!(
                "no event_target_parser.rhai for the source `{}`, so the whole manager is refreshed",
                event.hash.source
            );
            workspace.state.note = Some(reason.clone());
            workspace.state.effects.push(Effect::QueueFullRefresh {
                reason: reason.into(),
            });
        }
    }
    Ok(Value::Bool(true))
}

/// `event_action_refresh`: the object that a word names (4.6), by what the event says of it.
pub(crate) fn action_refresh(
    workspace: &mut Workspace,
    _: usize,
    name: &str,
    inputs: &ValueMap,
) -> Ae<Value> {
    let event = ems_event(workspace, name)?;
    let word = inputs.get("target").map(ToString::to_string).unwrap_or_default();
    let bare = word.trim().strip_prefix("first_chained_").unwrap_or(word.trim());
    if bare.is_empty() {
        workspace.state.note = Some("no target is named, so nothing is refreshed".to_owned());
        return Ok(Value::Null);
    }
    match wanted(&event, bare)? {
        Wanted::Target(target) => {
            let targets = TargetCollection::from_iter([target]);
            workspace.state.effects.push(Effect::QueueRefresh { targets });
        }
        Wanted::WholeManager(reason) => {
            workspace.state.note = Some(reason.to_string());
            workspace.state.effects.push(Effect::QueueFullRefresh { reason });
        }
    }
    Ok(Value::Bool(true))
}

fn wanted(event: &EmsEvent, word: &str) -> Ae<Wanted> {
    let target = |association: &'static str, key: &str| {
        event
            .hash
            .text(key)
            .map(|reference| Wanted::Target(Target::new(association, ManagerRef::ems_ref(reference))))
    };
    let host = || target("hosts", "host_ems_ref");
    let dest_host = || target("hosts", "dest_host_ems_ref");
    let found = match word {
        "vm" | "src_vm" => target("vms", "vm_ems_ref").or_else(host),
        "dest_vm" => target("vms", "dest_vm_ems_ref").or_else(dest_host),
        "host" | "src_host" => host(),
        "dest_host" => dest_host(),
        "src_vm_or_dest_host" => target("vms", "vm_ems_ref").or_else(dest_host),
        "ems" | "ems_cluster" | "src_ems_cluster" => {
            return Ok(Wanted::WholeManager(
                format!("`target={word}` asks for the whole manager").into(),
            ));
        }
        other => {
            let known = [
                "src_vm",
                "dest_vm",
                "src_host",
                "dest_host",
                "src_vm_or_dest_host",
                "ems",
                "ems_cluster",
            ];
            let help = crate::source::suggest::did_you_mean(other, known);
            return Err(AeError::engine(
                "AbortInstantiation",
                format!(
                    "`{other}` is no target of a refresh; {} are{}",
                    known.join(", "),
                    if help.is_empty() {
                        help
                    } else {
                        format!("; {help}")
                    }
                ),
            ));
        }
    };
    Ok(found.unwrap_or_else(|| {
        Wanted::WholeManager(format!("the event names no `{word}`, so the whole manager is refreshed").into())
    }))
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
