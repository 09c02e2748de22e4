//! Outside: what `evm.deliver` describes, checked when the rule describes it and once more when it is sent.

use crate::model::json::Value;
use crate::outbound::HttpCall;
use crate::outbound::value::Part;
use crate::outbound::value::line;
use crate::outbound::value::text;
use crate::outbound::value::wrong;

const KINDS: [&str; 4] = ["http", "command", "email", "log"];

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
        let named = KINDS.into_iter().find(|kind| action.get(*kind).is_some());
        named.unwrap_or("unknown")
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
