//! A page of events: how it is handed to a script, and what the script finds in it.

use std::sync::Arc;

use rhai::Dynamic;
use rhai::Map;

use crate::script::Document;
use crate::script::Reading;
use crate::script::Returned;
use crate::script::Script;
use crate::script::ScriptError;
use crate::script::ScriptHost;
use crate::script::call_function;
use crate::script::convert;
use crate::script::json;
use crate::script::unread;

/// Why there is nothing to be had of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AnswerError {
    /// It is no JSON.
    Json(String),
    /// The script failed over it.
    Script(ScriptError),
}

impl From<ScriptError> for AnswerError {
    fn from(error: ScriptError) -> Self {
        Self::Script(error)
    }
}

/// What a script found in a page.
#[derive(Debug)]
pub(crate) struct Page {
    /// The events.
    pub(crate) events: Vec<PageEvent>,
    /// What it returned besides, as a JSON object.
    pub(crate) rest: String,
}

/// One event of a page.
#[derive(Debug)]
pub(crate) struct PageEvent {
    /// It as JSON, as the script saw it.
    pub(crate) json: String,
    /// Where some of it was not read: the item of the page that this is of, as it was written.
    pub(crate) unread: Option<Arc<str>>,
}

impl ScriptHost {
    /// Calls `events(response)` with what is in `head` and the body of an answer, as far as it can be read, within the
    /// limits of a page.
    ///
    /// # Errors
    /// When the body is no JSON at all, or the script fails or is stopped.
    pub(crate) fn call_with_answer(
        &self,
        script: &Script,
        function: &'static str,
        head: &str,
        body: &str,
        how: Reading,
    ) -> Result<Returned, AnswerError> {
        let no_json = |error: String| AnswerError::Json(error);
        let mut response = json::parse(head).map_err(|error| no_json(error.to_string()))?;
        let body = match body {
            "" => Dynamic::UNIT,
            body => unread::read(body, how).map_err(no_json)?,
        };
        if let Ok(mut map) = response.as_map_mut() {
            map.insert("body".into(), body);
        }
        let response = Document::from(response).whole();
        let (engine, _) = self.collecting();
        let value = self.guarded_by(engine, &self.limits.of_a_page(), script, |engine| {
            call_function(engine, script, function, (response,))
        });
        Ok(Returned::new(value?, script, function))
    }
}

impl Returned {
    /// The returned map as a page of events, and what is left to complain about it.
    ///
    /// # Errors
    /// When it is no map, has no list `events`, or something beside them holds what was not read.
    pub(crate) fn into_page(mut self) -> Result<(Page, Self), ScriptError> {
        let value = std::mem::take(&mut self.value).flatten();
        let type_name = value.type_name();
        let Some(mut map) = value.try_cast::<Map>() else {
            return Err(self.wrong(&format!("a map was expected, it returned {type_name}")));
        };
        let events = map.remove("events").unwrap_or(Dynamic::UNIT);
        let Ok(events) = events.as_array_ref() else {
            let found = events.type_name();
            return Err(self.wrong(&format!("`events` has to be a list, it is of type {found}")));
        };
        let rest = Dynamic::from_map(map);
        if let Some(unread) = unread::within(&rest) {
            let (reason, part) = (unread.reason(), convert::clip(unread.whole()));
            return Err(self.wrong(&format!(
                "what is beside the events cannot be read: {reason}: {part}"
            )));
        }
        let event = |event: &Dynamic| PageEvent {
            json: convert::to_json(event),
            unread: unread::within(event).map(|unread| unread.whole().clone()),
        };
        let page = Page {
            events: events.iter().map(event).collect(),
            rest: convert::to_json(&rest),
        };
        Ok((page, self))
    }
}
