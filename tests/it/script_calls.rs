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
            "if evm.root { url_decode() }",
            "1:15: error[UnknownFunction]: `url_decode(…)` is called with no argument | it takes 1",
        ),
        (
            "evm.lgo(\"info\", 1)",
            "1:5: error[UnknownFunction]: there is no function `.lgo(…)` | did you mean `log`?",
        ),
        (
            "evm.set_state_var(\"x\")",
            "1:5: error[UnknownFunction]: `.set_state_var(…)` is called with 1 argument | it takes 2",
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
        (
            "evm.root.lgo(1)",
            "1:10: warning[UnknownFunction]: there is no function `.lgo(…)` | did you mean `log`?",
        ),
        (
            "nams::label(1)",
            "1:7: error[UnknownFunction]: nothing is imported as `nams` | ",
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
fn a_variable_that_nobody_defines_is_a_finding_with_advice() {
    for (script, expected) in [
        (
            "evm.root[\"x\"] = foo;",
            "1:17: error[UnknownVariable]: there is no variable `foo` | ",
        ),
        (
            "evn.log(\"info\", 1)",
            "1:1: error[UnknownVariable]: there is no variable `evn` | did you mean `evm`?",
        ),
        (
            "let count = 1;\nif cuont > 0 { evm.log(\"info\", cuont) }",
            "2:4: error[UnknownVariable]: there is no variable `cuont` | did you mean `count`?",
        ),
        (
            "if true { let x = 1; } evm.log(\"info\", x)",
            "1:40: error[UnknownVariable]: there is no variable `x` | ",
        ),
        (
            "count = 1;",
            "1:1: error[UnknownVariable]: there is no variable `count` | ",
        ),
        (
            "let f = |a| a + b; f.call(1);",
            "1:17: error[UnknownVariable]: there is no variable `b` | ",
        ),
        (
            "evm.log(\"info\", None);",
            "1:17: error[UnknownVariable]: there is no variable `None` | write `()` for nothing",
        ),
        (
            "if evm.root.x == True { exit(1) }",
            "1:18: error[UnknownVariable]: there is no variable `True` | write `true` or `false`",
        ),
        (
            "fn f() { evm.root }\nf()",
            "1:10: error[UnknownVariable]: there is no variable `evm` | a function sees its parameters and what it defines itself: let it take `evm` as a parameter",
        ),
        (
            "const MOST = 3;\nfn f(n) { n > MOST }\nf(1)",
            "2:15: error[UnknownVariable]: there is no variable `MOST` | a function sees the constants of its script as `global::MOST`",
        ),
        (
            "const MOST = 3;\nfn f(n) { n > global::MSOT }\nf(1)",
            "2:23: error[UnknownVariable]: the script has no constant `MSOT` | did you mean `MOST`?",
        ),
        (
            "evm.rot.x",
            "1:5: error[UnknownVariable]: `evm` has no `rot` | did you mean `root`?",
        ),
        (
            "import \"lib/nams\" as names;",
            "1:8: error[UnknownVariable]: there is no module `lib/nams` | did you mean `lib/names`?",
        ),
        (
            "import \"lib/names\" as names;\nlet x = names::MOST;",
            "2:16: error[UnknownVariable]: the module `lib/names` exports no `MOST` | ",
        ),
        (
            "let x = nams::MOST;",
            "1:15: error[UnknownVariable]: nothing is imported as `nams` | ",
        ),
    ] {
        let found = findings_of_action(script);
        let expected = format!("scripts/actions/act.rhai:{expected}");
        assert_eq!(found, [expected], "{script}");
    }
    let of_provider = findings(
        "//- scripts/cloud/event_parser.rhai\nfn event_to_hash(event, ems_id) { #{ event_type: evnt.type } }\n",
    );
    assert_eq!(
        of_provider,
        [
            "scripts/cloud/event_parser.rhai:1:50: error[UnknownVariable]: there is no variable `evnt` | did you mean `event`?"
        ]
    );
    let of_module = findings("//- scripts/lib/names.rhai\nfn label(id) { `vm ${ids}` }\n");
    assert_eq!(
        of_module,
        [
            "scripts/lib/names.rhai:1:22: error[UnknownVariable]: there is no variable `ids` | did you mean `id`?"
        ]
    );
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
        "let x = 1; let f = |a| a + x; f.call(2); let g = |a| { let b = a; |c| b + c + x }; g.call(1);",
        "const MOST = 3; fn f(n) { n > global::MOST } f(evm.root.x);",
        "let ids = [1]; for id in ids { let all = ids.map(|other| `${ids[id]}/${other}`); evm.log(\"info\", all) }",
        "fn f(ids) { for a in ids { let x = ids.filter(|id| id == a); x.len(); } } f([1]);",
        "fn f() { this.x } fn g(a) { let b = a; { let c = b; c } } f.call(); g(1);",
        "fn twice(n) { n * 2 } let f = twice; f.call(1);",
        "if is_def_var(\"maybe\") { evm.log(\"info\", maybe) }",
        "switch evm.root.x { 7 if evm.object == () => evm.object, 1..5 => evm.root, _ => () }",
        "let x = #{ a: 1 }; x.a = 2; x[\"b\"] = x.a; let y = x.a?.b?.c ?? 1; y += 1; exit(MIQ_STOP);",
        "let i = 0; while i < 3 { i += 1; } do { i -= 1; } until i == 0; loop { break; } let http_ = type_of(http);",
        "evm.inputs.x; evm.current.x; evm.parent; evm.current_message + evm.current_method + evm.current_class;",
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
