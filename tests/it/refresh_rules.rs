//! What rules ask to be refreshed, how wide it becomes and why, and state machines that wait for it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use switchboard::model::clock::Timestamp;
use switchboard::model::delivery::Delivery;
use switchboard::model::delivery::Effect;
use switchboard::model::ems::Ems;
use switchboard::model::ems::EmsId;
use switchboard::model::event::EmsEvent;
use switchboard::model::event::EventClass;
use switchboard::model::event::EventHash;
use switchboard::model::event::EventId;
use switchboard::model::event::FullData;
use switchboard::model::target::ManagerRef;
use switchboard::model::target::Target;
use switchboard::model::value::Record;
use switchboard::model::value::Value;
use switchboard::switchboard::Context;
use switchboard::switchboard::Records;
use switchboard::switchboard::RefreshProgress;
use switchboard::switchboard::Switchboard;
use switchboard::vmdb::EventFilter;
use switchboard::vmdb::RefreshRequest;
use switchboard::vmdb::RefreshState;

use crate::awesome_cloud::Change;
use crate::awesome_cloud::Kind;
use crate::conformance::Tree;
use crate::corpus;
use crate::support::managed::Managed;
use crate::support::project::Project;

/// A site's rules: renamed VMs go through a machine, first `refresh`, then `act`.
fn site(refresh: &str, machine: &[&str]) -> Tree {
    let relationship = "rel4:re";
    let machine: Vec<&str> = [refresh, "act:st=METHOD::act"]
        .into_iter()
        .chain(machine.iter().copied())
        .collect();
    Tree::default()
        .domain("Site", 10)
        .class("System/Event/EmsEvent/AWESOME_CLOUD", &[relationship])
        .instance("com.awesomecloud.vm.update", &["rel4=/System/Flow/Renamed/one"])
        .class("System/Flow/Renamed", &machine)
        .instance("one", &[])
        .method(
            "act",
            &[],
            "let id = evm.event.vm_ems_ref;\nlet vm = evm.vmdb(\"Vm\").find(|vm| vm.ems_ref == id);\n\
             evm.deliver(#{ log: `it is called ${if vm == () { \"nothing\" } else { vm.name }}` });",
        )
}

fn switchboard(tree: &Tree) -> Switchboard {
    let project = Project::copied();
    tree.write_to(&project.path("automate"));
    let tree = corpus::tree(&[&project.path("automate")], &[&project.path("scripts")]);
    Switchboard::load(&tree, None).switchboard
}

fn event(event_type: &str, keys: &[(&str, &str)]) -> Arc<EmsEvent> {
    let attributes = keys
        .iter()
        .map(|(key, text)| (Arc::from(*key), Value::text(*text)));
    let vm = keys.iter().find(|(key, _)| *key == "vm_ems_ref");
    Arc::new(EmsEvent {
        id: Some(EventId(7)),
        class: EventClass::EmsEvent,
        ems: Some(Arc::new(Ems {
            id: EmsId(1),
            name: "cloud".into(),
            provider: "awesome_cloud".into(),
            url: None,
            credentials: None,
            enabled: true,
        })),
        hash: EventHash {
            event_type: event_type.into(),
            source: "AWESOME_CLOUD".into(),
            event_key: None,
            ems_ref: None,
            timestamp: None,
            attributes: attributes.collect(),
            full_data: FullData::new(json!({"vm": {"id": vm.map(|(_, id)| id)}}).to_string()),
        },
        links: BTreeMap::new(),
        received_at: "2026-01-31T12:00:00Z".parse().unwrap(),
    })
}

/// Knows no objects; tells what a test says about refreshes, one answer a question.
#[derive(Default)]
struct Told {
    progress: Mutex<Vec<RefreshProgress>>,
    first: Option<Arc<EmsEvent>>,
    is_streaming: bool,
    is_read_whole: bool,
}

impl Records for Told {
    fn find(&self, _class: &str, _id: i64) -> Option<Arc<dyn Record>> {
        None
    }

    fn all(&self, _class: &str) -> Vec<Arc<dyn Record>> {
        Vec::new()
    }

    fn knows(&self, _class: &str) -> bool {
        true
    }

