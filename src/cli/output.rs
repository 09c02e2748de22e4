//! Standard output: buffered, results as JSON lines, and nothing that a terminal would obey.

use std::io;
use std::io::BufWriter;
use std::io::IsTerminal;
use std::io::StdoutLock;
use std::io::Write;

use serde::Serialize;

use crate::cli::palette::Palette;
use crate::model::clock::Timestamp;
use crate::model::unseen::is_unseen;

/// Where results go.
#[derive(Debug)]
pub(crate) struct Output {
    writer: BufWriter<StdoutLock<'static>>,
    is_terminal: bool,
    /// How they are coloured.
    pub(crate) palette: Palette,
}

impl Output {
    /// Standard output, locked for the whole command.
    pub(crate) fn stdout() -> Self {
        Self {
            writer: BufWriter::with_capacity(1 << 16, io::stdout().lock()),
            is_terminal: io::stdout().is_terminal(),
            palette: Palette::for_stdout(),
        }
    }

    /// One document on a line of its own; to the byte, unless a terminal is to show it.
    pub(crate) fn json_line(&mut self, document: &impl Serialize) -> io::Result<()> {
        match self.is_terminal {
            true => self
                .writer
                .write_all(harmless(&serde_json::to_string(document)?).as_bytes())?,
            false => serde_json::to_writer(&mut self.writer, document)?,
        }
        self.writer.write_all(b"\n")
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A time as tables show it: to the millisecond, always as wide.
pub(crate) fn cell(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A document as a terminal may have it: what nobody sees, and what a terminal obeys, as the escapes of JSON, which
/// mean the same.
fn harmless(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        match is_unseen(c) {
            true => text.extend(
                c.encode_utf16(&mut units)
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}")),
            ),
            false => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json::json;

    proptest! {
        #[test]
        fn a_document_on_a_terminal_means_the_same_and_steers_nothing(text: String) {
            let document = json!({ "text": format!("\u{9b}\u{202e}{text}\u{e0041}"), "number": 1.10 }).to_string();
            let shown = harmless(&document);
            prop_assert!(!shown.contains(is_unseen));
            let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            prop_assert_eq!(read(&shown), read(&document));
        }
    }
}
