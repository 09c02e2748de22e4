//! From a native event to an event hash: `native_event` and `event_to_hash` of a provider's scripts.

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::ems::EmsId;
use crate::model::envelope::Envelope;
use crate::model::event::EventHash;
use crate::model::event::FullData;
use crate::model::event::NativeEvent;
use crate::provider::ParseError;
use crate::provider::Provider;
use crate::provider::event_hash;
use crate::script::Argument;
use crate::script::Document;
use crate::script::Script;
use crate::script::ScriptHost;

/// What the stream's script makes of a message before it is parsed.
pub(crate) const NATIVE_EVENT: &str = "native_event";
/// What the parser makes of it.
pub(crate) const EVENT_TO_HASH: &str = "event_to_hash";

/// What a parser made of a message.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// An event.
    Event(EventHash),
    /// Not an event, and why.
    Ignored(Cow<'static, str>),
}

impl Provider {
    /// Turns a message into an event hash. Functions that take one parameter more see its envelope.
    ///
    /// # Errors
    /// When the message is no JSON, or a script fails or returns a wrong shape.
    pub(crate) fn parse(
        &self,
        host: &ScriptHost,
        ems_id: EmsId,
        message: &NativeEvent,
    ) -> Result<Parsed, ParseError> {
        let parser = Called::new(&self.event_parser, EVENT_TO_HASH, 2);
        let stream = self.stream.as_ref();
        let stream = stream.and_then(|script| Called::where_defined(script, NATIVE_EVENT, 1));
        let sees_envelope =
            parser.sees_envelope || stream.as_ref().is_some_and(|stream| stream.sees_envelope);
        let envelope = sees_envelope
            .then(|| document_of(message.envelope.as_ref()))
            .transpose()?;
        let mut document = parse_json(&message.body, stream.as_ref().unwrap_or(&parser))?;
        let mut text = message.body.clone();
        if let Some(stream) = stream {
            let native = stream.call(host, &document, None, envelope.as_ref())?;
            if native.is_nothing() {
                return Ok(Parsed::Ignored("native_event returned nothing".into()));
            }
            if let Some(reason) = native.ignored() {
                return Ok(Parsed::Ignored(reason.into()));
            }
            if native.is_true() {
                // The message is the event, as it came.
            } else if let Some(native_text) = native.text() {
                (document, text) = (parse_json(&native_text, &parser)?, native_text);
            } else {
                document = native.into_document()?;
                text = Arc::from(document.to_json());
            }
        }
        let returned = parser.call(host, &document, Some(ems_id), envelope.as_ref())?;
        if returned.is_nothing() {
            return Ok(Parsed::Ignored("event_to_hash returned nothing".into()));
        }
        if let Some(reason) = returned.ignored() {
            return Ok(Parsed::Ignored(reason.into()));
        }
        let full_data = FullData::new(text);
        // The parsed document goes along, so that conditions and the target parser need not parse again.
        full_data.view(|_| document);
        Ok(Parsed::Event(event_hash::read(&returned, &self.name, full_data)?))
    }
}

/// A function of a script that is called with a document.
struct Called<'a> {
    script: &'a Script,
    function: &'static str,
    /// Whether it takes the envelope, behind everything else.
    sees_envelope: bool,
    parameters: usize,
}

impl<'a> Called<'a> {
    fn new(script: &'a Script, function: &'static str, parameters: usize) -> Self {
        let sees_envelope = script.defines(function, parameters + 1);
        Self {
            script,
            function,
            sees_envelope,
            parameters: parameters + usize::from(sees_envelope),
        }
    }

    fn where_defined(script: &'a Script, function: &'static str, parameters: usize) -> Option<Self> {
        let called = Self::new(script, function, parameters);
        script.defines(function, called.parameters).then_some(called)
    }

    fn call(
        &self,
        host: &ScriptHost,
        document: &Document,
        ems_id: Option<EmsId>,
        envelope: Option<&Document>,
    ) -> Result<crate::script::Returned, ParseError> {
        let envelope = envelope.filter(|_| self.sees_envelope).map(Argument::Document);
        let arguments = [ems_id.map(|id| Argument::Number(id.0)), envelope];
        Ok(host.call_with_document(self.script, self.function, document, arguments)?)
    }
}

/// A document for a function of a script, which is called with it first.
fn parse_json(text: &Arc<str>, called: &Called<'_>) -> Result<Document, ParseError> {
    let parsed = match called.script.looks_at_places(called.function, called.parameters) {
        true => Document::parse_for_places(text),
        false => Document::parse(text),
    };
    parsed.map_err(|error| ParseError::Json(error.to_string()))
}

/// The envelope as scripts see it; a map without keys where the message came without one.
fn document_of(envelope: Option<&Envelope>) -> Result<Document, ParseError> {
    let text = envelope.map_or(Cow::Borrowed("{}"), |envelope| Cow::Owned(envelope.for_scripts()));
    Document::parse(&text).map_err(|error| ParseError::Json(error.to_string()))
}
