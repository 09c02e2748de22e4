//! What a put leaves behind: each message as it came, the books, and everything else of its transaction.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard::model::clock::SignedDuration;
use switchboard::model::delivery::RulesId;
use switchboard::model::ems::Ems;
use switchboard::model::envelope::Envelope;
use switchboard::model::event::EventHash;
use switchboard::model::event::EventKey;
use switchboard::model::event::NativeEvent;
use switchboard::model::flood::Mark;
use switchboard::vmdb::Cursor;
use switchboard::vmdb::Filtered;
use switchboard::vmdb::MessageId;
use switchboard::vmdb::MessageKind;
use switchboard::vmdb::MessageState;
use switchboard::vmdb::NewMessage;
use switchboard::vmdb::Put;
use switchboard::vmdb::PutOutcome;
use switchboard::vmdb::QueueFilter;
use switchboard::vmdb::RefreshFilter;
use switchboard::vmdb::RefreshRequest;
use switchboard::vmdb::Tally;
use switchboard::vmdb::Vmdb;
use switchboard::vmdb::VmdbConfig;
use switchboard::vmdb::VmdbError;

use crate::support::Database;
use crate::support::add;
use crate::support::event;
use crate::support::have_trouble;
use crate::support::noon;

/// An event of a flood, which waits for its like for a minute.
fn marked(key: &str, vm: &str) -> EventHash {
    let mut hash = event(key, vm);
    let until = noon() + SignedDuration::from_mins(1);
    Mark { until, digest: "x" }.put_on(&mut hash);
    hash
}

fn unparsed(ems: &Ems) -> NewMessage {
    let envelope = Envelope {
        event_key: EventKey("enveloped".into()),
        time: Some(noon()),
        attributes: switchboard::model::json::Map::new(),
    };
    NewMessage::Unparsed {
        ems_id: ems.id,
        native: NativeEvent {
            body: "not { json".into(),
            envelope: Some(envelope),
        },
        reason: "boom".to_owned(),
        rules_id: RulesId(3),
        received_at: noon() + SignedDuration::from_secs(7),
    }
}

fn tally(database: &Database, ems: &Ems) -> Tally {
    database.vmdb.tallies().unwrap().remove(&ems.id).unwrap()
}

