//! Whatever text stands in a file, a path or an event: an answer, never a panic, never a hang.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::Value as Json;
use switchboard::model::ae_path::AePath;
use switchboard::model::ae_path::AeUri;
use switchboard::model::ae_path::DATASTORE;
use switchboard::model::ae_path::pairs_to_query;
use switchboard::model::ae_path::query_to_pairs;
use switchboard::model::event::EventClass;
use switchboard::source::SourceTree;
use switchboard::switchboard::SimulatedEvent;
use switchboard::switchboard::SimulationRequest;
use switchboard::switchboard::Switchboard;

use crate::conformance::Tree;
use crate::conformance::request;
use crate::conformance::run;

/// Text that looks like what the languages of the datastore are made of.
fn syntax() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("${".to_owned()),
        Just("}".to_owned()),
        Just("#".to_owned()),
        Just("/".to_owned()),
        Just("..".to_owned()),
        Just("*".to_owned()),
        Just("?".to_owned()),
        Just("&a=b".to_owned()),
        Just("||".to_owned()),
        Just("=>".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("{".to_owned()),
        Just("(".to_owned()),
        Just(")".to_owned()),
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just(";".to_owned()),
        Just(".".to_owned()),
        Just(",".to_owned()),
        Just("METHOD::".to_owned()),
        Just("miqaedb:".to_owned()),
        Just("miqaews:".to_owned()),
        Just("method:".to_owned()),
        Just("state_var#".to_owned()),
        Just("/Lab/Any/i".to_owned()),
        Just("integer::n=".to_owned()),
        Just("Array::l=1\u{1f}2".to_owned()),
        Just("%41".to_owned()),
        Just(" ".to_owned()),
        Just("\n".to_owned()),
        "[a-z0-9]{1,4}",
        "\\PC{1,3}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![syntax(), "\\PC{0,40}", any::<String>()]
}

proptest! {
    #[test]
    fn what_is_a_uri_is_printed_as_one(text in any_text()) {
        if let Ok(uri) = AeUri::parse(&text, DATASTORE) {
            let again = AeUri::parse(&uri.to_string(), DATASTORE);
            // A path that does not begin with a slash is printed with one.
            let rooted = uri.path.as_ref().map(|path| if path.starts_with('/') { path.clone() } else { format!("/{path}") });
            if let Some(path) = rooted {
                let again = again.unwrap();
                prop_assert_eq!(again.path.as_deref(), Some(&*path));
                prop_assert_eq!(&again.scheme, &uri.scheme);
                prop_assert_eq!(again.arguments(), uri.arguments());
                prop_assert_eq!(again.message(), uri.message());
                prop_assert_eq!(again.to_string(), uri.to_string());
            }
        }
    }

    #[test]
    fn paths_are_printed_as_they_are_split(namespace in "[A-Za-z0-9_.-]{1,6}(/[A-Za-z0-9_.-]{1,6}){0,2}", class in "[A-Za-z0-9_.-]{1,6}", instance in "[A-Za-z0-9_.-]{0,6}") {
        let text = format!("/{namespace}/{class}/{instance}");
        let path = AePath::split(&text);
        prop_assert_eq!(path.to_string(), text);
        prop_assert_eq!(AePath::split(&path.to_string()), path);
    }

    #[test]
    fn queries_are_read_as_they_were_written(pairs in prop::collection::btree_map("\\PC{1,8}", "\\PC{0,12}", 0..5)) {
        let query = pairs_to_query(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str().into())));
        let read: std::collections::BTreeMap<String, String> = query_to_pairs(&query).into_iter().collect();
        prop_assert_eq!(read, pairs);
    }

    #[test]
    fn any_text_is_split_without_a_fault(text in any_text()) {
        let path = AePath::split(&text);
        prop_assert_eq!(AePath::split(&path.to_string()).instance, path.instance);
        query_to_pairs(&text);
    }
}

const KINDS: [&str; 6] = ["at", "at:null coalescing", "as", "re", "me", "st"];

fn one_of_each(text: &str, collect: &str) -> Tree {
    let fields: Vec<String> = KINDS
        .iter()
        .enumerate()
        .map(|(index, kind)| format!("f{index}:{kind}"))
        .collect();
    let fields: Vec<&str> = fields
        .iter()
        .map(String::as_str)
        .chain(["x:at=1", "b:at:integer", "l:at:array", "t:at:symbol"])
        .collect();
    let mut tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/Any", &fields)
        .instance("i", &[]);
    for index in 0..KINDS.len() {
        tree = tree.instance(
            &format!("i{index}"),
            &[
                &format!("f{index}={text}"),
                &format!("f{index}.collect={collect}"),
                &format!("f{index}.on_entry={text}"),
                &format!("f{index}.max_time={text}"),
                &format!("b={text}"),
                &format!("l={text}"),
            ],
        );
    }
    tree
}

