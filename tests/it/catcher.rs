//! What a catcher that polls promises: C01 to C18 and C24 to C26, L1 to L5.

use std::time::Duration;

use switchboard::catcher::CatcherState;
use switchboard::catcher::StreamKind;
use switchboard::handler::HandlerConfig;
use switchboard::model::clock::SignedDuration;
use switchboard::model::delivery::Delivery;
use switchboard::vmdb::MessageKind;

use crate::support::catching::Catching;
use crate::support::catching::with_settings;
use crate::support::cloud::Cloud;
use crate::support::cloud::Trick;
use crate::support::cloud::event;
use crate::support::process::ids;
use crate::support::told_rules::start_with;
use crate::support::told_rules::until_empty;

#[tokio::test(flavor = "multi_thread")]
async fn c01_one_catcher_for_each_manager_that_has_a_stream() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    let ems = catching.add("polled", &cloud.url(), None).await;
    let pushed = catching.vmdb().ems_add(switchboard::vmdb::NewEms {
        name: "pushed".to_owned(),
        provider: "awesome_cloud".to_owned(),
        ..Default::default()
    });
    pushed.await.unwrap();
    let status = catching.until_state(&ems, CatcherState::Running).await;
    assert_eq!((&*status.ems, status.stream), ("polled", StreamKind::Poll));
    assert_eq!(catching.supervisor.statuses().borrow().len(), 1);
    catching.vmdb().ems_remove("polled").await.unwrap();
    let mut statuses = catching.supervisor.statuses();
    let gone = statuses.wait_for(|statuses| statuses.is_empty());
    drop(catching.until(gone).await.unwrap());
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c02_another_set_of_the_same_size_is_caught_in_one_pass() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    let old = catching.add("old", &cloud.url(), None).await;
    catching.until_state(&old, CatcherState::Running).await;
    catching.vmdb().ems_remove("old").await.unwrap();
    let new = catching.add("new", &cloud.url(), None).await;
    catching.until_state(&new, CatcherState::Running).await;
    assert!(!catching.supervisor.statuses().borrow().contains_key(&old.id));
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c05_nothing_counts_as_running_before_its_stream_has_answered() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.habit(Some(Trick::Silence));
    let ems = catching.add("cloud", &cloud.url(), None).await;
    catching.until(cloud.requested(1)).await;
    let status = catching.state(&ems, CatcherState::Connecting).await;
    assert_eq!((status.reason, status.broke_off), (None, 0));
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c06_a_provider_that_never_answers_is_given_up_at_the_deadline_with_the_reason() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.tricks([Trick::Silence]);
    let ems = catching.add("cloud", &cloud.url(), None).await;
    catching.until(cloud.requested(1)).await;
    catching.clock().advance(SignedDuration::from_secs(61));
    let status = catching.state(&ems, CatcherState::BackingOff).await;
    assert_eq!(
        status.reason.as_deref(),
        Some("it gave no sign of life for 60 seconds")
    );
    catching.until_state(&ems, CatcherState::Running).await;
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c08_missing_credentials_are_told_and_nothing_is_asked_until_they_are_there() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    let file = catching.database.folder.path().join("token");
    let reference = format!("file:{}", file.display());
    let ems = catching.add("cloud", &cloud.url(), Some(&reference)).await;
    let status = catching.until_state(&ems, CatcherState::BackingOff).await;
    assert!(status.reason.unwrap().starts_with("no credentials: the file"));
    assert_eq!(cloud.requests().len(), 0);
    std::fs::write(&file, "from-file\n").unwrap();
    catching.until_state(&ems, CatcherState::Running).await;
    assert!(
        cloud.requests()[0].contains("authorization: Bearer from-file\r\n"),
        "{:?}",
        cloud.requests()
    );
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_the_environment_are_sent_and_shown_nowhere() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.tricks([Trick::Status(401, "")]);
    let ems = catching.add("cloud", &cloud.url(), Some("env:TOKEN")).await;
    let status = catching.until_state(&ems, CatcherState::BackingOff).await;
    assert!(cloud.requests()[0].contains("authorization: Bearer s3cret\r\n"));
    assert_eq!(
        status.reason.as_deref(),
        Some("the provider refused the credentials (HTTP 401)")
    );
    assert!(!format!("{status:?} {:?}", catching.supervisor).contains("s3cret"));
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c07_c09_c10_a_stream_that_breaks_off_is_tried_again_after_pauses_that_grow() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.tricks(vec![Trick::Status(500, ""); 7]);
    cloud.happen(1, 2);
    let ems = catching.add("cloud", &cloud.url(), None).await;
    let mut pauses = Vec::new();
    for failure in 1..=7 {
        let status = catching.state_after(&ems, failure).await;
        assert_eq!(
            status.reason.as_deref(),
            Some("the provider answered HTTP 500 Internal Server Error")
        );
        pauses.push(catching.pass_over(&status));
    }
    assert!(
        pauses.windows(2).all(|two| two[0].mul_f64(1.5) < two[1]),
        "{pauses:?}"
    );
    catching.until(cloud.requested_since(2)).await;
    assert_eq!(catching.queued(), (ids(1, 2), vec![]));
    // It runs, but not yet for long: the next pause is longer still.
    cloud.tricks([Trick::Status(500, "")]);
    let status = catching.until(catching.state_after(&ems, 8)).await;
    assert!(pauses[6] < catching.pass_over(&status));
    // After health it is short again.
    catching.until_state(&ems, CatcherState::Running).await;
    catching.clock().advance(SignedDuration::from_secs(301));
    cloud.tricks([Trick::Status(500, "")]);
    let status = catching.until(catching.state_after(&ems, 9)).await;
    assert!(catching.pass_over(&status) <= Duration::from_secs(2));
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c11_refused_credentials_are_tried_a_few_times_an_hour() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.habit(Some(Trick::Status(403, "")));
    let ems = catching.add("cloud", &cloud.url(), Some("env:TOKEN")).await;
    let begin = catching.clock().now();
    let mut tries = 0;
    while catching.clock().now().duration_since(begin) < SignedDuration::from_hours(6) {
        tries += 1;
        let status = catching.state_after(&ems, tries).await;
        catching.pass_over(&status);
    }
    assert!((4..=10).contains(&tries), "{tries}");
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c12_l4_a_bad_event_between_good_ones_is_kept_as_it_came_and_its_neighbours_too() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    let bad = r#"{ "id":  "bad", "number": 12345678901234567890123 }"#;
    for event in [&event("e-1"), bad, "42", "\"text\"", "null", &event("e-2")] {
        cloud.happens(event);
    }
    catching.add("cloud", &cloud.url(), None).await;
    catching.until(cloud.requested_since(6)).await;
    let (good, reasons) = catching.queued();
    assert_eq!(good, ids(1, 2));
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    assert!(
        reasons[0].contains("the event has no `event_name`"),
        "{reasons:?}"
    );
    let entries = catching.entries();
    let unparsed = entries
        .iter()
        .find(|entry| entry.kind == MessageKind::Unparsed)
        .unwrap();
    assert_eq!(unparsed.full_data.as_deref(), Some(bad));
    let first = entries
        .iter()
        .find(|entry| entry.kind == MessageKind::Add)
        .unwrap();
    assert_eq!(first.full_data.as_deref(), Some(&*event("e-1")));
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c13_c14_l5_a_stop_keeps_what_was_received_and_cuts_off_what_was_not() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.happens("42");
    cloud.happen(1, 2);
    cloud.happen(3, 5);
    // The second page never comes, and nobody waits for it.
    cloud.tricks([Trick::Body(
        format!(
            r#"{{"events": [42, {}], "cursor": 2, "more": true}}"#,
            event("e-1")
        )
        .into_bytes(),
    )]);
    cloud.habit(Some(Trick::Silence));
    let ems = catching.add("cloud", &cloud.url(), None).await;
    catching.until(cloud.requested(2)).await;
    let mut statuses = catching.supervisor.statuses();
    let database = catching.stop().await;
    let last = statuses.borrow_and_update()[&ems.id].state;
    assert_eq!(last, CatcherState::Stopped);
    cloud.habit(None);
    let catching = Catching::start_on(database);
    assert_eq!(catching.queued().0, ids(1, 1));
    catching.until(cloud.requested_since(6)).await;
    assert_eq!((catching.queued().0, catching.queued().1.len()), (ids(1, 5), 1));
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c15_another_address_restarts_that_catcher_and_no_other() {
    let (one, other, catching) = (Cloud::start(), Cloud::start(), Catching::start());
    let stays = catching.add("stays", &one.url(), None).await;
    let moves = catching.add("moves", &one.url(), None).await;
    let before = catching.until_state(&stays, CatcherState::Running).await;
    catching.until_state(&moves, CatcherState::Running).await;
    catching.vmdb().ems_remove("moves").await.unwrap();
    catching.add("moves", &other.url(), None).await;
    catching.until(other.requested(1)).await;
    let after = catching.state(&stays, CatcherState::Running).await;
    assert_eq!(before, after);
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c16_c17_c18_c24_a_changed_blacklist_counts_at_once_and_moves_the_cursor() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.happen(1, 1);
    catching.add("cloud", &cloud.url(), None).await;
    catching.until(cloud.requested_since(1)).await;
    for (entry, dropped) in [
        ("com.awesomecloud.vm.create", true),
        ("COM.awesomecloud.vm.create", false),
        ("com.awesomecloud.*", true),
        ("/vm\\.create$/", true),
    ] {
        catching.settings.replace(with_settings(&format!(
            "ems:\n  ems_awesome_cloud:\n    blacklisted_event_names: ['{entry}']\n"
        )));
        let (known, next) = (catching.queued().0.len(), cloud.count() + 1);
        cloud.happen(next, next);
        catching.until(cloud.requested_since(next)).await;
        assert_eq!(catching.queued().0.len() == known, dropped, "{entry}");
    }
    let hits: f64 = (catching.catcher.samples())()
        .iter()
        .filter(|sample| sample.name == "switchboard_blacklist_hits_total")
        .filter_map(|sample| sample.number())
        .sum();
    assert_eq!(hits, 3.0);
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c25_a_running_stream_that_falls_silent_is_replaced() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.happen(1, 1);
    let ems = catching.add("cloud", &cloud.url(), None).await;
    catching.until_state(&ems, CatcherState::Running).await;
    cloud.tricks([Trick::Silence]);
    catching.until(cloud.requested_again()).await;
    catching.clock().advance(SignedDuration::from_secs(121));
    let status = catching.state_after(&ems, 1).await;
    assert_eq!(
        status.reason.as_deref(),
        Some("it gave no sign of life for 120 seconds")
    );
    catching.until_state(&ems, CatcherState::Running).await;
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c26_l1_l3_what_was_missed_while_nobody_ran_is_asked_for_and_kept_once() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.happen(1, 4);
    catching.add("cloud", &cloud.url(), None).await;
    catching.until(cloud.requested_since(4)).await;
    // Never before, so without a cursor: from as far back as the provider reaches.
    assert!(!cloud.requests()[0].contains("since="));
    let Catching {
        database,
        catcher,
        supervisor,
        ..
    } = catching;
    // Gone without a word, with a page in its hands perhaps.
    drop((supervisor, catcher));
    cloud.happen(5, 9);
    let catching = Catching::start_on(database);
    catching.until(cloud.requested_since(9)).await;
    assert_eq!(catching.queued(), (ids(1, 9), vec![]));
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn l2_the_cursor_stays_where_it_is_until_the_database_has_the_events() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.happen(1, 2);
    let ems = catching.add("cloud", &cloud.url(), None).await;
    // From here on the database keeps nothing more.
    let vmdb = catching.vmdb().clone();
    catching.until_managed().await;
    tokio::task::spawn_blocking(move || vmdb.close()).await.unwrap();
    let is_told = |status: &switchboard::catcher::CatcherStatus| {
        status
            .reason
            .as_deref()
            .is_some_and(|reason| reason.starts_with("what came cannot be kept"))
    };
    let mut statuses = catching.supervisor.statuses();
    let told = statuses.wait_for(|statuses| statuses.get(&ems.id).is_some_and(is_told));
    drop(catching.until(told).await.unwrap());
    assert!(cloud.requests().iter().all(|request| !request.contains("since=")));
    catching.supervisor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_back_stops_no_stream() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.happen(1, 1);
    let ems = catching.add("cloud", &cloud.url(), None).await;
    catching.until_state(&ems, CatcherState::Running).await;
    // The supervisor was looking in the past, the catcher too; both look again once time has passed there.
    catching.clock().advance(SignedDuration::from_secs(-3));
    cloud.happen(2, 2);
    catching.until(cloud.requested_since(2)).await;
    assert_eq!(catching.queued(), (ids(1, 2), vec![]));
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_ahead_and_back_again_stops_no_stream_and_ends_a_pause_at_once() {
    let ten_years = SignedDuration::from_hours(87_600);
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.happen(1, 1);
    let ems = catching.add("cloud", &cloud.url(), None).await;
    catching.until_state(&ems, CatcherState::Running).await;
    catching.clock().advance(ten_years);
    cloud.happen(2, 2);
    catching.until(cloud.requested_since(2)).await;
    cloud.tricks([Trick::Status(503, "Retry-After: 3000\r\n")]);
    let broken = catching.until(catching.state_after(&ems, 1)).await;
    cloud.happen(3, 3);
    catching.clock().advance(ten_years);
    catching.until(cloud.requested_since(3)).await;
    assert!(broken.until.unwrap() < catching.clock().now());
    assert_eq!(catching.queued(), (ids(1, 3), vec![]));
    catching.stop().await;
}

/// A cloud that brings the same three events with each answer: polls overlap.
fn overlapping(cloud: &Cloud) {
    let events: Vec<String> = ids(1, 3).iter().map(|id| event(id)).collect();
    let page = format!(
        r#"{{"events": [{}], "cursor": 3, "more": false}}"#,
        events.join(",")
    );
    cloud.habit(Some(Trick::Body(page.into_bytes())));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_again_are_no_flood() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    overlapping(&cloud);
    catching.add("cloud", &cloud.url(), None).await;
    catching.until(cloud.requested(60)).await;
    // The fourth of its kind, and no more.
    cloud.habit(None);
    cloud.happen(1, 4);
    catching.until(cloud.requested_since(4)).await;
    let waiting = catching.entries().into_iter().filter(|entry| entry.due.is_some());
    assert_eq!(waiting.count(), 0);
    let folded = (catching.catcher.samples())();
    let folded = folded
        .iter()
        .find(|sample| sample.name == "switchboard_events_folded_total");
    assert!(folded.is_none(), "{folded:?}");
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_ago_something_new_came_is_told_while_nothing_new_comes() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    overlapping(&cloud);
    let ems = catching.add("cloud", &cloud.url(), None).await;
    catching.until(cloud.requested(1)).await;
    let config = HandlerConfig::default();
    let handler = start_with(&catching.database, config, Err("no parser".to_owned()), |_, _| {
        Delivery::default()
    });
    let vmdb = catching.vmdb().clone();
    let saved = tokio::task::spawn_blocking(move || until_empty(&vmdb));
    saved.await.unwrap();
    let stored = || catching.vmdb().catchers().unwrap().remove(&ems.id).unwrap();
    // What was under way when they were saved may have been new.
    let requests = cloud.requests().len();
    catching.until(cloud.requested(requests + 2)).await;
    let kept_at = stored().kept_at.unwrap();
    let saved_at = stored().position.unwrap().1;
    catching.until(cloud.requested(requests + 100)).await;
    assert_eq!(stored().kept_at, Some(kept_at));
    assert!(saved_at < stored().position.unwrap().1);
    cloud.habit(None);
    cloud.happen(1, 4);
    catching.until(cloud.requested_since(4)).await;
    assert!(kept_at < stored().kept_at.unwrap());
    tokio::task::spawn_blocking(|| handler.stop()).await.unwrap();
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_asks_below_its_url_for_what_is_not_compressed() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.happen(1, 1);
    catching
        .add("cloud", &format!("{}/tenant-a", cloud.url()), None)
        .await;
    catching.until(cloud.requested_since(1)).await;
    let head = cloud.requests().remove(0).to_ascii_lowercase();
    assert!(head.contains("\r\naccept-encoding: identity\r\n"), "{head}");
    assert!(head.starts_with("get /tenant-a/events"), "{head}");
    catching.stop().await;
}
