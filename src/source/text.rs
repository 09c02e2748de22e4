//! What stands around a text that people wrote, whatever language it is in: the byte order mark that editors put in front.

/// The mark that editors on Windows put in front of a text (YAML 1.2, 5.2; RFC 8259, 8.1).
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text without the byte order mark in front of it. Every text that is read goes through here.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

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
}
