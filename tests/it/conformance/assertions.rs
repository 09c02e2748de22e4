//! Assertions and deletion (statements C74 to C79, sections 4.8 and 4.13).

use crate::conformance::Tree;
use crate::conformance::check;
use crate::conformance::check_ends;
use crate::conformance::check_objects;
use crate::conformance::check_places;

fn fixture_g() -> Tree {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/G", &["g:as", "x:at=1", "kid:re"])
        .instance("false", &["g=false"])
        .instance("nil", &["g=nil"])
        .instance("half", &["g=1 +"])
        .instance("word", &["g=fred"]);
    tree.instance("env", &["g='${/#env}' == 'prod'"])
        .instance("own", &["g=${#x}"])
        .instance("kid", &["g='${..#x}' == '1'"])
        .instance("parent", &["g=true", "kid=/Lab/G/kid"])
        .instance("t", &["g=true", "kid=/Lab/G/f"])
        .instance("f", &["g=false"])
        .instance("object", &["g='${Nope/P#x}' == '1'"])
        .instance("var", &["g=${state_var#no} == 1"])
}

#[test]
fn a_condition_that_is_not_true_takes_its_object_out() {
    check_ends(
        &fixture_g(),
        &[
            ("C74", "/Lab/G/false", "none"),
            ("C74", "/Lab/G/nil", "none"),
            ("C74", "/Lab/G/half", "none"),
            ("C74", "/Lab/G/word", "none"),
            ("C76", "/Lab/G/env?env=prod", "abort AttributeNotFound"),
            ("C77", "/Lab/G/own", "abort AttributeNotFound"),
            ("4.8", "/Lab/G/object", "abort ObjectNotFound"),
            ("4.8", "/Lab/G/var", "abort AttributeNotFound"),
        ],
    );
    check_objects(
        &fixture_g(),
        &[
            ("C74", "/Lab/G/false", "-false{}"),
            ("C78", "/Lab/G/parent", "parent{x='1'}(kid{x='1'})"),
            ("C79", "/Lab/G/t", "t{x='1'}(-f{})"),
        ],
    );
    check_places(
        &fixture_g(),
        &[(
            "C79",
            "/Lab/G/t /workspace/0/relationships",
            "{\"kid\":\"/Base/Lab/G/f\"}",
        )],
    );
}

/// Whether a condition lets its object be.
fn holds(condition: &str) -> String {
    let tree = Tree::default()
        .domain("Base", 1)
        .class(
            "Lab/Top",
            &["n:at=4", "name:at=o'neil", "yes:at=true", "kid:re=/Lab/G/i"],
        )
        .instance("t", &[])
        .class("Lab/G", &["g:as", "x:at=1"])
        .instance("i", &[&format!("g={condition}")]);
    let document = tree.run("/Lab/Top/t");
    assert_eq!(document["errors"], serde_json::json!([]), "{condition}");
    let is_gone = document["workspace"][0]["children"][0]["deleted"] == true;
    if is_gone { "fails" } else { "holds" }.to_owned()
}

#[test]
fn conditions_are_expressions_with_bound_values() {
    check(
        &[
            ("4.8", "true", "holds"),
            // They hold there: docs/differences.md.
            ("4.8", "", "fails"),
            ("4.8", "  ", "fails"),
            ("4.8", "0", "holds"),
            ("4.8", "''", "holds"),
            ("4.8", "()", "fails"),
            ("4.8", "nil", "fails"),
            ("4.8", "${/#n} >= 4", "holds"),
            ("4.8", "${/#n} > 4", "fails"),
            ("4.8", "${/#n} == 4 && ${/#yes}", "holds"),
            ("4.8", "'${/#n}' == '4'", "holds"),
            ("4.8", "'${/#n}' == 4", "fails"),
            ("4.8", "${/#name} == \"o'neil\"", "holds"),
            ("4.8", "'${/#name}' == \"o'neil\"", "holds"),
            ("4.8", "'${/#name}'.contains('neil')", "holds"),
            ("4.8", "['3', '4'].contains('${/#n}')", "holds"),
            ("4.8", "${/#n} == 4 || fred", "holds"),
            ("4.8", "throw 1", "fails"),
            ("4.8", "evm.root.n == '4'", "holds"),
            ("4.8", "evm.root.nothing == ()", "holds"),
            ("4.8", "loop {}", "fails"),
        ],
        holds,
    );
}

#[test]
fn what_a_condition_cuts_off_stands_in_the_trace() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/G", &["g:as", "h:as", "x:at=1", "kid:re=/Lab/G/other"])
        .instance("i", &["g=1 == 2", "h=true"]);
    let document = tree.run("/Lab/G/i");
    let steps: Vec<String> = document["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            format!(
                "{} {} {}",
                step["kind"].as_str().unwrap(),
                step["field"].as_str().unwrap_or("-"),
                step["outcome"].as_str().unwrap()
            )
        })
        .collect();
    let expected = [
        "instance - ok",
        "assertion g failed",
        "assertion h not_reached",
        "attribute x not_reached",
        "relationship kid not_reached",
    ];
    assert_eq!(steps, expected);
    assert_eq!(document["steps"][1]["why"], "`1 == 2` is not true");
}
