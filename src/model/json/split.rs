//! Parts of a JSON text by its brackets and quotes alone, so that a part that is bad spoils no other.

use crate::model::json::JsonError;
use crate::model::json::Quoted;
use crate::model::json::plain::plain_length;
use crate::model::json::without_mark;

const SPACE: [char; 4] = [' ', '\n', '\r', '\t'];

/// The elements of a list as they are written. What is wrong within one of them, such as a lone surrogate, is not
/// looked at, as long as its brackets and quotes are closed: [`read`](crate::model::json::read) each by itself.
///
/// # Errors
/// When it is no list, or its brackets or quotes are not closed.
pub fn elements(text: &str) -> Result<Vec<&str>, JsonError> {
    let mut split = Split::new(text);
    if !split.opens(b'[') {
        return Err(split.fault("expected a list"));
    }
    let mut elements = Vec::new();
    split.pass_space();
    if split.peek() == Some(b']') {
        split.at += 1;
        return split.end().map(|()| elements);
    }
    loop {
        elements.push(split.part()?);
        match split.peek() {
            Some(b',') => split.at += 1,
            Some(b']') => break,
            _other => return Err(split.fault("EOF while parsing a list")),
        }
    }
    split.at += 1;
    split.end().map(|()| elements)
}

/// The value of a key of an object as it is written, the last one where the key is there twice; like [`elements`],
/// it does not look at what is wrong within values. None where the text is no object or has no such key.
pub fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut split = Split::new(text);
    if !split.opens(b'{') {
        return None;
    }
    let mut found = None;
    loop {
        let key = split.key()?;
        let value = split.part().ok()?;
        if key.is(name) {
            found = Some(value);
        }
        match split.peek() {
            Some(b',') => split.at += 1,
            Some(b'}') => break,
            _other => return None,
        }
    }
    split.at += 1;
    split.end().ok()?;
    found
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
                None => return Err(self.fault("EOF while parsing a value")),
            }
            self.at += 1;
        }
        let part = self.text.get(start..self.at).unwrap_or_default();
        Ok(part.trim_matches(SPACE))
    }

    /// A key and its colon.
    fn key(&mut self) -> Option<Quoted<'a>> {
        self.pass_space();
        if self.peek() != Some(b'"') {
            return None;
        }
        let key = self.quoted().ok()?;
        self.opens(b':').then_some(key)
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
                None => return Err(self.fault("EOF while parsing a string")),
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
            ("[", "EOF while parsing a value at line 1 column 2"),
            ("[{]", "EOF while parsing a value at line 1 column 4"),
            (r#"["a"#, "EOF while parsing a string at line 1 column 4"),
            ("[1}", "EOF while parsing a list at line 1 column 3"),
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
            (r#"{"a": 1"#, "EOF while parsing a value at line 1 column 8"),
            (r#"{"a": 1]"#, "EOF while parsing an object at line 1 column 8"),
            (r#"{"a": 1} x"#, "trailing characters at line 1 column 10"),
        ] {
            assert_eq!(members(text).unwrap_err().to_string(), expected, "{text}");
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
