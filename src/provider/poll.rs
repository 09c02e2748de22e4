//! How a provider's events API is asked: the request that `poll_request` describes, what `events` finds in an answer.
//!
//! Knows nothing of sockets and nothing of credentials: a script says where they go, the host puts them there.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::model::json;
use crate::model::json::json;
use crate::model::json::without_mark;

pub use crate::model::api_call::ApiAnswer as PollResponse;
pub use crate::model::api_call::ApiCall as PollRequest;
use crate::model::ems::Ems;
use crate::model::json::elements;
use crate::model::json::members;
use crate::model::odd_bytes::has_stand_ins;
use crate::provider::ParseError;
use crate::provider::Provider;
use crate::script::AnswerError;
use crate::script::Document;
use crate::script::PageEvent;
use crate::script::Reading;
use crate::script::Returned;
use crate::script::Script;
use crate::script::ScriptHost;

/// How deep in an answer its lists of events are looked for, to keep the events byte for byte.
const DEPTH: usize = 3;

/// What `events` found in an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PollAnswer {
    /// The events as JSON texts: as they came where the script took them as they were. One of which a part could not be
    /// read is no JSON.
    pub events: Vec<Arc<str>>,
    /// Whether characters in them stand for bytes that are no UTF-8.
    pub has_odd_bytes: bool,
    /// Where to ask from next; nothing keeps the old one.
    pub cursor: Option<json::Value>,
    /// Whether there is another page now.
    pub more: bool,
    /// Why events are missing before these, where they are: the provider holds them no longer.
    pub gap: Option<String>,
}

/// What the script returned beside the events.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    #[serde(default)]
    cursor: json::Value,
    #[serde(default)]
    more: Option<bool>,
    #[serde(default)]
    gap: Option<String>,
}

/// What `poll_request` returned. A key that means nothing here may have meant something to whoever wrote it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    path: String,
    #[serde(default)]
    query: Option<BTreeMap<String, json::Value>>,
    #[serde(default)]
    headers: Option<BTreeMap<String, json::Value>>,
}

impl Provider {
    /// Its `stream.rhai`, where that knows how to poll.
    pub(crate) fn poll_script(&self) -> Option<&Script> {
        self.stream
            .as_ref()
            .filter(|stream| stream.defines("poll_request", 2) && stream.defines("events", 1))
    }

    /// The next request, as `poll_request(ems, cursor)` says.
    ///
    /// # Errors
    /// When the script fails or returns a wrong shape.
    pub(crate) fn poll_request(
        &self,
        host: &ScriptHost,
        script: &Script,
        ems: &Ems,
        page_size: usize,
        cursor: Option<&json::Value>,
    ) -> Result<PollRequest, ParseError> {
        // Where the credentials are is no business of a script, only whether there are any.
        let ems = json!({
            "id": ems.id, "name": ems.name, "type": ems.provider, "url": ems.url,
            "has_credentials": ems.credentials.is_some(), "page_size": page_size,
        });
        let cursor = cursor.cloned().unwrap_or_default();
        let arguments = vec![document(&ems.to_string())?, document(&cursor.to_string())?];
        let returned = host.call_with_documents(script, "poll_request", &arguments)?;
        returned.refuse_rounded(&["query", "headers"])?;
        let asked: Asked = read(&returned, &returned.document_text()?)?;
        let pairs = |map: Option<BTreeMap<String, json::Value>>| {
            let filled = map.unwrap_or_default().into_iter();
            let pair = |(name, value): (String, json::Value)| match value {
                json::Value::Null => Ok(None),
                json::Value::String(text) => Ok(Some((name, text))),
                json::Value::Number(number) => Ok(Some((name, number.to_string()))),
                json::Value::Bool(flag) => Ok(Some((name, flag.to_string()))),
                other => Err(returned.wrong(&format!("`{name}` has to be a text, it returned `{other}`"))),
            };
            filled
                .map(pair)
                .filter_map(Result::transpose)
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(PollRequest {
            query: pairs(asked.query)?,
            headers: pairs(asked.headers)?,
            path: asked.path,
        })
    }

    /// What `events(response)` finds in an answer to what was asked for with `cursor`. An event of which a part cannot
    /// be read is there as it was written. `is_light`: the script does not see what is large.
    ///
    /// # Errors
    /// When the answer is no JSON at all, or the script fails or returns a wrong shape.
    pub(crate) fn poll_answer(
        &self,
        host: &ScriptHost,
        script: &Script,
        cursor: Option<&json::Value>,
        response: &PollResponse,
        is_light: bool,
    ) -> Result<PollAnswer, ParseError> {
        let head = json!({"status": response.status, "headers": response.headers, "cursor": cursor});
        let body = without_mark(&response.body).trim();
        let reading = Reading {
            has_odd_bytes: response.has_odd_bytes,
            light: is_light,
        };
        let returned = host.call_with_answer(script, "events", &head.to_string(), body, reading)?;
        returned.refuse_rounded(&["cursor"])?;
        let (page, returned) = returned.into_page()?;
        let found: Found = read(&returned, &page.rest)?;
        if response.has_odd_bytes && has_stand_ins(&page.rest) {
            return Err(returned.wrong("what is beside the events is no UTF-8").into());
        }
        let as_they_came = as_they_came(body);
        let event = |event: PageEvent| {
            event.unread.unwrap_or_else(|| {
                let came = as_they_came.get(&event.json).copied();
                Arc::from(came.unwrap_or(&event.json))
            })
        };
        Ok(PollAnswer {
            events: page.events.into_iter().map(event).collect(),
            has_odd_bytes: response.has_odd_bytes,
            cursor: Some(found.cursor).filter(|cursor| !cursor.is_null()),
            more: found.more.unwrap_or(false),
            gap: found.gap.filter(|why| !why.trim().is_empty()),
        })
    }
}

impl From<AnswerError> for ParseError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Json(why) => Self::Json(why),
            AnswerError::Script(error) => Self::Script(error),
        }
    }
}

fn document(json: &str) -> Result<Document, ParseError> {
    Document::parse(json).map_err(|error| ParseError::Json(error.to_string()))
}

fn read<'a, T: Deserialize<'a>>(returned: &Returned, text: &'a str) -> Result<T, ParseError> {
    let found = serde_json::from_str(text);
    found.map_err(|error| {
        let error = error.to_string();
        let reason = error.split(" at line ").next().unwrap_or_default();
        ParseError::Script(returned.wrong(&format!("it returned a wrong shape: {reason}")))
    })
}

/// The items of the lists in an answer as they came, by the text that a script's view of them has: a view orders its
/// keys anew and knows each of them once, and what is stored must not.
fn as_they_came(body: &str) -> HashMap<String, &str> {
    let mut items = HashMap::new();
    gather(body, DEPTH, &mut items);
    items
}

fn gather<'a>(text: &'a str, depth: usize, items: &mut HashMap<String, &'a str>) {
    if depth == 0 {
        return;
    }
    if let Ok(list) = elements(text) {
        for item in list {
            if let Ok(view) = Document::parse(item) {
                items.insert(view.to_json(), item);
            }
        }
    } else if let Ok(map) = members(text) {
        for (_key, value) in map {
            gather(value, depth - 1, items);
        }
    }
}
