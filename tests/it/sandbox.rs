//! Scripts that try to get out, and what becomes of them: each ends soon, its error says where and why, and the
//! next event is served.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use switchboard::model::clock::Timestamp;
use switchboard::model::event::NativeEvent;
use switchboard::source::SourceTree;
use switchboard::switchboard::Limits;
use switchboard::switchboard::Loaded;
use switchboard::switchboard::SimulatedEvent;
use switchboard::switchboard::Simulation;
use switchboard::switchboard::SimulationRequest;
use switchboard::switchboard::Switchboard;

/// Smaller than the defaults where that saves the tests time, and with more time than a debug build on a busy
/// machine takes to come to any of the other limits.
fn limits() -> Limits {
    Limits {
        max_operations: 200_000,
        max_time: Duration::from_secs(30),
        max_memory: 128 << 20,
        ..Limits::default()
    }
}

/// For what only time ends.
fn hurried_limits() -> Limits {
    Limits {
        max_time: Duration::from_millis(300),
        ..limits()
    }
}

/// Far above what any of these takes, and far below what a hang would.
const SOON: Duration = Duration::from_secs(60);

/// Files beside the hostile one: `good` is the event that comes next, `lib/` what may be imported.
const NEIGHBOURS: &str = r#"
//- scripts/actions/good.rhai
evm.root.served = "yes";
//- scripts/lib/loops.rhai
fn forever() {
    loop { }
}
fn throws() { throw "thrown in a module" }
//- scripts/lib/uses_loops.rhai
import "lib/loops" as loops;
fn forever() { loops::forever() }
"#;

fn load(hostile: &str, limits: &Limits) -> Loaded {
    let text = format!("{NEIGHBOURS}//- scripts/actions/hostile.rhai\n{hostile}\n");
    Switchboard::load_within(&SourceTree::from_fixture(&text), None, limits)
}

fn run(switchboard: &Switchboard, action: &str) -> Simulation {
    let request = SimulationRequest {
        event: SimulatedEvent::Uri(format!("/System/event_handlers/{action}")),
        workspace: false,
        deliveries: 1,
        records: None,
    };
    switchboard.simulate(&request, Timestamp::UNIX_EPOCH)
}

/// Runs a hostile script; what the user reads, be it a finding of the load or an error of the run.
fn outcome(hostile: &str, limits: &Limits) -> String {
    let started = Instant::now();
    let loaded = load(hostile, limits);
    let simulation = run(&loaded.switchboard, "hostile");
    let findings = loaded.diagnostics.iter().map(ToString::to_string);
    let errors = simulation.errors.iter().map(|error| error.message.clone());
    let text: Vec<String> = findings.chain(errors).collect();
    assert!(
        started.elapsed() < SOON,
        "took {:?}: {hostile}",
        started.elapsed()
    );
    let next = run(&loaded.switchboard, "good");
    assert_eq!(next.errors, [], "the next event is not served after {hostile}");
    text.join("\n")
}

/// Scripts, each with what the user reads; where it has a place, that is part of it.
#[track_caller]
fn check(cases: &[(&str, &str)]) {
    check_within(&limits(), cases);
}

#[track_caller]
fn check_within(limits: &Limits, cases: &[(&str, &str)]) {
    for (script, expected) in cases {
        let outcome = outcome(script, limits);
        assert!(
            outcome.contains(expected),
            "{script}\nexpected: {expected}\nbut got:  {outcome}"
        );
    }
}

#[test]
fn nothing_is_evaluated_that_was_not_compiled_at_load() {
    check(&[
        (
            "eval(\"1\")",
            "hostile.rhai:1:1: error[ScriptSyntax]: reserved keyword 'eval' is disabled",
        ),
        ("\"1\".eval()", "hostile.rhai:1:5: error[ScriptSyntax]"),
        (
            "let f = Fn(\"eval\"); f.call(\"1 + 1\")",
            "hostile.rhai:1:12: Syntax error: 'eval' is a reserved keyword",
        ),
    ]);
}

#[test]
fn scripts_neither_wait_nor_look_at_a_clock() {
    check(&[
        ("sleep(1000)", "hostile.rhai:1:1: a script cannot sleep"),
        ("sleep(1000.0)", "hostile.rhai:1:1: a script cannot sleep"),
        ("1000.sleep()", "hostile.rhai:1:6: a script cannot sleep"),
        ("1e9.sleep()", "hostile.rhai:1:5: a script cannot sleep"),
        ("let f = Fn(\"sleep\"); f.call(1000)", "a script cannot sleep"),
        ("fn sleep(x) { 1 } sleep(3); throw \"its own\"", "1:29: its own"),
        ("timestamp()", "hostile.rhai:1:1: a script has no clock"),
        ("timestamp().elapsed", "hostile.rhai:1:1: a script has no clock"),
    ]);
}

