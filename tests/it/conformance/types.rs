//! Datatypes, null coalescing and what becomes of a field's text (statements C21 to C23, sections 1.5 to 1.7, 4.7).

use crate::conformance::Tree;
use crate::conformance::attributes;
use crate::conformance::check;
use crate::conformance::check_ends;
use crate::conformance::ended;
use crate::conformance::request;
use crate::conformance::run;
use switchboard::switchboard::SimulationRequest;

fn fixture_b() -> Tree {
    let fields = [
        "b:at:boolean",
        "i:at:integer",
        "f:at:float",
        "a:at:array",
        "s:at:symbol",
        "n:at:null coalescing=${#zip} || ${/No/Such/Obj#x} || fallback",
        "u:=never",
        "lit:at=${#b}",
        "lit.substitute=false",
    ];
    Tree::default()
        .domain("Base", 1)
        .class("Lab/Types", &fields)
        .instance("one", &["b=TRUE", "i=12abc", "f=2.5x", "a=[a, b,c ]", "s=sym"])
        .instance("two", &["b=yes", "i=", "n=${#i} || x"])
}

#[test]
fn values_are_converted() {
    check_ends(
        &fixture_b(),
        &[
            (
                "C21",
                "/Base/Lab/Types/one",
                "a=[\"a\",\"b\",\"c\"] b=true f=2.5 i=12 lit='${#b}' n='fallback' s=':sym'",
            ),
            ("C22", "/Lab/Types/two", "b='yes' lit='${#b}' n='x'"),
            (
                "C23",
                "/Lab/Types/one?zip=90210",
                "a=[\"a\",\"b\",\"c\"] b=true f=2.5 i=12 lit='${#b}' n='90210' s=':sym' zip='90210'",
            ),
        ],
    );
}

/// What a field of a datatype makes of a text.
fn converted(question: &str) -> String {
    let (datatype, text) = question.split_once('|').unwrap();
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/One", &[&format!("x:at:{datatype}")])
        .instance("i", &[&format!("x={text}")]);
    let document = tree.run("/Lab/One/i");
    assert_eq!(document["errors"], serde_json::json!([]), "{question}");
    attributes(&document["root"]["attributes"])
}

#[test]
fn each_datatype_converts_as_in_section_1_6() {
    check(
        &[
            ("row 2", "boolean|true", "x=true"),
            ("row 2", "boolean|FALSE", "x=false"),
            ("row 2", "boolean|1", "x=true"),
            ("row 2", "boolean|0", "x=false"),
            ("row 2", "boolean|t", "x='t'"),
            ("row 2", "boolean|10", "x='10'"),
            ("row 4", "time|2026-01-31T10:00:00Z", "x='2026-01-31T10:00:00Z'"),
            ("row 4", "time|2026-01-31 10:00:00", "x='2026-01-31T10:00:00Z'"),
            ("row 5", "symbol|abc", "x=':abc'"),
            ("row 6", "integer|x", "x=0"),
            ("row 6", "integer|-7 apples", "x=-7"),
            ("row 6", "integer| 42", "x=42"),
            ("row 7", "float|x", "x=0.0"),
            ("row 7", "float|-1.5e2z", "x=-150.0"),
            ("row 7", "float|7", "x=7.0"),
            ("row 8", "array|a", "x=[\"a\"]"),
            ("row 8", "array|[[a],[b]]", "x=[\"a\",\"b\"]"),
            ("row 8", "array|a,,b,,", "x=[\"a\",\"\",\"b\"]"),
            ("row 8", "array|[]", "x=[]"),
            ("row 9", "password|hunter2", "x='********'"),
            ("row 2", "boolean|1.0", "x='1.0'"),
            ("row 4", "Time|2026-01-31T10:00:00Z", "x='2026-01-31T10:00:00Z'"),
            (
                "row 4",
                "time|2026-01-31T10:00:00+02:00",
                "x='2026-01-31T08:00:00Z'",
            ),
            ("row 5", "Symbol|two words", "x=':two words'"),
            ("row 6", "Integer|45", "x=45"),
            ("row 6", "INTEGER|-45.9", "x=-45"),
            ("row 6", "integer|+7", "x=7"),
            ("row 7", "Float|1e3", "x=1000.0"),
            ("row 7", "float|.5", "x=0.5"),
            ("row 8", "array|[a,\tb]", "x=[\"a\",\"b\"]"),
            ("row 8", "array| a , b ", "x=[\"a\",\"b\"]"),
            ("row 12", "string|12", "x='12'"),
            ("row 12", "null coalescing|a || b", "x='a'"),
        ],
        converted,
    );
}

#[test]
fn a_record_is_fetched_by_its_number() {
    let fields = ["x:at:vm", "y:at:ems", "z:at:host=${#id}"];
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/One", &fields)
        .instance("vm", &["x=5"])
        .instance("padded", &["x= 5 "])
        .instance("blank", &["x= "])
        .instance("none", &[])
        .instance("absent", &["x=6"])
        .instance("word", &["x=web"])
        .instance("ems", &["y=2"])
        .instance("given", &["z=${#id}"]);
    let records = serde_json::json!({"Vm": {"5": {}}, "ExtManagementSystem": {"2": {}}, "Host": {"3": {}}});
    let (switchboard, _) = tree.load();
    check(
        &[
            ("row 10", "vm", "x={\"class\":\"Vm\",\"id\":5} z=''"),
            ("row 10", "padded", "x={\"class\":\"Vm\",\"id\":5} z=''"),
            ("row 1", "blank", "z=''"),
            ("row 1", "none", "z=''"),
            ("row 10", "absent", "abort ServiceNotFound"),
            ("row 10", "word", "abort ServiceNotFound"),
            (
                "row 10",
                "ems",
                "y={\"class\":\"ExtManagementSystem\",\"id\":2} z=''",
            ),
            ("row 10", "given?id=3", "id='3' z={\"class\":\"Host\",\"id\":3}"),
        ],
        |instance| {
            let request = SimulationRequest {
                records: Some(records.clone().into()),
                ..request(&format!("/Lab/One/{instance}"))
            };
            ended(&run(&switchboard, &request))
        },
    );
}

