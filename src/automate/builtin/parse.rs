//! Builtins that read the root and set attributes: category, request, path of the event.

use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::workspace::Workspace;
use crate::model::value::Value;
use crate::model::value::ValueMap;

/// Root attributes that tell the category, in the order in which they are asked.
const SOURCES: [&str; 10] = [
    "vm",
    "orchestration_stack",
    "miq_request",
    "miq_provision",
    "vm_migrate_task",
    "vm_retire_task",
    "service_retire_task",
    "orchestration_stack_retire_task",
    "physical_server_provision_task",
    "platform_category",
];

/// Sets the root's `ae_provider_category`.
pub(crate) fn provider_category(workspace: &mut Workspace, _: usize, _: &str, _: &ValueMap) -> Ae<Value> {
    let found = SOURCES.into_iter().find_map(|key| {
        let value = workspace.root_attribute(key);
        if value.is_null() {
            None
        } else {
            category(key, &value)
        }
    });
    workspace.set_root_attribute(
        "ae_provider_category",
        Value::text(found.unwrap_or_else(|| "unknown".to_owned())),
    );
    Ok(Value::Bool(true))
}

fn category(key: &str, value: &Value) -> Option<String> {
    let column = |value: &Value, name: &str| match value {
        Value::Record(record) => record.column(name),
        Value::Map(map) => map.get(name).cloned(),
        _other => None,
    };
    let of_vm = |vm: &Value| {
        let is_cloud = column(vm, "cloud").is_some_and(|cloud| cloud.is_truthy())
            || column(vm, "type").is_some_and(|class| class.to_string().contains("Cloud"));
        if is_cloud { "cloud" } else { "infrastructure" }.to_owned()
    };
    match key {
        "vm" => Some(of_vm(value)),
        "orchestration_stack" | "orchestration_stack_retire_task" => Some("cloud".to_owned()),
        "service_retire_task" => Some(String::new()),
        "physical_server_provision_task" => Some("physicalinfrastructure".to_owned()),
        "platform_category" => Some(match value.to_string() {
            infra if infra == "infra" => "infrastructure".to_owned(),
            other => other,
        }),
        _request => column(value, "source")
            .filter(|source| !source.is_null())
            .map(|source| of_vm(&source)),
    }
}

/// `request` to component, class and instance, with the category where one is implied.
const REQUESTS: [(&str, &str, &str, &str, Option<&str>); 9] = [
    ("vm_provision", "VM", "Lifecycle", "Provisioning", None),
    ("vm_retired", "VM", "Lifecycle", "Retirement", None),
    ("vm_retire", "VM", "Lifecycle", "Retirement", None),
    ("vm_migrate", "VM", "Lifecycle", "Migrate", None),
    ("service_retire", "Service", "Lifecycle", "Retirement", None),
    (
        "orchestration_stack_retire",
        "Orchestration",
        "Lifecycle",
        "Retirement",
        None,
    ),
    (
        "configured_system_provision",
        "Configured_System",
        "Lifecycle",
        "Provisioning",
        Some("infrastructure"),
    ),
    (
        "physical_server_provision",
        "PhysicalServer",
        "Lifecycle",
        "Provisioning",
        None,
    ),
    (
        "provision_via_automation_manager",
        "AutomationManager",
        "Lifecycle",
        "Provisioning",
        Some("AutomationManagement"),
    ),
];

/// Sets `target_component`, `target_class` and `target_instance` of the calling object from its `request`.
pub(crate) fn automation_request(
    workspace: &mut Workspace,
    object: usize,
    _: &str,
    _: &ValueMap,
) -> Ae<Value> {
    let Some(calling) = workspace.object_mut(object) else {
        return Ok(Value::Null);
    };
    let request = calling
        .attribute("request")
        .map(ToString::to_string)
        .unwrap_or_default();
    let row = REQUESTS.iter().find(|(name, ..)| *name == request);
    let part = |part: Option<&str>| part.map_or(Value::Null, Value::text);
    calling.set("target_component", part(row.map(|row| row.1)));
    calling.set("target_class", part(row.map(|row| row.2)));
    calling.set("target_instance", part(row.map(|row| row.3)));
    if let Some(category) = row.and_then(|row| row.4) {
        workspace.set_root_attribute("ae_provider_category", Value::text(category));
    }
    Ok(Value::Bool(true))
}

/// Sets the root's `event_path`.
pub(crate) fn event_stream(workspace: &mut Workspace, _: usize, name: &str, _: &ValueMap) -> Ae<Value> {
    let Value::Record(event) = workspace.root_attribute("event_stream") else {
        return Err(AeError::engine(
            "MethodParmMissing",
            format!("`{name}` needs an event, and the root has no `event_stream`"),
        ));
    };
    let column = |name: &str| {
        event
            .column(name)
            .filter(|value| !value.is_blank())
            .map(|value| value.to_string())
    };
    let class = column("event_namespace").unwrap_or_else(|| event.class().to_string());
    let path = if class == "EmsEvent" {
        let known = workspace
            .env
            .event
            .as_ref()
            .and_then(|view| view.event().ems.clone());
        let provider = column("provider_name").or_else(|| known.as_ref().map(|ems| ems.provider.to_string()));
        let manager = column("manager_type").or_else(|| known.as_ref().map(|_| "cloud".to_owned()));
        let (Some(provider), Some(manager)) = (provider, manager) else {
            return Err(AeError::engine(
                "AbortInstantiation",
                "the event's manager is unknown, so it has no path",
            ));
        };
        let manager = match manager.to_lowercase() {
            infra if infra == "infra" => "infrastructure".to_owned(),
            other => other,
        };
        format!("/{provider}/EMSEvent/{manager}/Event")
    } else {
        format!("/System/Event/{class}/{}", column("source").unwrap_or_default())
    };
    workspace.set_root_attribute("event_path", Value::text(path));
    Ok(Value::Bool(true))
}
