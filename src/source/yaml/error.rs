//! Why a text is no YAML that can be used, with advice for the slips that people make most.

use granit_parser::ErrorKind;
use granit_parser::ScanError;

use crate::source::yaml::node::Position;

/// Why a text cannot be read, and where.
#[derive(Debug)]
pub(crate) struct YamlError {
    /// The kind of finding.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// What to do about it; may be empty.
    pub(crate) help: String,
    pub(crate) at: Position,
}

impl YamlError {
    /// Something that is no YAML, or means nothing here.
    pub(crate) fn syntax(at: Position, message: impl Into<String>) -> Self {
        Self {
            code: "YamlSyntax",
            message: message.into(),
            help: String::new(),
            at,
        }
    }

    /// A tag, which would take the letters of the value away.
    pub(crate) fn tag(at: Position, tag: &str, whole: &str) -> Self {
        let whole = whole.lines().next().unwrap_or(tag).trim();
        let quoted = match whole.contains('\'') {
            false => format!("'{whole}'"),
            true => format!("\"{}\"", whole.replace('\\', "\\\\").replace('"', "\\\"")),
        };
        Self {
            code: "YamlTag",
            message: format!("`{tag}` is a tag of YAML, and no part of the text behind it"),
            help: format!("put the value in quotes if this is part of it: {quoted}"),
            at,
        }
    }

    /// An anchor on a text that nothing refers to: `&` begins one.
    pub(crate) fn anchor(at: Position, name: &str) -> Self {
        Self {
            code: "YamlAnchor",
            message: format!(
                "`&{name}` is an anchor of YAML that nothing refers to, and no part of the text"
            ),
            help: format!("put the value in quotes if `&{name}` is part of it; else take it out"),
            at,
        }
    }

    /// The same error with advice.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

impl From<ScanError> for YamlError {
    fn from(error: ScanError) -> Self {
        let at = Position::of(error.marker());
        Self::syntax(at, error.info()).help(help(error.kind()))
    }
}

fn help(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabAtBlockScalarStart => "YAML indents with spaces: replace the tab",
        ErrorKind::UnexpectedCharacter { .. } => "put the value in quotes",
        ErrorKind::MappingValueNotAllowed => "a text with `: ` in it stands in quotes",
        ErrorKind::UnknownAnchor => {
            "a value that begins with `*` stands in quotes; elsewhere `*name` needs an `&name` before it"
        }
        ErrorKind::SimpleKeyExpected => {
            "a line of a map is `key: value`; what goes on below a text is indented"
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            "put the whole value in quotes; of single quotes within single ones each is written twice"
        }
        ErrorKind::InvalidTagTerminator | ErrorKind::MissingTagUri | ErrorKind::InvalidGlobalTagCharacter => {
            "a value that begins with `!` stands in quotes"
        }
        ErrorKind::MissingAnchorOrAliasName => "a value that begins with `&` or `*` stands in quotes",
        _other => "",
    }
}
