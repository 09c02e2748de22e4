//! Which event a builtin acts for, and which of its objects a word names.

use std::sync::Arc;

use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::workspace::Workspace;
use crate::model::association;
use crate::model::event::EmsEvent;
use crate::model::event::EventClass;
use crate::model::value::Record;

/// The event of the run, of whatever class.
pub(crate) fn event(workspace: &Workspace, name: &str) -> Ae<Arc<EmsEvent>> {
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

/// The object that a word names: one of the event, or one of the first event of its chain.
pub(crate) struct Named<'a> {
    /// The word without `first_chained_`.
    pub(crate) word: &'a str,
    /// Whose object is meant.
    pub(crate) event: Arc<EmsEvent>,
    /// Why it is not the event that was named.
    pub(crate) why: Option<&'static str>,
}

/// Whose object a word names.
pub(crate) fn named<'a>(workspace: &Workspace, event: &Arc<EmsEvent>, word: &'a str) -> Named<'a> {
    let Some(bare) = word.strip_prefix("first_chained_") else {
        let event = event.clone();
        return Named {
            word,
            event,
            why: None,
        };
    };
    let first = workspace.env.records.first_of_chain(event);
    let why = first
        .is_none()
        .then_some("the first event of its chain is not known, so this event stands for it");
    let event = first.unwrap_or_else(|| event.clone());
    Named {
        word: bare,
        event,
        why,
    }
}

impl Named<'_> {
    /// The record of the object, where inventory knows it.
    pub(crate) fn record(&self, workspace: &Workspace) -> Option<(Arc<dyn Record>, i64)> {
        let association = association::find(self.word)?;
        let id = *self.event.links.get(association.column)?;
        let record = workspace.env.records.find(association.class, id)?;
        Some((record, id))
    }
}
