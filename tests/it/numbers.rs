//! Numbers keep every digit on every way, and JSON is read as it is written, whatever its keys are called.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use proptest::prelude::*;
use switchboard::model::api_call::ApiAnswer;
use switchboard::model::api_call::ApiCall;
use switchboard::model::api_call::ManagerApi;
use switchboard::model::ems::Ems;
use switchboard::model::ems::EmsId;
use switchboard::model::event::EventHash;
use switchboard::model::event::NativeEvent;
use switchboard::model::inventory::RefreshScope;
use switchboard::model::json;
use switchboard::settings::Blacklist;
use switchboard::source::SourceTree;
use switchboard::switchboard::Admission;
use switchboard::switchboard::Switchboard;

const SCRIPTS: &str = r#"
//- scripts/cloud/event_parser.rhai
fn event_to_hash(event, ems_id) {
    #{
        event_type: "x", event_key: event.at("/key"), ems_ref: event.at("/id"), vm_ems_ref: event.at("/vm"),
        rest: event.at("/rest"),
    }
}
//- scripts/cloud/stream.rhai
fn poll_request(ems, cursor) { #{ path: "/events", query: #{ since: cursor } } }
fn events(response) {
    let body = response.body;
    #{ events: body.events, cursor: body.cursor }
}
//- scripts/cloud/inventory_collector.rhai
fn collect_all(ems) {
    let vms = http.get("/vms").body;
    #{ vms: vms.map(|vm| #{ ems_ref: vm.id, rest: vm.rest }) }
}
//- scripts/floats/event_parser.rhai
fn event_to_hash(event, ems_id) { #{ event_type: "x", ems_ref: event.at("/id").to_float() * 1.0 } }
//- scripts/floats/stream.rhai
fn poll_request(ems, cursor) { #{ path: "/events", query: #{ since: cursor.to_float() } } }
fn events(response) { #{ events: [], cursor: [response.body.to_float()] } }
"#;

fn board() -> Switchboard {
    let loaded = Switchboard::load(&SourceTree::from_fixture(SCRIPTS), None);
    assert_eq!(loaded.diagnostics, []);
    loaded.switchboard
}

fn ems(provider: &str) -> Ems {
    Ems {
        id: EmsId(1),
        name: "cloud".into(),
        provider: provider.into(),
        url: Some("http://cloud.example".to_owned()),
        credentials: None,
        enabled: true,
    }
}

fn parse(board: &Switchboard, provider: &str, message: &str) -> Result<EventHash, String> {
    match board.admit(&ems(provider), &NativeEvent::new(message), &Blacklist::default()) {
        Ok(Admission::Event(hash)) => Ok(hash),
        Ok(other) => Err(format!("{other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

fn answer(body: &str) -> ApiAnswer {
    ApiAnswer {
        status: 200,
        body: body.to_owned(),
        ..ApiAnswer::default()
    }
}

/// An API that has one answer.
struct Api(String);

impl ManagerApi for Api {
    fn call(&self, calls: &[ApiCall]) -> Result<Vec<ApiAnswer>, String> {
        Ok(calls.iter().map(|_| answer(&self.0)).collect())
    }

    fn progress(&self, _text: &str) {}
}

/// The attributes of the only object that a collector makes of an object of the API.
fn collected(board: &Switchboard, written: &str) -> Result<json::Value, String> {
    let api: Arc<dyn ManagerApi> = Arc::new(Api(format!("[{written}]")));
    let collected = board.collect(&ems("cloud"), &RefreshScope::Full, &api);
    let collected = collected.map_err(|error| error.to_string())?;
    let object = collected.collections.get("vms").unwrap().first().unwrap();
    Ok(object
        .attributes
        .clone()
        .into_iter()
        .collect::<json::Map>()
        .into())
}

const NUMERALS: [&str; 8] = [
    "14264376985124593857",
    "14264376985124593858",
    "18446744073709551616",
    "-9223372036854775809",
    "1.10",
    "1e400",
    "-0",
    "0.1000000000000000055511151231257827",
];

#[test]
fn a_number_is_a_key_and_a_reference_and_a_cursor_to_the_letter() {
    let board = board();
    for numeral in NUMERALS {
        let message =
            format!(r#"{{"id": {numeral}, "key": {numeral}, "vm": {numeral}, "rest": [{numeral}]}}"#);
        let hash = parse(&board, "cloud", &message).unwrap();
        assert_eq!(hash.ems_ref.as_deref(), Some(numeral));
        assert_eq!(&*hash.event_key.as_ref().unwrap().0, numeral);
        assert_eq!(hash.text("vm_ems_ref"), Some(numeral));
        let shown = serde_json::to_string(&hash).unwrap();
        assert!(shown.contains(&format!(r#""rest":[{numeral}]"#)), "{shown}");
        assert!(shown.contains(&message), "{shown}");
        let page = format!(r#"{{"events": [{message}], "cursor": {numeral}}}"#);
        let found = board
            .poll_answer(&ems("cloud"), None, &answer(&page), false)
            .unwrap();
        assert_eq!(&*found.events[0], message);
        let request = board
            .poll_request(&ems("cloud"), 1, found.cursor.as_ref())
            .unwrap();
        assert_eq!(request.query, [("since".to_owned(), numeral.to_owned())]);
        let object = collected(&board, &format!(r#"{{"id": {numeral}, "rest": {numeral}}}"#)).unwrap();
        assert_eq!(object["rest"].to_string(), numeral);
    }
}

#[test]
fn a_float_that_may_have_been_rounded_names_nothing() {
    let board = board();
    let rounded = "may have been rounded";
    let parsed = parse(&board, "floats", r#"{"id": 18446744073709551616}"#);
    assert!(parsed.unwrap_err().contains(rounded));
    let asked = board.poll_request(
        &ems("floats"),
        1,
        Some(&json::read("18446744073709551616").unwrap()),
    );
    assert!(asked.unwrap_err().to_string().contains(rounded));
    let found = board.poll_answer(&ems("floats"), None, &answer("18446744073709551616"), false);
    assert!(found.unwrap_err().to_string().contains(rounded));
}

#[test]
fn a_private_key_of_a_library_and_a_key_of_ours_are_keys_like_others() {
    let board = board();
    for rest in [
        r#"{"$serde_json::private::RawValue":"not json"}"#,
        r#"{"$serde_json::private::RawValue":"{\"injected\":true}"}"#,
        r#"{"$serde_json::private::Number":"1"}"#,
        r#"{"__ignored__":"all"}"#,
    ] {
        let hash = parse(&board, "cloud", &format!(r#"{{"id": 1, "rest": {rest}}}"#)).unwrap();
        let shown = serde_json::to_string(&hash).unwrap();
        assert!(shown.contains(&format!(r#""rest":{rest}"#)), "{shown}");
        let object = collected(&board, &format!(r#"{{"id": 1, "rest": {rest}}}"#)).unwrap();
        assert_eq!(object["rest"].to_string(), rest);
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let board = board();
    let message = "\u{feff}{\"id\": 7}";
    assert_eq!(
        parse(&board, "cloud", message).unwrap().ems_ref.as_deref(),
        Some("7")
    );
    let page = "\u{feff}{\"events\": [{\"id\": 7}], \"cursor\": 1}";
    let found = board
        .poll_answer(&ems("cloud"), None, &answer(page), false)
        .unwrap();
    assert_eq!(&*found.events[0], "{\"id\": 7}");
}

/// JSON texts of every form.
fn written() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?",
        r#""([a-zä€ ]|\\u00[4-7][0-9]|\\n|\\ud83d\\ude00|\\\\|\\")*""#,
        r#""\\ud8[0-9]{2}""#,
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![
            "[a-c]".prop_map(|key| format!("\"{key}\"")),
            Just(r#""$serde_json::private::RawValue""#.to_owned()),
            Just(r#""$serde_json::private::Number""#.to_owned()),
        ];
        let entry = (key, inner.clone()).prop_map(|(key, value)| format!("{key} : {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec(entry, 0..4).prop_map(|entries| format!("{{{}}}", entries.join(",\n"))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_can_be_read_is_kept_to_the_letter_and_the_rest_is_refused_alone(rest in written()) {
        let board = board();
        let message = format!(r#"{{"id": 1, "rest": {rest}}}"#);
        let parsed = parse(&board, "cloud", &message);
        match json::read(&rest) {
            Err(_) => prop_assert!(parsed.unwrap_err().contains("no JSON")),
            Ok(value) => {
                let hash = parsed.unwrap();
                prop_assert_eq!(&**hash.full_data.text(), &message);
                let shown = json::to_value(&hash).unwrap();
                let kept = shown.get("rest").cloned().unwrap_or_default();
                prop_assert_eq!(&kept, &value);
                let object = collected(&board, &message).unwrap();
                prop_assert_eq!(object.get("rest").cloned().unwrap_or_default(), value);
            }
        }
        let good = r#"{"id": 2}"#;
        let page = format!(r#"{{"events": [{good}, {message}, {good}], "cursor": 1}}"#);
        let found = board.poll_answer(&ems("cloud"), None, &answer(&page), false).unwrap();
        let events: Vec<&str> = found.events.iter().map(|event| &**event).collect();
        prop_assert_eq!(events, [good, &message, good]);
    }
}
