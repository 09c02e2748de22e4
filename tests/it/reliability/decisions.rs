//! Statements 18 and 20: what one bad event costs its batch, and what the same event twice costs. 25 is a matter of types:
//! only `PushStream::keep` makes a `Kept`, after the commit, and no stream can acknowledge without one.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;

use rusqlite::Connection;

use switchboard::handler::Current;
use switchboard::handler::Handler;
use switchboard::handler::HandlerConfig;
use switchboard::handler::Rules;
use switchboard::model::delivery::Delivery;
use switchboard::model::delivery::DeliveryError;
use switchboard::model::delivery::Effect;
use switchboard::model::delivery::RulesId;
use switchboard::model::ems::Ems;
use switchboard::model::event::EmsEvent;
use switchboard::model::event::EventId;
use switchboard::model::event::NativeEvent;
use switchboard::settings::Blacklist;
use switchboard::source::Root;
use switchboard::source::RootKind;
use switchboard::source::SourceTree;
use switchboard::switchboard::Admission;
use switchboard::switchboard::Context;
use switchboard::switchboard::ParseError;
use switchboard::switchboard::Switchboard;
use switchboard::vmdb::Put;
use switchboard::vmdb::PutOutcome;
use switchboard::vmdb::RefreshFilter;

use crate::support::Database;
use crate::support::add;
use crate::support::event;
use crate::support::project::Project;
use crate::support::told_rules::put;
use crate::support::told_rules::refresh;
use crate::support::told_rules::start;
use crate::support::told_rules::until;
use crate::support::told_rules::until_empty;
use crate::support::told_rules::vm;

/// Somebody who looks at the database from outside, again and again, through a connection of their own: at no moment is
/// there an event without all that it caused, nor any of that without the event. Each event has a target of its own.
struct Watcher {
    /// How many numbers of events were seen.
    seen: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Watcher {
    /// Of events that cause so many outside effects each, where nothing goes wrong with them.
    fn start(folder: &Path, effects: i64) -> Self {
        let path: PathBuf = folder.join("test.db");
        let (seen, is_over): (Arc<AtomicUsize>, Arc<AtomicBool>) = Default::default();
        let (notes, end) = (seen.clone(), is_over.clone());
        let thread = thread::spawn(move || {
            let connection = Connection::open(path).unwrap();
            let mut numbers = BTreeSet::new();
            while !end.load(Ordering::Acquire) {
                numbers.insert(look(&connection, effects));
                notes.store(numbers.len(), Ordering::Release);
            }
            look(&connection, effects);
        });
        Self {
            seen,
            is_over,
            thread,
        }
    }

    fn stop(self) {
        self.is_over.store(true, Ordering::Release);
        self.thread.join().unwrap();
    }
}

/// Looks once, by one statement, which is one moment; tells how many events there are.
fn look(connection: &Connection, effects: i64) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM event_streams), (SELECT count(*) FROM deliveries), \
        (SELECT ifnull(sum(delivered), 0) FROM tallies), (SELECT ifnull(sum(events), 0) FROM event_minutes), \
        (SELECT ifnull(sum(accepted), 0) FROM tallies) - (SELECT count(*) FROM miq_queue), \
        (SELECT count(*) FROM deliveries WHERE state = 'delivered'), (SELECT count(*) FROM event_refreshes), \
        (SELECT count(*) FROM refresh_targets), (SELECT count(*) FROM outbox)";
    let mut query = connection.prepare_cached(sql).unwrap();
    let numbers: Vec<i64> = query
        .query_row([], |row| (0..9).map(|column| row.get(column)).collect())
        .unwrap();
    let (saved, through) = (numbers[0], numbers[5]);
    let expected = [
        saved,
        saved,
        saved,
        saved,
        saved,
        through,
        through,
        through,
        effects * through,
    ];
    assert_eq!(
        numbers, expected,
        "events, decisions, books, counts, off the queue; well, links, targets, effects"
    );
    saved
}

