//! Calls of functions that do not exist: found at load, and nothing else is.

use switchboard::source::Root;
use switchboard::source::RootKind;
use switchboard::source::SourceTree;
use switchboard::switchboard::Switchboard;

fn findings(text: &str) -> Vec<String> {
    let loaded = Switchboard::load(&SourceTree::from_fixture(text), None);
    let line = |finding: &switchboard::source::Diagnostic| format!("{finding} | {}", finding.help);
    loaded.diagnostics.iter().map(line).collect()
}

fn findings_of_action(script: &str) -> Vec<String> {
    let lib = "//- scripts/lib/names.rhai\nfn label(id) { `vm ${id}` }\nprivate fn own() { 1 }\n";
    findings(&format!("{lib}//- scripts/actions/act.rhai\n{script}\n"))
}

#[test]
fn a_call_that_cannot_succeed_is_a_finding_with_advice() {
    for (script, expected) in [
        (
            "parse_jsn(\"1\")",
            "1:1: error[UnknownFunction]: there is no function `parse_jsn(…)` | did you mean `parse_json`?",
        ),
        (
            "let x = [1, zebra(2)];",
            "1:13: error[UnknownFunction]: there is no function `zebra(…)` | ",
        ),
        (
            "fn twice(n) { n * 2 }\ntwise(1)",
            "2:1: error[UnknownFunction]: there is no function `twise(…)` | did you mean `twice`?",
        ),
        (
            "fn twice(n) { n * 2 }\ntwice(1, 2)",
            "2:1: error[UnknownFunction]: `twice(…)` is called with 2 arguments | it takes 1",
        ),
        (
            "if evm.x { url_decode() }",
            "1:12: error[UnknownFunction]: `url_decode(…)` is called with no argument | it takes 1",
        ),
        (
            "evm.lgo(\"info\", 1)",
            "1:5: warning[UnknownFunction]: there is no function `.lgo(…)` | did you mean `log`?",
        ),
        (
            "evm.set_state_var(\"x\")",
            "1:5: warning[UnknownFunction]: `.set_state_var(…)` is called with 1 argument | it takes 2",
        ),
        (
            "let f = |x| lenght(x);",
            "1:13: error[UnknownFunction]: there is no function `lenght(…)` | ",
        ),
        (
            "import \"lib/names\" as names;\nnames::lable(1)",
            "2:8: error[UnknownFunction]: the module `lib/names` has no function `lable` | did you mean `label`?",
        ),
        (
            "import \"lib/names\" as names;\nnames::label()",
            "2:8: error[UnknownFunction]: `names::label(…)` is called with no argument | it takes 1",
        ),
    ] {
        let found = findings_of_action(script);
        assert_eq!(
            found,
            [format!("scripts/actions/act.rhai:{expected}")],
            "{script}"
        );
    }
}

#[test]
fn what_may_succeed_is_no_finding() {
    for script in [
        "let a = [1, 2].map(|x| x + 1).filter(|x| x > 1).reduce(|sum, x| sum + x, 0);",
        "let m = #{ run: |x| x + 1 }; m.run(1);",
        "let m = #{}; m.run = |x| x + 1; m.run(1);",
        "let m = #{}; m[\"run\"] = |x| x + 1; m.run(1);",
        "let f = |x| x; f.call(1); call(f, 1); f.curry(1).call(); Fn(\"zebra\");",
        "fn own() { this += 1; } let x = 1; x.own(); ",
        "fn own(n) { this + n } let x = 1; x.own(2);",
        "import \"lib/names\" as names; names::label(1); let s = names::label(2).to_upper();",
        "if is_def_fn(\"zebra\", 1) { zebra(1) }",
        "print(1); debug(2); type_of(3); 4.type_of(); is_shared(5); let s = `${1 + 2}`; let c = 1 in [1];",
        "for i in range(0, 3) { let x = -i; let y = !true; let z = x ** 2; }",
        "let t = targets(); t.add(\"vms\", 1); t.add(\"vms\", 1, #{}); t.add_all(\"vms\"); t.collect(#{}, #{}); t.len();",
        "let t = \"text\"; t.replace(\"a\", \"b\"); t.contains(\"x\"); t.sub_string(1, 2).trim(); t.split(\",\").len(); t.at(\"/a\");",
        "let m = #{ a: 1 }; m.keys(); m.values(); m.remove(\"a\"); m.contains(\"a\"); m += #{ b: 2 }; m.to_json(); to_json(m);",
        "evm.log(\"info\", evm.root.attributes()); evm.object.children(\"rel1\"); evm.object(\"..\"); evm.vmdb(\"Vm\", 1); evm.deliver(#{ log: \"x\" });",
        "evm.object.name(); evm.inputs.keys(); evm.hash_to_query(#{}); evm.instance_find(\"/A/B/*\"); exit(MIQ_OK); exit();",
        "try { throw 1 } catch (e) { evm.log(\"error\", e) } switch 1 { 1 if abs(2) > 1 => max(1, 2), _ => 0 }",
    ] {
        assert_eq!(findings_of_action(script), [""; 0], "{script}");
    }
}

#[test]
fn the_scripts_that_are_shipped_call_only_what_exists() {
    let root = |folder: &str, kind| Root {
        kind,
        folder: std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
        required: true,
    };
    let roots = [
        root("automate", RootKind::Automate),
        root("scripts", RootKind::Scripts),
    ];
    let tree = SourceTree::from_disk(&roots).unwrap();
    let found: Vec<String> = Switchboard::load(&tree, None)
        .diagnostics
        .iter()
        .filter(|finding| finding.file.ends_with(".rhai"))
        .map(ToString::to_string)
        .collect();
    assert_eq!(found, [""; 0]);
}
