//! The URI of a relationship, prepared: split, lower-cased for the look-up, its arguments decoded.

use std::borrow::Cow;
use std::sync::Arc;

use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::model::ae_path::AePath;
use crate::model::ae_path::AeUri;
use crate::model::ae_path::DATASTORE;

/// Characters that stand for texts which are put in after the URI was split: what an event brings is one part of
/// a path, whatever is in it, and never syntax.
const OPAQUE: std::ops::RangeInclusive<char> = '\u{e000}'..='\u{e0ff}';

/// Where a URI leads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PreparedUri {
    /// As written, after substitution: for the trace.
    pub(crate) text: Arc<str>,
    pub(crate) scheme: Scheme,
    /// None: the current message goes on.
    pub(crate) message: Option<Arc<str>>,
    pub(crate) arguments: Arc<[(Arc<str>, Arc<str>)]>,
    /// Whether the path ends in `*`, or `*` is elsewhere in the URI.
    pub(crate) wildcard: Wildcard,
}

/// Whether a URI holds a `*`, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wildcard {
    None,
    /// At the end of the path: it is expanded.
    AtEnd,
    /// Elsewhere: the name is taken literally, and the result is a list.
    Elsewhere,
}

/// What a scheme asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scheme {
    Datastore(Arc<DatastorePath>),
    Workspace(Arc<str>),
    /// The path of a method, as a call.
    Method(Arc<str>),
}

/// A path of the datastore with its look-up keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DatastorePath {
    pub(crate) namespace: Arc<str>,
    /// None for a path of one part: then the current object's class stands in.
    pub(crate) class: Option<Arc<str>>,
    pub(crate) instance: Option<Arc<str>>,
    /// `namespace/class`, lower case.
    pub(crate) key: Arc<str>,
    /// The instance, lower case.
    pub(crate) instance_key: Option<Arc<str>>,
}

impl DatastorePath {
    pub(crate) fn new(namespace: Arc<str>, class: Option<Arc<str>>, instance: Option<Arc<str>>) -> Self {
        // A class whose name came from an event may hold a slash, which must not lead into another namespace.
        let class_key = match class.as_deref().unwrap_or("") {
            name if name.contains('/') => Cow::Owned(name.replace('/', "\0")),
            name => Cow::Borrowed(name),
        };
        let mut key = [&*namespace, "/", &*class_key].concat();
        if key.is_ascii() {
            key.make_ascii_lowercase();
        } else {
            key = key.to_lowercase();
        }
        let instance_key = instance.as_ref().map(lower_case);
        Self {
            namespace,
            class,
            instance,
            key: key.into(),
            instance_key,
        }
    }
}

/// The text itself where it is in lower case already.
pub(crate) fn lower_case(text: &Arc<str>) -> Arc<str> {
    match text.chars().any(char::is_uppercase) {
        true => Arc::from(text.to_lowercase()),
        false => text.clone(),
    }
}

/// A text put together from parts, some of which came from an event.
#[derive(Debug, Default)]
pub(crate) struct UriText {
    text: String,
    opaque: Vec<Arc<str>>,
}

impl UriText {
    pub(crate) fn plain(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            opaque: Vec::new(),
        }
    }

    /// Nothing yet, with room for about so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            opaque: Vec::with_capacity(2),
        }
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Puts a text in that came from an event.
    pub(crate) fn push_opaque(&mut self, text: &Arc<str>) {
        let next = u32::try_from(self.opaque.len())
            .ok()
            .and_then(|offset| char::from_u32(u32::from(*OPAQUE.start()) + offset));
        match next.filter(|c| OPAQUE.contains(c)) {
            Some(c) => {
                self.text.push(c);
                self.opaque.push(text.clone());
            }
            None => self.text.push_str(text),
        }
    }

    /// The text for people.
    pub(crate) fn resolved(&self) -> String {
        self.resolve(&self.text)
    }

    fn resolve(&self, text: &str) -> String {
        if self.opaque.is_empty() {
            return text.to_owned();
        }
        let put_in: usize = self.opaque.iter().map(|text| text.len()).sum();
        let mut resolved = String::with_capacity(text.len() + put_in);
        for c in text.chars() {
            match self.opaque_text(c) {
                Some(opaque) => resolved.push_str(opaque),
                None => resolved.push(c),
            }
        }
        resolved
    }

    /// A part of the path; where it is nothing but a text that came from an event, that text itself.
    fn part(&self, part: &str) -> Arc<str> {
        let mut chars = part.chars();
        match (
            chars.next().and_then(|first| self.opaque_text(first)),
            chars.next(),
        ) {
            (Some(whole), None) => whole.clone(),
            _mixed if self.opaque.is_empty() => Arc::from(part),
            _mixed => Arc::from(self.resolve(part)),
        }
    }

    fn opaque_text(&self, c: char) -> Option<&Arc<str>> {
        let offset = u32::from(c).checked_sub(u32::from(*OPAQUE.start()))?;
        self.opaque.get(usize::try_from(offset).ok()?)
    }

    fn is_opaque(&self, c: char) -> bool {
        self.opaque_text(c).is_some()
    }

    /// Splits the text as a URI.
    pub(crate) fn prepare(&self) -> Ae<PreparedUri> {
        self.prepare_as(Arc::from(self.resolved().trim()))
    }

    /// As [`UriText::prepare`], where the text for people is known already.
    pub(crate) fn prepare_as(&self, resolved: Arc<str>) -> Ae<PreparedUri> {
        let uri = AeUri::parse_with(&self.text, DATASTORE, &|c| self.is_opaque(c))?;
        let path = uri.path.as_deref();
        let no_path = || {
            AeError::engine(
                "InvalidPathFormat",
                format!(
                    "`{}` has no path; one like `/Namespace/Class/Instance` is expected",
                    self.resolved()
                ),
            )
        };
        let wildcard = match path {
            Some(path) if path.ends_with('*') => Wildcard::AtEnd,
            _other if self.text.contains('*') => Wildcard::Elsewhere,
            _other => Wildcard::None,
        };
        let scheme = match &*uri.scheme {
            "miqaedb" => {
                let (namespace, class, instance) = AePath::parts(path.ok_or_else(no_path)?);
                let part = |part: &str| self.part(part);
                let path = DatastorePath::new(part(namespace), class.map(part), instance.map(part));
                Scheme::Datastore(Arc::new(path))
            }
            "miqaews" => Scheme::Workspace(Arc::from(self.resolve(path.unwrap_or("")))),
            "method" | "miqaemethod" => Scheme::Method(Arc::from(self.resolve(path.ok_or_else(no_path)?))),
            other => {
                let message = format!(
                    "`{}`: the scheme `{other}` is unknown; miqaedb, miqaews or method is expected",
                    self.resolved()
                );
                return Err(AeError::engine("InvalidPathFormat", message));
            }
        };
        let argument =
            |(key, value): (String, String)| (Arc::from(self.resolve(&key)), Arc::from(self.resolve(&value)));
        let arguments = match uri.query {
            Some(_) => uri.arguments().into_iter().map(argument).collect(),
            None => Arc::default(),
        };
        Ok(PreparedUri {
            text: resolved,
            scheme,
            message: uri
                .fragment
                .as_ref()
                .map(|_| Arc::from(self.resolve(&uri.message()))),
            arguments,
            wildcard,
        })
    }
}
