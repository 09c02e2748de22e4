//! Fields as written to fields as they run: texts parsed, calls and paths resolved as far as a load can.

use std::sync::Arc;

use ahash::HashMap;

use crate::automate::datatype::Datatype;
use crate::automate::error::AeError;
use crate::automate::field::Aetype;
use crate::automate::field::FieldText;
use crate::automate::field::Messages;
use crate::automate::field::PlanEntry;
use crate::automate::field::Prepared;
use crate::automate::field::SchemaField;
use crate::automate::field::StateSteps;
use crate::automate::object_file::check_keys;
use crate::script::ScriptHost;
use crate::source::Diagnostic;
use crate::source::SourceFile;
use crate::source::suggest;
use crate::source::yaml::Content;
use crate::source::yaml::Node;
use crate::source::yaml::Position;

const FIELD_KEYS: [&str; 20] = [
    "name",
    "aetype",
    "datatype",
    "priority",
    "default_value",
    "substitute",
    "message",
    "collect",
    "on_entry",
    "on_exit",
    "on_error",
    "max_retries",
    "max_time",
    "display_name",
    "description",
    "owner",
    "visibility",
    "scope",
    "condition",
    "relative_path",
];
/// What an instance may say of a field.
pub(crate) const VALUE_KEYS: [&str; 10] = [
    "value",
    "collect",
    "on_entry",
    "on_exit",
    "on_error",
    "max_retries",
    "max_time",
    "condition",
    "display_name",
    "description",
];
const AETYPES: [(&str, Aetype); 5] = [
    ("attribute", Aetype::Attribute),
    ("assertion", Aetype::Assertion),
    ("relationship", Aetype::Relationship),
    ("method", Aetype::Method),
    ("state", Aetype::State),
];
const DATATYPES: [&str; 18] = [
    "string",
    "symbol",
    "integer",
    "float",
    "boolean",
    "time",
    "array",
    "password",
    "null coalescing",
    "host",
    "vm",
    "storage",
    "ems",
    "policy",
    "server",
    "request",
    "provision",
    "user",
];

/// What decides whether two texts can share one [`FieldText`].
pub(crate) type TextKey = (Option<Aetype>, bool, bool, Arc<str>);

/// Compiles fields; equal texts of one load are compiled once.
pub(crate) struct FieldLoader<'a> {
    pub(crate) host: &'a ScriptHost,
    pub(crate) texts: HashMap<TextKey, Arc<FieldText>>,
}

/// Where a text stands, for diagnostics.
#[derive(Clone, Copy)]
pub(crate) struct Place<'f> {
    pub(crate) file: &'f Arc<SourceFile>,
    pub(crate) at: Position,
}

impl<'f> Place<'f> {
    /// The place of a value in the same file.
    pub(crate) fn of(self, node: &Node) -> Self {
        Self { at: node.at, ..self }
    }

    pub(crate) fn finding(self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, &self.file.path, message).at(self.at.line, self.at.column)
    }

    pub(crate) fn error(self, error: &AeError) -> Diagnostic {
        self.finding(error.kind, error.message.clone())
    }
}

impl<'a> FieldLoader<'a> {
    pub(crate) fn new(host: &'a ScriptHost) -> Self {
        Self {
            host,
            texts: HashMap::default(),
        }
    }

    /// The `schema` of a class, or the `inputs` of a method.
    pub(crate) fn schema(
        &mut self,
        node: Option<&Node>,
        file: &Arc<SourceFile>,
        found: &mut Vec<Diagnostic>,
    ) -> Vec<SchemaField> {
        let mut fields: Vec<SchemaField> = Vec::new();
        let items = node.map_or(&[][..], Node::items);
        for field in items.iter().filter_map(|item| item.get("field")) {
            let name = field.get("name").and_then(Node::text).unwrap_or("").trim();
            let place = Place {
                file,
                at: field.entry("name").map_or(field.at, |entry| entry.at),
            };
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(is_word) {
                let message = format!("`{name}` is no name of a field; letters, digits and `_` are expected");
                found.push(place.finding("InvalidName", message));
                continue;
            }
            if let Some(first) = fields.iter().find(|known| *known.key == name.to_lowercase()) {
                let message = format!(
                    "there is a field `{}` already, in line {}; this one is left out",
                    first.name, first.line
                );
                found.push(place.finding("DuplicateField", message));
                continue;
            }
            check_keys(field, &FIELD_KEYS, file, found);
            fields.push(self.field(name, field, place, found));
        }
        fields
    }

