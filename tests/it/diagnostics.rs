//! One small tree and one exact text for every code that a finding of rules or scripts may have.
//!
//! What is wrong between files is in `diagnostics_across_files`, findings of the disk are in `source_tree`, those of settings in `settings`.
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use expect_test::expect;
use switchboard::source::Diagnostic;
use switchboard::source::Root;
use switchboard::source::RootKind;
use switchboard::source::Severity;
use switchboard::source::SourceTree;
use switchboard::switchboard::Switchboard;

use crate::support::findings::check;
use crate::support::findings::check_lab;
use crate::support::findings::instance;
use crate::support::findings::method;

#[test]
fn nothing_is_wrong_in_the_shipped_tree() {
    let root = |kind, name: &str| Root {
        kind,
        folder: Path::new(env!("CARGO_MANIFEST_DIR")).join(name),
        required: true,
    };
    let roots = [
        root(RootKind::Automate, "automate"),
        root(RootKind::Scripts, "scripts"),
    ];
    let tree = SourceTree::from_disk(&roots).unwrap();
    let loaded = Switchboard::load(&tree, None);
    assert_eq!(loaded.diagnostics, []);
    assert_eq!(loaded.switchboard.check(&tree), []);
}

#[test]
fn the_real_tree_loads_without_an_error() {
    let Some(corpus) = std::env::var_os("SWITCHBOARD_CORPUS") else {
        return;
    };
    let root = Root {
        kind: RootKind::Automate,
        folder: Path::new(&corpus).join("automate"),
        required: true,
    };
    let tree = SourceTree::from_disk(&[root]).unwrap();
    let loaded = Switchboard::load(&tree, None);
    let found = loaded.switchboard.check(&tree);
    let errors = loaded.diagnostics.iter().chain(&found);
    let errors: Vec<_> = errors
        .filter(|finding| finding.severity == Severity::Error)
        .collect();
    assert_eq!(errors, Vec::<&Diagnostic>::new());
}

// Files that cannot be read as what they are.

