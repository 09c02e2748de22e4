//! Whatever form a value has in YAML, and wherever it stands in a rule: what is written is what counts, or an error.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use switchboard::model::event::EventClass;
use switchboard::source::Diagnostic;
use switchboard::source::Severity;
use switchboard::source::SourceTree;
use switchboard::switchboard::SimulatedEvent;
use switchboard::switchboard::SimulationRequest;
use switchboard::switchboard::Switchboard;

use crate::conformance::request;
use crate::conformance::run;

/// Texts that a reader of YAML may take for something else than a text.
const FORMS: [&str; 60] = [
    "a",
    "web-1",
    "1",
    "0",
    "-1",
    "+12",
    "1.10",
    "1.0",
    "-0.0",
    "1e5",
    "1E10",
    "1e999",
    ".5",
    "5.",
    "1_000",
    "0x1F",
    "0xZZ",
    "0o17",
    "017",
    "08",
    "0b11",
    ".inf",
    "-.Inf",
    ".NaN",
    "12:30:45",
    "1:2",
    "123456789012345678901234567890",
    "18446744073709551616",
    "true",
    "True",
    "TRUE",
    "false",
    "t",
    "f",
    "yes",
    "no",
    "Yes",
    "NO",
    "on",
    "off",
    "y",
    "n",
    "null",
    "Null",
    "NULL",
    "~",
    "nil",
    "none",
    "undefined",
    "2024-01-01",
    "2024-01-01T00:00:00Z",
    "=",
    "<<",
    "a#b",
    "a:b",
    ":sym",
    "a b",
    "a,b",
    "-",
    "--",
];
/// Texts with characters of YAML's own.
const MARKED: [&str; 21] = [
    "!a",
    "! a",
    "!a b",
    "&a",
    "&a b",
    "*a",
    "#a",
    "a #b",
    "a \"b #c\"",
    "a: b",
    "'a' == 'b'",
    "\"a\" b",
    "[a",
    "{a",
    "|",
    "> a",
    "%a",
    "@a",
    "`a`",
    "? a",
    "- a",
];

/// A way to write a text.
#[derive(Clone, Copy, Debug)]
enum Style {
    Plain,
    PlainBeforeComment,
    Single,
    Double,
    AsText,
    Literal,
    Folded,
    Alias,
    Merged,
}

const STYLES: [Style; 9] = [
    Style::Plain,
    Style::PlainBeforeComment,
    Style::Single,
    Style::Double,
    Style::AsText,
    Style::Literal,
    Style::Folded,
    Style::Alias,
    Style::Merged,
];

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Style {
    /// `key: text`, at an indent, and whether only the text can be meant by it.
    fn entry(self, key: &str, text: &str, indent: usize) -> (String, bool) {
        let space = " ".repeat(indent);
        let inline = |written: String| format!("{space}{key}: {written}\n");
        match self {
            Self::Plain => (inline(text.to_owned()), false),
            Self::PlainBeforeComment => (inline(format!("{text} # why")), false),
            Self::Single => (inline(single(text)), true),
            Self::Double => (inline(serde_json::to_string(text).unwrap()), true),
            Self::AsText => (inline(format!("!!str {}", single(text))), true),
            Self::Literal => (format!("{space}{key}: |-\n{space}  {text}\n"), true),
            Self::Folded => (format!("{space}{key}: >-\n{space}  {text}\n"), true),
            Self::Alias => (inline("*text".to_owned()), true),
            Self::Merged => (format!("{space}<<: *entry\n"), true),
        }
    }

    /// What has to stand before it in the file.
    fn before(self, key: &str, text: &str) -> String {
        match self {
            Self::Alias => format!("description: &text {}\n", single(text)),
            Self::Merged => format!("description: &entry {{{key}: {}}}\n", single(text)),
            _in_place => String::new(),
        }
    }
}

/// Where in a rule a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    InstanceName,
    Value,
    Default,
    Input,
    DomainName,
}

const PLACES: [Place; 5] = [
    Place::InstanceName,
    Place::Value,
    Place::Default,
    Place::Input,
    Place::DomainName,
];

const CLASS: &str = "object:\n  attributes: {name: NAME}\n  schema:\n  - field: {name: guard, aetype: assertion, priority: 1}\n  - field: {name: note, aetype: attribute, priority: 2}\n  - field: {name: rel, aetype: relationship, priority: 3}\n  - field: {name: call, aetype: method, priority: 4, default_value: keep}\n";
const METHOD: &str = "object:\n  attributes: {name: keep, location: inline, language: rhai}\n  inputs:\n  - field: {name: x, aetype: attribute, default_value: y}\n";

