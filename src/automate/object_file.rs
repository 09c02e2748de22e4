//! One YAML file of the datastore: its envelope, its attributes, and what in it nobody reads (reference 1.2).

use std::sync::Arc;

use crate::source::Diagnostic;
use crate::source::SourceFile;
use crate::source::suggest;
use crate::source::yaml::Content;
use crate::source::yaml::Node;
use crate::source::yaml::Position;
use crate::source::yaml::Style;

const ENVELOPE_KEYS: [&str; 3] = ["object_type", "version", "object"];
/// What people write about a thing without having it do anything: a comment in its place is one.
const PROSE: [&str; 4] = ["description", "display_name", "owner", "visibility"];
static NOTHING: Node = Node {
    at: Position::START,
    content: Content::Nothing { is_comment: false },
};

/// What a file describes: which keys its object has, and which attributes.
pub(crate) struct Shape {
    /// For messages.
    pub(crate) what: &'static str,
    /// What stands beside `attributes`.
    pub(crate) part: &'static str,
    pub(crate) attributes: &'static [&'static str],
}

/// A file with an `object` in it.
pub(crate) struct ObjectFile<'f> {
    pub(crate) file: &'f Arc<SourceFile>,
    document: Node,
}

impl<'f> ObjectFile<'f> {
    /// Reads a file, or says where it is no YAML or holds no object.
    pub(crate) fn read(file: &'f Arc<SourceFile>) -> Result<Self, Diagnostic> {
        let document = Node::parse(&file.text).map_err(|error| {
            Diagnostic::error(error.code, &file.path, error.message)
                .at(error.at.line, error.at.column)
                .help(error.help)
        })?;
        match document.get("object").map(|object| &object.content) {
            Some(Content::Map(_)) => Ok(Self { file, document }),
            _other => Err(Diagnostic::error(
                "ObjectMissing",
                &file.path,
                format!("the file holds {} without an `object`", document.kind()),
            )
            .at(document.at.line, document.at.column)
            .help("every file of the datastore begins with `object_type:`, `version: 1.0` and `object:`")),
        }
    }

    /// `schema`, `fields` or `inputs`.
    pub(crate) fn part(&self, key: &str) -> Option<&Node> {
        self.document.get("object")?.get(key)
    }

    /// An attribute, as it is written.
    pub(crate) fn attribute(&self, key: &str) -> Option<&Node> {
        self.attributes().get(key)
    }

    /// The text of an attribute without the spaces around it; nothing where it is blank.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        let text = self.attribute(key)?.text()?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// Where the value of an attribute is, or what is nearest to where it should be.
    pub(crate) fn place(&self, key: &str) -> Position {
        self.attribute(key).map_or(self.attributes().at, |value| value.at)
    }

    /// Where the key of an attribute is, or what is nearest to where it should be.
    pub(crate) fn key_place(&self, key: &str) -> Position {
        self.attributes()
            .entry(key)
            .map_or(self.attributes().at, |entry| entry.at)
    }

    /// The name, which everything needs.
    pub(crate) fn name(&self, shape: &Shape) -> Result<&str, Diagnostic> {
        self.text("name").ok_or_else(|| {
            let at = self.key_place("name");
            let message = format!("the {} has no name; it is left out", shape.what);
            Diagnostic::error("NameMissing", &self.file.path, message)
                .at(at.line, at.column)
                .help("write it under object: attributes: name:")
        })
    }

    /// Finds what nobody reads: unknown keys, and comments in the place of values.
    pub(crate) fn check(&self, shape: &Shape, found: &mut Vec<Diagnostic>) {
        check_keys(&self.document, &ENVELOPE_KEYS, self.file, found);
        if let Some(object) = self.document.get("object") {
            check_keys(object, &["attributes", shape.part], self.file, found);
        }
        check_keys(self.attributes(), shape.attributes, self.file, found);
        check_values(&self.document, self.file, found);
    }

    fn attributes(&self) -> &Node {
        self.part("attributes").unwrap_or(&NOTHING)
    }
}

/// Keys that nobody reads are worth a warning: they are typing errors mostly.
pub(crate) fn check_keys(node: &Node, known: &[&str], file: &Arc<SourceFile>, found: &mut Vec<Diagnostic>) {
    for entry in node.entries() {
        let key = entry.key.as_str();
        if known.contains(&key) {
            continue;
        }
        let help = suggest::did_you_mean(key, known.iter().copied());
        found.push(
            Diagnostic::warning("UnknownKey", &file.path, format!("`{key}` is not read"))
                .at(entry.at.line, entry.at.column)
                .help(help),
        );
    }
}

/// What begins with `#` is a comment of YAML; where nothing else follows a key it may have been meant as its value,
/// and where it cuts a text in two the rest of it was. A block that is empty lost its lines to a wrong indent.
fn check_values(node: &Node, file: &Arc<SourceFile>, found: &mut Vec<Diagnostic>) {
    node.items()
        .iter()
        .for_each(|item| check_values(item, file, found));
    for entry in node.entries() {
        let key = &entry.key;
        let why = match &entry.value.content {
            Content::Nothing { is_comment: true } if !PROSE.contains(&key.as_str()) => {
                Some((format!("`{key}` is empty: what follows is a comment"), entry.at))
            }
            Content::Text {
                text,
                is_before_comment: true,
                ..
            } if is_cut(text) => {
                let message = format!("`{key}` is `{text}`: what follows `#` is a comment");
                Some((message, entry.value.at))
            }
            _other => None,
        };
        found.extend(why.map(|(message, at)| {
            Diagnostic::error("ValueIsComment", &file.path, message)
                .at(at.line, at.column)
                .help("put the value in quotes if `#` is part of it; else give the comment a line of its own")
        }));
        if let Content::Text {
            text,
            style: Style::Literal | Style::Folded,
            ..
        } = &entry.value.content
            && text.trim().is_empty()
            && !PROSE.contains(&key.as_str())
        {
            let message = format!("`{key}` is a block without lines");
            let finding =
                Diagnostic::error("EmptyBlock", &file.path, message).at(entry.at.line, entry.at.column);
            found.push(finding.help("indent its lines deeper than the key, or take the key out"));
        }
        check_values(&entry.value, file, found);
    }
}

/// Whether a text ends within quotes or brackets.
fn is_cut(text: &str) -> bool {
    let count = |c: char| text.matches(c).count();
    let is_open = |open, close| count(close) < count(open);
    count('"') % 2 == 1 || is_open('(', ')') || is_open('[', ']') || is_open('{', '}')
}
