//! The shipped tree: whole events through `/System/Process/Event` (statements C146 to C159, section 8), in the
//! corpus where it is at hand, and in the project's own tree as far as that goes.

use crate::conformance::Tree;
use crate::conformance::check;
use crate::conformance::ended;
use crate::conformance::request;
use crate::conformance::run;
use crate::corpus;
use serde_json::Value as Json;
use serde_json::json;
use switchboard::model::event::EventClass;
use switchboard::switchboard::SimulatedEvent;
use switchboard::switchboard::SimulationRequest;
use switchboard::switchboard::Switchboard;

fn event(class: EventClass, source: &str, event_type: &str, attributes: &Json) -> SimulationRequest {
    let event = SimulatedEvent::Event {
        class,
        source: source.to_owned(),
        event_type: event_type.to_owned(),
        attributes: switchboard::model::json::Value::from(attributes.clone())
            .as_object()
            .cloned()
            .unwrap_or_default(),
    };
    SimulationRequest {
        event,
        workspace: true,
        deliveries: 1,
        records: None,
    }
}

/// Every object below the event's, then every error.
fn course(document: &Json) -> String {
    fn names(object: &Json, all: &mut Vec<String>) {
        for child in object["children"].as_array().unwrap() {
            let name = child["object"].as_str().unwrap();
            all.push(
                name.trim_start_matches("/ManageIQ/System/")
                    .trim_start_matches("Event/")
                    .to_owned(),
            );
            names(child, all);
        }
    }
    let mut all = Vec::new();
    names(&document["workspace"][0], &mut all);
    let errors = document["errors"].as_array().unwrap().iter();
    all.extend(errors.map(|error| format!("! {} {}", error["kind"].as_str().unwrap(), error["fatal"])));
    all.join(" ")
}

fn shipped() -> Option<Switchboard> {
    let folder = corpus::part("automate")?;
    Some(Switchboard::load(&corpus::tree(&[&folder], &[]), None).switchboard)
}

#[test]
fn events_find_their_handlers() {
    let Some(switchboard) = shipped() else { return };
    let rows = [
        (
            "C146",
            EventClass::EmsEvent,
            "VC",
            "VmPoweredOffEvent",
            json!({"vm_ems_ref": "vm-7"}),
            "EmsEvent/VC/VmPoweredOffEvent event_handlers/change_event_target_state event_handlers/event_action_policy",
        ),
        (
            "C147",
            EventClass::EmsEvent,
            "AMAZON",
            "aws_api_call_CREATETAGS",
            json!({}),
            "EmsEvent/AMAZON/aws_api_call_CREATETAGS event_handlers/refresh",
        ),
        (
            "C148",
            EventClass::EmsEvent,
            "VC",
            "Nothing",
            json!({}),
            "EmsEvent/VC/Nothing",
        ),
        (
            "C149",
            EventClass::EmsEvent,
            "PROXMOX",
            "Nothing",
            json!({}),
            "! ClassNotFound false",
        ),
        (
            "C149",
            EventClass::EmsEvent,
            "NOPE",
            "Nothing",
            json!({}),
            "! ClassNotFound false",
        ),
        (
            "C151",
            EventClass::EmsEvent,
            "AMAZON",
            "AWS_ALARM_high cpu",
            json!({}),
            "EmsEvent/AMAZON/AWS_ALARM_high cpu",
        ),
        (
            "C152",
            EventClass::MiqEvent,
            "POLICY",
            "vm_start",
            json!({}),
            "MiqEvent/POLICY/vm_start event_handlers/event_enforce_policy",
        ),
        (
            "C153",
            EventClass::MiqEvent,
            "POLICY",
            "request_service_retire",
            json!({"full_data": {"policy": {"prevented": true}}}),
            "MiqEvent/POLICY/request_service_retire event_handlers/event_enforce_policy event_handlers/check_policy_prevent ! AbortInstantiation true",
        ),
        (
            "G52",
            EventClass::MiqEvent,
            "POLICY",
            "request_service_retire",
            json!({"full_data": {"other": 1}}),
            "MiqEvent/POLICY/request_service_retire event_handlers/event_enforce_policy event_handlers/check_policy_prevent ! AbortInstantiation true",
        ),
        (
            "8.5",
            EventClass::CustomEvent,
            "Alert",
            "x",
            json!({}),
            "! ClassNotFound false",
        ),
        (
            "8.5",
            EventClass::CustomButtonEvent,
            "UI",
            "button.trigger.start",
            json!({}),
            "CustomButtonEvent/UI/button.trigger.start",
        ),
    ];
    for (number, class, source, event_type, attributes, expected) in rows {
        let document = run(&switchboard, &event(class, source, event_type, &attributes));
        assert_eq!(
            course(&document),
            expected,
            "{number} {source} {event_type}: {:#}",
            document["errors"]
        );
        assert_eq!(
            document["root"]["object"], "/ManageIQ/System/Process/Event",
            "{number}"
        );
        assert!(
            document["uri"]
                .as_str()
                .unwrap()
                .starts_with("/System/Process/Event?event_type="),
            "{number}"
        );
    }
}