#[test]
fn each_message_is_on_the_queue_as_it_came_and_in_the_books() {
    let (database, ems) = Database::with_ems("cloud");
    let vmdb = &database.vmdb;
    let messages = vec![
        add(&ems, event("a", "vm-1")),
        add(&ems, marked("b", "vm-2")),
        unparsed(&ems),
    ];
    let put = vmdb.put(messages).wait().unwrap();
    assert_eq!(put, [1, 2, 3].map(|id| PutOutcome::Queued(MessageId(id))));
    let later = |seconds| noon() + SignedDuration::from_secs(seconds);
    let expected = [
        (MessageKind::Add, MessageState::Ready, 0, None, noon()),
        (
            MessageKind::Add,
            MessageState::Waiting,
            0,
            Some(later(60)),
            noon(),
        ),
        (MessageKind::Unparsed, MessageState::Dead, 1, None, later(7)),
    ];
    let entries = vmdb.queue_list(&QueueFilter::default()).unwrap();
    let found = entries.iter().map(|entry| {
        let (kind, state) = (entry.kind, entry.state);
        (kind, state, entry.attempts, entry.due, entry.received_at)
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
    let found = entries.iter().map(|entry| {
        let (lane, error) = (entry.lane.as_deref(), entry.error.as_deref());
        (lane, error, entry.generation)
    });
    let expected = [
        (Some("1/vm/vm-1"), None, None),
        (Some("1/vm/vm-2"), None, None),
        (None, Some("boom"), Some(RulesId(3))),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
    let kept = vmdb.queue_show(MessageId(3)).unwrap().unwrap();
    assert_eq!(kept.full_data.as_deref(), Some("not { json"));
    assert_eq!(kept.payload.unwrap()["event_key"], "enveloped");
    // The dead one waits for nobody.
    assert_eq!(vmdb.waiting(), 2);
    let expected = Tally {
        received: 3,
        accepted: 3,
        dead: 1,
        ..Tally::default()
    };
    assert_eq!(tally(&database, &ems), expected);
}

#[test]
fn one_of_a_flood_is_taken_when_it_is_due_and_holds_its_lane_until_then() {
    let (database, ems) = Database::with_ems("cloud");
    let vmdb = &database.vmdb;
    let take = || {
        let taken = vmdb.take(9, 1).unwrap();
        taken
            .iter()
            .map(|message| message.ticket.id().0)
            .collect::<Vec<_>>()
    };
    vmdb.put(vec![add(&ems, event("a", "vm-1"))]).wait().unwrap();
    assert_eq!(take(), [1]);
    let messages = [marked("b", "vm-1"), event("c", "vm-1"), event("d", "vm-2")];
    vmdb.put(messages.map(|hash| add(&ems, hash)).to_vec())
        .wait()
        .unwrap();
    assert_eq!(take(), [1, 4]);
    database.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(take(), [1, 2, 3, 4]);
}

#[test]
fn what_did_not_come_is_counted_with_the_cursor_and_the_refresh_that_go_with_it() {
    let (database, ems) = Database::with_ems("cloud");
    let vmdb = &database.vmdb;
    let put = Put {
        messages: Vec::new(),
        cursor: Some(Cursor {
            ems_id: ems.id,
            stream: "poll".to_owned(),
            position: serde_json::json!({"page": 7}).into(),
        }),
        refresh: Some(RefreshRequest {
            ems_id: ems.id,
            targets: Vec::new(),
            full: Some("a gap".to_owned()),
        }),
        filtered: vec![Filtered {
            ems_id: ems.id,
            filtered: 2,
            refused: 5,
        }],
    };
    assert_eq!(vmdb.put(put).wait().unwrap(), []);
    let expected = Tally {
        received: 7,
        filtered: 2,
        refused: 5,
        ..Tally::default()
    };
    assert_eq!(tally(&database, &ems), expected);
    let cursor = vmdb.cursor(ems.id, "poll").unwrap();
    assert_eq!(cursor, Some(serde_json::json!({"page": 7}).into()));
    let refreshes = vmdb.refresh_list(&RefreshFilter::default()).unwrap();
    let asked: Vec<_> = refreshes.iter().map(|refresh| refresh.full.as_deref()).collect();
    assert_eq!(asked, [Some("a gap")]);
}

#[test]
fn whoever_waits_for_messages_is_woken_by_those_that_can_be_taken() {
    let (database, ems) = Database::with_ems("cloud");
    let vmdb = &database.vmdb;
    let before = vmdb.messages_seen();
    vmdb.put(vec![unparsed(&ems)]).wait().unwrap();
    vmdb.put(vec![add(&ems, event("a", "vm-1"))]).wait().unwrap();
    // It is told after the answer. Longer than that takes, and only a test that fails waits for it.
    vmdb.wait_for_messages(before, Duration::from_secs(10));
    assert_eq!(vmdb.messages_seen(), before + 1);
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn a_disk_without_room_takes_no_more_and_whoever_waits_is_told() {
    let Database { folder, clock, vmdb } = Database::new();
    vmdb.close();
    let url = switchboard::vmdb::DatabaseUrl::sqlite(folder.path().join("test.db"));
    // No disk has as much.
    let config = VmdbConfig {
        reserve: u64::MAX,
        ..VmdbConfig::default()
    };
    let vmdb = Vmdb::open_to_serve_with(&url, clock, &config).unwrap();
    let ems = crate::support::add_ems(&vmdb, "cloud");
    let told = Arc::new(Mutex::new(Vec::new()));
    let put = |key: &str| {
        let told = told.clone();
        let tell = move |outcomes: &Result<Vec<PutOutcome>, VmdbError>| {
            told.lock().push(outcomes.as_ref().err().map(ToString::to_string));
        };
        let message = add(&ems, event(key, "vm-1"));
        vmdb.put_and_tell(vec![message], tell).wait().err()
    };
    assert!(put("a").is_none());
    have_trouble(&vmdb, "max_page_count = 1").unwrap();
    let full = put(&"b".repeat(100_000));
    assert!(matches!(full, Some(VmdbError::Full { .. })), "{full:?}");
    // The next one is not even tried: that the disk would take it again makes no difference.
    have_trouble(&vmdb, "max_page_count = 1000000").unwrap();
    let refused = put("c");
    assert!(matches!(refused, Some(VmdbError::NoRoom { .. })), "{refused:?}");
    let expected = [None, full, refused].map(|error| error.map(|error| error.to_string()));
    assert_eq!(*told.lock(), expected);
    assert_eq!(vmdb.waiting(), 1);
}
