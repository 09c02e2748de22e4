//! The context attributes of a CloudEvent, checked (CloudEvents 1.0, section 3).

use std::sync::Arc;

use crate::model::envelope::Envelope;
use crate::model::event::EventKey;
use crate::model::json;
use crate::model::value::Value;
use crate::model::value::ValueMap;
use crate::model::written_time;
use crate::transport::Malformed;

/// Collects attributes and checks them together.
#[derive(Debug, Default)]
pub(crate) struct Attributes(ValueMap);

impl Attributes {
    /// Adds one.
    ///
    /// # Errors
    /// When its name is none, or it is there already.
    pub(crate) fn add(&mut self, name: &str, value: Value) -> Result<(), Malformed> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if name.is_empty() || !name.chars().all(is_plain) || name == "data" {
            return Err(Malformed::attribute(
                name,
                "has a name that no attribute has: lower-case letters and digits are expected",
            ));
        }
        match self.0.insert(Arc::from(name), value) {
            None => Ok(()),
            Some(_) => Err(Malformed::attribute(name, "is there twice")),
        }
    }

    /// The text of an attribute; an absent one is none.
    ///
    /// # Errors
    /// When it is something else, or empty: no attribute may be.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&Arc<str>>, Malformed> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Text(text)) if text.is_empty() => Err(Malformed::attribute(name, "is empty")),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Malformed::attribute(
                name,
                "is something else; a text is expected",
            )),
        }
    }

    /// All of them, as JSON for a message.
    pub(crate) fn json(&self) -> json::Map {
        let pairs = self.0.iter();
        pairs
            .map(|(name, value)| (name.to_string(), json::to_value(value).unwrap_or_default()))
            .collect()
    }

    /// The envelope, if these are the attributes of a CloudEvent 1.0.
    ///
    /// # Errors
    /// When a required one is missing, or one is not as the specification wants it.
    pub(crate) fn envelope(self) -> Result<Envelope, Malformed> {
        let version = self.required("specversion")?;
        if &**version != "1.0" {
            return Err(Malformed::attribute(
                "specversion",
                format!("is `{version}`; `1.0` is expected"),
            ));
        }
        let (id, source) = (self.required("id")?, self.required("source")?);
        self.required("type")?;
        if !source.chars().all(is_uri_character) {
            return Err(Malformed::attribute("source", "is no URI reference"));
        }
        self.text("subject")?;
        let schema = self.text("dataschema")?;
        let is_absolute = |uri: &Arc<str>| uri.contains(':') && uri.chars().all(is_uri_character);
        if !schema.is_none_or(is_absolute) {
            return Err(Malformed::attribute("dataschema", "is no absolute URI"));
        }
        if !self
            .text("datacontenttype")?
            .is_none_or(|media_type| media_type.contains('/'))
        {
            return Err(Malformed::attribute("datacontenttype", "is no media type"));
        }
        let time = match self.text("time")? {
            None => None,
            Some(text) => {
                let problem = "is no time as in RFC 3339, such as 2026-01-31T12:00:00Z";
                let time =
                    written_time::rfc3339(text).ok_or_else(|| Malformed::attribute("time", problem))?;
                Some(written_time::in_microseconds(time))
            }
        };
        // A URI reference holds no white space, so no two pairs give the same key.
        let event_key = EventKey(Arc::from(format!("{source} {id}")));
        Ok(Envelope {
            event_key,
            time,
            attributes: self.json(),
        })
    }

    fn required(&self, name: &str) -> Result<&Arc<str>, Malformed> {
        self.text(name)?
            .ok_or_else(|| Malformed::attribute(name, "is missing"))
    }
}

/// What RFC 3986 lets stand in a URI, and what RFC 3987 adds: others have to be percent-encoded.
fn is_uri_character(c: char) -> bool {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => true,
        ascii if ascii.is_ascii() => "-._~:/?#[]@!$&'()*+,;=%".contains(ascii),
        other => !other.is_whitespace() && !other.is_control(),
    }
}
