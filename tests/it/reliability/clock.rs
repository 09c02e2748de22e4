//! Statement 36: a clock that is set back by an hour, or forward by ten years, misleads nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use switchboard::model::clock::SignedDuration;
use switchboard::model::delivery::Delivery;
use switchboard::model::delivery::Retry;
use switchboard::model::event::EventId;
use switchboard::vmdb::MessageState;
use switchboard::vmdb::QueueFilter;
use switchboard::vmdb::RefreshRequest;

use crate::support::Database;
use crate::support::event;
use crate::support::take_refresh;
use crate::support::told_rules::put;
use crate::support::told_rules::start;
use crate::support::told_rules::until;
use crate::support::told_rules::until_empty;
use crate::support::told_rules::vm;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const TEN_YEARS: SignedDuration = SignedDuration::from_hours(87_600);

fn in_a_minute() -> Retry {
    Retry {
        after: 60.0,
        server_affinity: false,
        machines: BTreeMap::new(),
        state_vars: BTreeMap::new(),
        root: BTreeMap::new(),
    }
}

#[test]
fn s36_what_waits_a_minute_waits_a_minute_whatever_the_clock_does() {
    for jump in [-HOUR, TEN_YEARS, -TEN_YEARS] {
        let (database, ems) = Database::with_ems("cloud");
        let vmdb = &database.vmdb;
        let handler = start(&database, |_, retry| Delivery {
            retry: retry.is_none().then(in_a_minute),
            ..Delivery::default()
        });
        put(&database, &ems, vec![event("k1", "a")]);
        until(vmdb, || vmdb.queue_counts().unwrap().waiting == 1);
        // A refresh that failed waits too.
        let request = RefreshRequest {
            ems_id: ems.id,
            targets: vec![vm("a")],
            full: None,
        };
        vmdb.queue_refresh(&request).wait().unwrap();
        let refresh = take_refresh(vmdb).unwrap().id;
        let retry_at = database.clock.now() + SignedDuration::from_secs(30);
        vmdb.refresh_failed(refresh, "down", retry_at).wait().unwrap();
        database.clock.advance(jump);
        // Something else comes, which is decided at once, and is the next in order although its time is not.
        put(&database, &ems, vec![event("k2", "b")]);
        until(vmdb, || vmdb.event_show(EventId(3)).unwrap().is_some());
        let soon = database.clock.now() + SignedDuration::from_secs(61);
        let dues = || {
            let waiting = vmdb.queue_list(&QueueFilter::default()).unwrap();
            let dues = waiting
                .into_iter()
                .filter(|entry| entry.state == MessageState::Waiting);
            let refresh = vmdb.refresh_show(refresh).unwrap().unwrap().refresh;
            dues.map(|entry| entry.due)
                .chain([refresh.due])
                .flatten()
                .collect::<Vec<_>>()
        };
        until(vmdb, || dues().iter().all(|due| *due <= soon));
        database.clock.advance(SignedDuration::from_secs(61));
        until_empty(vmdb);
        assert_eq!(take_refresh(vmdb).unwrap().id, refresh);
        handler.stop();
    }
}

#[test]
fn s36_order_is_by_number_and_not_by_time() {
    let (database, ems) = Database::with_ems("cloud");
    let seen: Arc<Mutex<Vec<i64>>> = Arc::default();
    let notes = seen.clone();
    for (key, jump) in [("k1", TEN_YEARS), ("k2", -HOUR), ("k3", -TEN_YEARS), ("k4", HOUR)] {
        put(&database, &ems, vec![event(key, "a")]);
        database.clock.advance(jump);
    }
    let handler = start(&database, move |event, _| {
        notes.lock().push(event.id.unwrap().0);
        Delivery::default()
    });
    until_empty(&database.vmdb);
    handler.stop();
    assert_eq!(*seen.lock(), [1, 2, 3, 4]);
    let events = database
        .vmdb
        .events_list(&switchboard::vmdb::EventFilter::default())
        .unwrap();
    let ids: Vec<i64> = events.iter().map(|stored| stored.event.id.unwrap().0).collect();
    assert_eq!(ids, [4, 3, 2, 1]);
}
