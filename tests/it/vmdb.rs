//! What the database promises, one test a promise.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use switchboard::model::clock::Clock;
use switchboard::model::delivery::Delivery;
use switchboard::model::delivery::Retry;
use switchboard::model::delivery::RulesId;
use switchboard::model::event::EventId;
use switchboard::model::event::NativeEvent;
use switchboard::model::target::ManagerRef;
use switchboard::model::target::Target;
use switchboard::vmdb::Committed;
use switchboard::vmdb::EventFilter;
use switchboard::vmdb::Handled;
use switchboard::vmdb::MessageId;
use switchboard::vmdb::MessageState;
use switchboard::vmdb::NewEms;
use switchboard::vmdb::NewMessage;
use switchboard::vmdb::NewRetry;
use switchboard::vmdb::Outcome;
use switchboard::vmdb::PutOutcome;
use switchboard::vmdb::QueueFilter;
use switchboard::vmdb::RefreshFilter;
use switchboard::vmdb::RefreshRequest;
use switchboard::vmdb::Vmdb;
use switchboard::vmdb::VmdbError;

use crate::support::Database;
use crate::support::add;
use crate::support::add_ems;
use crate::support::event;
use crate::support::noon;
use crate::support::saved;

#[test]
fn a_manager_is_added_found_and_removed() {
    let database = Database::new();
    let vmdb = &database.vmdb;
    let ems = add_ems(vmdb, "cloud");
    assert_eq!(vmdb.ems_by_name("cloud").unwrap(), Some(ems.clone()));
    let again = vmdb
        .ems_add(NewEms {
            name: "cloud".into(),
            ..NewEms::default()
        })
        .wait();
    assert!(matches!(again, Err(VmdbError::NameTaken { .. })), "{again:?}");
    assert_eq!(vmdb.ems_list().unwrap(), [ems]);
    vmdb.ems_remove("cloud").wait().unwrap();
    assert_eq!(vmdb.ems_by_name("cloud").unwrap(), None);
    assert!(matches!(
        vmdb.ems_remove("cloud").wait(),
        Err(VmdbError::NotFound { .. })
    ));
    // The name is free again.
    add_ems(vmdb, "cloud");
}

#[test]
fn an_event_goes_from_the_queue_to_the_stream_as_it_came() {
    let (database, ems) = Database::with_ems("cloud");
    let vmdb = &database.vmdb;
    let hash = event("k1", "vm-1");
    let put = vmdb.put(vec![add(&ems, hash.clone())]).wait().unwrap();
    assert_eq!(put, [PutOutcome::Queued(MessageId(1))]);
    assert_eq!(vmdb.waiting(), 1);
    let entry = vmdb.queue_show(MessageId(1)).unwrap().unwrap();
    assert_eq!(entry.state, MessageState::Ready);
    assert_eq!(entry.lane.as_deref(), Some("1/vm/vm-1"));
    assert_eq!(entry.event_type.as_deref(), Some("com.awesomecloud.vm.create"));

    let message = vmdb.take(9, 1).unwrap().remove(0);
    assert_eq!(
        vmdb.queue_list(&QueueFilter::default()).unwrap()[0].state,
        MessageState::Taken
    );
    let committed = vmdb
        .commit(vec![saved(message, Delivery::default())])
        .wait()
        .unwrap();
    assert_eq!(committed, [Committed::Saved(EventId(1))]);
    assert_eq!(vmdb.waiting(), 0);
    assert!(vmdb.queue_list(&QueueFilter::default()).unwrap().is_empty());

    let shown = vmdb.event_show(EventId(1)).unwrap().unwrap();
    assert_eq!(shown.stored.event.hash, hash);
    assert_eq!(shown.stored.event.ems, Some(ems));
    assert_eq!(shown.deliveries.len(), 1);
    assert_eq!(shown.deliveries[0].rules_id, RulesId(7));
    let listed = vmdb.events_list(&EventFilter::default()).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(&**listed[0].event.hash.full_data.text(), "");
}

