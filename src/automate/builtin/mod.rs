//! The table of builtin methods (reference 6.6). What would act outside the run becomes an effect.

mod event;
mod parse;
mod refresh;
mod subject;
mod wait;

use std::sync::Arc;

use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::field::Messages;
use crate::automate::field::SchemaField;
use crate::automate::workspace::Workspace;
use crate::model::delivery::Effect;
use crate::model::json;
use crate::model::value::Value;
use crate::model::value::ValueMap;

/// What a builtin is given: workspace, calling object, its own name, inputs.
type Builtin = fn(&mut Workspace, usize, &str, &ValueMap) -> Ae<Value>;

/// One row of the table.
struct Row {
    name: &'static str,
    run: Builtin,
    /// Whether the effect is only recorded, so that an action script of the same name takes its place.
    is_handed_on: bool,
}

const fn row(name: &'static str, run: Builtin) -> Row {
    Row {
        name,
        run,
        is_handed_on: false,
    }
}

const fn handed_on(name: &'static str, run: Builtin) -> Row {
    Row {
        name,
        run,
        is_handed_on: true,
    }
}

/// All 21 builtins of the reference.
const TABLE: [Row; 21] = [
    row("log_object", log_object),
    row("log_workspace", log_workspace),
    handed_on("send_email", send_email),
    handed_on("snmp_trap_v1", recorded),
    handed_on("snmp_trap_v2", recorded),
    row("parse_provider_category", parse::provider_category),
    row("parse_automation_request", parse::automation_request),
    row("parse_event_stream", parse::event_stream),
    handed_on("host_and_storage_least_utilized", least_utilized),
    row("refresh", refresh::refresh),
    row("refresh_sync", refresh::refresh_sync),
    row("event_action_refresh", refresh::action_refresh),
    row("event_action_refresh_sync", refresh::action_refresh_sync),
    handed_on("event_action_policy", event::policy),
    handed_on("event_action_scan", event::on_known),
    handed_on("src_vm_as_template", event::as_template),
    handed_on("change_event_target_state", event::change_state),
    handed_on("src_vm_destroy_all_snapshots", event::on_known),
    row("src_vm_disconnect_storage", |_, _, _, _| Ok(Value::Null)),
    handed_on("event_enforce_policy", event::enforce_policy),
    row("check_policy_prevent", event::check_policy_prevent),
];

fn find(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}

/// Whether there is a builtin of this lower-case name.
pub(crate) fn is_known(name: &str) -> bool {
    find(name).is_some()
}

/// The names of all builtins.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|row| row.name)
}

/// Whether an action script of the same name takes the builtin's place.
pub(crate) fn is_handed_on(name: &str) -> bool {
    find(name).is_some_and(|row| row.is_handed_on)
}

/// Calls a builtin.
pub(crate) fn call(
    workspace: &mut Workspace,
    object: usize,
    name: &str,
    inputs: &[(Arc<str>, Value)],
) -> Ae<Value> {
    let row = find(name).ok_or_else(|| {
        let help = crate::source::suggest::did_you_mean(name, names());
        let help = if help.is_empty() {
            help
        } else {
            format!("; {help}")
        };
        AeError::engine("MethodNotFound", format!("there is no builtin `{name}`{help}"))
    })?;
    let inputs: ValueMap = inputs.iter().cloned().collect();
    (row.run)(workspace, object, name, &inputs)
}

/// The inputs of the methods that every object has (1.4).
pub(crate) fn object_inputs(name: &str) -> Arc<[SchemaField]> {
    if name != "send_email" {
        return Arc::new([]);
    }
    let input = |(index, name): (i64, &str)| SchemaField {
        name: Arc::from(name),
        key: Arc::from(name),
        aetype: None,
        datatype: Some(Arc::from(if matches!(name, "cc" | "bcc") {
            "array"
        } else {
            "string"
        })),
        is_coalescing: false,
        priority: Some(index),
        substitute: true,
        messages: Messages::parse(""),
        default: None,
        collect: None,
        steps: None,
        line: 0,
        inherited_from: None,
    };
    (1..).zip(["to", "from", "subject", "body"]).map(input).collect()
}

/// Logs the attributes of the calling object, sorted by key.
fn log_object(workspace: &mut Workspace, object: usize, _: &str, _: &ValueMap) -> Ae<Value> {
    if let Some(object) = workspace.object(object) {
        let attributes: ValueMap = object.attributes.iter().cloned().collect();
        let attributes = Value::Map(Arc::new(attributes));
        tracing::info!(object = %object.name, %attributes, "Logged an object.");
    }
    Ok(Value::Bool(true))
}

/// Logs the whole run as XML, one line.
fn log_workspace(workspace: &mut Workspace, _: usize, _: &str, _: &ValueMap) -> Ae<Value> {
    let roots = crate::automate::xml::workspace(workspace);
    tracing::info!(workspace = %roots, "Logged the workspace.");
    Ok(Value::Bool(true))
}

fn send_email(workspace: &mut Workspace, _: usize, _: &str, inputs: &ValueMap) -> Ae<Value> {
    let email = json::to_value(inputs).unwrap_or_default();
    workspace.state.effects.push(Effect::Outside {
        action: json::json!({ "email": email }),
    });
    Ok(Value::Bool(true))
}

/// An effect that is recorded, for a site to handle with an action script of this name.
fn recorded(workspace: &mut Workspace, _: usize, name: &str, inputs: &ValueMap) -> Ae<Value> {
    workspace.state.effects.push(Effect::Builtin {
        name: Arc::from(name),
        inputs: inputs.clone(),
    });
    workspace.state.note = Some(format!(
        "recorded; an action script scripts/actions/{name}.rhai would carry it out"
    ));
    Ok(Value::Bool(true))
}

fn least_utilized(workspace: &mut Workspace, object: usize, name: &str, inputs: &ValueMap) -> Ae<Value> {
    if workspace.root_attribute("miq_provision").is_null() {
        return Err(AeError::engine(
            "MethodParmMissing",
            "the root has no `miq_provision`",
        ));
    }
    recorded(workspace, object, name, inputs)
}
