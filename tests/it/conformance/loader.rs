//! Files: what is found, under which name, and what is left out (statements C136 to C144, section 1).

use crate::conformance::Tree;
use crate::conformance::check_ends;

/// A class `Lab/T` with a field `color`, and one more file in its folder.
fn with_file(name: &str, body: &str) -> Tree {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/T", &["color:at=red"])
        .instance("i", &[]);
    tree.file(&format!("automate/Base/Lab/T.class/{name}"), body)
}

#[test]
fn names_come_from_where_the_reference_says() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/T", &["color:at=red"])
        .file("automate/Base/net/__namespace__.yaml", "object:\n  attributes:\n    name: Network\n")
        .file(
            "automate/Base/net/Cars.class/__class__.yaml",
            "object:\n  attributes:\n    name: Vehicle\n  schema:\n  - field:\n      name: a\n      aetype: attribute\n      default_value: 1\n",
        )
        .file("automate/Base/net/Cars.class/file.yaml", "object:\n  attributes:\n    name: real\n")
        .file("automate/Base/hidden/T.class/__class__.yaml", "object:\n  attributes:\n    name: T\n");
    check_ends(
        &tree,
        &[
            ("C136", "/net/Vehicle/real", "a='1'"),
            ("C136", "/Network/Vehicle/real", "none ! ClassNotFound"),
            ("1.2", "/net/Cars/real", "none ! ClassNotFound"),
            ("1.2", "/net/Vehicle/file", "none ! ClassNotFound"),
            ("1.2", "/Base/hidden/T/", "none ! ClassNotFound"),
        ],
    );
}

#[test]
fn instances_are_what_their_place_says() {
    let rows = [
        (
            "C137",
            with_file(
                "v.yaml",
                "object_type: volume\nobject:\n  attributes:\n    name: v\n  fields:\n  - color:\n      value: blue\n",
            ),
            "/Lab/T/v",
            "color='blue'",
        ),
        (
            "C138",
            with_file(".missing.yaml", "object:\n  attributes:\n    name: .missing\n"),
            "/Lab/T/x",
            "none ! ClassNotFound",
        ),
        (
            "1.2",
            with_file("_missing.yaml", "object:\n  attributes:\n    name: .missing\n"),
            "/Lab/T/x",
            "_missing_instance='x' color='red'",
        ),
        (
            "C139",
            with_file("_missing.yaml", "object:\n  attributes:\n    name: _missing\n"),
            "/Lab/T/x",
            "none ! ClassNotFound",
        ),
        (
            "C139",
            with_file("_missing.yaml", "object:\n  attributes:\n    name: _missing\n"),
            "/Lab/T/_missing",
            "color='red'",
        ),
        (
            "C141",
            with_file(
                "c.yaml",
                "object:\n  attributes:\n    name: c\n  fields:\n  - COLOR:\n      value: blue\n",
            ),
            "/Lab/T/c",
            "color='blue'",
        ),
        (
            "C143",
            with_file(
                "n.yaml",
                "object:\n  attributes:\n    name: n\n  fields:\n  - color:\n      value: 100\n",
            ),
            "/Lab/T/n",
            "color='100'",
        ),
        (
            "G6",
            with_file(
                "n.yaml",
                "object:\n  attributes:\n    name: n\n  fields:\n  - color:\n      value: true\n",
            ),
            "/Lab/T/n",
            // Not `t`, as there: docs/differences.md.
            "color='true'",
        ),
        (
            "1.7",
            with_file(
                "n.yaml",
                "object:\n  attributes:\n    name: n\n  fields:\n  - color:\n      value: one\n  - Color:\n      value: two\n",
            ),
            "/Lab/T/n",
            "color='one'",
        ),
        (
            "1.1",
            with_file(
                "n.yaml",
                "object:\n  attributes:\n    name: n\n    relative_path: x\n  fields: []\n",
            ),
            "/Lab/T/n",
            "color='red'",
        ),
        (
            "C142",
            with_file(
                "n.yaml",
                "object:\n  attributes:\n    name: n\n  fields:\n  - colr:\n      value: x\n  - color:\n      value: blue\n",
            ),
            "/Lab/T/n",
            "color='blue'",
        ),
    ];
    for (number, tree, uri, expected) in rows {
        check_ends(&tree, &[(number, uri, expected)]);
    }
}

