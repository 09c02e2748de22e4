//! Messages out of bytes: one a line. A line that is no text or too long is kept as something broken, with the reason.

use crate::catcher::Broken;
use crate::model::event::NativeEvent;
use crate::model::json;

/// The longest line that is taken as a message, in bytes; as long as the longest event that can be pushed.
pub(crate) const LONGEST_LINE: usize = 1 << 20;

/// What is in a piece of a stream of lines.
#[derive(Debug, Default)]
pub(crate) struct Split {
    pub(crate) messages: Vec<NativeEvent>,
    pub(crate) broken: Vec<Broken>,
    /// How many bytes were used; the rest is the beginning of a line.
    pub(crate) used: usize,
    /// Whether the bytes that follow belong to a line which was too long.
    pub(crate) in_long_line: bool,
}

/// Splits `bytes`. `in_long_line`: they begin within a line that is passed over. `is_last`: no more will come, so a
/// line without an end counts too.
pub(crate) fn split(bytes: &[u8], in_long_line: bool, is_last: bool) -> Split {
    let mut split = Split {
        in_long_line,
        ..Split::default()
    };
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let has_end = line.ends_with(b"\n");
        if !has_end && !is_last {
            // A line that is too long already is not waited for: its end may never come.
            if split.in_long_line || LONGEST_LINE < line.len() {
                split.take(line);
                split.in_long_line = true;
            }
            break;
        }
        split.take(line);
        split.in_long_line = false;
    }
    split
}

impl Split {
    fn take(&mut self, line: &[u8]) {
        self.used += line.len();
        if self.in_long_line {
            return;
        }
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        if LONGEST_LINE < line.len() {
            self.broken.push(Broken::too_long("line", line, LONGEST_LINE));
            return;
        }
        match str::from_utf8(line) {
            Ok(text) => self.take_text(json::without_mark(text).trim()),
            Err(_) => self.broken.push(Broken::no_utf8("line", line)),
        }
    }

    /// A message, or a list of them; of a list, what is none is kept by itself.
    fn take_text(&mut self, text: &str) {
        let elements = match text.starts_with('[') {
            true => json::elements(text).ok(),
            false => None,
        };
        let Some(elements) = elements else {
            // Behind a byte order mark there may be nothing.
            let message = Some(NativeEvent::new(text)).filter(|_| !text.is_empty());
            return self.messages.extend(message);
        };
        for element in elements {
            let native = NativeEvent::new(element);
            match element.starts_with('{') {
                true => self.messages.push(native),
                false => self.broken.push(Broken {
                    native,
                    reason: "a list of the file holds what is no JSON object".to_owned(),
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(split: &Split) -> Vec<&str> {
        split.messages.iter().map(|message| &*message.body).collect()
    }

    #[test]
    fn half_lines_wait_for_their_end() {
        let halves = split(b"{\"a\":1}\r\n\n{\"b\":2}\n{\"c\"", false, false);
        assert_eq!(texts(&halves), ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(halves.used, 18);
        let whole = split(b"{\"c\":3}", false, true);
        assert_eq!((texts(&whole), whole.used), (vec!["{\"c\":3}"], 7));
    }

    #[test]
    fn what_is_no_text_is_kept_byte_by_byte() {
        let bad = split(b"{\"a\":1}\n\xff\xfe\n{\"b\":2}\n", false, false);
        assert_eq!(texts(&bad), ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(&*bad.broken[0].native.body, "data:;base64,//4=");
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_and_a_list_is_its_messages() {
        let lines = "\u{feff}{\"a\":1}\n[{\"b\":2}, 7, {\"c\": \"\\ud800\"}, {}]\n[]\n[{\"c\"\n\u{feff}\n";
        let split = split(lines.as_bytes(), false, false);
        assert_eq!(
            texts(&split),
            ["{\"a\":1}", "{\"b\":2}", "{\"c\": \"\\ud800\"}", "{}", "[{\"c\""]
        );
        let broken: Vec<&str> = split.broken.iter().map(|broken| &*broken.native.body).collect();
        assert_eq!(broken, ["7"]);
    }

    #[test]
    fn a_line_without_end_is_kept_shortened_once_and_the_next_one_is_taken() {
        let mut endless = vec![b'x'; LONGEST_LINE + 1];
        let first = split(&endless, false, false);
        assert_eq!(
            (first.broken.len(), first.used, first.in_long_line),
            (1, LONGEST_LINE + 1, true)
        );
        assert_eq!(first.broken[0].native.body.len(), 64 << 10);
        endless.extend_from_slice(b"\n{}\n");
        let rest = split(&endless, true, false);
        assert_eq!(
            (rest.broken.len(), texts(&rest), rest.in_long_line),
            (0, vec!["{}"], false)
        );
    }
}
