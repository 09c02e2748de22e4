//! The datastore's files as written: maps, lists and texts, with the place of each key.
//!
//! Scalars become text the way ManageIQ's importer stores them (reference 1.6): `100` is "100", an unquoted
//! `true` is "t". Knows nothing of what the keys mean.

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::EnumAccess;
use serde::de::Error;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::VariantAccess;
use serde::de::Visitor;

/// A YAML value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// Nothing: an empty value, `~` or `null`.
    Null,
    /// Any scalar, as the text the database would hold.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the file.
    Map(Vec<(String, Node)>),
}

/// Why a file is no YAML, and where.
#[derive(Debug)]
pub(crate) struct YamlError {
    pub(crate) message: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Node {
    /// Parses one document.
    pub(crate) fn parse(text: &str) -> Result<Self, YamlError> {
        serde_yaml::from_str(text).map_err(|error| {
            let place = error.location();
            let at = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
            let mut message = error.to_string();
            if let Some(end) = message.find(" at line ") {
                message.truncate(end);
            }
            let (line, column) = place.map_or((1, 1), |place| (at(place.line()), at(place.column())));
            YamlError {
                message,
                line,
                column,
            }
        })
    }

    /// The value of a key of a map; nothing for other nodes.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value)
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// What kind of thing it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map, a list or a text")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Text(if flag { "t" } else { "f" }.to_owned()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Text(number.to_string()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Text(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Text(format!("{number:?}")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    /// A tag of YAML says nothing here: `!word value` is its value, and `!word` alone nothing.
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Node, A::Error> {
        let (_, tagged) = data.variant::<Node>()?;
        tagged.newtype_variant()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        while let Some(key) = map.next_key::<Node>()? {
            let key = match key {
                Node::Text(key) => key,
                Node::Null => String::new(),
                Node::List(_) | Node::Map(_) => return Err(A::Error::custom("a key has to be a text")),
            };
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format!("duplicate key `{key}`")));
            }
            entries.push((key, map.next_value()?));
        }
        Ok(Node::Map(entries))
    }
}

/// Finds keys in the text of a file, one after the other: what the parser does not tell.
#[derive(Debug)]
pub(crate) struct Locator<'a> {
    lines: Vec<&'a str>,
    next: usize,
}

impl<'a> Locator<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            lines: text.lines().collect(),
            next: 0,
        }
    }

    /// The line and column of the next `key:`, from where the last one was found; stays there if there is none.
    pub(crate) fn key(&mut self, key: &str) -> (u32, u32) {
        self.find(|line| key_column(line, key))
    }

    /// The line and column of the next `key: value`.
    pub(crate) fn entry(&mut self, key: &str, value: &str) -> (u32, u32) {
        self.find(|line| key_column(line, key).filter(|_| line.contains(value)))
    }

    fn find(&mut self, column_in: impl Fn(&str) -> Option<usize>) -> (u32, u32) {
        let rest = self.lines.iter().enumerate().skip(self.next);
        let found = rest
            .filter_map(|(index, line)| Some((index, column_in(line)?)))
            .next();
        let (index, column) = found.unwrap_or((self.next.saturating_sub(1), 0));
        if found.is_some() {
            self.next = index + 1;
        }
        (
            u32::try_from(index + 1).unwrap_or(u32::MAX),
            u32::try_from(column + 1).unwrap_or(u32::MAX),
        )
    }
}

/// Where `key:` begins in a line: as its first word, or anywhere in the flow style.
fn key_column(line: &str, key: &str) -> Option<usize> {
    let start = line.find(|c: char| !matches!(c, ' ' | '-' | '{' | '"' | '\''))?;
    let first = line.get(start..)?;
    if is_key(first, key) {
        return Some(start);
    }
    line.match_indices(key).map(|(at, _)| at).find(|at| {
        let before = line.get(..*at).and_then(|before| before.chars().next_back());
        before.is_some_and(|c| matches!(c, '{' | ',' | ' ' | '"' | '\''))
            && line.get(*at..).is_some_and(|rest| is_key(rest, key))
    })
}

fn is_key(text: &str, key: &str) -> bool {
    text.strip_prefix(key)
        .is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_become_the_text_that_the_database_would_hold() {
        for (yaml, expected) in [
            ("100", Some("100")),
            ("true", Some("t")),
            ("'true'", Some("true")),
            ("no", Some("no")),
            ("1.50", Some("1.5")),
            ("~", None),
            ("", None),
            ("\"\"", Some("")),
            ("2024-01-01", Some("2024-01-01")),
            ("!word text", Some("text")),
            ("!", None),
        ] {
            let node = Node::parse(&format!("value: {yaml}")).unwrap();
            assert_eq!(node.get("value").and_then(Node::text), expected, "{yaml}");
        }
        assert!(
            Node::parse("a: 1\na: 2")
                .unwrap_err()
                .message
                .contains("duplicate key `a`")
        );
    }

    #[test]
    fn keys_are_found_in_block_and_flow_style() {
        let text =
            "object:\n  fields:\n  - rel4:\n      value: x\n  - {rel5: {value: y}}\n  - \"odd name\":\n";
        let mut locator = Locator::new(text);
        let found = ["fields", "rel4", "rel5", "odd name", "missing"].map(|key| locator.key(key));
        assert_eq!(found, [(2, 3), (3, 5), (5, 6), (6, 6), (6, 1)]);
    }
}