/// What a run asks for: effects as JSON, without what the policy is given.
fn asked(switchboard: &Switchboard, source: &str, event_type: &str, attributes: &Json) -> Vec<Json> {
    let records = json!({
        "Vm": {"7": {"name": "web", "power_state": "on"}, "8": {"name": "db", "raw_power_state": "poweredOn"}},
        "Host": {"3": {"name": "rack", "power_state": "on"}},
    });
    let request = SimulationRequest {
        records: Some(records.into()),
        ..event(EventClass::EmsEvent, source, event_type, attributes)
    };
    let document = run(switchboard, &request);
    assert_eq!(document["errors"], json!([]), "{event_type}");
    let effects = document["effects"].as_array().unwrap().iter();
    effects
        .filter(|effect| effect["name"] != "event_action_policy")
        .cloned()
        .collect()
}

#[test]
fn the_state_of_what_is_known_is_set_and_what_is_not_is_refreshed() {
    let Some(switchboard) = shipped() else { return };
    let set = |class: &str, id: i64, attributes: Json| json!([{"effect": "update_inventory", "class": class, "id": id, "attributes": attributes}]);
    let refresh = |association: &str, reference: &str| json!([{"effect": "queue_refresh", "targets": [{"association": association, "manager_ref": {"ems_ref": reference}}]}]);
    let vm = json!({"vm_ems_ref": "vm-7", "vm_or_template_id": 7});
    let host = json!({"host_ems_ref": "host-3", "host_id": "3"});
    let unknown = json!({"vm_ems_ref": "vm-9", "host_ems_ref": "host-9"});
    // Without a record of it, a number says nothing.
    let gone = json!({"vm_ems_ref": "vm-9", "vm_or_template_id": 9});
    for (source, event_type, attributes, expected) in [
        (
            "VC",
            "VmPoweredOffEvent",
            &vm,
            set("Vm", 7, json!({"power_state": "off"})),
        ),
        (
            "VC",
            "VmPoweredOnEvent",
            &vm,
            set("Vm", 7, json!({"power_state": "on"})),
        ),
        (
            "VC",
            "VmPoweredOffEvent",
            &json!({"vm_or_template_id": 8}),
            set(
                "Vm",
                8,
                json!({"power_state": "off", "raw_power_state": "poweredOff"}),
            ),
        ),
        ("VC", "VmPoweredOffEvent", &unknown, refresh("vms", "vm-9")),
        ("VC", "VmPoweredOffEvent", &gone, refresh("vms", "vm-9")),
        (
            "VC",
            "HostConnectionLostEvent",
            &host,
            set("Host", 3, json!({"power_state": "off"})),
        ),
        (
            "VC",
            "HostConnectionLostEvent",
            &unknown,
            refresh("hosts", "host-9"),
        ),
    ] {
        let found = asked(&switchboard, source, event_type, attributes);
        assert_eq!(json!(found), expected, "{source} {event_type} {attributes}");
    }
    // One that sets and refreshes alike.
    let both = asked(&switchboard, "EVM", "MarkAsTemplate_Complete", &vm);
    assert_eq!(both[0], set("Vm", 7, json!({"template": true}))[0]);
    assert_eq!(both[1], refresh("vms", "vm-7")[0]);
}

