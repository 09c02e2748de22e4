//! How a provider's events API is asked: the request that `poll_request` describes, what `events` finds in an answer.
//!
//! Knows nothing of sockets and nothing of credentials: a script says where they go, the host puts them there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

pub use crate::model::api_call::ApiAnswer as PollResponse;
pub use crate::model::api_call::ApiCall as PollRequest;
use crate::model::ems::Ems;
use crate::provider::ParseError;
use crate::provider::Provider;
use crate::script::Document;
use crate::script::Returned;
use crate::script::Script;
use crate::script::ScriptHost;

/// How deep in an answer its lists of events are looked for, to keep the events byte for byte.
const DEPTH: usize = 3;

/// What `events` found in an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PollAnswer {
    /// The events as JSON texts: as they came where the script took them as they were.
    pub events: Vec<Arc<str>>,
    /// Where to ask from next; nothing keeps the old one.
    pub cursor: Option<serde_json::Value>,
    /// Whether there is another page now.
    pub more: bool,
    /// Why events are missing before these, where they are: the provider holds them no longer.
    pub gap: Option<String>,
}

/// What the script returned.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Found<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    #[serde(default)]
    cursor: serde_json::Value,
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
    query: Option<BTreeMap<String, serde_json::Value>>,
    #[serde(default)]
    headers: Option<BTreeMap<String, serde_json::Value>>,
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
        cursor: Option<&serde_json::Value>,
    ) -> Result<PollRequest, ParseError> {
        // Where the credentials are is no business of a script, only whether there are any.
        let ems = json!({
            "id": ems.id, "name": ems.name, "type": ems.provider, "url": ems.url,
            "has_credentials": ems.credentials.is_some(), "page_size": page_size,
        });
        let cursor = cursor.cloned().unwrap_or_default();
        let arguments = vec![document(&ems.to_string())?, document(&cursor.to_string())?];
        let returned = host.call_with_documents(script, "poll_request", &arguments)?;
        let asked: Asked = read(&returned, &returned.document_text()?)?;
        let pairs = |map: Option<BTreeMap<String, serde_json::Value>>| {
            let filled = map.unwrap_or_default().into_iter();
            let pair = |(name, value): (String, serde_json::Value)| match value {
                serde_json::Value::Null => Ok(None),
                serde_json::Value::String(text) => Ok(Some((name, text))),
                serde_json::Value::Number(number) => Ok(Some((name, number.to_string()))),
                serde_json::Value::Bool(flag) => Ok(Some((name, flag.to_string()))),
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

    /// What `events(response)` finds in an answer to what was asked for with `cursor`.
    ///
    /// # Errors
    /// When the answer is no JSON, or the script fails or returns a wrong shape.
    pub(crate) fn poll_answer(
        &self,
        host: &ScriptHost,
        script: &Script,
        cursor: Option<&serde_json::Value>,
        response: &PollResponse,
    ) -> Result<PollAnswer, ParseError> {
        let body: Option<&RawValue> = match response.body.trim() {
            "" => None,
            text => Some(serde_json::from_str(text).map_err(|error| ParseError::Json(error.to_string()))?),
        };
        let seen = json!({"status": response.status, "headers": response.headers, "cursor": cursor});
        let seen = seen.to_string();
        let (head, _brace) = seen.split_at(seen.len() - 1);
        let text = format!("{head},\"body\":{}}}", body.map_or("null", RawValue::get));
        let returned = host.call_with_documents(script, "events", &[document(&text)?])?;
        let text = returned.document_text()?;
        let found: Found<'_> = read(&returned, &text)?;
        let as_they_came = body.map(as_they_came).unwrap_or_default();
        let event = |event: &RawValue| {
            let came = as_they_came.get(event.get()).copied();
            Arc::from(came.unwrap_or_else(|| event.get()))
        };
        Ok(PollAnswer {
            events: found.events.into_iter().map(event).collect(),
            cursor: Some(found.cursor).filter(|cursor| !cursor.is_null()),
            more: found.more.unwrap_or(false),
            gap: found.gap.filter(|why| !why.trim().is_empty()),
        })
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
/// keys anew and rounds long numbers, and what is stored must not.
fn as_they_came(body: &RawValue) -> HashMap<String, &str> {
    let mut items = HashMap::new();
    gather(body, DEPTH, &mut items);
    items
}

fn gather<'a>(value: &'a RawValue, depth: usize, items: &mut HashMap<String, &'a str>) {
    if depth == 0 {
        return;
    }
    if let Ok(list) = serde_json::from_str::<Vec<&'a RawValue>>(value.get()) {
        for item in list {
            if let Ok(view) = Document::parse(item.get()) {
                items.insert(view.to_json(), item.get());
            }
        }
    } else if let Ok(map) = serde_json::from_str::<HashMap<Cow<'a, str>, &'a RawValue>>(value.get()) {
        for value in map.into_values() {
            gather(value, depth - 1, items);
        }
    }
}
