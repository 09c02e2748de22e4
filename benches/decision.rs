//! What a decision costs, beside its floor in the same run; how long rules take to load, and their memory.
//!
//! `cargo bench --bench decision`; with `SWITCHBOARD_CORPUS` set to a folder that holds the tree `automate`, the
//! time to load that too.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench"
)]

mod floor;
mod measure;
mod tree;

use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;

use switchboard::model::clock::Timestamp;
use switchboard::model::ems::Ems;
use switchboard::model::ems::EmsId;
use switchboard::model::event::EmsEvent;
use switchboard::model::event::EventClass;
use switchboard::model::event::EventHash;
use switchboard::model::event::FullData;
use switchboard::model::event::NativeEvent;
use switchboard::settings::Blacklist;
use switchboard::source::Root;
use switchboard::source::RootKind;
use switchboard::source::SourceTree;
use switchboard::switchboard::Admission;
use switchboard::switchboard::Switchboard;

use crate::floor::Floor;
use crate::tree::Generated;

fn main() {
    println!("Best of many turns, taken in turns with the floor; only ratios of one run can be compared.\n");
    decisions();
    ndjson();
    corpus();
    many_instances();
}

/// An API call as CloudTrail records it, about 1.5 KB.
fn message(call: &str) -> String {
    include_str!("api_call.json").replace("StartInstances", call)
}

fn ems() -> Arc<Ems> {
    Arc::new(Ems {
        id: EmsId(1),
        name: Arc::from("bench"),
        provider: Arc::from("amazon"),
        url: None,
        credentials: None,
        enabled: true,
    })
}

fn event(ems: Option<&Arc<Ems>>, hash: EventHash) -> Arc<EmsEvent> {
    Arc::new(EmsEvent {
        id: None,
        class: EventClass::EmsEvent,
        ems: ems.cloned(),
        hash,
        links: Default::default(),
        received_at: Timestamp::UNIX_EPOCH,
    })
}

/// Message in, targets out: both scripts, and the rules between them.
fn decide(switchboard: &Switchboard, ems: &Arc<Ems>, body: &Arc<str>) -> usize {
    let native = NativeEvent {
        body: body.clone(),
        envelope: None,
    };
    match switchboard.admit(ems, &native, &Blacklist::default()).unwrap() {
        Admission::Event(hash) => {
            let delivery = switchboard.deliver(&event(Some(ems), hash));
            assert!(delivery.errors.is_empty(), "{:?}", delivery.errors);
            delivery.targets().targets().len()
        }
        refused => panic!("{refused:?}"),
    }
}

/// Source and type in, targets out: no message, so no data either.
fn decide_by_type(switchboard: &Switchboard, event_type: &Arc<str>) -> usize {
    let hash = EventHash {
        event_type: event_type.clone(),
        source: Arc::from("AMAZON"),
        event_key: None,
        ems_ref: None,
        timestamp: None,
        attributes: Default::default(),
        full_data: FullData::new("null"),
    };
    switchboard.deliver(&event(None, hash)).trace.steps.len()
}

fn decisions() {
    let (ems, body) = (ems(), Arc::from(message("StartInstances")));
    let switchboard = Switchboard::load(&Generated::new(1).read(), None).switchboard;
    let script = |name: &str| fs::read_to_string(tree::project().join("scripts/amazon").join(name)).unwrap();
    let floor = Floor::new(&script("event_parser.rhai"), &script("event_target_parser.rhai"));
    assert_eq!(decide(&switchboard, &ems, &body), floor.decide(&body));

    let native = NativeEvent {
        body: body.clone(),
        envelope: None,
    };
    let nothing = Blacklist::default();
    let [whole, to_event, bare, json] = measure::in_turns([
        &mut || _ = black_box(decide(&switchboard, &ems, &body)),
        &mut || drop(black_box(switchboard.admit(&ems, &native, &nothing))),
        &mut || _ = black_box(floor.decide(&body)),
        &mut || drop(black_box(floor::json(&body))),
    ]);
    let what = format!("decision, both scripts, {} B", body.len());
    measure::print(&what, whole, "JSON parsed once, two bare calls", bare);
    measure::print("  of which message to event", to_event, "  of which JSON", json);
    let [ours, bare] = [
        measure::allocations(|| _ = black_box(decide(&switchboard, &ems, &body))),
        measure::allocations(|| _ = black_box(floor.decide(&body))),
    ];
    println!("{:<44} {ours:>9} (aim 200)   floor {bare}", "  allocations");

    let event_type: Arc<str> = Arc::from("AWS_API_CALL_STARTINSTANCES");
    let table: HashMap<String, usize> = (0..100)
        .map(|number| (tree::event_type(number).to_lowercase(), number))
        .chain([(event_type.to_lowercase(), 100)])
        .collect();
    let [by_type, looked_up, called] = measure::in_turns([
        &mut || _ = black_box(decide_by_type(&switchboard, &event_type)),
        &mut || _ = black_box(table.get(&black_box(&event_type).to_lowercase())),
        &mut || _ = black_box(floor.targets_of_nothing()),
    ]);
    measure::print(
        "decision by source and type alone",
        by_type,
        "lower-case and look up",
        looked_up,
    );
    measure::print(
        "  the same",
        by_type,
        "one bare call of the target parser",
        called,
    );
    let allocations = measure::allocations(|| _ = black_box(decide_by_type(&switchboard, &event_type)));
    println!("{:<44} {allocations:>9}", "  allocations");
}

