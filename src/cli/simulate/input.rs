//! What a line of `simulate --ndjson` asks for.

use std::sync::Arc;

use http::HeaderMap;

use crate::model::delivery::DeliveryError;
use crate::model::json;
use crate::model::json::Map;
use crate::model::json::Value;
use crate::settings::Blacklists;
use crate::source::suggest;
use crate::switchboard::simulation::SimulatedEvent;
use crate::switchboard::simulation::SimulationRequest;
use crate::transport;
use crate::transport::Form;

/// The keys that a line without a provider may have.
const KEYS: [&str; 8] = [
    "source",
    "event_type",
    "attributes",
    "event_class",
    "uri",
    "deliveries",
    "records",
    "workspace",
];

/// Whose messages are read, and how they are carried.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    /// A folder under scripts/.
    pub(crate) provider: String,
    /// What a sender says of its body.
    pub(crate) headers: HeaderMap,
    /// What is not wanted of each provider.
    pub(crate) blacklists: Arc<Blacklists>,
}

/// What the command line says for all lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults<'a> {
    /// Whose messages they are; without one each line is a pair or a path.
    pub(crate) sender: Option<&'a Sender>,
    /// Whether documents show the workspace.
    pub(crate) workspace: bool,
    /// How many runs a retry may take.
    pub(crate) deliveries: u32,
}

impl Defaults<'_> {
    /// What one line asks for, a list of messages for several simulations, or why it cannot be read. Nothing for a
    /// blank line of messages, as in every stream of them.
    pub(crate) fn requests(&self, line: &[u8]) -> Option<Result<Vec<SimulationRequest>, DeliveryError>> {
        let Some(sender) = self.sender else {
            return Some(self.pair(line).map(|request| vec![request]));
        };
        if line.trim_ascii().is_empty() {
            return None;
        }
        let request = |event| SimulationRequest {
            event,
            workspace: self.workspace,
            deliveries: self.deliveries,
            records: None,
        };
        let messages = sender.messages(Form::Plain, line);
        Some(messages.map(|messages| messages.into_iter().map(request).collect()))
    }

    fn pair(&self, line: &[u8]) -> Result<SimulationRequest, DeliveryError> {
        let read = json::read_bytes(line);
        let read = read.map_err(|error| unreadable(format!("the line is no JSON object: {error}")))?;
        let Value::Object(mut map) = read else {
            let kind = read.kind();
            return Err(unreadable(format!("the line is no JSON object, it is {kind}")));
        };
        refuse_misspelt(&map)?;
        let deliveries = deliveries(&map)?.unwrap_or(self.deliveries);
        let workspace = match map.get("workspace") {
            None | Some(Value::Null) => self.workspace,
            Some(Value::Bool(flag)) => *flag || self.workspace,
            Some(_) => return Err(expected("workspace", "true or false")),
        };
        let records = map.shift_remove("records").filter(|records| !records.is_null());
        if records.as_ref().is_some_and(|records| !records.is_object()) {
            return Err(expected("records", "an object such as {\"Vm\": {\"5\": {…}}}"));
        }
        Ok(SimulationRequest {
            event: event(map)?,
            workspace,
            deliveries,
            records,
        })
    }
}

impl Sender {
    /// The messages of a body, as the front door reads it; in the form `unless_said` where no header says one.
    pub(crate) fn messages(
        &self,
        unless_said: Form,
        body: &[u8],
    ) -> Result<Vec<SimulatedEvent>, DeliveryError> {
        let form = match self.headers.is_empty() {
            true => unless_said,
            false => Form::of(&self.headers).map_err(|problem| unreadable(problem.to_string()))?,
        };
        let messages = transport::messages(form, &self.headers, body, usize::MAX);
        let messages = messages.map_err(|problem| unreadable(problem.to_string()))?;
        let event = |native| SimulatedEvent::Message {
            provider: self.provider.clone(),
            native,
            blacklists: self.blacklists.clone(),
        };
        Ok(messages.into_iter().map(event).collect())
    }
}

/// The error of something that cannot be read.
pub(crate) fn unreadable(message: String) -> DeliveryError {
    DeliveryError {
        path: String::new(),
        kind: "InvalidInput".to_owned(),
        message,
        fatal: true,
    }
}

