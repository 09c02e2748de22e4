//! Builtins that ask for a refresh (reference 4.5, 4.6), and those that let a state machine wait for it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::automate::builtin::subject::Named;
use crate::automate::builtin::subject::ems_event;
use crate::automate::builtin::subject::named;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::workspace::Workspace;
use crate::model::delivery::Effect;
use crate::model::delivery::StepKind;
use crate::model::event::EmsEvent;
use crate::model::records::RefreshProgress;
use crate::model::target::ManagerRef;
use crate::model::target::RefreshWanted;
use crate::model::target::Target;
use crate::model::target::TargetCollection;
use crate::model::value::Value;
use crate::model::value::ValueMap;
use crate::provider::Provider;

/// The state variable that remembers what was asked for and is waited for.
const ASKED: &str = "refresh_sync";
/// How long a state machine waits before it looks again, where no object says otherwise.
const RETRY_INTERVAL: &str = "10.seconds";

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

/// Asks on the first run of a state, waits by retry on the next ones. Outside of a state machine it only asks.
fn in_time(
    workspace: &mut Workspace,
    object: usize,
    name: &str,
    inputs: &ValueMap,
    ask: fn(&mut Workspace, usize, &str, &ValueMap) -> Ae<Value>,
) -> Ae<Value> {
    let event = ems_event(workspace, name)?;
    let Some(key) = waiting_key(workspace, name, inputs) else {
        return ask(workspace, object, name, inputs);
    };
    // A state that is entered anew asks anew: it began at another time.
    let visit = Value::text(workspace.text_of("ae_state_started"));
    let mut asked = match workspace.state.state_var(ASKED) {
        Some(Value::Map(asked)) => ValueMap::clone(asked),
        _nothing => ValueMap::new(),
    };
    if asked.get(&*key) != Some(&visit) {
        let effects = workspace.state.effects.len();
        let result = ask(workspace, object, name, inputs)?;
        if workspace.state.effects.len() > effects {
            asked.insert(key, visit);
            let asked = Value::Map(Arc::new(asked));
            workspace.state.state_vars.insert(Arc::from(ASKED), asked);
            let note = workspace.state.note.take();
            let note = note.map(|note| format!("; {note}")).unwrap_or_default();
            wait(workspace, object, format!("waits for the refresh{note}"));
        }
        return Ok(result);
    }
    let progress = event.id.map(|id| workspace.env.records.refresh_of(id));
    match progress.flatten() {
        None => {
            let why = "how the refresh fares is not known here, so it counts as done";
            workspace.state.note = Some(why.to_owned());
        }
        Some(RefreshProgress::Done) => workspace.state.note = Some("the refresh is done".to_owned()),
        Some(RefreshProgress::Open(how)) => wait(workspace, object, format!("waits for the refresh: {how}")),
        Some(RefreshProgress::GivenUp(why)) => {
            let message = format!("the refresh that was waited for was given up: {why}");
            return Err(AeError::engine("AbortInstantiation", message));
        }
    }
    Ok(Value::Bool(true))
}

/// What tells one place that waits from every other; none outside of a state.
fn waiting_key(workspace: &Workspace, name: &str, inputs: &ValueMap) -> Option<Arc<str>> {
    let step = workspace.open_step(StepKind::State)?;
    let field = step.field.as_deref()?;
    let word = inputs.get("target").map(ToString::to_string).unwrap_or_default();
    Some(format!("{}#{field} {name} {word}", step.path).trim_end().into())
}

/// Lets the run end in `retry`, soon enough.
fn wait(workspace: &mut Workspace, object: usize, why: String) {
    let mut at = Some(object);
    let interval = std::iter::from_fn(|| {
        let here = workspace.object(at?)?;
        at = here.parent;
        Some(here.attribute("ae_retry_interval").cloned().unwrap_or_default())
    });
    let interval = interval.into_iter().find(|interval| !interval.is_blank());
    let interval = interval.unwrap_or_else(|| Value::text(RETRY_INTERVAL));
    workspace.set_root_attribute("ae_retry_interval", interval);
    workspace.set_text("ae_result", "retry");
    workspace.state.note = Some(why);
}
