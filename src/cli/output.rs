//! Standard output: buffered, JSON lines, tables, and nothing that a terminal would obey.

use std::borrow::Cow;
use std::io;
use std::io::BufWriter;
use std::io::StdoutLock;
use std::io::Write;

use serde::Serialize;

use crate::cli::palette::Palette;
use crate::model::clock::Timestamp;

/// Where results go.
#[derive(Debug)]
pub(crate) struct Output {
    writer: BufWriter<StdoutLock<'static>>,
    /// How they are coloured.
    pub(crate) palette: Palette,
}

impl Output {
    /// Standard output, locked for the whole command.
    pub(crate) fn stdout() -> Self {
        Self {
            writer: BufWriter::with_capacity(1 << 16, io::stdout().lock()),
            palette: Palette::for_stdout(),
        }
    }

    /// One document on a line of its own.
    pub(crate) fn json_line(&mut self, document: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.writer, document)?;
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

/// The text with control characters spelled out, so that no event can steer the reader's terminal.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let spelled = text.chars().flat_map(|c| {
        let escape = c.is_control().then(|| c.escape_debug());
        let plain = (!c.is_control()).then_some(c);
        escape.into_iter().flatten().chain(plain)
    });
    Cow::Owned(spelled.collect())
}

/// A time as tables show it: to the millisecond, always as wide.
pub(crate) fn cell(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Lines of cells as columns; the last column is as wide as it is.
pub(crate) fn table(out: &mut Output, heads: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let width = |index: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(index))
            .map(|cell| cell.chars().count());
        cells
            .chain(heads.get(index).map(|head| head.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let strong = out.palette.strong;
    writeln!(out, "{strong}{}{strong:#}", line(&mut heads.iter().copied()))?;
    for row in rows {
        writeln!(out, "{}", visible(&line(&mut row.iter().map(String::as_str))))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_spelled_out() {
        for (text, expected) in [
            ("plain ü", "plain ü"),
            ("a\nb\u{1b}[31m", "a\\nb\\u{1b}[31m"),
            ("\u{9b}2J", "\\u{9b}2J"),
        ] {
            assert_eq!(visible(text), expected);
        }
    }
}
