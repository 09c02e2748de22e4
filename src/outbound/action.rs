//! Outside: what `evm.deliver` describes, checked when the rule describes it and once more when it is sent.

use http::Method;
use serde_json::Value;

use crate::model::origin::Origin;
use crate::outbound::client::header;
use crate::outbound::value::Part;
use crate::outbound::value::SecretText;
use crate::outbound::value::line;
use crate::outbound::value::secret_text;
use crate::outbound::value::text;
use crate::outbound::value::wrong;

const KINDS: [&str; 4] = ["http", "command", "email", "log"];
const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];
/// Told by us, the same in every attempt.
const KEY_HEADER: &str = "idempotency-key";

/// What is wrong with a description: the key, what was found, what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OutsideError(pub(crate) String);

/// One outside effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Outside {
    /// A request to an HTTP service.
    Http(HttpCall),
    /// A program of the settings.
    Command(CommandCall),
    /// An e-mail over the relay of the settings.
    Email(Email),
    /// A line in the log.
    Log(LogLine),
}

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

/// `#{ command: ["name", "argument"] }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandCall {
    /// Its name below `outbox.commands`.
    pub name: String,
    /// Put behind those of the settings.
    pub arguments: Vec<String>,
}

/// `#{ email: #{ to, cc, subject, body, reply_to } }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// At least one.
    pub to: Vec<String>,
    /// More of them.
    pub cc: Vec<String>,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// For whoever looks closely.
    Debug,
    /// As usual.
    Info,
    /// Somebody should look.
    Warn,
    /// Something is broken.
    Error,
}

/// `#{ log: "text" }` or `#{ log: #{ level, message } }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// `info` unless told otherwise.
    pub level: LogLevel,
    /// The text.
    pub message: String,
}

impl Outside {
    /// Reads a description.
    ///
    /// # Errors
    /// When it has not the shape of one; the text names the key.
    pub fn parse(action: &Value) -> Result<Self, OutsideError> {
        let kinds = || {
            OutsideError(
                "evm.deliver takes one of #{ http: … }, #{ command: … }, #{ email: … } and #{ log: … }"
                    .to_owned(),
            )
        };
        let map = action
            .as_object()
            .filter(|map| map.len() == 1)
            .ok_or_else(kinds)?;
        let (kind, value) = map.iter().next().ok_or_else(kinds)?;
        match kind.as_str() {
            "http" => HttpCall::parse(value).map(Self::Http),
            "command" => CommandCall::parse(value).map(Self::Command),
            "email" => Email::parse(value).map(Self::Email),
            "log" => LogLine::parse(value).map(Self::Log),
            _other => Err(kinds()),
        }
    }

    /// The kind of a description that need not be right.
    pub fn kind_of(action: &Value) -> &'static str {
        let named = KINDS.into_iter().find(|kind| action.get(kind).is_some());
        named.unwrap_or("unknown")
    }
}

impl HttpCall {
    fn parse(value: &Value) -> Result<Self, OutsideError> {
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
            Origin::of_text(line("http.url", url)?)
                .map_err(|why| OutsideError(format!("`http.url` {why}")))?;
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

impl CommandCall {
    fn parse(value: &Value) -> Result<Self, OutsideError> {
        let expected = "a list such as [\"name\", \"argument\"]";
        let list = value
            .as_array()
            .ok_or_else(|| wrong("command", value, expected))?;
        let mut words = list.iter().enumerate().map(|(index, word)| {
            let path = format!("command[{index}]");
            let word = text(&path, word)?;
            if word.contains('\0') {
                return Err(OutsideError(format!(
                    "`{path}` contains NUL, which no argument can"
                )));
            }
            Ok(word.to_owned())
        });
        let name = words
            .next()
            .ok_or_else(|| OutsideError(format!("`command` is empty; {expected} is expected")))?;
        Ok(Self {
            name: name?,
            arguments: words.collect::<Result<_, _>>()?,
        })
    }
}

impl Email {
    fn parse(value: &Value) -> Result<Self, OutsideError> {
        let part = Part::new("email", value, &["to", "cc", "reply_to", "subject", "body"])?;
        let to = Self::addresses(&part, "to")?;
        if to.is_empty() {
            return Err(OutsideError(
                "`email.to` is missing; an address or a list of them is expected".to_owned(),
            ));
        }
        Ok(Self {
            to,
            cc: Self::addresses(&part, "cc")?,
            reply_to: part.line("reply_to")?.map(str::to_owned),
            subject: line("email.subject", part.required_text("subject")?)?.to_owned(),
            body: part.text("body")?.unwrap_or_default().to_owned(),
        })
    }

    fn addresses(part: &Part<'_>, key: &str) -> Result<Vec<String>, OutsideError> {
        let path = part.path(key);
        let one = |value: &Value| Ok(line(&path, text(&path, value)?)?.to_owned());
        match part.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => list.iter().map(one).collect(),
            Some(value) => Ok(vec![one(value)?]),
        }
    }
}

impl LogLine {
    fn parse(value: &Value) -> Result<Self, OutsideError> {
        if let Value::String(message) = value {
            return Ok(Self {
                level: LogLevel::Info,
                message: message.clone(),
            });
        }
        let part = Part::new("log", value, &["level", "message"])?;
        let level = match part.text("level")?.unwrap_or("info") {
            "debug" => LogLevel::Debug,
            "info" => LogLevel::Info,
            "warn" => LogLevel::Warn,
            "error" => LogLevel::Error,
            _other => {
                return Err(OutsideError(
                    "`log.level` is none of debug, info, warn, error".to_owned(),
                ));
            }
        };
        Ok(Self {
            level,
            message: part.required_text("message")?.to_owned(),
        })
    }
}