#[test]
fn modules_come_from_the_lib_folder_and_from_nowhere_else() {
    check(&[
        (
            "import \"/etc/passwd\" as x;",
            "hostile.rhai:1:8: Module not found: /etc/passwd",
        ),
        (
            "import \"../../etc/passwd\" as x;",
            "1:8: Module not found: ../../etc/passwd",
        ),
        ("import \"./hostile\" as x;", "1:8: Module not found: ./hostile"),
        ("import \"hostile\" as x;", "1:8: Module not found: hostile"),
        (
            "import \"actions/good\" as x;",
            "1:8: Module not found: actions/good",
        ),
        ("import \"lib/../actions/good\" as x;", "1:8: Module not found"),
        (
            "import \"file:///etc/passwd\" as x;",
            "1:8: Module not found: file:///etc/passwd",
        ),
        (
            "import \"lib/loops\" as l; l::throws()",
            "scripts/lib/loops.rhai:4:15: thrown in a module",
        ),
        (
            "import \"lib/uses_loops\" as l; l::forever()",
            "stopped: more than 200000 operations",
        ),
        (
            "open(\"/etc/passwd\")",
            "hostile.rhai:1:1: Function not found: open",
        ),
        ("env::var(\"PATH\")", "hostile.rhai:1:6: error[ScriptSyntax]"),
    ]);
}

#[test]
fn loops_and_recursion_end() {
    let operations = "stopped: more than 200000 operations; is there a loop without an end?";
    let depth = "stopped: functions call each other more than 64 deep";
    check(&[
        ("loop { }", &format!("hostile.rhai:1:6: {operations}")),
        ("while true { let x = 1; }", operations),
        ("do { } until false", operations),
        ("for i in 0..9223372036854775807 { let x = i; }", operations),
        ("try { loop { } } catch { evm.root.caught = 1; }", operations),
        (
            "fn deep(n) { deep(n + 1) } deep(0)",
            &format!("hostile.rhai:1:28: {depth}"),
        ),
        ("fn a(n) { b(n) } fn b(n) { a(n) } a(0)", depth),
        ("let f = |f, n| f.call(f, n + 1); f.call(f, 0)", depth),
        (
            "let a = [3, 1, 2]; a.sort(|x, y| { loop { } }); loop { }",
            operations,
        ),
    ]);
}

#[test]
fn nothing_grows_without_a_bound() {
    let text = "stopped: a text, or the texts in one value, grew beyond 1048576 bytes";
    let list = "stopped: a list grew beyond 100000 items, nested ones included";
    let map = "stopped: a map grew beyond 100000 entries, nested ones included";
    let long = "let s = \"x\"; s.pad(1000000, 'a');";
    check(&[
        (
            "let s = \"xx\"; loop { s += s; }",
            &format!("hostile.rhai:1:24: {text}"),
        ),
        ("let s = \"xx\"; loop { s = s + s; }", text),
        ("let s = \"xx\"; loop { s = `${s}${s}`; }", text),
        ("let s = \"x\"; s.pad(1000000000, \"y\");", text),
        (&format!("{long} let t = s; t.replace(\"a\", s);"), text),
        (&format!("{long} let t = s; t.replace('a', s);"), text),
        (
            &format!("{long} let all = []; loop {{ all.push(s + all.len()); }}"),
            text,
        ),
        (
            &format!("{long} let m = #{{}}; let i = 0; loop {{ m[i.to_string()] = s + i; i += 1; }}"),
            "stopped: it took more than 128 MiB of memory",
        ),
        (&format!("{long} loop {{ s.split(\"\"); }}"), list),
        ("let a = [1]; loop { a += a; }", list),
        ("let a = [1]; loop { a.append(a); }", list),
        ("let a = []; a.pad(1000000000, 1);", list),
        ("let b = blob(1000000000);", list),
        ("let b = blob(1000); loop { b += b; }", list),
        (
            "let m = #{}; let i = 0; loop { i += 1; m.set(i.to_string(), m); }",
            map,
        ),
    ]);
}

#[test]
fn what_grows_slowly_is_ended_by_time() {
    let time = "stopped: it ran longer than 300ms";
    check_within(
        &hurried_limits(),
        &[
            (
                "let a = []; for i in 0..50000 { a.push(i); } loop { a.contains(-1); }",
                time,
            ),
            ("let a = []; loop { a = [a]; }", time),
            ("let m = #{}; loop { m = #{ m: m }; }", time),
            ("let a = []; let f = || a.len(); loop { a = [a]; }", time),
            (
                "let m = #{}; let i = 0; loop { m[i.to_string()] = i; i += 1; }",
                "stopped: ",
            ),
        ],
    );
}

