//! Assertions: conditions as Rhai expressions, compiled at load. What stands in `${…}` is a bound variable and
//! never becomes text of the expression (docs/differences.md).

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::LazyLock;

use regex::Regex;

use crate::automate::datatype::leading_number;
use crate::automate::template::Part;
use crate::automate::template::Template;
use crate::model::json::Number;
use crate::model::value::Value;
use crate::script::ScriptHost;
use crate::script::SyntaxError;
use crate::script::evm::EventView;
use crate::script::expression::Expression;
use crate::source::Diagnostic;

/// A compiled condition.
#[derive(Debug)]
pub(crate) struct Assertion {
    /// Kept for the trace, which shows the text with the values put in.
    pub(crate) template: Template,
    /// The expression, or why there is none: then the assertion fails, and `check` has told so.
    pub(crate) expression: Result<Expression, String>,
    /// What of the event the condition looks at, as written, each compiled by itself.
    looks: Box<[(Arc<str>, Expression)]>,
}

/// A place of the event within a condition.
#[expect(clippy::unwrap_used, reason = "a literal, compiled by every test run")]
static LOOKS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"\bevent(?:\??\.[A-Za-z_]\w*\b|\["[^"]*"\])+"#).unwrap());
/// So much of a value is shown.
const SHOWN: usize = 100;

impl Assertion {
    /// Compiles a condition, and finds what is wrong with it, each with line and column within the text.
    pub(crate) fn compile(host: &ScriptHost, path: &Arc<str>, text: &str) -> (Self, Vec<Diagnostic>) {
        let template = Template::parse(text);
        let rewritten = rewrite(&template);
        let compiled = host.compile_expression(path, &rewritten);
        // A call at the end of a place is none of the event's own.
        let places = LOOKS
            .find_iter(&rewritten)
            .filter(|place| !rewritten.get(place.end()..).unwrap_or("").starts_with('('));
        let places: BTreeSet<&str> = places.map(|place| place.as_str()).collect();
        let look = |place: &str| {
            Some((
                Arc::from(place),
                Expression::new(host.compile_expression(path, place).ok()?, 0),
            ))
        };
        let looks = places.into_iter().filter_map(look).collect();
        let expression = compiled.map(|script| Expression::new(script, template.references().count()));
        let mut found = match &expression {
            Ok(expression) => expression.check_names(host),
            Err(error) => vec![cannot_be_understood(path, text, error)],
        };
        for finding in &mut found {
            (finding.line, finding.column) =
                written_place(&template, &rewritten, finding.line, finding.column);
        }
        let assertion = Self {
            template,
            expression: expression.map_err(|error| error.message),
            looks,
        };
        (assertion, found)
    }

    /// A condition that never holds.
    pub(crate) fn failing(why: &str) -> Self {
        Self {
            template: Template::parse(""),
            expression: Err(why.to_owned()),
            looks: Box::default(),
        }
    }

    /// What the condition saw of the event, for the one who asks why it was not true: `event.x is 1, event.y is ()`.
    pub(crate) fn seen(&self, host: &ScriptHost, event: Option<&Arc<EventView>>) -> String {
        let Some(event) = event else { return String::new() };
        let told = self.looks.iter().filter_map(|(place, look)| {
            let value = match look.seen(host, event)? {
                Value::Null => "()".to_owned(),
                other => serde_json::to_string(&other).unwrap_or_default(),
            };
            let short: String = value.chars().take(SHOWN).collect();
            let more = if short.len() < value.len() { "…" } else { "" };
            Some(format!("{place} is {short}{more}"))
        });
        told.collect::<Vec<_>>().join(", ")
    }
}

fn cannot_be_understood(path: &Arc<str>, text: &str, error: &SyntaxError) -> Diagnostic {
    let mut shown: String = text.trim().chars().take(SHOWN).collect();
    if shown.len() < text.trim().len() {
        shown.push('…');
    }
    let message = format!("the condition `{shown}` cannot be understood: {}", error.message);
    let help = match error.help.as_str() {
        "" => "a condition is a Rhai expression, such as event.full_data.vm.name == \"web\"",
        help => help,
    };
    let (line, column) = error.place();
    Diagnostic::error("AssertionSyntax", path, message)
        .at(line, column)
        .help(help)
}

/// The typed form of a substituted text that stands outside quotes: a number or a boolean where it reads as one.
pub(crate) fn typed(text: &str) -> Value {
    match text {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _other => (),
    }
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        && text.ends_with(|c: char| c.is_ascii_digit());
    let number = || {
        let exact = Number::read(text).map(Value::from);
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_whole = digits.chars().all(|c| c.is_ascii_digit());
        let whole = || is_whole.then(|| leading_number(text));
        exact
            .or_else(whole)
            .or_else(|| text.parse().ok().map(Value::Float))
    };
    is_number
        .then(number)
        .flatten()
        .unwrap_or_else(|| Value::text(text))
}