#[test]
fn s18_nobody_ever_sees_an_event_without_all_that_it_caused() {
    let (database, ems) = Database::with_ems("cloud");
    let watcher = Watcher::start(database.folder.path(), 1);
    let handler = start(&database, |event, _| {
        if event.id.unwrap().0 % 10 == 0 {
            return Delivery {
                errors: vec![DeliveryError {
                    path: "/".to_owned(),
                    kind: "on purpose".to_owned(),
                    message: "on purpose".to_owned(),
                    fatal: true,
                }],
                ..Delivery::default()
            };
        }
        let mut delivery = refresh(vec![vm(event.hash.text("vm_ems_ref").unwrap())]);
        let action = serde_json::json!({"kind": "event", "event_type": "x"});
        delivery.effects.push(Effect::Outside {
            action: action.into(),
        });
        delivery
    });
    // Until enough of what is between two commits was looked at.
    let mut number = 0;
    while watcher.seen.load(Ordering::Acquire) < 100 {
        let events =
            (number..number + 20).map(|number| event(&format!("k{number}"), &format!("vm-{number}")));
        put(&database, &ems, events.collect());
        number += 20;
        assert!(
            !watcher.thread.is_finished(),
            "what was seen is told by its thread"
        );
        until(&database.vmdb, || {
            database.vmdb.queue_counts().unwrap().ready < 40
        });
    }
    until(&database.vmdb, || database.vmdb.event_count().unwrap() == number);
    handler.stop();
    watcher.stop();
}

/// The shipped rules with another target parser, over an engine that has a defect.
struct Defective(Switchboard);

impl Rules for Defective {
    fn id(&self) -> RulesId {
        Rules::id(&self.0)
    }

    fn admit(&self, ems: &Ems, native: &NativeEvent, blacklist: &Blacklist) -> Result<Admission, ParseError> {
        Rules::admit(&self.0, ems, native, blacklist)
    }

    fn deliver(&self, event: &Arc<EmsEvent>, context: &Context) -> Delivery {
        assert_ne!(event.hash.text("vm_ems_ref"), Some("panics"), "a defect");
        Rules::deliver(&self.0, event, context)
    }
}

#[test]
fn s18_of_256_one_throws_one_panics_one_never_ends_and_253_are_as_if_nothing_was() {
    let project = Project::new("");
    let source = |path: &str| format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    let shipped = fs::read_to_string(source("scripts/awesome_cloud/event_target_parser.rhai")).unwrap();
    let body = "fn parse(ems_event) {\n    if ems_event.vm_ems_ref == \"throws\" { throw \"on purpose\"; }\n    \
                if ems_event.vm_ems_ref == \"endless\" { let n = 0; loop { n += 1; } }\n";
    let script = shipped.replace("fn parse(ems_event) {\n", body);
    assert_ne!(script, shipped);
    project.write("scripts/awesome_cloud/event_target_parser.rhai", &script);
    let parser = fs::read_to_string(source("scripts/awesome_cloud/event_parser.rhai")).unwrap();
    project.write("scripts/awesome_cloud/event_parser.rhai", &parser);
    let root = |kind, folder| Root {
        kind,
        folder,
        required: true,
    };
    let roots = [
        root(RootKind::Automate, source("automate").into()),
        root(RootKind::Scripts, project.path("scripts")),
    ];
    let rules = Switchboard::load(&SourceTree::from_disk(&roots).unwrap(), None).switchboard;
    let rules: Arc<dyn Rules> = Arc::new(Defective(rules));
    let (database, ems) = Database::with_ems("cloud");
    let vm = |number: i64| match number {
        50 => "throws".to_owned(),
        100 => "panics".to_owned(),
        150 => "endless".to_owned(),
        _ => format!("vm-{number}"),
    };
    let events = (1..=256).map(|number| event(&format!("k{number}"), &vm(number)));
    put(&database, &ems, events.collect());
    let config = Arc::new(HandlerConfig {
        threads: 1,
        batch: 256,
        ..HandlerConfig::default()
    });
    let config: Current<HandlerConfig> = Arc::new(move || config.clone());
    let rules: Current<dyn Rules> = Arc::new(move || rules.clone());
    let watcher = Watcher::start(database.folder.path(), 0);
    let handler = Handler::start(&database.vmdb, &rules, &config).unwrap();
    until_empty(&database.vmdb);
    handler.stop();
    watcher.stop();
    let vmdb = &database.vmdb;
    assert_eq!(vmdb.event_count().unwrap(), 256);
    for number in 1..=256 {
        let shown = vmdb.event_show(EventId(number)).unwrap().unwrap();
        assert_eq!(shown.deliveries.len(), 1, "{number}");
        let delivery = &shown.deliveries[0];
        let told: Vec<&str> = delivery.errors.iter().map(|error| &*error.message).collect();
        match number {
            50 => assert!(
                told.iter().any(|text| text.contains("on purpose")),
                "{delivery:?}"
            ),
            100 => assert!(told.iter().any(|text| text.contains("a defect")), "{told:?}"),
            150 => assert!(told.iter().any(|text| text.contains("operations")), "{told:?}"),
            _ => assert_eq!((&*delivery.state, told), ("delivered", vec![]), "{number}"),
        }
        let is_bad = [50, 100, 150].contains(&number);
        assert_eq!(delivery.state == "failed", is_bad, "{number}");
        assert_eq!(shown.refreshes.is_empty(), is_bad, "{number}");
    }
    let refreshes = vmdb.refresh_list(&RefreshFilter::default()).unwrap();
    assert_eq!((refreshes.len(), refreshes[0].targets), (1, 253));
}

