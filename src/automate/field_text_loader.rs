//! The text of a field made ready at load: templates split, calls, paths and conditions parsed.

use std::sync::Arc;

use crate::automate::assertion::Assertion;
use crate::automate::call::MethodCall;
use crate::automate::collect::Collect;
use crate::automate::field::Aetype;
use crate::automate::field::Collects;
use crate::automate::field::FieldText;
use crate::automate::field::Prepared;
use crate::automate::field::SchemaField;
use crate::automate::field_loader::FieldLoader;
use crate::automate::field_loader::Place;
use crate::automate::relationship::UriText;
use crate::automate::template::Template;
use crate::automate::yaml::Node;
use crate::source::Diagnostic;

impl FieldLoader<'_> {
    pub(crate) fn text_of(
        &mut self,
        field: &SchemaField,
        node: Option<&Node>,
        place: &Place<'_>,
        found: &mut Vec<Diagnostic>,
    ) -> Option<Arc<FieldText>> {
        let written = match node? {
            Node::Null => return None,
            Node::Text(text) => text.as_str(),
            other => {
                let message = format!(
                    "the value of `{}` is {}; a text is expected",
                    field.name,
                    other.kind()
                );
                found.push(
                    Diagnostic::error("ValueShape", &place.file.path, message).at(place.line, place.column),
                );
                return None;
            }
        };
        let key = (
            field.aetype,
            field.substitute,
            field.is_coalescing,
            Arc::from(written),
        );
        if let Some(known) = self.texts.get(&key) {
            return Some(known.clone());
        }
        let prepared = self.prepare(field, &key.3, place, found);
        let is_shared = !matches!(
            prepared,
            Prepared::Assertion(_) | Prepared::Relationship(Err(_)) | Prepared::Call(Err(_))
        );
        let text = Arc::new(FieldText {
            written: key.3.clone(),
            prepared,
        });
        // Texts with a problem are looked at again wherever they stand, so that each place is told.
        if is_shared {
            self.texts.insert(key, text.clone());
        }
        Some(text)
    }

    pub(crate) fn prepare(
        &self,
        field: &SchemaField,
        written: &Arc<str>,
        place: &Place<'_>,
        found: &mut Vec<Diagnostic>,
    ) -> Prepared {
        // In a condition `||` is the logical or, which chooses as null coalescing does.
        if field.is_coalescing && field.aetype != Some(Aetype::Assertion) {
            return Prepared::Coalescing(
                written
                    .split("||")
                    .map(|part| Template::parse(part.trim()))
                    .collect(),
            );
        }
        if field.aetype == Some(Aetype::Assertion) {
            if written.trim().is_empty() {
                return Prepared::Comment;
            }
            let (assertion, problem) = Assertion::compile(self.host, &place.file.path, written);
            if let Some((message, _, _)) = problem {
                let message = format!(
                    "the condition `{}` cannot be understood: {message}",
                    written.trim()
                );
                let help = "a condition is a Rhai expression, such as event.full_data.vm.name == \"web\"";
                found.push(
                    Diagnostic::error("AssertionSyntax", &place.file.path, message)
                        .at(place.line, place.column)
                        .help(help),
                );
            }
            let calls = assertion
                .expression
                .iter()
                .flat_map(|expression| expression.check_calls(self.host));
            found.extend(calls.map(|finding| finding.at(place.line, place.column)));
            return Prepared::Assertion(assertion);
        }
        if field.substitute {
            let template = Template::parse(written);
            if template.literal().is_none() {
                return Prepared::Template(template);
            }
        }
        let bare = written.trim();
        let is_comment = bare.is_empty() || bare.starts_with('#');
        let call = |text: &str| {
            let call = MethodCall::parse(text);
            Prepared::Call(call)
        };
        let prepared = match field.aetype {
            None | Some(Aetype::Attribute | Aetype::Assertion) => return Prepared::Literal,
            Some(_) if is_comment => return Prepared::Comment,
            Some(Aetype::Method) => call(bare),
            Some(Aetype::State) => match method_of_state(bare) {
                Some(text) => call(text),
                None => Prepared::Relationship(UriText::plain(bare).prepare()),
            },
            Some(Aetype::Relationship) => Prepared::Relationship(UriText::plain(bare).prepare()),
        };
        if let Prepared::Relationship(Err(error)) | Prepared::Call(Err(error)) = &prepared {
            found.push(place.error(error));
        }
        prepared
    }

    pub(crate) fn collect(
        &self,
        aetype: Option<Aetype>,
        node: &Node,
        place: &Place<'_>,
        found: &mut Vec<Diagnostic>,
    ) -> Option<Arc<Collects>> {
        let written = node
            .get("collect")
            .and_then(Node::text)
            .map(str::trim)
            .filter(|text| !text.is_empty())?;
        let expressions = match aetype {
            Some(Aetype::Attribute) => Collect::parse(written).map(|one| vec![one]),
            Some(Aetype::Relationship | Aetype::State) => Collect::parse_list(written),
            Some(Aetype::Method | Aetype::Assertion) | None => Ok(Vec::new()),
        };
        match &expressions {
            Ok(expressions) => {
                let unknown = expressions.iter().filter_map(|one| one.unknown.as_deref());
                found.extend(unknown.map(|why| {
                    Diagnostic::warning("UnknownCollect", &place.file.path, why).at(place.line, place.column)
                }));
            }
            Err(error) => found.push(place.error(error)),
        }
        Some(Arc::new(Collects {
            written: Arc::from(written),
            expressions: expressions.map(Into::into),
        }))
    }
}

/// The column in which the first word of a line begins, behind the `-` of a list.
pub(crate) fn first_word(text: &str, line: u32) -> u32 {
    let index = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
    let line = text.lines().nth(index).unwrap_or("");
    let before = line
        .chars()
        .take_while(|c| matches!(c, ' ' | '-' | '{' | '\'' | '"'));
    u32::try_from(before.count() + 1).unwrap_or(1)
}

/// What follows `METHOD::` in the value of a state, in any letter case.
pub(crate) fn method_of_state(value: &str) -> Option<&str> {
    let (head, call) = value.trim_start().split_at_checked("METHOD::".len())?;
    head.eq_ignore_ascii_case("METHOD::").then_some(call)
}
