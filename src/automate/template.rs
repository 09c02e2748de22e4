//! Text with `${…}` in it, split into parts once at load (reference 4.11).

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::ae_path::AeUri;
use crate::model::ae_path::WORKSPACE;
use crate::model::ae_path::collapse_slashes;

/// A text, split at its substitutions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) parts: Box<[Part]>,
}

/// One part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// As it stands.
    Literal(Arc<str>),
    /// What stands between `${` and `}`.
    Reference(Arc<Reference>),
}

/// A reference into the workspace or the datastore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// As written, with its braces.
    pub(crate) written: Arc<str>,
    pub(crate) kind: ReferenceKind,
}

/// What a reference names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReferenceKind {
    /// An attribute of an object of the workspace, and what is called on it.
    Attribute {
        object: Arc<str>,
        attribute: Arc<str>,
        chain: Box<[ChainStep]>,
    },
    /// A state variable, and what is called on it.
    StateVar { name: Arc<str>, chain: Box<[ChainStep]> },
    /// `!current_message`.
    CurrentMessage,
    /// An attribute of an instance of the datastore, built for the purpose.
    Datastore { path: Arc<str>, message: Arc<str> },
    /// Another scheme: the text itself.
    Text(Arc<str>),
    /// What cannot be resolved, with the exception it raises.
    Broken {
        exception: &'static str,
        why: Cow<'static, str>,
    },
}

/// One call of a chain: `strip`, `get_option(:email)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChainStep {
    pub(crate) name: Arc<str>,
    pub(crate) argument: Option<Arc<str>>,
}

impl Template {
    /// Splits a text. `${}` is left as it is; there is no nesting and no escape.
    pub(crate) fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("${") {
            literal.push_str(before);
            match from.split_once('}') {
                Some((inside, after)) if !inside.is_empty() => {
                    if !literal.is_empty() {
                        parts.push(Part::Literal(Arc::from(std::mem::take(&mut literal))));
                    }
                    parts.push(Part::Reference(Arc::new(Reference::parse(inside))));
                    rest = after;
                }
                Some(_) => {
                    literal.push_str("${");
                    rest = from;
                }
                // Nothing closes any more: the rest is text, and is not searched again.
                None => {
                    literal.push_str("${");
                    literal.push_str(from);
                    rest = "";
                }
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() || parts.is_empty() {
            parts.push(Part::Literal(Arc::from(literal)));
        }
        Self { parts: parts.into() }
    }

    /// The text, where nothing has to be put in.
    pub(crate) fn literal(&self) -> Option<&Arc<str>> {
        match &*self.parts {
            [Part::Literal(text)] => Some(text),
            _with_references => None,
        }
    }

    /// What has to be put in.
    pub(crate) fn references(&self) -> impl Iterator<Item = &Arc<Reference>> {
        self.parts.iter().filter_map(|part| match part {
            Part::Reference(reference) => Some(reference),
            Part::Literal(_) => None,
        })
    }
}

impl Reference {
    fn parse(inside: &str) -> Self {
        Self {
            written: Arc::from(format!("${{{inside}}}")),
            kind: ReferenceKind::parse(inside),
        }
    }
}

impl ReferenceKind {
    fn parse(inside: &str) -> Self {
        let uri = match AeUri::parse(inside, WORKSPACE) {
            Ok(uri) => uri,
            Err(error) => {
                return Self::Broken {
                    exception: "InvalidPathFormat",
                    why: format!("`${{{inside}}}`: {error}").into(),
                };
            }
        };
        let path = uri.path.as_deref().unwrap_or("");
        match &*uri.scheme {
            "miqaews" => Self::workspace(inside, path, uri.fragment.as_deref()),
            "miqaedb" => Self::Datastore {
                path: Arc::from(path),
                message: uri.message(),
            },
            _other => Self::Text(Arc::from(collapse_slashes(inside.trim()))),
        }
    }

    fn workspace(inside: &str, path: &str, fragment: Option<&str>) -> Self {
        if let Some(word) = path.strip_prefix('!') {
            return match word {
                "current_message" => Self::CurrentMessage,
                _other => Self::Broken {
                    exception: "MethodNotFound",
                    why: format!("`${{{inside}}}`: only `!current_message` may follow `${{`").into(),
                },
            };
        }
        let Some(fragment) = fragment else {
            let why =
                format!("`${{{inside}}}` names no attribute; write `${{#{inside}}}` for one of this object");
            return Self::Broken {
                exception: "AttributeMissingInReference",
                why: why.into(),
            };
        };
        let mut words = fragment.split('.');
        let first = words.next().unwrap_or("");
        let chain = words.map(ChainStep::parse).collect();
        if path.eq_ignore_ascii_case("state_var") {
            return Self::StateVar {
                name: Arc::from(first),
                chain,
            };
        }
        Self::Attribute {
            object: Arc::from(path),
            attribute: Arc::from(first.to_lowercase()),
            chain,
        }
    }
}

impl ChainStep {
    fn parse(word: &str) -> Self {
        match word
            .split_once('(')
            .map(|(name, rest)| (name, rest.strip_suffix(')')))
        {
            Some((name, Some(argument))) => Self {
                name: Arc::from(name),
                argument: Some(Arc::from(argument)),
            },
            _no_argument => Self {
                name: Arc::from(word),
                argument: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_split_at_their_substitutions() {
        for (text, expected) in [
            ("plain", "plain"),
            ("${}", "${}"),
            ("a${#b}c", "a|${#b}|c"),
            ("${#a}${#b}", "${#a}|${#b}"),
            ("${open", "${open"),
            ("", ""),
        ] {
            let template = Template::parse(text);
            let parts = template.parts.iter().map(|part| match part {
                Part::Literal(text) => text.to_string(),
                Part::Reference(reference) => reference.written.to_string(),
            });
            assert_eq!(parts.collect::<Vec<_>>().join("|"), expected, "{text}");
        }
    }
}