#[test]
fn an_event_is_saved_once_whenever_its_repeat_comes() {
    let (database, ems) = Database::with_ems("cloud");
    let other = add_ems(&database.vmdb, "other");
    let vmdb = &database.vmdb;
    // Twice within a batch, and by another manager, which is another event; and again before it is handled.
    let messages = vec![
        add(&ems, event("k", "a")),
        add(&ems, event("k", "a")),
        add(&other, event("k", "a")),
    ];
    let put = vmdb.put(messages).wait().unwrap();
    let queued = |id| PutOutcome::Queued(MessageId(id));
    assert_eq!(put, [queued(1), PutOutcome::Duplicate(EventId(1)), queued(2)]);
    vmdb.put(vec![add(&ems, event("k", "a"))]).wait().unwrap();
    let messages = vmdb.take(9, 1).unwrap();
    let outcomes = messages
        .into_iter()
        .map(|message| saved(message, Delivery::default()))
        .collect();
    let committed = vmdb.commit(outcomes).wait().unwrap();
    // Managers take turns.
    let expected = [
        Committed::Saved(EventId(1)),
        Committed::Saved(EventId(2)),
        Committed::Duplicate(EventId(1)),
    ];
    assert_eq!(committed, expected);
    // Long after.
    let put = vmdb.put(vec![add(&ems, event("k", "a"))]).wait().unwrap();
    assert_eq!(put, [PutOutcome::Duplicate(EventId(1))]);
    let tally = vmdb.tallies().unwrap()[&ems.id];
    assert_eq!(
        (tally.received, tally.accepted, tally.duplicate, tally.delivered),
        (4, 1, 3, 1)
    );
}

#[test]
fn what_goes_on_later_gets_no_number_of_an_event_that_is_saved_beside_it() {
    let (database, ems) = Database::with_ems("cloud");
    let messages = ["a", "b", "c"].map(|key| add(&ems, event(key, key)));
    database.vmdb.put(messages.to_vec()).wait().unwrap();
    // A process that was just started knows no numbers but those of the tables.
    let url = database.url();
    let Database { folder, clock, vmdb } = database;
    vmdb.close();
    let vmdb = Vmdb::open_to_serve(&url, clock).unwrap();
    let mut outcomes: Vec<Outcome> = vmdb
        .take(9, 1)
        .unwrap()
        .into_iter()
        .map(|message| saved(message, Delivery::default()))
        .collect();
    let Handled::New { decided, .. } = &mut outcomes[0].handled else {
        panic!("{outcomes:?}")
    };
    decided.retry = Some(NewRetry {
        retry: Retry::default(),
        run: 1,
        due: noon(),
    });
    let committed = vmdb.commit(outcomes).wait().unwrap();
    assert_eq!(committed, [1, 2, 3].map(|id| Committed::Saved(EventId(id))));
    let left = vmdb.queue_list(&QueueFilter::default()).unwrap();
    assert_eq!(
        left.iter().map(|entry| entry.id).collect::<Vec<_>>(),
        [MessageId(4)]
    );
    drop((vmdb, folder));
}

#[test]
fn what_was_discarded_in_hand_is_lost_alone() {
    let (database, ems) = Database::with_ems("cloud");
    let vmdb = &database.vmdb;
    let messages = ["a", "b", "c", "d"].map(|key| add(&ems, event(key, key)));
    vmdb.put(messages.to_vec()).wait().unwrap();
    let messages = vmdb.take(9, 1).unwrap();
    vmdb.queue_discard(MessageId(2)).wait().unwrap();
    let outcomes = messages
        .into_iter()
        .map(|message| saved(message, Delivery::default()))
        .collect();
    let committed = vmdb.commit(outcomes).wait().unwrap();
    let expected = [
        Committed::Saved(EventId(1)),
        Committed::Lost,
        Committed::Saved(EventId(3)),
        Committed::Saved(EventId(4)),
    ];
    assert_eq!(committed, expected);
    assert_eq!(vmdb.waiting(), 0);
}

