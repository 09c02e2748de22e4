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
mod domain_loader;
mod domain_search;
mod duration;
mod embedded;
mod error;
mod event_entry;
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
mod instances;
mod instantiate;
pub(crate) mod loader;
mod lookup;
pub(crate) mod masked;
mod method;
mod method_inputs;
mod method_loader;
mod names;
mod object_file;
pub(crate) mod records;
mod relationship;
mod run_result;
pub(crate) mod secret;
mod state_machine;
mod state_steps;
mod steps;
mod substitution;
mod template;
pub(crate) mod workspace;
mod xml;

use std::borrow::Cow;
use std::sync::Arc;

use crate::automate::names::CREATE;
use crate::automate::names::EVENT_ENTRY;
use crate::automate::relationship::UriText;
use crate::automate::workspace::Env;
use crate::automate::workspace::Workspace;
use crate::model::delivery::Delivery;
use crate::model::delivery::Retry;
use crate::model::value::Value;
use crate::script::evm::EventView;

/// What is entered.
pub(crate) enum Entry<'a> {
    /// An event, through `/System/Process/Event`.
    Event(&'a Arc<EventView>),
    /// Any URI, without an event.
    Uri(&'a str),
}

/// Runs the rules. `resume` is what an earlier run left that ended in `retry`.
pub(crate) fn deliver(env: Arc<Env>, entry: &Entry<'_>, resume: Option<&Retry>) -> (Delivery, Workspace) {
    let mut workspace = Workspace::new(env);
    let uri = match entry {
        Entry::Event(view) => {
            let entry = event_entry::of(view.event(), &*workspace.env.records);
            workspace.state.entry_attributes = entry.attributes;
            workspace.state.trace.uri = entry.uri;
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
    let result = result.and_then(|_| run_result::enforce_policy(&mut workspace));
    let is_whole = match result {
        Ok(()) => true,
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
        run_result::retry(&mut workspace, &mut delivery);
    } else {
        // The effects of a run that was left come together or not at all.
        delivery.effects.clear();
    }
    (delivery, workspace)
}
