//! The reader: a JSON text in, whatever is built of it out. All that RFC 8259 allows, and nothing else.

use crate::model::json::JsonError;
use crate::model::json::Quoted;
use crate::model::json::Value;
use crate::model::json::plain::plain_length;
use crate::model::json::value::Tree;
use crate::model::json::without_mark;

/// How deep lists and objects may lie within each other, itself counted: they are walked and dropped by recursion.
pub const MAX_DEPTH: usize = 127;

/// What is built of a JSON text as it is read. `at` is the place of a value in the text, in bytes.
pub(crate) trait Build<'a> {
    /// A value that is done.
    type Value;
    /// A list that is being read.
    type List;
    /// An object that is being read.
    type Map;
    /// A key of one.
    type Key;

    /// `null`.
    fn null(&mut self, at: usize) -> Self::Value;
    /// `true` or `false`.
    fn flag(&mut self, at: usize, flag: bool) -> Self::Value;
    /// A number as it is written.
    fn number(&mut self, at: usize, numeral: &'a str) -> Self::Value;
    /// A text.
    fn text(&mut self, at: usize, text: Quoted<'a>) -> Self::Value;
    /// A list begins.
    fn list(&mut self, at: usize) -> Self::List;
    /// It has one more item.
    fn item(&mut self, list: &mut Self::List, item: Self::Value);
    /// It is done, `end` is the place behind it.
    fn list_done(&mut self, list: Self::List, end: usize) -> Self::Value;
    /// An object begins.
    fn map(&mut self, at: usize) -> Self::Map;
    /// The key of its next entry.
    fn key(&mut self, at: usize, key: Quoted<'a>) -> Self::Key;
    /// It has one more entry; a key may come twice.
    fn entry(&mut self, map: &mut Self::Map, key: Self::Key, value: Self::Value);
    /// It is done, `end` is the place behind it.
    fn map_done(&mut self, map: Self::Map, end: usize) -> Self::Value;
}

/// The value of a JSON text. Of a key that is there twice the last one counts.
///
/// # Errors
/// When it is no JSON, with the place.
pub fn read(text: &str) -> Result<Value, JsonError> {
    read_as(text, &mut Tree)
}

/// The value of a JSON text in bytes.
///
/// # Errors
/// When it is no UTF-8, or as [`read`].
pub fn read_bytes(bytes: &[u8]) -> Result<Value, JsonError> {
    match str::from_utf8(bytes) {
        Ok(text) => read(text),
        Err(error) => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let good = str::from_utf8(good).unwrap_or_default();
            Err(JsonError::at(good, good.len(), "these bytes are no UTF-8"))
        }
    }
}

/// Whether a text is JSON.
///
/// # Errors
/// As [`read`].
pub fn check(text: &str) -> Result<(), JsonError> {
    read_as(text, &mut Nothing)
}

/// What `build` makes of a JSON text. A byte order mark is passed over.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_as<'a, B: Build<'a>>(text: &'a str, build: &mut B) -> Result<B::Value, JsonError> {
    let mut reader = Reader {
        text,
        at: text.len() - without_mark(text).len(),
        build,
    };
    let read = reader.whole();
    read.map_err(|fault| JsonError {
        is_of_value: fault.is_of_value,
        ..JsonError::at(text, fault.at, fault.reason)
    })
}

/// Builds nothing.
struct Nothing;

impl<'a> Build<'a> for Nothing {
    type Value = ();
    type List = ();
    type Map = ();
    type Key = ();

    fn null(&mut self, _at: usize) {}

    fn flag(&mut self, _at: usize, _flag: bool) {}

