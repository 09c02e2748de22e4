//! The values of a YAML text, and where they are.

/// A place in a text: line and column from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Position {
    /// The beginning of a text.
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

/// A value, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Of an empty value this is the place of what it would follow.
    pub(crate) at: Position,
    pub(crate) content: Content,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing: an empty value, `~` or `null`.
    Nothing {
        /// Whether all that follows its key is a comment on the same line, which may have been meant as the value.
        is_comment: bool,
    },
    /// Any scalar, with its letters.
    Text {
        text: String,
        style: Style,
        /// Whether a comment follows on the same line; known of plain texts, which end where it begins.
        is_before_comment: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the text.
    Map(Vec<Entry>),
}

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// Below its key, behind `|`.
    Literal,
    /// Below its key, behind `>`.
    Folded,
}

/// A key of a map with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// Where the key is.
    pub(crate) at: Position,
    pub(crate) value: Node,
}

impl Node {
    /// The value of a key of a map; nothing for other nodes.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// A key of a map with its value.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// What a map holds; nothing for other nodes.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            _other => &[],
        }
    }

    /// What a list holds; nothing for other nodes.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.content {
            Content::List(items) => items,
            _other => &[],
        }
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text { text, .. } => Some(text),
            Content::Nothing { .. } | Content::List(_) | Content::Map(_) => None,
        }
    }

    /// Whether it is nothing.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self.content, Content::Nothing { .. })
    }

    /// What kind of thing it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.content {
            Content::Nothing { .. } => "nothing",
            Content::Text { .. } => "a text",
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
        }
    }

    /// Where a place within the text of a scalar is in the file: exactly where the text is written in one line or as a
    /// block, else where it begins.
    pub(crate) fn within(&self, line: u32, column: u32) -> Position {
        let Content::Text { text, style, .. } = &self.content else {
            return self.at;
        };
        let is_one_line = !text.trim_end().contains('\n');
        match style {
            Style::Plain if is_one_line => self.at.right(column - 1),
            Style::Quoted if is_one_line && !text.contains(['"', '\'', '\\']) => self.at.right(column),
            Style::Literal => Position {
                line: self.at.line + line.saturating_sub(1),
                column: self.at.column + column.saturating_sub(1),
            },
            Style::Folded if is_one_line => self.at.right(column.saturating_sub(1)),
            Style::Plain | Style::Quoted | Style::Folded => self.at,
        }
    }
}

impl Position {
    fn right(self, by: u32) -> Self {
        let column = self.column.saturating_add(by);
        Self { column, ..self }
    }
}
