//! How events stand in a request, by its content type (CloudEvents HTTP binding 3).

use axum::http::HeaderMap;
use axum::http::header;

use crate::web::problem::Problem;

/// How events stand in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A JSON list of CloudEvents.
    Batch,
    /// One CloudEvent as JSON.
    Structured,
    /// Attributes as `ce-` headers, data as the body.
    Binary,
    /// Messages as the provider sends them: an object, or a list of objects.
    Plain,
}

/// How events stand in this request.
///
/// # Errors
/// 415 where it is in no form that is understood.
pub(crate) fn mode(headers: &HeaderMap) -> Result<Mode, Problem> {
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| value != "identity")
    {
        return Err(Problem::unsupported("content encodings are not understood"));
    }
    let mut given = headers.get_all(header::CONTENT_TYPE).iter();
    let (content_type, None) = (given.next(), given.next()) else {
        return Err(Problem::unsupported("the request has several content types"));
    };
    let content_type = match content_type.map(|value| value.to_str()) {
        None => None,
        Some(Ok(text)) => Some(MediaType::new(text)),
        Some(Err(_)) => return Err(Problem::unsupported("the content type is no text")),
    };
    let essence = content_type
        .as_ref()
        .map_or("", |media_type| media_type.essence.as_str());
    let mode = if essence.starts_with("application/cloudevents-batch") {
        Mode::Batch
    } else if essence.starts_with("application/cloudevents") {
        Mode::Structured
    } else if headers.keys().any(|name| name.as_str().starts_with("ce-")) {
        Mode::Binary
    } else {
        Mode::Plain
    };
    let is_understood = match mode {
        Mode::Batch => essence == "application/cloudevents-batch+json",
        Mode::Structured => essence == "application/cloudevents+json",
        Mode::Plain => essence.is_empty() || is_json(essence),
        Mode::Binary => true,
    };
    let is_utf8 = mode == Mode::Binary || content_type.as_ref().is_none_or(MediaType::is_utf8);
    if is_understood && is_utf8 {
        Ok(mode)
    } else {
        Err(Problem::unsupported(format!(
            "`{essence}` is not understood here"
        )))
    }
}

/// Whether a media type, without parameters and in lower case, is JSON.
pub(crate) fn is_json(essence: &str) -> bool {
    matches!(essence, "application/json" | "text/json") || essence.ends_with("+json")
}

/// A content type: `type/subtype` in lower case, and its charset.
#[derive(Debug)]
pub(crate) struct MediaType {
    pub(crate) essence: String,
    charset: Option<String>,
}

impl MediaType {
    pub(crate) fn new(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let charset = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
            .map(|(_, value)| value.trim().trim_matches('"').to_ascii_lowercase());
        Self { essence, charset }
    }

    fn is_utf8(&self) -> bool {
        self.charset
            .as_deref()
            .is_none_or(|charset| matches!(charset, "utf-8" | "utf8" | "us-ascii"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use axum::http::HeaderName;
    use axum::http::HeaderValue;

    #[test]
    fn the_content_type_decides_whatever_its_letter_case() {
        for (headers, expected) in [
            (
                vec![("content-type", "Application/CloudEvents+JSON; charset=utf-8")],
                Some(Mode::Structured),
            ),
            (
                vec![("content-type", "application/cloudevents-batch+json")],
                Some(Mode::Batch),
            ),
            (
                vec![(
                    "content-type",
                    "application/CloudEvents-Batch+json; charset=UTF-8",
                )],
                Some(Mode::Batch),
            ),
            (vec![("content-type", "application/cloudevents+xml")], None),
            (vec![("content-type", "application/cloudevents-batch")], None),
            (
                vec![("content-type", "application/cloudevents+json; charset=utf-16")],
                None,
            ),
            (vec![("content-type", "application/json")], Some(Mode::Plain)),
            (
                vec![("content-type", "application/vnd.awesome+json")],
                Some(Mode::Plain),
            ),
            (vec![], Some(Mode::Plain)),
            (vec![("content-type", "text/plain")], None),
            (vec![("content-type", "multipart/form-data")], None),
            (
                vec![("content-type", "text/plain"), ("ce-id", "1")],
                Some(Mode::Binary),
            ),
            (
                vec![("content-type", "application/json"), ("ce-specversion", "1.0")],
                Some(Mode::Binary),
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
            assert_eq!(mode(&map).ok(), expected, "{headers:?}");
        }
    }
}
