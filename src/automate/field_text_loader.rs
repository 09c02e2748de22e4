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
use crate::source::Diagnostic;
use crate::source::yaml::Content;
use crate::source::yaml::Node;

/// Why a blank condition fails.
const BLANK: &str = "the condition is blank";

impl FieldLoader<'_> {
    /// The condition of an instance. One that is there and blank was meant to hold something back: it fails.
    pub(crate) fn condition(
        &mut self,
        field: &SchemaField,
        node: Option<&Node>,
        place: Place<'_>,
        found: &mut Vec<Diagnostic>,
    ) -> Arc<FieldText> {
        let is_text = node
            .and_then(Node::text)
            .is_some_and(|text| !text.trim().is_empty());
        let text = if is_text {
            self.text_of(field, node, place, found)
        } else {
            None
        };
        text.unwrap_or_else(|| {
            let is_blank = node.is_none_or(|node| node.is_nothing() || node.text().is_some());
            if is_blank {
                let message = format!("the condition `{}` is blank, so it never holds", field.name);
                let finding = place.finding("BlankCondition", message);
                found.push(finding.help("write the condition as its `value:`, or take the field out"));
            } else {
                self.text_of(field, node, place, found);
            }
            Arc::new(FieldText {
                written: Arc::from(""),
                prepared: Prepared::Assertion(Assertion::failing(BLANK)),
            })
        })
    }

    pub(crate) fn text_of(
        &mut self,
        field: &SchemaField,
        node: Option<&Node>,
        place: Place<'_>,
        found: &mut Vec<Diagnostic>,
    ) -> Option<Arc<FieldText>> {
        let node = node?;
        let place = place.of(node);
        let written = match &node.content {
            Content::Nothing { .. } => return None,
            Content::Text { text, .. } => text.as_str(),
            Content::List(_) | Content::Map(_) => {
                let kind = node.kind();
                let message = format!("the value of `{}` is {kind}; a text is expected", field.name);
                found.push(
                    place
                        .finding("ValueShape", message)
                        .help("put the value in quotes"),
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
        let prepared = self.prepare(field, &key.3, node, place, found);
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
        node: &Node,
        place: Place<'_>,
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
            let (assertion, findings) = Assertion::compile(self.host, &place.file.path, written);
            found.extend(findings.into_iter().map(|finding| {
                let at = node.within(finding.line, finding.column);
                finding.at(at.line, at.column)
            }));
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
        place: Place<'_>,
        found: &mut Vec<Diagnostic>,
    ) -> Option<Arc<Collects>> {
        let node = node.get("collect")?;
        let place = place.of(node);
        let written = node.text()?.trim();
        if written.is_empty() {
            return None;
        }
        let expressions = match aetype {
            Some(Aetype::Attribute) => Collect::parse(written).map(|one| vec![one]),
            Some(Aetype::Relationship | Aetype::State) => Collect::parse_list(written),
            Some(Aetype::Method | Aetype::Assertion) | None => Ok(Vec::new()),
        };
        match &expressions {
            Ok(expressions) => {
                let unknown = expressions.iter().filter_map(|one| one.unknown.as_deref());
                let (line, column) = (place.at.line, place.at.column);
                let finding =
                    |why| Diagnostic::warning("UnknownCollect", &place.file.path, why).at(line, column);
                found.extend(unknown.map(finding));
            }
            Err(error) => found.push(place.error(error)),
        }
        Some(Arc::new(Collects {
            written: Arc::from(written),
            expressions: expressions.map(Into::into),
        }))
    }
}

/// What follows `METHOD::` in the value of a state, in any letter case.
pub(crate) fn method_of_state(value: &str) -> Option<&str> {
    let (head, call) = value.trim_start().split_at_checked("METHOD::".len())?;
    head.eq_ignore_ascii_case("METHOD::").then_some(call)
}
