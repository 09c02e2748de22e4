//! An effect as an HTTP request: the same bytes and the same key in every attempt.

use http::HeaderName;
use http::HeaderValue;
use http::Request;
use http::header;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;

use crate::handler::outbox::verdict::Trouble;
use crate::handler::outbox::verdict::revealed;
use crate::model::clock::Timestamp;
use crate::model::json::Map;
use crate::model::json::Value;
use crate::outbound;
use crate::outbound::Body;
use crate::outbound::Client;
use crate::outbound::CloudEvent;
use crate::outbound::HttpCall;
use crate::outbound::Reply;
use crate::settings::OutboxSettings;
use crate::vmdb::OutboxEntry;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// How much of an answer nobody expected is told, in bytes.
const TOLD: usize = 200;

/// The request of an effect.
pub(crate) fn prepare(
    call: &HttpCall,
    entry: &OutboxEntry,
    settings: &OutboxSettings,
) -> Result<Request<Vec<u8>>, Trouble> {
    let url = revealed(&call.url, settings)?;
    let (content_type, body) = body(call, entry);
    let request = Request::builder()
        .method(call.method.clone())
        .uri(&url)
        .body(body);
    // The error would show the URL, which may be a secret.
    let mut request = request.map_err(|_error| Trouble::Lasting("`http.url` is no URL".to_owned()))?;
    let headers = request.headers_mut();
    if let Some(content_type) = content_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    for (name, value) in &call.headers {
        let (name, mut value) = outbound::header(name, &revealed(value, settings)?)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    let key = HeaderValue::try_from(&entry.idempotency_key);
    let key = key.map_err(|_error| Trouble::Lasting("the idempotency key is damaged".to_owned()))?;
    headers.insert(KEY, key);
    Ok(request)
}

/// Sends it; when this returns, the request is out and the head of the answer is there.
pub(crate) fn send(client: &Client, request: Request<Vec<u8>>) -> Result<Reply, Trouble> {
    Ok(client.send(request)?)
}

/// What the answer means.
pub(crate) fn answered(call: &HttpCall, reply: Reply, now: Timestamp) -> Result<String, Trouble> {
    let status = reply.status();
    let is_expected = match call.expected.as_slice() {
        [] => status.is_success(),
        expected => expected.contains(&status.as_u16()),
    };
    if is_expected {
        return Ok(format!("HTTP {status}"));
    }
    let mut why = format!("the receiver answered HTTP {status}");
    if status.is_redirection() {
        why.push_str(", and redirects are not followed");
    }
    let after = outbound::retry_after(reply.headers(), now);
    if let Ok(body) = reply.read() {
        let text = String::from_utf8_lossy(body.get(..TOLD).unwrap_or(&body)).into_owned();
        if !text.trim().is_empty() {
            why.push_str(": ");
            why.push_str(text.trim());
        }
    }
    Err(Trouble::Passing { why, after })
}

fn body(call: &HttpCall, entry: &OutboxEntry) -> (Option<&'static str>, Vec<u8>) {
    match &call.body {
        Body::Empty => (None, Vec::new()),
        Body::Text(text) => (Some("text/plain; charset=utf-8"), text.clone().into_bytes()),
        Body::Json(json) => (Some("application/json"), json.to_string().into_bytes()),
        Body::CloudEvent(event) => (
            Some("application/cloudevents+json"),
            cloud_event(event, entry).to_string().into_bytes(),
        ),
    }
}

/// CloudEvents 1.0, structured: nothing in it changes from one attempt to the next.
fn cloud_event(event: &CloudEvent, entry: &OutboxEntry) -> Value {
    let ems = entry.event.as_ref().and_then(|event| event.ems.as_ref());
    let manager = ems.map_or("-", |ems| &ems.name);
    let source = event
        .source
        .clone()
        .unwrap_or_else(|| format!("/switchboard/{}", utf8_percent_encode(manager, NON_ALPHANUMERIC)));
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| drop(map.insert(key.to_owned(), value));
    put("specversion", "1.0".into());
    put("id", entry.idempotency_key.clone().into());
    put("source", source.into());
    put("type", event.kind.clone().into());
    if let Some(subject) = &event.subject {
        put("subject", subject.clone().into());
    }
    put("time", entry.created_at.to_string().into());
    if let Some(data) = &event.data {
        put("datacontenttype", "application/json".into());
        put("data", data.clone());
    }
    Value::Object(map)
}
