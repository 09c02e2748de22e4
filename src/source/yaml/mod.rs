//! A YAML text as it is written: maps, lists and texts, each with its place. Knows nothing of what they mean.
//!
//! Scalars keep their letters: `1.10` is the text `1.10`, `true` is `true`, `0x1F` is `0x1F`. Only a value that is
//! empty, `~` or `null` is nothing. Aliases and merge keys are carried out. What would turn a value into something else
//! than was written is an error: a tag, a key that is given twice.

mod error;
mod maps;
mod node;
mod read;

pub(crate) use error::YamlError;
pub(crate) use node::Content;
pub(crate) use node::Entry;
pub(crate) use node::Node;
pub(crate) use node::Position;
pub(crate) use node::Style;

use crate::source::text::MERGE_HELP;
use crate::source::text::merge_conflict;
use crate::source::text::without_mark;

impl Node {
    /// Reads a text that holds one document; of an empty text it is nothing.
    ///
    /// # Errors
    /// What is wrong first, with its place and what to do about it.
    pub(crate) fn parse(text: &str) -> Result<Self, YamlError> {
        let text = without_mark(text);
        read::read(text).map_err(|error| match merge_conflict(text) {
            Some(line) => YamlError {
                code: "MergeConflict",
                message: "a merge left its conflict in the file".to_owned(),
                help: MERGE_HELP.to_owned(),
                at: Position { line, column: 1 },
            },
            None => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<String> {
        let node = Node::parse(text).unwrap();
        node.get("value").unwrap().text().map(str::to_owned)
    }

    #[test]
    fn scalars_keep_their_letters() {
        for written in [
            "1.10",
            "1.50",
            "0x1F",
            "0o17",
            "017",
            "1_000",
            "1e5",
            "1e10",
            "+12",
            "-0",
            ".5",
            ".inf",
            ".NaN",
            "12:30:45",
            "123456789012345678901234567890",
            "true",
            "True",
            "yes",
            "no",
            "on",
            "off",
            "n",
            "t",
            "2024-01-01",
            "2024-01-01T00:00:00Z",
            "nUll",
            "nil",
            "none",
            "=",
            "<<",
            "a#b",
            "${#a}",
            ":sym",
            "a:b",
        ] {
            assert_eq!(
                value(&format!("value: {written}")).as_deref(),
                Some(written),
                "{written}"
            );
            if !written.contains('{') {
                assert_eq!(
                    value(&format!("{{value: {written}}}")).as_deref(),
                    Some(written),
                    "{written} in flow"
                );
            }
            assert_eq!(
                value(&format!("value: '{written}'")).as_deref(),
                Some(written),
                "{written} in quotes"
            );
            assert_eq!(
                value(&format!("value: {written} # why")).as_deref(),
                Some(written),
                "{written} with a comment"
            );
            assert_eq!(
                value(&format!("value: !!str {written}")).as_deref(),
                Some(written),
                "{written} as a text"
            );
            assert_eq!(
                value(&format!("value: |-\n  {written}")).as_deref(),
                Some(written),
                "{written} as a block"
            );
            assert_eq!(
                value(&format!("value: >-\n  {written}")).as_deref(),
                Some(written),
                "{written} folded"
            );
            assert_eq!(
                value(&format!("x: &x {written}\nvalue: *x")).as_deref(),
                Some(written),
                "{written} by an alias"
            );
            if written == "<<" {
                continue;
            }
            let keyed = Node::parse(&format!("{written}: 1")).unwrap();
            assert_eq!(keyed.entries()[0].key, written);
        }
        for nothing in ["", "~", "null", "Null", "NULL", "# a comment", "!!null ~", "&x"] {
            let text = format!("value: {nothing}\nother: *x")
                .replace("other: *x", if nothing == "&x" { "other: *x" } else { "" });
            assert_eq!(value(&text), None, "{nothing}");
        }
        assert_eq!(value("value: ''").as_deref(), Some(""));
        assert_eq!(value("value: !!str").as_deref(), Some(""));
        assert_eq!(value("value: !!str null").as_deref(), Some("null"));
    }

    #[test]
    fn merge_keys_and_aliases_are_carried_out() {
        for (text, expected) in [
            ("x: &x {a: 1, b: 2}\nv: {<<: *x, b: 3, c: 4}", "b=3 c=4 a=1"),
            ("x: &x {a: 1, b: 2}\nv: {b: 3, <<: *x}", "b=3 a=1"),
            ("x: &x {a: 1}\ny: &y {a: 2, b: 2}\nv: {<<: [*x, *y]}", "a=1 b=2"),
            ("v: {<<: {a: 1}}", "a=1"),
            ("v: {'<<': 1}", "<<=1"),
            ("x: &x {a: 1}\nv: *x", "a=1"),
            ("k: &k name\nv: {*k : 1}", "name=1"),
        ] {
            let node = Node::parse(text).unwrap();
            let entries = node.get("v").unwrap().entries().iter();
            let entries: Vec<String> = entries
                .map(|entry| format!("{}={}", entry.key, entry.value.text().unwrap()))
                .collect();
            assert_eq!(entries.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn what_would_be_something_else_than_written_is_an_error_at_its_place() {
        let many = |with: &str| (0..40).map(|n| format!("k{n}: 1\n")).collect::<String>() + with;
        for (text, expected) in [
            (
                "value: !event.x == 1",
                "1:8 YamlTag `!event.x` is a tag of YAML, and no part of the text behind it | put the value in quotes if this is part of it: '!event.x == 1'",
            ),
            (
                "value: !event.x",
                "1:8 YamlTag `!event.x` is a tag of YAML, and no part of the text behind it | put the value in quotes if this is part of it: '!event.x'",
            ),
            (
                "value: ! x == 'a'",
                "1:8 YamlTag `!` is a tag of YAML, and no part of the text behind it | put the value in quotes if this is part of it: \"! x == 'a'\"",
            ),
            ("a: 1\nvalue: !ruby/object {a: 1}", "2:8 YamlTag"),
            ("a: !x [1]", "1:4 YamlTag"),
            ("!x a: 1", "1:1 YamlTag"),
            ("value: !!binary aGk=", "1:8 YamlTag"),
            ("value: !!null x", "1:8 YamlTag"),
            ("value: &a b", "1:8 YamlAnchor"),
            ("value: &a", "1:8 YamlAnchor"),
            (
                "value: *a",
                "1:8 YamlSyntax while parsing node, found unknown anchor",
            ),
            ("a: 1\nb: 2\n  \n'a': 3", "4:1 YamlSyntax duplicate key `a`"),
            ("{a: 1, b: {c: 1, c: 2}}", "1:18 YamlSyntax duplicate key `c`"),
            (&many("k7: 2"), "41:1 YamlSyntax duplicate key `k7`"),
            (
                "x: &x {a: 1}\nv: {<<: *x, <<: *x}",
                "2:13 YamlSyntax duplicate key `<<`",
            ),
            (
                "v: {<<: a}",
                "1:9 YamlSyntax `<<` merges a map, or a list of maps; this is a text",
            ),
            ("? [a]\n: b", "1:3 YamlSyntax a key has to be a text"),
            ("? {a: b}\n: c", "1:3 YamlSyntax a key has to be a text"),
            (
                "a: 1\n---\nb: 1",
                "2:1 YamlSyntax the file holds more than one document",
            ),
            (
                "a: &a [*a]",
                "1:8 YamlSyntax an alias stands within what it refers to",
            ),
            (
                "a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n",
                "2:1 MergeConflict a merge left its conflict in the file",
            ),
            (
                "<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n",
                "1:1 MergeConflict",
            ),
            (
                "a: %x",
                "1:4 YamlSyntax unexpected character: `%' | put the value in quotes",
            ),
            (
                "a: b: c",
                "1:5 YamlSyntax mapping values are not allowed in this context | a text with `: ` in it stands in quotes",
            ),
            ("a: 'x' == 'y'", "1:8 YamlSyntax"),
            ("a: [x", "1:4 YamlSyntax unclosed bracket '['"),
            (
                &["[".repeat(200), "]".repeat(200)].concat(),
                "1:101 YamlSyntax values are nested more than 100 deep",
            ),
            (
                &format!(
                    "a: &a [{0}]\nb: &b [{1}]\nc: [{1}]",
                    vec!["1"; 1000].join(","),
                    vec!["*a"; 60].join(",")
                ),
                "3:",
            ),
        ] {
            let error = Node::parse(text).unwrap_err();
            let YamlError {
                code,
                message,
                help,
                at,
            } = error;
            let found = format!("{}:{} {code} {message} | {help}", at.line, at.column);
            assert!(found.starts_with(expected), "{text}\n{found}");
        }
    }

    #[test]
    fn places_are_those_of_the_text() {
        let text = "# a: 0\na:   b # c\nd:\n- {e: 'f', g: }\n- |\n  h\n   i\nj: ä\nk: # l\n";
        let node = Node::parse(text).unwrap();
        let place = |place: Position| (place.line, place.column);
        let a = node.entry("a").unwrap();
        assert_eq!((place(a.at), place(a.value.at)), ((2, 1), (2, 6)));
        assert!(matches!(
            a.value.content,
            Content::Text {
                is_before_comment: true,
                ..
            }
        ));
        let items = node.get("d").unwrap().items();
        let e = items[0].entry("e").unwrap();
        assert_eq!(
            (place(e.at), place(e.value.at), place(e.value.within(1, 1))),
            ((4, 4), (4, 7), (4, 8))
        );
        assert_eq!(place(items[0].entry("g").unwrap().value.at), (4, 12));
        assert_eq!(place(items[1].within(2, 2)), (7, 4));
        let k = node.entry("k").unwrap();
        assert_eq!((place(k.at), place(k.value.at)), ((9, 1), (9, 1)));
        assert_eq!(k.value.content, Content::Nothing { is_comment: true });
    }
}
