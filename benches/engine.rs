//! What a run of the engine costs, beside the bare Rhai calls that it contains: a state machine of ten states, and
//! an instance with 20 relationships, 50 substitutions and 5 methods.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

#[expect(dead_code, reason = "the other bench uses the rest")]
mod measure;

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

use rhai::AST;
use rhai::Engine;
use rhai::Scope;
use rhai::packages::Package;
use rhai::packages::StandardPackage;
use switchboard::model::clock::Timestamp;
use switchboard::model::event::EmsEvent;
use switchboard::model::event::EventClass;
use switchboard::model::event::EventHash;
use switchboard::model::event::FullData;
use switchboard::source::SourceTree;
use switchboard::switchboard::Switchboard;

/// What every method does: a little arithmetic and text, as a short script of a site might.
const METHOD: &str = r##"
let names = [];
for number in 0..20 {
    let name = "vm-" + number;
    if name.ends_with("7") { names.push(name.to_upper()); }
}
let summary = #{ count: names.len(), first: names[0], text: names.reduce(|sum, name| sum + "," + name, "") };
if summary.count != 2 { throw "two names end with 7"; }
"##;

fn main() {
    println!(
        "Best of many turns, taken in turns with the bare calls; only ratios of one run can be compared.\n"
    );
    let (engine, script) = bare();
    let machine = load(&machine());
    let mixed = load(&mixed());
    let event = event();
    for (switchboard, steps) in [(&machine, 10), (&mixed, 75)] {
        let delivery = switchboard.deliver(&event);
        assert!(delivery.errors.is_empty(), "{:?}", delivery.errors);
        assert!(
            delivery.trace.steps.len() >= steps,
            "{}",
            delivery.trace.steps.len()
        );
    }
    let call = || {
        drop(black_box(
            engine.eval_ast_with_scope::<()>(&mut Scope::new(), &script),
        ));
    };
    let [ten_states, ten_calls, mixed_run, five_calls] = measure::in_turns([
        &mut || drop(black_box(machine.deliver(&event))),
        &mut || (0..10).for_each(|_| call()),
        &mut || drop(black_box(mixed.deliver(&event))),
        &mut || (0..5).for_each(|_| call()),
    ]);
    measure::print(
        "machine of 10 states (aim 2)",
        ten_states,
        "10 bare calls",
        ten_calls,
    );
    measure::print(
        "20 relationships, 50 substitutions",
        mixed_run,
        "5 bare calls (aim 2)",
        five_calls,
    );
    for (what, switchboard) in [
        ("  allocations, machine", &machine),
        ("  allocations, the other", &mixed),
    ] {
        let count = measure::allocations(|| drop(black_box(switchboard.deliver(&event))));
        println!("{what:<44} {count:>9}");
    }
    let count = measure::allocations(call);
    println!("{:<44} {count:>9}", "  allocations, one bare call");
}

fn bare() -> (Engine, AST) {
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    engine.set_max_expr_depths(64, 64);
    let script = engine.compile(METHOD).unwrap();
    (engine, script)
}

fn load(text: &str) -> Switchboard {
    let loaded = Switchboard::load(&SourceTree::from_fixture(text), None);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    loaded.switchboard
}

fn event() -> Arc<EmsEvent> {
    let hash = EventHash {
        event_type: Arc::from("something"),
        source: Arc::from("BENCH"),
        event_key: None,
        ems_ref: None,
        timestamp: None,
        attributes: Default::default(),
        full_data: FullData::new("null"),
    };
    Arc::new(EmsEvent {
        id: None,
        class: EventClass::EmsEvent,
        ems: None,
        hash,
        links: Default::default(),
        received_at: Timestamp::UNIX_EPOCH,
    })
}

/// A domain whose entry leads to `/System/Bench/run`.
fn domain() -> String {
    let object = |kind: &str, name: &str, rest: &str| {
        format!("object_type: {kind}\nversion: 1.0\nobject:\n  attributes:\n    name: {name}\n{rest}\n")
    };
    let entry = "  schema:\n  - field: {aetype: relationship, name: rel1, priority: 1}";
    let leads = "  fields:\n  - rel1: {value: /System/Bench/run}";
    let leaf = "  schema:\n  - field: {aetype: attribute, name: word, priority: 1}";
    let word = "  fields:\n  - word: {value: found}";
    [
        (
            "__domain__.yaml",
            object("domain", "Lab", "    priority: 1\n    enabled: true"),
        ),
        ("System/__namespace__.yaml", object("namespace", "System", "")),
        (
            "System/Process.class/__class__.yaml",
            object("class", "Process", entry),
        ),
        (
            "System/Process.class/Event.yaml",
            object("instance", "Event", leads),
        ),
        ("System/Leaf.class/__class__.yaml", object("class", "Leaf", leaf)),
        ("System/Leaf.class/one.yaml", object("instance", "one", word)),
        (
            "System/Bench.class/__methods__/work.yaml",
            object(
                "method",
                "work",
                "    scope: instance\n    language: rhai\n    location: inline\n  inputs: []",
            ),
        ),
        ("System/Bench.class/__methods__/work.rhai", METHOD.to_owned()),
    ]
    .iter()
    .fold(String::new(), |text, (path, body)| {
        text + format!("//- automate/Lab/{path}\n{body}").as_str()
    })
}

/// The class `Bench` with these fields, and its instance `run` with these values.
fn with_fields(fields: impl Iterator<Item = (&'static str, String, String)>) -> String {
    let (mut schema, mut values) = (String::new(), String::new());
    for (priority, (aetype, name, value)) in fields.enumerate() {
        writeln!(
            schema,
            "  - field: {{aetype: {aetype}, name: {name}, priority: {priority}}}"
        )
        .unwrap();
        writeln!(values, "  - {name}: {{value: \"{value}\"}}").unwrap();
    }
    let head = |kind: &str, name: &str| {
        format!("object_type: {kind}\nversion: 1.0\nobject:\n  attributes:\n    name: {name}\n")
    };
    let class = "//- automate/Lab/System/Bench.class/";
    let class_file = format!(
        "{class}__class__.yaml\n{}  schema:\n{schema}",
        head("class", "Bench")
    );
    let instance_file = format!("{class}run.yaml\n{}  fields:\n{values}", head("instance", "run"));
    [domain(), class_file, instance_file].concat()
}

fn machine() -> String {
    with_fields((0..10).map(|number| ("state", format!("state{number}"), "METHOD::work".to_owned())))
}

fn mixed() -> String {
    let substitutions = (0..50).map(|number| {
        let value = format!("number {number} of ${{/#event_type}}");
        ("attribute", format!("word{number}"), value)
    });
    let relationships = (0..20).map(|number| {
        (
            "relationship",
            format!("rel{number}"),
            "/System/Leaf/one".to_owned(),
        )
    });
    let methods = (0..5).map(|number| ("method", format!("meth{number}"), "work".to_owned()));
    with_fields(substitutions.chain(relationships).chain(methods))
}