/// The files of a domain with a class that has a field of each kind, an instance and a method.
fn domain(number: usize) -> Vec<(String, String)> {
    let file = |path: &str, body: String| (format!("automate/D{number}/{path}"), body);
    let class = format!("Lab{number}/Box.class");
    vec![
        file(
            "__domain__.yaml",
            format!("object:\n  attributes:\n    name: Base{number}\n    priority: {number}\n"),
        ),
        file(
            &format!("Lab{number}/__namespace__.yaml"),
            format!("object: {{attributes: {{name: Lab{number}}}}}\n"),
        ),
        file(&format!("{class}/__class__.yaml"), CLASS.replace("NAME", "Box")),
        file(
            &format!("{class}/box.yaml"),
            "object:\n  attributes: {name: box}\n  fields: []\n".to_owned(),
        ),
        file(&format!("{class}/__methods__/keep.yaml"), METHOD.to_owned()),
        file(
            &format!("{class}/__methods__/keep.rhai"),
            "evm.root[\"kept\"] = evm.inputs.x;\n".to_owned(),
        ),
    ]
}

/// What leads an event to the class of its source.
const ENTRY: &str = "//- automate/Base/__domain__.yaml\nobject: {attributes: {name: Base, priority: 0}}\n\
     //- automate/Base/Leafs/__namespace__.yaml\nobject: {attributes: {name: Leafs}}\n\
     //- automate/Base/Leafs/Leaf.class/__class__.yaml\nobject: {attributes: {name: Leaf}}\n\
     //- automate/Base/Leafs/Leaf.class/x.yaml\nobject: {attributes: {name: x}}\n\
     //- automate/Base/System/__namespace__.yaml\nobject: {attributes: {name: System}}\n\
     //- automate/Base/System/Process.class/__class__.yaml\nobject:\n  attributes: {name: Process}\n  schema:\n\
     \x20 - field: {name: rel, aetype: relationship, default_value: '/${/#event_stream.source}/Box/${/#event_type}'}\n\
     //- automate/Base/System/Process.class/Event.yaml\nobject: {attributes: {name: Event}}\n";

/// The same domain with a text in its place, the file that holds it, and whether only that text can be meant.
fn with_text(number: usize, place: Place, style: Style, text: &str) -> (Vec<(String, String)>, String, bool) {
    let class = format!("automate/D{number}/Lab{number}/Box.class");
    let (path, begin, key, indent) = match place {
        Place::InstanceName => (
            format!("{class}/box.yaml"),
            "object:\n  attributes:\n".to_owned(),
            "name",
            4,
        ),
        Place::Value => (
            format!("{class}/box.yaml"),
            "object:\n  attributes: {name: box}\n  fields:\n  - note:\n".to_owned(),
            "value",
            6,
        ),
        Place::Default => (
            format!("{class}/__class__.yaml"),
            format!(
                "{}  - field:\n      name: more\n      aetype: attribute\n",
                CLASS.replace("NAME", "Box")
            ),
            "default_value",
            6,
        ),
        Place::Input => (
            format!("{class}/__methods__/keep.yaml"),
            format!(
                "{}  - field:\n      name: x\n      aetype: attribute\n",
                METHOD.replace("name: x", "name: other")
            ),
            "default_value",
            6,
        ),
        Place::DomainName => (
            format!("automate/D{number}/__domain__.yaml"),
            format!("object:\n  attributes:\n    priority: {number}\n"),
            "name",
            4,
        ),
    };
    let (entry, is_certain) = style.entry(key, text, indent);
    let body = format!("{}{begin}{entry}", style.before(key, text));
    let mut files = domain(number);
    files.retain(|(known, _)| *known != path);
    files.push((path.clone(), body));
    (files, path, is_certain)
}

fn load(files: &[(String, String)]) -> (Switchboard, Vec<Diagnostic>) {
    let fixture: String = files
        .iter()
        .map(|(path, body)| format!("//- {path}\n{body}"))
        .collect();
    let loaded = Switchboard::load(&SourceTree::from_fixture(&format!("{ENTRY}{fixture}")), None);
    (loaded.switchboard, loaded.diagnostics)
}

