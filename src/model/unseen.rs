//! Characters that nobody sees, or that turn a text around: what pages, tables and logs show by name.

use std::borrow::Cow;

/// Whether a reader cannot see this character: control and format characters, separators of lines and paragraphs,
/// what Unicode calls default-ignorable, the empty braille cell, and code points that are no characters.
pub fn is_unseen(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
        | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// The text with a name in the place of each unseen character: `\n`, `\u{202e}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    visible_but(text, |_| false)
}

/// As [`visible`], but for the unseen characters that are `meant`.
pub(crate) fn visible_but(text: &str, meant: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_named = |c: char| is_unseen(c) && !meant(c);
    if !text.contains(is_named) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_named(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    use regex::Regex;

    #[test]
    fn what_nobody_sees_is_named() {
        for (text, expected) in [
            ("plain ü 漢字 👍", "plain ü 漢字 👍"),
            ("a\nb\t\u{1b}[31m", "a\\nb\\t\\u{1b}[31m"),
            ("\u{9b}2J\u{7f}\0", "\\u{9b}2J\\u{7f}\\u{0}"),
            ("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c"),
            ("\u{feff}x\u{200b}y\u{2028}", "\\u{feff}x\\u{200b}y\\u{2028}"),
            ("e\u{301}", "e\u{301}"),
        ] {
            assert_eq!(visible(text), expected);
        }
        assert_eq!(visible_but("a\n\u{202e}", |c| c == '\n'), "a\n\\u{202e}");
    }

    /// The table is Unicode's own, by its properties.
    #[test]
    fn exactly_the_characters_of_these_properties_are_unseen() {
        let properties = Regex::new(
            r"^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\x{2800}]$",
        )
        .unwrap();
        let mut text = [0; 4];
        let differ: Vec<char> = (char::MIN..=char::MAX)
            .filter(|c| is_unseen(*c) != properties.is_match(c.encode_utf8(&mut text)))
            .collect();
        assert!(differ.is_empty(), "{differ:?}");
    }
}