/// How many keys are put twice; SWITCHBOARD_TEST_KEYS=10000 for the number of the statement.
fn keys() -> usize {
    let told = std::env::var("SWITCHBOARD_TEST_KEYS").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(2_000)
}

/// C42, C43, C94. That of a batch with one bad CloudEvent nothing is stored, the tests of the web show.
#[test]
fn s20_two_catchers_put_the_same_keys_at_once_and_each_is_one_row_with_one_delivery() {
    let (database, ems) = Database::with_ems("cloud");
    let keys = keys();
    let handler = start(&database, |_, _| Delivery::default());
    let outcomes: Vec<Vec<PutOutcome>> = thread::scope(|scope| {
        let catchers: Vec<_> = [0, 1]
            .into_iter()
            .map(|turned| {
                let (vmdb, ems) = (&database.vmdb, &ems);
                scope.spawn(move || {
                    let mut outcomes = Vec::new();
                    for begin in (0..keys).step_by(20) {
                        let mut numbers: Vec<usize> = (begin..(begin + 20).min(keys)).collect();
                        if turned == 1 {
                            numbers.reverse();
                        }
                        let hash =
                            |number: usize| event(&format!("k{number}"), &format!("vm-{}", number % 97));
                        let messages = numbers.into_iter().map(|number| add(ems, hash(number)));
                        let put = Put::from(messages.collect::<Vec<_>>());
                        outcomes.extend(vmdb.put(put).wait().unwrap());
                    }
                    outcomes
                })
            })
            .collect();
        catchers
            .into_iter()
            .map(|catcher| catcher.join().unwrap())
            .collect()
    });
    assert!(outcomes.iter().all(|outcomes| outcomes.len() == keys));
    until_empty(&database.vmdb);
    until(&database.vmdb, || {
        database.vmdb.event_count().unwrap() == keys as u64
    });
    handler.stop();
    let by_hand = rusqlite::Connection::open(database.folder.path().join("test.db")).unwrap();
    let one = |sql: &str| by_hand.query_row(sql, [], |row| row.get::<_, usize>(0)).unwrap();
    assert_eq!(one("SELECT count(DISTINCT event_key) FROM event_streams"), keys);
    assert_eq!(one("SELECT count(*) FROM deliveries"), keys);
    assert_eq!(one("SELECT count(DISTINCT event_id) FROM deliveries"), keys);
    let tally = database.vmdb.tallies().unwrap()[&ems.id];
    let keys = i64::try_from(keys).unwrap();
    assert_eq!(
        (tally.received, tally.accepted, tally.duplicate),
        (2 * keys, keys, keys)
    );
}