#[test]
fn the_key_of_an_event_is_what_its_parser_gave_else_its_ems_ref_else_its_digest() {
    let (database, ems) = Database::with_ems("cloud");
    let mut with_ref = event("k", "a");
    with_ref.event_key = None;
    with_ref.ems_ref = Some("ref-1".into());
    let mut bare = with_ref.clone();
    bare.ems_ref = None;
    database
        .vmdb
        .put(vec![add(&ems, with_ref), add(&ems, bare)])
        .wait()
        .unwrap();
    let messages = database.vmdb.take(9, 1).unwrap();
    let outcomes = messages
        .into_iter()
        .map(|message| saved(message, Delivery::default()))
        .collect();
    database.vmdb.commit(outcomes).wait().unwrap();
    let key = |id| {
        database
            .vmdb
            .event_show(EventId(id))
            .unwrap()
            .unwrap()
            .stored
            .event
            .hash
            .event_key
            .unwrap()
            .0
    };
    assert_eq!(&*key(1), "ref-1");
    assert!(key(2).starts_with("sha256:"), "{}", key(2));
}

#[test]
fn targets_of_one_manager_merge_while_their_refresh_waits() {
    let (database, ems) = Database::with_ems("cloud");
    let vmdb = &database.vmdb;
    vmdb.put(
        (0..5)
            .map(|i| add(&ems, event(&format!("k{i}"), "vm-1")))
            .collect::<Vec<_>>(),
    )
    .wait()
    .unwrap();
    let outcomes = vmdb.take(9, 1).unwrap().into_iter().map(|message| {
        let mut outcome = saved(message, Delivery::default());
        if let Handled::New { decided, .. } = &mut outcome.handled {
            decided.refreshes.push(RefreshRequest {
                ems_id: ems.id,
                targets: vec![Target::new("vms", ManagerRef::ems_ref("vm-1"))],
                full: None,
            });
        }
        outcome
    });
    vmdb.commit(outcomes.collect()).wait().unwrap();
    let refreshes = vmdb.refresh_list(&RefreshFilter::default()).unwrap();
    assert_eq!(refreshes.len(), 1);
    assert_eq!((refreshes[0].targets, refreshes[0].events), (1, 5));
    let shown = vmdb.refresh_show(refreshes[0].id).unwrap().unwrap();
    assert_eq!(shown.requested[0].requests, 5);
    assert_eq!(shown.requested[0].first_event, Some(EventId(1)));
    assert_eq!(shown.requested[0].last_event, Some(EventId(5)));
    assert_eq!(
        vmdb.event_show(EventId(3)).unwrap().unwrap().refreshes,
        [refreshes[0].id]
    );
}

#[test]
fn what_cannot_be_parsed_is_kept_as_it_came_until_it_is_retried() {
    let (database, ems) = Database::with_ems("cloud");
    let vmdb = &database.vmdb;
    let unparsed = NewMessage::Unparsed {
        ems_id: ems.id,
        native: NativeEvent::new("not { json"),
        reason: "boom".to_owned(),
        rules_id: RulesId(3),
        received_at: noon(),
    };
    vmdb.put(vec![unparsed]).wait().unwrap();
    assert!(vmdb.take(9, 1).unwrap().is_empty());
    let entry = vmdb.queue_show(MessageId(1)).unwrap().unwrap();
    assert_eq!(
        (entry.state, entry.attempts, entry.generation),
        (MessageState::Dead, 1, Some(RulesId(3)))
    );
    assert_eq!(entry.error.as_deref(), Some("boom"));
    assert_eq!(entry.full_data.as_deref(), Some("not { json"));
    vmdb.queue_retry(MessageId(1)).wait().unwrap();
    let message = vmdb.take(9, 1).unwrap().remove(0);
    let failed = Outcome {
        ticket: message.ticket,
        handled: Handled::Failed {
            error: "again".into(),
            rules_id: Some(RulesId(4)),
            retry_at: None,
        },
    };
    assert_eq!(vmdb.commit(vec![failed]).wait().unwrap(), [Committed::GivenUp]);
    let entry = vmdb.queue_show(MessageId(1)).unwrap().unwrap();
    assert_eq!(
        (entry.state, entry.error.as_deref()),
        (MessageState::Dead, Some("again"))
    );
    vmdb.queue_discard(MessageId(1)).wait().unwrap();
    assert!(matches!(
        vmdb.queue_discard(MessageId(1)).wait(),
        Err(VmdbError::NotFound { .. })
    ));
    let tally = vmdb.tallies().unwrap()[&ems.id];
    assert_eq!(
        (tally.received, tally.accepted, tally.discarded, tally.dead),
        (1, 1, 1, 0)
    );
}