    fn refresh_of(&self, event: EventId) -> Option<RefreshProgress> {
        assert_eq!(event, EventId(7));
        Some(self.progress.lock().remove(0))
    }

    fn first_of_chain(&self, _event: &EmsEvent) -> Option<Arc<EmsEvent>> {
        self.first.clone()
    }

    fn is_streaming(&self, provider: &str) -> bool {
        assert_eq!(provider, "awesome_cloud");
        self.is_streaming
    }

    fn allows_targeted_refresh(&self, provider: &str) -> bool {
        assert_eq!(provider, "awesome_cloud");
        !self.is_read_whole
    }
}

/// The runs over one event, on a clock that moves on with each retry.
fn runs(switchboard: &Switchboard, event: &Arc<EmsEvent>, told: Told) -> Vec<Delivery> {
    let mut context = Context {
        records: Arc::new(told),
        ..Context::at(event.received_at)
    };
    let mut runs = Vec::new();
    loop {
        let delivery = switchboard.deliver_within(event, &context);
        let retry = delivery.retry.clone();
        runs.push(delivery);
        let Some(retry) = retry else { return runs };
        assert!(runs.len() < 20, "it never ends");
        let seconds = switchboard::model::clock::SignedDuration::from_secs_f64(retry.after);
        context.now = context.now.saturating_add(seconds).unwrap_or(Timestamp::MAX);
        context.resume = Some(retry);
    }
}

/// What a run asks for, when it comes again, and why its waiting step waits.
fn told(delivery: &Delivery) -> String {
    let effects = delivery.effects.iter().map(|effect| match effect {
        Effect::QueueRefresh { targets } => {
            let targets = targets.sorted();
            let targets: Vec<String> = targets
                .iter()
                .map(|target| {
                    let key: Vec<&str> = target.manager_ref.0.values().map(|value| &**value).collect();
                    format!("{} {}", target.association, key.join("+"))
                })
                .collect();
            format!("[{}]", targets.join(", "))
        }
        Effect::QueueFullRefresh { .. } => "[all]".to_owned(),
        Effect::UpdateInventory { .. } => "[sets]".to_owned(),
        Effect::Outside { .. } => "[acts]".to_owned(),
        Effect::Builtin { name, .. } => format!("[{name}]"),
    });
    let after = delivery
        .retry
        .iter()
        .map(|retry| format!("after {}", retry.after));
    let why = delivery.trace.steps.iter().filter_map(|step| {
        let why = step.why.as_deref()?;
        let is_told = why.contains("refresh") || why.contains("manager");
        is_told.then(|| why.to_owned())
    });
    let errors = delivery.errors.iter().map(|error| format!("! {}", error.kind));
    let all: Vec<String> = effects.chain(after).chain(why).chain(errors).collect();
    all.join("; ")
}

