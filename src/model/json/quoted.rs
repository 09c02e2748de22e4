//! A text within a JSON text, as it is written there.

use std::borrow::Cow;

/// What is written between two quotes; the reader has found its escapes sound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoted<'a> {
    written: &'a str,
    has_escapes: bool,
}

impl<'a> Quoted<'a> {
    pub(crate) fn new(written: &'a str, has_escapes: bool) -> Self {
        Self { written, has_escapes }
    }

    /// What is between the quotes.
    pub(crate) fn written(self) -> &'a str {
        self.written
    }

    /// Whether it has escapes, so that it means another text than is written.
    pub(crate) fn has_escapes(self) -> bool {
        self.has_escapes
    }

    /// The text that it means.
    pub(crate) fn decode(self) -> Cow<'a, str> {
        if !self.has_escapes {
            return Cow::Borrowed(self.written);
        }
        let mut text = String::with_capacity(self.written.len());
        let mut rest = self.written;
        while let Some((plain, escape)) = rest.split_once('\\') {
            text.push_str(plain);
            let (character, length) = unescape(escape);
            text.push(character);
            rest = escape.get(length..).unwrap_or_default();
        }
        text.push_str(rest);
        Cow::Owned(text)
    }

    /// Whether it means this text.
    pub(crate) fn is(self, text: &str) -> bool {
        match self.has_escapes {
            false => self.written == text,
            true => self.decode() == text,
        }
    }
}

/// The character that the escape at the start of a text stands for, without its backslash, and its length in bytes.
fn unescape(escape: &str) -> (char, usize) {
    let first = escape.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER);
    let simple = match first {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return unescape_unit(escape),
        itself => itself,
    };
    (simple, first.len_utf8())
}

/// `u` and four hexadecimal digits, or two of these where they are a pair of surrogates.
fn unescape_unit(escape: &str) -> (char, usize) {
    let unit = |at: usize| u16::from_str_radix(escape.get(at..at + 4)?, 16).ok();
    let units = [unit(1), unit(7)].map(Option::unwrap_or_default);
    let first = char::decode_utf16(units).next();
    let character = first.and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER);
    (character, if 1 < character.len_utf16() { 11 } else { 5 })
}
