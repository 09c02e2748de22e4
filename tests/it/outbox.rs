//! What the outbox promises: after the commit, in lane order, at least once, with a key and bytes that stay.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::env;
use std::io;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use serde_json::Value;
use serde_json::json;
use switchboard::handler::Outbox;
use switchboard::model::clock::Clock;
use switchboard::model::clock::SignedDuration;
use switchboard::model::delivery::Delivery;
use switchboard::model::delivery::Effect;
use switchboard::model::event::EmsEvent;
use switchboard::model::event::EventId;
use switchboard::settings::ActiveSettings;
use switchboard::settings::Environment;
use switchboard::settings::Settings;
use switchboard::vmdb::DatabaseUrl;
use switchboard::vmdb::MessageId;
use switchboard::vmdb::MessageKind;
use switchboard::vmdb::MessageState;
use switchboard::vmdb::QueueFilter;
use switchboard::vmdb::StoredEffect;
use switchboard::vmdb::Vmdb;

use crate::support::Database;
use crate::support::event;
use crate::support::receiver::Mood;
use crate::support::receiver::Receiver;
use crate::support::told_rules::put;
use crate::support::told_rules::start;

/// The settings below `:outbox:` of a test, which may reach these receivers.
pub(crate) fn settings(receivers: &[&Receiver], more: &str) -> ActiveSettings {
    let origins: Vec<String> = receivers.iter().map(|receiver| receiver.url()).collect();
    let origins = serde_json::to_string(&origins).unwrap();
    let text = format!(":outbox:\n  :allowed_origins: {origins}\n{more}");
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment: Environment = [
        variable("CHAT", "s3cret-chat"),
        variable("PASSWORD", "s3cret-mail"),
    ]
    .into_iter()
    .collect();
    let (settings, findings) = Settings::parse(&"settings.yml".into(), &text, &environment).unwrap();
    assert!(findings.is_empty(), "{findings:?}");
    ActiveSettings::new(settings)
}

/// Has rules decide on these effects for one event a resource, and waits until all of it is committed.
pub(crate) fn decide(
    database: &Database,
    events: Vec<(&str, &str)>,
    actions: impl Fn(&EmsEvent) -> Vec<Value> + Send + Sync + 'static,
) {
    let ems = database.vmdb.ems_by_name("cloud").unwrap().unwrap();
    let handler = start(database, move |event, _| Delivery {
        effects: actions(event)
            .into_iter()
            .map(|action| Effect::Outside {
                action: action.into(),
            })
            .collect(),
        ..Delivery::default()
    });
    // In parts: one transaction of very many would be a log that is too large for whoever reads meanwhile.
    let mut events = events.into_iter().map(|(key, vm)| event(key, vm)).peekable();
    while events.peek().is_some() {
        put(database, &ems, events.by_ref().take(1_000).collect());
    }
    until_handled(&database.vmdb);
    handler.stop();
}

/// Waits until the handler has nothing left that it could do.
fn until_handled(vmdb: &Vmdb) {
    until_none(vmdb, || {
        let counts = vmdb.queue_counts().ok()?;
        Some(counts.ready + counts.waiting)
    });
}

/// Waits until nothing is left to be sent.
pub(crate) fn until_sent(vmdb: &Vmdb) {
    until_none(vmdb, || {
        let counts = vmdb.outbox_counts().ok()?;
        Some(counts.ready + counts.waiting)
    });
}

/// Waits until none are left, however many there are; fails where for a while none go. A look that was ended, so that
/// the log of very many writes can shrink, tells nothing.
fn until_none(vmdb: &Vmdb, left: impl Fn() -> Option<u64>) {
    let mut least = u64::MAX;
    while least > 0 {
        let before = least;
        until(vmdb, || {
            least = left().map_or(least, |left| left.min(least));
            least < before
        });
    }
}

/// Waits until it is so; fails after a while.
pub(crate) fn until(vmdb: &Vmdb, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain: {:?}", queue(vmdb));
        vmdb.wait_for_messages(vmdb.messages_seen(), Duration::from_millis(10));
    }
}

