//! Parts of a JSON text by its brackets and quotes alone, so that a part that is bad spoils no other.

use crate::model::json::JsonError;
use crate::model::json::Quoted;
use crate::model::json::check;
use crate::model::json::plain::plain_length;
use crate::model::json::without_mark;

const SPACE: [char; 4] = [' ', '\n', '\r', '\t'];

/// The elements of a list as they are written. What is wrong within one of them, such as a lone surrogate, is not
/// looked at, as long as its brackets and quotes are closed: [`read`](crate::model::json::read) each by itself.
///
/// # Errors
/// When it is no list, or its brackets or quotes are not closed.
pub fn elements(text: &str) -> Result<Vec<&str>, JsonError> {
    Elements::of(text)?.collect()
}

/// The value of a key of an object as it is written, the last one where the key is there twice; like [`elements`],
/// it does not look at what is wrong within values. None where the text is no object or has no such key.
pub fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    for member in Members::of(text).ok()? {
        let (key, value) = member.ok()?;
        if key.is(name) {
            found = Some(value);
        }
    }
    found
}

/// The JSON texts that follow one another in a text, as in a file with one a line. Like [`elements`], it does not look
/// at what is wrong within them.
pub(crate) struct Documents<'a>(Split<'a>);

impl<'a> Documents<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self(Split::new(text))
    }
}

/// Each with its place in the text, in bytes.
impl<'a> Iterator for Documents<'a> {
    type Item = Result<(usize, &'a str), JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.pass_space();
        self.0.peek()?;
        let at = self.0.at;
        Some(self.0.document().map(|document| (at, document)))
    }
}

/// Whether a text has the form of JSON, even if a value of it cannot be read, such as a lone surrogate.
///
/// # Errors
/// When it has not.
pub(crate) fn check_form(text: &str) -> Result<(), JsonError> {
    match check(text) {
        Err(error) if error.is_of_value => check_closed(text),
        checked => checked,
    }
}

/// Whether the brackets and quotes of a text are closed, and nothing comes behind it.
fn check_closed(text: &str) -> Result<(), JsonError> {
    let mut split = Split::new(text);
    split.pass_space();
    split.document()?;
    split.end()
}

/// See [`elements`].
pub(crate) struct Elements<'a>(Parts<'a>);

impl<'a> Elements<'a> {
    /// # Errors
    /// When the text is no list.
    pub(crate) fn of(text: &'a str) -> Result<Self, JsonError> {
        Parts::of(text, b'[', b']', "expected a list").map(Self)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a str, JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_with(Split::part)
    }
}

/// The entries of an object in order, their values as they are written; a key may come twice.
pub(crate) struct Members<'a>(Parts<'a>);

impl<'a> Members<'a> {
    /// # Errors
    /// When the text is no object.
    pub(crate) fn of(text: &'a str) -> Result<Self, JsonError> {
        Parts::of(text, b'{', b'}', "expected an object").map(Self)
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<(Quoted<'a>, &'a str), JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_with(|split| Ok((split.key()?, split.part()?)))
    }
}

/// What is between two brackets, from comma to comma.
struct Parts<'a> {
    split: Split<'a>,
    closing: u8,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Begin,
    Within,
    End,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str, opening: u8, closing: u8, expected: &str) -> Result<Self, JsonError> {
        let mut split = Split::new(text);
        match split.opens(opening) {
            true => Ok(Self {
                split,
                closing,
                place: Place::Begin,
            }),
            false => Err(split.fault(expected)),
        }
    }

    fn next_with<T>(
        &mut self,
        part: impl FnOnce(&mut Split<'a>) -> Result<T, JsonError>,
    ) -> Option<Result<T, JsonError>> {
        let split = &mut self.split;
        let place = std::mem::replace(&mut self.place, Place::End);
        if place == Place::End {
            return None;
        }
        split.pass_space();
        match split.peek() {
            Some(closing) if closing == self.closing => {
                split.at += 1;
                return split.end().err().map(Err);
            }
            Some(b',') if place == Place::Within => split.at += 1,
            Some(_) if place == Place::Begin => (),
            Some(_) => return Some(Err(split.fault("this bracket closes nothing"))),
            None => return Some(Err(split.fault("EOF: a bracket is not closed"))),
        }
        let part = part(split);
        if part.is_ok() {
            self.place = Place::Within;
        }
        Some(part)
    }
}

