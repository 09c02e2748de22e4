//! A command line as far as it is typed: its words, as a shell takes them apart.

use std::ops::Range;

/// The words of a line up to the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// Those that are complete, the program's name first.
    pub(crate) words: Vec<String>,
    /// The one that is being typed, without its quotes; it may be empty.
    pub(crate) current: String,
    /// How much of it the shell leaves as it is, in bytes: what stands before a `:` or `=` is a word of its own to bash.
    pub(crate) kept: usize,
    /// Whether the cursor is between quotes.
    pub(crate) is_quoted: bool,
}

impl Line {
    /// Words that a shell took apart itself; the last one is being typed.
    pub(crate) fn of_words(words: impl IntoIterator<Item = String>) -> Self {
        let mut words: Vec<String> = words.into_iter().collect();
        let current = words.pop().unwrap_or_default();
        Self {
            words,
            current,
            ..Self::default()
        }
    }

    /// A line of bash, which also breaks words at the characters of `COMP_WORDBREAKS`.
    pub(crate) fn of_bash(line: &str, breaks: &str) -> Self {
        let mut parsed = Self::default();
        let mut is_word = false;
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                ' ' | '\t' | '\n' => {
                    if is_word {
                        parsed.words.push(std::mem::take(&mut parsed.current));
                    }
                    (is_word, parsed.kept) = (false, 0);
                    continue;
                }
                '\\' => parsed.current.extend(chars.next()),
                '\'' | '"' => {
                    parsed.kept = parsed.current.len();
                    parsed.is_quoted = parsed.quoted(c, &mut chars);
                }
                other => {
                    parsed.current.push(other);
                    if breaks.contains(other) {
                        parsed.kept = parsed.current.len();
                    }
                }
            }
            is_word = true;
        }
        // A variable may be set for the command alone.
        let is_setting = |word: &String| word.split_once('=').is_some_and(|(name, _)| is_name(name));
        let settings = parsed.words.iter().take_while(|word| is_setting(word)).count();
        parsed.words.drain(Range {
            start: 0,
            end: settings,
        });
        parsed
    }

    /// Takes what stands between quotes; whether the line ends within them.
    fn quoted(&mut self, quote: char, chars: &mut std::str::Chars<'_>) -> bool {
        while let Some(c) = chars.next() {
            match c {
                end if end == quote => return false,
                '\\' if quote == '"' => match chars.next() {
                    Some(escaped @ ('"' | '\\' | '$' | '`')) => self.current.push(escaped),
                    other => self.current.extend(['\\'].into_iter().chain(other)),
                },
                plain => self.current.push(plain),
            }
        }
        true
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    const BREAKS: &str = " \t\n\"'><=;|&(:";

    #[test]
    fn a_line_is_taken_apart_as_bash_does() {
        for (text, words, current, kept, is_quoted) in [
            ("switchboard ", &["switchboard"][..], "", 0, false),
            ("switchboard ev", &["switchboard"], "ev", 0, false),
            ("sb --ems 'my cl", &["sb", "--ems"], "my cl", 0, true),
            ("sb --ems my\\ cl", &["sb", "--ems"], "my cl", 0, false),
            ("sb --ems=my", &["sb"], "--ems=my", 6, false),
            ("sb --ems=\"my", &["sb"], "--ems=my", 6, true),
            ("sb --target vms:vm", &["sb", "--target"], "vms:vm", 4, false),
            ("sb \"a \\\"b\\\" c\" '' ", &["sb", "a \"b\" c", ""], "", 0, false),
            ("RUST_LOG=x A= sb e", &["sb"], "e", 0, false),
            ("", &[], "", 0, false),
        ] {
            let expected = Line {
                words: words.iter().map(|word| (*word).to_owned()).collect(),
                current: current.to_owned(),
                kept,
                is_quoted,
            };
            assert_eq!(Line::of_bash(text, BREAKS), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read(text: String) {
            let line = Line::of_bash(&text, BREAKS);
            prop_assert!(line.current.get(line.kept..).is_some());
        }
    }
}