/// The program itself, as a child: messages in, documents out.
fn ndjson() {
    const EVENTS: usize = 20_000;
    let line = message("StartInstances").replace('\n', " ") + "\n";
    let run = |events: usize| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(["simulate", "--ndjson", "--provider", "amazon"])
            .current_dir(tree::project())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(line.repeat(events).as_bytes()).unwrap();
        drop(input);
        assert!(child.wait().unwrap().success());
    };
    let start = measure::best_of(3, || run(1));
    let all = measure::best_of(3, || run(EVENTS));
    let rate = EVENTS as f64 / (all - start).as_secs_f64();
    measure::print_figure("simulate --ndjson", rate, "events/s", "");
    measure::print_figure("  start of the program", start.as_secs_f64() * 1e3, "ms", "");
}

/// The tree of rules that others wrote, where there is one.
fn corpus() {
    let Some(corpus) = std::env::var_os("SWITCHBOARD_CORPUS") else {
        println!(
            "{:<44} skipped: SWITCHBOARD_CORPUS is not set",
            "load of the corpus"
        );
        return;
    };
    let root = Root {
        kind: RootKind::Automate,
        folder: std::path::Path::new(&corpus).join("automate"),
        required: true,
    };
    let read = || SourceTree::from_disk(std::slice::from_ref(&root)).unwrap();
    let files = read().files().len();
    let time = measure::best_of(10, || Switchboard::load(&read(), None));
    let what = format!("load of the corpus, {files} files");
    measure::print_figure(&what, time.as_secs_f64() * 1e3, "ms", "(aim 80)");
    let time = measure::best_of(10, read);
    measure::print_figure("  of which reading", time.as_secs_f64() * 1e3, "ms", "");
}

/// What changes, and what does not, with the number of instances.
fn many_instances() {
    const COUNTS: [usize; 4] = [1, 100, 10_000, 100_000];
    let ems = ems();
    let generated = COUNTS.map(Generated::new);
    let loaded = generated.each_ref().map(|generated| {
        let (bytes, (tree, switchboard)) = measure::kept_bytes(|| {
            let tree = generated.read();
            let switchboard = Switchboard::load(&tree, None).switchboard;
            (tree, Arc::new(switchboard))
        });
        (bytes, tree, switchboard)
    });
    let [one, few, many, most] = &loaded;
    // A prime, so that neighbours in time are no neighbours in memory.
    let bodies = COUNTS.map(|count| -> Vec<Arc<str>> {
        (0..997)
            .map(|turn| Arc::from(message(&tree::call(turn * 7919 % count))))
            .collect()
    });
    let types = COUNTS.map(|count| -> Vec<Arc<str>> {
        (0..9973)
            .map(|turn| Arc::from(tree::event_type(turn * 7919 % count)))
            .collect()
    });
    let turns = [one, few, many, most].map(|(_, _, switchboard)| switchboard);
    let mut at = [0_usize; 8];
    let [a, b, c, d, e, f, g, h] = &mut at;
    let next = |at: &mut usize, length: usize| {
        *at = (*at + 1) % length;
        *at
    };
    let whole = |index: usize, at: &mut usize| {
        let body = &bodies[index][next(at, bodies[index].len())];
        black_box(decide(turns[index], &ems, body));
    };
    let by_type = |index: usize, at: &mut usize| {
        let event_type = &types[index][next(at, types[index].len())];
        black_box(decide_by_type(turns[index], event_type));
    };
    let whole_nanos = measure::in_turns([
        &mut || whole(0, a),
        &mut || whole(1, b),
        &mut || whole(2, c),
        &mut || whole(3, d),
    ]);
    let type_nanos = measure::in_turns([
        &mut || by_type(0, e),
        &mut || by_type(1, f),
        &mut || by_type(2, g),
        &mut || by_type(3, h),
    ]);
    for (index, count) in COUNTS.iter().enumerate() {
        let what = format!("decision among {count} instances");
        measure::print(&what, whole_nanos[index], "among 100 (aim 1.2)", whole_nanos[1]);
    }
    for (index, count) in COUNTS.iter().enumerate() {
        let what = format!("  by type alone among {count} instances");
        measure::print(&what, type_nanos[index], "among 100", type_nanos[1]);
    }
    let own_text = |tree: &SourceTree| {
        tree.files()
            .iter()
            .map(|file| file.text.len() as i64)
            .sum::<i64>()
    };
    let beyond = (most.0 - own_text(&most.1)) - (one.0 - own_text(&one.1));
    let each = beyond as f64 / (COUNTS[3] - 1) as f64;
    measure::print_figure("memory of an instance beyond its text", each, "B", "(aim 1024)");

    let time = measure::best_of(2, || Switchboard::load(&generated[3].read(), None));
    measure::print_figure("load of 100000 instances", time.as_secs_f64() * 1e3, "ms", "");
    let mut turn = 0;
    let time = measure::best_of(5, || {
        turn += 1;
        let path = generated[3].write(50_000, ["refresh", "parse"][turn % 2]);
        let (time, _) = measure::once(|| {
            let tree = most.1.updated(&[path]);
            let loaded = Switchboard::load(&tree, Some(&most.2));
            (tree, loaded)
        });
        time
    });
    measure::print_figure(
        "one changed file among 100000",
        time.as_secs_f64() * 1e3,
        "ms",
        "(aim 150)",
    );
}
