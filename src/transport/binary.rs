//! Binary mode: attributes as `ce-` headers, data as the body (CloudEvents HTTP binding 3.1).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::HeaderValue;
use http::header;

use crate::model::event::NativeEvent;
use crate::model::json;
use crate::model::json::without_mark;
use crate::model::value::Value;
use crate::transport::Malformed;
use crate::transport::attributes::Attributes;
use crate::transport::json::is_object;
use crate::transport::json::sound;
use crate::transport::media_type::MediaType;
use crate::transport::media_type::is_json;

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
    let says_json = content_type.map(|text| is_json(&MediaType::new(text).essence));
    let body: Arc<str> = match (str::from_utf8(body), says_json) {
        (Ok(text), None | Some(true)) if !without_mark(text).trim().is_empty() => {
            match (sound(text), says_json) {
                (Ok(sound), _) if is_object(sound) => Arc::from(sound),
                (Ok(sound), _) => in_json(&attributes, Some(("data", sound.trim()))),
                (Err(error), Some(_)) => return Err(error),
                // Nobody said that it would be JSON: it is a text.
                (Err(_), None) => in_json(&attributes, Some(("data", &quoted(text)))),
            }
        }
        (Ok(""), _) => in_json(&attributes, None),
        (Ok(text), _) => in_json(&attributes, Some(("data", &quoted(text)))),
        (Err(_), Some(true)) => {
            return Err(Malformed::Json("the body is no JSON: it is not UTF-8".to_owned()));
        }
        (Err(_), _) => in_json(
            &attributes,
            Some(("data_base64", &quoted(&STANDARD.encode(body)))),
        ),
    };
    Ok(NativeEvent {
        body,
        envelope: Some(attributes.envelope()?),
    })
}

/// The event in its JSON form, its data as it came.
fn in_json(attributes: &Attributes, data: Option<(&str, &str)>) -> Arc<str> {
    let mut event = json::Value::Object(attributes.json()).to_string();
    if let Some((key, data)) = data {
        event.pop();
        event.push_str(&format!(",\"{key}\":{data}}}"));
    }
    Arc::from(event)
}

fn quoted(text: &str) -> String {
    json::Value::from(text).to_string()
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
    fn without_a_content_type_the_data_is_json_or_a_text_or_bytes() {
        let attributes = r#""specversion":"1.0","id":"1","source":"/x","type":"t""#;
        let whole = |more: &str| format!("{{{attributes}{more}}}");
        for (content_type, body, expected) in [
            (None, &b"{\"a\": 1.50}"[..], Some("{\"a\": 1.50}".to_owned())),
            (None, b"\xef\xbb\xbf{\"a\": 1}", Some("{\"a\": 1}".to_owned())),
            (
                None,
                b"[18446744073709551616, 1.10]",
                Some(whole(",\"data\":[18446744073709551616, 1.10]")),
            ),
            (None, b"hello \"you\"", Some(whole(r#","data":"hello \"you\"""#))),
            (None, b"{\"a\": ", Some(whole(r#","data":"{\"a\": ""#))),
            (None, b"\xff\xfe", Some(whole(r#","data_base64":"//4=""#))),
            (None, b"", Some(whole(""))),
            (Some("application/json"), b"hello", None),
            (Some("application/json"), b"\xff\xfe", None),
            (
                Some("text/plain"),
                b"{}",
                Some(whole(r#","datacontenttype":"text/plain","data":"{}""#)),
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [
                ("ce-specversion", "1.0"),
                ("ce-id", "1"),
                ("ce-source", "/x"),
                ("ce-type", "t"),
            ] {
                headers.insert(name, HeaderValue::from_static(value));
            }
            if let Some(content_type) = content_type {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            }
            let native = binary(&headers, body).ok();
            let sorted = |text: &str| serde_json::from_str::<json::Value>(text).unwrap();
            match (&native, &expected) {
                (Some(native), Some(expected)) if native.body.starts_with("{\"a\"") => {
                    assert_eq!(&*native.body, expected);
                }
                (Some(native), Some(expected)) => {
                    assert_eq!(sorted(&native.body), sorted(expected));
                    // To the letter, which a parsed number would not tell.
                    let data = expected.split_once("\"data\":").map_or("", |(_, data)| data);
                    assert!(native.body.ends_with(data), "{}", native.body);
                }
                (found, expected) => assert_eq!(found.is_some(), expected.is_some(), "{body:?}"),
            }
        }
    }

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
