//! Recorded events of a real cloud through the provider `amazon`: exactly the expected targets.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::conformance::Tree;
use crate::conformance::run;
use crate::corpus;
use serde_json::Value as Json;
use serde_json::json;
use switchboard::model::event::NativeEvent;
use switchboard::switchboard::SimulatedEvent;
use switchboard::switchboard::SimulationRequest;
use switchboard::switchboard::Switchboard;

#[test]
fn a_call_that_was_refused_is_read_again_and_a_guard_leaves_it_out() {
    let call = |error: Json| {
        let detail = json!({
            "eventType": "AwsApiCall", "eventName": "StopInstances", "errorCode": error,
            "requestParameters": {"instancesSet": {"items": [{"instanceId": "i-1"}]}}, "responseElements": null,
        });
        SimulatedEvent::Message {
            provider: "amazon".to_owned(),
            native: NativeEvent::new(
                json!({"id": "e", "time": "2026-01-31T12:00:00Z", "detail": detail}).to_string(),
            ),
            blacklists: Arc::default(),
        }
    };
    let vm = json!([{"association": "vms", "manager_ref": {"ems_ref": "i-1"}}]);
    let guarded = Tree::default()
        .domain("Own", 10)
        .class("System/Event/EmsEvent/AMAZON", &["guard:as", "rel4:re"])
        .instance(
            "AWS_API_CALL_StopInstances",
            &[
                "guard=event.full_data?.detail?.errorCode == ()",
                "rel4=/System/event_handlers/refresh",
            ],
        );
    let own = tempfile::tempdir().unwrap();
    guarded.write_to(own.path());
    let (shipped, scripts) = (corpus::own("automate"), corpus::own("scripts"));
    let refused = json!("Client.UnauthorizedOperation");
    for (folders, error, expected) in [
        (vec![&*shipped], json!(null), vm.clone()),
        (vec![&*shipped], refused.clone(), vm.clone()),
        (vec![&*shipped, own.path()], json!(null), vm),
        (vec![&*shipped, own.path()], refused, json!([])),
    ] {
        let switchboard = Switchboard::load(&corpus::tree(&folders, &[&scripts]), None).switchboard;
        let request = SimulationRequest {
            event: call(error.clone()),
            workspace: false,
            deliveries: 1,
            records: None,
        };
        let document = run(&switchboard, &request);
        assert_eq!(
            document["targets"],
            expected,
            "{error} {}: {document:#}",
            folders.len()
        );
    }
}

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
