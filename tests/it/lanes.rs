//! Lanes under load: in order, never two at once, whatever the threads, the reloads and the restarts of the handler.
//!
//! `SWITCHBOARD_LANES_EVENTS=1000000` makes it long.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::ThreadId;

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::OpenFlags;
use switchboard::handler::Current;
use switchboard::handler::Handler;
use switchboard::handler::HandlerConfig;
use switchboard::handler::Rules;
use switchboard::model::delivery::Delivery;
use switchboard::model::delivery::RulesId;
use switchboard::model::ems::Ems;
use switchboard::model::event::EmsEvent;
use switchboard::model::event::NativeEvent;
use switchboard::settings::Blacklist;
use switchboard::switchboard::Admission;
use switchboard::switchboard::Context;
use switchboard::switchboard::ParseError;

use crate::support::Database;
use crate::support::add_ems;
use crate::support::event;
use crate::support::told_rules::put;
use crate::support::told_rules::start_with;
use crate::support::told_rules::until;

/// How many events come in one commit.
const TOGETHER: usize = 50;

/// Sees every delivery, and what is wrong with it.
struct Watch {
    lanes: Mutex<BTreeMap<String, Lane>>,
    /// Sees what is committed, as others see it.
    database: Mutex<Connection>,
    wrong: Mutex<Vec<String>>,
    delivered: AtomicUsize,
}

#[derive(Clone, Copy, Default)]
struct Lane {
    is_busy: bool,
    last: Option<(i64, ThreadId)>,
}

impl Watch {
    fn new(path: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self {
            lanes: Mutex::default(),
            database: Mutex::new(Connection::open_with_flags(path, flags).unwrap()),
            wrong: Mutex::default(),
            delivered: AtomicUsize::new(0),
        }
    }

    fn is_committed(&self, id: i64) -> bool {
        let database = self.database.lock();
        let mut query = database
            .prepare_cached("SELECT 1 FROM event_streams WHERE id = ?1")
            .unwrap();
        query.exists([id]).unwrap()
    }

    fn deliver(&self, lane: &str, id: i64) {
        let before = self.lanes.lock().get(lane).copied().unwrap_or_default();
        let own = thread::current().id();
        if before.is_busy {
            self.wrong
                .lock()
                .push(format!("{lane}: {id} began within another one"));
        }
        if let Some((last, thread)) = before.last {
            if id < last {
                self.wrong.lock().push(format!("{lane}: {id} came after {last}"));
            }
            // One thread decides many of a lane before it commits them; another one waits for that.
            if thread != own && !self.is_committed(last) {
                self.wrong
                    .lock()
                    .push(format!("{lane}: {id} began before {last} was committed"));
            }
        }
        let set = |is_busy| {
            let last = Some((id, own));
            self.lanes.lock().insert(lane.to_owned(), Lane { is_busy, last });
        };
        set(true);
        // Some take longer than others, so that who is not held back is first.
        for _turn in 0..id % 7 * 20 {
            thread::yield_now();
        }
        set(false);
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }
}

/// One of many sets of rules, all of which are watched.
struct Watched {
    id: RulesId,
    watch: Arc<Watch>,
}

impl Rules for Watched {
    fn id(&self) -> RulesId {
        self.id
    }

    fn admit(&self, _ems: &Ems, _native: &NativeEvent, _: &Blacklist) -> Result<Admission, ParseError> {
        Err(ParseError::Json("nothing is parsed here".to_owned()))
    }

    fn deliver(&self, event: &Arc<EmsEvent>, _context: &Context) -> Delivery {
        self.watch
            .deliver(event.hash.text("vm_ems_ref").unwrap(), event.id.unwrap().0);
        Delivery::default()
    }
}

