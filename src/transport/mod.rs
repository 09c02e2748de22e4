//! What a transport carried, as messages: plain JSON, lists, lines of JSON, and CloudEvents 1.0 in every mode.
//!
//! The one reader of senders' requests, of files and of whoever simulates either; so the same bytes are the same
//! messages, whichever way they come. Knows nothing of connections, and nothing of what a message means.
//!
//! The data of a CloudEvent is the provider's message where it is a JSON object; the attributes go beside it, in its
//! [`Envelope`](crate::model::envelope::Envelope). Any other data, and none, leaves the event in its JSON form as the
//! message.

mod attributes;
mod binary;
mod form;
mod json;
mod malformed;
mod media_type;

pub(crate) use form::Form;
pub(crate) use json::recognized;
pub(crate) use malformed::Malformed;

use std::borrow::Cow;

use http::HeaderMap;

use crate::model::event::NativeEvent;
use crate::model::json as json_text;

/// The messages of a body in this form, at most `longest`; one of it that is none spoils them all.
///
/// # Errors
/// When it is not in this form, or holds more.
pub(crate) fn messages(
    form: Form,
    headers: &HeaderMap,
    body: &[u8],
    longest: usize,
) -> Result<Vec<NativeEvent>, Malformed> {
    match form {
        Form::Binary => binary::binary(headers, body).map(|event| vec![event]),
        Form::Structured => json::structured(text(body)?).map(|event| vec![event]),
        Form::Batch => json::batch(text(body)?, longest),
        Form::Plain => json::plain(text(body)?, longest),
        Form::Lines => json::documents(text(body)?, longest),
    }
}

/// The text of a body, without a byte order mark.
///
/// # Errors
/// When it is not UTF-8.
fn text(body: &[u8]) -> Result<&str, Malformed> {
    if body.starts_with(b"\xff\xfe") || body.starts_with(b"\xfe\xff") {
        return Err(Malformed::Json(
            "the body is UTF-16; UTF-8 is expected".to_owned(),
        ));
    }
    let text = str::from_utf8(body);
    let text = text.map_err(|error| Malformed::Json(format!("the body is no UTF-8: {error}")))?;
    Ok(json_text::without_mark(text))
}

/// What stands around a message and what is in it: as it came, or as the CloudEvent that it is.
pub(crate) fn opened(native: &NativeEvent) -> Cow<'_, NativeEvent> {
    match &native.envelope {
        Some(_) => Cow::Borrowed(native),
        None => recognized(&native.body).map_or(Cow::Borrowed(native), Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::collection;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                collection::hash_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// The messages of a body, as they are parsed.
    fn read(form: Form, headers: &HeaderMap, body: &str) -> Vec<NativeEvent> {
        let messages = messages(form, headers, body.as_bytes(), usize::MAX).unwrap();
        messages
            .iter()
            .map(|message| opened(message).into_owned())
            .collect()
    }

    proptest! {
        #[test]
        fn a_message_is_the_same_in_every_form(object in collection::hash_map(any::<String>(), json(), 0..5)) {
            let text = Value::Object(object.into_iter().collect()).to_string();
            let expected = [opened(&NativeEvent::new(text.as_str())).into_owned()];
            for (form, body) in [
                (Form::Plain, text.clone()),
                (Form::Plain, format!("\u{feff}{text}")),
                (Form::Plain, format!(" [ {text} ]\n")),
                (Form::Lines, format!("\n \r\n{text}\n\n")),
                (Form::Lines, format!("\u{feff}[{text}]")),
            ] {
                prop_assert_eq!(&read(form, &HeaderMap::new(), &body)[..], &expected[..], "{:?} {}", form, body);
            }
        }

        #[test]
        fn a_cloud_event_is_the_same_in_every_mode(
            [id, kind] in ["[!-~]{1,9}", "[!-~]{1,9}"],
            data in json(),
            shard in any::<i32>(),
        ) {
            let context = [("specversion", "1.0"), ("id", &id), ("source", "//x/y"), ("type", &kind)];
            let number = shard.to_string();
            let mut headers = HeaderMap::new();
            for (name, value) in context.into_iter().chain([("shard", number.as_str())]) {
                // What has a meaning in a header is encoded, as the binding has it.
                let encoded = value.replace('%', "%25").replace('"', "%22").replace('\\', "%5C");
                headers.insert(http::HeaderName::try_from(format!("ce-{name}")).unwrap(), HeaderValue::from_str(&encoded).unwrap());
            }
            let context = context.map(|(name, value)| format!("{}:{}", Value::from(name), Value::from(value))).join(",");
            let text = format!(r#"{{{context},"shard":"{number}","data":{data}}}"#);
            let expected = read(Form::Structured, &HeaderMap::new(), &text);
            prop_assert!(expected[0].envelope.is_some());
            for (form, body) in [
                (Form::Batch, format!("[{text}]")),
                (Form::Plain, text.clone()),
                (Form::Plain, format!("[{text}]")),
                (Form::Lines, format!("{text}\n")),
            ] {
                prop_assert_eq!(&read(form, &HeaderMap::new(), &body), &expected, "{:?} {}", form, body);
            }
            let binary = read(Form::Binary, &headers, &data.to_string());
            prop_assert_eq!(&binary[0].envelope, &expected[0].envelope);
            // As the message itself where it is an object, else within the event.
            let parsed = |native: &NativeEvent| serde_json::from_str::<Value>(&native.body).unwrap();
            if data.is_null() {
                prop_assert_eq!(&parsed(&binary[0])["data"], &Value::Null);
            } else {
                prop_assert_eq!(parsed(&binary[0]), parsed(&expected[0]));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(body in any::<Vec<u8>>(), text in r#"[\[\]{}":,\\a-f0-9 \n]{0,40}"#) {
            for form in [Form::Batch, Form::Structured, Form::Binary, Form::Plain, Form::Lines] {
                for body in [&body[..], text.as_bytes()] {
                    let _read = messages(form, &HeaderMap::new(), body, 3);
                }
            }
        }
    }
}
