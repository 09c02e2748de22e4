//! What a catcher that polls makes of a provider that misbehaves, and of a connection that cannot be trusted.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard::catcher::CatcherState;
use switchboard::model::clock::SignedDuration;

use crate::support::catching::Catching;
use crate::support::catching::with_settings;
use crate::support::cloud::Cloud;
use crate::support::cloud::Trick;
use crate::support::cloud::event;
use crate::support::cloud::limit_of;
use crate::support::process::ids;
use crate::support::tls::TlsFront;

/// What a provider does, and what the state says of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_misbehaves_is_told_apart_and_costs_no_event() {
    let good = |text: &str| Trick::Body(text.as_bytes().to_vec());
    for (trick, reason) in [
        (Trick::Status(404, ""), "the provider answered HTTP 404 Not Found"),
        (
            Trick::Status(429, "Retry-After: 7\r\n"),
            "the provider asks to come later (HTTP 429)",
        ),
        (
            Trick::Status(302, "Location: http://127.0.0.1:1/\r\n"),
            "the provider answered with a redirect (HTTP 302 Found), which is not followed",
        ),
        (
            Trick::Status(200, "Content-Encoding: gzip\r\n"),
            "the provider answered with the content encoding `gzip`, although none was asked for",
        ),
        (
            good("<html>"),
            "the message is no JSON: expected value at line 1 column 1",
        ),
        (
            good(r#"{"events": [], "cursor": NaN, "more": false}"#),
            "scripts/awesome_cloud/stream.rhai: `events`: what is beside the events cannot be read: ",
        ),
        (good(""), "scripts/awesome_cloud/stream.rhai:"),
        (good("{\"events\": {}}"), "scripts/awesome_cloud/stream.rhai:"),
        (good("[1, 2"), "the message is no JSON: EOF"),
        (
            Trick::Body(vec![b'"', 0xff, b'"']),
            "the message is no JSON: it is no UTF-8",
        ),
        (
            Trick::Body(b"{\"events\": [], \"cursor\": \"\xff\"}".to_vec()),
            "scripts/awesome_cloud/stream.rhai: `events`: what is beside the events cannot be read: it is no UTF-8",
        ),
        (Trick::Half, "cannot reach the provider: "),
    ] {
        let (cloud, catching) = (Cloud::start(), Catching::start());
        cloud.happen(1, 5);
        cloud.tricks([trick.clone()]);
        let ems = catching.add("cloud", &cloud.url(), None).await;
        let status = catching.state_after(&ems, 1).await;
        assert!(
            status.reason.as_ref().unwrap().starts_with(reason),
            "{trick:?}: {status:?}"
        );
        catching.until(cloud.requested_since(5)).await;
        assert_eq!(catching.queued(), (ids(1, 5), vec![]), "{trick:?}");
        catching.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_an_end_is_given_up_and_asked_for_smaller() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.happen(1, 5);
    cloud.tricks([Trick::Endless]);
    let ems = catching.add("cloud", &cloud.url(), None).await;
    catching.until(cloud.requested_since(5)).await;
    assert_eq!(catching.queued(), (ids(1, 5), vec![]));
    let limits: Vec<String> = cloud.requests().iter().map(|head| limit_of(head)).collect();
    assert_eq!(limits[..2], ["100", "50"]);
    // Where even one event has none, that is told.
    cloud.habit(Some(Trick::Endless));
    let status = catching
        .until_done(catching.state(&ems, CatcherState::BackingOff))
        .await;
    let reason = "the provider answered more than 64 MiB";
    assert_eq!(status.reason.as_deref(), Some(reason));
    cloud.habit(None);
    cloud.happen(6, 7);
    catching.pass_over(&status);
    catching.until(cloud.requested_since(7)).await;
    assert_eq!(catching.queued(), (ids(1, 7), vec![]));
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_asks_for_patience_gets_it() {
    for (headers, least) in [
        ("Retry-After: 90\r\n", 90),
        ("Retry-After: Thu, 01 Jan 2026 12:10:00 GMT\r\n", 590),
    ] {
        let (cloud, catching) = (Cloud::start(), Catching::start());
        cloud.tricks([Trick::Status(503, headers)]);
        let ems = catching.add("cloud", &cloud.url(), None).await;
        let status = catching.state_after(&ems, 1).await;
        let pause = catching.pass_over(&status);
        assert!(Duration::from_secs(least) <= pause, "{headers} {pause:?}");
        catching.stop().await;
    }
}

/// Lines of the log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// On one thread, so that all that the catcher logs is seen here.
#[tokio::test]
async fn a_provider_that_is_bad_for_half_a_day_is_asked_ever_less_and_costs_a_line_each_time() {
    let page = |text: &str| Trick::Body(text.as_bytes().to_vec());
    for trick in [
        Trick::Status(500, ""),
        Trick::Status(429, "Retry-After: 2\r\n"),
        Trick::Half,
        Trick::Again,
        page("<html>"),
        page("{}{}"),
        page(r#"{"events": 7}"#),
    ] {
        let lines = Lines::default();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer({
            let lines = lines.clone();
            move || lines.clone()
        });
        // Were it the only one, whichever thread comes by a line first would say for all that nobody listens.
        let _another = tracing::Dispatch::new(tracing_subscriber::registry());
        let logs = tracing::subscriber::set_default(log.finish());
        tracing::callsite::rebuild_interest_cache();
        let (cloud, catching) = (Cloud::start(), Catching::start());
        cloud.happen(1, 5);
        cloud.habit(Some(trick.clone()));
        let ems = catching.add("cloud", &cloud.url(), None).await;
        let mut pauses = Vec::new();
        let mut left = SignedDuration::from_hours(12);
        while SignedDuration::ZERO < left {
            let status = catching.state_after(&ems, pauses.len() as u64 + 1).await;
            assert!(status.reason.is_some(), "{status:?}");
            let pause = catching.pass_over(&status);
            left -= SignedDuration::try_from(pause).unwrap();
            pauses.push(pause);
        }
        let grown = pauses
            .iter()
            .position(|pause| Duration::from_secs(300) <= *pause)
            .unwrap();
        assert!(
            pauses[..grown]
                .windows(2)
                .all(|two| two[0] < two[1] || two[1] <= Duration::from_secs(3)),
            "{trick:?}: {pauses:?}"
        );
        assert!(
            pauses[grown..]
                .iter()
                .all(|pause| Duration::from_secs(300) <= *pause),
            "{trick:?}: {pauses:?}"
        );
        let failures = pauses.len();
        assert!((100..170).contains(&failures), "{trick:?}: {failures}");
        let told = String::from_utf8(lines.0.lock().clone()).unwrap();
        let broke_off = told
            .lines()
            .filter(|line| line.contains("A stream broke off."))
            .count();
        let others = told.lines().count() - broke_off;
        assert!(
            broke_off == failures && others <= failures + 5,
            "{trick:?}: {failures} {told}"
        );
        cloud.habit(None);
        catching.until(cloud.requested_since(5)).await;
        // A page that came again is on the queue again; who handles it knows the keys.
        let (mut queued, reasons) = catching.queued();
        queued.dedup();
        assert_eq!((queued, reasons), (ids(1, 5), vec![]), "{trick:?}");
        catching.stop().await;
        drop(logs);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_cut_off_takes_nothing_of_those_before_it_with_it() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.happen(1, 8);
    let first: Vec<String> = ids(1, 3).iter().map(|id| event(id)).collect();
    let first = format!(
        r#"{{"events": [{}], "cursor": 3, "more": true}}"#,
        first.join(",")
    );
    cloud.tricks([Trick::Body(first.into_bytes()), Trick::Half]);
    let ems = catching.add("cloud", &cloud.url(), None).await;
    let status = catching.state_after(&ems, 1).await;
    assert!(
        status
            .reason
            .as_ref()
            .unwrap()
            .starts_with("cannot reach the provider: "),
        "{status:?}"
    );
    // What had come whole is kept, and of what was cut off nothing.
    assert_eq!(catching.queued(), (ids(1, 3), vec![]));
    catching.pass_over(&status);
    catching.until(cloud.requested_since(8)).await;
    assert_eq!(catching.queued(), (ids(1, 8), vec![]));
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_repeats_for_ever_is_noticed_and_kept_once() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.habit(Some(Trick::Again));
    let ems = catching.add("cloud", &cloud.url(), None).await;
    let status = catching.state_after(&ems, 1).await;
    let reason = "the provider says that there is more and brings the same page again and again";
    assert_eq!(status.reason.as_deref(), Some(reason));
    assert_eq!(cloud.requests().len(), 2);
    assert_eq!(catching.queued(), (ids(1, 1), vec![]));
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_stands_while_pages_keep_coming_is_noticed_and_what_came_is_kept() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.habit(Some(Trick::Standing));
    let ems = catching.add("cloud", &cloud.url(), None).await;
    let status = catching.state_after(&ems, 1).await;
    let reason = "the provider says that there is more and its cursor does not move";
    assert_eq!(status.reason.as_deref(), Some(reason));
    // The first page moved the cursor from nowhere, the second one did not.
    assert_eq!(cloud.requests().len(), 2);
    assert_eq!(catching.queued(), (ids(1, 2), vec![]));
    cloud.habit(None);
    catching.pass_over(&status);
    catching.until_state(&ems, CatcherState::Running).await;
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_where_nobody_is_or_that_speaks_no_tls_is_told() {
    let catching = Catching::start();
    let cloud = Cloud::start();
    let no_tls = cloud.url().replace("http:", "https:");
    for (name, url) in [
        ("tls", no_tls.as_str()),
        ("nobody", "http://127.0.0.1:1"),
        ("odd", "ftp://host"),
    ] {
        let ems = catching.add(name, url, None).await;
        let status = catching.until_state(&ems, CatcherState::BackingOff).await;
        let reason = status.reason.unwrap();
        let expected = if name == "odd" {
            "its `url` has to begin with"
        } else {
            "cannot reach the provider: "
        };
        assert!(reason.starts_with(expected), "{reason}");
    }
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_fails_is_told_and_one_of_a_trusted_authority_is_taken() {
    for (name, last_year, is_trusted, reason) in [
        ("127.0.0.1", 2099, false, Some("UnknownIssuer")),
        ("127.0.0.1", 2021, true, Some("xpired")),
        ("cloud.example", 2099, true, Some("not valid for")),
        ("127.0.0.1", 2099, true, None),
    ] {
        let (cloud, catching) = (Cloud::start(), Catching::start());
        cloud.happen(1, 2);
        let front = TlsFront::start(cloud.address(), name, last_year);
        let ca_file = catching.database.folder.path().join("ca.pem");
        std::fs::write(&ca_file, &front.pem).unwrap();
        if is_trusted {
            let setting = format!("        ca_file: {}\n", ca_file.display());
            catching.settings.replace(with_settings(&setting));
        }
        let ems = catching.add("cloud", &front.url(), None).await;
        match reason {
            Some(reason) => {
                let status = catching.state_after(&ems, 1).await;
                let told = status.reason.unwrap();
                assert!(told.starts_with("cannot reach the provider: "), "{told}");
                assert!(told.contains(reason), "{told}");
                assert_eq!(cloud.requests().len(), 0, "asked without trust");
            }
            None => {
                catching.until(cloud.requested_since(2)).await;
                assert_eq!(catching.queued(), (ids(1, 2), vec![]));
            }
        }
        catching.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_authorities_that_is_none_is_told_and_nothing_is_asked() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    let front = TlsFront::start(cloud.address(), "127.0.0.1", 2099);
    let file = catching.database.folder.path().join("ca.pem");
    std::fs::write(&file, "no certificate").unwrap();
    for (path, reason) in [
        ("/nowhere/ca.pem", "cannot be read: "),
        (file.to_str().unwrap(), "holds no certificate"),
    ] {
        catching
            .settings
            .replace(with_settings(&format!("        ca_file: {path}\n")));
        let ems = catching.add(reason, &front.url(), None).await;
        let status = catching.until_state(&ems, CatcherState::BackingOff).await;
        let told = status.reason.unwrap();
        assert!(
            told.starts_with(&format!("the setting `ca_file` names `{path}`, which {reason}")),
            "{told}"
        );
    }
    assert_eq!(cloud.requests().len(), 0);
    catching.stop().await;
}
