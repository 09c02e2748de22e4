//! In which form a body holds messages, by its content type (CloudEvents HTTP binding 3).

use http::HeaderMap;
use http::header;

use crate::transport::media_type::MediaType;
use crate::transport::media_type::is_json;

/// Content types that say nothing of the body, given by senders that cannot choose one: Amazon SNS, whatever it
/// carries, and whatever just sends bytes. Such a body is JSON or refused.
const SAY_NOTHING: [&str; 5] = [
    "",
    "text/plain",
    "application/octet-stream",
    "binary/octet-stream",
    "application/x-www-form-urlencoded",
];
/// Content types of JSON documents behind each other.
const LINES: [&str; 5] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/json-lines",
];

/// In which form a body holds messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A JSON list of CloudEvents.
    Batch,
    /// One CloudEvent as JSON.
    Structured,
    /// One CloudEvent: attributes as `ce-` headers, data as the body.
    Binary,
    /// Messages as the provider sends them: an object, or a list of objects.
    Plain,
    /// The same behind each other, such as one a line.
    Lines,
}

/// Why the form of a body is none that is understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unsupported(String);

impl Form {
    /// The form of a body with these headers.
    ///
    /// # Errors
    /// When it is in none that is understood.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Unsupported> {
        let encoding = headers.get(header::CONTENT_ENCODING);
        if let Some(encoding) = encoding.filter(|value| *value != "identity") {
            let encoding = encoding.to_str().unwrap_or_default();
            return Err(Unsupported(format!(
                "content encodings are not understood: the body is sent as `{encoding}`, and has to be sent as it is"
            )));
        }
        let mut given = headers.get_all(header::CONTENT_TYPE).iter();
        let (content_type, None) = (given.next(), given.next()) else {
            return Err(Unsupported("the request has several content types".to_owned()));
        };
        let content_type = match content_type.map(|value| value.to_str()) {
            None => None,
            Some(Ok(text)) => Some(MediaType::new(text)),
            Some(Err(_)) => return Err(Unsupported("the content type is no text".to_owned())),
        };
        let essence = content_type
            .as_ref()
            .map_or("", |media_type| media_type.essence.as_str());
        let form = if essence.starts_with("application/cloudevents-batch") {
            Self::Batch
        } else if essence.starts_with("application/cloudevents") {
            Self::Structured
        } else if headers.keys().any(|name| name.as_str().starts_with("ce-")) {
            Self::Binary
        } else if LINES.contains(&essence) {
            Self::Lines
        } else {
            Self::Plain
        };
        let is_understood = match form {
            Self::Batch => essence == "application/cloudevents-batch+json",
            Self::Structured => essence == "application/cloudevents+json",
            Self::Plain => SAY_NOTHING.contains(&essence) || is_json(essence),
            Self::Binary | Self::Lines => true,
        };
        let is_utf8 = form == Self::Binary || content_type.as_ref().is_none_or(MediaType::is_utf8);
        match (is_understood, is_utf8) {
            (true, true) => Ok(form),
            (false, _) => Err(Unsupported(format!("`{essence}` is not understood here"))),
            (true, false) => {
                let charset = content_type.and_then(|media_type| media_type.charset);
                let charset = charset.unwrap_or_default();
                Err(Unsupported(format!(
                    "the charset `{charset}` is not understood; UTF-8 is expected"
                )))
            }
        }
    }

    /// Whether a body in this form is one event, whose length is limited as that of one.
    pub(crate) fn is_single(self) -> bool {
        matches!(self, Self::Structured | Self::Binary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use http::HeaderName;
    use http::HeaderValue;

    #[test]
    fn the_content_type_decides_whatever_its_letter_case() {
        for (headers, expected) in [
            (
                vec![("content-type", "Application/CloudEvents+JSON; charset=utf-8")],
                Some(Form::Structured),
            ),
            (
                vec![("content-type", "application/cloudevents-batch+json")],
                Some(Form::Batch),
            ),
            (
                vec![(
                    "content-type",
                    "application/CloudEvents-Batch+json; charset=UTF-8",
                )],
                Some(Form::Batch),
            ),
            (vec![("content-type", "application/cloudevents+xml")], None),
            (vec![("content-type", "application/cloudevents-batch")], None),
            (
                vec![("content-type", "application/cloudevents+json; charset=utf-16")],
                None,
            ),
            (vec![("content-type", "application/json")], Some(Form::Plain)),
            (
                vec![("content-type", "application/vnd.awesome+json")],
                Some(Form::Plain),
            ),
            (vec![], Some(Form::Plain)),
            (
                vec![("content-type", "text/plain; charset=UTF-8")],
                Some(Form::Plain),
            ),
            (vec![("content-type", "text/plain; charset=UTF-16")], None),
            (
                vec![("content-type", "application/octet-stream")],
                Some(Form::Plain),
            ),
            (
                vec![("content-type", "application/x-www-form-urlencoded")],
                Some(Form::Plain),
            ),
            (vec![("content-type", "application/x-ndjson")], Some(Form::Lines)),
            (vec![("content-type", "text/html")], None),
            (vec![("content-type", "multipart/form-data")], None),
            (
                vec![("content-type", "text/plain"), ("ce-id", "1")],
                Some(Form::Binary),
            ),
            (
                vec![("content-type", "application/json"), ("ce-specversion", "1.0")],
                Some(Form::Binary),
            ),
            (
                vec![
                    ("content-type", "application/json"),
                    ("content-type", "text/plain"),
                ],
                None,
            ),
            (
                vec![("content-type", "application/json"), ("content-encoding", "gzip")],
                None,
            ),
        ] {
            let map: HeaderMap = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            assert_eq!(Form::of(&map).ok(), expected, "{headers:?}");
        }
    }
}