/// The text as a Rhai expression: `${…}` outside quotes is a variable `__vN`, within quotes its text `__tN`.
/// Texts in single quotes become texts of Rhai, whose single quotes are characters.
fn rewrite(template: &Template) -> String {
    let mut rewriter = Rewriter::default();
    for part in &template.parts {
        match part {
            Part::Literal(text) => text.chars().for_each(|c| rewriter.push(c)),
            Part::Reference(_) => rewriter.reference(),
        }
    }
    // An open quote stays open, so that rhai says so.
    if rewriter.quote.is_some() {
        rewriter.out.push('"');
    }
    rewriter.out
}

/// Where what stands at a place of the rewritten text is in the written one.
fn written_place(template: &Template, rewritten: &str, line: u32, column: u32) -> (u32, u32) {
    let index = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
    let lines = rewritten.split_inclusive('\n').take(index(line));
    let before: usize = lines.map(str::len).sum();
    let in_line = rewritten
        .get(before..)
        .unwrap_or_default()
        .char_indices()
        .nth(index(column));
    let offset = in_line.map_or(rewritten.len(), |(at, _)| before + at);
    let (mut rewriter, mut place) = (Rewriter::default(), (1, 1));
    for part in &template.parts {
        let written = match part {
            Part::Literal(text) => text,
            Part::Reference(reference) => {
                rewriter.reference();
                &reference.written
            }
        };
        let is_reference = matches!(part, Part::Reference(_));
        let began = place;
        for c in written.chars() {
            if !is_reference {
                rewriter.push(c);
            }
            if offset < rewriter.out.len() {
                return if is_reference { began } else { place };
            }
            place = if c == '\n' {
                (place.0 + 1, 1)
            } else {
                (place.0, place.1 + 1)
            };
        }
    }
    place
}

#[derive(Default)]
struct Rewriter {
    out: String,
    quote: Option<char>,
    escaped: bool,
    references: usize,
}

impl Rewriter {
    fn push(&mut self, c: char) {
        let Some(quote) = self.quote else {
            if matches!(c, '\'' | '"' | '`') {
                self.quote = Some(c);
                self.out.push_str("(\"");
            } else {
                self.out.push(c);
            }
            return;
        };
        if std::mem::take(&mut self.escaped) {
            // Ruby's single quotes know only these two escapes.
            let is_plain = quote == '\'' && !matches!(c, '\'' | '\\');
            self.out.push_str(if is_plain {
                "\\\\"
            } else if matches!(c, '\'' | '`') {
                ""
            } else {
                "\\"
            });
            self.out.push(c);
        } else if c == '\\' {
            self.escaped = true;
        } else if c == quote {
            self.quote = None;
            self.out.push_str("\")");
        } else {
            match c {
                '"' => self.out.push_str("\\\""),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                other => self.out.push(other),
            }
        }
    }

    fn reference(&mut self) {
        let index = self.references;
        self.references += 1;
        let written = match self.quote {
            Some(_) => write!(self.out, "\" + __t{index} + \""),
            None => write!(self.out, " __v{index} "),
        };
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_become_variables_and_single_quotes_texts() {
        for (text, expected) in [
            ("true", "true"),
            ("'${/#vm.name}' == 'x'", "(\"\" + __t0 + \"\") == (\"x\")"),
            ("${/#n} >= 4", " __v0  >= 4"),
            (r#"'say "hi"' == "a'b""#, r#"("say \"hi\"") == ("a'b")"#),
            (r"'it\'s' == 'c:\dir'", r#"("it's") == ("c:\\dir")"#),
            (
                "`${#a}-${#b}` == ${#c}",
                "(\"\" + __t0 + \"-\" + __t1 + \"\") ==  __v2 ",
            ),
        ] {
            assert_eq!(rewrite(&Template::parse(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_place_of_the_rewritten_text_is_found_in_the_written_one() {
        for (text, word) in [
            ("evnt.x == 1", "evnt"),
            ("'a' == evnt", "evnt"),
            ("${/#a} == evnt", "evnt"),
            ("'${/#a}\nb' == 'c' &&\n  evnt", "evnt"),
            ("`ä${#a}-${#b}` == evnt", "evnt"),
            ("1 == ${#evnt}", "${#evnt}"),
        ] {
            let template = Template::parse(text);
            let rewritten = rewrite(&template);
            let place = |text: &str, word: &str| {
                let before = text.split(word).next().unwrap();
                let line = u32::try_from(before.matches('\n').count() + 1).unwrap();
                let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
                (line, u32::try_from(column).unwrap())
            };
            let searched = if word.starts_with('$') { "__v0" } else { word };
            let (line, column) = place(&rewritten, searched);
            assert_eq!(
                written_place(&template, &rewritten, line, column),
                place(text, word),
                "{text}"
            );
        }
    }

    #[test]
    fn bare_references_are_numbers_or_booleans_where_they_read_as_such() {
        let exact = |numeral| Value::from(Number::read(numeral).unwrap());
        for (text, expected) in [
            ("4", Value::Int(4)),
            ("-2.5", Value::Float(-2.5)),
            ("007", Value::Int(7)),
            ("-00018446744073709551616", exact("-18446744073709551616")),
            ("1.10", exact("1.10")),
            ("true", Value::Bool(true)),
            ("inf", Value::text("inf")),
            ("1e", Value::text("1e")),
            ("x", Value::text("x")),
        ] {
            assert_eq!(format!("{:?}", typed(text)), format!("{expected:?}"), "{text}");
        }
    }
}