fn expected(key: &str, what: &str) -> DeliveryError {
    unreadable(format!(
        "`{key}` of the line is something else; {what} is expected"
    ))
}

fn event(mut map: Map<String, Value>) -> Result<SimulatedEvent, DeliveryError> {
    if let Some(uri) = text(&map, "uri")? {
        if map.contains_key("source") || map.contains_key("event_type") {
            return Err(unreadable(
                "the line has `uri` beside `source` or `event_type`; one of them is expected".to_owned(),
            ));
        }
        return Ok(SimulatedEvent::Uri(uri));
    }
    let (Some(source), Some(event_type)) = (text(&map, "source")?, text(&map, "event_type")?) else {
        return Err(unreadable(
            "the line has neither `uri` nor both `source` and `event_type`".to_owned(),
        ));
    };
    let class = match text(&map, "event_class")? {
        Some(name) => name.parse().map_err(unreadable)?,
        None => Default::default(),
    };
    let attributes = match map.shift_remove("attributes") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(attributes)) => attributes,
        Some(_) => return Err(expected("attributes", "an object")),
    };
    Ok(SimulatedEvent::Event {
        class,
        source,
        event_type,
        attributes,
    })
}

fn text(map: &Map<String, Value>, key: &str) -> Result<Option<String>, DeliveryError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(expected(key, "a text")),
    }
}

fn deliveries(map: &Map<String, Value>) -> Result<Option<u32>, DeliveryError> {
    match map.get("deliveries") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value
                .as_u64()
                .and_then(|number| u32::try_from(number).ok())
                .filter(|number| *number > 0);
            number
                .map(Some)
                .ok_or_else(|| expected("deliveries", "a whole number from 1"))
        }
    }
}

/// A key that nobody knows is the sender's own note, unless it looks like a slip of the pen.
fn refuse_misspelt(map: &Map<String, Value>) -> Result<(), DeliveryError> {
    let unknown = map.keys().filter(|key| !KEYS.contains(&key.as_str()));
    for key in unknown {
        if let Some(meant) = suggest::nearest(key, KEYS) {
            return Err(unreadable(format!(
                "the line has an unknown key `{key}`; did you mean `{meant}`?"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_cannot_be_read_says_why() {
        for (line, expected) in [
            (
                "",
                "the line is no JSON object: EOF while parsing a value at line 1 column 1",
            ),
            ("[]", "the line is no JSON object, it is a list"),
            (
                "{}",
                "the line has neither `uri` nor both `source` and `event_type`",
            ),
            (
                r#"{"source": "A"}"#,
                "the line has neither `uri` nor both `source` and `event_type`",
            ),
            (
                r#"{"source": 1, "event_type": "x"}"#,
                "`source` of the line is something else; a text is expected",
            ),
            (
                r#"{"uri": "/A/B/c", "source": "A"}"#,
                "the line has `uri` beside `source` or `event_type`; one of them is expected",
            ),
            (
                r#"{"uri": "/A/B/c", "deliveries": 0}"#,
                "`deliveries` of the line is something else; a whole number from 1 is expected",
            ),
            (
                r#"{"uri": "/A/B/c", "delivery": 2}"#,
                "the line has an unknown key `delivery`; did you mean `deliveries`?",
            ),
            (
                r#"{"source": "A", "event_type": "x", "event_class": "Miq"}"#,
                "`Miq` is no event class; EmsEvent, MiqEvent, RequestEvent, CustomEvent or CustomButtonEvent is expected",
            ),
        ] {
            let defaults = Defaults {
                sender: None,
                workspace: false,
                deliveries: 1,
            };
            let error = defaults.pair(line.as_bytes()).unwrap_err();
            assert_eq!(error.message, expected, "{line}");
        }
    }

    #[test]
    fn a_line_overrides_what_the_command_line_says_for_all() {
        let defaults = Defaults {
            sender: None,
            workspace: false,
            deliveries: 3,
        };
        let request = defaults.pair(br#"{"uri": "/A/B/c", "note": 1}"#).unwrap();
        assert_eq!((request.deliveries, request.workspace), (3, false));
        let request = defaults
            .pair(br#"{"uri": "/A/B/c", "deliveries": 5, "workspace": true}"#)
            .unwrap();
        assert_eq!((request.deliveries, request.workspace), (5, true));
    }
}
