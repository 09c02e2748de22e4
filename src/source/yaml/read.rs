//! Events of the parser to nodes: scalars keep their letters, aliases and merge keys are carried out.

use std::borrow::Cow;

use ahash::HashMap;
use granit_parser::Event;
use granit_parser::Marker;
use granit_parser::Parser;
use granit_parser::ScalarStyle;
use granit_parser::Span;
use granit_parser::Tag;
use granit_parser::options;

use crate::source::yaml::error::YamlError;
use crate::source::yaml::maps::MERGE;
use crate::source::yaml::maps::double_key;
use crate::source::yaml::maps::extent;
use crate::source::yaml::maps::given_twice;
use crate::source::yaml::maps::with_merged;
use crate::source::yaml::node::Content;
use crate::source::yaml::node::Entry;
use crate::source::yaml::node::Node;
use crate::source::yaml::node::Position;
use crate::source::yaml::node::Style;

/// The deepest nesting, aliases carried out.
const MAX_DEPTH: usize = 100;
/// The most values that aliases may repeat: a few lines could make millions.
const MAX_REPEATED: usize = 100_000;

impl Position {
    pub(super) fn of(marker: &Marker) -> Self {
        let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        Self {
            line: number(marker.line()),
            column: number(marker.col() + 1),
        }
    }
}

/// Reads a text that holds one document at most.
pub(super) fn read(text: &str) -> Result<Node, YamlError> {
    let options = options! { emit_anchor_events: true };
    let mut builder = Builder {
        text,
        open: Vec::new(),
        root: None,
        anchored: HashMap::default(),
        unused: Vec::new(),
        repeated: 0,
        documents: 0,
    };
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next?;
        builder.take(event, &span)?;
    }
    if let Some((_, name, at)) = builder.unused.first() {
        return Err(YamlError::anchor(*at, name));
    }
    Ok(builder.root.unwrap_or(Node {
        at: Position::START,
        content: Content::Nothing { is_comment: false },
    }))
}

/// A list or map whose end has not come.
struct Open {
    at: Position,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// The key whose value comes next.
        key: Option<Key>,
        /// What `<<` brings.
        merged: Option<Node>,
    },
}

struct Key {
    text: String,
    at: Position,
    /// Where it ends, in bytes.
    end: usize,
    is_merge: bool,
}

