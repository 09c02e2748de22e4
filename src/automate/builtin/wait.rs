//! Waiting for a refresh: a state of a machine asks on its first run, and comes again until the inventory is saved.

use std::sync::Arc;

use crate::automate::builtin::subject::ems_event;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::workspace::Workspace;
use crate::model::delivery::StepKind;
use crate::model::records::RefreshProgress;
use crate::model::value::Value;
use crate::model::value::ValueMap;

/// The state variable that remembers what was asked for and is waited for.
const ASKED: &str = "refresh_sync";
/// How long a state machine waits before it looks again, where no object says otherwise.
const RETRY_INTERVAL: &str = "10.seconds";

/// Asks on the first run of a state, waits by retry on the next ones. Outside of a state machine it only asks.
pub(crate) fn in_time(
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
