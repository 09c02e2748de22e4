//! From events to a true inventory, beside a simulated cloud that changes and misbehaves.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use serde_json::json;
use switchboard::model::target::ManagerRef;
use switchboard::model::target::Target;
use switchboard::vmdb::EventFilter;
use switchboard::vmdb::Refresh;
use switchboard::vmdb::RefreshRequest;
use switchboard::vmdb::RefreshState;

use crate::awesome_cloud::Change;
use crate::awesome_cloud::Faults;
use crate::awesome_cloud::Kind;
use crate::support::managed::Managed;
use crate::support::project::Project;

fn change(command: serde_json::Value) -> Change {
    serde_json::from_value(command).unwrap()
}

/// Refreshes that read everything.
fn full(refreshes: &[Refresh]) -> usize {
    refreshes.iter().filter(|refresh| refresh.full.is_some()).count()
}

#[test]
fn a_vm_is_created_and_one_call_later_the_inventory_knows_it() {
    let managed = Managed::start(4, "");
    managed.until_read();
    managed.assert_true();
    let before = managed.cloud.calls();
    let vm = managed
        .cloud
        .change(&change(json!({"do": "create", "name": "walker"})))
        .unwrap();
    let id = vm["id"].as_str().unwrap();
    managed.until_quiet();
    // Saved, decided by the instance of its type ...
    let vmdb = managed.vmdb();
    let events = vmdb.events_list(&EventFilter::default()).unwrap();
    let event = vmdb.event_show(events[0].event.id.unwrap()).unwrap().unwrap();
    let step = event.deliveries.first().unwrap();
    assert!(
        json!(step)
            .to_string()
            .contains("/ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD/com.awesomecloud.vm.create"),
        "{step:?}"
    );
    // ... its target queued, collected with one call for that VM, saved ...
    let calls = managed.cloud.calls();
    let made = |route: &str| calls.get(route).unwrap_or(&0) - before.get(route).unwrap_or(&0);
    assert_eq!(made("GET /vms/{id}"), 1);
    assert_eq!(made("GET /vms") + made("GET /hosts") + made("GET /volumes"), 0);
    managed.assert_true();
    let served = vmdb.refresh_show(event.refreshes[0]).unwrap().unwrap();
    assert_eq!(
        (served.refresh.state, served.requested.len()),
        (RefreshState::Done, 1)
    );
    assert_eq!(served.refresh.changes.unwrap().created, 2, "the VM and its disk");
    // ... and the event is linked to the row.
    let key = ManagerRef::ems_ref(id);
    let row = vmdb
        .with_inventory(|view| view.by_ref(managed.ems.id, &["vms"], &key))
        .unwrap()
        .unwrap();
    let linked = vmdb.event_show(events[0].event.id.unwrap()).unwrap().unwrap();
    let link = json!(linked.stored.event.links)["vm_or_template_id"].clone();
    assert_eq!(link, json!(row.id));
}

#[test]
fn whatever_happens_in_the_cloud_the_inventory_is_true_when_all_is_quiet() {
    let count = std::env::var("SWITCHBOARD_CHANGES")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(1_500);
    let managed = Managed::start(
        40,
        "  :full_refresh_threshold: 1000000\n  :retry_pause: 100ms\n  :gather: 100ms\n  :gather_most: 500ms\n",
    );
    managed.until_read();
    managed.cloud.set_faults(Faults {
        delay_ms: 1,
        error_rate: 0.03,
        busy_rate: 0.005,
        half_rate: 0.01,
        skew_seconds: -7_200,
        late_rate: 0.05,
        late_ms: 700,
        swap_rate: 0.05,
        twice_rate: 0.05,
    });
    let before = managed.cloud.calls();
    for _ in 0..count / 50 {
        managed.cloud.change_by_chance(50);
        managed
            .runtime
            .block_on(async { tokio::time::sleep(std::time::Duration::from_millis(50)).await });
    }
    managed.cloud.set_faults(Faults::default());
    managed.until_quiet();
    managed.assert_true();
    assert_eq!(full(&managed.refreshes()), 1, "the first one only");
    let (events, reads) = calls_since(&managed, &before);
    let objects: usize = Kind::ALL
        .iter()
        .map(|kind| managed.cloud.objects().of(*kind).count())
        .sum();
    let to_read_all = calls_to_read_all(&managed);
    let _shown = writeln!(
        std::io::stderr(),
        "{count} changes, {} events, {objects} objects at the end: {reads} calls of the cloud's API for objects, \
         {events} for events (every 200 ms). Reading all of these objects took {to_read_all} calls; computed, not \
         measured: doing so every 15 minutes for a day would be {}.",
        managed.cloud.events(),
        to_read_all * READS_A_DAY,
    );
}

/// Every 15 minutes.
const READS_A_DAY: u64 = 96;

/// How many calls a full refresh makes of what is there now, when all is quiet.
fn calls_to_read_all(managed: &Managed) -> u64 {
    let before = managed.cloud.calls();
    let request = RefreshRequest {
        ems_id: managed.ems.id,
        targets: Vec::new(),
        full: Some("to count its calls".to_owned()),
    };
    let id = managed.vmdb().queue_refresh(&request).wait().unwrap();
    managed.until("everything was read again", || {
        let shown = managed.vmdb().refresh_show(id).unwrap().unwrap();
        shown.refresh.state == RefreshState::Done
    });
    calls_since(managed, &before).1
}

/// Calls for events, and for all else.
fn calls_since(managed: &Managed, before: &BTreeMap<String, u64>) -> (u64, u64) {
    let calls = managed.cloud.calls();
    let made = calls
        .iter()
        .map(|(route, count)| (route, count - before.get(route).unwrap_or(&0)));
    let (events, others): (Vec<_>, Vec<_>) = made.partition(|(route, _)| route.ends_with("/events"));
    let sum = |calls: Vec<(&String, u64)>| calls.iter().map(|(_, count)| count).sum();
    (sum(events), sum(others))
}