#[test]
fn what_a_prevented_action_cuts_off_is_not_reached() {
    let Some(switchboard) = shipped() else { return };
    let full_data = json!({"full_data": {"policy": {"prevented": true}}});
    let document = run(
        &switchboard,
        &event(
            EventClass::MiqEvent,
            "POLICY",
            "request_service_retire",
            &full_data,
        ),
    );
    let last: Vec<String> = document["steps"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .take(2)
        .map(|step| {
            format!(
                "{} {}",
                step["field"].as_str().unwrap(),
                step["outcome"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(last, ["rel4 not_reached", "rel3 not_reached"], "C153");
    assert_eq!(document["targets"], json!([]));
}

#[test]
fn handlers_without_an_event() {
    let Some(switchboard) = shipped() else { return };
    check(
        &[
            (
                "C156",
                "/System/event_handlers/refresh",
                "abort AbortInstantiation",
            ),
            (
                "C156",
                "/System/event_handlers/refresh_sync",
                "abort AbortInstantiation",
            ),
            (
                "C156",
                "/System/event_handlers/event_action_refresh?target=ems",
                "abort AbortInstantiation",
            ),
            (
                "C156",
                "/System/event_handlers/event_action_refresh",
                "abort MethodParmMissing",
            ),
            (
                "C156",
                "/System/event_handlers/event_action_policy?target=src_vm&policy_event=x&param=",
                "abort AbortInstantiation",
            ),
            (
                "G44",
                "/System/event_handlers/event_action_policy?target=src_vm&policy_event=x",
                "abort MethodParmMissing",
            ),
            (
                "C156",
                "/System/event_handlers/event_action_scan?target=src_vm",
                "abort AbortInstantiation",
            ),
            (
                "C156",
                "/System/event_handlers/src_vm_as_template?flag=true",
                "abort AbortInstantiation",
            ),
            (
                "C156",
                "/System/event_handlers/event_enforce_policy",
                "abort AbortInstantiation",
            ),
            (
                "C156",
                "/System/event_handlers/check_policy_prevent",
                "abort AbortInstantiation",
            ),
            ("C156", "/System/event_handlers/src_vm_disconnect_storage", ""),
            (
                "C157",
                "/System/Process/parse_event_stream",
                "abort AbortInstantiation",
            ),
            (
                "C158",
                "/System/Process/parse_provider_category?platform_category=infra",
                "ae_provider_category='infrastructure' platform_category='infra'",
            ),
            (
                "C158",
                "/System/Process/parse_provider_category?platform_category=cloud",
                "ae_provider_category='cloud' platform_category='cloud'",
            ),
            (
                "C158",
                "/System/Process/parse_provider_category",
                "ae_provider_category='unknown'",
            ),
            (
                "C159",
                "/System/Process/parse_automation_request?request=vm_migrate",
                "request='vm_migrate' target_class='Lifecycle' target_component='VM' target_instance='Migrate'",
            ),
            (
                "C159",
                "/System/Process/parse_automation_request?request=other",
                "request='other'",
            ),
        ],
        |uri| ended(&run(&switchboard, &request(uri))),
    );
}

/// C154: the state machine of the tree, its two methods in Rhai from a domain above it.
#[test]
fn a_refresh_is_waited_for_over_deliveries() {
    let Some(folder) = corpus::part("automate") else {
        return;
    };
    let overlay = Tree::default()
        .domain("Own", 10)
        .class("System/Event/StateMachines/Refresh", &["unused:at"])
        .method(
            "target_refresh",
            &[],
            "evm.refresh([#{association: \"vms\", manager_ref: #{ems_ref: \"vm-7\"}}]);",
        )
        .method(
            "check_refreshed",
            &[],
            "
            if evm.state_var(\"asked\") == () {
                evm.set_state_var(\"asked\", true);
                evm.root.ae_result = \"retry\";
                evm.root.ae_retry_interval = \"60.seconds\";
            }
        ",
        );
    let own = tempfile::tempdir().unwrap();
    overlay.write_to(own.path());
    let switchboard = Switchboard::load(&corpus::tree(&[&folder, own.path()], &[]), None).switchboard;
    let request = event(
        EventClass::EmsEvent,
        "EVM",
        "ReconfigVM_Task_Complete",
        &json!({"vm_ems_ref": "vm-7"}),
    );
    let document = run(
        &switchboard,
        &SimulationRequest {
            deliveries: 5,
            ..request
        },
    );
    let courses: Vec<String> = document["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|delivery| {
            let names: Vec<&str> = delivery["actions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|action| action["method"].as_str().unwrap())
                .collect();
            format!(
                "{} {} {}",
                names.join(" "),
                delivery["retry"]["after"],
                delivery["targets"].as_array().unwrap().len()
            )
        })
        .collect();
    assert_eq!(
        courses,
        [
            "target_refresh check_refreshed 60 1",
            "check_refreshed event_action_policy null 0"
        ]
    );
    assert_eq!(
        document["actions"][1]["inputs"],
        json!({"target": "src_vm", "policy_event": "vm_reconfigure", "param": ""})
    );
    assert_eq!(document["root"]["attributes"]["ae_result"], "ok");
}

#[test]
fn the_project_s_own_tree_dispatches_alike() {
    let tree = corpus::tree(&[&corpus::own("automate")], &[&corpus::own("scripts")]);
    let loaded = Switchboard::load(&tree, None);
    assert!(loaded.diagnostics.is_empty(), "{:#?}", loaded.diagnostics);
    let switchboard = loaded.switchboard;
    let ran = |class, source: &str, event_type: &str| {
        course(&run(&switchboard, &event(class, source, event_type, &json!({}))))
    };
    let enforced = "MiqEvent/POLICY/vm_start event_handlers/event_enforce_policy";
    assert_eq!(ran(EventClass::MiqEvent, "POLICY", "vm_start"), enforced, "C152");
    assert_eq!(
        ran(EventClass::EmsEvent, "NOPE", "Nothing"),
        "! ClassNotFound false",
        "C149"
    );
    check(
        &[
            (
                "C157",
                "/System/Process/parse_event_stream",
                "abort AbortInstantiation",
            ),
            (
                "C158",
                "/System/Process/parse_provider_category?platform_category=infra",
                "ae_provider_category='infrastructure' platform_category='infra'",
            ),
            (
                "C159",
                "/System/Process/parse_automation_request?request=vm_migrate",
                "request='vm_migrate' target_class='Lifecycle' target_component='VM' target_instance='Migrate'",
            ),
            (
                "C156",
                "/System/event_handlers/refresh",
                "abort AbortInstantiation",
            ),
            ("C156", "/System/event_handlers/src_vm_disconnect_storage", ""),
        ],
        |uri| ended(&run(&switchboard, &request(uri))),
    );
}

/// Whatever an event type holds, it is one instance of the class of its source (contract; C151).
#[test]
fn event_types_hold_any_characters() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("System/Process", &["rel5:re=/System/Event/${/#event_stream.event_namespace}/${/#event_stream.source}/${/#event_type}"])
        .instance("Event", &[])
        .class("System/Event/EmsEvent/Src", &["got:at=${#_missing_instance}"])
        .instance(".missing", &[])
        .class("System/Event/EmsEvent/Other", &["bad:at=1"])
        .instance("x", &[])
        .instance(".missing", &[])
        .class("System/Event/EmsEvent/Src/Deeper", &["bad:at=1"])
        .instance("x", &[]);
    let (switchboard, _) = tree.load();
    for event_type in [
        "a b",
        "a/b",
        "../Other/x",
        "..",
        ".",
        "#",
        "?",
        "a?b=c#d",
        "*",
        "x*",
        "${/#event_type}",
        "${",
        "'",
        "\"",
        "a\nb",
        "\t",
        "ünï",
        "日本",
        "%41",
        "%",
        "a//b",
        " lead",
        "miqaedb:/x",
        "\u{e000}",
        "[x]",
        "Deeper/x",
        "\u{0}",
    ] {
        if event_type.trim().is_empty() {
            continue;
        }
        let document = run(
            &switchboard,
            &event(EventClass::EmsEvent, "SRC", event_type, &json!({})),
        );
        assert_eq!(document["errors"], json!([]), "{event_type:?}");
        let child = &document["workspace"][0]["children"][0];
        assert_eq!(
            child["object"],
            format!("/Base/System/Event/EmsEvent/SRC/{event_type}")
        );
        assert_eq!(child["instance"], ".missing", "{event_type:?}");
        assert_eq!(child["attributes"]["got"], *event_type, "{event_type:?}");
    }
    for source in ["Src/Deeper", "../EmsEvent/Other", "Other?", "Src#x", "a b", "*"] {
        let document = run(
            &switchboard,
            &event(EventClass::EmsEvent, source, "x", &json!({})),
        );
        assert_eq!(course(&document), "! ClassNotFound false", "{source:?}");
    }
}
