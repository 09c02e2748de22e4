//! Times of events in every form that clouds write, and the functions that scripts have for them.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;
use switchboard::model::counted_time::Unit;
use switchboard::model::event::NativeEvent;
use switchboard::model::written_time::formatted;
use switchboard::model::written_time::read;
use switchboard::model::written_time::rfc3339;
use switchboard::model::written_time::with_format;
use switchboard::source::SourceTree;
use switchboard::switchboard::SimulatedEvent;
use switchboard::switchboard::Simulation;
use switchboard::switchboard::SimulationRequest;
use switchboard::switchboard::Switchboard;

use crate::support::served::Served;

/// What is written, and the time that it means.
const READ: &str = "
    2026-03-01T12:00:00Z => 2026-03-01T12:00:00Z
    2026-03-01t12:00:00z => 2026-03-01T12:00:00Z
    2026-03-01T13:00:00+01:00 => 2026-03-01T12:00:00Z
    2026-03-01T12:00:00-00:00 => 2026-03-01T12:00:00Z
    2026-03-01 12:00:00Z => 2026-03-01T12:00:00Z
    2026-03-01T12:00:00 => 2026-03-01T12:00:00Z
    2026-03-01 12:00:00 => 2026-03-01T12:00:00Z
    2026-03-01T12:00:00.5Z => 2026-03-01T12:00:00.5Z
    2026-03-01T12:00:00.1234567Z => 2026-03-01T12:00:00.1234567Z
    2026-03-01T12:00:00.123456789012Z => 2026-03-01T12:00:00.123456789Z
    2026-03-01T13:00:00.123456789012345678+01:00 => 2026-03-01T12:00:00.123456789Z
    2026-03-01T12:00:00.1234567890123 => 2026-03-01T12:00:00.123456789Z
    2016-12-31T23:59:60Z => 2016-12-31T23:59:59Z
    0000-01-01T00:00:00Z => 0000-01-01T00:00:00Z
    0001-01-01T00:00:00Z => 0001-01-01T00:00:00Z
    9999-12-30T22:00:00Z => 9999-12-30T22:00:00Z
    9999-12-31T23:59:59Z => 9999-12-30T22:00:00Z
    9999-12-31T23:59:59.999999999999-12:00 => 9999-12-30T22:00:00Z
    9999-12-31 23:59:59 => 9999-12-30T22:00:00Z

    2026-03-01 12:00:00 UTC => 2026-03-01T12:00:00Z
    2026-03-01 13:00:00 +0100 => 2026-03-01T12:00:00Z
    2026-03-01 12:00:00.25 UTC => 2026-03-01T12:00:00.25Z
    2026-03-01 12:00:00 +0000 UTC => 2026-03-01T12:00:00Z
    2026-03-01 13:00:00.5 +0100 CET => 2026-03-01T12:00:00.5Z

    Sun, 01 Mar 2026 12:00:00 GMT => 2026-03-01T12:00:00Z
    Sun, 1 Mar 2026 13:00:00 +0100 => 2026-03-01T12:00:00Z
    1 Mar 2026 07:00:00 EST => 2026-03-01T12:00:00Z
    Sunday, 01-Mar-26 12:00:00 GMT => 2026-03-01T12:00:00Z
    Sun Mar  1 12:00:00 2026 => 2026-03-01T12:00:00Z

    Sun Mar  1 12:00:00 UTC 2026 => 2026-03-01T12:00:00Z
    Sun Mar 01 2026 13:00:00 GMT+0100 (Central European Standard Time) => 2026-03-01T12:00:00Z
    01/Mar/2026:13:00:00 +0100 => 2026-03-01T12:00:00Z
    20260301T120000Z => 2026-03-01T12:00:00Z
    2026-03-01T12:00Z => 2026-03-01T12:00:00Z
    2026-03-01T13:00:00+01 => 2026-03-01T12:00:00Z
    2026-03-01T13:00:00,5+0100 => 2026-03-01T12:00:00.5Z
    /Date(1772366400000)/ => 2026-03-01T12:00:00Z
    /Date(1772366400000+0100)/ => 2026-03-01T12:00:00Z
    /Date(-62135596800000)/ => 0001-01-01T00:00:00Z

    1772366400 => 2026-03-01T12:00:00Z
    1772366400.25 => 2026-03-01T12:00:00.25Z
    1772366400.1234567891 => 2026-03-01T12:00:00.123456789Z
    1772366400000 => 2026-03-01T12:00:00Z
    1772366400000000 => 2026-03-01T12:00:00Z
    1772366400000000000 => 2026-03-01T12:00:00Z
    0 => 1970-01-01T00:00:00Z
";