/// A handler that gets another set of rules with each batch.
fn start(database: &Database, watch: &Arc<Watch>, reloads: &Arc<AtomicUsize>) -> Handler {
    let (watch, reloads) = (watch.clone(), reloads.clone());
    let rules: Current<dyn Rules> = Arc::new(move || {
        let id = RulesId(u128::try_from(reloads.fetch_add(1, Ordering::Relaxed)).unwrap());
        let watch = watch.clone();
        Arc::new(Watched { id, watch })
    });
    let config = Arc::new(HandlerConfig {
        threads: 4,
        batch: 16,
        ..HandlerConfig::default()
    });
    let config: Current<HandlerConfig> = Arc::new(move || config.clone());
    Handler::start(&database.vmdb, &rules, &config).unwrap()
}

#[test]
fn no_lane_is_out_of_order_and_none_has_two_in_hand() {
    let events: usize = env::var("SWITCHBOARD_LANES_EVENTS").map_or(4_000, |events| events.parse().unwrap());
    let (database, ems) = Database::with_ems("cloud");
    let watch = Arc::new(Watch::new(&database.folder.path().join("test.db")));
    let reloads = Arc::default();
    let mut handler = start(&database, &watch, &reloads);
    for first in (0..events).step_by(TOGETHER) {
        let numbers = first..events.min(first + TOGETHER);
        // A few busy lanes and many quiet ones.
        let lane = |number: usize| match number % 3 {
            0 => format!("busy-{}", number % 4),
            _ => format!("quiet-{}", number % 997),
        };
        let hash = |number| event(&format!("k{number}"), &lane(number));
        put(&database, &ems, numbers.map(hash).collect());
        if first % (events / 4).max(1) < TOGETHER {
            handler.stop();
            handler = start(&database, &watch, &reloads);
        }
    }
    until(&database.vmdb, || {
        database.vmdb.event_count().unwrap() == u64::try_from(events).unwrap()
    });
    handler.stop();
    let wrong = watch.wrong.lock();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(watch.delivered.load(Ordering::Relaxed), events);
    assert!(4 < reloads.load(Ordering::Relaxed));
}

#[test]
fn a_message_behind_a_flood_of_another_manager_is_among_the_first_two() {
    // More than is known ahead of one manager.
    const FLOOD: usize = 18_000;
    for has_looked in [false, true] {
        let (database, flooding) = Database::with_ems("flooding");
        let quiet = add_ems(&database.vmdb, "quiet");
        if has_looked {
            // From then on it knows of each message as it is put; else it reads the table.
            assert!(database.vmdb.take(1, 1).unwrap().is_empty());
        }
        for first in (0..FLOOD).step_by(1_000) {
            let hash = |number: usize| event(&format!("k{number}"), &format!("vm-{}", number % 997));
            put(&database, &flooding, (first..first + 1_000).map(hash).collect());
        }
        put(&database, &quiet, vec![event("quiet", "vm-1")]);
        let order: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, config) = (
            order.clone(),
            HandlerConfig {
                threads: 1,
                ..HandlerConfig::default()
            },
        );
        let handler = start_with(&database, config, Err("no parser".to_owned()), move |event, _| {
            seen.lock().push(event.ems.as_ref().unwrap().name.to_string());
            Delivery::default()
        });
        until(&database.vmdb, || {
            database.vmdb.event_count().unwrap() == u64::try_from(FLOOD + 1).unwrap()
        });
        handler.stop();
        let order = order.lock();
        assert_eq!(order.len(), FLOOD + 1);
        let place = order.iter().position(|name| name == "quiet").unwrap();
        // And not behind the flood in that batch: who runs out of time gives back the rest.
        assert!(place < 2, "it was number {place}");
    }
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn lanes_by_event_in_place_of_resource_are_noticed() {
    let output = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "lanes::no_lane_is_out_of_order_and_none_has_two_in_hand",
        ])
        .env("SWITCHBOARD_BUG", "lane_by_event")
        .env("SWITCHBOARD_LANES_EVENTS", "1000")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(101), "{output:?}");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        told.contains("began within another one") || told.contains("began before"),
        "{told}"
    );
}