#[test]
fn null_coalescing_takes_the_first_part_that_is_not_blank() {
    let fields = [
        "v:at:null coalescing=${#a} || ${#b} || dflt",
        "w:at:null coalescing",
        "a:at",
    ];
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/N", &fields)
        .instance("none", &[])
        .instance("empty", &["v="])
        .instance("faults", &["v=${x} || ${Nope/P#x} || ${#a b}"])
        .instance("last", &["v=${#a} || ${#b}"])
        .instance("vars", &["v=${state_var#x} || ${/#a.size}"]);
    check_ends(
        &tree,
        &[
            ("4.7", "/Lab/N/none", "v='dflt'"),
            ("4.7", "/Lab/N/none?b=2", "b='2' v='2'"),
            ("4.7", "/Lab/N/none?b=2&a=1", "a='1' b='2' v='1'"),
            ("G25", "/Lab/N/empty", "v=''"),
            ("4.7", "/Lab/N/faults", ""),
            ("4.7", "/Lab/N/last", "v=''"),
            ("4.7", "/Lab/N/vars?a=abc", "a='abc' v='3'"),
        ],
    );
}

#[test]
fn null_coalescing_serves_every_kind_of_field() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/Leaf", &["n:at=leaf"])
        .instance("x", &[])
        .class(
            "Lab/N",
            &[
                "r:re:null coalescing",
                "r.collect=n",
                "m:me:null coalescing",
                "g:as:null coalescing",
            ],
        )
        .instance("rel", &["r=${#no} || /Lab/Leaf/x"])
        .instance("meth", &["m=${#no} || set"])
        .instance("guard", &["g=false || 1 == 2"])
        .method("set", &[], "evm.root.ran = 1;");
    check_ends(
        &tree,
        &[
            ("4.7", "/Lab/N/rel", "n='leaf'"),
            ("4.7", "/Lab/N/meth", "ran=1"),
            ("4.7", "/Lab/N/guard", "none"),
        ],
    );
}

#[test]
fn a_blank_value_gives_way_to_the_default() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/Wheel", &["size:at=5"])
        .instance("std", &[])
        .instance("big", &["size=9"])
        .class(
            "Lab/Car",
            &["colour:at=red", "rel:re=/Lab/Wheel/std", "rel.collect=size"],
        )
        .instance("a", &[])
        .instance("b", &["colour=", "rel=  "])
        .instance("c", &["rel=#", "rel.collect="])
        .instance("d", &["rel=/Lab/Wheel/big", "rel.collect=n = size"]);
    check_ends(
        &tree,
        &[
            ("1.7", "/Lab/Car/a", "colour='red' size='5'"),
            ("1.7", "/Lab/Car/b", "colour='red' size='5'"),
            ("1.7", "/Lab/Car/c", "colour='red'"),
            ("1.7", "/Lab/Car/d", "colour='red' n='9'"),
        ],
    );
}

#[test]
fn passwords_are_masked_everywhere() {
    let fields = [
        "pw:at:password=hunter2",
        "text:at=pw is ${#pw}",
        "list:at",
        "list.collect=all = [pw, text]",
        "m:me=show",
        "kid:re=/Lab/Kid/k?got=${#pw}",
    ];
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/Kid", &["up:at=${..#pw}"])
        .instance("k", &[])
        .class("Lab/Safe", &fields)
        .instance("s", &[])
        .instance("own", &["pw=swordfish"])
        .method(
            "show",
            &[],
            r#"
            evm.root.seen = "" + evm.object.pw;
            evm.root.copy = evm.object["pw"];
            evm.root.all = evm.object.attributes().to_json();
            evm.root.fields = evm.instance_get("/Base/Lab/Safe/own");
            evm.set_state_var("kept", evm.object.pw);
            evm.root.is_one = evm.object.is_encrypted("PW") && !evm.object.is_encrypted("text");
            evm.root.length = evm.object.decrypt("pw").len;
        "#,
        );
    for uri in ["/Lab/Safe/s", "/Lab/Safe/own"] {
        let document = tree.run(uri);
        assert_eq!(document["errors"], serde_json::json!([]), "{document:#}");
        let text = document.to_string();
        assert!(
            !text.contains("hunter2") && !text.contains("swordfish"),
            "{document:#}"
        );
        assert_eq!(document["root"]["attributes"]["pw"], "********");
        assert_eq!(document["root"]["attributes"]["text"], "pw is ********");
        assert_eq!(document["root"]["attributes"]["seen"], "********");
        assert_eq!(document["root"]["attributes"]["is_one"], true);
        let length = if uri.ends_with("own") {
            "swordfish"
        } else {
            "hunter2"
        }
        .len();
        assert_eq!(document["root"]["attributes"]["length"], length);
    }
}