    fn field(
        &mut self,
        name: &str,
        node: &Node,
        place: Place<'_>,
        found: &mut Vec<Diagnostic>,
    ) -> SchemaField {
        let text = |key: &str| {
            let value = node.get(key)?;
            let text = value.text()?.trim();
            (!text.is_empty()).then_some((text, place.of(value)))
        };
        let aetype = text("aetype").and_then(|(word, place)| aetype(name, word, place, found));
        let datatype = text("datatype");
        if let Some((word, place)) = datatype.filter(|(word, _)| !DATATYPES.contains(word))
            && matches!(Datatype::parse(word, |_| false), Datatype::Unknown(_))
        {
            let finding = place.finding("InvalidClass", format!("`{word}` is no datatype"));
            found.push(finding.help(suggest::did_you_mean(word, DATATYPES)));
        }
        let datatype = datatype.map(|(word, _)| word);
        let priority = text("priority").and_then(|(word, place)| {
            let number = word.parse().ok();
            if number.is_none() {
                let message = format!("the priority `{word}` is no whole number");
                found.push(place.finding("InvalidPriority", message));
            }
            number
        });
        let substitute = node.get("substitute").is_none_or(|value| {
            let truth = truth(value);
            if truth.is_none() && value.text().is_some_and(|text| !text.trim().is_empty()) {
                found.push(no_truth("substitute", value, true, place.file));
            }
            // Of a text that is neither the original takes every one for true, and a blank one for false (1.5).
            truth.unwrap_or(value.text().is_some_and(|text| !text.trim().is_empty()))
        });
        let mut field = SchemaField {
            name: Arc::from(name),
            key: Arc::from(name.to_lowercase()),
            aetype,
            is_coalescing: datatype == Some("null coalescing"),
            datatype: datatype.map(Arc::from),
            priority,
            substitute,
            messages: Messages::parse(text("message").map_or("", |(text, _)| text)),
            default: None,
            collect: self.collect(aetype, node, place, found),
            steps: (aetype == Some(Aetype::State)).then(|| Arc::new(steps(node, None))),
            line: place.at.line,
            inherited_from: None,
        };
        field.default = self.text_of(&field, node.get("default_value"), place, found);
        field
    }

    /// The values of an instance, over the schema of its class.
    pub(crate) fn values(
        &mut self,
        schema: &[SchemaField],
        written: &[(u16, Node, Position)],
        file: &Arc<SourceFile>,
        found: &mut Vec<Diagnostic>,
    ) -> Vec<PlanEntry> {
        let mut values = Vec::with_capacity(written.len());
        for (index, node, at) in written {
            let Some(field) = schema.get(usize::from(*index)) else {
                continue;
            };
            let place = Place { file, at: *at };
            let (value, settings) = match &node.content {
                Content::Map(_) => (node.get("value"), Some(node)),
                _value => (Some(node), None),
            };
            if let Some(node) = settings {
                check_keys(node, &VALUE_KEYS, file, found);
            }
            let collect = settings.and_then(|node| self.collect(field.aetype, node, place, found));
            let own_steps = settings
                .filter(|_| field.steps.is_some())
                .map(|node| Arc::new(steps(node, field.steps.as_deref())));
            let text = match field.aetype {
                Some(Aetype::Assertion) => Some(self.condition(field, value, place, found)),
                _other => self.text_of(field, value, place, found),
            };
            values.push(PlanEntry {
                field: *index,
                is_of_class: false,
                line: at.line,
                inherited_from: None,
                text,
                collect: collect.or_else(|| field.collect.clone()),
                steps: own_steps.or_else(|| field.steps.clone()),
            });
        }
        values
    }

