//! Reads the parts of a described effect, and says of a wrong one which key it is and what was expected.

use crate::model::json::Map;
use crate::model::json::Value;
use crate::outbound::OutsideError;

/// A text, or the name of a secret of the settings with what stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretText {
    /// As the rule wrote it; whatever is in it, it is no reference.
    Plain(String),
    /// `#{ secret: "chat", prefix: "Bearer " }`.
    Secret {
        /// Its name below `outbox.secrets`.
        name: String,
        /// Stands before it.
        prefix: String,
    },
}

/// A mapping of a description, and its place in it.
pub(crate) struct Part<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Part<'a> {
    /// The mapping at `path`, with no other keys than these.
    pub(crate) fn new(path: &str, value: &'a Value, known: &[&str]) -> Result<Self, OutsideError> {
        let part = Self {
            path: path.to_owned(),
            map: value.as_object().ok_or_else(|| wrong(path, value, "a map"))?,
        };
        match part.map.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(part),
            Some(key) => Err(OutsideError(format!(
                "`{path}.{}` is no key that evm.deliver knows; {} are",
                key.escape_debug(),
                known.join(", ")
            ))),
        }
    }

    pub(crate) fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// What stands below a key, unless it is nothing.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn required(&self, key: &str, expected: &str) -> Result<&'a Value, OutsideError> {
        self.get(key)
            .ok_or_else(|| OutsideError(format!("`{}` is missing; {expected} is expected", self.path(key))))
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, OutsideError> {
        let text = |value: &'a Value| text(&self.path(key), value);
        self.get(key).map(text).transpose()
    }

    pub(crate) fn required_text(&self, key: &str) -> Result<&'a str, OutsideError> {
        text(&self.path(key), self.required(key, "a text")?)
    }

    /// A text of one line, since it becomes part of a header.
    pub(crate) fn line(&self, key: &str) -> Result<Option<&'a str>, OutsideError> {
        self.text(key)?
            .map(|text| line(&self.path(key), text))
            .transpose()
    }
}

pub(crate) fn text<'a>(path: &str, value: &'a Value) -> Result<&'a str, OutsideError> {
    value.as_str().ok_or_else(|| wrong(path, value, "a text"))
}

/// Refuses what would end a header and begin another one.
pub(crate) fn line<'a>(path: &str, text: &'a str) -> Result<&'a str, OutsideError> {
    if text.contains(['\r', '\n', '\0']) {
        return Err(OutsideError(format!(
            "`{path}` contains a line break or NUL, which would smuggle in a header; one line is expected"
        )));
    }
    Ok(text)
}

pub(crate) fn secret_text(path: &str, value: &Value) -> Result<SecretText, OutsideError> {
    match value {
        Value::String(text) => Ok(SecretText::Plain(text.clone())),
        Value::Object(_) => {
            let part = Part::new(path, value, &["secret", "prefix"])?;
            Ok(SecretText::Secret {
                name: part.required_text("secret")?.to_owned(),
                prefix: part.line("prefix")?.unwrap_or_default().to_owned(),
            })
        }
        other => Err(wrong(path, other, "a text or #{ secret: \"name\" }")),
    }
}

pub(crate) fn wrong(path: &str, value: &Value, expected: &str) -> OutsideError {
    let found = match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    };
    OutsideError(format!("`{path}` is {found}; {expected} is expected"))
}
