//! Any text as the value of an attribute, a relationship and a condition, and any value put into it: the run ends, with
//! errors or without, and what is put in is never read as syntax.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use switchboard::model::clock::Timestamp;
use switchboard::model::json::Value;
use switchboard::source::SourceTree;
use switchboard::switchboard::SimulatedEvent;
use switchboard::switchboard::SimulationRequest;
use switchboard::switchboard::Switchboard;

const CLASSES: &str = "\
//- automate/Lab/__domain__.yaml
object: {attributes: {name: Lab, priority: 1, enabled: true}}
//- automate/Lab/System/__namespace__.yaml
object: {attributes: {name: System}}
//- automate/Lab/System/Process.class/__class__.yaml
object:
  attributes: {name: Process}
  schema:
  - field: {aetype: attribute, name: text, priority: 1, message: create}
  - field: {aetype: relationship, name: rel1, priority: 2, message: create}
  - field: {aetype: assertion, name: guard, priority: 3, message: create}
//- automate/Lab/System/Process.class/Event.yaml
";

fuzz_target!(|input: (String, String)| {
    let (written, value) = input;
    // JSON is YAML, so that any text can stand as a value.
    let instance = json!({"object": {
        "attributes": {"name": "Event"},
        "fields": [{"text": {"value": written}}, {"rel1": {"value": written}}, {"guard": {"value": written}}],
    }});
    let fixture = format!("{CLASSES}{}", instance.to_string().replace("//- ", ""));
    let loaded = Switchboard::load(&SourceTree::from_fixture(&fixture), None);
    let attributes = json!({"vm_name": value, "full_data": {"value": value}});
    let request = SimulationRequest {
        event: SimulatedEvent::Event {
            class: switchboard::model::event::EventClass::EmsEvent,
            source: "LAB".to_owned(),
            event_type: if value.trim().is_empty() { "x".to_owned() } else { value },
            attributes: Value::from(attributes).as_object().cloned().unwrap_or_default(),
        },
        workspace: true,
        deliveries: 2,
        records: None,
    };
    let _simulation = loaded.switchboard.simulate(&request, Timestamp::UNIX_EPOCH);
});
