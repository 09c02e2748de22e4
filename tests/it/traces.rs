//! The trace of an event: shown as it was, however it is kept.

use std::borrow::Cow;

use switchboard::model::delivery::Action;
use switchboard::model::delivery::Delivery;
use switchboard::model::delivery::Location;
use switchboard::model::delivery::Outcome as StepOutcome;
use switchboard::model::delivery::Step;
use switchboard::model::delivery::StepKind;
use switchboard::model::delivery::Trace;
use switchboard::model::event::EventId;
use switchboard::model::value::Value;

use crate::support::Database;
use crate::support::event;

use crate::support::told_rules::*;

#[test]
fn a_trace_is_shown_as_it_was_whether_its_steps_were_known_or_not() {
    fn trace(event: &str) -> Trace {
        let step = |field: &str, written: &str, value: Option<Value>, why: Option<Cow<'static, str>>| Step {
            kind: StepKind::Relationship,
            path: "/ManageIQ/System/Event/EmsEvent/X".into(),
            depth: 2,
            file: Some("automate/x.yaml".into()),
            line: Some(3),
            field: Some(field.into()),
            written: Some(written.into()),
            value,
            outcome: StepOutcome::Followed,
            why,
        };
        let steps = vec![
            step("rel1", "/a", Some(Value::text("/a")), None),
            step(
                "rel2",
                "/${/#event_type}",
                Some(Value::text(format!("/{event}"))),
                None,
            ),
            step("rel3", "", None, Some("always so".into())),
            step("rel4", "", None, Some(format!("saw {event}").into())),
            Step {
                file: None,
                line: None,
                field: None,
                written: None,
                ..step("", "", Some(Value::Int(1)), None)
            },
        ];
        let action = Action {
            object: "/System/event_handlers/refresh".into(),
            attributes: vec![("event".into(), Value::text(event)), ("none".into(), Value::Null)],
            method: "refresh".into(),
            location: Location::Builtin,
            inputs: Vec::new(),
            result: "ok",
        };
        Trace {
            uri: format!("/x?{event}").into(),
            steps,
            actions: vec![action.clone(), action],
        }
    }
    let (database, ems) = Database::with_ems("cloud");
    let handler = start(&database, |event, _| Delivery {
        trace: trace(&event.hash.event_key.as_ref().unwrap().0),
        ..Delivery::default()
    });
    for key in ["k1", "k2", "k3"] {
        put(&database, &ems, vec![event(key, "a")]);
        until_empty(&database.vmdb);
    }
    handler.stop();
    for (key, id) in ["k1", "k2", "k3"].into_iter().zip(1..) {
        let shown = database
            .vmdb
            .event_show(EventId(id))
            .unwrap()
            .unwrap()
            .deliveries
            .remove(0);
        let shown = serde_json::json!({"uri": shown.uri, "steps": shown.steps, "actions": shown.actions});
        assert_eq!(shown.to_string(), serde_json::to_string(&trace(key)).unwrap());
    }
}
