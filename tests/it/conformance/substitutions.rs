//! Substitution: paths, chains, what is absent (statements C59 to C73, sections 4.11 and 4.12).

use crate::conformance::Tree;
use crate::conformance::check;
use crate::conformance::check_ends;
use crate::conformance::check_objects;
use crate::conformance::ended;
use crate::conformance::request;
use crate::conformance::run;
use switchboard::switchboard::SimulationRequest;

fn fixture_f() -> Tree {
    Tree::default()
        .domain("Base", 1)
        .class("Lab/P", &["early:re", "x:at=px", "rel:re"])
        .instance("p", &["early=/Lab/Q/early", "rel=/Lab/Q/${#x}"])
        .instance("of", &["rel=/Lab/Q/${#to}"])
        .class("Lab/Q", &["v:at", "w:at", "z:at"])
        .instance("early", &["v=x=[${..#x}]"])
        .instance("px", &["v=found"])
        .instance("anc", &["v=${P#x}", "w=${lab/p#X}", "z=${/Lab/P#x}"])
        .instance("up", &["v=${..#x}", "w=${/#x}", "z=${../.#x}"])
        .instance("selfs", &["v=abc", "w=${.#v}", "z=${/.#v}${/./..#x}"])
        .instance("nope", &["v=${Nope/P#x}"])
        .instance("domain", &["v=${Base/Lab/P#x}"])
        .instance("grand", &["v=${../..#x}"])
        .instance("above", &["v=${../../..#x}"])
        .instance(
            "words",
            &["v=[${#nothing}]", "w=${#v.upcase} ${#v.size}", "z=${}"],
        )
        .instance("explode", &["v=abc", "z=${#v.explode}!"])
        .instance("bare", &["v=${x}"])
        .instance("blank", &["v=${#a b}"])
        .instance("var", &["v=${state_var#n}", "w=${STATE_VAR#n.size}"])
        .instance("var2", &["v=${/state_var#n}"])
        .instance("chain", &["v=abc", "w=${#v.upcase}"])
        .instance("far", &["v=${miqaedb:/Lab/Q/chain/w}"])
        .instance("o2", &["v=theirs", "w=${#v}"])
        .instance("mine", &["v=mine", "w=${miqaedb:/Lab/Q/o2/w}"])
        .instance("mixed", &["v=a${#v}b", "w=${#V}-${#v}", "z=${#w"])
        .instance("missed", &["v=${miqaedb:/Lab/Q/nothere/v}", "w=w"])
        .instance("scheme", &["v=${http://host//x}", "w=${!current_message}"])
        .instance("word", &["v=${!other}"])
        .instance("self", &["v=${miqaedb:/Lab/Q/self/v}"])
}

#[test]
fn references_reach_ancestors_and_the_root() {
    check_objects(
        &fixture_f(),
        &[
            ("C59", "/Lab/P/p", "p{x='px'}(early{v='x=[]'} px{v='found'})"),
            (
                "C61",
                "/Lab/P/of?to=anc",
                "of{to='anc' x='px'}(anc{v='px' w='px' z='px'})",
            ),
            (
                "C62",
                "/Lab/P/of?to=up",
                "of{to='up' x='px'}(up{v='px' w='px' z='px'})",
            ),
            (
                "4.11",
                "/Lab/P/of?to=selfs",
                "of{to='selfs' x='px'}(selfs{v='abc' w='abc' z='abcpx'})",
            ),
        ],
    );
    check_ends(
        &fixture_f(),
        &[
            ("C63", "/Lab/Q/up", "abort ObjectNotFound"),
            ("C64", "/Lab/P/of?to=nope", "abort ObjectNotFound"),
            ("G22", "/Lab/P/of?to=domain", "abort ObjectNotFound"),
            ("4.12", "/Lab/P/of?to=grand", "abort ObjectNotFound"),
            ("4.12", "/Lab/P/of?to=above", "abort ParentNotFound"),
            ("C66", "/Lab/Q/words", "v='[]' w='[] 2' z='${}'"),
            ("C67", "/Lab/Q/explode", "v='abc' z='!'"),
            ("C68", "/Lab/Q/bare", "abort AttributeMissingInReference"),
            ("C69", "/Lab/Q/blank", "abort InvalidPathFormat"),
            ("C71", "/Lab/Q/var", "v='' w=''"),
            ("4.11", "/Lab/Q/var2", "abort ObjectNotFound"),
            ("C72", "/Lab/Q/far", "v=''"),
            ("C73", "/Lab/Q/mine", "v='mine' w='mine'"),
            ("4.11", "/Lab/Q/mixed", "v='ab' w='ab-ab' z='${#w'"),
            ("G51", "/Lab/Q/missed", " ! ClassNotFound"),
            ("4.11", "/Lab/Q/scheme", "v='http:/host/x' w='create'"),
            ("4.11", "/Lab/Q/scheme#Ping", ""),
            ("4.11", "/Lab/Q/word", "abort MethodNotFound"),
            ("4.11", "/Lab/Q/self", "abort DepthLimit"),
        ],
    );
}

#[test]
fn state_variables_are_read_by_their_name() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class(
            "Lab/V",
            &["m:me=set", "v:at=${state_var#n}", "w:at=${STATE_VAR#n.length}"],
        )
        .instance("i", &[])
        .method("set", &[], "evm.set_state_var(\"n\", 45);");
    check_ends(&tree, &[("C71", "/Lab/V/i", "v='45' w=''")]);
}