    /// What a field does in an instance with these values; none where it can do nothing (1.7).
    pub(crate) fn effective(index: usize, field: &SchemaField, own: &[PlanEntry]) -> Option<PlanEntry> {
        let index = u16::try_from(index).ok()?;
        let own = own.iter().find(|entry| entry.field == index);
        let is_blank = |text: &Arc<FieldText>| {
            text.written.trim().is_empty() && !matches!(text.prepared, Prepared::Assertion(_))
        };
        let own_text = own
            .and_then(|entry| entry.text.clone())
            .filter(|text| field.is_coalescing || !is_blank(text));
        let is_of_class = own_text.is_none();
        let text = own_text.or_else(|| field.default.clone());
        let collect = own.map_or_else(|| field.collect.clone(), |entry| entry.collect.clone());
        let does_something = match field.aetype? {
            Aetype::State => true,
            Aetype::Attribute => text.is_some() || collect.is_some(),
            Aetype::Assertion | Aetype::Relationship | Aetype::Method => {
                text.as_ref().is_some_and(|text| !is_blank(text))
            }
        };
        let line = own
            .filter(|_| !is_of_class)
            .map_or(field.line, |entry| entry.line);
        let steps = own.map_or_else(|| field.steps.clone(), |entry| entry.steps.clone());
        does_something.then_some(PlanEntry {
            field: index,
            is_of_class,
            line,
            inherited_from: own
                .filter(|_| !is_of_class)
                .map_or(&field.inherited_from, |entry| &entry.inherited_from)
                .clone(),
            text,
            collect,
            steps,
        })
    }
}

fn steps(node: &Node, class: Option<&StateSteps>) -> StateSteps {
    let text = |key: &str| {
        node.get(key)
            .and_then(Node::text)
            .filter(|text| !text.trim().is_empty())
            .map(Arc::from)
    };
    let inherited = |part: fn(&StateSteps) -> &Option<Arc<str>>| class.and_then(|class| part(class).clone());
    StateSteps {
        on_entry: text("on_entry").or_else(|| inherited(|steps| &steps.on_entry)),
        on_exit: text("on_exit").or_else(|| inherited(|steps| &steps.on_exit)),
        on_error: text("on_error").or_else(|| inherited(|steps| &steps.on_error)),
        max_retries: text("max_retries").or_else(|| inherited(|steps| &steps.max_retries)),
        max_time: text("max_time").or_else(|| inherited(|steps| &steps.max_time)),
    }
}

fn aetype(field: &str, word: &str, place: Place<'_>, found: &mut Vec<Diagnostic>) -> Option<Aetype> {
    let known = AETYPES.iter().find(|(known, _)| *known == word);
    if known.is_none() {
        let message = format!("`{word}` is no aetype; the field `{field}` does nothing");
        let finding = place.finding("InvalidAetype", message);
        found.push(finding.help(suggest::did_you_mean(word, AETYPES.map(|(known, _)| known))));
    }
    known.map(|(_, aetype)| *aetype)
}

/// The truth value that a scalar is, as YAML 1.1 and people write it; nothing for anything else.
pub(crate) fn truth(node: &Node) -> Option<bool> {
    match node.text()?.trim().to_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _other => None,
    }
}

/// That a value is neither true nor false, and which of them it counts as.
pub(crate) fn no_truth(key: &str, value: &Node, counts_as: bool, file: &Arc<SourceFile>) -> Diagnostic {
    let written = value
        .text()
        .map_or_else(|| value.kind().to_owned(), |text| format!("`{}`", text.trim()));
    let message = format!("`{key}` is {written}, which is neither true nor false; it counts as {counts_as}");
    Diagnostic::error("InvalidBoolean", &file.path, message)
        .at(value.at.line, value.at.column)
        .help("write `true` or `false`")
}