/// The entries of an object in their order, keys and values as they are written; like [`elements`], it does not look
/// at what is wrong within them.
///
/// # Errors
/// When it is no object, or its brackets or quotes are not closed.
pub fn members(text: &str) -> Result<Vec<(&str, &str)>, JsonError> {
    let mut split = Split::new(text);
    if !split.opens(b'{') {
        return Err(split.fault("expected an object"));
    }
    let mut members = Vec::new();
    split.pass_space();
    if split.peek() == Some(b'}') {
        split.at += 1;
        return split.end().map(|()| members);
    }
    loop {
        split.pass_space();
        let start = split.at;
        if split.peek() != Some(b'"') {
            return Err(split.fault("key must be a string"));
        }
        split.quoted()?;
        let key = text.get(start..split.at).unwrap_or_default();
        if !split.opens(b':') {
            return Err(split.fault("expected `:`"));
        }
        members.push((key, split.part()?));
        match split.peek() {
            Some(b',') => split.at += 1,
            Some(b'}') => break,
            _other => return Err(split.fault("EOF while parsing an object")),
        }
    }
    split.at += 1;
    split.end().map(|()| members)
}

struct Split<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Split<'a> {
    fn new(text: &'a str) -> Self {
        let at = text.len() - without_mark(text).len();
        Self { text, at }
    }

    /// Passes over a bracket, where it is the next thing.
    fn opens(&mut self, bracket: u8) -> bool {
        self.pass_space();
        let opens = self.peek() == Some(bracket);
        self.at += usize::from(opens);
        opens
    }

    /// What comes before the next comma or closing bracket of this level.
    fn part(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.quoted()?;
                    continue;
                }
                Some(b'[' | b'{') => depth += 1,
                Some(b',' | b']' | b'}') if depth == 0 => break,
                Some(b']' | b'}') => depth -= 1,
                Some(_) => (),
                None => return Err(self.fault("EOF: a bracket is not closed")),
            }
            self.at += 1;
        }
        let part = self.text.get(start..self.at).unwrap_or_default();
        Ok(part.trim_matches(SPACE))
    }

    /// A key and its colon.
    fn key(&mut self) -> Result<Quoted<'a>, JsonError> {
        self.pass_space();
        if self.peek() != Some(b'"') {
            return Err(self.fault("key must be a string"));
        }
        let key = self.quoted()?;
        match self.opens(b':') {
            true => Ok(key),
            false => Err(self.fault("expected `:`")),
        }
    }

    /// A list or object up to its last bracket, a text up to its quote, anything else up to the next space or bracket.
    fn document(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.quoted()?;
                    self.at -= 1;
                }
                Some(b'[' | b'{') => depth += 1,
                Some(b']' | b'}') if depth == 0 => return Err(self.fault("expected value")),
                Some(b']' | b'}') => depth -= 1,
                Some(_) if depth == 0 => {
                    self.pass_word();
                    break;
                }
                Some(_) => (),
                None => return Err(self.fault("EOF: a bracket is not closed")),
            }
            self.at += 1;
            if depth == 0 {
                break;
            }
        }
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    fn pass_word(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_end = |c: char| SPACE.contains(&c) || "[]{}\"".contains(c);
        self.at += rest.find(is_end).unwrap_or(rest.len());
    }

    fn quoted(&mut self) -> Result<Quoted<'a>, JsonError> {
        self.at += 1;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.at += plain_length(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    self.at += 2;
                }
                Some(_control) => self.at += 1,
                None => return Err(self.fault("EOF: a quote is not closed")),
            }
        }
        let written = self.text.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok(Quoted::new(written, has_escapes))
    }

    fn end(&mut self) -> Result<(), JsonError> {
        self.pass_space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault("trailing characters")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn pass_space(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.len() - rest.trim_start_matches(SPACE).len();
    }

    fn fault(&self, reason: &str) -> JsonError {
        JsonError::at(self.text, self.at, reason)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::json::read;

    #[test]
    fn a_bad_element_is_split_off_like_a_good_one() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for bad in [
            r#"{"a": "\ud800"}"#,
            r#"{"a": 1e400}"#,
            r#"{"a": "}]\"\\"}"#,
            r#"{"a": }"#,
            "nonsense",
            "{\"a\": \"\u{1}\"}",
            &deep,
        ] {
            for text in [
                format!(r#"[{{"b": 1}},{bad}, "x" ]"#),
                format!("\u{feff} [ {{\"b\": 1}} ,\n{bad}\t,\"x\"] "),
            ] {
                let expected = vec![r#"{"b": 1}"#, bad, r#""x""#];
                assert_eq!(elements(&text).unwrap(), expected, "{bad:.40}");
                let object = format!(
                    r#"{{"a": 1, "it\u0065ms": {text}, "more": true}}"#,
                    text = text.trim_matches('\u{feff}')
                );
                let list = member(&object, "items").unwrap();
                assert_eq!(elements(list).unwrap(), expected, "{bad:.40}");
            }
        }
    }

    #[test]
    fn what_is_not_closed_is_not_split() {
        for (text, expected) in [
            ("", "expected a list at line 1 column 1"),
            ("{}", "expected a list at line 1 column 1"),
            ("[", "EOF: a bracket is not closed at line 1 column 2"),
            ("[{]", "EOF: a bracket is not closed at line 1 column 4"),
            (r#"["a"#, "EOF: a quote is not closed at line 1 column 4"),
            ("[1}", "this bracket closes nothing at line 1 column 3"),
            ("[] x", "trailing characters at line 1 column 4"),
        ] {
            assert_eq!(elements(text).unwrap_err().to_string(), expected, "{text}");
        }
        assert_eq!(elements(" [ ] ").unwrap(), Vec::<&str>::new());
        for text in [
            "",
            "[]",
            "{}",
            r#"{"a": 1"#,
            r#"{"a" 1}"#,
            r#"{"a": 1} x"#,
            r#"{"b": 1}"#,
        ] {
            assert_eq!(member(text, "a"), None, "{text}");
        }
        assert_eq!(member(r#"{"a": 1, "a": [2] , "b": 3}"#, "a"), Some("[2]"));
    }

    #[test]
    fn a_bad_entry_is_split_off_like_a_good_one() {
        let text = r#" {"a": 1, "a" : {"b": [,]}, "\ud800": NaN, "": ""} "#;
        let expected = [
            ("\"a\"", "1"),
            ("\"a\"", "{\"b\": [,]}"),
            ("\"\\ud800\"", "NaN"),
            ("\"\"", "\"\""),
        ];
        assert_eq!(members(text).unwrap(), expected);
        assert_eq!(members("{ }").unwrap(), []);
        for (text, expected) in [
            ("[]", "expected an object at line 1 column 1"),
            ("{", "key must be a string at line 1 column 2"),
            ("{a: 1}", "key must be a string at line 1 column 2"),
            (r#"{"a" 1}"#, "expected `:` at line 1 column 6"),
            (r#"{"a": 1"#, "EOF: a bracket is not closed at line 1 column 8"),
            (r#"{"a": 1]"#, "EOF while parsing an object at line 1 column 8"),
            (r#"{"a": 1} x"#, "trailing characters at line 1 column 10"),
        ] {
            assert_eq!(members(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn documents_follow_one_another_with_or_without_space() {
        let documents = |text| {
            let documents = Documents::of(text).map(|document| document.map(|(_, document)| document));
            documents.collect::<Result<Vec<_>, _>>()
        };
        let text = "\u{feff}{\"a\": [1]}\n[2] {}{\"b\": \"\\ud800}\"}\"x\"7 tru\r\n";
        let expected = [
            r#"{"a": [1]}"#,
            "[2]",
            "{}",
            r#"{"b": "\ud800}"}"#,
            "\"x\"",
            "7",
            "tru",
        ];
        assert_eq!(documents(text).unwrap(), expected);
        assert_eq!(documents(" \n").unwrap(), [""; 0]);
        for (text, expected) in [
            (
                "{}\n{\"a\": [1}",
                "EOF: a bracket is not closed at line 2 column 10",
            ),
            ("{} ]", "expected value at line 1 column 4"),
            ("\"a", "EOF: a quote is not closed at line 1 column 3"),
        ] {
            assert_eq!(documents(text).unwrap_err().to_string(), expected, "{text}");
            assert!(check_closed(text).is_err());
        }
        assert_eq!(Documents::of(" {} [] ").nth(1), Some(Ok((4, "[]"))));
    }

    #[test]
    fn a_text_has_the_form_of_json_although_a_value_of_it_cannot_be_read() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for (text, has_form) in [
            (r#"{"a": "\ud800"}"#, true),
            (deep.as_str(), true),
            ("[1e400]", true),
            (r#"{"a": x}"#, false),
            (r#"{"a": "\ud800""#, false),
            (r#"{"a": "\ud800"} x"#, false),
        ] {
            assert_eq!(check_form(text).is_ok(), has_form, "{text:.30}");
        }
    }

    proptest! {
        #[test]
        fn a_list_is_split_as_it_is_read(text in r#"[\[\]{}":,\\ud1e.\-a ]{0,30}"#) {
            let split = elements(&text);
            if let Ok(list) = read(&text) && let Some(items) = list.as_array() {
                let parts: Vec<_> = split.unwrap().into_iter().map(|part| read(part).unwrap()).collect();
                prop_assert_eq!(&parts, items);
            }
        }
    }
}
