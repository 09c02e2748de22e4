//! The statements of the conformance list, one table row each: the tree is built in memory, the run simulated.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod arguments;
mod assertions;
mod collects;
mod domains;
mod expressions;
mod inheritance;
mod loader;
mod machines;
mod maxima;
mod messages;
mod methods;
mod nested_machines;
mod paths;
mod script_api;
mod shipped;
mod substitutions;
mod types;

use serde_json::Value as Json;
use switchboard::model::clock::Timestamp;
use switchboard::source::Diagnostic;
use switchboard::source::SourceTree;
use switchboard::switchboard::SimulatedEvent;
use switchboard::switchboard::SimulationRequest;
use switchboard::switchboard::Switchboard;

/// A datastore put together by a test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    text: String,
    domain: String,
    class: String,
}

impl Tree {
    /// Begins a domain; what follows belongs to it.
    pub(crate) fn domain(mut self, name: &str, priority: i64) -> Self {
        self.domain = name.to_owned();
        let body = format!("object:\n  attributes:\n    name: {name}\n    priority: {priority}\n");
        self.file(&format!("automate/{name}/__domain__.yaml"), &body)
    }

    /// The same, disabled.
    pub(crate) fn disabled(mut self, name: &str, priority: i64) -> Self {
        self.domain = name.to_owned();
        let body = format!(
            "object:\n  attributes:\n    name: {name}\n    priority: {priority}\n    enabled: false\n"
        );
        self.file(&format!("automate/{name}/__domain__.yaml"), &body)
    }

    /// Begins a class, `Lab/Box`, with fields `name:kind:datatype~messages=default` and settings `name.key=value`.
    pub(crate) fn class(mut self, path: &str, fields: &[&str]) -> Self {
        let mut folder = format!("automate/{}", self.domain);
        let (namespace, name) = path.rsplit_once('/').unwrap();
        for part in namespace.split('/') {
            folder = format!("{folder}/{part}");
            self = self.file(
                &format!("{folder}/__namespace__.yaml"),
                "object:\n  attributes: {}\n",
            );
        }
        self.class = format!("{folder}/{name}.class");
        let schema: String = fields
            .iter()
            .filter(|field| !is_setting(field))
            .map(|field| schema(field, fields))
            .collect();
        let body = format!("object:\n  attributes:\n    name: {name}\n  schema:\n{schema}");
        let path = format!("{}/__class__.yaml", self.class);
        self.file(&path, &body)
    }

    /// Adds an instance with values `field=value` and settings `field.key=value`.
    pub(crate) fn instance(self, name: &str, values: &[&str]) -> Self {
        let fields: String = values
            .iter()
            .map(|value| {
                let (key, text) = value.split_once('=').unwrap();
                let (field, setting) = key.split_once('.').unwrap_or((key, "value"));
                (field, format!("        {setting}: {}\n", quoted(text)))
            })
            .fold(Vec::<(&str, String)>::new(), |mut all, (field, line)| {
                match all.iter_mut().find(|(known, _)| *known == field) {
                    Some((_, lines)) => lines.push_str(&line),
                    None => all.push((field, line)),
                }
                all
            })
            .into_iter()
            .map(|(field, lines)| format!("    - {field}:\n{lines}"))
            .collect();
        let body = format!(
            "object:\n  attributes:\n    name: {}\n  fields:\n{fields}",
            quoted(name)
        );
        let path = format!(
            "{}/{}.yaml",
            self.class,
            name.trim_start_matches('.').to_lowercase()
        );
        self.file(&path, &body)
    }

    /// Adds a method in Rhai with inputs as in a class.
    pub(crate) fn method(self, name: &str, inputs: &[&str], script: &str) -> Self {
        let path = format!("{}/__methods__/{name}.rhai", self.class);
        self.method_yaml(name, inputs, "    language: rhai\n    location: inline\n")
            .file(&path, script)
    }