fn queue(vmdb: &Vmdb) -> Vec<String> {
    let entries = vmdb.queue_list(&QueueFilter::default()).unwrap();
    let told = |entry: &switchboard::vmdb::QueueEntry| {
        format!(
            "{} {:?} {:?} {:?}",
            entry.id, entry.kind, entry.state, entry.error
        )
    };
    entries.iter().map(told).collect()
}

pub(crate) fn effects(vmdb: &Vmdb, event: i64) -> Vec<StoredEffect> {
    vmdb.event_show(EventId(event)).unwrap().unwrap().outbox
}

fn hook(receiver: &Receiver, body: &str) -> Value {
    json!({"http": {"url": format!("{}/hook", receiver.url()), "body": body}})
}

fn vm_of(event: &EmsEvent) -> String {
    event.hash.text("vm_ems_ref").unwrap().to_owned()
}

#[test]
fn statement_30_without_faults_every_effect_arrives_exactly_once_and_in_the_order_of_its_lane() {
    let count: usize = env::var("OUTBOX_EFFECTS").map_or(120, |count| count.parse().unwrap());
    let (database, _ems) = Database::with_ems("cloud");
    let receiver = Arc::new(Receiver::with([]));
    let outbox = Outbox::start(&database.vmdb, &settings(&[&receiver], "")).unwrap();
    let keys: Vec<(String, String)> = (0..count)
        .map(|number| (format!("e-{number:06}"), format!("vm-{}", number % 7)))
        .collect();
    let target = receiver.clone();
    let began = Instant::now();
    let events = keys.iter().map(|(key, vm)| (key.as_str(), vm.as_str())).collect();
    decide(&database, events, move |event| {
        let key = event.hash.event_key.as_ref().unwrap().0.to_string();
        vec![hook(&target, &format!("{} {key}", vm_of(event)))]
    });
    until_sent(&database.vmdb);
    let took = began.elapsed();
    outbox.stop();
    let received = receiver.received();
    let _shown = writeln!(
        io::stderr(),
        "{count} effects were decided and sent within {took:?}"
    );
    let keys: BTreeSet<&str> = received.iter().map(|received| received.key()).collect();
    assert_eq!((received.len(), keys.len()), (count, count));
    let mut lanes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for received in &received {
        let (vm, key) = received.text().split_once(' ').unwrap();
        lanes.entry(vm).or_default().push(key);
    }
    assert!(lanes.values().all(|keys| keys.is_sorted()), "{lanes:?}");
    assert_eq!(lanes.len(), 7);
}