    fn number(&mut self, _at: usize, _numeral: &'a str) {}

    fn text(&mut self, _at: usize, _text: Quoted<'a>) {}

    fn list(&mut self, _at: usize) {}

    fn item(&mut self, (): &mut (), (): ()) {}

    fn list_done(&mut self, (): (), _end: usize) {}

    fn map(&mut self, _at: usize) {}

    fn key(&mut self, _at: usize, _key: Quoted<'a>) {}

    fn entry(&mut self, (): &mut (), (): (), (): ()) {}

    fn map_done(&mut self, (): (), _end: usize) {}
}

struct Reader<'a, 'b, B> {
    text: &'a str,
    at: usize,
    build: &'b mut B,
}

struct Fault {
    at: usize,
    reason: &'static str,
    is_of_value: bool,
}

type Read<T> = Result<T, Fault>;

impl<'a, B: Build<'a>> Reader<'a, '_, B> {
    fn whole(&mut self) -> Read<B::Value> {
        self.pass_space();
        let value = self.value(MAX_DEPTH)?;
        self.pass_space();
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(self.fault("trailing characters")),
        }
    }

    fn value(&mut self, depth: usize) -> Read<B::Value> {
        let at = self.at;
        match self.peek() {
            Some(b'"') => {
                let text = self.quoted()?;
                Ok(self.build.text(at, text))
            }
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'-' | b'0'..=b'9') => {
                let numeral = self.numeral()?;
                Ok(self.build.number(at, numeral))
            }
            Some(b't') => self.word("true").map(|()| self.build.flag(at, true)),
            Some(b'f') => self.word("false").map(|()| self.build.flag(at, false)),
            Some(b'n') => self.word("null").map(|()| self.build.null(at)),
            Some(_) => Err(self.fault("expected value")),
            None => Err(self.fault("EOF while parsing a value")),
        }
    }

    fn list(&mut self, depth: usize) -> Read<B::Value> {
        let depth = self.deeper(depth)?;
        let mut list = self.build.list(self.at);
        self.step();
        self.pass_space();
        if self.peek() != Some(b']') {
            loop {
                let item = self.value(depth)?;
                self.build.item(&mut list, item);
                self.pass_space();
                match self.peek() {
                    Some(b',') => self.step(),
                    Some(b']') => break,
                    Some(_) => return Err(self.fault("expected `,` or `]`")),
                    None => return Err(self.fault("EOF while parsing a list")),
                }
                self.pass_space();
                if self.peek() == Some(b']') {
                    return Err(self.fault("trailing comma"));
                }
            }
        }
        self.step();
        Ok(self.build.list_done(list, self.at))
    }

    fn map(&mut self, depth: usize) -> Read<B::Value> {
        let depth = self.deeper(depth)?;
        let mut map = self.build.map(self.at);
        self.step();
        self.pass_space();
        if self.peek() != Some(b'}') {
            loop {
                self.entry(&mut map, depth)?;
                match self.peek() {
                    Some(b',') => self.step(),
                    Some(b'}') => break,
                    Some(_) => return Err(self.fault("expected `,` or `}`")),
                    None => return Err(self.fault("EOF while parsing an object")),
                }
                self.pass_space();
                if self.peek() == Some(b'}') {
                    return Err(self.fault("trailing comma"));
                }
            }
        }
        self.step();
        Ok(self.build.map_done(map, self.at))
    }

    fn entry(&mut self, map: &mut B::Map, depth: usize) -> Read<()> {
        match self.peek() {
            Some(b'"') => (),
            Some(_) => return Err(self.fault("key must be a string")),
            None => return Err(self.fault("EOF while parsing an object")),
        }
        let at = self.at;
        let key = self.quoted()?;
        let key = self.build.key(at, key);
        self.pass_space();
        match self.peek() {
            Some(b':') => self.step(),
            Some(_) => return Err(self.fault("expected `:`")),
            None => return Err(self.fault("EOF while parsing an object")),
        }
        self.pass_space();
        let value = self.value(depth)?;
        self.build.entry(map, key, value);
        self.pass_space();
        Ok(())
    }

    fn deeper(&self, depth: usize) -> Read<usize> {
        depth.checked_sub(1).ok_or_else(|| Fault {
            is_of_value: true,
            ..self.fault("nested more than 127 deep")
        })
    }

    fn word(&mut self, word: &str) -> Read<()> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        let same = rest
            .iter()
            .zip(word.as_bytes())
            .take_while(|(a, b)| a == b)
            .count();
        self.at += same;
        Err(self.fault(match same == rest.len() {
            true => "EOF while parsing a value",
            false => "expected ident",
        }))
    }

