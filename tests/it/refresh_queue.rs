//! What waits to be refreshed: one waiting and one running refresh a manager, and no target that gets lost.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::cell::Cell;
use std::collections::BTreeMap;

use switchboard::model::clock::SignedDuration;
use switchboard::model::delivery::Delivery;
use switchboard::model::ems::Ems;
use switchboard::model::ems::EmsId;
use switchboard::model::inventory::Collected;
use switchboard::model::inventory::RefreshScope;
use switchboard::model::target::ManagerRef;
use switchboard::model::target::Target;
use switchboard::vmdb::Handled;
use switchboard::vmdb::RefreshFilter;
use switchboard::vmdb::RefreshId;
use switchboard::vmdb::RefreshPace;
use switchboard::vmdb::RefreshRequest;
use switchboard::vmdb::RefreshState;
use switchboard::vmdb::RunningRefresh;
use switchboard::vmdb::Vmdb;

use crate::support::Database;
use crate::support::add;
use crate::support::add_ems;
use crate::support::event;
use crate::support::saved;
use crate::support::take_refresh;

fn ask(vmdb: &Vmdb, ems: &Ems, vms: &[&str], full: Option<&str>) -> RefreshId {
    let request = RefreshRequest {
        ems_id: ems.id,
        targets: vms
            .iter()
            .map(|vm| Target::new("vms", ManagerRef::ems_ref(*vm)))
            .collect(),
        full: full.map(ToOwned::to_owned),
    };
    vmdb.queue_refresh(&request).wait().unwrap()
}

/// An event asks for a VM.
fn event_asks(vmdb: &Vmdb, ems: &Ems, key: &str, vm: &str) {
    vmdb.put(vec![add(ems, event(key, vm))]).wait().unwrap();
    let message = vmdb.take(1, 1).unwrap().remove(0);
    let mut outcome = saved(message, Delivery::default());
    if let Handled::New { decided, .. } = &mut outcome.handled {
        decided.refreshes = vec![RefreshRequest {
            ems_id: ems.id,
            targets: vec![Target::new("vms", ManagerRef::ems_ref(vm))],
            full: None,
        }];
    }
    vmdb.commit(vec![outcome]).wait().unwrap();
}

fn vms(refresh: &RunningRefresh) -> Vec<String> {
    let name = |target: &Target| target.manager_ref.0.values().next().unwrap().to_string();
    refresh.targets.iter().map(name).collect()
}

fn done(vmdb: &Vmdb, refresh: &RunningRefresh) {
    let scope = match refresh.full {
        Some(_) => RefreshScope::Full,
        None => RefreshScope::Targets(refresh.targets.clone()),
    };
    vmdb.refresh_save(refresh.id, refresh.ems.id, &scope, &Collected::default())
        .unwrap();
}

fn states(vmdb: &Vmdb) -> BTreeMap<i64, RefreshState> {
    let all = vmdb.refresh_list(&RefreshFilter::default()).unwrap();
    all.into_iter()
        .map(|refresh| (refresh.id.0, refresh.state))
        .collect()
}

#[test]
fn c80_c81_what_is_asked_for_before_a_refresh_begins_joins_it_and_the_rest_is_one_later_refresh() {
    let (database, ems) = Database::with_ems("one");
    let vmdb = &database.vmdb;
    assert_eq!(ask(vmdb, &ems, &["a", "b"], None), RefreshId(1));
    assert_eq!(ask(vmdb, &ems, &["b", "c"], None), RefreshId(1));
    let first = take_refresh(vmdb).unwrap();
    assert_eq!(
        (first.id, vms(&first)),
        (RefreshId(1), vec!["a".into(), "b".into(), "c".into()])
    );
    assert_eq!(ask(vmdb, &ems, &["a"], None), RefreshId(2));
    assert_eq!(ask(vmdb, &ems, &["d"], None), RefreshId(2));
    assert!(take_refresh(vmdb).is_none(), "one at a time of each manager");
    done(vmdb, &first);
    let second = take_refresh(vmdb).unwrap();
    assert_eq!(
        (second.id, vms(&second)),
        (RefreshId(2), vec!["a".into(), "d".into()])
    );
    done(vmdb, &second);
    assert!(take_refresh(vmdb).is_none());
    let all_done = BTreeMap::from([(1, RefreshState::Done), (2, RefreshState::Done)]);
    assert_eq!(states(vmdb), all_done);
}

#[test]
fn managers_do_not_wait_for_each_other_and_those_that_are_gone_for_nothing() {
    let (database, one) = Database::with_ems("one");
    let vmdb = &database.vmdb;
    let (two, gone) = (add_ems(vmdb, "two"), add_ems(vmdb, "gone"));
    for ems in [&gone, &one, &two] {
        ask(vmdb, ems, &["a"], None);
    }
    vmdb.ems_remove("gone").wait().unwrap();
    let taken: Vec<EmsId> = std::iter::from_fn(|| take_refresh(vmdb))
        .map(|refresh| refresh.ems.id)
        .collect();
    assert_eq!(taken, [one.id, two.id]);
}