#[test]
fn statement_30_a_receiver_in_any_mood_gets_the_same_key_and_the_same_bytes_until_it_says_yes() {
    let (database, _ems) = Database::with_ems("cloud");
    let receiver = Arc::new(Receiver::with([Mood::Late, Mood::Cut, Mood::status(500)]));
    let outbox = Outbox::start(&database.vmdb, &settings(&[&receiver], "  :timeout: 400ms\n")).unwrap();
    let target = receiver.clone();
    decide(&database, vec![("k", "vm-1")], move |_| {
        let json = json!({"b": 1, "a": [true, null, "é\r\n"]});
        vec![json!({"http": {"url": target.url(), "json": json, "headers": {"X-Team": "ops"}}})]
    });
    for failures in 1..=3 {
        until(&database.vmdb, || {
            effects(&database.vmdb, 1)[0].attempts == failures
        });
        let effect = &effects(&database.vmdb, 1)[0];
        assert_eq!(effect.state, "waiting");
        let why = effect.error.as_deref().unwrap();
        match failures {
            1 => assert!(why.starts_with("no answer within the time limit"), "{why}"),
            2 => assert!(!why.is_empty()),
            _third => assert_eq!(why, "the receiver answered HTTP 500 Internal Server Error"),
        }
        // 5 s, 10 s, 20 s.
        let pause = effect.due.unwrap().duration_since(database.clock.now());
        assert_eq!(pause, SignedDuration::from_secs(5 << (failures - 1)));
        database.clock.advance(pause);
    }
    until_sent(&database.vmdb);
    outbox.stop();
    let received = receiver.received();
    assert_eq!(received.len(), 4);
    assert!(received.iter().all(|one| *one == received[0]), "{received:?}");
    assert_eq!(received[0].text(), r#"{"b":1,"a":[true,null,"é\r\n"]}"#);
    assert_eq!(received[0].header("x-team"), Some("ops"));
    assert_eq!(received[0].header("content-type"), Some("application/json"));
    let effect = &effects(&database.vmdb, 1)[0];
    assert_eq!((effect.state, effect.attempts), ("sent", 4));
    assert_eq!(effect.answer.as_deref(), Some("HTTP 202 Accepted"));
    assert_eq!(effect.idempotency_key, received[0].key());
}

#[test]
fn statement_31_an_effect_of_a_transaction_that_did_not_commit_is_never_sent() {
    let (database, _ems) = Database::with_ems("cloud");
    let receiver = Arc::new(Receiver::with([]));
    let outbox = Outbox::start(&database.vmdb, &settings(&[&receiver], "")).unwrap();
    // The database refuses one event after all of its rows were written.
    let path = database.folder.path().join("test.db");
    let other = Connection::open(path).unwrap();
    let trigger = "CREATE TRIGGER refusal AFTER INSERT ON outbox WHEN NEW.action LIKE '%refused%' \
                   BEGIN SELECT RAISE(ABORT, 'refused by a test'); END";
    other.execute_batch(trigger).unwrap();
    let target = receiver.clone();
    let act = move |event: &EmsEvent| {
        let vm = vm_of(event);
        vec![
            hook(&target, &format!("{vm} first")),
            hook(&target, &format!("{vm} second")),
        ]
    };
    decide(
        &database,
        vec![("a", "vm-1"), ("b", "refused"), ("c", "vm-3")],
        act.clone(),
    );
    until(&database.vmdb, || receiver.received().len() == 4);
    assert_eq!(database.vmdb.event_count().unwrap(), 2);
    // The same event again is no new one, and causes nothing.
    decide(&database, vec![("a", "vm-1")], act.clone());
    other.execute_batch("DROP TRIGGER refusal").unwrap();
    database
        .vmdb
        .queue_retry_all(MessageState::Parked)
        .wait()
        .unwrap();
    decide(&database, vec![], act);
    until_sent(&database.vmdb);
    outbox.stop();
    let mut bodies: Vec<String> = receiver
        .received()
        .iter()
        .map(|received| received.text().to_owned())
        .collect();
    assert_eq!(&bodies[4..], ["refused first", "refused second"]);
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 6);
}

#[test]
fn retries_survive_a_restart_and_so_does_what_was_under_way() {
    let (database, _ems) = Database::with_ems("cloud");
    let receiver = Arc::new(Receiver::with([Mood::status(500), Mood::Late]));
    let active = settings(&[&receiver], "  :timeout: 60.seconds\n");
    let outbox = Outbox::start(&database.vmdb, &active).unwrap();
    let target = receiver.clone();
    decide(&database, vec![("k", "vm-1"), ("l", "vm-1")], move |event| {
        vec![hook(&target, &event.hash.event_key.as_ref().unwrap().0)]
    });
    until(&database.vmdb, || effects(&database.vmdb, 1)[0].attempts == 1);
    outbox.stop();
    let Database { folder, clock, vmdb } = database;
    vmdb.close();
    let url = DatabaseUrl::sqlite(folder.path().join("test.db"));
    let vmdb = Vmdb::open_to_serve(&url, clock.clone()).unwrap();
    assert_eq!(effects(&vmdb, 1)[0].state, "waiting");
    clock.advance(SignedDuration::from_secs(5));
    // This time the program ends while the receiver has the request and says nothing.
    let outbox = Outbox::start(&vmdb, &active).unwrap();
    receiver.until(2);
    outbox.stop();
    vmdb.close();
    receiver.let_go();
    let vmdb = reopened(&url, &clock);
    let outbox = Outbox::start(&vmdb, &active).unwrap();
    until_sent(&vmdb);
    outbox.stop();
    let received = receiver.received();
    let bodies: Vec<&str> = received.iter().map(|received| received.text()).collect();
    assert_eq!(bodies, ["k", "k", "k", "l"]);
    assert_eq!(received[0], received[1]);
    assert_eq!(received[0], received[2]);
    assert_ne!(received[0].key(), received[3].key());
}