    /// Adds a builtin under its own name.
    pub(crate) fn builtin(self, name: &str, inputs: &[&str]) -> Self {
        self.method_yaml(name, inputs, "    location: builtin\n")
    }

    /// Adds the YAML of a method with further attributes.
    pub(crate) fn method_yaml(self, name: &str, inputs: &[&str], attributes: &str) -> Self {
        let fields: String = inputs
            .iter()
            .filter(|field| !is_setting(field))
            .map(|field| schema(field, inputs))
            .collect();
        let body = format!("object:\n  attributes:\n    name: {name}\n{attributes}  inputs:\n{fields}");
        let path = format!("{}/__methods__/{name}.yaml", self.class);
        self.file(&path, &body)
    }

    /// Adds any file.
    pub(crate) fn file(mut self, path: &str, body: &str) -> Self {
        self.text.push_str(&format!("//- {path}\n{body}"));
        if !body.ends_with('\n') {
            self.text.push('\n');
        }
        self
    }

    /// Writes its domains below a folder.
    pub(crate) fn write_to(&self, folder: &std::path::Path) {
        for part in self.text.split("//- automate/").skip(1) {
            let (path, body) = part.split_once('\n').unwrap();
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, body).unwrap();
        }
    }

    /// Loads it.
    pub(crate) fn load(&self) -> (Switchboard, Vec<Diagnostic>) {
        let loaded = Switchboard::load(&SourceTree::from_fixture(&self.text), None);
        (loaded.switchboard, loaded.diagnostics)
    }

    /// The document of a run of a URI.
    pub(crate) fn run(&self, uri: &str) -> Json {
        run(&self.load().0, &request(uri))
    }

    /// The document of a run of a URI that follows retries.
    pub(crate) fn deliveries(&self, uri: &str, deliveries: u32) -> Json {
        run(
            &self.load().0,
            &SimulationRequest {
                deliveries,
                ..request(uri)
            },
        )
    }
}

fn is_setting(field: &str) -> bool {
    field
        .split(['=', ':'])
        .next()
        .is_some_and(|head| head.contains('.'))
}

fn schema(field: &str, all: &[&str]) -> String {
    let (head, default) = field
        .split_once('=')
        .map_or((field, None), |(head, text)| (head, Some(text)));
    let (head, message) = head
        .split_once('~')
        .map_or((head, None), |(head, text)| (head, Some(text)));
    let mut parts = head.split(':');
    let name = parts.next().unwrap();
    let aetype = match parts.next().unwrap_or("") {
        "at" => "attribute",
        "as" => "assertion",
        "re" => "relationship",
        "me" => "method",
        "st" => "state",
        other => other,
    };
    let mut text = format!("  - field:\n      name: {name}\n");
    let mut line = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            text.push_str(&format!("      {key}: {}\n", quoted(value)));
        }
    };
    line("aetype", Some(aetype).filter(|text| !text.is_empty()));
    line("datatype", parts.next());
    line("message", message);
    line("default_value", default);
    for setting in all.iter().filter(|setting| is_setting(setting)) {
        let (key, value) = setting.split_once('=').unwrap();
        let (field, key) = key.split_once('.').unwrap();
        if field == name {
            line(key, Some(value));
        }
    }
    let order = all
        .iter()
        .filter(|field| !is_setting(field))
        .position(|known| *known == field)
        .unwrap();
    text.push_str(&format!("      priority: {}\n", order + 1));
    text
}

/// A text as YAML reads it back.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// A request for a URI with its workspace.
pub(crate) fn request(uri: &str) -> SimulationRequest {
    SimulationRequest {
        event: SimulatedEvent::Uri(uri.to_owned()),
        workspace: true,
        deliveries: 1,
        records: None,
    }
}

/// The document of a simulation at a fixed time.
pub(crate) fn run(switchboard: &Switchboard, request: &SimulationRequest) -> Json {
    let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
    serde_json::to_value(switchboard.simulate(request, now)).unwrap()
}

