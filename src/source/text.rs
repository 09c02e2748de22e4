//! What stands around and within a text that people wrote, whatever language it is in: the byte order mark that editors
//! put in front, and the marks of a merge that nobody finished.

/// The mark that editors on Windows put in front of a text (YAML 1.2, 5.2; RFC 8259, 8.1).
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text without the byte order mark in front of it. Every text that is read goes through here.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// The line, from 1, on which git left a conflict of a merge in the text.
pub(crate) fn merge_conflict(text: &str) -> Option<u32> {
    let mut lines = (1_u32..).zip(text.lines());
    let (line, _) = lines.find(|(_, line)| line.starts_with("<<<<<<< "))?;
    lines
        .any(|(_, line)| line.starts_with("=======") || line.starts_with(">>>>>>> "))
        .then_some(line)
}

/// What to do about a conflict of a merge.
pub(crate) const MERGE_HELP: &str =
    "choose between what stands above and below `=======`, and take out the lines of the marks";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_passed_over_in_front_and_nowhere_else() {
        for (text, expected) in [
            ("\u{feff}a", "a"),
            ("\u{feff}\u{feff}a", "\u{feff}a"),
            ("a\u{feff}", "a\u{feff}"),
            ("", ""),
        ] {
            assert_eq!(without_mark(text), expected, "{text:?}");
        }
    }

    #[test]
    fn conflicts_are_found_by_both_of_their_marks() {
        for (text, expected) in [
            ("a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\n", Some(2)),
            ("<<<<<<< HEAD\nb\n>>>>>>> x\n", Some(1)),
            ("<<<<<<< HEAD\nb\n", None),
            ("=======\n", None),
            ("  <<<<<<< HEAD\n=======\n", None),
        ] {
            assert_eq!(merge_conflict(text), expected, "{text:?}");
        }
    }
}
