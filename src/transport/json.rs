//! JSON bodies: a CloudEvent, a list of them (CloudEvents JSON format), or plain messages.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::event::NativeEvent;
use crate::model::json;
use crate::model::json::Elements;
use crate::model::json::Members;
use crate::model::json::without_mark;
use crate::model::value::Value;
use crate::transport::Malformed;
use crate::transport::attributes::Attributes;
use crate::transport::media_type::MediaType;
use crate::transport::media_type::is_json;

/// The most attributes of one event, extensions included.
const MOST_MEMBERS: usize = 256;

/// One CloudEvent in structured mode.
///
/// # Errors
/// When it is no CloudEvent 1.0.
pub(crate) fn structured(text: &str) -> Result<NativeEvent, Malformed> {
    let text = sound(text)?;
    let no_event =
        |_error| Malformed::Json("the body is no JSON: expected a CloudEvent, which is an object".to_owned());
    let members = Members::of(text).map_err(no_event)?;
    let mut attributes = Attributes::default();
    let (mut data, mut data_base64) = (None, None);
    // A map would silently keep the last of two ids.
    for (count, member) in members.enumerate() {
        let (name, written) = member.map_err(|error| Malformed::json(&error))?;
        if MOST_MEMBERS <= count {
            return Err(Malformed::Json(format!(
                "the body has more than {MOST_MEMBERS} attributes"
            )));
        }
        match &*name.decode() {
            "data" if data.is_none() => data = Some(written),
            "data_base64" if data_base64.is_none() => data_base64 = bytes(written)?,
            name @ ("data" | "data_base64") => return Err(Malformed::attribute(name, "is there twice")),
            name => {
                if let Some(value) = attribute(name, written)? {
                    attributes.add(name, value)?;
                }
            }
        }
    }
    let data = data.filter(|data| *data != "null");
    if data.is_some() && data_base64.is_some() {
        return Err(Malformed::attribute(
            "data",
            "stands beside `data_base64`; one of them is expected",
        ));
    }
    let content_type = attributes.text("datacontenttype")?;
    let holds_json = content_type.is_none_or(|text| is_json(&MediaType::new(text).essence));
    let decoded = data_base64
        .filter(|_| holds_json)
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let is_message = |text: &&str| is_object(text) && sound(text).is_ok();
    let message = data.filter(|data| holds_json && is_object(data)).map(Arc::from);
    let message = message.or_else(|| {
        decoded
            .as_deref()
            .filter(is_message)
            .map(|text| Arc::from(without_mark(text).trim()))
    });
    Ok(NativeEvent {
        body: message.unwrap_or_else(|| Arc::from(text)),
        envelope: Some(attributes.envelope()?),
    })
}

/// A list of CloudEvents, possibly empty; one that is none spoils the list.
///
/// # Errors
/// When it is no list, or one of it is no CloudEvent 1.0.
pub(crate) fn batch(text: &str, longest: usize) -> Result<Vec<NativeEvent>, Malformed> {
    each(text, longest, structured)
}

/// Messages as the provider sends them: an object is one, a list of objects is many.
///
/// # Errors
/// When it is neither.
pub(crate) fn plain(text: &str, longest: usize) -> Result<Vec<NativeEvent>, Malformed> {
    let text = without_mark(text);
    if text.trim_ascii_start().starts_with('[') {
        return each(text, longest, message);
    }
    Ok(vec![message(sound(text)?.trim())?])
}

/// JSON texts behind each other, such as one a line; blank lines are nothing. Each is a message, or a list of them.
///
/// # Errors
/// When one of them is neither.
pub(crate) fn documents(text: &str, longest: usize) -> Result<Vec<NativeEvent>, Malformed> {
    let mut messages = Vec::new();
    for document in json::Documents::of(text) {
        let (at, document) = document.map_err(|error| Malformed::json(&error))?;
        json::check_form(document).map_err(|error| Malformed::json(&error.within(text, at)))?;
        let found = plain(document, longest - messages.len()).map_err(|problem| match problem {
            Malformed::TooMany { .. } => Malformed::TooMany { longest },
            Malformed::Element { position, problem } => Malformed::Element {
                position: messages.len() + position,
                problem,
            },
            other => Malformed::Element {
                position: messages.len() + 1,
                problem: Box::new(other),
            },
        })?;
        if longest < messages.len() + found.len() {
            return Err(Malformed::TooMany { longest });
        }
        messages.extend(found);
    }
    Ok(messages)
}

/// The CloudEvent that a message is in its JSON form, whichever way it came: one that has all that a CloudEvent 1.0
/// has to have.
pub(crate) fn recognized(message: &str) -> Option<NativeEvent> {
    // Nearly no message names it, and to look for it costs next to nothing.
    let may_be = message.contains("\"specversion\"");
    may_be.then(|| structured(message).ok())?
}

