//! Old events go, a window at a time; what waits stays, the books balance, and no clock makes everything old.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use switchboard::appliance::ApplianceConfig;
use switchboard::model::clock::Clock;
use switchboard::model::clock::SignedDuration;
use switchboard::model::delivery::Delivery;
use switchboard::model::ems::Ems;
use switchboard::model::event::EventHash;
use switchboard::model::event::EventId;
use switchboard::vmdb::Audit;
use switchboard::vmdb::EventFilter;
use switchboard::vmdb::Handled;
use switchboard::vmdb::NewEffect;
use switchboard::vmdb::NewMessage;
use switchboard::vmdb::NewRetry;
use switchboard::vmdb::Purge;
use switchboard::vmdb::PutOutcome;
use switchboard::vmdb::QueueFilter;
use switchboard::vmdb::Retention;
use switchboard::vmdb::Vmdb;

use crate::support::Database;
use crate::support::event;
use crate::support::noon;
use crate::support::project::Project;
use crate::support::saved;
use crate::support::served::Served;

const DAY: i64 = 24 * 60 * 60;

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_secs(days * DAY)
}

fn keep(keep_days: u64) -> Retention {
    Retention {
        keep_events: Duration::from_secs(keep_days * 24 * 60 * 60),
        keep_rows: None,
        window: 3,
    }
}

/// Purges all there is to purge; every window is a transaction of its own.
fn purge(vmdb: &Vmdb, retention: &Retention) -> Purge {
    let mut purge = vmdb.purge_begin(retention).unwrap().wait().unwrap();
    while !purge.is_done() {
        let before = purge.purged.events;
        purge = vmdb.purge_window(purge).wait().unwrap();
        assert!(purge.purged.events - before <= retention.window);
    }
    purge
}

/// An event that happened so many days before noon, and was received then.
fn at(ems: &Ems, key: &str, days_ago: i64) -> NewMessage {
    received(ems, event(key, "vm-1"), days_ago, Some(days_ago))
}

fn received(ems: &Ems, mut hash: EventHash, days_ago: i64, happened: Option<i64>) -> NewMessage {
    hash.timestamp = happened.map(|ago| noon() - days(ago));
    NewMessage::Add {
        ems_id: ems.id,
        hash,
        received_at: noon() - days(days_ago),
    }
}

/// Saves events; the second argument may change their decisions.
fn save(
    database: &Database,
    messages: Vec<NewMessage>,
    change: impl Fn(EventId, &mut switchboard::vmdb::Decided),
) {
    let vmdb = &database.vmdb;
    vmdb.put(messages).wait().unwrap();
    loop {
        let messages = vmdb.take(1_000, 1).unwrap();
        if messages.is_empty() {
            break;
        }
        let outcomes = messages.into_iter().map(|message| {
            let id = message.ticket.event_id();
            let mut outcome = saved(message, Delivery::default());
            if let Handled::New { decided, .. } = &mut outcome.handled {
                change(id, decided);
            }
            outcome
        });
        vmdb.commit(outcomes.collect()).wait().unwrap();
    }
}

fn ids(vmdb: &Vmdb) -> Vec<i64> {
    let events = vmdb.events_list(&EventFilter::default()).unwrap();
    let mut ids: Vec<i64> = events
        .iter()
        .filter_map(|stored| Some(stored.event.id?.0))
        .collect();
    ids.sort_unstable();
    ids
}

