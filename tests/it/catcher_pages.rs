//! Pages that are hard to read: one bad event costs itself alone, a page that is too large is asked for smaller, and the
//! cursor moves on.

use std::collections::BTreeSet;

use switchboard::catcher::CatcherState;
use switchboard::model::ems::Ems;
use switchboard::source::SourceTree;
use switchboard::switchboard::Limits;
use switchboard::switchboard::Switchboard;
use switchboard::vmdb::MessageKind;
use switchboard::vmdb::QueueEntry;

use crate::support::Database;
use crate::support::catching::Catching;
use crate::support::cloud::Cloud;
use crate::support::cloud::Trick;
use crate::support::cloud::event;
use crate::support::cloud::limit_of;
use crate::support::process::ids;

/// Events that are hard to read; each is named by its place.
fn bad_events() -> Vec<String> {
    let values = [
        r#""cut \ud83d""#.to_owned(),
        "1e400".to_owned(),
        "18446744073709551616".to_owned(),
        "NaN".to_owned(),
        "[1,,2]".to_owned(),
        "\"a\tb\"".to_owned(),
        r#""\x41""#.to_owned(),
        "'single'".to_owned(),
        "007".to_owned(),
        String::new(),
        format!("{}{}", "[".repeat(100), "]".repeat(100)),
        format!("{}{}", "[".repeat(120), "]".repeat(120)),
        format!("{}{}", "[".repeat(200), "]".repeat(200)),
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("[{}]", vec!["1"; 120_000].join(",")),
        format!("\"{}\"", "x".repeat(900_000)),
        format!("\"{}\"", "x".repeat(1_100_000)),
    ];
    let named = |(number, value): (usize, &String)| {
        format!(r#"{{"id":"bad-{number}","event_name":"com.awesomecloud.vm.create","note":{value}}}"#)
    };
    let mut events: Vec<String> = values.iter().enumerate().map(named).collect();
    events.extend(
        [
            "7",
            "null",
            "nonsense",
            "{}",
            r#"{"\ud83d":1}"#,
            r#"{"id":"no-name"}"#,
        ]
        .map(str::to_owned),
    );
    events
}

/// What the queue has of a manager: kind, text and reason of each message.
fn kept(catching: &Catching, ems: &Ems) -> BTreeSet<(String, String, String)> {
    let entries = catching
        .entries()
        .into_iter()
        .filter(|entry| entry.ems == ems.name);
    let told = |entry: QueueEntry| {
        let reason = entry.error.unwrap_or_default();
        (
            entry.kind.as_str().to_owned(),
            entry.full_data.unwrap_or_default(),
            // One came on a line, the other one on a page.
            reason.replace("the line is", "the event is"),
        )
    };
    entries.map(told).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_keeps_of_each_event_what_a_file_keeps_of_it() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.page_size(100);
    cloud.happen(1, 2);
    bad_events().into_iter().for_each(|event| cloud.happens(event));
    cloud.happens(event("e-3"));
    let count = cloud.count();
    let polled = catching.add("polled", &cloud.url(), None).await;
    catching.until_done(cloud.requested_since(count)).await;
    // All on one page.
    assert_eq!(cloud.requests().len(), 2);

    let path = catching.database.folder.path().join("events.log");
    let lines: Vec<String> = [event("e-1"), event("e-2")]
        .into_iter()
        .chain(bad_events())
        .chain([event("e-3")])
        .collect();
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    let of_file = catching
        .add("file", &format!("file://{}", path.display()), None)
        .await;
    let all = async {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(20));
        while kept(&catching, &of_file).len() < count {
            tick.tick().await;
        }
    };
    catching.until_done(all).await;

    let (by_page, by_file) = (kept(&catching, &polled), kept(&catching, &of_file));
    let only_on_page = by_page.difference(&by_file).next();
    let only_in_file = by_file.difference(&by_page).next();
    assert!(by_page == by_file, "{only_on_page:.200?}\n{only_in_file:.200?}");
    assert_eq!(by_page.len(), count);
    let is_unparsed = |number: usize| {
        let named = format!("\"bad-{number}\"");
        let found = by_page.iter().find(|(_, text, _)| text.contains(&named));
        let (kind, _, reason) = found.unwrap();
        assert_eq!(reason.is_empty(), kind == MessageKind::Add.as_str(), "{number}");
        kind == MessageKind::Unparsed.as_str()
    };
    // Large numbers, much nesting, long lists and texts are no fault, as long as they are within the limits.
    assert!([2, 10, 11, 14, 15].into_iter().all(|number| !is_unparsed(number)));
    assert!([0, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16].into_iter().all(is_unparsed));
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_utf_8_cost_the_event_that_they_are_in() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    let page = [
        &br#"{"server":"caf"#[..],
        b"\xe9",
        format!(r#"","events":[{},{{"id":"bad","note":""#, event("e-1")).as_bytes(),
        b"\xff\xfe",
        format!(r#""}},{}],"cursor":3,"more":false}}"#, event("e-3")).as_bytes(),
    ]
    .concat();
    cloud.tricks([Trick::Body(page)]);
    cloud.happen(1, 3);
    let ems = catching.add("cloud", &cloud.url(), None).await;
    catching.until_done(cloud.requested_since(3)).await;
    let kept = kept(&catching, &ems);
    let coded = base64(b"{\"id\":\"bad\",\"note\":\"\xff\xfe\"}");
    let bad: Vec<_> = kept
        .iter()
        .filter(|(kind, ..)| kind == MessageKind::Unparsed.as_str())
        .collect();
    let [(_, text, reason)] = &bad[..] else {
        panic!("{kept:?}")
    };
    assert_eq!(*text, format!("data:;base64,{coded}"));
    assert!(reason.starts_with("the event is no UTF-8: "), "{reason}");
    assert_eq!(catching.queued().0, ["e-1", "e-3"]);
    catching.stop().await;
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// An event with a text of so many bytes.
fn long(id: &str, bytes: usize) -> String {
    let text = "x".repeat(bytes);
    format!(r#"{{"id": "{id}", "event_name": "com.awesomecloud.vm.create", "note": "{text}"}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_may_hold_much_more_than_a_script_may_make() {
    for (count, bytes) in [(100, 12_000), (100, 150_000), (1_000, 1_000), (8_000, 200)] {
        let (cloud, catching) = (Cloud::start(), Catching::start());
        cloud.page_size(count);
        catching
            .settings
            .replace(crate::support::catching::with_settings(&format!(
                "        ems_event_page_size: {count}\n"
            )));
        for number in 1..=count {
            cloud.happens(long(&format!("e-{number}"), bytes));
        }
        catching.add("cloud", &cloud.url(), None).await;
        catching.until_done(cloud.requested_since(count)).await;
        assert_eq!(cloud.requests().len(), 2, "{count} of {bytes} in one page");
        assert_eq!(catching.queued(), (ids(1, count), vec![]), "{count} of {bytes}");
        catching.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_beyond_16_mib_is_asked_for_smaller_until_it_can_be_read_and_then_larger_again() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.page_size(100);
    for number in 1..=40 {
        cloud.happens(long(&format!("e-{number}"), 900_000));
    }
    for number in 41..=500 {
        cloud.happens(event(&format!("e-{number}")));
    }
    catching.add("cloud", &cloud.url(), None).await;
    catching.until_done(cloud.requested_since(500)).await;
    assert_eq!(catching.queued(), (ids(1, 500), vec![]));
    let limits: Vec<String> = cloud.requests().iter().map(|head| limit_of(head)).collect();
    let expected = [
        "100", "50", "25", "12", "12", "12", "12", "12", "12", "12", "12", "24",
    ];
    assert_eq!(limits[..expected.len()], expected, "{limits:?}");
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_longer_than_a_whole_page_may_be_costs_itself_alone() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.page_size(100);
    cloud.happen(1, 2);
    cloud.happens(long("large", 20 << 20));
    cloud.happen(4, 5);
    let ems = catching.add("cloud", &cloud.url(), None).await;
    catching.until_done(cloud.requested_since(5)).await;
    let (events, reasons) = catching.queued();
    assert_eq!(events, ["e-1", "e-2", "e-4", "e-5"]);
    assert_eq!(
        reasons,
        ["the event is longer than 1048576 bytes; its first 65536 are kept"]
    );
    let statuses = catching.supervisor.statuses();
    let status = statuses.borrow()[&ems.id].clone();
    assert_eq!((status.state, status.broke_off), (CatcherState::Running, 0));
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_before_an_event_that_breaks_its_page_is_kept() {
    let (cloud, catching) = (Cloud::start(), Catching::start());
    cloud.page_size(100);
    cloud.happen(1, 6);
    // Nobody can tell where it ends.
    cloud.happens(r#"{"id": "e-7", "note": "cut"#);
    let ems = catching.add("cloud", &cloud.url(), None).await;
    catching.until_done(cloud.requested_since(6)).await;
    let status = catching.until_state(&ems, CatcherState::BackingOff).await;
    let reason = status.reason.unwrap();
    assert!(reason.starts_with("the message is no JSON: "), "{reason}");
    assert_eq!(catching.queued(), (ids(1, 6), vec![]));
    catching.stop().await;
}

/// A first stage whose one provider has this stream, with these limits.
fn with_stream(stream: &str, limits: &Limits) -> Catching {
    let parser =
        "fn event_to_hash(event, ems_id) { #{ event_type: event.name, source: \"X\", ems_ref: event.id } }";
    let tree = SourceTree::from_fixture(&format!(
        "//- scripts/awesome_cloud/event_parser.rhai\n{parser}\n\
         //- scripts/awesome_cloud/stream.rhai\n{stream}\n"
    ));
    let loaded = Switchboard::load_within(&tree, None, limits);
    assert_eq!(loaded.diagnostics, []);
    Catching::start_by(Database::new(), loaded.switchboard)
}

const REQUEST: &str = "fn poll_request(ems, cursor) { #{ path: \"/events\", query: #{ since: cursor, limit: ems.page_size } } }";

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_a_stream_takes_out_of_its_item_is_kept_with_all_of_the_item_where_it_is_bad() {
    let stream = format!(
        "{REQUEST}\nfn events(response) {{ #{{\n\
         events: response.body.events.filter(|item| item.kind == \"event\").map(|item| item.event),\n\
         cursor: response.body.events[-1].number, more: false }} }}"
    );
    let catching = with_stream(&stream, &Limits::default());
    let cloud = Cloud::start();
    cloud.page_size(100);
    let item = |number: usize, note: &str| {
        format!(
            r#"{{"number":{number},"kind":"event","event":{{"id":"e-{number}","name":"n","note":{note}}}}}"#
        )
    };
    cloud.happens(item(1, "1"));
    cloud.happens(item(2, r#""\ud83d""#));
    cloud.happens(r#"{"number":3,"kind":"heartbeat","event":"\ud83d"}"#);
    cloud.happens(item(4, "tru"));
    let ems = catching.add("cloud", &cloud.url(), None).await;
    catching.until_done(cloud.requested_since(4)).await;
    let texts: Vec<String> = kept(&catching, &ems)
        .into_iter()
        .map(|(_, text, _)| text)
        .collect();
    let good = r#"{"id":"e-1","name":"n","note":1}"#.to_owned();
    assert_eq!(texts, [good, item(2, r#""\ud83d""#), item(4, "tru")]);
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_over_which_the_stream_goes_beyond_its_limits_costs_itself_alone() {
    let stream = format!(
        "{REQUEST}\nfn events(response) {{\n\
         let events = response.body.events;\n\
         #{{ events: events, cursor: response.body.cursor, more: response.body.more }} }}"
    );
    let limits = Limits {
        max_string_size: 2_000,
        ..Limits::default()
    };
    let catching = with_stream(&stream, &limits);
    let cloud = Cloud::start();
    cloud.page_size(100);
    for number in 1..=40 {
        let bytes = if number == 17 { 100_000 } else { 1_500 };
        cloud.happens(format!(
            r#"{{"id":"e-{number}","name":"n","note":"{}"}}"#,
            "x".repeat(bytes)
        ));
    }
    catching.add("cloud", &cloud.url(), None).await;
    catching.until_done(cloud.requested_since(40)).await;
    let (events, _) = catching.queued();
    let expected: Vec<String> = ids(1, 40);
    // Its parser takes nothing of what is large either: it is saved like any other.
    assert_eq!(BTreeSet::from_iter(events), BTreeSet::from_iter(expected));
    assert!(cloud.requests().iter().any(|head| limit_of(head) == "1"));
    catching.stop().await;
}

#[test]
fn a_key_that_means_nothing_is_an_error() {
    let ems = Ems {
        id: switchboard::model::ems::EmsId(1),
        name: "cloud".into(),
        provider: "p".into(),
        url: None,
        credentials: None,
        enabled: true,
    };
    for (request, expected) in [
        ("#{ path: \"/\" }", None),
        ("#{ path: \"/\", query: #{ a: () }, headers: () }", None),
        (
            "#{ path: \"/\", method: \"POST\" }",
            Some("unknown field `method`, expected one of `path`, `query`, `headers`"),
        ),
        ("#{ path: \"/\", body: 1 }", Some("unknown field `body`")),
        ("#{ path: \"/\", timeout: 1 }", Some("unknown field `timeout`")),
    ] {
        let tree = SourceTree::from_fixture(&format!(
            "//- scripts/p/event_parser.rhai\nfn event_to_hash(event, ems_id) {{ () }}\n\
             //- scripts/p/stream.rhai\nfn poll_request(ems, cursor) {{ {request} }}\nfn events(response) {{ response.body }}\n"
        ));
        let board = Switchboard::load(&tree, None).switchboard;
        let error = board
            .poll_request(&ems, 1, None)
            .err()
            .map(|error| error.to_string());
        match (&error, expected) {
            (None, None) => (),
            (Some(error), Some(expected)) => assert!(error.contains(expected), "{request}: {error}"),
            other => panic!("{request}: {other:?}"),
        }
        let answer = |body: &str| {
            let answer = switchboard::switchboard::PollResponse {
                body: body.to_owned(),
                ..Default::default()
            };
            board.poll_answer(&ems, None, &answer, false)
        };
        assert!(answer(r#"{"events": [], "cursor": 1, "more": true, "gap": null}"#).is_ok());
        let error = answer(r#"{"events": [], "next": 1}"#).unwrap_err().to_string();
        assert!(
            error.contains("unknown field `next`, expected one of `cursor`, `more`, `gap`"),
            "{error}"
        );
    }
}