#[test]
fn what_our_own_functions_are_given_has_a_bound() {
    let nested = "let v = []; for i in 0..300 { v = [v]; }";
    check(&[
        (
            "\"a\".matches(\"(\")",
            "hostile.rhai:1:5: `(` is no regular expression",
        ),
        (
            "\"a\".matches(\"[01]*1[01]{4000}$\")",
            "Compiled regex exceeds size limit",
        ),
        (
            "let s = \"\"; s.pad(100000, 'a'); s.matches(\"b\")",
            "`matches` looks at texts of at most 65536 bytes, this one has 100000",
        ),
        (
            "let s = \"\"; s.pad(60000, '['); parse_json(s)",
            "this is no JSON: nested more than 127 deep",
        ),
        ("base64_decode(\"?\")", "1:1: this is no base64"),
        (
            "let v = #{}; for i in 0..18 { v = #{ a: v }; } targets().collect(v, #{ descend: [\"a\", \"a\", \"a\", \"a\", \"a\"] })",
            "`collect` came to more than 100000 places",
        ),
        (
            &format!("{nested} targets().collect(v, #{{ keys: #{{}} }})"),
            "nested more than 20 deep where targets are looked for",
        ),
        (
            &format!("{nested} evm.deliver(#{{ http: v }})"),
            "an outside effect cannot be nested more than 128 deep",
        ),
        (
            &format!("{nested} targets().add(\"vms\", \"vm-1\", #{{ v: v }})"),
            "the options of a target cannot be nested more than 128 deep",
        ),
        (
            &format!("{nested} evm.root.v = v; evm.set_state_var(\"v\", v); throw evm.root.v"),
            "nested more than 128 deep",
        ),
        (
            "let m = #{}; let f = || m; m.f = f; evm.root.m = m; print(m); throw m",
            "a function that has captured variables",
        ),
    ]);
}

#[test]
fn a_flood_of_output_ends() {
    let flood = "stopped: it printed, logged and asked for more than 1000 things";
    check(&[
        ("loop { print(\"flood\"); }", flood),
        ("loop { debug(\"flood\"); }", flood),
        ("loop { evm.log(\"info\", \"flood\"); }", flood),
        ("loop { evm.deliver(#{ log: \"flood\" }); }", flood),
        ("loop { evm.refresh([]); }", flood),
    ]);
}

#[test]
fn exit_ends_the_method_wherever_it_is_called() {
    let abort = "`hostile` ended with MIQ_ABORT";
    check(&[
        ("fn f() { exit(MIQ_ABORT) } f(); throw \"went on\"", abort),
        ("try { exit(MIQ_ABORT) } catch (e) { exit(MIQ_OK) }", abort),
        (
            "fn f() { exit(MIQ_ABORT) } try { f() } catch { throw \"caught\" }",
            abort,
        ),
        ("[1].for_each(|x| exit(MIQ_ABORT)); throw \"went on\"", abort),
        (
            "exit(\"text\")",
            "1:1: `exit` takes MIQ_OK, MIQ_WARN, MIQ_STOP or MIQ_ABORT, this is of type string",
        ),
        ("exit(3)", "`hostile` ended with the unknown code 3"),
        ("exit(); throw \"went on\"", ""),
    ]);
}

#[test]
fn constants_and_evm_cannot_be_written() {
    check(&[
        ("MIQ_OK = 1;", "hostile.rhai:1:1: Cannot modify constant MIQ_OK"),
        // A name of its own is a script's own affair, and reaches no other script.
        ("let MIQ_OK = 16; exit(MIQ_OK)", "`hostile` ended with MIQ_ABORT"),
        ("fn exit(code) { 1 } exit(16); throw \"its own\"", "1:31: its own"),
        ("evm.event = 1;", "1:5: No writable property 'event'"),
        ("evm.root = 1;", "1:5: No writable property 'root'"),
        ("evm.inputs.x = 1;", "1:1"),
    ]);
}

#[test]
fn modules_that_import_each_other_are_named() {
    let text = "//- scripts/lib/a.rhai\nimport \"lib/b\" as b;\nfn a() { 1 }\n//- scripts/lib/b.rhai\nimport \"lib/a\" as a;\nfn b() { 1 }\n//- scripts/lib/c.rhai\nfn c() { 1 }\n//- scripts/actions/good.rhai\nimport \"lib/c\" as c; evm.root.c = c::c();\n";
    let loaded = Switchboard::load_within(&SourceTree::from_fixture(text), None, &limits());
    let findings: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    let expected = [
        "scripts/lib/a.rhai:1:8: error[ScriptModule]: the module `lib/b` cannot be imported: it needs this one, or cannot be loaded itself",
        "scripts/lib/b.rhai:1:8: error[ScriptModule]: the module `lib/a` cannot be imported: it needs this one, or cannot be loaded itself",
    ];
    assert_eq!(findings, expected);
    assert_eq!(run(&loaded.switchboard, "good").errors, []);
}

