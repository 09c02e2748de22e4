//! A script that does not compile: what is wrong, where, and what to do about the commonest slips.

use rhai::LexError;
use rhai::ParseError;
use rhai::ParseErrorType;
use rhai::Position;

use crate::source::Diagnostic;
use crate::source::SourceFile;
use crate::source::text::MERGE_HELP;
use crate::source::text::merge_conflict;

/// Why a text is no script.
#[derive(Clone, Debug)]
pub(crate) struct SyntaxError {
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it; may be empty.
    pub(crate) help: String,
    /// Where, within the text.
    pub(crate) at: Position,
}

impl SyntaxError {
    /// What rhai says of this text.
    pub(crate) fn new(text: &str, error: &ParseError) -> Self {
        let ParseError(what, at) = error;
        Self {
            message: what.to_string(),
            help: help(text, what, *at),
            at: *at,
        }
    }

    /// Line and column within the text, from 1.
    pub(crate) fn place(&self) -> (u32, u32) {
        let number = |place: Option<usize>| place.and_then(|place| u32::try_from(place).ok()).unwrap_or(1);
        (number(self.at.line()), number(self.at.position()))
    }
}

/// What is wrong with a file of which nothing can be used.
pub(crate) fn finding(file: &SourceFile, error: SyntaxError) -> Diagnostic {
    if let Some(line) = merge_conflict(&file.text) {
        let message = "a merge left its conflict in the file";
        return Diagnostic::error("MergeConflict", &file.path, message)
            .at(line, 1)
            .help(MERGE_HELP);
    }
    let (line, column) = error.place();
    Diagnostic::error("ScriptSyntax", &file.path, error.message)
        .at(line, column)
        .help(error.help)
}

fn help(text: &str, what: &ParseErrorType, at: Position) -> String {
    match what {
        ParseErrorType::Reserved(_) | ParseErrorType::PropertyExpected => {
            word_at(text, at).map(reserved).unwrap_or_default()
        }
        ParseErrorType::BadInput(LexError::MalformedChar(_)) => {
            "a text of a script stands in double quotes".to_owned()
        }
        _other => String::new(),
    }
}

/// A word of the language that is used as a name.
struct Word<'a> {
    word: &'a str,
    before: &'a str,
    after: &'a str,
}

fn word_at(text: &str, at: Position) -> Option<Word<'_>> {
    let line = text.lines().nth(at.line()?.checked_sub(1)?)?;
    let (start, _) = line.char_indices().nth(at.position()?.checked_sub(1)?)?;
    let (before, rest) = line.split_at_checked(start)?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    let (word, after) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
    (!word.is_empty()).then(|| Word {
        word,
        before: before.trim_end(),
        after: after.trim_start(),
    })
}

fn reserved(Word { word, before, after }: Word<'_>) -> String {
    if matches!(word, "nil" | "null") && !before.ends_with('.') {
        return "write `()` for nothing".to_owned();
    }
    if before.ends_with("?.") {
        format!("`{word}` is a word of the language: write `?[\"{word}\"]` in place of `?.{word}`")
    } else if before.ends_with('.') {
        format!("`{word}` is a word of the language: write `[\"{word}\"]` in place of `.{word}`")
    } else if before.ends_with(['{', ',']) && after.starts_with(':') {
        format!("`{word}` is a word of the language: write it as `\"{word}\"`")
    } else {
        format!("`{word}` is a word of the language: take another name")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::script::engine;
    use crate::script::limits::Limits;

    #[test]
    fn a_word_of_the_language_is_told_with_its_quotes() {
        let engine = engine::new(&Limits::default());
        for (script, expected) in [
            ("event.full_data.new", "write `[\"new\"]` in place of `.new`"),
            (
                "event.full_data?.default == 1",
                "write `?[\"default\"]` in place of `?.default`",
            ),
            ("event. case", "write `[\"case\"]` in place of `.case`"),
            ("event.match.x", "write `[\"match\"]` in place of `.match`"),
            ("event.public", "write `[\"public\"]` in place of `.public`"),
            ("event.if", "write `[\"if\"]` in place of `.if`"),
            ("event.in.x", "write `[\"in\"]` in place of `.in`"),
            ("let x = #{new: 1};", "write it as `\"new\"`"),
            ("let x = #{a: 1, default : 1};", "write it as `\"default\"`"),
            ("let new = 1;", "take another name"),
            ("fn f(match) { 1 }", "take another name"),
            ("event.x == null", "write `()` for nothing"),
            ("nil != event.x", "write `()` for nothing"),
            ("event.nil", "write `[\"nil\"]` in place of `.nil`"),
            ("let x = 'abc';", "a text of a script stands in double quotes"),
            ("let x = ;", ""),
        ] {
            let error = engine.compile(script).unwrap_err();
            let found = SyntaxError::new(script, &error);
            assert!(found.help.ends_with(expected), "{script}: {found:?}");
            assert_eq!(found.help.is_empty(), expected.is_empty(), "{script}: {found:?}");
        }
    }
}
