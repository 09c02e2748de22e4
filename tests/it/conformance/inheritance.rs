//! Inheritance of classes and instances, which the original means and has switched off (docs/differences.md).

use crate::conformance::Tree;
use crate::conformance::check;
use crate::conformance::check_ends;
use crate::conformance::ended;
use crate::conformance::request;
use crate::conformance::run;

/// A class file whose fields are attributes with these defaults.
fn class(name: &str, inherits: &str, defaults: &[(&str, &str)]) -> String {
    let fields: String = defaults
        .iter()
        .map(|(name, default)| {
            format!("  - field: {{name: {name}, aetype: attribute, default_value: '{default}'}}\n")
        })
        .collect();
    let schema = if fields.is_empty() {
        "  schema: []\n".to_owned()
    } else {
        format!("  schema:\n{fields}")
    };
    format!("object:\n  attributes:\n    name: {name}\n    inherits: {inherits}\n{schema}")
}

/// An instance file.
fn instance(name: &str, inherits: &str, values: &[(&str, &str)]) -> String {
    let fields: String = values
        .iter()
        .map(|(name, value)| format!("  - {name}: {value}\n"))
        .collect();
    format!("object:\n  attributes:\n    name: {name}\n    inherits: {inherits}\n  fields:\n{fields}")
}

/// `N/Base`, `N/Sub` which inherits from it, and `N/Low` which inherits from that.
fn tree() -> Tree {
    let mut tree = Tree::default()
        .domain("Dom", 1)
        .file("automate/Dom/N/__namespace__.yaml", "object:\n  attributes: {}\n")
        .file(
            "automate/Dom/N/Base.class/__class__.yaml",
            &class("Base", "", &[("a", "base"), ("color", "white"), ("only", "")]),
        )
        .file(
            "automate/Dom/N/Sub.class/__class__.yaml",
            &class("Sub", "/N/Base", &[("color", "red"), ("size", "1")]),
        )
        .file(
            "automate/Dom/N/Low.class/__class__.yaml",
            &class("Low", "Sub", &[]),
        );
    for (class, name, inherits, values) in [
        ("Base", "t", "", vec![("a", "{value: base-instance}")]),
        ("Base", "blue", "", vec![("color", "{value: blue}")]),
        ("Base", "only", "", vec![("only", "{value: 'yes'}")]),
        ("Base", "chain", "only", vec![("a", "{value: chained}")]),
        (
            "Base",
            "gathers",
            "",
            vec![("a", "{value: x, collect: only = a}")],
        ),
        ("Sub", "t", "t", vec![]),
        ("Sub", "derived", "blue", vec![]),
        ("Sub", "own", "blue", vec![("color", "{value: green}")]),
        ("Sub", "empty", "blue", vec![("color", "{value: ''}")]),
        ("Sub", "spelled", "BLUE", vec![("COLOR", "{value: }")]),
        ("Sub", "short", "only", vec![]),
        ("Sub", "path", "/N/Base/only", vec![]),
        ("Sub", "full", "/Dom/N/Base/only", vec![]),
        ("Sub", "near", "Base/only", vec![]),
        ("Sub", "beside", "derived", vec![("size", "{value: '2'}")]),
        ("Sub", "chained", "chain", vec![]),
        ("Sub", "part", "gathers", vec![("a", "{value: own}")]),
        ("Low", "t", "t", vec![]),
        ("Low", "blue", "blue", vec![]),
        ("Low", "far", "/N/Base/blue", vec![]),
        ("Low", "derived", "derived", vec![]),
    ] {
        let path = format!("automate/Dom/N/{class}.class/{name}.yaml");
        tree = tree.file(&path, &instance(name, inherits, &values));
    }
    tree
}