    fn numeral(&mut self) -> Read<&'a str> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.step();
        }
        match self.peek() {
            Some(b'0') => {
                self.step();
                if matches!(self.peek(), Some(b'0'..=b'9')) {
                    return Err(self.fault("invalid number"));
                }
            }
            _digits => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.step();
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.step();
            }
            self.digits()?;
        }
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    fn digits(&mut self) -> Read<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.step();
        }
        match (start < self.at, self.peek()) {
            (true, _) => Ok(()),
            (false, None) => Err(self.fault("EOF while parsing a value")),
            (false, Some(_)) => Err(self.fault("invalid number")),
        }
    }

    fn quoted(&mut self) -> Read<Quoted<'a>> {
        self.step();
        let start = self.at;
        let mut has_escapes = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            self.at += plain_length(rest);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                Some(_) => {
                    return Err(
                        self.fault("control character (\\u0000-\\u001F) found while parsing a string")
                    );
                }
                None => return Err(self.fault("EOF while parsing a string")),
            }
        }
        let written = self.text.get(start..self.at).unwrap_or_default();
        self.step();
        Ok(Quoted::new(written, has_escapes))
    }

    fn escape(&mut self) -> Read<()> {
        let at = self.at;
        self.step();
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.step();
                return Ok(());
            }
            Some(b'u') => (),
            Some(_) => return Err(self.fault("invalid escape")),
            None => return Err(self.fault("EOF while parsing a string")),
        }
        let lone = Fault {
            at,
            reason: "lone surrogate: an escape of \\uD800 to \\uDFFF is half of a character",
            is_of_value: true,
        };
        match self.unit()? {
            0xDC00..=0xDFFF => Err(lone),
            0xD800..=0xDBFF if self.text.as_bytes().get(self.at..self.at + 2) != Some(b"\\u") => Err(lone),
            0xD800..=0xDBFF => {
                self.step();
                match self.unit()? {
                    0xDC00..=0xDFFF => Ok(()),
                    _other => Err(lone),
                }
            }
            _character => Ok(()),
        }
    }

    /// The number behind a `u`.
    fn unit(&mut self) -> Read<u16> {
        self.step();
        let mut unit = 0;
        for _ in 0..4 {
            let digit = match self.peek() {
                Some(digit @ b'0'..=b'9') => digit - b'0',
                Some(digit @ b'a'..=b'f') => digit - b'a' + 10,
                Some(digit @ b'A'..=b'F') => digit - b'A' + 10,
                Some(_) => return Err(self.fault("invalid escape")),
                None => return Err(self.fault("EOF while parsing a string")),
            };
            unit = unit << 4 | u16::from(digit);
            self.step();
        }
        Ok(unit)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn step(&mut self) {
        self.at += 1;
    }

    fn pass_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.step();
        }
    }

    fn fault(&self, reason: &'static str) -> Fault {
        Fault {
            at: self.at,
            reason,
            is_of_value: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        let deep = "[".repeat(200_000);
        for (text, expected) in [
            ("", "EOF while parsing a value at line 1 column 1"),
            (" \n ", "EOF while parsing a value at line 2 column 2"),
            ("{\"a\": 1,\n \"ä\": x}", "expected value at line 2 column 7"),
            ("[1, 2", "EOF while parsing a list at line 1 column 6"),
            ("[1,]", "trailing comma at line 1 column 4"),
            ("[1 2]", "expected `,` or `]` at line 1 column 4"),
            (r#"{"a""#, "EOF while parsing an object at line 1 column 5"),
            (r#"{"a" 1}"#, "expected `:` at line 1 column 6"),
            (r#"{"a": 1,}"#, "trailing comma at line 1 column 9"),
            (r#"{"a": 1 "b"}"#, "expected `,` or `}` at line 1 column 9"),
            ("{a: 1}", "key must be a string at line 1 column 2"),
            ("{} {}", "trailing characters at line 1 column 4"),
            ("nul", "EOF while parsing a value at line 1 column 4"),
            ("nulL", "expected ident at line 1 column 4"),
            ("01", "invalid number at line 1 column 2"),
            ("-", "EOF while parsing a value at line 1 column 2"),
            ("1.x", "invalid number at line 1 column 3"),
            ("1e", "EOF while parsing a value at line 1 column 3"),
            ("\"a", "EOF while parsing a string at line 1 column 3"),
            (
                "\"a\tb\"",
                "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 3",
            ),
            (r#""\x""#, "invalid escape at line 1 column 3"),
            (r#""\u12g4""#, "invalid escape at line 1 column 6"),
            (
                r#"["\ud800"]"#,
                "lone surrogate: an escape of \\uD800 to \\uDFFF is half of a character at line 1 column 3",
            ),
            (
                r#""\ud800\u0041""#,
                "lone surrogate: an escape of \\uD800 to \\uDFFF is half of a character at line 1 column 2",
            ),
            (
                r#""\udc00""#,
                "lone surrogate: an escape of \\uD800 to \\uDFFF is half of a character at line 1 column 2",
            ),
            (&deep, "nested more than 127 deep at line 1 column 128"),
        ] {
            let found = [read(text).unwrap_err(), check(text).unwrap_err()];
            assert_eq!(found.map(|error| error.to_string()), [expected; 2], "{text:.40}");
        }
        let error = read_bytes(b"{\"a\":\n \"\xff\"}").unwrap_err();
        assert_eq!(error.to_string(), "these bytes are no UTF-8 at line 2 column 3");
    }

    #[test]
    fn what_is_json_is_read_as_it_is_meant() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(MAX_DEPTH)).is_ok());
        assert!(read(&nested(MAX_DEPTH + 1)).is_err());
        for (text, expected) in [
            ("\u{feff} {\"a\": [1 , null]}\r\n", r#"{"a":[1,null]}"#),
            (r#"{"a": 1, "b": 2, "a": 3}"#, r#"{"a":3,"b":2}"#),
            (
                r#"["\u0041\n\"\\\/\ud83d\ude00\u00e4", ""]"#,
                r#"["A\n\"\\/😀ä",""]"#,
            ),
            (r#"{"\u0061": 1}"#, r#"{"a":1}"#),
        ] {
            assert_eq!(read(text).unwrap().to_string(), expected);
        }
        assert_eq!(read_bytes(b"\xef\xbb\xbf7").unwrap(), Value::from(7));
    }
}