/// What `${#x<chain>}` gives for an attribute made by a method.
fn chained(question: &str) -> String {
    let (value, chain) = question.split_once(" | ").unwrap();
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/V", &["m:me=set", &format!("v:at=<${{#x{chain}}}>")])
        .instance("i", &[])
        .method("set", &[], &format!("evm.object.x = {value};"));
    let document = tree.run("/Lab/V/i");
    document["root"]["attributes"]["v"]
        .as_str()
        .unwrap_or("absent")
        .to_owned()
}

#[test]
fn chains_call_a_fixed_list_of_methods() {
    check(
        &[
            ("chains", "\"aBc\" | .upcase", "<ABC>"),
            ("chains", "\"aBc\" | .downcase", "<abc>"),
            ("chains", "\"aBC\" | .capitalize", "<Abc>"),
            ("chains", "\"  a \" | .strip", "<a>"),
            ("chains", "\"abc\" | .length", "<3>"),
            ("chains", "\"abc\" | .size", "<3>"),
            ("chains", "\"abc\" | .reverse", "<cba>"),
            ("chains", "\"abc\" | .first", "<a>"),
            ("chains", "\"abc\" | .last", "<c>"),
            ("chains", "\"12x\" | .to_i", "<12>"),
            ("chains", "\"x\" | .to_s.upcase.reverse.downcase", "<x>"),
            ("chains", "[1, 2, 3] | .first", "<1>"),
            ("chains", "[1, 2, 3] | .last", "<3>"),
            ("chains", "[1, 2, 3] | .reverse.first", "<3>"),
            ("chains", "[1, 2, 3] | .size", "<3>"),
            ("chains", "[] | .first", "<>"),
            ("chains", "#{a: 1, b: 2} | .keys.first", "<a>"),
            ("chains", "#{a: 1, b: 2} | .values.last", "<2>"),
            ("chains", "#{a: 1} | .length", "<1>"),
            ("chains", "#{email: \"me\"} | .get_option(:email)", "<me>"),
            ("chains", "#{email: \"me\"} | .get_option(email)", "<me>"),
            ("chains", "#{email: \"me\"} | .get_option(:other)", "<>"),
            ("chains", "4.7 | .to_i", "<4>"),
            ("chains", "7 | .to_s.size", "<1>"),
            ("chains", "7 | .upcase", "<>"),
            ("chains", "() | .size", "<>"),
            ("chains", "() | .to_s", "<>"),
            ("chains", "\"abc\" | .upcase(1)", "<ABC>"),
            ("chains", "true | ", "<true>"),
            ("chains", "1.0 | ", "<1.0>"),
        ],
        chained,
    );
}

#[test]
fn a_column_of_a_record_is_a_step() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class(
            "Lab/V",
            &[
                "v:at=${#vm.name.upcase}",
                "w:at=${#vm.host.name}",
                "x:at=<${#vm.nothing}>",
                "y:at=<${#vm.auth_key}${#vm.root_password}>",
            ],
        )
        .instance("i", &[]);
    let records = serde_json::json!({"Vm": {"5": {"name": "web", "auth_key": "s3", "root_password": "s3", "host": {"name": "h"}}}});
    let request = SimulationRequest {
        records: Some(records.into()),
        ..request("/Lab/V/i?vm::vm=5")
    };
    let found = ended(&run(&tree.load().0, &request));
    assert_eq!(found, "v='WEB' vm={\"class\":\"Vm\",\"id\":5} w='' x='<>' y='<>'");
}

#[test]
fn any_object_of_the_run_is_found_by_its_path() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class(
            "Lab/Top",
            &[
                "a:re=/Lab/One/first",
                "b:re=/Lab/One/second",
                "g:re=/Lab/One/ghost",
                "c:re=/Lab/Two/${#see}",
            ],
        )
        .instance("t", &[])
        .class("Lab/One", &["n:at"])
        .instance("first", &["n=1"])
        .instance("second", &["n=2"])
        .instance(".missing", &["n=m"])
        .class("Lab/Two", &["v:at"])
        .instance("full", &["v=${Base/Lab/One/second#n}"])
        .instance("short", &["v=${/Lab/One/SECOND#n}"])
        .instance("glob", &["v=${Lab/One/s*#n}"])
        .instance("any", &["v=${Lab/One/*#n}"])
        .instance("ghost", &["v=${Lab/One/ghost#n}"])
        .instance("filed", &["v=${Lab/One/.missing#n}"]);
    let (switchboard, _) = tree.load();
    let answer = |see: &str| {
        let document = run(&switchboard, &request(&format!("/Lab/Top/t?see={see}")));
        let value = document.pointer("/workspace/0/children/3/attributes/v").cloned();
        value.map_or_else(|| ended(&document), |value| value.to_string())
    };
    check(
        &[
            ("4.12", "full", "\"2\""),
            ("4.12", "short", "\"2\""),
            ("4.12", "glob", "\"2\""),
            ("4.12", "any", "\"1\""),
            ("4.12", "ghost", "abort ObjectNotFound"),
            ("4.12", "filed", "\"m\""),
        ],
        answer,
    );
}