#[test]
fn a_state_machine_waits_for_its_refresh_by_retry() {
    let open = |how: &str| RefreshProgress::Open(how.to_owned());
    let asks = "[vms vm-1]; after 10; waits for the refresh";
    let rows = [
        (
            "done at once",
            "see:st=/System/event_handlers/refresh_sync",
            &[][..],
            vec![RefreshProgress::Done],
            vec![asks, "[acts]; the refresh is done"],
        ),
        (
            "by another builtin",
            "see:st=/System/event_handlers/event_action_refresh_sync?target=src_vm",
            &[],
            vec![RefreshProgress::Done],
            vec![asks, "[acts]; the refresh is done"],
        ),
        (
            "a failure is waited out, and told",
            "see:st=/System/event_handlers/refresh_sync",
            &[],
            vec![
                open("refresh 3 is waiting, try 1 failed: no answer"),
                RefreshProgress::Done,
            ],
            vec![
                asks,
                "after 10; waits for the refresh: refresh 3 is waiting, try 1 failed: no answer",
                "[acts]; the refresh is done",
            ],
        ),
        (
            "no longer than is allowed",
            "see:st=/System/event_handlers/refresh_sync",
            &["see.max_retries=1"],
            vec![open("refresh 3 is running"), open("never asked")],
            vec![
                asks,
                "after 10; waits for the refresh: refresh 3 is running",
                "! MaximumRetriesReached",
            ],
        ),
        (
            "what was given up is an error",
            "see:st=/System/event_handlers/refresh_sync",
            &[],
            vec![RefreshProgress::GivenUp("no such manager".to_owned())],
            vec![asks, "! AbortInstantiation"],
        ),
        (
            "an interval of its own",
            "see:st=/System/event_handlers/refresh_sync",
            &["ae_retry_interval:at=2.minutes"],
            vec![RefreshProgress::Done],
            vec![
                "[vms vm-1]; after 120; waits for the refresh",
                "[acts]; the refresh is done",
            ],
        ),
        (
            "each state waits for what it asked for itself",
            "see:st=/System/event_handlers/refresh_sync",
            &["zee:st=/System/event_handlers/refresh_sync"],
            vec![RefreshProgress::Done, RefreshProgress::Done],
            vec![
                asks,
                "[acts]; [vms vm-1]; after 10; the refresh is done; waits for the refresh",
                "the refresh is done",
            ],
        ),
    ];
    let mut wrong = Vec::new();
    for (what, refresh, machine, progress, expected) in rows {
        // States run in the order of their fields; an attribute has to come before them.
        let (attributes, others): (Vec<&str>, Vec<&str>) =
            machine.iter().partition(|field| field.contains(":at"));
        let mut tree = site(refresh, &others);
        if let [attribute] = attributes.as_slice() {
            let fields = [*attribute, refresh, "act:st=METHOD::act"];
            tree = tree.class("System/Flow/Renamed", &fields);
        }
        let told_by_test = Told {
            progress: Mutex::new(progress),
            ..Told::default()
        };
        let event = event("com.awesomecloud.vm.update", &[("vm_ems_ref", "vm-1")]);
        let found: Vec<String> = runs(&switchboard(&tree), &event, told_by_test)
            .iter()
            .map(told)
            .collect();
        let fits = found.len() == expected.len()
            && found
                .iter()
                .zip(&expected)
                .all(|(found, expected)| expected.split("; ").all(|part| found.contains(part)));
        if !fits {
            wrong.push(format!("{what}: {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Rules that do one thing about every event of one type.
fn one_rule(path: &str) -> Switchboard {
    let tree = Tree::default()
        .domain("Site", 10)
        .class("System/Event/EmsEvent/AWESOME_CLOUD", &["rel4:re"])
        .instance("com.awesomecloud.vm.update", &[&format!("rel4={path}")]);
    switchboard(&tree)
}

#[test]
fn outside_of_a_state_machine_a_synchronous_refresh_only_asks() {
    let event = event("com.awesomecloud.vm.update", &[("vm_ems_ref", "vm-1")]);
    for path in [
        "/System/event_handlers/refresh_sync",
        "/System/event_handlers/event_action_refresh_sync?target=src_vm",
    ] {
        let runs = runs(&one_rule(path), &event, Told::default());
        let found: Vec<String> = runs.iter().map(told).collect();
        assert_eq!(found, ["[vms vm-1]"], "{path}");
    }
}

#[test]
fn a_refresh_that_becomes_wider_says_why() {
    const VM: (&str, &str) = ("vm_ems_ref", "vm-1");
    const HOST: (&str, &str) = ("host_ems_ref", "host-1");
    const DEST_HOST: (&str, &str) = ("dest_host_ems_ref", "host-2");
    type Row = (
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
    );
    let rows: [Row; 13] = [
        ("src_vm", &[VM, HOST], "[vms vm-1]"),
        ("vm", &[VM], "[vms vm-1]"),
        (
            "src_vm",
            &[HOST],
            "[hosts host-1]; the event names no VM (`src_vm`), so its host is refreshed",
        ),
        (
            "src_vm",
            &[],
            "[all]; the event names nothing for `src_vm`, so the whole manager is refreshed",
        ),
        ("dest_vm", &[("dest_vm_ems_ref", "vm-2")], "[vms vm-2]"),
        (
            "dest_vm",
            &[VM, DEST_HOST],
            "[hosts host-2]; the event names no destination VM (`dest_vm`), so its destination host is refreshed",
        ),
        ("src_host", &[VM, HOST], "[hosts host-1]"),
        ("dest_host", &[DEST_HOST], "[hosts host-2]"),
        ("src_vm_or_dest_host", &[VM, DEST_HOST], "[vms vm-1]"),
        (
            "src_vm_or_dest_host",
            &[HOST, DEST_HOST],
            "[hosts host-2]; the event names no VM (`src_vm_or_dest_host`), so its destination host is refreshed",
        ),
        ("ems", &[VM], "[all]; `target=ems` asks for the whole manager"),
        (
            "src_ems_cluster",
            &[VM],
            "[all]; `target=src_ems_cluster` asks for the whole manager",
        ),
        ("moon", &[VM], "`moon` is no target of a refresh"),
    ];
    for (word, keys, expected) in rows {
        let rules = one_rule(&format!(
            "/System/event_handlers/event_action_refresh?target={word}"
        ));
        let event = event("com.awesomecloud.vm.update", keys);
        let found = told(&runs(&rules, &event, Told::default())[0]);
        assert!(
            found.starts_with(expected) || word == "moon" && found.contains(expected),
            "{word}: {found}"
        );
    }
}

#[test]
fn a_chained_word_is_about_the_first_event_of_the_chain() {
    let rules = one_rule("/System/event_handlers/event_action_refresh?target=first_chained_src_vm");
    let last = event("com.awesomecloud.vm.update", &[("vm_ems_ref", "vm-2")]);
    let known = Told {
        first: Some(event("com.awesomecloud.vm.move", &[("vm_ems_ref", "vm-1")])),
        ..Told::default()
    };
    assert_eq!(told(&runs(&rules, &last, known)[0]), "[vms vm-1]");
    let why = "the first event of its chain is not known, so this event stands for it";
    let found = &runs(&rules, &last, Told::default())[0];
    assert!(told(found).starts_with("[vms vm-2]"));
    let steps = found.trace.steps.iter();
    assert_eq!(steps.filter(|step| step.why.as_deref() == Some(why)).count(), 1);
}

#[test]
fn a_provider_that_streams_its_inventory_is_asked_for_no_refresh() {
    for path in [
        "/System/event_handlers/refresh",
        "/System/event_handlers/refresh_sync",
        "/System/event_handlers/event_action_refresh?target=src_vm",
        "/System/event_handlers/event_action_refresh?target=ems",
    ] {
        let told_by_test = Told {
            is_streaming: true,
            ..Told::default()
        };
        let event = event("com.awesomecloud.vm.update", &[("vm_ems_ref", "vm-1")]);
        let found = told(&runs(&one_rule(path), &event, told_by_test)[0]);
        let expected = "nothing is queued: `awesome_cloud` keeps its inventory up to date by itself (`streaming_refresh`)";
        assert_eq!(found, expected, "{path}");
    }
    // And so it is where the settings say it.
    let managed = Managed::start(2, "  :awesome_cloud:\n    :streaming_refresh: true\n");
    managed.cloud.change_by_chance(1);
    managed.until_quiet();
    assert!(managed.refreshes().is_empty(), "{:?}", managed.refreshes());
}

#[test]
fn where_single_objects_are_not_read_the_target_parser_is_not_asked() {
    let why = "`allow_targeted_refresh` is off for this provider, so the whole manager is refreshed";
    for (path, event, expected) in [
        // The parser finds nothing in this one, and nobody asks it.
        (
            "/System/event_handlers/refresh",
            event("com.awesomecloud.vm.update", &[]),
            format!("[all]; {why}"),
        ),
        (
            "/System/event_handlers/refresh",
            event("com.awesomecloud.vm.update", &[("vm_ems_ref", "vm-1")]),
            format!("[all]; {why}"),
        ),
        // What a rule names is asked for as ever; the refresh then reads everything.
        (
            "/System/event_handlers/event_action_refresh?target=src_vm",
            event("com.awesomecloud.vm.update", &[("vm_ems_ref", "vm-1")]),
            "[vms vm-1]".to_owned(),
        ),
    ] {
        let by_test = Told {
            is_read_whole: true,
            ..Told::default()
        };
        let found = told(&runs(&one_rule(path), &event, by_test)[0]);
        assert_eq!(found, expected, "{path}");
    }
}

#[test]
fn a_refresh_that_reads_more_than_was_asked_for_says_so() {
    let cases = [
        (
            "  :awesome_cloud:\n    :allow_targeted_refresh: false\n",
            "`allow_targeted_refresh` is off for this provider",
        ),
        (
            "  :full_refresh_threshold: 1\n",
            "1 target, and from 1 on everything is read",
        ),
    ];
    for (settings, why) in cases {
        let managed = Managed::start(2, settings);
        managed.until_read();
        let target = Target::new("vms", ManagerRef::ems_ref("vm-1"));
        let asked = RefreshRequest {
            ems_id: managed.ems.id,
            targets: vec![target],
            full: None,
        };
        let id = managed.vmdb().queue_refresh(&asked).wait().unwrap();
        let shown = || managed.vmdb().refresh_show(id).unwrap().unwrap();
        managed.until("it is done", || shown().refresh.state == RefreshState::Done);
        let shown = shown();
        assert_eq!(shown.refresh.full.as_deref(), Some(why));
        assert!(shown.refresh.widened && shown.refresh.targets == 1 && shown.requested.len() == 1);
        // One that was asked for as a whole is not wider than that.
        let first = managed.refreshes().pop().unwrap();
        assert!(first.full.is_some() && !first.widened, "{first:?}");
        let told = managed.project.run("refresh list --database sqlite:test.db");
        assert!(
            told.contains(&format!("everything, for 1 target: {why}")),
            "{told}"
        );
        let told = managed
            .project
            .run(&format!("refresh show {id} --database sqlite:test.db"));
        assert!(told.contains(&format!("{why}, for 1 target\n")), "{told}");
        let api = managed.get(&format!("/api/refreshes/{id}"));
        assert_eq!(api["full"], why, "{api}");
        assert_eq!(api["widened"], true, "{api}");
    }
}

#[test]
fn a_state_acts_only_once_the_row_of_the_vm_is_true() {
    let project = Project::copied();
    let tree = site(
        "see:st=/System/event_handlers/refresh_sync",
        &["see.on_entry=soon"],
    )
    .method("soon", &[], "evm.root.ae_retry_interval = 1;");
    tree.write_to(&project.path("automate"));
    let managed = Managed::of(project, 2, "  :retry_pause: 100ms\n");
    managed.until_read();
    let vm = managed
        .cloud
        .objects()
        .of(Kind::Vm)
        .map(|(id, _)| id.clone())
        .next()
        .unwrap();
    // What comes from the cloud's API is broken until a state has waited for it.
    let faults = |half_rate| crate::awesome_cloud::Faults {
        half_rate,
        ..crate::awesome_cloud::Faults::default()
    };
    let rename: Change = serde_json::from_value(json!({"do": "rename", "vm": vm, "name": "after"})).unwrap();
    managed.cloud.change(&rename).unwrap();
    managed.until("the event came", || managed.vmdb().event_count().unwrap() == 1);
    managed.cloud.set_faults(faults(1.0));
    let shown = || {
        let events = managed.vmdb().events_list(&EventFilter::default()).unwrap();
        managed
            .vmdb()
            .event_show(events[0].event.id.unwrap())
            .unwrap()
            .unwrap()
    };
    managed.until("it came again", || 1 < shown().deliveries.len());
    managed.cloud.set_faults(faults(0.0));
    managed.until("the machine is through", || {
        shown().deliveries.last().unwrap().state == "delivered"
    });
    let shown = shown();
    let (last, before) = shown.deliveries.split_last().unwrap();
    assert!(
        last.effects.to_string().contains("it is called after"),
        "{}",
        last.effects
    );
    assert!(
        before
            .iter()
            .all(|run| !run.effects.to_string().contains("it is called"))
    );
    assert_eq!(shown.refreshes.len(), 1, "it was asked for once");
    assert!(
        before[0].steps.to_string().contains("waits for the refresh"),
        "{}",
        before[0].steps
    );
    managed.assert_true();
}
