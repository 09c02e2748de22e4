//! The description of an HTTP request: where to, with which headers, carrying what.

use http::Method;

use crate::model::json::Value;
use crate::model::origin::Origin;
use crate::outbound::OutsideError;
use crate::outbound::client::header;
use crate::outbound::dot_segments::dot_segment;
use crate::outbound::value::Part;
use crate::outbound::value::SecretText;
use crate::outbound::value::line;
use crate::outbound::value::secret_text;
use crate::outbound::value::text;
use crate::outbound::value::wrong;

const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];
/// Told by us, the same in every attempt.
const KEY_HEADER: &str = "idempotency-key";

/// `#{ http: #{ url, method, headers, body | json | cloud_event, expect } }`
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCall {
    /// `POST` unless told otherwise.
    pub method: Method,
    /// Where to.
    pub url: SecretText,
    /// Name and value.
    pub headers: Vec<(String, SecretText)>,
    /// What is sent.
    pub body: Body,
    /// The statuses that mean success; empty for every 2xx.
    pub expected: Vec<u16>,
}

/// What an HTTP request carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Nothing.
    Empty,
    /// A text as it is.
    Text(String),
    /// JSON.
    Json(Value),
    /// A CloudEvent, structured; its `id` is the idempotency key.
    CloudEvent(CloudEvent),
}

/// The parts of a CloudEvent that a rule names; the others follow from the event.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudEvent {
    /// `type`.
    pub kind: String,
    /// `source`, unless it is the manager.
    pub source: Option<String>,
    /// `subject`.
    pub subject: Option<String>,
    /// `data`.
    pub data: Option<Value>,
}

impl HttpCall {
    pub(crate) fn parse(value: &Value) -> Result<Self, OutsideError> {
        let known = [
            "url",
            "method",
            "headers",
            "body",
            "json",
            "cloud_event",
            "expect",
        ];
        let part = Part::new("http", value, &known)?;
        let url = secret_text("http.url", part.required("url", "a URL")?)?;
        if let SecretText::Plain(url) = &url {
            let (uri, _origin) = Origin::of_text(line("http.url", url)?)
                .map_err(|why| OutsideError(format!("`http.url` {why}")))?;
            if let Some(segment) = dot_segment(uri.path()) {
                return Err(OutsideError(format!(
                    "`http.url` has `{segment}` in its path, which leads elsewhere; the path that is meant is expected"
                )));
            }
        }
        let method = part.text("method")?.unwrap_or("POST");
        let method = METHODS
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(method));
        let method = method.ok_or_else(|| {
            OutsideError("`http.method` is none of GET, POST, PUT, PATCH, DELETE".to_owned())
        })?;
        let body = Self::body(&part)?;
        if body != Body::Empty && [Method::GET, Method::DELETE].contains(&method) {
            return Err(OutsideError(format!(
                "`http.method` is {method}, which sends no body"
            )));
        }
        Ok(Self {
            headers: Self::headers(&part)?,
            expected: Self::expected(&part)?,
            method,
            url,
            body,
        })
    }

    fn headers(part: &Part<'_>) -> Result<Vec<(String, SecretText)>, OutsideError> {
        let Some(value) = part.get("headers") else {
            return Ok(Vec::new());
        };
        let map = value
            .as_object()
            .ok_or_else(|| wrong("http.headers", value, "a map"))?;
        let checked = map.iter().map(|(name, value)| {
            let path = format!("http.headers.{}", name.escape_debug());
            let value = secret_text(&path, value)?;
            let shown = match &value {
                SecretText::Plain(text) => line(&path, text)?,
                SecretText::Secret { prefix, .. } => prefix,
            };
            header(name, shown).map_err(|error| OutsideError(format!("`{path}`: {error}")))?;
            if name.eq_ignore_ascii_case(KEY_HEADER) {
                return Err(OutsideError(format!(
                    "`{path}` is set by the outbox, the same in every attempt"
                )));
            }
            Ok((name.clone(), value))
        });
        checked.collect()
    }

    fn body(part: &Part<'_>) -> Result<Body, OutsideError> {
        let bodies = ["body", "json", "cloud_event"].map(|key| part.get(key));
        Ok(match bodies {
            [None, None, None] => Body::Empty,
            [Some(body), None, None] => Body::Text(text("http.body", body)?.to_owned()),
            [None, Some(json), None] => Body::Json(json.clone()),
            [None, None, Some(event)] => {
                let part = Part::new("http.cloud_event", event, &["type", "source", "subject", "data"])?;
                let owned = |text: Option<&str>| text.map(str::to_owned);
                Body::CloudEvent(CloudEvent {
                    kind: part.required_text("type")?.to_owned(),
                    source: owned(part.text("source")?),
                    subject: owned(part.text("subject")?),
                    data: part.get("data").cloned(),
                })
            }
            _several => {
                return Err(OutsideError(
                    "`http.body`, `http.json` and `http.cloud_event` exclude each other".to_owned(),
                ));
            }
        })
    }

    fn expected(part: &Part<'_>) -> Result<Vec<u16>, OutsideError> {
        let status = |value: &Value| {
            let status = value.as_u64().and_then(|status| u16::try_from(status).ok());
            status
                .filter(|status| (200..600).contains(status))
                .ok_or_else(|| wrong("http.expect", value, "a status such as 202, or a list of them,"))
        };
        match part.get("expect") {
            None => Ok(Vec::new()),
            Some(Value::Array(statuses)) => statuses.iter().map(status).collect(),
            Some(one) => Ok(vec![status(one)?]),
        }
    }
}