/// What became of the text in its place.
fn seen(number: usize, place: Place, switchboard: &Switchboard, text: &str) -> Option<String> {
    let box_of_it = || run(switchboard, &request(&format!("/Lab{number}/Box/box")));
    let attribute = |name: &str| {
        box_of_it()["workspace"][0]["attributes"][name]
            .as_str()
            .map(str::to_owned)
    };
    match place {
        Place::Value => attribute("note"),
        Place::Default => attribute("more"),
        Place::Input => attribute("kept"),
        Place::InstanceName => {
            let event = SimulatedEvent::Event {
                class: EventClass::EmsEvent,
                source: format!("Lab{number}"),
                event_type: text.to_owned(),
                attributes: switchboard::model::json::Map::default(),
            };
            let request = SimulationRequest { event, ..request("") };
            let document = run(switchboard, &request);
            let name = document["workspace"][0]["children"][0]["object"]
                .as_str()?
                .to_owned();
            name.strip_prefix(&format!("/Base{number}/Lab{number}/Box/"))
                .map(str::to_owned)
        }
        Place::DomainName => {
            let document = box_of_it();
            let name = document["workspace"][0]["object"].as_str()?.to_owned();
            let name = name.strip_suffix(&format!("/Lab{number}/Box/box"))?;
            name.strip_prefix('/').map(str::to_owned)
        }
    }
}

/// Checks texts in one style at one kind of place, and says of which something else counted.
fn wrong(place: Place, style: Style, texts: &[&str]) -> Vec<String> {
    let numbered = || texts.iter().enumerate().map(|(index, text)| (index + 1, *text));
    let all: Vec<_> = numbered()
        .map(|(number, text)| with_text(number, place, style, text))
        .collect();
    let files: Vec<(String, String)> = all.iter().flat_map(|(files, ..)| files.clone()).collect();
    let (switchboard, diagnostics) = load(&files);
    let check = |((number, text), (_, path, is_certain)): ((usize, &str), &(Vec<_>, String, bool))| {
        let is_error = |finding: &&Diagnostic| finding.severity == Severity::Error && *finding.file == **path;
        let errors: Vec<&Diagnostic> = diagnostics.iter().filter(is_error).collect();
        let is_nothing = !is_certain && ["", "~", "null", "Null", "NULL"].contains(&text);
        // A plain text ends where YAML has a comment begin.
        let counts = if *is_certain {
            text
        } else {
            text.split(" #").next().unwrap_or(text).trim_end()
        };
        let expected = (!is_nothing).then(|| counts.to_owned());
        let seen = seen(number, place, &switchboard, text);
        let is_right = match errors.is_empty() {
            true => seen == expected,
            // What can be meant in one way only must not be refused.
            false => !is_certain,
        };
        (!is_right).then(|| format!("{place:?} {style:?} {text:?}: seen {seen:?}, {errors:?}"))
    };
    numbered().zip(&all).filter_map(check).collect()
}

#[test]
fn every_form_of_a_scalar_counts_as_written_in_every_place() {
    for place in PLACES {
        let texts: Vec<&str> = match place {
            Place::Value | Place::Default | Place::Input => FORMS.into_iter().chain(MARKED).collect(),
            Place::InstanceName => FORMS.to_vec(),
            // Their names are compared without regard to letter case, and each has to be there once.
            Place::DomainName => {
                let mut known = BTreeSet::new();
                FORMS
                    .into_iter()
                    .filter(|text| known.insert(text.to_lowercase()))
                    .collect()
            }
        };
        for style in STYLES {
            assert_eq!(wrong(place, style, &texts), [""; 0]);
        }
    }
}

/// A text that may stand in a value: no line break, no substitution, and nothing blank around it.
fn any_value() -> impl Strategy<Value = String> {
    let form = prop::sample::select(FORMS.into_iter().chain(MARKED).collect::<Vec<_>>());
    let pieces = prop::collection::vec(
        prop_oneof![form.prop_map(str::to_owned), "[ -~]{1,3}", "\\PC{1,3}"],
        1..4,
    );
    let fits = |text: &String| {
        !text.is_empty()
            && text.trim() == text
            && !text.contains("${")
            && !text.contains("//- ")
            && !text.contains('\u{feff}')
    };
    let joined = pieces.prop_map(|pieces| pieces.concat().trim().to_owned());
    joined.prop_filter("no value", fits)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_text_counts_as_written_or_is_an_error(texts in prop::collection::vec(any_value(), 1..30), style in prop::sample::select(STYLES.to_vec())) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for place in [Place::Value, Place::Default, Place::Input] {
            prop_assert_eq!(wrong(place, style, &texts), [""; 0]);
        }
    }
}

/// How a step shows that a relationship was followed.
const FOLLOWED: &str = "\"outcome\":\"followed\"";