/// The database, once the thread that was under way has let go of it: in life its process is gone.
fn reopened(url: &DatabaseUrl, clock: &Clock) -> Vmdb {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        match Vmdb::open_to_serve(url, clock.clone()) {
            Ok(vmdb) => return vmdb,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_receiver_that_says_nothing_holds_its_own_lanes_and_no_others() {
    let (database, _ems) = Database::with_ems("cloud");
    let (silent, honest) = (
        Arc::new(Receiver::always(Mood::Late)),
        Arc::new(Receiver::with([])),
    );
    let active = settings(&[&silent, &honest], "  :threads: 4\n  :timeout: 1.second\n");
    let outbox = Outbox::start(&database.vmdb, &active).unwrap();
    let names: Vec<String> = (0..20).map(|number| format!("vm-{number:02}")).collect();
    let (dead, live) = (silent.clone(), honest.clone());
    let events = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
    // The first twelve of twenty lanes go to the silent one, and one of those behind it to the honest one.
    decide(&database, events, move |event| match vm_of(event).as_str() {
        "vm-00" => vec![hook(&dead, "first"), hook(&live, "after a silent one")],
        vm if vm < "vm-12" => vec![hook(&dead, vm)],
        vm => vec![hook(&live, vm)],
    });
    let received = honest.until(8);
    assert!(silent.received().len() <= 12);
    outbox.stop();
    let mut bodies: Vec<&str> = received.iter().map(|received| received.text()).collect();
    bodies.sort_unstable();
    assert_eq!(
        bodies,
        (12..20).map(|number| format!("vm-{number}")).collect::<Vec<_>>()
    );
}

#[test]
fn an_effect_that_failed_too_often_is_dead_lets_its_lane_go_on_and_is_sent_when_it_is_retried() {
    let (database, _ems) = Database::with_ems("cloud");
    let receiver = Arc::new(Receiver::with([
        Mood::Answers(404, String::new(), "no such hook".to_owned()),
        Mood::Answers(429, "Retry-After: 3600\r\n".to_owned(), String::new()),
        Mood::status(500),
    ]));
    let active = settings(&[&receiver], "  :attempts: 3\n");
    let outbox = Outbox::start(&database.vmdb, &active).unwrap();
    let target = receiver.clone();
    decide(&database, vec![("k", "vm-1")], move |_| {
        vec![
            hook(&target, "one"),
            hook(&target, "two"),
            json!({"http": {"url": "http://127.0.0.1:9/"}}),
            json!({"http": {"url": {"secret": "nowhere"}}}),
            json!({"command": ["rm", "-rf"]}),
            json!({"email": {"to": "a@b.example", "subject": "x"}}),
            json!({"smoke": 1}),
        ]
    });
    let vmdb = &database.vmdb;
    until(vmdb, || effects(vmdb, 1)[0].attempts == 1);
    assert_eq!(
        effects(vmdb, 1)[0].error.as_deref(),
        Some("the receiver answered HTTP 404 Not Found: no such hook")
    );
    database.clock.advance(SignedDuration::from_secs(5));
    until(vmdb, || effects(vmdb, 1)[0].attempts == 2);
    // It asked for more patience than the pause has.
    let due = effects(vmdb, 1)[0].due.unwrap();
    assert_eq!(
        due.duration_since(database.clock.now()),
        SignedDuration::from_secs(3600)
    );
    assert_eq!(effects(vmdb, 1)[1].attempts, 0);
    database.clock.advance(SignedDuration::from_secs(3600));
    until(vmdb, || vmdb.outbox_counts().unwrap().dead == 6);
    let shown = effects(vmdb, 1);
    let told: Vec<String> = shown
        .iter()
        .map(|effect| {
            let error = effect.error.as_deref().unwrap_or("-");
            format!("{} {} {} {error}", effect.position, effect.state, effect.attempts)
        })
        .collect();
    assert_eq!(
        told,
        [
            "0 dead 3 the receiver answered HTTP 500 Internal Server Error",
            "1 sent 1 -",
            "2 dead 1 `http://127.0.0.1:9` is at 127.0.0.1, a loopback address; only origins that \
             `outbox.allowed_origins` of the settings names may be there",
            "3 dead 1 there is no secret `nowhere` below `outbox.secrets` of the settings",
            "4 dead 1 there is no program `rm` below `outbox.commands` of the settings",
            "5 dead 1 there is no `outbox.email.relay` in the settings",
            "6 dead 1 evm.deliver takes one of #{ http: … }, #{ command: … }, #{ email: … } and #{ log: … }",
        ]
    );
    let dead = QueueFilter {
        state: Some(MessageState::Dead),
        kind: Some(MessageKind::Outbox),
        ..QueueFilter::default()
    };
    let listed = vmdb.queue_list(&dead).unwrap();
    assert_eq!(listed.len(), 6);
    assert_eq!(
        (&*listed[0].ems, listed[0].event_type.as_deref()),
        ("cloud", Some("com.awesomecloud.vm.create"))
    );
    vmdb.queue_retry(shown[0].id).wait().unwrap();
    until(vmdb, || effects(vmdb, 1)[0].state == "sent");
    vmdb.queue_discard(shown[2].id).wait().unwrap();
    assert_eq!(effects(vmdb, 1)[2].state, "discarded");
    assert!(vmdb.queue_show(shown[2].id).unwrap().is_none());
    assert!(vmdb.queue_discard(shown[2].id).wait().is_err());
    assert!(vmdb.queue_retry(MessageId(99)).wait().is_err());
    outbox.stop();
    let received = receiver.received();
    let bodies: Vec<&str> = received.iter().map(|received| received.text()).collect();
    assert_eq!(bodies, ["one", "one", "one", "two", "one"]);
    assert_eq!(received[0], received[4]);
}

#[test]
fn a_secret_is_sent_and_shown_nowhere_even_where_the_receiver_repeats_it() {
    let (database, _ems) = Database::with_ems("cloud");
    let echo = "you said Bearer s3cret-chat".to_owned();
    let receiver = Arc::new(Receiver::with([Mood::Answers(403, String::new(), echo)]));
    let active = settings(&[&receiver], "  :secrets: {chat: env:CHAT}\n");
    let outbox = Outbox::start(&database.vmdb, &active).unwrap();
    let target = receiver.clone();
    decide(&database, vec![("k", "vm-1")], move |_| {
        let secret = json!({"secret": "chat", "prefix": "Bearer "});
        // A text of an event that looks like a reference is none.
        let headers = json!({"Authorization": secret, "X-Vm": "secret:chat ${secret:chat}"});
        vec![json!({"http": {"url": target.url(), "headers": headers, "body": "secret:chat"}})]
    });
    let vmdb = &database.vmdb;
    until(vmdb, || effects(vmdb, 1)[0].attempts == 1);
    database.clock.advance(SignedDuration::from_secs(5));
    until_sent(vmdb);
    outbox.stop();
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[1].header("authorization"), Some("Bearer s3cret-chat"));
    assert_eq!(received[1].header("x-vm"), Some("secret:chat ${secret:chat}"));
    assert_eq!(received[1].text(), "secret:chat");
    let path = database.folder.path();
    database.vmdb.close();
    for entry in std::fs::read_dir(path).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(11).any(|window| window == b"s3cret-chat"));
    }
}