fn query(database: &Database, sql: &str) -> i64 {
    let connection = rusqlite::Connection::open(database.folder.path().join("test.db")).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// `accepted = delivered + discarded + waiting`, `delivered - purged` are the rows.
fn assert_balance(database: &Database) {
    let vmdb = &database.vmdb;
    let (mut received, mut accepted, mut done, mut rows) = (0, 0, 0, 0);
    for tally in vmdb.tallies().unwrap().values() {
        received += tally.received - tally.duplicate - tally.filtered - tally.refused;
        accepted += tally.accepted;
        done += tally.delivered + tally.discarded;
        rows += tally.delivered - tally.purged;
    }
    assert_eq!(received, accepted);
    let waiting = query(database, "SELECT count(*) FROM miq_queue WHERE kind <> 2");
    assert_eq!(accepted, done + waiting);
    assert_eq!(rows, query(database, "SELECT count(*) FROM event_streams"));
    assert_eq!(u64::try_from(rows).unwrap(), vmdb.event_count().unwrap());
}

#[test]
fn an_event_goes_when_both_its_timestamp_and_its_receipt_are_old() {
    let (database, ems) = Database::with_ems("cloud");
    let messages = vec![
        at(&ems, "old", 11),
        // Exactly as old as may be: gone too.
        at(&ems, "edge", 10),
        at(&ems, "young", 9),
        received(&ems, event("late", "vm-1"), 1, Some(11)),
        // Times that mean "unknown".
        received(&ems, event("of year 1", "vm-1"), 1, Some(739_000)),
        received(&ems, event("of 1970, and old", "vm-1"), 10, Some(20_454)),
        received(&ems, event("timeless and old", "vm-1"), 11, None),
        received(&ems, event("timeless and young", "vm-1"), 9, None),
        received(&ems, event("from the future", "vm-1"), 11, Some(-1)),
    ];
    save(&database, messages, |_, _| {});
    let purge = purge(&database.vmdb, &keep(10));
    assert_eq!(purge.cutoff(), noon() - days(10));
    assert_eq!(purge.purged.events, 4);
    assert_eq!(ids(&database.vmdb), [3, 4, 5, 8, 9]);
    for table in ["native_events", "deliveries"] {
        assert_eq!(
            query(&database, &format!("SELECT count(*) FROM {table}")),
            5,
            "{table}"
        );
    }
    assert_balance(&database);
}

#[test]
fn beyond_the_number_that_is_kept_the_oldest_go_and_their_repeats_stay_known() {
    let (database, ems) = Database::with_ems("cloud");
    let messages = (0..10).map(|n| at(&ems, &format!("k{n}"), 5)).collect();
    save(&database, messages, |_, _| {});
    let retention = Retention {
        keep_rows: Some(4),
        ..keep(10)
    };
    assert_eq!(purge(&database.vmdb, &retention).purged.events, 6);
    assert_eq!(ids(&database.vmdb), [7, 8, 9, 10]);
    assert_balance(&database);
    let again = |key: &str| database.vmdb.put(vec![at(&ems, key, 0)]).wait().unwrap();
    // An overlapping poll brings what was purged by number only: nothing is done twice.
    assert_eq!(again("k0"), [PutOutcome::Duplicate(EventId(1))]);
    assert_eq!(again("k9"), [PutOutcome::Duplicate(EventId(10))]);
    // Once it is too old anyway its key goes, and a repeat is an event again.
    database.clock.advance(days(6));
    for _day in 0..6 {
        purge(&database.vmdb, &retention);
    }
    assert_eq!(query(&database, "SELECT count(*) FROM purged_keys"), 0);
    assert!(matches!(again("k0")[..], [PutOutcome::Queued(_)]));
    assert_balance(&database);
}

#[test]
fn what_waits_is_never_purged() {
    let (database, ems) = Database::with_ems("cloud");
    let messages = (0..5).map(|n| at(&ems, &format!("k{n}"), 30)).collect();
    save(&database, messages, |id, decided| match id.0 {
        1 => decided.retry = Some(retry()),
        2 => decided.outbox.push(NewEffect {
            position: 0,
            idempotency_key: "key".to_owned(),
            lane: "event/2".into(),
            action: serde_json::json!({"http": {}}).into(),
        }),
        _ => {}
    });
    // Not handled yet, however old.
    database.vmdb.put(vec![at(&ems, "waits", 30)]).wait().unwrap();
    let retention = Retention {
        keep_rows: Some(1),
        ..keep(10)
    };
    let purged = purge(&database.vmdb, &retention).purged;
    assert_eq!(purged.events, 3);
    assert_eq!(ids(&database.vmdb), [1, 2]);
    assert_eq!(
        database.vmdb.queue_list(&QueueFilter::default()).unwrap().len(),
        3,
        "the retry, the effect, and what is not handled yet"
    );
    assert_balance(&database);
    // The effect is sent, the retry given up: now they go, and with the effect its row.
    let connection = rusqlite::Connection::open(database.folder.path().join("test.db")).unwrap();
    connection.execute("UPDATE outbox SET state = 3", []).unwrap();
    drop(connection);
    let retries = database.vmdb.queue_list(&QueueFilter::default()).unwrap();
    for entry in retries.iter().filter(|entry| entry.event_type.is_none()) {
        database.vmdb.queue_discard(entry.id).wait().unwrap();
    }
    assert_eq!(purge(&database.vmdb, &retention).purged.events, 2);
    assert_eq!(query(&database, "SELECT count(*) FROM outbox"), 0);
    assert_balance(&database);
}

fn retry() -> NewRetry {
    NewRetry {
        retry: switchboard::model::delivery::Retry::default(),
        run: 1,
        due: noon() + days(400),
    }
}

#[test]
fn refreshes_that_are_done_go_at_the_same_age_and_those_that_are_not_stay() {
    let (database, ems) = Database::with_ems("cloud");
    save(
        &database,
        vec![at(&ems, "old", 30), at(&ems, "young", 1)],
        |_, _| {},
    );
    let connection = rusqlite::Connection::open(database.folder.path().join("test.db")).unwrap();
    let ago = |ago| (noon() - days(ago)).as_microsecond();
    for (id, state, finished) in [
        (1, 2, Some(ago(30))),
        (2, 0, None),
        (3, 2, Some(ago(1))),
        (4, 3, Some(ago(30))),
    ] {
        connection
            .execute(
                "INSERT INTO refresh_queue (id, ems_id, state, requested_at, finished_at, attempts) \
                 VALUES (?1, 1, ?2, ?3, ?4, 1)",
                rusqlite::params![id, state, ago(30), finished],
            )
            .unwrap();
        let target = "INSERT INTO refresh_targets (refresh_id, association, manager_ref, requests) \
                      VALUES (?1, 'vms', 'x', 1)";
        connection.execute(target, [id]).unwrap();
        for event in 1..=2 {
            let asked = "INSERT INTO event_refreshes (event_id, refresh_id) VALUES (?1, ?2)";
            connection.execute(asked, [event, id]).unwrap();
        }
    }
    drop(connection);
    let purged = purge(&database.vmdb, &keep(10)).purged;
    assert_eq!((purged.events, purged.refreshes), (1, 1));
    let sum = |sql: &str| query(&database, sql);
    assert_eq!(sum("SELECT sum(id) FROM refresh_queue"), 2 + 3 + 4);
    assert_eq!(sum("SELECT sum(refresh_id) FROM refresh_targets"), 2 + 3 + 4);
    assert_eq!(sum("SELECT count(*) FROM event_refreshes WHERE event_id = 2"), 3);
    assert_eq!(sum("SELECT count(*) FROM event_refreshes"), 3);
}

#[test]
fn a_running_appliance_purges_by_its_settings_and_shows_it() {
    let project = Project::shipped();
    project.write(
        "settings.yml",
        "event_streams:\n  history:\n    keep_events: 1.hours\n",
    );
    let clock = Clock::manual(noon());
    let served = Served::start(project, |config| ApplianceConfig {
        clock: clock.clone(),
        ..config
    });
    let served = served.unwrap();
    let event = r#"{"id": "e-1", "event_name": "com.awesomecloud.vm.create", "vm": {"id": "vm-1"}}"#;
    assert_eq!(served.post(event).status, 202);
    served.until_saved(1);
    served.until("/metrics", |answer| {
        // Each look is a minute later.
        clock.advance(SignedDuration::from_mins(1));
        answer.body.contains("switchboard_purged_events_total 1\n")
    });
    assert!(
        served
            .vmdb()
            .events_list(&EventFilter::default())
            .unwrap()
            .is_empty()
    );
    let metrics = served.get("/metrics").body;
    assert!(
        metrics.contains("switchboard_tally{ems=\"my_cloud\",column=\"purged\"} 1\n"),
        "{metrics}"
    );
}

#[test]
fn numbers_of_purged_events_are_not_given_again() {
    let (database, ems) = Database::with_ems("cloud");
    save(&database, vec![at(&ems, "a", 30), at(&ems, "b", 30)], |_, _| {});
    assert_eq!(purge(&database.vmdb, &keep(10)).purged.events, 2);
    let Database { folder, vmdb, clock } = database;
    vmdb.close();
    let url = switchboard::vmdb::DatabaseUrl::sqlite(folder.path().join("test.db"));
    let vmdb = Vmdb::open_to_serve(&url, clock).unwrap();
    let put = vmdb.put(vec![at(&ems, "c", 0)]).wait().unwrap();
    assert!(
        matches!(put[..], [PutOutcome::Queued(id)] if id.0 == 3),
        "{put:?}"
    );
}

#[test]
fn statement_36_a_clock_that_jumps_ten_years_makes_a_day_older_not_everything() {
    let (database, ems) = Database::with_ems("cloud");
    let messages = (0..12)
        .map(|ago| at(&ems, &format!("k{ago}"), 11 - ago))
        .collect();
    save(&database, messages, |_, _| {});
    let left = |vmdb: &Vmdb| ids(vmdb).len();
    assert_eq!(purge(&database.vmdb, &keep(20)).purged.events, 0);
    let cutoff = |ago| noon() - days(ago);
    database.clock.advance(days(3_650));
    let after = purge(&database.vmdb, &keep(10));
    assert_eq!((after.purged.events, after.cutoff()), (3, cutoff(9)));
    assert!(after.clock_ahead > Duration::from_secs(3_600 * 24 * 3_000));
    assert_eq!(left(&database.vmdb), 9);
    // It goes on as slowly, also for a program that was started anew.
    let Database { folder, vmdb, clock } = database;
    vmdb.close();
    let url = switchboard::vmdb::DatabaseUrl::sqlite(folder.path().join("test.db"));
    let vmdb = Vmdb::open_to_serve(&url, clock.clone()).unwrap();
    assert_eq!(purge(&vmdb, &keep(10)).purged.events, 1);
    // The clock is put right, or back: from there on it is believed again.
    clock.advance(days(-3_650));
    let right = purge(&vmdb, &keep(10));
    assert_eq!((right.purged.events, right.cutoff()), (0, cutoff(10)));
    assert_eq!(right.clock_ahead, Duration::ZERO);
    clock.advance(SignedDuration::from_hours(-1));
    let back = purge(&vmdb, &keep(10));
    assert_eq!((back.purged.events, back.clock_ahead), (0, Duration::ZERO));
    // A shorter time to keep events counts at once.
    assert_eq!(purge(&vmdb, &keep(4)).purged.events, 3);
}

#[test]
fn statement_36_a_first_purge_believes_a_clock_no_further_than_the_newest_event() {
    let (database, ems) = Database::with_ems("cloud");
    save(&database, vec![at(&ems, "a", 3), at(&ems, "b", 0)], |_, _| {});
    database.clock.advance(days(3_650));
    assert_eq!(purge(&database.vmdb, &keep(10)).purged.events, 0);
}

#[test]
fn events_go_on_while_many_are_purged() {
    let (database, ems) = Database::with_ems("cloud");
    let messages = (0..600).map(|n| at(&ems, &format!("k{n}"), 30)).collect();
    save(&database, messages, |_, _| {});
    let retention = Retention {
        window: 20,
        ..keep(10)
    };
    let purging = std::thread::spawn({
        let vmdb = database.vmdb.clone();
        move || purge(&vmdb, &retention).purged.events
    });
    let mut new = 0;
    while !purging.is_finished() {
        save(&database, vec![at(&ems, &format!("new {new}"), 0)], |_, _| {});
        new += 1;
    }
    assert_eq!(purging.join().unwrap(), 600);
    assert_eq!(ids(&database.vmdb).len(), new);
    assert_balance(&database);
}

#[test]
fn a_check_that_runs_meanwhile_takes_what_was_purged_for_lost_no_more_than_it_overlooks_what_was() {
    let another =
        "UPDATE tallies SET received = received + 1, accepted = accepted + 1, delivered = delivered + 1";
    let told = "events = delivered - purged: 1 by the books, 0 found, 1 missing";
    for (change, missing) in [("SELECT 1", None), (another, Some(told))] {
        let (mut database, ems) = Database::with_ems("cloud");
        // More than the check looks at in one transaction.
        let messages = (0..501).map(|n| at(&ems, &format!("k{n}"), 30)).collect();
        save(&database, messages, |_, _| {});
        let connection = rusqlite::Connection::open(database.folder.path().join("test.db")).unwrap();
        // So that there is something to tell of the first ones.
        let changed = format!("UPDATE native_events SET full_data = '{{}}' WHERE id = 1; {change}");
        connection.execute_batch(&changed).unwrap();
        if missing.is_some() {
            database.folder.is_damaged();
        }
        let mut found = Vec::new();
        let audit = Audit::open(&database.url()).unwrap();
        let audited = audit.check(&database.clock, |finding| {
            if finding.code == "DigestDiffers" {
                assert_eq!(purge(&database.vmdb, &keep(10)).purged.events, 501);
            } else {
                found.push(finding.message);
            }
        });
        audited.unwrap();
        assert_eq!(found, Vec::from_iter(missing), "{change}");
    }
}
