//! Recorded events of a real cloud through the provider `amazon`: exactly the expected targets.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::conformance::run;
use crate::corpus;
use serde_json::Value as Json;
use serde_json::json;
use switchboard::model::event::NativeEvent;
use switchboard::switchboard::SimulatedEvent;
use switchboard::switchboard::SimulationRequest;
use switchboard::switchboard::Switchboard;

#[test]
fn every_recorded_event_gives_the_expected_targets() {
    let Some(folder) = corpus::part("aws-events") else {
        return;
    };
    let tree = corpus::tree(&[&corpus::own("automate")], &[&corpus::own("scripts")]);
    let switchboard = Switchboard::load(&tree, None).switchboard;
    let expected = std::fs::read_to_string(folder.join("expected-targets.json")).unwrap();
    let expected: BTreeMap<String, Json> = serde_json::from_str(&expected).unwrap();
    let mut wrong = Vec::new();
    for (name, expected) in &expected {
        let body = std::fs::read_to_string(folder.join(name)).unwrap();
        let event = SimulatedEvent::Message {
            provider: "amazon".to_owned(),
            native: NativeEvent::new(body),
            blacklists: Arc::default(),
        };
        let document = run(
            &switchboard,
            &SimulationRequest {
                event,
                workspace: false,
                deliveries: 1,
                records: None,
            },
        );
        let found: Vec<Json> = document["targets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|target| json!([target["association"], target["manager_ref"]]))
            .collect();
        let sorted = |targets: &[Json]| {
            let mut targets: Vec<String> = targets.iter().map(Json::to_string).collect();
            targets.sort();
            targets
        };
        if sorted(&found) != sorted(expected.as_array().unwrap()) || document["errors"] != json!([]) {
            wrong.push(format!(
                "{name}: {found:?} instead of {expected}; errors {}",
                document["errors"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!expected.is_empty());
}
