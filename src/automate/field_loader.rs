//! Fields as written to fields as they run: texts parsed, calls and paths resolved as far as a load can.

use std::sync::Arc;

use ahash::HashMap;

use crate::automate::class_loader::check_keys;
use crate::automate::datatype::Datatype;
use crate::automate::error::AeError;
use crate::automate::field::Aetype;
use crate::automate::field::FieldText;
use crate::automate::field::Messages;
use crate::automate::field::PlanEntry;
use crate::automate::field::SchemaField;
use crate::automate::field::StateSteps;
use crate::automate::field_text_loader::first_word;
use crate::automate::yaml::Locator;
use crate::automate::yaml::Node;
use crate::script::ScriptHost;
use crate::source::Diagnostic;
use crate::source::SourceFile;
use crate::source::suggest;

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
const VALUE_KEYS: [&str; 10] = [
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
pub(crate) struct Place<'f> {
    pub(crate) file: &'f Arc<SourceFile>,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Place<'_> {
    pub(crate) fn error(&self, error: &AeError) -> Diagnostic {
        Diagnostic::error(error.kind, &self.file.path, error.message.clone()).at(self.line, self.column)
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
        locator: &mut Locator<'_>,
        found: &mut Vec<Diagnostic>,
    ) -> Vec<SchemaField> {
        let Some(Node::List(items)) = node else {
            return Vec::new();
        };
        let mut fields: Vec<SchemaField> = Vec::new();
        for field in items.iter().filter_map(|item| item.get("field")) {
            let name = field.get("name").and_then(Node::text).unwrap_or("").trim();
            let (line, column) = locator.entry("name", name);
            let place = Place { file, line, column };
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(is_word) {
                let message = format!("`{name}` is no name of a field; letters, digits and `_` are expected");
                found.push(Diagnostic::error("InvalidName", &file.path, message).at(line, column));
                continue;
            }
            if fields.iter().any(|known| *known.key == name.to_lowercase()) {
                let message = format!("there is a field `{name}` already; this one is left out");
                found.push(Diagnostic::error("DuplicateField", &file.path, message).at(line, column));
                continue;
            }
            check_keys(field, &FIELD_KEYS, file, found);
            fields.push(self.field(name, field, &place, found));
        }
        fields
    }

    fn field(
        &mut self,
        name: &str,
        node: &Node,
        place: &Place<'_>,
        found: &mut Vec<Diagnostic>,
    ) -> SchemaField {
        let text = |key: &str| {
            node.get(key)
                .and_then(Node::text)
                .map(str::trim)
                .filter(|text| !text.is_empty())
        };
        let mut problem = |code, message: String, help: String| {
            found.push(
                Diagnostic::error(code, &place.file.path, message)
                    .at(place.line, place.column)
                    .help(help),
            );
        };
        let aetype = text("aetype").and_then(|word| {
            let known = AETYPES
                .iter()
                .find(|(known, _)| *known == word)
                .map(|(_, aetype)| *aetype);
            if known.is_none() {
                let help = suggest::did_you_mean(word, AETYPES.map(|(known, _)| known));
                problem(
                    "InvalidAetype",
                    format!("`{word}` is no aetype; the field `{name}` does nothing"),
                    help,
                );
            }
            known
        });
        let datatype = text("datatype");
        if let Some(word) = datatype.filter(|word| !DATATYPES.contains(word))
            && matches!(Datatype::parse(word, |_| false), Datatype::Unknown(_))
        {
            problem(
                "InvalidClass",
                format!("`{word}` is no datatype"),
                suggest::did_you_mean(word, DATATYPES),
            );
        }
        let priority = text("priority").and_then(|word| {
            let number = word.parse().ok();
            if number.is_none() {
                problem(
                    "InvalidPriority",
                    format!("the priority `{word}` is no whole number"),
                    String::new(),
                );
            }
            number
        });
        let substitute = match node.get("substitute") {
            None => true,
            Some(Node::Text(word)) => !matches!(
                word.trim().to_lowercase().as_str(),
                "false" | "f" | "0" | "off" | ""
            ),
            Some(_) => false,
        };
        let mut field = SchemaField {
            name: Arc::from(name),
            key: Arc::from(name.to_lowercase()),
            aetype,
            is_coalescing: datatype == Some("null coalescing"),
            datatype: datatype.map(Arc::from),
            priority,
            substitute,
            messages: Messages::parse(text("message").unwrap_or("")),
            default: None,
            collect: self.collect(aetype, node, place, found),
            steps: (aetype == Some(Aetype::State)).then(|| Arc::new(steps(node, None))),
            line: place.line,
            inherited_from: None,
        };
        field.default = self.text_of(&field, node.get("default_value"), place, found);
        field
    }

    /// The values of an instance, over the schema of its class.
    pub(crate) fn values(
        &mut self,
        schema: &[SchemaField],
        written: &[(u16, Node, u32)],
        file: &Arc<SourceFile>,
        found: &mut Vec<Diagnostic>,
    ) -> Vec<PlanEntry> {
        let mut values = Vec::with_capacity(written.len());
        let told_before = found.len();
        for (index, node, line) in written {
            let Some(field) = schema.get(usize::from(*index)) else {
                continue;
            };
            let place = Place {
                file,
                line: *line,
                column: 1,
            };
            let (value, settings) = match node {
                Node::Map(_) => (node.get("value"), Some(node)),
                other => (Some(other), None),
            };
            if let Some(node) = settings {
                check_keys(node, &VALUE_KEYS, file, found);
            }
            let collect = settings.and_then(|node| self.collect(field.aetype, node, &place, found));
            let own_steps = settings
                .filter(|_| field.steps.is_some())
                .map(|node| Arc::new(steps(node, field.steps.as_deref())));
            values.push(PlanEntry {
                field: *index,
                is_of_class: false,
                line: *line,
                inherited_from: None,
                text: self.text_of(field, value, &place, found),
                collect: collect.or_else(|| field.collect.clone()),
                steps: own_steps.or_else(|| field.steps.clone()),
            });
        }
        // Where in its line a field begins is looked up only for what has to be told.
        for finding in found
            .iter_mut()
            .skip(told_before)
            .filter(|finding| finding.column == 1)
        {
            finding.column = first_word(&file.text, finding.line);
        }
        values
    }

    /// What a field does in an instance with these values; none where it can do nothing (1.7).
    pub(crate) fn effective(index: usize, field: &SchemaField, own: &[PlanEntry]) -> Option<PlanEntry> {
        let index = u16::try_from(index).ok()?;
        let own = own.iter().find(|entry| entry.field == index);
        let is_blank = |text: &Arc<FieldText>| text.written.trim().is_empty();
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