/// The provider and the rules through which an event goes that a script would like to change.
const EVENT_RULES: &str = r#"
//- scripts/cloud/event_parser.rhai
fn event_to_hash(event, ems_id) {
    PARSER
    #{ event_type: "created", source: "CLOUD", ems_ref: "e-1" }
}
//- scripts/cloud/event_target_parser.rhai
fn parse(ems_event) {
    let found = targets();
    found.add("vms", ems_event.full_data.at("/vm/id"));
    found
}
//- scripts/actions/meddle.rhai
METHOD
//- automate/Dom/__domain__.yaml
object_type: domain
object: {attributes: {name: Dom, priority: 1, enabled: true}}
//- automate/Dom/System/__namespace__.yaml
object: {attributes: {name: System}}
//- automate/Dom/System/Process.class/__class__.yaml
object:
  attributes: {name: Process}
  schema:
  - field: {aetype: relationship, name: rel1, priority: 1, message: create}
  - field: {aetype: relationship, name: rel2, priority: 2, message: create}
//- automate/Dom/System/Process.class/Event.yaml
object:
  attributes: {name: Event}
  fields:
  - rel1: {value: /System/event_handlers/meddle}
  - rel2: {value: /System/event_handlers/refresh}
//- automate/Dom/System/event_handlers.class/__class__.yaml
object:
  attributes: {name: event_handlers}
  schema:
  - field: {aetype: method, name: meth1, priority: 1, message: create}
//- automate/Dom/System/event_handlers.class/refresh.yaml
object:
  attributes: {name: refresh}
  fields:
  - meth1: {value: refresh}
//- automate/Dom/System/event_handlers.class/__methods__/refresh.yaml
object:
  attributes: {name: refresh, location: builtin, language: ruby}
"#;

#[test]
fn no_script_changes_the_event() {
    for (parser, method) in [
        ("event.vm.id = \"evil\";", ""),
        ("event.vm = 1;", ""),
        ("event[\"vm\"].id = \"evil\";", ""),
        ("let vm = event.vm; vm.id = \"evil\";", ""),
        ("event.remove(\"vm\");", ""),
        ("event.clear();", ""),
        ("event += #{ vm: #{ id: \"evil\" } };", ""),
        (
            "change(event);  } fn change(e) { e.vm.id = \"evil\"; #{} } fn rest(event) {",
            "",
        ),
        (
            "event.meddle(); } fn meddle() { this.vm.id = \"evil\"; #{} } fn rest(event) {",
            "",
        ),
        ("", "evm.event.event_type = \"evil\";"),
        ("", "evm.event.full_data = #{};"),
        ("", "evm.event.full_data.vm.id = \"evil\";"),
        ("", "evm.event[\"full_data\"].vm.id = \"evil\";"),
        ("", "let all = evm.event.full_data; all.vm.id = \"evil\";"),
        ("", "let all = evm.event.full_data; all.clear();"),
        ("", "evm.event.full_data.clear();"),
        ("", "evm.event.full_data.remove(\"vm\");"),
        ("", "let f = |e| e.vm.id = \"evil\"; f.call(evm.event.full_data);"),
    ] {
        let text = EVENT_RULES.replace("PARSER", parser).replace("METHOD", method);
        let loaded = Switchboard::load_within(&SourceTree::from_fixture(&text), None, &limits());
        let request = SimulationRequest {
            event: SimulatedEvent::Message {
                provider: "cloud".to_owned(),
                native: NativeEvent::new(r#"{"vm":{"id":"vm-1"}}"#),
                blacklists: Arc::default(),
            },
            workspace: false,
            deliveries: 1,
            records: None,
        };
        let simulation = loaded.switchboard.simulate(&request, Timestamp::UNIX_EPOCH);
        let errors: Vec<&str> = simulation
            .errors
            .iter()
            .map(|error| error.message.as_str())
            .collect();
        let targets = serde_json::to_string(&simulation.targets).unwrap();
        // Either the script was stopped, or it changed nothing but a copy.
        let is_unharmed = targets == r#"[{"association":"vms","manager_ref":{"ems_ref":"vm-1"}}]"#;
        let is_stopped = errors.iter().any(|error| error.contains(".rhai"));
        assert!(
            is_unharmed || is_stopped,
            "{parser}{method}\n{targets}\n{errors:?}"
        );
        assert!(!targets.contains("evil"), "{parser}{method}\n{targets}");
    }
}