/// The contract's promises that hold for every document.
fn assert_whole(document: &Json) {
    let errors = document["errors"].as_array().unwrap();
    let n_fatal = errors.iter().filter(|error| error["fatal"] == true).count();
    assert!(
        n_fatal <= 1 && (n_fatal == 0 || errors.last().unwrap()["fatal"] == true),
        "{errors:#?}"
    );
    for error in errors {
        assert!(
            !error["kind"].as_str().unwrap().is_empty() && !error["message"].as_str().unwrap().is_empty()
        );
        assert_ne!(error["kind"], "EnginePanic");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_text_in_any_field_gives_an_answer(text in any_text(), collect in any_text(), query in syntax()) {
        let (switchboard, _) = one_of_each(&text, &collect).load();
        for index in 0..KINDS.len() {
            assert_whole(&run(&switchboard, &request(&format!("/Lab/Any/i{index}?{query}"))));
        }
        assert_whole(&run(&switchboard, &request(&text)));
        assert_whole(&run(&switchboard, &request(&format!("/Lab/Any/{text}"))));
    }

    #[test]
    fn any_file_is_loaded_or_told(text in any_text(), damage in 0..400_usize, with in any_text()) {
        let fine = "object:\n  attributes:\n    name: i\n    inherits: \n  fields:\n  - f0:\n      value: x\n      collect: y = [x]\n";
        let (before, after) = fine.split_at(damage % fine.len());
        let damaged = format!("{before}{with}{after}");
        for body in [&text, &damaged] {
            let tree = ["T.class/x.yaml", "T.class/__class__.yaml", "T.class/__methods__/m.yaml", "__namespace__.yaml"].into_iter().fold(
                Tree::default().domain("Base", 1).class("Lab/Any", &["x:at=1"]).instance("i", &[]),
                |tree, name| tree.file(&format!("automate/Base/Lab2/{name}"), &body.replace("//- ", "")),
            );
            let (switchboard, _) = tree.load();
            assert_whole(&run(&switchboard, &request("/Lab/Any/i")));
            assert_whole(&run(&switchboard, &request("/Lab2/i/i")));
        }
        SourceTree::from_fixture(&text);
        Switchboard::load(&SourceTree::from_fixture(&format!("//- automate/D/__domain__.yaml\n{text}")), None);
    }

    #[test]
    fn an_event_type_is_one_name_whatever_it_holds(event_type in any_text(), source in any_text(), data in any_text()) {
        let tree = Tree::default()
            .domain("Base", 1)
            .class("System/Process", &["rel5:re=/System/Event/${/#event_stream.event_namespace}/${/#event_stream.source}/${/#event_type}"])
            .instance("Event", &[])
            .class("System/Event/EmsEvent/Src", &["got:at=${#_missing_instance}", "d:at=${/#event_stream.message}"])
            .instance(".missing", &[])
            .class("Lab/Any", &["bad:at"])
            .instance("i", &[]);
        let (switchboard, _) = tree.load();
        let event = |source: &str| SimulationRequest {
            event: SimulatedEvent::Event {
                class: EventClass::EmsEvent,
                source: source.to_owned(),
                event_type: event_type.clone(),
                attributes: [("message".to_owned(), data.clone().into())].into_iter().collect(),
            },
            workspace: true,
            deliveries: 2,
            records: None,
        };
        assert_whole(&run(&switchboard, &event(&source)));
        if !event_type.trim().is_empty() {
            let document = run(&switchboard, &event("SRC"));
            prop_assert_eq!(&document["errors"], &serde_json::json!([]));
            let child = &document["workspace"][0]["children"][0];
            prop_assert_eq!(child["object"].as_str().unwrap(), format!("/Base/System/Event/EmsEvent/SRC/{event_type}"));
            prop_assert_eq!(&child["attributes"]["got"], &Json::from(event_type.clone()));
        }
    }
}

#[test]
fn long_texts_take_no_longer_than_they_are_long() {
    for piece in [
        "${",
        "a => 1, ",
        "[a",
        "{a => b, ",
        "/..",
        "||",
        "(",
        "'",
        "x;",
        "${#a}",
    ] {
        let text = piece.repeat(20_000);
        let (switchboard, _) = one_of_each(&text, &text).load();
        let begun = std::time::Instant::now();
        for index in 0..KINDS.len() {
            assert_whole(&run(&switchboard, &request(&format!("/Lab/Any/i{index}"))));
        }
        assert!(begun.elapsed().as_secs() < 20, "{piece}");
    }
}