/// A condition that never holds, with whatever may go wrong around it, holds its rule back all the same.
#[test]
fn a_condition_that_holds_something_back_is_never_lost() {
    let before = [
        "", "!", "! ", "!!str ", "!x ", "&a ", "# ", "#", "~ ", "'", "\"", "|", "> ", "[", "{", "*", "%",
        "- ", "? ", "\t",
    ];
    let behind = [
        "", " # why", " #", "'", "\"", "]", "}", ":", ": x", " !x", "\n", "\t",
    ];
    let keys = ["value", "valeu", "Value", "<<", "'value'", "? value\n     "];
    let mut files = Vec::new();
    let mut rules = Vec::new();
    for ((before, behind), key) in before
        .iter()
        .flat_map(|before| behind.map(|behind| (*before, behind)))
        .flat_map(|around| keys.map(|key| (around, key)))
    {
        let rule = format!(
            "object:\n  attributes: {{name: i{}}}\n  fields:\n  - guard:\n      {key}: {before}1 == 2{behind}\n  - rel:\n      value: /Leafs/Leaf/x\n",
            rules.len()
        );
        files.push((
            format!("automate/D1/Lab1/Box.class/i{}.yaml", rules.len()),
            rule.clone(),
        ));
        rules.push(rule);
    }
    files.extend(domain(1));
    let (switchboard, _) = load(&files);
    for (number, rule) in rules.iter().enumerate() {
        let document = run(&switchboard, &request(&format!("/Lab1/Box/i{number}")));
        assert!(!document.to_string().contains(FOLLOWED), "{rule}\n{document}");
    }
    // That nothing was seen of it is because of the conditions.
    let holds = rules.first().unwrap().replace("1 == 2", "1 == 1");
    files.push(("automate/D1/Lab1/Box.class/i0.yaml".to_owned(), holds));
    files.remove(0);
    let (switchboard, _) = load(&files);
    let document = run(&switchboard, &request("/Lab1/Box/i0"));
    assert!(document.to_string().contains(FOLLOWED), "{document}");
}

/// Numbers of fields and domains are whole numbers as they are written, or errors.
#[test]
fn a_priority_is_a_whole_number_or_an_error() {
    for text in FORMS.into_iter().chain(["5", "-7", "007"]) {
        for place in ["field", "domain"] {
            let (domain, field) = if place == "domain" {
                (text, "1")
            } else {
                ("5", text)
            };
            let fixture = format!(
                "//- automate/Base/__domain__.yaml\nobject: {{attributes: {{name: Base, priority: {domain}}}}}\n\
                 //- automate/Base/Lab/__namespace__.yaml\nobject: {{attributes: {{name: Lab}}}}\n\
                 //- automate/Base/Lab/Box.class/__class__.yaml\nobject:\n  attributes: {{name: Box}}\n  schema:\n  - field: {{name: a, aetype: attribute, priority: {field}}}\n"
            );
            let loaded = Switchboard::load(&SourceTree::from_fixture(&fixture), None);
            let codes: BTreeSet<&str> = loaded.diagnostics.iter().map(|finding| finding.code).collect();
            let is_number = text.parse::<i64>().is_ok() || ["~", "null", "Null", "NULL"].contains(&text);
            let is_told = codes.contains("InvalidPriority") || codes.contains("YamlSyntax");
            assert_ne!(is_told, is_number, "{place} {text}: {:?}", loaded.diagnostics);
        }
    }
}

/// `enabled` is true or false in the words of YAML 1.1, or an error and false.
#[test]
fn a_domain_is_enabled_by_the_words_for_true_and_by_no_other() {
    for text in FORMS {
        let fixture = format!(
            "//- automate/Base/__domain__.yaml\nobject: {{attributes: {{name: Base, priority: 1, enabled: {text}}}}}\n\
             //- automate/Base/Lab/__namespace__.yaml\nobject: {{attributes: {{name: Lab}}}}\n\
             //- automate/Base/Lab/Box.class/__class__.yaml\nobject: {{attributes: {{name: Box}}}}\n\
             //- automate/Base/Lab/Box.class/box.yaml\nobject: {{attributes: {{name: box}}}}\n"
        );
        let loaded = Switchboard::load(&SourceTree::from_fixture(&fixture), None);
        let document = run(&loaded.switchboard, &request("/Lab/Box/box"));
        let is_enabled = document["errors"] == serde_json::json!([]);
        let is_told = loaded
            .diagnostics
            .iter()
            .any(|finding| finding.severity == Severity::Error);
        let lower = text.to_lowercase();
        let is_true = ["true", "t", "yes", "y", "on", "1", "~", "null"].contains(&lower.as_str());
        let is_false = ["false", "f", "no", "n", "off", "0"].contains(&lower.as_str());
        assert_eq!(is_enabled, is_true, "{text}: {document}");
        assert_eq!(is_told, !is_true && !is_false, "{text}: {:?}", loaded.diagnostics);
    }
}
