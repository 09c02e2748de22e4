//! Texts by their width on a terminal: cut to a budget of columns, padded, without a character that nobody sees.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;
use unicode_width::UnicodeWidthStr;

use crate::model::unseen::is_unseen;

/// The most columns of a text that stands on a line by itself.
const LINE: usize = 1_000;
/// The most columns of a line of a file.
const EXCERPT: usize = 160;
/// How many of them stand before the place that is marked.
const BEFORE: usize = 80;
/// The most marks on one character; more would cover the lines above and below.
const MARKS: usize = 4;
/// A tab in a line of a file.
const TAB: &str = "    ";

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// A text that stands on a line by itself, named and cut.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    fitted(text, LINE)
}

/// The text in at most so many columns. Unseen characters are named, and so are marks with nothing to stand on or
/// too many of them; what is cut off ends in `…`.
pub(crate) fn fitted(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    // How much of it leaves room for the ellipsis.
    let mut kept = 0;
    let (mut used, mut marks) = (0, MARKS);
    for c in text.chars() {
        let own = c.width().unwrap_or(0);
        let is_mark = own == 0;
        if is_unseen(c) || (is_mark && marks == MARKS) {
            shown.extend(c.escape_default());
            used += c.escape_default().len();
            marks = MARKS;
        } else {
            shown.push(c);
            used += own;
            marks = if is_mark { marks + 1 } else { 0 };
        }
        if most < used {
            shown.truncate(kept);
            shown.push('…');
            break;
        }
        if used < most {
            kept = shown.len();
        }
    }
    Cow::Owned(shown)
}

/// The text with spaces behind it, up to a width.
pub(crate) fn padded(text: &str, to: usize) -> String {
    let missing = to.saturating_sub(width(text));
    [text, &" ".repeat(missing)].concat()
}

/// What is shown of a line of a file, and how wide that is up to a place in it. Columns count characters, from 1.
pub(crate) fn excerpt(line: &str, column: u32) -> (String, usize) {
    let column = usize::try_from(column).unwrap_or(usize::MAX);
    let place = line.char_indices().nth(column.saturating_sub(1));
    let (before, after) = line.split_at(place.map_or(line.len(), |(at, _)| at));
    let before = fitted_end(&before.replace('\t', TAB), BEFORE);
    let indent = width(&before);
    let after = after.replace('\t', TAB);
    (
        [before.as_str(), &fitted(&after, EXCERPT - indent)].concat(),
        indent,
    )
}

/// The end of a text in at most so many columns.
fn fitted_end(text: &str, most: usize) -> String {
    let named = fitted(text, usize::MAX);
    if width(&named) <= most {
        return named.into_owned();
    }
    let mut used = 1; // the ellipsis
    let tail = named.char_indices().rev().take_while(|(_, c)| {
        used += c.width().unwrap_or(0);
        used <= most
    });
    let begin = tail.last().map_or(named.len(), |(at, _)| at);
    // A mark whose character is cut off has nothing to stand on.
    let tail = named.get(begin..).unwrap_or_default();
    let tail = tail.trim_start_matches(|c: char| c.width() == Some(0));
    format!("…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    #[test]
    fn texts_are_cut_by_their_width() {
        for (text, most, expected) in [
            ("plain", 5, "plain"),
            ("plain", 4, "pla…"),
            ("漢字仮名", 8, "漢字仮名"),
            ("漢字仮名", 7, "漢字仮…"),
            ("漢字仮名", 6, "漢字…"),
            ("👍👍👍", 5, "👍👍…"),
            ("e\u{301}e\u{301}e\u{301}", 3, "e\u{301}e\u{301}e\u{301}"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("\u{301}x", 20, "\\u{301}x"),
            (
                "x\u{301}\u{301}\u{301}\u{301}\u{301}",
                20,
                "x\u{301}\u{301}\u{301}\u{301}\\u{301}",
            ),
            ("a\u{202e}b", 20, "a\\u{202e}b"),
            ("a\u{202e}b", 6, "a…"),
            ("❤\u{fe0f}", 20, "❤\\u{fe0f}"),
            ("\n", 1, "…"),
        ] {
            assert_eq!(fitted(text, most), expected, "{text:?} in {most}");
        }
        assert_eq!(padded("漢", 4), "漢  ");
        assert_eq!(padded("漢字", 2), "漢字");
    }

    #[test]
    fn a_long_line_is_shown_around_its_place() {
        let (shown, indent) = excerpt("\tkey: value", 2);
        assert_eq!((shown.as_str(), indent), ("    key: value", 4));
        let (shown, indent) = excerpt("漢字: x", 3);
        assert_eq!((shown.as_str(), indent), ("漢字: x", 4));
        let long = format!("{}!{}", "a".repeat(5_000), "b".repeat(5_000));
        let (shown, indent) = excerpt(&long, 5_001);
        assert_eq!(shown, format!("…{}!{}…", "a".repeat(79), "b".repeat(78)));
        assert_eq!(indent, 80);
        assert_eq!(excerpt("short", 900), ("short".to_owned(), 5));
    }

    /// Texts of all kinds of characters, those that make trouble more often than others.
    fn any_text() -> impl Strategy<Value = String> {
        let troubles = prop::sample::select(
            "漢👍🇩🇪🏽👩e\u{301}\u{489}\u{200d}\u{fe0f}\u{202e}\u{2028}\u{feff}\u{9b}\u{1b}\n\t\0\u{e0041}각ﷺㄱ\u{1161}كُ"
                .chars()
                .collect::<Vec<char>>(),
        );
        let c = prop_oneof![troubles, any::<char>(), prop::char::range('a', 'z')];
        prop::collection::vec(c, 0..60).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn no_text_is_wider_than_its_budget(text in any_text(), most in 1_usize..40) {
            let shown = fitted(&text, most);
            prop_assert!(width(&shown) <= most, "{shown:?} takes {}", width(&shown));
            prop_assert!(!shown.contains(is_unseen));
            prop_assert!(shown.chars().count() <= most * (MARKS + 1));
            if width(&shown) < most {
                prop_assert_eq!(width(&padded(&shown, most)), most);
            }
        }

        #[test]
        fn no_line_of_a_file_is_wider_than_its_budget(text in any_text(), times in 1_usize..20, column in 0_u32..900) {
            let (shown, indent) = excerpt(&text.repeat(times), column);
            prop_assert!(width(&shown) <= EXCERPT && indent <= BEFORE, "{shown:?}");
            prop_assert!(!shown.contains(is_unseen));
        }
    }
}