/// Whether a JSON text is an object.
pub(crate) fn is_object(text: &str) -> bool {
    without_mark(text).trim_ascii_start().starts_with('{')
}

/// A text in the form of JSON, without the byte order mark. A value that cannot be read, such as a lone surrogate, is
/// left to the parser, which keeps the message with the reason.
///
/// # Errors
/// When it is no JSON.
pub(crate) fn sound(text: &str) -> Result<&str, Malformed> {
    json::check_form(text).map_err(|error| Malformed::json(&error))?;
    Ok(without_mark(text))
}

fn message(written: &str) -> Result<NativeEvent, Malformed> {
    if !is_object(written) {
        return Err(Malformed::Json(
            "a JSON object, or a list of objects, is expected".to_owned(),
        ));
    }
    Ok(NativeEvent::new(written))
}

/// Reads each element of a list of at most `longest`; one more is an error before it costs any memory.
fn each(
    text: &str,
    longest: usize,
    read: impl Fn(&str) -> Result<NativeEvent, Malformed>,
) -> Result<Vec<NativeEvent>, Malformed> {
    let text = sound(text)?;
    let no_list = |_error| Malformed::Json("the body is no JSON: expected a list of events".to_owned());
    let elements = Elements::of(text).map_err(no_list)?;
    let mut natives = Vec::new();
    for (index, element) in elements.enumerate() {
        if longest <= index {
            return Err(Malformed::TooMany { longest });
        }
        let located = |problem| Malformed::Element {
            position: index + 1,
            problem: Box::new(problem),
        };
        let element = element.map_err(|error| Malformed::json(&error))?;
        natives.push(read(element).map_err(located)?);
    }
    Ok(natives)
}

/// The value of an attribute: text, whole number or truth; null is as good as absent.
fn attribute(name: &str, written: &str) -> Result<Option<Value>, Malformed> {
    match json::read(written).map_err(|error| Malformed::json(&error))? {
        json::Value::Null => Ok(None),
        json::Value::Bool(flag) => Ok(Some(Value::Bool(flag))),
        json::Value::String(text) => Ok(Some(Value::text(text))),
        json::Value::Number(number) => match number.as_i64().map(i32::try_from) {
            Some(Ok(whole)) => Ok(Some(Value::Int(whole.into()))),
            _wide_or_broken => Err(Malformed::attribute(
                name,
                "is a number beyond 32 bits or with a fraction",
            )),
        },
        json::Value::Array(_) | json::Value::Object(_) => Err(Malformed::attribute(
            name,
            "is a list or an object; a text, a whole number or a truth value is expected",
        )),
    }
}

