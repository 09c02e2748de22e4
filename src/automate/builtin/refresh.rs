//! Builtins that ask for a refresh (reference 4.5, 4.6).

use std::borrow::Cow;

use crate::automate::builtin::subject::Named;
use crate::automate::builtin::subject::ems_event;
use crate::automate::builtin::subject::named;
use crate::automate::builtin::wait::in_time;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::workspace::Workspace;
use crate::model::delivery::Effect;
use crate::model::event::EmsEvent;
use crate::model::target::ManagerRef;
use crate::model::target::RefreshWanted;
use crate::model::target::Target;
use crate::model::target::TargetCollection;
use crate::model::value::Value;
use crate::model::value::ValueMap;
use crate::provider::Provider;

const SOURCE_VM: Place = ("vms", "vm_ems_ref", "VM");
const DEST_VM: Place = ("vms", "dest_vm_ems_ref", "destination VM");
const SOURCE_HOST: Place = ("hosts", "host_ems_ref", "host");
const DEST_HOST: Place = ("hosts", "dest_host_ems_ref", "destination host");

/// Where an event names an object: its association, the key of its reference, what people call it.
type Place = (&'static str, &'static str, &'static str);

/// The words of `event_action_refresh`, each with the places where it looks, the best first. The last resort of all is
/// the whole manager.
const WORDS: [(&str, &[Place]); 10] = [
    ("vm", &[SOURCE_VM, SOURCE_HOST]),
    ("src_vm", &[SOURCE_VM, SOURCE_HOST]),
    ("dest_vm", &[DEST_VM, DEST_HOST]),
    ("host", &[SOURCE_HOST]),
    ("src_host", &[SOURCE_HOST]),
    ("dest_host", &[DEST_HOST]),
    ("src_vm_or_dest_host", &[SOURCE_VM, DEST_HOST]),
    ("ems", &[]),
    ("ems_cluster", &[]),
    ("src_ems_cluster", &[]),
];

/// What a target word comes to.
enum Wanted {
    /// One object; with the reason where it is not the one that was named.
    Target(Target, Option<String>),
    /// Everything, and why.
    WholeManager(Cow<'static, str>),
}

/// `refresh`: what the provider's target parser finds in the event (4.5).
pub(crate) fn refresh(workspace: &mut Workspace, _: usize, name: &str, _: &ValueMap) -> Ae<Value> {
    let event = ems_event(workspace, name)?;
    if is_streaming(workspace, &event) {
        return Ok(Value::Bool(true));
    }
    if is_read_whole(workspace, &event) {
        let reason = "`allow_targeted_refresh` is off for this provider, so the whole manager is refreshed";
        workspace.state.note = Some(reason.to_owned());
        workspace.state.effects.push(Effect::QueueFullRefresh {
            reason: reason.into(),
        });
        return Ok(Value::Bool(true));
    }
    let (env, view) = (workspace.env.clone(), workspace.env.event.clone());
    let parsed = match (&env.provider, view) {
        (Some(provider), Some(view)) => provider
            .targets(&env.host, &view)
            .map_err(|error| AeError::engine("AbortInstantiation", error.to_string()))?,
        _no_provider => None,
    };
    match parsed {
        Some(RefreshWanted::Targets(targets)) => {
            let mut notes = Vec::new();
            if targets.is_empty() {
                notes.push("the target parser found nothing to refresh".to_owned());
            }
            if 0 < targets.left_out() {
                let count = targets.left_out();
                notes.push(format!(
                    "targets left out because their reference is blank: {count}"
                ));
            }
            workspace.state.note = (!notes.is_empty()).then(|| notes.join("; "));
            if !targets.is_empty() {
                workspace.state.effects.push(Effect::QueueRefresh { targets });
            }
        }
        Some(RefreshWanted::Everything) => {
            let reason = "the target parser asks for the whole manager";
            workspace.state.note = Some(reason.to_owned());
            workspace.state.effects.push(Effect::QueueFullRefresh {
                reason: reason.into(),
            });
        }
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

/// `refresh_sync`: as `refresh`; within a state machine it also waits until the inventory is saved.
pub(crate) fn refresh_sync(
    workspace: &mut Workspace,
    object: usize,
    name: &str,
    inputs: &ValueMap,
) -> Ae<Value> {
    in_time(workspace, object, name, inputs, refresh)
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
    let word = word.trim();
    if word.is_empty() {
        workspace.state.note = Some("no target is named, so nothing is refreshed".to_owned());
        return Ok(Value::Null);
    }
    let named = named(workspace, &event, word);
    refresh_named(workspace, &event, &named)
}

/// Queues the refresh of what a word names.
pub(crate) fn refresh_named(workspace: &mut Workspace, event: &EmsEvent, named: &Named<'_>) -> Ae<Value> {
    let wanted = wanted(&named.event, named.word)?;
    if is_streaming(workspace, event) {
        return Ok(Value::Bool(true));
    }
    let (effect, why) = match wanted {
        Wanted::Target(target, why) => {
            let targets = TargetCollection::from_iter([target]);
            (Effect::QueueRefresh { targets }, why)
        }
        Wanted::WholeManager(reason) => {
            let why = reason.to_string();
            (Effect::QueueFullRefresh { reason }, Some(why))
        }
    };
    workspace.state.effects.push(effect);
    let notes: Vec<String> = named.why.map(str::to_owned).into_iter().chain(why).collect();
    workspace.state.note = (!notes.is_empty()).then(|| notes.join("; "));
    Ok(Value::Bool(true))
}

/// `event_action_refresh_sync`: as `event_action_refresh`, and waits as `refresh_sync` does.
pub(crate) fn action_refresh_sync(
    workspace: &mut Workspace,
    object: usize,
    name: &str,
    inputs: &ValueMap,
) -> Ae<Value> {
    in_time(workspace, object, name, inputs, action_refresh)
}

fn wanted(event: &EmsEvent, word: &str) -> Ae<Wanted> {
    let places = WORDS.iter().find(|(known, _)| *known == word);
    let Some((_, places)) = places else {
        let known = WORDS.map(|(known, _)| known);
        let help = crate::source::suggest::did_you_mean(word, known);
        let help = if help.is_empty() {
            help
        } else {
            format!("; {help}")
        };
        return Err(AeError::engine(
            "AbortInstantiation",
            format!(
                "`{word}` is no target of a refresh; {} are{help}",
                known.join(", ")
            ),
        ));
    };
    let [(_, _, first), ..] = places else {
        let reason = format!("`target={word}` asks for the whole manager");
        return Ok(Wanted::WholeManager(reason.into()));
    };
    let found = places.iter().find_map(|(association, key, called)| {
        let reference = event.hash.text(key)?;
        let target = Target::new(*association, ManagerRef::ems_ref(reference));
        let why = (called != first)
            .then(|| format!("the event names no {first} (`{word}`), so its {called} is refreshed"));
        Some(Wanted::Target(target, why))
    });
    Ok(found.unwrap_or_else(|| {
        let reason = format!("the event names nothing for `{word}`, so the whole manager is refreshed");
        Wanted::WholeManager(reason.into())
    }))
}

/// Whether this manager is read whole by settings; not where its collector reads single objects only.
fn is_read_whole(workspace: &Workspace, event: &EmsEvent) -> bool {
    let Some(ems) = &event.ems else { return false };
    let collects = workspace
        .env
        .provider
        .as_ref()
        .map(Provider::collects)
        .unwrap_or_default();
    !workspace.env.records.allows_targeted_refresh(&ems.provider)
        && (collects.everything || !collects.targets)
}

/// A provider that streams its inventory needs no refresh (4.5, 1); says so.
fn is_streaming(workspace: &mut Workspace, event: &EmsEvent) -> bool {
    let provider = event.ems.as_ref().map(|ems| &ems.provider);
    let provider = provider.filter(|provider| workspace.env.records.is_streaming(provider));
    if let Some(provider) = provider {
        workspace.state.note = Some(format!(
            "nothing is queued: `{provider}` keeps its inventory up to date by itself (`streaming_refresh`)"
        ));
    }
    provider.is_some()
}
