//! Binary mode: attributes as `ce-` headers, data as the body (CloudEvents HTTP binding 3.1).

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::header;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Map;
use serde_json::value::RawValue;

use crate::model::event::NativeEvent;
use crate::model::value::Value;
use crate::web::cloud_events::Malformed;
use crate::web::cloud_events::attributes::Attributes;
use crate::web::cloud_events::json::is_object;
use crate::web::cloud_events::mode::MediaType;
use crate::web::cloud_events::mode::is_json;

/// The event of a request in binary mode.
///
/// # Errors
/// When it is no CloudEvent 1.0, or its data is not the JSON that it says it is.
pub(crate) fn binary(headers: &HeaderMap, body: &[u8]) -> Result<NativeEvent, Malformed> {
    let mut attributes = Attributes::default();
    for (name, value) in headers {
        if let Some(name) = name.as_str().strip_prefix("ce-") {
            if name == "datacontenttype" {
                return Err(Malformed::attribute(
                    name,
                    "is a header; the content type says it in binary mode",
                ));
            }
            attributes.add(name, Value::text(decoded(name, value)?))?;
        }
    }
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if let Some(content_type) = content_type {
        attributes.add("datacontenttype", Value::text(content_type))?;
    }
    let holds_json = content_type.is_none_or(|text| is_json(&MediaType::new(text).essence));
    let (body, map) = match str::from_utf8(body) {
        Ok(text) if holds_json && !text.trim().is_empty() => {
            let raw: &RawValue = serde_json::from_str(text).map_err(|error| Malformed::json(&error))?;
            let map = (!is_object(raw.get())).then(|| with(&attributes, "data", parsed(raw)));
            (text, map)
        }
        Ok(text) => {
            let data = (!text.is_empty()).then(|| text.into());
            let map = data.map_or_else(|| attributes.json(), |data| with(&attributes, "data", data));
            ("", Some(map))
        }
        Err(_) if holds_json && content_type.is_some() => {
            return Err(Malformed::Json("the body is no JSON: it is not UTF-8".to_owned()));
        }
        Err(_) => (
            "",
            Some(with(&attributes, "data_base64", STANDARD.encode(body).into())),
        ),
    };
    let envelope = attributes.envelope()?;
    let body = map.map_or_else(
        || Arc::from(body),
        |map| Arc::from(serde_json::Value::Object(map).to_string()),
    );
    Ok(NativeEvent {
        body,
        envelope: Some(envelope),
    })
}

fn parsed(raw: &RawValue) -> serde_json::Value {
    // Nested deeper than a parser goes, its text is all there is to say.
    serde_json::from_str(raw.get()).unwrap_or_else(|_deep| raw.get().into())
}

fn with(attributes: &Attributes, key: &str, data: serde_json::Value) -> Map<String, serde_json::Value> {
    let mut map = attributes.json();
    map.insert(key.to_owned(), data);
    map
}

/// A header's value: unquoted, then decoded once (binding 3.1.3.2). What is no escape stays as it is, because
/// senders in the field forget to encode the percent sign itself.
fn decoded(name: &str, value: &HeaderValue) -> Result<String, Malformed> {
    let bytes = value.as_bytes().trim_ascii();
    let bytes = match bytes {
        [b'"', quoted @ .., b'"'] => unquoted(quoted),
        plain => plain.to_vec(),
    };
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    loop {
        match rest {
            [b'%', high, low, after @ ..] if let (Some(high), Some(low)) = (hex(*high), hex(*low)) => {
                decoded.push(high << 4 | low);
                rest = after;
            }
            [byte, after @ ..] => {
                decoded.push(*byte);
                rest = after;
            }
            [] => break,
        }
    }
    String::from_utf8(decoded).map_err(|_error| Malformed::attribute(name, "is not UTF-8 once it is decoded"))
}

fn unquoted(quoted: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter();
    while let Some(byte) = bytes.next() {
        // A backslash makes the byte behind it stand for itself.
        text.push(if *byte == b'\\' {
            *bytes.next().unwrap_or(byte)
        } else {
            *byte
        });
    }
    text
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_unquoted_and_decoded_once() {
        for (value, expected) in [
            ("plain", Some("plain")),
            ("a%20b", Some("a b")),
            ("a%2520b", Some("a%20b")),
            ("\"x y\"", Some("x y")),
            (r#""say \"hi\"""#, Some(r#"say "hi""#)),
            ("100%", Some("100%")),
            ("50%zz", Some("50%zz")),
            ("Euro%20%E2%82%AC", Some("Euro €")),
            ("%C0%A0", None),
            ("%ff", None),
        ] {
            let value = HeaderValue::from_static(value);
            assert_eq!(decoded("x", &value).ok().as_deref(), expected, "{value:?}");
        }
    }
}
