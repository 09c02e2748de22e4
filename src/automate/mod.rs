//! The rules: an event goes in, what to do comes out. Never writes anything, knows no tables, queues or clocks.
//!
//! Loaded, a tree is a [`datastore::Datastore`]: everything that can be decided at load is. A run is a
//! [`workspace::Workspace`] over it, entered through `/System/Process/Event`.

mod arguments;
mod assertion;
mod build;
mod builtin;
mod call;
mod chain;
pub(crate) mod check;
mod class_loader;
mod collect;
mod collect_function;
pub(crate) mod datastore;
mod datatype;
pub(crate) mod document;
mod domain_search;
mod duration;
mod embedded;
mod error;
mod evm;
mod expression;
pub(crate) mod field;
mod field_loader;
mod field_text_loader;
mod fields;
mod follow;
mod inheritance;
mod instance_fields;
mod instance_inheritance;
mod instantiate;
mod instances;
pub(crate) mod loader;
mod lookup;
pub(crate) mod masked;
mod method;
mod method_inputs;
mod method_loader;
mod names;
pub(crate) mod records;
mod relationship;
pub(crate) mod secret;
mod state_machine;
mod state_steps;
mod steps;
mod substitution;
mod template;
pub(crate) mod workspace;
mod xml;
mod yaml;

use std::borrow::Cow;
use std::sync::Arc;

use crate::automate::names::CREATE;
use crate::automate::names::EVENT_CONSTANTS;
use crate::automate::names::EVENT_ENTRY;
use crate::automate::names::EVENT_STREAM;
use crate::automate::names::EVENT_TYPE;
use crate::automate::relationship::UriText;
use crate::automate::workspace::Env;
use crate::automate::workspace::Workspace;
use crate::model::ae_path;
use crate::model::delivery::Delivery;
use crate::model::delivery::Effect;
use crate::model::delivery::Retry;
use crate::model::event::EmsEvent;
use crate::model::value::Value;
use crate::script::evm::EventView;