#[test]
fn a_second_process_is_refused_and_a_tool_is_not() {
    let (database, ems) = Database::with_ems("cloud");
    let second = Vmdb::open_to_serve(&database.url(), Clock::System);
    let Err(VmdbError::InUse { pid, .. }) = second else {
        panic!("{second:?}")
    };
    assert_eq!(pid, std::process::id().to_string());
    let tool = Vmdb::open(&database.url(), database.clock.clone()).unwrap();
    tool.put(vec![add(&ems, event("k", "a"))]).wait().unwrap();
    assert_eq!(database.vmdb.take(9, 1).unwrap().len(), 1);
}

#[test]
fn statement_12_a_database_of_another_program_or_of_a_newer_one_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    for (name, sql) in [
        ("foreign.db", "PRAGMA application_id = 42; CREATE TABLE t (x)"),
        ("nameless.db", "CREATE TABLE t (x)"),
        (
            "newer.db",
            "PRAGMA application_id = 0x53774264; PRAGMA user_version = 99; CREATE TABLE t (x)",
        ),
    ] {
        let path = folder.path().join(name);
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch(sql)
            .unwrap();
        let before = fs::read(&path).unwrap();
        let opened = Vmdb::open(&switchboard::vmdb::DatabaseUrl::sqlite(&path), Clock::System);
        match (name, opened) {
            ("newer.db", Err(VmdbError::Newer { found: 99, .. })) | (_, Err(VmdbError::Foreign { .. })) => {}
            (_, other) => panic!("{name}: {other:?}"),
        }
        assert_eq!(fs::read(&path).unwrap(), before, "{name}");
    }
}

#[test]
fn files_are_for_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join("test.db");
    let url = switchboard::vmdb::DatabaseUrl::sqlite(&path);
    let vmdb = Vmdb::open_to_serve(&url, Clock::System).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    vmdb.close();
}

#[test]
fn statement_08_09_a_file_deleted_under_the_program_stops_the_acknowledgements() {
    for suffix in ["", "-wal"] {
        let (database, ems) = Database::with_ems("cloud");
        database
            .vmdb
            .put(vec![add(&ems, event("k1", "a"))])
            .wait()
            .unwrap();
        assert!(database.vmdb.health().is_ok());
        let path = database.folder.path().join(format!("test.db{suffix}"));
        fs::remove_file(&path).unwrap();
        let refused = database
            .vmdb
            .put(vec![add(&ems, event("k2", "a"))])
            .wait()
            .unwrap_err();
        assert!(refused.is_temporary());
        assert!(
            refused.to_string().contains(&*path.to_string_lossy()),
            "{refused}"
        );
        assert!(database.vmdb.health().is_err());
        // What is left of it is not to be found sound.
        let _gone_already = fs::remove_file(database.folder.path().join("test.db"));
    }
}

#[test]
fn many_requests_share_a_commit_and_one_that_fails_spoils_none() {
    let (database, ems) = Database::with_ems("cloud");
    let vmdb = &database.vmdb;
    let unknown = Arc::new(switchboard::model::ems::Ems {
        id: switchboard::model::ems::EmsId(99),
        ..(*ems).clone()
    });
    let pending: Vec<_> = (0..300)
        .map(|i| {
            let ems = if i % 10 == 3 { &unknown } else { &ems };
            vmdb.put(vec![add(ems, event(&format!("k{i}"), "a"))])
                .submit()
                .unwrap()
        })
        .collect();
    let answers: Vec<bool> = pending
        .into_iter()
        .map(|pending| pending.wait().is_ok())
        .collect();
    for (i, is_ok) in answers.iter().enumerate() {
        assert_eq!(*is_ok, i % 10 != 3, "{i}");
    }
    assert_eq!(vmdb.queue_counts().unwrap().ready, 270);
    assert_eq!(vmdb.tallies().unwrap()[&ems.id].accepted, 270);
}