#[test]
fn events_that_the_cloud_let_go_of_lead_to_one_full_refresh_and_a_restart_alone_to_none() {
    let mut managed = Managed::start(6, "");
    managed.until_read();
    managed.cloud.change_by_chance(20);
    managed.until_quiet();
    // What happened while nobody asked is still there.
    managed.restart(|cloud| cloud.change_by_chance(30));
    managed.until_quiet();
    managed.assert_true();
    assert_eq!(full(&managed.refreshes()), 1, "the first one only");
    // Of this only the last events are.
    let read = managed.cloud.events();
    managed.restart(|cloud| {
        cloud.change_by_chance(60);
        cloud.forget_before(cloud.events() - 5);
    });
    managed.until_quiet();
    managed.assert_true();
    let refreshes = managed.refreshes();
    let reasons: Vec<&str> = refreshes
        .iter()
        .filter_map(|refresh| refresh.full.as_deref())
        .collect();
    let oldest = managed.cloud.events() - 5;
    let expected = format!(
        "events are missing: the cloud holds events from {oldest} on, and they were read up to {read}"
    );
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert_eq!(reasons[0], expected);
    // From there on all is as before.
    managed.cloud.change_by_chance(10);
    managed.until_quiet();
    managed.assert_true();
    assert_eq!(full(&managed.refreshes()), 2);
    // The same where a cloud keeps so many and no more, while it is asked all the time.
    managed.cloud.set_keep(3);
    managed.cloud.change_by_chance(40);
    managed.until_quiet();
    managed.assert_true();
    assert_eq!(full(&managed.refreshes()), 3);
}

#[test]
fn a_storm_about_few_vms_makes_two_refreshes_at_most() {
    let count = 5_000;
    // A debug build takes longer over the storm than the second that it lasts.
    let managed = Managed::start(10, "  :gather_most: 100.seconds\n");
    managed.until_read();
    let vms: Vec<String> = managed
        .cloud
        .objects()
        .of(Kind::Vm)
        .map(|(id, _)| id.clone())
        .collect();
    let before = managed.refreshes().len();
    let began = Instant::now();
    for number in 0..count {
        let (vm, verb) = (
            &vms[number % vms.len()],
            if number % 20 < 10 { "stop" } else { "start" },
        );
        managed
            .cloud
            .change(&change(json!({"do": verb, "vm": vm})))
            .unwrap();
    }
    let lasted = began.elapsed();
    managed.until_quiet();
    managed.assert_true();
    let quiet = began.elapsed();
    let refreshes = managed.refreshes();
    let storm = &refreshes[..refreshes.len() - before];
    let targets: Vec<u64> = storm.iter().map(|refresh| refresh.targets).collect();
    let _shown = writeln!(
        std::io::stderr(),
        "{count} changes within {lasted:?}, quiet and true after {quiet:?}: refreshes of {targets:?} targets",
    );
    assert!(
        storm.len() <= 2 && targets.iter().all(|targets| *targets <= 10),
        "{targets:?}"
    );
}

#[test]
fn a_refresh_that_fails_archives_nothing_keeps_its_targets_and_comes_again() {
    let managed = Managed::start(4, "  :retry_pause: 100ms\n");
    managed.until_read();
    let vms: Vec<String> = managed
        .cloud
        .objects()
        .of(Kind::Vm)
        .map(|(id, _)| id.clone())
        .collect();
    managed.cloud.set_token(Some("somebody else's".to_owned()));
    let request = RefreshRequest {
        ems_id: managed.ems.id,
        targets: vms
            .iter()
            .map(|vm| Target::new("vms", ManagerRef::ems_ref(vm.as_str())))
            .collect(),
        full: None,
    };
    let id = managed.vmdb().queue_refresh(&request).wait().unwrap();
    let state = || managed.vmdb().refresh_show(id).unwrap().unwrap().refresh;
    managed.until("it failed three times", || 3 < state().attempts);
    assert!(
        state()
            .error
            .unwrap()
            .contains("refused the credentials (HTTP 401)"),
        "{:?}",
        state().error
    );
    managed.assert_true();
    managed.cloud.set_token(None);
    managed.until("it is done", || state().state == RefreshState::Done);
    assert_eq!(state().targets, 4);
    managed.assert_true();
}

#[test]
fn one_target_that_a_collector_fails_over_does_not_hold_up_the_others() {
    let project = Project::shipped();
    let managed = Managed::of(project, 4, "  :retry_pause: 50ms\n");
    managed.until_read();
    let vm = managed
        .cloud
        .objects()
        .of(Kind::Vm)
        .map(|(id, _)| id.clone())
        .next()
        .unwrap();
    managed
        .cloud
        .change(&change(json!({"do": "rename", "vm": vm, "name": "after"})))
        .unwrap();
    let request = RefreshRequest {
        ems_id: managed.ems.id,
        targets: vec![
            Target::new("planets", ManagerRef::ems_ref("mars")),
            Target::new("vms", ManagerRef::ems_ref(vm.as_str())),
        ],
        full: None,
    };
    let id = managed.vmdb().queue_refresh(&request).wait().unwrap();
    let state = || managed.vmdb().refresh_show(id).unwrap().unwrap();
    managed.until("only the broken one is left", || {
        state().requested.len() == 1
            && state()
                .refresh
                .error
                .is_some_and(|error| error.contains("planets"))
    });
    assert_eq!(&*state().requested[0].target.association, "planets");
    managed.assert_true();
}