#[test]
fn yaml_syntax() {
    check_lab(
        "//- automate/Base/Lab/Box.class/a.yaml\nobject:\n  attributes: {name: [a\n",
        &expect![[r#"
            automate/Base/Lab/Box.class/a.yaml:2:22: error[YamlSyntax]: unclosed bracket '['
        "#]],
    );
    check_lab(
        "//- automate/Base/Lab/Box.class/a.yaml\nobject:\n  attributes:\n    name: a\n    name: b\n",
        &expect![[r#"
            automate/Base/Lab/Box.class/a.yaml:4:5: error[YamlSyntax]: duplicate key `name`
              help: one of the two has to go: only one could count
        "#]],
    );
}

#[test]
fn yaml_that_turns_a_value_into_something_else() {
    check_lab(
        &[
            instance("tagged", "guard", "!event.full_data.dry_run"),
            instance("tagged_text", "guard", "!event.dry_run && event.x == 'a'"),
            instance("anchored", "guard", "&event"),
            instance("two_documents", "rel1", "/Lab/Box/fine\n---\nobject: {}"),
            instance(
                "conflict",
                "rel1",
                "/Lab/Box/fine\n<<<<<<< HEAD\n  - rel2:\n=======\n  - rel1:\n>>>>>>> theirs",
            ),
            instance("cut", "guard", "event.x == \"a #1\""),
            instance("unquoted", "guard", "event.x == \"a: 1\""),
            instance("half_quoted", "guard", "'event.x' == 'a'"),
            instance("ticked", "note", "`x`"),
            instance("tabbed", "note", "x\n\t- rel1: y"),
            instance("fine", "note", "! 'as exporters of Ruby write it'"),
        ]
        .concat(),
        &expect![[r#"
            automate/Base/Lab/Box.class/cut.yaml:6:27: error[AssertionSyntax]: the condition `event.x == "a` cannot be understood: Expecting ')' for a matching ( in this expression
              help: a condition is a Rhai expression, such as event.full_data.vm.name == "web"
            automate/Base/Lab/Box.class/conflict.yaml:7:1: error[MergeConflict]: a merge left its conflict in the file
              help: choose between what stands above and below `=======`, and take out the lines of the marks
            automate/Base/Lab/Box.class/cut.yaml:6:14: error[ValueIsComment]: `value` is `event.x == "a`: what follows `#` is a comment
              help: put the value in quotes if `#` is part of it; else give the comment a line of its own
            automate/Base/Lab/Box.class/anchored.yaml:6:14: error[YamlAnchor]: `&event` is an anchor of YAML that nothing refers to, and no part of the text
              help: put the value in quotes if `&event` is part of it; else take it out
            automate/Base/Lab/Box.class/half_quoted.yaml:6:24: error[YamlSyntax]: invalid trailing content after single-quoted scalar
              help: put the whole value in quotes; of single quotes within single ones each is written twice
            automate/Base/Lab/Box.class/tabbed.yaml:6:14: error[YamlSyntax]: while scanning a plain scalar, found a tab
              help: YAML indents with spaces: replace the tab
            automate/Base/Lab/Box.class/ticked.yaml:6:14: error[YamlSyntax]: unexpected character: ``'
              help: put the value in quotes
            automate/Base/Lab/Box.class/two_documents.yaml:7:1: error[YamlSyntax]: the file holds more than one document
              help: take out the second `---`, or move what follows into a file of its own
            automate/Base/Lab/Box.class/unquoted.yaml:6:27: error[YamlSyntax]: mapping values are not allowed in this context
              help: a text with `: ` in it stands in quotes
            automate/Base/Lab/Box.class/tagged.yaml:6:14: error[YamlTag]: `!event.full_data.dry_run` is a tag of YAML, and no part of the text behind it
              help: put the value in quotes if this is part of it: '!event.full_data.dry_run'
            automate/Base/Lab/Box.class/tagged_text.yaml:6:14: error[YamlTag]: `!event.dry_run` is a tag of YAML, and no part of the text behind it
              help: put the value in quotes if this is part of it: "!event.dry_run && event.x == 'a'"
        "#]],
    );
}

#[test]
fn conditions_that_are_blank() {
    check_lab(
        &[
            instance("empty", "guard", ""),
            instance("tilde", "guard", "~"),
            instance("comment", "guard", "# event.x == 1"),
            instance("blank", "guard", "' '"),
            instance("folded", "guard", ">\n"),
            instance("block", "note", "|\n"),
            "//- automate/Base/Lab/Box.class/bare.yaml\nobject:\n  attributes: {name: bare}\n  fields:\n  - guard:\n".to_owned(),
            "//- automate/Base/Lab/Box.class/typo.yaml\nobject:\n  attributes: {name: typo}\n  fields:\n  - guard: {valeu: event.x == 1}\n".to_owned(),
            "//- automate/Base/Lab/Box.class/beside.yaml\nobject:\n  attributes: {name: beside}\n  fields:\n  - guard:\n    value: event.x == 1\n".to_owned(),
        ]
        .concat(),
        &expect![[r#"
            automate/Base/Lab/Box.class/bare.yaml:4:5: error[BlankCondition]: the condition `guard` is blank, so it never holds
              help: write the condition as its `value:`, or take the field out
            automate/Base/Lab/Box.class/beside.yaml:4:5: error[BlankCondition]: the condition `guard` is blank, so it never holds
              help: write the condition as its `value:`, or take the field out
            automate/Base/Lab/Box.class/blank.yaml:5:5: error[BlankCondition]: the condition `guard` is blank, so it never holds
              help: write the condition as its `value:`, or take the field out
            automate/Base/Lab/Box.class/comment.yaml:5:5: error[BlankCondition]: the condition `guard` is blank, so it never holds
              help: write the condition as its `value:`, or take the field out
            automate/Base/Lab/Box.class/empty.yaml:5:5: error[BlankCondition]: the condition `guard` is blank, so it never holds
              help: write the condition as its `value:`, or take the field out
            automate/Base/Lab/Box.class/folded.yaml:5:5: error[BlankCondition]: the condition `guard` is blank, so it never holds
              help: write the condition as its `value:`, or take the field out
            automate/Base/Lab/Box.class/tilde.yaml:5:5: error[BlankCondition]: the condition `guard` is blank, so it never holds
              help: write the condition as its `value:`, or take the field out
            automate/Base/Lab/Box.class/typo.yaml:4:5: error[BlankCondition]: the condition `guard` is blank, so it never holds
              help: write the condition as its `value:`, or take the field out
            automate/Base/Lab/Box.class/block.yaml:6:7: error[EmptyBlock]: `value` is a block without lines
              help: indent its lines deeper than the key, or take the key out
            automate/Base/Lab/Box.class/folded.yaml:6:7: error[EmptyBlock]: `value` is a block without lines
              help: indent its lines deeper than the key, or take the key out
            automate/Base/Lab/Box.class/beside.yaml:5:5: error[FieldNotFound]: the class has no field `value`; the value is left out
              help: `value` belongs to the field above it: indent it below the name of the field
            automate/Base/Lab/Box.class/comment.yaml:6:7: error[ValueIsComment]: `value` is empty: what follows is a comment
              help: put the value in quotes if `#` is part of it; else give the comment a line of its own
            automate/Base/Lab/Box.class/typo.yaml:4:13: warning[UnknownKey]: `valeu` is not read
              help: did you mean `value`?
        "#]],
    );
}

#[test]
fn comments_in_the_place_of_values() {
    check_lab(
        &[
            instance("rel", "rel1", "# /Lab/Box/b"),
            instance("color", "note", "#ff0000"),
            instance("cut", "note", "${ #a}"),
            instance("fine", "note", "text # and why"),
            "//- automate/Base/Lab/Box.class/nameless.yaml\nobject:\n  attributes:\n    name: #1\n    description: # later\n".to_owned(),
            "//- automate/Off/__domain__.yaml\nobject:\n  attributes:\n    name: Off\n    priority: 7\n    enabled: # false\n".to_owned(),
        ]
        .concat(),
        &expect![[r#"
            automate/Base/Lab/Box.class/nameless.yaml:3:5: error[NameMissing]: the instance has no name; it is left out
              help: write it under object: attributes: name:
            automate/Base/Lab/Box.class/color.yaml:6:7: error[ValueIsComment]: `value` is empty: what follows is a comment
              help: put the value in quotes if `#` is part of it; else give the comment a line of its own
            automate/Base/Lab/Box.class/cut.yaml:6:14: error[ValueIsComment]: `value` is `${`: what follows `#` is a comment
              help: put the value in quotes if `#` is part of it; else give the comment a line of its own
            automate/Base/Lab/Box.class/rel.yaml:6:7: error[ValueIsComment]: `value` is empty: what follows is a comment
              help: put the value in quotes if `#` is part of it; else give the comment a line of its own
            automate/Off/__domain__.yaml:5:5: error[ValueIsComment]: `enabled` is empty: what follows is a comment
              help: put the value in quotes if `#` is part of it; else give the comment a line of its own
        "#]],
    );
}

#[test]
fn a_field_given_twice() {
    check_lab(
        &[
            format!("{}  - rel1:\n      value: /Lab/Box/c\n", instance("list", "rel1", "/Lab/Box/list2")),
            format!("{}  - REL1: /Lab/Box/c\n", instance("any_case", "rel1", "/Lab/Box/list2")),
            format!("{}      value: /Lab/Box/c\n", instance("value", "rel1", "/Lab/Box/list2")),
            instance("list2", "note", "x"),
            method(
                "m",
                "    location: builtin\n    data: log_object\n  inputs:\n  - field: {name: a, aetype: attribute}\n  - field: {name: A, aetype: attribute}\n",
            ),
        ]
        .concat(),
        &expect![[r#"
            automate/Base/Lab/Box.class/__methods__/m.yaml:8:13: error[DuplicateField]: there is a field `a` already, in line 7; this one is left out
            automate/Base/Lab/Box.class/any_case.yaml:7:5: error[DuplicateField]: there is a value for `REL1` already, in line 5; this one is left out
              help: one of the two has to go
            automate/Base/Lab/Box.class/list.yaml:7:5: error[DuplicateField]: there is a value for `rel1` already, in line 5; this one is left out
              help: one of the two has to go
            automate/Base/Lab/Box.class/value.yaml:7:7: error[YamlSyntax]: duplicate key `value`
              help: one of the two has to go: only one could count
        "#]],
    );
}

#[test]
fn object_missing() {
    check_lab(
        "//- automate/Base/Lab/Box.class/a.yaml\njust a text\n",
        &expect![[r#"
            automate/Base/Lab/Box.class/a.yaml:1:1: error[ObjectMissing]: the file holds a text without an `object`
              help: every file of the datastore begins with `object_type:`, `version: 1.0` and `object:`
        "#]],
    );
    check_lab(
        "//- automate/Base/Lab/Box.class/a.yaml\n",
        &expect![[r#"
        automate/Base/Lab/Box.class/a.yaml:1:1: error[ObjectMissing]: the file holds nothing without an `object`
          help: every file of the datastore begins with `object_type:`, `version: 1.0` and `object:`
    "#]],
    );
}

#[test]
fn name_missing() {
    check_lab(
        "//- automate/Base/Lab/Box.class/a.yaml\nobject: {attributes: {}}\n\
         //- automate/Base/Lab/Box.class/__methods__/m.yaml\nobject: {attributes: {location: builtin}}\n\
         //- automate/Base/Lab/Other.class/__class__.yaml\nobject: {attributes: {}}\n\
         //- automate/Other/__domain__.yaml\nobject: {attributes: {}}\n",
        &expect![[r#"
            automate/Base/Lab/Box.class/__methods__/m.yaml:1:22: error[NameMissing]: the method has no name; it is left out
              help: write it under object: attributes: name:
            automate/Base/Lab/Box.class/a.yaml:1:22: error[NameMissing]: the instance has no name; it is left out
              help: write it under object: attributes: name:
            automate/Base/Lab/Other.class/__class__.yaml:1:22: error[NameMissing]: the class has no name; it is left out
              help: write it under object: attributes: name:
            automate/Other/__domain__.yaml:1:22: error[NameMissing]: the domain has no name; it is left out
              help: write it under object: attributes: name:
        "#]],
    );
}

#[test]
fn unknown_key() {
    check_lab(
        "//- automate/Base/Lab/Box.class/a.yaml\nobject:\n  attributes:\n    name: a\n    descriptoin: x\n",
        &expect![[r#"
            automate/Base/Lab/Box.class/a.yaml:4:5: warning[UnknownKey]: `descriptoin` is not read
              help: did you mean `description`?
        "#]],
    );
}

#[test]
fn fields_shape() {
    check_lab(
        "//- automate/Base/Lab/Box.class/a.yaml\nobject:\n  attributes:\n    name: a\n  fields:\n    note: x\n",
        &expect![[r#"
            automate/Base/Lab/Box.class/a.yaml:5:5: error[FieldsShape]: a list of `- field: {value: …}` was expected under `fields`, this is a map
        "#]],
    );
}

#[test]
fn value_shape() {
    check_lab(
        &instance("a", "note", "[1, 2]"),
        &expect![[r#"
            automate/Base/Lab/Box.class/a.yaml:6:14: error[ValueShape]: the value of `note` is a list; a text is expected
              help: put the value in quotes
        "#]],
    );
}

// Domains, namespaces and classes.

#[test]
fn duplicates() {
    check_lab(
        &[
            "//- automate/Twin/__domain__.yaml\nobject: {attributes: {name: base}}\n",
            "//- automate/Base/Lab/Twin.class/__class__.yaml\nobject: {attributes: {name: BOX}}\n",
            &instance("a", "note", "x"),
            "//- automate/Base/Lab/Box.class/twin.yaml\nobject:\n  attributes:\n    name: A\n",
            &method("m", "    location: builtin\n    data: log_object\n"),
            "//- automate/Base/Lab/Box.class/__methods__/twin.yaml\nobject: {attributes: {name: M, location: builtin, data: log_object}}\n",
        ]
        .concat(),
        &expect![[r#"
            automate/Base/Lab/Twin.class/__class__.yaml:1:1: error[DuplicateClass]: the class `/Base/Lab/BOX` stands in automate/Base/Lab/Box.class/__class__.yaml already; this one is left out
            automate/Twin/__domain__.yaml:1:1: error[DuplicateDomain]: there is a domain `base` already; this one is left out
            automate/Base/Lab/Box.class/twin.yaml:3:1: error[DuplicateInstance]: the class has an instance `a` already, in automate/Base/Lab/Box.class/a.yaml; this one is left out
            automate/Base/Lab/Box.class/__methods__/twin.yaml:1:1: error[DuplicateMethod]: the class has a method `M` already; this one is left out
        "#]],
    );
}

#[test]
fn domain_missing() {
    check(
        "//- automate/Base/Lab/__namespace__.yaml\nobject: {attributes: {name: Lab}}\n\
         //- automate/Base/Lab/Box.class/__class__.yaml\nobject: {attributes: {name: Box}}\n\
         //- automate/Base/Lab/Other.class/__class__.yaml\nobject: {attributes: {name: Other}}\n",
        &expect![[r#"
            automate/Base/Lab/Box.class/__class__.yaml:1:1: error[DomainMissing]: `automate/Base` has no usable __domain__.yaml, so everything below it is left out
        "#]],
    );
}

#[test]
fn hidden_class_and_namespace() {
    check(
        "//- automate/Base/__domain__.yaml\nobject: {attributes: {name: Base}}\n\
         //- automate/Base/Box.class/__class__.yaml\nobject: {attributes: {name: Box}}\n\
         //- automate/Base/Lab/Box.class/__class__.yaml\nobject: {attributes: {name: Box}}\n",
        &expect![[r#"
            automate/Base/Box.class/__class__.yaml:1:1: warning[HiddenClass]: a class directly below a domain is not loaded
              help: move it into a namespace
            automate/Base/Lab/Box.class/__class__.yaml:1:1: warning[HiddenNamespace]: `automate/Base/Lab` has no __namespace__.yaml, so everything below it is left out
              help: add automate/Base/Lab/__namespace__.yaml
        "#]],
    );
}

#[test]
fn inheritance() {
    check_lab(
        "//- automate/Base/Lab/A.class/__class__.yaml\nobject: {attributes: {name: A, inherits: /Lab/B}}\n\
         //- automate/Base/Lab/B.class/__class__.yaml\nobject: {attributes: {name: B, inherits: /Lab/A}}\n\
         //- automate/Base/Lab/C.class/__class__.yaml\nobject: {attributes: {name: C, inherits: /Lab/Bxo}}\n\
         //- automate/Base/Lab/Box.class/a.yaml\nobject: {attributes: {name: a, inherits: b}}\n\
         //- automate/Base/Lab/Box.class/b.yaml\nobject: {attributes: {name: b, inherits: a}}\n\
         //- automate/Base/Lab/Box.class/c.yaml\nobject: {attributes: {name: c, inherits: elsewhere}}\n",
        &expect![[r#"
            automate/Base/Lab/A.class/__class__.yaml:1:1: error[InheritanceCircle]: `A` inherits from itself by way of `/Lab/B`
            automate/Base/Lab/B.class/__class__.yaml:1:1: error[InheritanceCircle]: `B` inherits from itself by way of `/Lab/A`
            automate/Base/Lab/Box.class/a.yaml:1:1: error[InheritanceCircle]: `a` inherits from itself by way of `b`
            automate/Base/Lab/Box.class/b.yaml:1:1: error[InheritanceCircle]: `b` inherits from itself by way of `a`
            automate/Base/Lab/Box.class/c.yaml:1:1: error[InstanceNotFound]: `c` inherits from `elsewhere`, which this class does not have
            automate/Base/Lab/C.class/__class__.yaml:1:1: warning[ClassNotFound]: `C` inherits from `/Lab/Bxo`, which does not exist
        "#]],
    );
}

#[test]
fn invalid_priority() {
    check_lab(
        "//- automate/Other/__domain__.yaml\nobject: {attributes: {name: Other, priority: high}}\n",
        &expect![[r#"
            automate/Other/__domain__.yaml:1:46: error[InvalidPriority]: the priority `high` is no whole number
        "#]],
    );
}

#[test]
fn domains_of_equal_priority_and_words_that_are_no_booleans() {
    check_lab(
        "//- automate/Other/__domain__.yaml\nobject: {attributes: {name: Other, priority: 1}}\n\
         //- automate/Off/__domain__.yaml\nobject: {attributes: {name: Off, priority: 1, enabled: n}}\n\
         //- automate/Never/__domain__.yaml\nobject: {attributes: {name: Never, priority: 1, enabled: never}}\n\
         //- automate/Listed/__domain__.yaml\nobject: {attributes: {name: Listed, priority: 2, enabled: [yes]}}\n\
         //- automate/Odd/__domain__.yaml\nobject: {attributes: {name: Odd, priority: 3, enabeld: false}}\n\
         //- automate/Base/Lab/T.class/__class__.yaml\nobject:\n  attributes: {name: T}\n  schema:\n\
         \x20 - field: {name: a, aetype: attribute, substitute: no}\n\
         \x20 - field: {name: b, aetype: attribute, substitute: perhaps}\n",
        &expect![[r#"
            automate/Base/Lab/T.class/__class__.yaml:5:53: error[InvalidBoolean]: `substitute` is `perhaps`, which is neither true nor false; it counts as true
              help: write `true` or `false`
            automate/Listed/__domain__.yaml:1:59: error[InvalidBoolean]: `enabled` is a list, which is neither true nor false; it counts as false
              help: write `true` or `false`
            automate/Never/__domain__.yaml:1:58: error[InvalidBoolean]: `enabled` is `never`, which is neither true nor false; it counts as false
              help: write `true` or `false`
            automate/Other/__domain__.yaml:1:46: warning[EqualPriority]: the domains `Base` and `Other` have the same priority, 1: where both have a rule, that of `Base` counts
              help: give each domain a `priority:` of its own; the larger one counts
            automate/Odd/__domain__.yaml:1:47: warning[UnknownKey]: `enabeld` is not read
              help: did you mean `enabled`?
        "#]],
    );
}

// Fields.

#[test]
fn fields_of_a_class() {
    check(
        "//- automate/Base/__domain__.yaml\nobject: {attributes: {name: Base}}\n\
         //- automate/Base/Lab/__namespace__.yaml\nobject: {attributes: {name: Lab}}\n\
         //- automate/Base/Lab/Box.class/__class__.yaml\n\
         object:\n  attributes:\n    name: Box\n  schema:\n\
         \x20 - field: {name: one two, aetype: attribute}\n\
         \x20 - field: {name: a, aetype: attribut}\n\
         \x20 - field: {name: A, aetype: attribute}\n\
         \x20 - field: {name: b, aetype: attribute, datatype: sting, priority: first}\n\
         \x20 - field: {name: c, aetype: attribute, collect: '{a => b => c}'}\n\
         \x20 - field: {name: d, aetype: attribute, collect: 'x = [a].uniq'}\n",
        &expect![[r#"
            automate/Base/Lab/Box.class/__class__.yaml:7:13: error[DuplicateField]: there is a field `a` already, in line 6; this one is left out
            automate/Base/Lab/Box.class/__class__.yaml:6:30: error[InvalidAetype]: `attribut` is no aetype; the field `a` does nothing
              help: did you mean `attribute`?
            automate/Base/Lab/Box.class/__class__.yaml:8:51: error[InvalidClass]: `sting` is no datatype
              help: did you mean `string`?
            automate/Base/Lab/Box.class/__class__.yaml:9:50: error[InvalidCollection]: `{a => b => c}` is no collect expression: each entry of a hash needs exactly one `=>`
            automate/Base/Lab/Box.class/__class__.yaml:5:13: error[InvalidName]: `one two` is no name of a field; letters, digits and `_` are expected
            automate/Base/Lab/Box.class/__class__.yaml:8:68: error[InvalidPriority]: the priority `first` is no whole number
            automate/Base/Lab/Box.class/__class__.yaml:10:50: warning[UnknownCollect]: `x = [a].uniq`: there is no function `uniq`; the array is stored as it is
        "#]],
    );
}

#[test]
fn field_not_found() {
    check_lab(
        &instance("a", "rel3", "/Lab/Box/b"),
        &expect![[r#"
        automate/Base/Lab/Box.class/a.yaml:5:5: error[FieldNotFound]: the class has no field `rel3`; the value is left out
          help: did you mean `rel1`?
    "#]],
    );
}

#[test]
fn invalid_path_format() {
    check_lab(
        &instance("a", "rel1", "/Lab/Box/my item"),
        &expect![[r#"
            automate/Base/Lab/Box.class/a.yaml:6:14: error[InvalidPathFormat]: `/Lab/Box/my item` is not a valid path: ` ` is not allowed there
        "#]],
    );
}

#[test]
fn invalid_method() {
    check_lab(
        &instance("a", "meth1", "not a call!"),
        &expect![[r#"
            automate/Base/Lab/Box.class/a.yaml:6:14: error[InvalidMethod]: `not a call!` is no method call; `name`, `Class.name` or `/Namespace/Class.name(key => value)` is expected, of letters, digits and `_`
        "#]],
    );
}

#[test]
fn assertion_syntax() {
    check_lab(
        &instance("a", "guard", "'event.full_data.vm ==='"),
        &expect![[r#"
            automate/Base/Lab/Box.class/a.yaml:6:34: error[AssertionSyntax]: the condition `event.full_data.vm ===` cannot be understood: Unexpected ''===' is not a valid operator. This is not JavaScript! Should it be '=='?'
              help: a condition is a Rhai expression, such as event.full_data.vm.name == "web"
        "#]],
    );
}

#[test]
fn names_that_a_condition_cannot_find() {
    check_lab(
        &[
            instance("variable", "guard", "evnt.vm_name == \"x\""),
            instance("in_quotes", "guard", "'''a'' == evnt.vm_name'"),
            instance(
                "in_block",
                "guard",
                "|\n        event.x == 1 &&\n        evnt.y == 2",
            ),
            instance("habit", "guard", "no"),
            instance("nil", "guard", "event.x != nil"),
            instance("nothing", "guard", "event.x == null"),
            instance("function", "guard", "event.x == lenght(1)"),
            instance("column", "guard", "event.vm_nmae == \"x\""),
            instance("of_evm", "guard", "evm.rot.x == 1"),
            instance("reserved", "guard", "event.full_data.new == 1"),
            instance("reserved_later", "guard", "'event.full_data?.default.x == 1'"),
            instance("fine", "guard", "true"),
            instance(
                "fine_too",
                "guard",
                "event.full_data.x == 1 && event.of_my_parser != () && evm.root.x && ${/#y}",
            ),
        ]
        .concat(),
        &expect![[r#"
            automate/Base/Lab/Box.class/nil.yaml:6:25: error[AssertionSyntax]: the condition `event.x != nil` cannot be understood: 'nil' is a reserved keyword
              help: write `()` for nothing
            automate/Base/Lab/Box.class/nothing.yaml:6:25: error[AssertionSyntax]: the condition `event.x == null` cannot be understood: 'null' is a reserved keyword
              help: write `()` for nothing
            automate/Base/Lab/Box.class/reserved.yaml:6:30: error[AssertionSyntax]: the condition `event.full_data.new == 1` cannot be understood: 'new' is a reserved keyword
              help: `new` is a word of the language: write `["new"]` in place of `.new`
            automate/Base/Lab/Box.class/reserved_later.yaml:6:32: error[AssertionSyntax]: the condition `event.full_data?.default.x == 1` cannot be understood: 'default' is a reserved keyword
              help: `default` is a word of the language: write `?["default"]` in place of `?.default`
            automate/Base/Lab/Box.class/function.yaml:6:25: error[UnknownFunction]: there is no function `lenght(…)`
            automate/Base/Lab/Box.class/habit.yaml:6:14: error[UnknownVariable]: there is no variable `no`
              help: write `true` or `false`
            automate/Base/Lab/Box.class/in_block.yaml:8:9: error[UnknownVariable]: there is no variable `evnt`
              help: did you mean `event`?
            automate/Base/Lab/Box.class/in_quotes.yaml:6:14: error[UnknownVariable]: there is no variable `evnt`
              help: did you mean `event`?
            automate/Base/Lab/Box.class/of_evm.yaml:6:18: error[UnknownVariable]: `evm` has no `rot`
              help: did you mean `root`?
            automate/Base/Lab/Box.class/variable.yaml:6:14: error[UnknownVariable]: there is no variable `evnt`
              help: did you mean `event`?
            automate/Base/Lab/Box.class/column.yaml:6:20: warning[UnknownColumn]: an event has no `vm_nmae`, unless a parser gives it one
              help: did you mean `vm_name`?
        "#]],
    );
}

// Methods and scripts.

#[test]
fn methods() {
    check_lab(
        &[
            method("unknown", "    location: builtin\n    data: refesh\n"),
            method("elsewhere", "    location: playbook\n"),
            method("odd", "    location: inlien\n"),
            method("ruby", "    location: inline\n    language: ruby\n"),
            method("bodiless", "    location: inline\n    language: rhai\n"),
            method("broken", "    location: inline\n    language: rhai\n"),
            "//- automate/Base/Lab/Box.class/__methods__/broken.rhai\nlet x = ;\n".to_owned(),
            method(
                "inside",
                "    location: inline\n    language: rhai\n    data: 'let x = ;'\n",
            ),
        ]
        .concat(),
        &expect![[r#"
            automate/Base/Lab/Box.class/__methods__/unknown.yaml:5:11: error[MethodNotFound]: there is no builtin `refesh`; a call of `unknown` fails
              help: did you mean `refresh`?
            automate/Base/Lab/Box.class/__methods__/broken.rhai:1:9: error[ScriptSyntax]: Unexpected ';'
            automate/Base/Lab/Box.class/__methods__/inside.yaml:6:20: error[ScriptSyntax]: line 1 of `data`: Unexpected ';'
            automate/Base/Lab/Box.class/__methods__/ruby.yaml:5:15: warning[MethodLanguage]: the method is written in ruby; a call of it fails with InvalidMethod
              help: write it in Rhai here, or in a domain of higher priority
            automate/Base/Lab/Box.class/__methods__/elsewhere.yaml:4:15: warning[MethodLocation]: a method with the location `playbook` does not run here; a call of `elsewhere` fails
            automate/Base/Lab/Box.class/__methods__/odd.yaml:4:15: warning[MethodLocation]: a method with the location `inlien` does not run here; a call of `odd` returns nothing
              help: did you mean `inline`?
            automate/Base/Lab/Box.class/__methods__/bodiless.yaml:3:5: warning[MethodWithoutBody]: the method has no body: neither automate/Base/Lab/Box.class/__methods__/bodiless.rhai nor `data`; a call of it does nothing
        "#]],
    );
}

#[test]
fn scripts_that_do_not_compile() {
    check(
        "//- scripts/actions/conflict.rhai\nlet a = 1;\n<<<<<<< HEAD\nlet b = 1;\n=======\nlet b = 2;\n>>>>>>> theirs\n\
         //- scripts/actions/reserved.rhai\nlet x = evm.event.full_data.new;\n\
         //- scripts/actions/quotes.rhai\nevm.log('info', 1);\n",
        &expect![[r#"
            scripts/actions/conflict.rhai:2:1: error[MergeConflict]: a merge left its conflict in the file
              help: choose between what stands above and below `=======`, and take out the lines of the marks
            scripts/actions/quotes.rhai:1:9: error[ScriptSyntax]: Invalid character: 'info'
              help: a text of a script stands in double quotes
            scripts/actions/reserved.rhai:1:29: error[ScriptSyntax]: 'new' is a reserved keyword
              help: `new` is a word of the language: write `["new"]` in place of `.new`
        "#]],
    );
}

#[test]
fn scripts_of_providers() {
    check(
        "//- scripts/cloud/event_parser.rhai\nfn event_to_has(event, ems_id) { #{} }\n\
         //- scripts/lib/times.rhai\nfn broken( {\n\
         //- scripts/silent/stream.rhai\nfn native_event(message) { message }\n",
        &expect![[r#"
            scripts/cloud/event_parser.rhai:1:1: error[ScriptFunction]: the script defines none of the functions it is called for: `event_to_hash` with 2 or 3 parameters
            scripts/lib/times.rhai:1:12: error[ScriptSyntax]: Expecting ')' to close the parameters list of function 'broken'
            scripts/silent/stream.rhai:1:1: warning[EventParserMissing]: `silent` is no provider: there is no event_parser.rhai beside this script
              help: add silent/event_parser.rhai with `fn event_to_hash(event, ems_id)`; until then its events are not parsed
        "#]],
    );
}

/// It would take 200,000 files.
const UNTESTED: &str = "TooMuch";

/// Every code that stands in the source beside what makes a finding is in the text of a test.
#[test]
fn every_code_is_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut codes = BTreeSet::new();
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(path).unwrap();
            for maker in [
                "Diagnostic::error(",
                "Diagnostic::warning(",
                "problem(",
                "at_key(",
                "code: ",
            ] {
                let codes_here = text.split(maker).skip(1).filter_map(|after| {
                    let word = after.trim_start().strip_prefix('"')?.split('"').next()?;
                    let is_code =
                        word.starts_with(char::is_uppercase) && word.chars().all(char::is_alphanumeric);
                    is_code.then(|| word.to_owned())
                });
                codes.extend(codes_here);
            }
        }
    }
    assert!(codes.len() > 30, "{codes:?}");
    let tests = [
        "diagnostics.rs",
        "diagnostics_across_files.rs",
        "settings.rs",
        "source_tree.rs",
        "reload_watch.rs",
    ];
    let tests = tests.map(|name| fs::read_to_string(root.join("tests/it").join(name)).unwrap());
    codes.retain(|code| {
        !tests
            .iter()
            .any(|text| text.contains(&format!("[{code}]")) || text.contains(&format!("\"{code}\"")))
    });
    codes.remove(UNTESTED);
    assert_eq!(codes, BTreeSet::new(), "codes without a test");
}
