//! JSON documents out of a stream of bytes, each as soon as its end is there.
//!
//! What is no JSON costs the lines that it is on and nothing else: the next document is looked for where a line begins
//! like one.

use std::collections::VecDeque;
use std::io;
use std::io::BufReader;
use std::io::Read;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::catcher::Broken;
use crate::model::event::NativeEvent;

/// A document without an end in so many bytes has none.
const LONGEST: usize = 64 << 20;
/// What some programs write in front of a text; it means nothing.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a stream of documents brought.
#[derive(Debug)]
pub(crate) enum Piece {
    /// A document.
    Document(Box<RawValue>),
    /// Something else, with what is wrong with it.
    Broken(Broken),
}

/// The documents of a stream.
#[derive(Debug)]
pub(crate) struct Documents<R> {
    tee: Tee<R>,
    is_over: bool,
}

impl<R: Read> Documents<R> {
    /// Those that a reader brings.
    pub(crate) fn new(reader: R) -> Self {
        Self {
            tee: Tee {
                reader: BufReader::new(reader),
                again: VecDeque::new(),
                read: Vec::new(),
            },
            is_over: false,
        }
    }

    /// Waits until the end of the next one is there.
    fn piece(&mut self) -> io::Result<Option<Piece>> {
        if !self.tee.skip_space()? {
            return Ok(None);
        }
        let mut json = serde_json::Deserializer::from_reader(&mut self.tee);
        let error = match Box::<RawValue>::deserialize(&mut json) {
            Ok(document) => {
                // A number is over only where something else follows, which was read too.
                self.tee.unread_from(document.get().len());
                return Ok(Some(Piece::Document(document)));
            }
            Err(error) if error.is_io() => return Err(error.into()),
            Err(error) => error,
        };
        if !error.is_eof() {
            self.tee.read_to_next_beginning()?;
        }
        let bytes = std::mem::take(&mut self.tee.read);
        Ok(Some(Piece::Broken(broken(bytes.trim_ascii(), &error))))
    }
}

impl<R: Read> Iterator for Documents<R> {
    type Item = io::Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let piece = self.piece().transpose();
        self.is_over = !matches!(piece, Some(Ok(_)));
        piece
    }
}

fn broken(bytes: &[u8], error: &serde_json::Error) -> Broken {
    match str::from_utf8(bytes) {
        Ok(text) => Broken {
            native: NativeEvent::new(text),
            reason: format!("the message is no JSON: {error}"),
        },
        Err(_) => Broken::no_utf8("message", bytes),
    }
}

/// Reads on, notes what was read, and takes back what was read too far.
#[derive(Debug)]
struct Tee<R> {
    reader: BufReader<R>,
    /// To be read again.
    again: VecDeque<u8>,
    /// What was read since the last document.
    read: Vec<u8>,
}

impl<R: Read> Tee<R> {
    /// One more byte; none at the end.
    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = match self.again.pop_front() {
            Some(byte) => byte,
            None if LONGEST <= self.read.len() => {
                let longest = LONGEST >> 20;
                return Err(io::Error::other(format!(
                    "a document has no end in {longest} MiB"
                )));
            }
            None => {
                let mut byte = [0];
                match self.reader.read(&mut byte)? {
                    0 => return Ok(None),
                    _one => byte[0],
                }
            }
        };
        self.read.push(byte);
        Ok(Some(byte))
    }

    /// What was read from there on is read again.
    fn unread_from(&mut self, start: usize) {
        let rest = self.read.split_off(start.min(self.read.len()));
        rest.into_iter()
            .rev()
            .for_each(|byte| self.again.push_front(byte));
    }

    /// Reads up to the beginning of something; false where there is nothing more.
    fn skip_space(&mut self) -> io::Result<bool> {
        loop {
            self.read.clear();
            let Some(byte) = self.byte()? else {
                return Ok(false);
            };
            if BYTE_ORDER_MARK.starts_with(&[byte]) {
                let _rest = (self.byte()?, self.byte()?);
            }
            if !byte.is_ascii_whitespace() && self.read != BYTE_ORDER_MARK {
                self.unread_from(0);
                return Ok(true);
            }
        }
    }

    /// Reads on from something broken up to where a document may begin: on the next line, or, where the broken one was
    /// spread over lines, on the next one that begins like a document and not like a part of one.
    fn read_to_next_beginning(&mut self) -> io::Result<()> {
        let before_last = self.read.len().saturating_sub(1);
        let is_spread = self.read.iter().take(before_last).any(|byte| *byte == b'\n');
        let mut line = self
            .read
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        loop {
            if is_spread && matches!(self.read.get(line), Some(b'{' | b'[')) {
                self.unread_from(line);
                return Ok(());
            }
            while !self.read.ends_with(b"\n") {
                if self.byte()?.is_none() {
                    return Ok(());
                }
            }
            line = self.read.len();
            if !is_spread || self.byte()?.is_none() {
                return Ok(());
            }
        }
    }
}

