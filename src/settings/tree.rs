//! A settings text as a tree of plain keys. Knows no setting.

use std::sync::Arc;

use crate::settings::mask;
use crate::settings::report::Report;
use crate::source::Diagnostic;
use crate::source::yaml::Content;
use crate::source::yaml::Node;
use crate::source::yaml::Position;

/// The mapping that a text is, its keys without leading colons; empty where it is none, which is reported.
pub(crate) fn parse(file: &Arc<str>, text: &str, report: &Report<'_>) -> Node {
    let refuse = |finding: Diagnostic, at: Position| report.refuse(finding.at(at.line, at.column));
    if let Some((character, at)) = unseen(text) {
        let code = u32::from(character);
        let message = format!("a character that nobody sees stands here: U+{code:04X}");
        let help = format!("take it out, or write it as `\\u{code:04x}` within double quotes");
        refuse(Diagnostic::error("UnseenCharacter", file, message).help(help), at);
    }
    let mut node = match Node::parse(text) {
        Ok(node) => node,
        Err(error) => {
            // It quotes what it is about, which may be a secret.
            let (message, help) = match mask::is_masked(text, error.at.line) {
                true => (
                    mask::unquoted(&error.message),
                    "a value that is to keep its letters stands in quotes".to_owned(),
                ),
                false => (error.message, error.help),
            };
            refuse(Diagnostic::error(error.code, file, message).help(help), error.at);
            return empty();
        }
    };
    plain(&mut node, &|key, at| {
        let finding = if key.is_empty() {
            let help = "what stands before the colon is a name";
            Diagnostic::error("WrongSetting", file, "a name is missing").help(help)
        } else {
            let message = format!("`{key}` is given twice");
            let help = "one of the two has to go: only one could count. A colon in front makes no difference";
            Diagnostic::error("DuplicateSetting", file, message).help(help)
        };
        refuse(finding, at);
    });
    match node.content {
        Content::Map(_) => node,
        Content::Nothing { .. } => empty(),
        Content::Text { .. } | Content::List(_) => {
            let message = "settings are a mapping of names to values";
            let help = "for example `web:` and below it, indented, `listen: 127.0.0.1:3000`";
            refuse(
                Diagnostic::error("WrongSetting", file, message).help(help),
                node.at,
            );
            empty()
        }
    }
}

/// The first character, outside of comments, that nobody sees, so that a name or a text with it looks like another one.
fn unseen(text: &str) -> Option<(char, Position)> {
    let is_unseen = |c: char| {
        (c.is_control() && !matches!(c, '\t' | '\r'))
            || matches!(c, '\u{a0}' | '\u{ad}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}')
            || matches!(c, '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
    };
    let lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim_start().starts_with('#'));
    lines.into_iter().find_map(|(number, line)| {
        let written = line.split(" # ").next().unwrap_or_default();
        let (column, character) = (1..).zip(written.chars()).find(|(_, c)| is_unseen(*c))?;
        Some((character, Position { line: number, column }))
    })
}

/// A mapping without anything in it.
pub(crate) fn empty() -> Node {
    Node {
        at: Position::START,
        content: Content::Map(Vec::new()),
    }
}

/// Takes the colons away, and tells each key that is blank or there twice without them.
fn plain(node: &mut Node, tell: &impl Fn(&str, Position)) {
    match &mut node.content {
        Content::Map(entries) => {
            for at in 0..entries.len() {
                let (before, rest) = entries.split_at_mut(at);
                let Some(entry) = rest.first_mut() else { break };
                if let Some(key) = entry.key.strip_prefix(':') {
                    entry.key = key.to_owned();
                }
                if entry.key.trim().is_empty() || before.iter().any(|before| before.key == entry.key) {
                    tell(entry.key.trim(), entry.at);
                }
                plain(&mut entry.value, tell);
            }
        }
        Content::List(items) => items.iter_mut().for_each(|item| plain(item, tell)),
        Content::Nothing { .. } | Content::Text { .. } => (),
    }
}
