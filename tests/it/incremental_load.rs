//! A load that takes over what did not change says and does the same as one that begins anew.
#![expect(clippy::unwrap_used, reason = "a test's own failure may be a panic")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use switchboard::model::clock::Timestamp;
use switchboard::source::Root;
use switchboard::source::RootKind;
use switchboard::source::SourceTree;
use switchboard::switchboard::Loaded;
use switchboard::switchboard::SimulatedEvent;
use switchboard::switchboard::SimulationRequest;
use switchboard::switchboard::Switchboard;

const CLASS: &str =
    "object:\n  attributes: {name: Box}\n  schema:\n  - field: {name: note, aetype: attribute}\n";

/// One edit after the other: which file of the class, and its new text; none removes it.
const EDITS: [(&str, Option<&str>); 17] = [
    ("b.yaml", Some("changed")),
    ("b.yaml", Some("name: Renamed")),
    ("b.yaml", Some("name: b")),
    ("d.yaml", Some("added at the end")),
    ("ab.yaml", Some("added between")),
    ("d.yaml", Some("name: A")),
    ("a.yaml", None),
    ("a.yaml", Some("back again")),
    ("c.yaml", Some("{broken")),
    ("a.yaml", Some("changed beside a broken one")),
    ("c.yaml", Some("mended")),
    ("d.yaml", Some("inherits: c")),
    ("c.yaml", Some("what d inherits now")),
    ("d.yaml", Some("nothing inherited")),
    ("__class__.yaml", Some("another default")),
    ("b.yaml", None),
    ("__class__.yaml", Some("{broken")),
];

fn text(file: &str, word: &str) -> String {
    let name = file.trim_end_matches(".yaml");
    match word.split_once(": ") {
        _ if word.starts_with('{') => word.to_owned(),
        _ if file == "__class__.yaml" => CLASS.replace("attribute}", "attribute, default_value: other}"),
        Some(("name", name)) => format!("object:\n  attributes: {{name: {name}}}\n"),
        Some((_, base)) => format!("object:\n  attributes: {{name: {name}, inherits: {base}}}\n"),
        None => format!("object:\n  attributes: {{name: {name}}}\n  fields:\n  - note: {{value: {word}}}\n"),
    }
}

/// What rules say: their findings, and what becomes of every name.
fn told(loaded: &Loaded) -> String {
    let mut told = format!("{} {:#?}\n", loaded.switchboard.id(), loaded.diagnostics);
    for name in ["a", "ab", "b", "c", "d", "renamed", "nobody"] {
        let request = SimulationRequest {
            event: SimulatedEvent::Uri(format!("/Lab/Box/{name}")),
            workspace: true,
            deliveries: 1,
            records: None,
        };
        let simulation = loaded.switchboard.simulate(&request, Timestamp::UNIX_EPOCH);
        told.push_str(&serde_json::to_string(&simulation).unwrap());
        told.push('\n');
    }
    told
}

/// One edit after the other of a class `Base` and of a class `Box` that inherits from it, which is there from the start.
const BASES: [(&str, Option<&str>); 8] = [
    (
        "Base.class/__class__.yaml",
        Some(
            "object:\n  attributes: {name: Base}\n  schema:\n  - field: {name: note, aetype: attribute, default_value: of the base}\n",
        ),
    ),
    (
        "Base.class/a.yaml",
        Some("object:\n  attributes: {name: a}\n  fields:\n  - note: {value: of a}\n"),
    ),
    (
        "Base.class/a.yaml",
        Some("object:\n  attributes: {name: a}\n  fields:\n  - note: {value: of another a}\n"),
    ),
    (
        "Base.class/__class__.yaml",
        Some("object:\n  attributes: {name: Other}\n  schema: []\n"),
    ),
    (
        "Base.class/__class__.yaml",
        Some(
            "object:\n  attributes: {name: Base}\n  schema:\n  - field: {name: more, aetype: attribute, default_value: 1}\n",
        ),
    ),
    (
        "Box.class/b.yaml",
        Some("object:\n  attributes: {name: b}\n  fields:\n  - more: {value: own}\n"),
    ),
    ("Base.class/a.yaml", None),
    ("Base.class/__class__.yaml", None),
];

#[test]
fn a_base_that_comes_later_is_found_and_one_that_goes_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let lab = folder.path().join("automate/Base/Lab");
    let write = |path: &Path, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        &lab.join("../__domain__.yaml"),
        "object: {attributes: {name: Base}}",
    );
    write(
        &lab.join("__namespace__.yaml"),
        "object: {attributes: {name: Lab}}",
    );
    write(
        &lab.join("Box.class/__class__.yaml"),
        "object:\n  attributes: {name: Box, inherits: Base}\n  schema: []\n",
    );
    for name in ["a", "b"] {
        let text = format!("object:\n  attributes: {{name: {name}, inherits: a}}\n");
        write(&lab.join(format!("Box.class/{name}.yaml")), &text);
    }
    let root = Root {
        kind: RootKind::Automate,
        folder: folder.path().join("automate"),
        required: true,
    };
    let mut tree = SourceTree::from_disk(&[root]).unwrap();
    let mut rules = Arc::new(Switchboard::load(&tree, None).switchboard);
    let mut told_before = String::new();
    for (file, text) in BASES {
        let path = lab.join(file);
        match text {
            Some(text) => write(&path, text),
            None => fs::remove_file(&path).unwrap(),
        }
        tree = tree.updated(&[path]);
        let anew = told(&Switchboard::load(&tree, None));
        let taken_over = Switchboard::load(&tree, Some(&rules));
        assert_eq!(told(&taken_over), anew, "{file}: {text:?}");
        assert_ne!(anew, told_before, "{file}: {text:?}");
        told_before = anew;
        rules = Arc::new(taken_over.switchboard);
    }
}

#[test]
fn what_is_taken_over_is_what_would_be_loaded_anew() {
    let folder = tempfile::tempdir().unwrap();
    let class = folder.path().join("automate/Base/Lab/Box.class");
    fs::create_dir_all(&class).unwrap();
    let write = |path: &Path, text: &str| fs::write(path, text).unwrap();
    write(
        &class.join("../../__domain__.yaml"),
        "object: {attributes: {name: Base}}",
    );
    write(
        &class.join("../__namespace__.yaml"),
        "object: {attributes: {name: Lab}}",
    );
    write(&class.join("__class__.yaml"), CLASS);
    for name in ["a.yaml", "b.yaml", "c.yaml"] {
        write(&class.join(name), &text(name, "as it began"));
    }
    let root = Root {
        kind: RootKind::Automate,
        folder: folder.path().join("automate"),
        required: true,
    };
    let mut tree = SourceTree::from_disk(&[root]).unwrap();
    let mut rules = Arc::new(Switchboard::load(&tree, None).switchboard);
    for (file, word) in EDITS {
        let path = class.join(file);
        match word {
            Some(word) => write(&path, &text(file, word)),
            None => fs::remove_file(&path).unwrap(),
        }
        tree = tree.updated(&[path]);
        let anew = Switchboard::load(&tree, None);
        let taken_over = Switchboard::load(&tree, Some(&rules));
        assert_eq!(told(&taken_over), told(&anew), "{file}: {word:?}");
        rules = Arc::new(taken_over.switchboard);
    }
}