/// How a run ended: `abort Kind`, `none`, or the root's attributes; each followed by ` ! Kind` for other errors.
pub(crate) fn ended(document: &Json) -> String {
    let errors = document["errors"].as_array().unwrap();
    let (last, others) = match errors.split_last() {
        Some((last, others)) if last["fatal"] == true => (Some(last), others),
        _other => (None, errors.as_slice()),
    };
    assert!(
        others.iter().all(|error| error["fatal"] == false),
        "only the last may be fatal: {errors:?}"
    );
    let mut text = match last {
        Some(error) => format!("abort {}", error["kind"].as_str().unwrap()),
        None if document["root"].is_null() => "none".to_owned(),
        None => attributes(&document["root"]["attributes"]),
    };
    for error in others {
        text.push_str(&format!(" ! {}", error["kind"].as_str().unwrap()));
    }
    text
}

/// `{key=value other=value}`; texts without quotes, everything else as JSON.
pub(crate) fn attributes(map: &Json) -> String {
    let pairs: Vec<String> = map
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), |text| format!("'{text}'"));
            format!("{key}={value}")
        })
        .collect();
    pairs.join(" ")
}

/// Every object: `name{attributes}(children)`, a deleted one with `-` before it.
pub(crate) fn objects(document: &Json) -> String {
    let texts: Vec<String> = document["workspace"]
        .as_array()
        .unwrap()
        .iter()
        .map(object)
        .collect();
    texts.join(" ")
}

fn object(json: &Json) -> String {
    let name = json["object"].as_str().unwrap();
    let name = name.rsplit('/').next().unwrap();
    let mark = if json["deleted"] == true { "-" } else { "" };
    let children: Vec<String> = json["children"].as_array().unwrap().iter().map(object).collect();
    let children = if children.is_empty() {
        String::new()
    } else {
        format!("({})", children.join(" "))
    };
    format!("{mark}{name}{{{}}}{children}", attributes(&json["attributes"]))
}

/// Every call: `method:step@state`, as a state machine at the root makes them.
pub(crate) fn calls(document: &Json) -> String {
    let texts: Vec<String> = document["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| {
            let attribute = |key: &str| action["attributes"][key].as_str().unwrap_or("").to_owned();
            format!(
                "{}:{}@{}",
                action["method"].as_str().unwrap(),
                attribute("ae_state_step"),
                attribute("ae_state")
            )
        })
        .collect();
    texts.join(" ")
}

/// Compares each row's answer with what is expected, and shows all that differ at once.
pub(crate) fn check(rows: &[(&str, &str, &str)], answer: impl Fn(&str) -> String) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(number, question, expected)| {
            let found = answer(question);
            let as_json = |text: &str| serde_json::from_str::<Json>(text).ok();
            let is_same =
                found == *expected || as_json(&found).is_some_and(|found| as_json(expected) == Some(found));
            (!is_same).then(|| format!("{number}  {question}\n  expected  {expected}\n  found     {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// As [`check`], for places in the document of a run: the question is `URI pointer`.
pub(crate) fn check_places(tree: &Tree, rows: &[(&str, &str, &str)]) {
    let (switchboard, _) = tree.load();
    check(rows, |question| {
        let (uri, pointer) = question.rsplit_once(' ').unwrap();
        let document = run(&switchboard, &request(uri));
        document
            .pointer(pointer)
            .map_or_else(|| "absent".to_owned(), Json::to_string)
    });
}

/// As [`check`], for how a run of the URI ended.
pub(crate) fn check_ends(tree: &Tree, rows: &[(&str, &str, &str)]) {
    let (switchboard, _) = tree.load();
    check(rows, |uri| ended(&run(&switchboard, &request(uri))));
}

/// As [`check`], for every object of the run.
pub(crate) fn check_objects(tree: &Tree, rows: &[(&str, &str, &str)]) {
    let (switchboard, _) = tree.load();
    check(rows, |uri| objects(&run(&switchboard, &request(uri))));
}