impl<R: Read> Read for Tee<R> {
    /// A byte at a time: whoever reads a document must not wait for what is behind its end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(place) = buffer.first_mut() else {
            return Ok(0);
        };
        Ok(self.byte()?.map_or(0, |byte| {
            *place = byte;
            1
        }))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    /// Brings so many bytes at once, and says so where somebody wants more than was written.
    struct Slowly<'a> {
        left: &'a [u8],
        at_once: usize,
    }

    impl Read for Slowly<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.at_once.min(self.left.len()).min(buffer.len());
            let (now, later) = self.left.split_at(length);
            buffer[..length].copy_from_slice(now);
            self.left = later;
            Ok(length)
        }
    }

    /// What is in a text: documents as they are, what is broken with a cross in front.
    fn told(bytes: &[u8]) -> Vec<String> {
        let at_once = |at_once| {
            let documents = Documents::new(Slowly { left: bytes, at_once });
            let told = documents.map(|piece| match piece.unwrap() {
                Piece::Document(document) => document.get().to_owned(),
                Piece::Broken(broken) => format!("x {}", broken.native.body),
            });
            told.collect::<Vec<_>>()
        };
        let told = at_once(1);
        assert_eq!(told, at_once(1 << 16));
        told
    }

    #[test]
    fn what_is_broken_costs_its_own_lines() {
        let table: &[(&[u8], &[&str])] = &[
            (b"", &[]),
            (b" \n\n", &[]),
            (b"{\"a\":1}", &["{\"a\":1}"]),
            (b"{} {}\n{}[1, 2]\n", &["{}", "{}", "{}", "[1, 2]"]),
            (b"{\n  \"a\": 1\n}\n{}", &["{\n  \"a\": 1\n}", "{}"]),
            (b"\xef\xbb\xbf{}\n", &["{}"]),
            (b"7\n8{}", &["7", "8", "{}"]),
            // Cut within a text, an object, and where nobody could see it.
            (b"{\"a\":\"cut\n{}\n", &["x {\"a\":\"cut", "{}"]),
            (b"{\"a\":{\"b\":1}\n{}\n", &["x {\"a\":{\"b\":1}", "{}"]),
            (b"{}\n{\"a\":", &["{}", "x {\"a\":"]),
            // No JSON at all, or not quite.
            (b"hello\n{}\n", &["x hello", "{}"]),
            (b"{}\n<html>\n</html>\n{}", &["{}", "x <html>", "x </html>", "{}"]),
            (b"{\"a\": NaN}\n{}", &["x {\"a\": NaN}", "{}"]),
            (b"{} }\n{}", &["{}", "x }", "{}"]),
            (b"{\"a\":\"\xff\"}\n{}", &["x data:;base64,eyJhIjoi/yJ9", "{}"]),
            // Spread over lines: its parts are taken for no documents.
            (
                b"{\n  \"a\": NaN,\n  \"b\": [\n    {}\n  ]\n}\n{}",
                &["x {\n  \"a\": NaN,\n  \"b\": [\n    {}\n  ]\n}", "{}"],
            ),
            (
                b"{\n  \"a\": \"cut\n  \"b\": 1\n}\n[]",
                &["x {\n  \"a\": \"cut\n  \"b\": 1\n}", "[]"],
            ),
            // Hard to read, and all there.
            (
                b"{\"a\":\"\\ud83d\"}\n{\"a\":1e400}",
                &["{\"a\":\"\\ud83d\"}", "{\"a\":1e400}"],
            ),
        ];
        for (bytes, expected) in table {
            assert_eq!(told(bytes), *expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_document_is_there_before_anything_behind_it() {
        /// Whoever reads on after the end of the document waits for ever.
        struct Then<'a>(&'a [u8]);
        impl Read for Then<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let length = self.0.len().min(buffer.len());
                assert!(0 < length, "it waits for what is behind the document");
                buffer[..length].copy_from_slice(&self.0[..length]);
                self.0 = &self.0[length..];
                Ok(length)
            }
        }
        let mut documents = Documents::new(Then(b"{\"a\": [1]}"));
        assert!(matches!(documents.next(), Some(Ok(Piece::Document(_)))));
        let mut documents = Documents::new(Then(b"{\"a\": NaN}\n"));
        assert!(matches!(documents.next(), Some(Ok(Piece::Broken(_)))));
    }

    proptest! {
        #[test]
        fn nothing_of_any_bytes_is_lost_but_space(
            bytes in prop::collection::vec(prop::sample::select(b"{}[]\",:1a\\ \n\xff".to_vec()), 0..60)
        ) {
            let kept = |text: &str| text.chars().filter(|c| !c.is_ascii_whitespace()).collect::<String>();
            let told = told(&bytes);
            let all = told.iter().map(|piece| {
                let piece = piece.strip_prefix("x ").unwrap_or(piece);
                match piece.strip_prefix("data:;base64,") {
                    Some(coded) => kept(&String::from_utf8_lossy(&STANDARD.decode(coded).unwrap())),
                    None => kept(piece),
                }
            });
            prop_assert_eq!(all.collect::<String>(), kept(&String::from_utf8_lossy(&bytes)));
        }

        #[test]
        fn documents_on_lines_of_their_own_all_come(count in 0_usize..20, bad in 0_usize..20) {
            let line = |number: usize| match number == bad {
                true => "{\"cut\": \"here".to_owned(),
                false => format!("{{\"id\": {number}}}"),
            };
            let lines: Vec<String> = (0..count).map(line).collect();
            let told = told(lines.join("\n").as_bytes());
            let expected = (0..count).map(|number| match number == bad {
                true => format!("x {}", line(number)),
                false => line(number),
            });
            prop_assert_eq!(told, expected.collect::<Vec<_>>());
        }
    }
}