/// What is entered.
pub(crate) enum Entry<'a> {
    /// An event, through `/System/Process/Event`.
    Event(&'a Arc<EventView>),
    /// Any URI, without an event.
    Uri(&'a str),
}

/// Links of an event that become records of the root: id column, class, attribute.
const LINKED: [(&str, &str, &str); 4] = [
    ("vm_or_template_id", "VmOrTemplate", "vm"),
    ("dest_vm_or_template_id", "VmOrTemplate", "dest_vm"),
    ("host_id", "Host", "host"),
    ("dest_host_id", "Host", "dest_host"),
];

/// Runs the rules. `resume` is what an earlier run left that ended in `retry`.
pub(crate) fn deliver(env: Arc<Env>, entry: &Entry<'_>, resume: Option<&Retry>) -> (Delivery, Workspace) {
    let mut workspace = Workspace::new(env);
    let uri = match entry {
        Entry::Event(view) => {
            workspace.state.entry_attributes = event_attributes(&workspace, view.event());
            workspace.state.trace.uri = event_uri(view.event());
            EVENT_ENTRY.as_ref().map(Cow::Borrowed).map_err(Clone::clone)
        }
        Entry::Uri(uri) => {
            workspace.state.trace.uri = Arc::from(*uri);
            UriText::plain(uri).prepare().map(Cow::Owned)
        }
    };
    if let Some(retry) = resume {
        workspace.state.machines.saved.clone_from(&retry.machines);
        workspace.state.state_vars.clone_from(&retry.state_vars);
        let root = retry
            .root
            .iter()
            .map(|(key, text)| (key.clone(), Value::Text(text.clone())));
        workspace.state.entry_attributes.extend(root);
    }
    workspace.state.trace.steps.reserve(16);
    workspace.state.fired.reserve(8);
    let result = uri.and_then(|uri| workspace.instantiate(&uri, &CREATE, None));
    let is_whole = match result {
        Ok(_) => true,
        Err(mut error) => {
            workspace.list(&mut error, true);
            false
        }
    };
    let mut delivery = Delivery {
        trace: std::mem::take(&mut workspace.state.trace),
        errors: std::mem::take(&mut workspace.state.errors),
        effects: std::mem::take(&mut workspace.state.effects),
        retry: None,
        fired: std::mem::take(&mut workspace.state.fired),
    };
    if is_whole {
        finish(&mut workspace, entry, &mut delivery);
    } else {
        // The effects of a run that was left come together or not at all.
        delivery.effects.clear();
    }
    (delivery, workspace)
}

/// What the result of the run asks for (8.3, 8.6).
fn finish(workspace: &mut Workspace, entry: &Entry<'_>, delivery: &mut Delivery) {
    let Some(root) = workspace.root().and_then(|root| workspace.object(root)) else {
        return;
    };
    let attribute = |key: &str| root.attribute(key).cloned().unwrap_or_default();
    let result = attribute("ae_result").to_string();
    let root_name = root.name.to_string();
    if result.eq_ignore_ascii_case("retry") {
        let kept = [
            "ae_state",
            "ae_state_started",
            "ae_state_retries",
            "ae_fsm_started",
        ];
        let kept = kept
            .into_iter()
            .map(|key| (Arc::from(key), attribute(key)))
            .filter(|(_, value)| !value.is_null());
        match duration::of_value(&attribute("ae_retry_interval")) {
            Ok(after) => {
                delivery.retry = Some(Retry {
                    after,
                    server_affinity: attribute("ae_retry_server_affinity").is_truthy(),
                    machines: workspace.state.machines.saved.clone(),
                    state_vars: workspace.state.state_vars.clone(),
                    root: kept
                        .map(|(key, value)| (key, Arc::from(value.to_string())))
                        .collect(),
                });
            }
            Err(mut error) => {
                error.path = root_name;
                error.message = format!("the root's `ae_retry_interval`: {}", error.message);
                workspace.list(&mut error, true);
                delivery.errors.append(&mut workspace.state.errors);
            }
        }
    } else if let (Some(query), Entry::Event(_)) = (result.strip_prefix("miqpeca:"), entry) {
        let inputs = ae_path::query_to_pairs(query.split_once('?').map_or("", |(_, query)| query));
        let inputs = inputs
            .into_iter()
            .map(|(key, value)| (Arc::from(key), Value::text(value)))
            .collect();
        delivery.effects.push(Effect::Builtin {
            name: Arc::from("event_enforce_policy"),
            inputs,
        });
    }
}

/// The attributes of the root (8.2, 8.4).
fn event_attributes(workspace: &Workspace, event: &Arc<EmsEvent>) -> Vec<(Arc<str>, Value)> {
    let mut attributes: Vec<(Arc<str>, Value)> = Vec::with_capacity(8);
    attributes.push((EVENT_TYPE.clone(), Value::Text(event.hash.event_type.clone())));
    attributes.push((EVENT_STREAM.clone(), Value::Record(event.clone())));
    attributes.extend_from_slice(&*EVENT_CONSTANTS);
    let mut add = |key: &str, value: Value| attributes.push((Arc::from(key), value));
    if let Some(id) = event.id {
        let id = Value::text(id.0.to_string());
        add("event_id", id.clone());
        add("event_stream_id", id);
    }
    for (column, class, name) in LINKED {
        let Some(id) = event.links.get(column) else {
            continue;
        };
        add(&format!("{name}_id"), Value::text(id.to_string()));
        if let Some(record) = workspace.env.records.find(class, *id) {
            add(name, Value::Record(record));
        }
    }
    attributes
}

fn event_uri(event: &EmsEvent) -> Arc<str> {
    let id = event.id.map(|id| Cow::from(id.0.to_string()));
    let mut pairs: Vec<(&str, Cow<'_, str>)> = vec![
        ("event_type", Cow::from(&*event.hash.event_type)),
        ("object_name", Cow::from("Event")),
        ("vmdb_object_type", Cow::from("event_stream")),
    ];
    if let Some(id) = id {
        pairs.push(("EventStream::event_stream", id.clone()));
        pairs.push(("event_id", id.clone()));
        pairs.push(("event_stream_id", id));
    }
    Arc::from(["/System/Process/Event?", &ae_path::pairs_to_query(pairs)].concat())
}