struct Builder<'t> {
    text: &'t str,
    open: Vec<Open>,
    root: Option<Node>,
    anchored: HashMap<usize, Node>,
    /// Anchors of texts that nothing referred to yet.
    unused: Vec<(usize, String, Position)>,
    repeated: usize,
    documents: usize,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), YamlError> {
        let at = Position::of(&span.start);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if 1 < self.documents {
                    let error = YamlError::syntax(at, "the file holds more than one document");
                    return Err(
                        error.help("take out the second `---`, or move what follows into a file of its own")
                    );
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => self.scalar(text, style, anchor, tag.as_deref(), span),
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), &["seq"], span)?;
                self.begin(at, anchor, Items::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), &["map"], span)?;
                let items = Items::Map {
                    entries: Vec::new(),
                    key: None,
                    merged: None,
                };
                self.begin(at, anchor, items)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(anchor, at, span),
            Event::Anchor(anchor, name) => {
                let is_text = self
                    .anchored
                    .get(&anchor)
                    .is_some_and(|node| node.text().is_some() || node.is_nothing());
                if is_text {
                    self.unused.push((anchor, name.into_owned(), at));
                }
                Ok(())
            }
            _no_value => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: &Span,
    ) -> Result<(), YamlError> {
        let at = Position::of(&span.start);
        let end = span.end.byte_offset().unwrap_or_default();
        let is_plain = style == ScalarStyle::Plain;
        // Old exporters of Ruby write `! 'text'`, which says of a text in quotes that it is one.
        if is_plain || !tag.is_some_and(is_non_specific) {
            self.check_tag(tag, &["str", "int", "float", "bool", "null"], span)?;
        }
        if let Some(Items::Map { key: key @ None, .. }) = self.open.last_mut().map(|open| &mut open.items) {
            let is_merge = is_plain && text == MERGE;
            let text = text.into_owned();
            if anchor != 0 {
                self.anchored.insert(anchor, text_node(at, text.clone()));
            }
            *key = Some(Key {
                text,
                at,
                end,
                is_merge,
            });
            return Ok(());
        }
        let is_null = matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
        let node = match tag.and_then(Tag::core_suffix) {
            None if is_plain && is_null => self.nothing(at, span.is_empty()),
            Some("null") => {
                if !is_null {
                    return Err(self.tag_error(span));
                }
                self.nothing(at, false)
            }
            _text => Node {
                at,
                content: Content::Text {
                    text: text.into_owned(),
                    style: match style {
                        ScalarStyle::Plain => Style::Plain,
                        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                        ScalarStyle::Literal => Style::Literal,
                        ScalarStyle::Folded => Style::Folded,
                    },
                    is_before_comment: is_plain && is_comment(self.text.get(end..).unwrap_or_default()),
                },
            },
        };
        self.value(node, anchor)
    }

    /// Nothing, as it is written; an empty value is where its key is.
    fn nothing(&self, at: Position, is_empty: bool) -> Node {
        let key = match self.open.last().map(|open| &open.items) {
            Some(Items::Map { key, .. }) => key.as_ref(),
            _other => None,
        };
        let key = key.filter(|_| is_empty);
        let is_comment = key.is_some_and(|key| {
            let behind = self.text.get(key.end..).unwrap_or_default();
            behind
                .trim_start_matches([' ', '\t'])
                .strip_prefix(':')
                .is_some_and(is_comment)
        });
        Node {
            at: key.map_or(at, |key| key.at),
            content: Content::Nothing { is_comment },
        }
    }

    fn begin(&mut self, at: Position, anchor: usize, items: Items) -> Result<(), YamlError> {
        if MAX_DEPTH <= self.open.len() {
            return Err(too_deep(at));
        }
        self.open.push(Open { at, anchor, items });
        Ok(())
    }

    fn end(&mut self) -> Result<(), YamlError> {
        let Some(Open { at, anchor, items }) = self.open.pop() else {
            return Ok(());
        };
        let content = match items {
            Items::List(items) => Content::List(items),
            Items::Map { entries, merged, .. } => {
                if let Some(double) = double_key(&entries) {
                    return Err(double);
                }
                Content::Map(match merged {
                    None => entries,
                    Some(merged) => with_merged(entries, merged)?,
                })
            }
        };
        self.value(Node { at, content }, anchor)
    }

    fn alias(&mut self, anchor: usize, at: Position, span: &Span) -> Result<(), YamlError> {
        self.unused.retain(|(known, ..)| *known != anchor);
        let Some(node) = self.anchored.get(&anchor) else {
            return Err(YamlError::syntax(at, "an alias stands within what it refers to"));
        };
        let (count, depth) = extent(node);
        self.repeated += count;
        if MAX_REPEATED < self.repeated {
            let message = format!("aliases repeat more than {MAX_REPEATED} values");
            return Err(YamlError::syntax(at, message));
        }
        if MAX_DEPTH < self.open.len() + depth {
            return Err(too_deep(at));
        }
        let node = node.clone();
        if let Some(Items::Map { key: key @ None, .. }) = self.open.last_mut().map(|open| &mut open.items) {
            let text = node.text().ok_or_else(|| key_is_no_text(at))?;
            *key = Some(Key {
                text: text.to_owned(),
                at,
                end: span.end.byte_offset().unwrap_or_default(),
                is_merge: false,
            });
            return Ok(());
        }
        self.value(node, 0)
    }

    /// Puts a finished value where it belongs.
    fn value(&mut self, node: Node, anchor: usize) -> Result<(), YamlError> {
        if anchor != 0 {
            self.anchored.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.root = Some(node),
            Some(Items::List(items)) => items.push(node),
            Some(Items::Map { entries, key, merged }) => {
                let Some(key) = key.take() else {
                    return Err(key_is_no_text(node.at));
                };
                if !key.is_merge {
                    entries.push(Entry {
                        key: key.text,
                        at: key.at,
                        value: node,
                    });
                } else if merged.replace(node).is_some() {
                    return Err(given_twice(MERGE, key.at));
                }
            }
        }
        Ok(())
    }

    /// Refuses every tag but those that leave the letters as they are.
    fn check_tag(&self, tag: Option<&Tag>, known: &[&str], span: &Span) -> Result<(), YamlError> {
        let Some(tag) = tag else { return Ok(()) };
        match tag.core_suffix().is_some_and(|suffix| known.contains(&suffix)) {
            true => Ok(()),
            false => Err(self.tag_error(span)),
        }
    }

    fn tag_error(&self, span: &Span) -> YamlError {
        let tag = span.tag_span();
        let start = tag.map_or(span.start, |tag| tag.start);
        let written = tag.and_then(|tag| tag.slice(self.text)).unwrap_or("!");
        let whole = start.byte_offset().zip(span.end.byte_offset());
        let whole = whole.and_then(|(start, end)| self.text.get(start..end));
        YamlError::tag(Position::of(&start), written, whole.unwrap_or(written))
    }
}

/// Whether a tag is `!` alone.
fn is_non_specific(tag: &Tag) -> bool {
    tag.handle().is_empty() && tag.suffix() == "!"
}

/// Whether a comment begins in what follows a value on its line.
fn is_comment(behind: &str) -> bool {
    let rest = behind.trim_start_matches([' ', '\t']);
    rest.len() < behind.len() && rest.starts_with('#')
}

fn text_node(at: Position, text: String) -> Node {
    Node {
        at,
        content: Content::Text {
            text,
            style: Style::Plain,
            is_before_comment: false,
        },
    }
}

fn key_is_no_text(at: Position) -> YamlError {
    YamlError::syntax(at, "a key has to be a text")
}

fn too_deep(at: Position) -> YamlError {
    YamlError::syntax(at, format!("values are nested more than {MAX_DEPTH} deep"))
}