#[test]
fn every_form_that_means_one_time_is_read_as_that_time() {
    for line in READ.lines().filter(|line| !line.trim().is_empty()) {
        let (text, expected) = line.split_once(" => ").unwrap();
        let found = read(text).map(|time| time.to_string());
        assert_eq!(found.as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn what_could_be_two_times_or_none_is_refused() {
    let texts = "noon|2026|20260301120000|177236640|17723664000|-1772366400|1772366400.|1772366400.5.5|\
        9999999999999999999|2026-13-01T12:00:00Z|2026-02-29T12:00:00Z|2026-03-01T25:00:00Z|2026-03-01 12:00:00 CET|\
        2026-03-01 12:00:00 +0100 +0100|Mon, 01 Mar 2026 12:00:00 GMT|03/01/2026 12:00:00||\
        Sun Mar  1 12:00:00 CET 2026|2026-03-01T12:00:00.Z";
    for text in texts.split('|') {
        assert_eq!(read(text), None, "{text}");
    }
}

/// What a parser with this `timestamp` makes of a message with this `t`.
fn parsed(timestamp: &str, t: &Value) -> Simulation {
    let fixture = format!(
        "//- scripts/lab/event_parser.rhai\n\
         fn event_to_hash(event, ems_id) {{ #{{ event_type: \"x\", timestamp: {timestamp} }} }}\n"
    );
    let switchboard = Switchboard::load(&SourceTree::from_fixture(&fixture), None).switchboard;
    let request = SimulationRequest {
        event: SimulatedEvent::Message {
            provider: "lab".to_owned(),
            native: NativeEvent::new(json!({"t": t}).to_string()),
            blacklists: Arc::default(),
        },
        workspace: false,
        deliveries: 1,
        records: None,
    };
    switchboard.simulate(&request, Timestamp::UNIX_EPOCH)
}

#[test]
fn an_event_hash_takes_every_time_that_means_one_time() {
    for (t, expected) in [
        (
            json!("2026-03-01T12:00:00.123456789012Z"),
            Some("2026-03-01T12:00:00.123456Z"),
        ),
        (json!("9999-12-31T23:59:59Z"), Some("9999-12-30T22:00:00Z")),
        (json!("2026-03-01 12:00:00 UTC"), Some("2026-03-01T12:00:00Z")),
        (json!("2026-03-01 13:00:00 +0100"), Some("2026-03-01T12:00:00Z")),
        (
            json!("Sun, 01 Mar 2026 12:00:00 GMT"),
            Some("2026-03-01T12:00:00Z"),
        ),
        (json!("1772366400"), Some("2026-03-01T12:00:00Z")),
        (json!(1_772_366_400), Some("2026-03-01T12:00:00Z")),
        (json!(1_772_366_400_000_i64), Some("2026-03-01T12:00:00Z")),
        (json!(1_772_366_400.5), Some("2026-03-01T12:00:00.5Z")),
        (json!(null), None),
        (json!(" "), None),
    ] {
        let found = parsed("event.t", &t);
        let time = found
            .ems_event
            .and_then(|hash| hash.timestamp)
            .map(|time| time.to_string());
        assert_eq!(
            (
                time.as_deref(),
                found.errors.first().filter(|error| error.kind == "ParseError")
            ),
            (expected, None),
            "{t}"
        );
    }
    let refused = parsed("event.t", &json!("noon"));
    assert_eq!(
        refused.errors[0].message,
        "scripts/lab/event_parser.rhai: `event_to_hash`: `timestamp` is `noon`; a time like `2026-01-31T12:00:00Z` or \
         seconds since 1970 was expected; `time(value, format)` reads other forms"
    );
}

#[test]
fn scripts_read_and_write_times() {
    for (script, t, expected) in [
        (
            "time(event.t)",
            json!("Sun, 01 Mar 2026 12:00:00 GMT"),
            Ok("2026-03-01T12:00:00Z"),
        ),
        (
            "time(event.t)",
            json!(1_772_366_400_250_i64),
            Ok("2026-03-01T12:00:00.25Z"),
        ),
        (
            "time(event.t)",
            json!(1_772_366_400.5),
            Ok("2026-03-01T12:00:00.5Z"),
        ),
        (
            "time(event.t, \"ms\")",
            json!(86_400_000),
            Ok("1970-01-02T00:00:00Z"),
        ),
        (
            "time(event.t, \"%Y%m%d%H%M%S\")",
            json!("20260301120000"),
            Ok("2026-03-01T12:00:00Z"),
        ),
        (
            "format_time(event.t, \"s\")",
            json!("2026-03-01T12:00:00.9Z"),
            Ok("2026-03-01T12:00:00Z"),
        ),
        (
            "format_time(event.t, \"%F %T UTC\")",
            json!(1_772_366_400),
            Ok("2026-03-01T12:00:00Z"),
        ),
        ("time(event.missing)", json!(1), Ok("")),
        ("time(event.t)", json!(""), Ok("")),
        (
            "time(event.t)",
            json!("noon"),
            Err("`noon` is no time; one like `2026-01-31T12:00:00Z` is expected"),
        ),
        (
            "time(event.t)",
            json!([1]),
            Err("a time is a text or a number, this is of type array"),
        ),
        (
            "time(event.t, \"ms\")",
            json!(1.5),
            Err("a time is a text or a whole number, this is of type f64"),
        ),
        (
            "time(event.t, \"%Y\")",
            json!("noon"),
            Err("`noon` is no time as in `%Y`: "),
        ),
        (
            "format_time(event.t, \"%\")",
            json!(0),
            Err("`%` is no form of a time: "),
        ),
        (
            "format_time(event.t, \"ns\")",
            json!("9999-01-01T00:00:00Z"),
            Err("is out of range for `ns`"),
        ),
    ] {
        let found = parsed(script, &t);
        match expected {
            Ok(expected) => {
                let time = found.ems_event.and_then(|hash| hash.timestamp);
                assert_eq!(
                    time.map(|time| time.to_string()).unwrap_or_default(),
                    expected,
                    "{script} {t}"
                );
            }
            Err(expected) => {
                let message = &found.errors[0].message;
                assert!(message.contains(expected), "{script} {t}: {message}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), format in any::<String>()) {
        let _read = read(&text);
        let _read = with_format(&text, &format);
        let _written = formatted(Timestamp::UNIX_EPOCH, &format);
    }

    #[test]
    fn what_looks_like_a_time_is_read_or_refused(text in "[0-9TZ:+. -]{0,40}") {
        let _read = read(&text);
    }

    #[test]
    fn whatever_writes_a_time_it_is_read_again(
        seconds in -62_135_596_800_i64..253_402_207_200,
        nanoseconds in 0..1_000_000_000_i32,
        minutes in -14 * 60..=14 * 60_i32,
        digits in 0..30_usize,
    ) {
        let time = Timestamp::new(seconds, nanoseconds).unwrap();
        let whole = Timestamp::from_second(Unit::Second.count(time).unwrap()).unwrap();
        let offset = jiff::tz::Offset::from_seconds(minutes * 60).unwrap();
        let local = time.to_zoned_datetime(TimeZone::fixed(offset));
        prop_assume!((1..=9998).contains(&local.year()) && (1..=9998).contains(&time.to_zoned_datetime(TimeZone::UTC).year()));
        let sign = if minutes < 0 { '-' } else { '+' };
        let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
        // RFC 3339 with more digits than anybody keeps.
        let date = local.strftime("%Y-%m-%d").to_string();
        let clock = local.strftime("%H:%M:%S").to_string();
        let more = "7".repeat(digits);
        let text = format!("{date}T{clock}.{:09}{more}{sign}{hours:02}:{rest:02}", time.as_nanosecond().rem_euclid(1_000_000_000));
        prop_assert_eq!(rfc3339(&text), Some(time), "{}", text);
        for text in [
            format!("{date} {clock} {sign}{hours:02}{rest:02}"),
            format!("{} UTC", whole.strftime("%Y-%m-%d %H:%M:%S")),
            whole.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            whole.strftime("%a %b %e %H:%M:%S %Y").to_string(),
        ] {
            prop_assert_eq!(read(&text), Some(whole), "{}", text);
        }
        if (1900..=9998).contains(&whole.to_zoned_datetime(TimeZone::UTC).year()) {
            let text = whole.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            prop_assert_eq!(read(&text), Some(whole), "{}", text);
        }
    }
}

#[test]
fn events_of_the_first_and_of_the_last_year_are_saved_and_shown() {
    let served = Served::with("");
    let times = [
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "9999-12-30T22:00:00.5Z",
        "9999-12-31T23:59:59Z",
    ];
    for (number, time) in (1..).zip(times) {
        let event = json!({"id": format!("e-{number}"), "event_name": "com.awesomecloud.vm.create", "time": time, "vm": {"id": "vm-1"}});
        assert_eq!(served.post(&event.to_string()).status, 202, "{time}");
        served.until_saved(number);
        let kept = served.get(&format!("/api/event_streams/{number}")).json()["timestamp"].clone();
        let expected = if number > 3 { "9999-12-30T22:00:00Z" } else { time };
        assert_eq!(kept, expected);
        for page in [
            "/".to_owned(),
            format!("/events/{number}"),
            "/managers/my_cloud".to_owned(),
            "/resources/vms/vm-1".to_owned(),
        ] {
            let answer = served.get(&page);
            assert!([200, 404].contains(&answer.status), "{page} {time} {answer:?}");
        }
    }
    for query in [
        "from=0001-01-01T00:00:00Z",
        "to=9999-12-31T23:59:59Z",
        "ems=my_cloud",
    ] {
        let listed = served.get(&format!("/api/event_streams?{query}")).json();
        let events = listed["event_streams"].as_array().unwrap().len();
        assert_eq!(
            events,
            if query.starts_with("from") {
                4
            } else if query.starts_with("to") {
                3
            } else {
                5
            },
            "{query}"
        );
    }
}