#[test]
fn c88_a_refresh_that_failed_keeps_its_targets_and_takes_in_what_was_asked_for_meanwhile() {
    let (database, ems) = Database::with_ems("one");
    let vmdb = &database.vmdb;
    ask(vmdb, &ems, &["a", "b"], None);
    for attempt in 1..=5 {
        let running = take_refresh(vmdb).unwrap();
        assert_eq!((running.id, running.attempts), (RefreshId(1), attempt));
        let meanwhile = format!("new{attempt}");
        ask(
            vmdb,
            &ems,
            &["b", &meanwhile],
            (attempt == 3).then_some("somebody wants all of it"),
        );
        let due = database.clock.now() + SignedDuration::from_secs(60);
        vmdb.refresh_failed(running.id, "no answer", due).wait().unwrap();
        assert!(take_refresh(vmdb).is_none(), "not before its time");
        let shown = vmdb.refresh_show(RefreshId(1)).unwrap().unwrap().refresh;
        assert_eq!(
            (shown.state, shown.due, &*shown.error.unwrap()),
            (RefreshState::Waiting, Some(due), "no answer")
        );
        let of_manager = vmdb.manager_refreshes().unwrap().remove(&ems.id).unwrap();
        assert_eq!(of_manager.last_refresh_error.as_deref(), Some("no answer"));
        database.clock.advance(SignedDuration::from_secs(60));
    }
    let last = take_refresh(vmdb).unwrap();
    assert_eq!(vms(&last), ["a", "b", "new1", "new2", "new3", "new4", "new5"]);
    assert_eq!(last.full.as_deref(), Some("somebody wants all of it"));
    let joined = vmdb.refresh_show(RefreshId(3)).unwrap().unwrap().refresh;
    assert_eq!(
        (joined.state, joined.merged_into),
        (RefreshState::Merged, Some(RefreshId(1)))
    );
    done(vmdb, &last);
    let of_manager = vmdb.manager_refreshes().unwrap().remove(&ems.id).unwrap();
    assert_eq!(of_manager.last_refresh_error, None, "C87");
    assert_eq!(of_manager.last_refresh_success_date, Some(database.clock.now()));
    assert_eq!(of_manager.last_full_refresh_date, Some(database.clock.now()));
}

#[test]
fn what_ran_when_the_process_ended_runs_again_and_a_person_need_not_wait_for_a_pause() {
    let (database, ems) = Database::with_ems("one");
    let vmdb = &database.vmdb;
    ask(vmdb, &ems, &["a"], None);
    take_refresh(vmdb).unwrap();
    ask(vmdb, &ems, &["b"], None);
    assert_eq!(vmdb.refresh_recover().wait().unwrap(), 1);
    let again = take_refresh(vmdb).unwrap();
    assert_eq!((again.attempts, vms(&again)), (2, vec!["a".into(), "b".into()]));
    let due = database.clock.now() + SignedDuration::from_mins(30);
    vmdb.refresh_failed(again.id, "no answer", due).wait().unwrap();
    assert!(take_refresh(vmdb).is_none());
    ask(vmdb, &ems, &["c"], None);
    assert_eq!(vms(&take_refresh(vmdb).unwrap()), ["a", "b", "c"]);
}

#[test]
fn a_clock_that_was_set_back_holds_nothing_up() {
    let (database, ems) = Database::with_ems("one");
    let vmdb = &database.vmdb;
    ask(vmdb, &ems, &["a"], None);
    let running = take_refresh(vmdb).unwrap();
    let due = database.clock.now() + SignedDuration::from_secs(60);
    vmdb.refresh_failed(running.id, "no answer", due).wait().unwrap();
    assert!(take_refresh(vmdb).is_none());
    database.clock.advance(SignedDuration::from_hours(-24));
    assert!(take_refresh(vmdb).is_some());
}

#[test]
fn after_a_refresh_the_next_one_gathers_until_nothing_more_comes_and_a_person_does_not_wait() {
    let (database, ems) = Database::with_ems("one");
    let vmdb = &database.vmdb;
    let pace = RefreshPace {
        gather: SignedDuration::from_secs(1),
        gather_most: SignedDuration::from_secs(10),
        longest_pause: SignedDuration::from_hours(1),
    };
    let take = || vmdb.refresh_take(pace, |_| true).unwrap();
    let pass = |milliseconds| database.clock.advance(SignedDuration::from_millis(milliseconds));
    let number = Cell::new(0);
    let joins = || {
        number.set(number.get() + 1);
        event_asks(vmdb, &ems, &number.get().to_string(), "a");
    };
    joins();
    let first = take().expect("a lonely event waits for nothing");
    joins();
    done(vmdb, &first);
    assert!(take().is_none(), "more may come");
    pass(900);
    joins();
    pass(900);
    assert!(take().is_none(), "something came meanwhile");
    pass(200);
    done(vmdb, &take().expect("nothing came for a second"));
    for _ in 0..19 {
        joins();
        pass(500);
        assert!(take().is_none());
    }
    joins();
    pass(501);
    done(vmdb, &take().expect("not for ever"));
    joins();
    assert!(take().is_none());
    ask(vmdb, &ems, &["b"], None);
    assert!(take().is_some(), "a person asks");
}
