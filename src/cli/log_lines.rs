//! Each message of the log on one line of its own, whatever the data in it says.

use std::fmt;

use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::DefaultFields;
use tracing_subscriber::fmt::format::Writer;

use crate::model::unseen::visible;

/// Writes a message and its fields, and names what nobody sees: a text with a line feed in it cannot pass for a message
/// of its own, and none steers a terminal.
#[derive(Debug, Default)]
pub(crate) struct OneLine(DefaultFields);

impl<'writer> FormatFields<'writer> for OneLine {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut text = String::new();
        self.0.format_fields(Writer::new(&mut text), fields)?;
        writer.write_str(&visible(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io;
    use std::io::Write;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use proptest::prelude::*;
    use tracing_subscriber::fmt;

    use crate::model::unseen::is_unseen;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged of a text, as a message, as the name of something, and as an error.
    fn logged(text: &str, is_coloured: bool) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = fmt()
            .fmt_fields(OneLine::default())
            .with_ansi(is_coloured)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(object = %text, "{text}");
            tracing::warn!(error = %io::Error::other(text.to_owned()), name = text, "It failed.");
        });
        String::from_utf8(kept.0.lock().clone()).unwrap()
    }

    #[test]
    fn a_text_cannot_pass_for_a_line_of_its_own() {
        let forged = "web\n2026-03-01T12:00:00Z ERROR switchboard::vmdb: \u{202e}it is damaged";
        let told = logged(forged, false);
        assert_eq!(told.lines().count(), 2, "{told}");
        assert!(
            told.contains(r"web\n2026-03-01T12:00:00Z ERROR switchboard::vmdb: \u{202e}it"),
            "{told}"
        );
    }

    #[test]
    fn colours_stay_and_those_of_data_do_not() {
        let told = logged("a\u{1b}[31mb", true);
        assert!(
            told.contains("\u{1b}[") && !told.contains("\u{1b}[31m"),
            "{told:?}"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_one_line(text in any::<String>(), is_coloured: bool) {
            let told = logged(&text, is_coloured);
            prop_assert_eq!(told.matches('\n').count(), 2);
            let is_raw = |c: char| is_unseen(c) && c != '\n' && !(is_coloured && c == '\u{1b}');
            prop_assert!(!told.contains(is_raw), "{told:?}");
        }
    }
}
