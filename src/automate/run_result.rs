//! The request in the root's `ae_result` at the end of a run: to come back, or to enforce policy (reference 8.3, 8.6).

use std::sync::Arc;

use crate::automate::call::Argument;
use crate::automate::call::MethodCall;
use crate::automate::duration;
use crate::automate::error::Ae;
use crate::automate::names::CREATE;
use crate::automate::names::EVENT_ENTRY;
use crate::automate::relationship::Scheme;
use crate::automate::workspace::Frame;
use crate::automate::workspace::Object;
use crate::automate::workspace::Workspace;
use crate::model::ae_path;
use crate::model::ae_path::AeUri;
use crate::model::delivery::Action;
use crate::model::delivery::Delivery;
use crate::model::delivery::Effect;
use crate::model::delivery::Location;
use crate::model::delivery::Retry;
use crate::model::value::Value;

/// The builtin, or the action script in its place, for a result of the scheme `miqpeca`.
const ENFORCE_POLICY: &str = "event_enforce_policy";
/// The attributes that a retry gives back to the root.
const KEPT: [&str; 4] = [
    "ae_state",
    "ae_state_started",
    "ae_state_retries",
    "ae_fsm_started",
];

fn root(workspace: &Workspace) -> Option<&Object> {
    workspace.root().and_then(|root| workspace.object(root))
}

fn attribute(root: &Object, key: &str) -> Value {
    root.attribute(key).cloned().unwrap_or_default()
}

/// `miqpeca:///event?logical_event=…`: policy is to be enforced under that name. Recorded like the builtin, or carried
/// out by an action script of its name.
pub(crate) fn enforce_policy(workspace: &mut Workspace) -> Ae<()> {
    let (Some(index), Some(view)) = (workspace.root(), workspace.env.event.clone()) else {
        return Ok(());
    };
    let result = root(workspace)
        .map(|root| attribute(root, "ae_result"))
        .unwrap_or_default();
    let Some(uri) = result.as_str().filter(|text| text.contains(':')) else {
        return Ok(());
    };
    let uri = match AeUri::parse(uri, ae_path::DATASTORE) {
        Ok(uri) => uri,
        Err(error) => {
            tracing::warn!(%error, "The result of a run is no URI.");
            return Ok(());
        }
    };
    if uri.scheme != "miqpeca" {
        return Ok(());
    }
    let given = ae_path::query_to_pairs(uri.query.as_deref().unwrap_or(""));
    let mut inputs: Vec<(Arc<str>, Value)> = given
        .into_iter()
        .map(|(key, value)| (Arc::from(key), Value::text(value)))
        .collect();
    if inputs.iter().all(|(key, _)| &**key != "logical_event") {
        let event_type = Value::Text(view.event().hash.event_type.clone());
        inputs.push((Arc::from("logical_event"), event_type));
    }
    if workspace.env.datastore.actions.contains_key(ENFORCE_POLICY) {
        return run_action(workspace, index, inputs);
    }
    workspace.state.trace.actions.push(Action {
        object: Arc::from("System/Process/Event"),
        attributes: Vec::new(),
        method: Arc::from(ENFORCE_POLICY),
        location: Location::Builtin,
        inputs: inputs.clone(),
        result: "ok",
    });
    workspace.state.effects.push(Effect::Builtin {
        name: Arc::from(ENFORCE_POLICY),
        inputs: inputs.into_iter().collect(),
    });
    Ok(())
}

fn run_action(workspace: &mut Workspace, root: usize, inputs: Vec<(Arc<str>, Value)>) -> Ae<()> {
    let entry = EVENT_ENTRY.as_ref().map_err(Clone::clone)?;
    let Scheme::Datastore(path) = &entry.scheme else {
        return Ok(());
    };
    let arguments = inputs
        .into_iter()
        .map(|(key, value)| (key, Argument::Literal(value)));
    let call = MethodCall {
        class: None,
        name: Arc::from(ENFORCE_POLICY),
        arguments: arguments.collect(),
    };
    workspace.state.stack.push(Frame {
        path: path.clone(),
        message: CREATE.clone(),
        object: root,
        method: None,
    });
    let result = workspace.call_method(root, &call);
    workspace.state.stack.pop();
    result.map(|_| ())
}

/// `retry`: adds to the delivery whatever the next run needs.
pub(crate) fn retry(workspace: &mut Workspace, delivery: &mut Delivery) {
    let Some(root) = root(workspace) else { return };
    let result = attribute(root, "ae_result").to_string();
    if !result.eq_ignore_ascii_case("retry") {
        return;
    }
    let kept = KEPT.map(|key| (Arc::from(key), attribute(root, key)));
    let kept = kept.into_iter().filter(|(_, value)| !value.is_null());
    match duration::of_value(&attribute(root, "ae_retry_interval")) {
        Ok(after) => {
            delivery.retry = Some(Retry {
                after,
                server_affinity: attribute(root, "ae_retry_server_affinity").is_truthy(),
                machines: workspace.state.machines.saved.clone(),
                state_vars: workspace.state.state_vars.clone(),
                root: kept
                    .map(|(key, value)| (key, Arc::from(value.to_string())))
                    .collect(),
            });
        }
        Err(mut error) => {
            error.path = root.name.to_string();
            error.message = format!("the root's `ae_retry_interval`: {}", error.message);
            workspace.list(&mut error, true);
            delivery.errors.append(&mut workspace.state.errors);
        }
    }
}