fn bytes(written: &str) -> Result<Option<Vec<u8>>, Malformed> {
    let problem = || Malformed::attribute("data_base64", "is no text in base64");
    match json::read(written) {
        Ok(json::Value::Null) => Ok(None),
        Ok(json::Value::String(text)) => STANDARD.decode(text).map(Some).map_err(|_error| problem()),
        _other => Err(problem()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#""specversion": "1.0", "id": "1", "source": "/x", "type": "t""#;

    #[test]
    fn what_is_no_cloud_event_is_refused_with_the_reason() {
        for (event, expected) in [
            (
                r#"{"id": "1", "source": "/x", "type": "t"}"#.to_owned(),
                "attribute `specversion` is missing",
            ),
            (
                r#"{"specversion": "0.3", "id": "1", "source": "/x", "type": "t"}"#.to_owned(),
                "attribute `specversion` is `0.3`; `1.0` is expected",
            ),
            (
                r#"{"specversion": "1.0", "id": "", "source": "/x", "type": "t"}"#.to_owned(),
                "attribute `id` is empty",
            ),
            (
                r#"{"specversion": "1.0", "id": 7, "source": "/x", "type": "t"}"#.to_owned(),
                "attribute `id` is something else; a text is expected",
            ),
            (
                r#"{"specversion": "1.0", "id": null, "source": "/x", "type": "t"}"#.to_owned(),
                "attribute `id` is missing",
            ),
            (
                r#"{"specversion": "1.0", "id": "1", "source": "a b", "type": "t"}"#.to_owned(),
                "attribute `source` is no URI reference",
            ),
            (
                format!(r#"{{{GOOD}, "id": "2"}}"#),
                "attribute `id` is there twice",
            ),
            (
                format!(r#"{{{GOOD}, "time": "yesterday"}}"#),
                "attribute `time` is no time as in RFC 3339, such as 2026-01-31T12:00:00Z",
            ),
            (
                format!(r#"{{{GOOD}, "subject": ""}}"#),
                "attribute `subject` is empty",
            ),
            (
                format!(r#"{{{GOOD}, "Region": "eu"}}"#),
                "attribute `Region` has a name that no attribute has: lower-case letters and digits are expected",
            ),
            (
                format!(r#"{{{GOOD}, "tags": ["a"]}}"#),
                "attribute `tags` is a list or an object; a text, a whole number or a truth value is expected",
            ),
            (
                format!(r#"{{{GOOD}, "data_base64": "!"}}"#),
                "attribute `data_base64` is no text in base64",
            ),
            (
                format!(r#"{{{GOOD}, "data": {{}}, "data_base64": "e30="}}"#),
                "attribute `data` stands beside `data_base64`; one of them is expected",
            ),
            (
                "[]".to_owned(),
                "the body is no JSON: expected a CloudEvent, which is an object",
            ),
        ] {
            assert_eq!(structured(&event).unwrap_err().to_string(), expected, "{event}");
        }
    }

    #[test]
    fn data_that_is_an_object_is_the_message_and_else_the_event_is() {
        let whole = |more: &str| format!("{{{GOOD}{more}}}");
        for (more, expected) in [
            (r#", "data": {"a":  1.50}"#, Some(r#"{"a":  1.50}"#)),
            (r#", "data_base64": "eyJhIjoxfQ==""#, Some(r#"{"a":1}"#)),
            (
                r#", "datacontenttype": "application/json", "data": {"a": 1}"#,
                Some(r#"{"a": 1}"#),
            ),
            (r#", "datacontenttype": "text/xml", "data": "<a/>""#, None),
            (r#", "data": null"#, None),
            (r#", "data": [1]"#, None),
            ("", None),
        ] {
            let text = whole(more);
            let native = structured(&text).unwrap();
            assert_eq!(&*native.body, expected.unwrap_or(&text), "{more}");
            assert_eq!(&*native.envelope.unwrap().event_key.0, "/x 1");
        }
    }

    #[test]
    fn one_broken_element_spoils_the_list() {
        let error = batch(&format!(r#"[{{{GOOD}}}, {{}}]"#), 9).unwrap_err();
        assert_eq!(error.to_string(), "event 2: attribute `specversion` is missing");
        let error = plain(r#"[{}, 1]"#, 9).unwrap_err();
        assert_eq!(
            error.to_string(),
            "event 2: a JSON object, or a list of objects, is expected"
        );
        assert_eq!(batch("[]", 9).unwrap().len(), 0);
        assert_eq!(
            plain("[{}, {}]", 1).unwrap_err().to_string(),
            "more than 1 events at once"
        );
        assert!(
            plain("[{}, {}, ", 1)
                .unwrap_err()
                .to_string()
                .starts_with("the body is no JSON")
        );
        assert_eq!(plain(" [ {\"a\": 1} , {} ] ", 9).unwrap().len(), 2);
    }

    #[test]
    fn documents_behind_each_other_are_messages_and_blank_lines_are_nothing() {
        let bodies = |text: &str| {
            let messages = documents(text, 4)?;
            Ok::<_, Malformed>(
                messages
                    .iter()
                    .map(|message| message.body.to_string())
                    .collect::<Vec<_>>(),
            )
        };
        let found = bodies("\n{\"a\": 1}\r\n\n \n[{\"b\": 2}, {}]\n{\"c\":\n3}").unwrap();
        assert_eq!(found, ["{\"a\": 1}", "{\"b\": 2}", "{}", "{\"c\":\n3}"]);
        assert_eq!(bodies("").unwrap(), [""; 0]);
        for (text, expected) in [
            (
                "{}\n7",
                "event 2: a JSON object, or a list of objects, is expected",
            ),
            (
                "{}\n[{}, 7]",
                "event 3: a JSON object, or a list of objects, is expected",
            ),
            ("{} {} {} {} {}", "more than 4 events at once"),
            ("{} {} [{}, {}, {}]", "more than 4 events at once"),
            (
                "{}\nnonsense",
                "the body is no JSON: expected ident at line 2 column 2",
            ),
        ] {
            assert_eq!(bodies(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn only_what_has_all_of_a_cloud_event_is_recognized_as_one() {
        for (message, expected) in [
            (format!(r#"{{{GOOD}, "data": {{"a": 1}}}}"#), Some(r#"{"a": 1}"#)),
            (format!(r#" {{{GOOD}}}"#), Some("")),
            (
                r#"{"specversion": "1.0", "id": "1", "source": "/x"}"#.to_owned(),
                None,
            ),
            (
                r#"{"specversion": "0.3", "id": "1", "source": "/x", "type": "t"}"#.to_owned(),
                None,
            ),
            (format!(r#"{{"event": {{{GOOD}}}}}"#), None),
            (format!(r#"{{{GOOD}, "Tags": ["a"]}}"#), None),
            (r#"{"text": "\"specversion\""}"#.to_owned(), None),
            ("{}".to_owned(), None),
        ] {
            let found = recognized(&message);
            let body = found.as_ref().map(|native| &*native.body);
            let expected = expected.map(|body| if body.is_empty() { &*message } else { body });
            assert_eq!(body, expected, "{message}");
            assert_eq!(
                found.is_some_and(|native| native.envelope.is_some()),
                expected.is_some()
            );
        }
    }
}