#[test]
fn what_is_wrong_is_told_and_left_out_alone() {
    let rows = [
        (
            "C142",
            "n.yaml",
            "object:\n  attributes:\n    name: n\n  fields:\n  - colr:\n      value: x\n",
            "FieldNotFound",
        ),
        (
            "1.3",
            "other.yaml",
            "object:\n  attributes:\n    name: I\n",
            "DuplicateInstance",
        ),
        ("1.1", "n.yaml", "nothing: here\n", "ObjectMissing"),
        ("1.1", "n.yaml", "a: [\n", "YamlSyntax"),
        ("1.2", "n.yaml", "object:\n  attributes: {}\n", "NameMissing"),
    ];
    for (number, name, body, code) in rows {
        let (_, diagnostics) = with_file(name, body).load();
        let found: Vec<String> = diagnostics
            .iter()
            .map(|finding| format!("{} {}", finding.code, finding.file))
            .collect();
        assert_eq!(
            found,
            [format!("{code} automate/Base/Lab/T.class/{name}")],
            "{number}"
        );
        check_ends(&with_file(name, body), &[(number, "/Lab/T/i", "color='red'")]);
    }
}

#[test]
fn a_method_without_a_body_returns_nothing() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/T", &["m:me", "m.collect=rc", "after:at=ran"])
        .instance("i", &["m=empty"])
        .instance("data", &["m=data"])
        .instance("blank", &["m=blank"])
        .instance("ruby", &["m=ruby"])
        .instance("odd", &["m=odd"])
        .method_yaml("empty", &[], "    language: rhai\n    location: inline\n")
        .method_yaml(
            "data",
            &[],
            "    language: rhai\n    location: inline\n    data: evm.root.x = 1;\n",
        )
        .method("blank", &[], "  \n")
        .method_yaml(
            "ruby",
            &[],
            "    language: ruby\n    location: inline\n    data: puts 1\n",
        )
        .method_yaml("odd", &[], "    location: nowhere\n");
    check_ends(
        &tree,
        &[
            ("C144", "/Lab/T/i", "after='ran'"),
            ("1.8", "/Lab/T/data", "after='ran' rc=0 x=1"),
            ("6.4", "/Lab/T/blank", "after='ran'"),
            ("1.8", "/Lab/T/ruby", "abort InvalidMethod"),
            ("1.8", "/Lab/T/odd", "after='ran'"),
        ],
    );
}

#[test]
fn inheritance_works_which_is_a_deliberate_difference() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/Animal", &["legs:at=4", "sound:at"])
        .instance("base", &["sound=grr"])
        .method("speak", &[], "evm.root.spoke = evm.object.sound;")
        .file("automate/Base/Lab/Bird.class/__class__.yaml", "object:\n  attributes:\n    name: Bird\n    inherits: Animal\n  schema:\n  - field:\n      name: legs\n      aetype: attribute\n      default_value: '2'\n  - field:\n      name: say\n      aetype: method\n      default_value: speak\n      priority: 9\n")
        .file("automate/Base/Lab/Bird.class/a.yaml", "object:\n  attributes:\n    name: a\n  fields:\n  - sound:\n      value: chirp\n")
        .file("automate/Base/Lab/Bird.class/b.yaml", "object:\n  attributes:\n    name: b\n    inherits: a\n")
        .file("automate/Base/Lab/Lost.class/__class__.yaml", "object:\n  attributes:\n    name: Lost\n    inherits: Nowhere\n")
        .file("automate/Base/Lab/Lost.class/a.yaml", "object:\n  attributes:\n    name: a\n");
    check_ends(
        &tree,
        &[
            ("G5", "/Lab/Bird/a", "legs='2' sound='chirp' spoke='chirp'"),
            ("G5", "/Lab/Bird/b", "legs='2' sound='chirp' spoke='chirp'"),
            ("1.5", "/Lab/Lost/a", ""),
        ],
    );
}