#[test]
fn an_instance_takes_what_it_leaves_open_from_the_inherited_one_before_the_default_of_its_class() {
    let tree = tree();
    assert_eq!(tree.load().1, []);
    check_ends(
        &tree,
        &[
            ("own default", "/N/Base/blue", "a='base' color='blue' only=''"),
            (
                "same name",
                "/N/Sub/t",
                "a='base-instance' color='red' only='' size='1'",
            ),
            (
                "over a default",
                "/N/Sub/derived",
                "a='base' color='blue' only='' size='1'",
            ),
            (
                "own value",
                "/N/Sub/own",
                "a='base' color='green' only='' size='1'",
            ),
            (
                "a blank value leaves it open",
                "/N/Sub/empty",
                "a='base' color='blue' only='' size='1'",
            ),
            (
                "letter case",
                "/N/Sub/spelled",
                "a='base' color='blue' only='' size='1'",
            ),
            (
                "a name",
                "/N/Sub/short",
                "a='base' color='red' only='yes' size='1'",
            ),
            (
                "a path",
                "/N/Sub/path",
                "a='base' color='red' only='yes' size='1'",
            ),
            (
                "with its domain",
                "/N/Sub/full",
                "a='base' color='red' only='yes' size='1'",
            ),
            (
                "from the namespace on",
                "/N/Sub/near",
                "a='base' color='red' only='yes' size='1'",
            ),
            (
                "of its own class",
                "/N/Sub/beside",
                "a='base' color='blue' only='' size='2'",
            ),
            (
                "a base of a base",
                "/N/Sub/chained",
                "a='chained' color='red' only='yes' size='1'",
            ),
            (
                "collect alone",
                "/N/Sub/part",
                "a='own' color='red' only='' size='1'",
            ),
            (
                "two classes up",
                "/N/Low/t",
                "a='base-instance' color='red' only='' size='1'",
            ),
            (
                "two classes up, by name",
                "/N/Low/blue",
                "a='base' color='blue' only='' size='1'",
            ),
            (
                "two classes up, by path",
                "/N/Low/far",
                "a='base' color='blue' only='' size='1'",
            ),
            (
                "of the class between",
                "/N/Low/derived",
                "a='base' color='blue' only='' size='1'",
            ),
        ],
    );
}

#[test]
fn the_trace_names_the_file_that_a_value_is_from() {
    let document = run(&tree().load().0, &request("/N/Sub/derived"));
    check(
        &[
            (
                "inherited from an instance",
                "color",
                "automate/Dom/N/Base.class/blue.yaml:6",
            ),
            (
                "inherited from a class",
                "a",
                "automate/Dom/N/Base.class/__class__.yaml:6",
            ),
            ("a default", "size", "automate/Dom/N/Sub.class/__class__.yaml:7"),
        ],
        |field| {
            let steps = document["steps"].as_array().unwrap();
            let step = steps.iter().find(|step| step["field"] == field).unwrap();
            format!("{}:{}", step["file"].as_str().unwrap(), step["line"])
        },
    );
}

#[test]
fn what_cannot_be_inherited_is_told_where_it_is_written() {
    let tree = tree()
        .file(
            "automate/Dom/N/Sub.class/lost.yaml",
            &instance("lost", "blu", &[]),
        )
        .file(
            "automate/Dom/N/Sub.class/round.yaml",
            &instance("round", "again", &[]),
        )
        .file(
            "automate/Dom/N/Sub.class/again.yaml",
            &instance("again", "round", &[]),
        )
        .file(
            "automate/Dom/N/Sub.class/into.yaml",
            &instance("into", "again", &[("size", "{value: '3'}")]),
        )
        .file(
            "automate/Dom/N/Sub.class/self.yaml",
            &instance("self", "self", &[]),
        )
        .file(
            "automate/Dom/N/Sub.class/after.yaml",
            &instance("after", "lost", &[]),
        )
        .file(
            "automate/Dom/N/Other.class/__class__.yaml",
            &class("Other", "", &[("a", "1")]),
        )
        .file(
            "automate/Dom/N/Other.class/o.yaml",
            &instance("o", "/N/Base/blue", &[]),
        );
    let (switchboard, findings) = tree.load();
    let mut found: Vec<String> = findings
        .iter()
        .map(|finding| {
            let file = finding.file.rsplit_once("/N/").unwrap().1;
            format!("{file} {}: {} {}", finding.code, finding.message, finding.help)
        })
        .collect();
    found.sort();
    let expected = [
        "Other.class/o.yaml InstanceNotFound: `o` inherits from `/N/Base/blue`, which this class does not have ",
        "Sub.class/again.yaml InheritanceCircle: `again` inherits from itself by way of `round` ",
        "Sub.class/lost.yaml InstanceNotFound: `lost` inherits from `blu`, which neither this class nor one that it inherits from has did you mean `blue`?",
        "Sub.class/round.yaml InheritanceCircle: `round` inherits from itself by way of `again` ",
        "Sub.class/self.yaml InheritanceCircle: `self` inherits from itself by way of `self` ",
    ];
    assert_eq!(found, expected);
    // The rest of each works.
    let ends = |uri| ended(&run(&switchboard, &request(uri)));
    assert_eq!(ends("/N/Sub/lost"), "a='base' color='red' only='' size='1'");
    assert_eq!(ends("/N/Sub/into"), "a='base' color='red' only='' size='3'");
}
