//! The engine's own test trees, and the shipped tree event by event, where the corpus is at hand.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use crate::conformance::Tree;
use crate::conformance::check;
use crate::conformance::ended;
use crate::conformance::request;
use crate::conformance::run;
use crate::corpus;
use serde_json::Value as Json;
use switchboard::model::event::EventClass;
use switchboard::switchboard::SimulatedEvent;
use switchboard::switchboard::SimulationRequest;
use switchboard::switchboard::Switchboard;

fn load(tree: &str) -> Option<Switchboard> {
    let folder = corpus::part("engine")?.join(tree);
    Some(Switchboard::load(&corpus::tree(&[&folder], &[]), None).switchboard)
}

#[test]
fn the_trees_load_with_no_errors_but_their_own() {
    let Some(folder) = corpus::part("engine") else {
        return;
    };
    let mut found = Vec::new();
    for tree in std::fs::read_dir(&folder).unwrap() {
        let loaded = Switchboard::load(&corpus::tree(&[&tree.unwrap().path()], &[]), None);
        let errors = loaded
            .diagnostics
            .into_iter()
            .filter(|finding| finding.severity == switchboard::source::Severity::Error);
        found.extend(errors.map(|finding| format!("{} {}", finding.code, finding.file)));
    }
    found.sort_unstable();
    let own = [
        // A method field that holds a Ruby script.
        "InvalidMethod relation/SPEC_DOMAIN/EVM/AUTOMATE.class/start.yaml",
    ];
    assert_eq!(found, own);
}

#[test]
fn substitution() {
    let Some(switchboard) = load("substitution") else {
        return;
    };
    let child = |uri: &str| {
        let document = run(&switchboard, &request(uri));
        if document["errors"] != serde_json::json!([]) {
            return ended(&document);
        }
        document["workspace"][0]["children"][0]["attributes"]["attr1"].to_string()
    };
    check(
        &[
            ("a1", "/EVM/A/a1", "\"defaultA\""),
            ("a2", "/EVM/A/a2", "\"a2\""),
            ("a4", "/EVM/A/a4", "\"a4\""),
            ("a5", "/EVM/A/a5", "\"a5\""),
            ("a6", "/EVM/A/a6", "abort ObjectNotFound"),
            ("a7", "/EVM/A/a7", "abort ObjectNotFound"),
            ("a8", "/EVM/A/a8", "\"${}\""),
            ("a9", "/EVM/A/a9", "\"foo\""),
            ("a10", "/EVM/A/a10", "\"Bamm Bamm Rubble\""),
        ],
        child,
    );
    let own = run(&switchboard, &request("/EVM/B/b3"));
    assert_eq!(ended(&own), "attr1='b3' attr2='b3'");
    let passed_on = run(&switchboard, &request("/EVM/A/a10"));
    assert_eq!(
        passed_on["workspace"][0]["children"][0]["attributes"]["attr3"],
        "Pearl/Slaghoople"
    );
}

#[test]
fn collects() {
    let Some(switchboard) = load("collect_data") else {
        return;
    };
    let months = run(&switchboard, &request("/TEST/COLLECT/INFO#get_months"));
    let own = &months["root"]["attributes"];
    assert_eq!(
        own["sort"],
        serde_json::json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    );
    assert_eq!(
        own["rsort"],
        serde_json::json!([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    );
    assert_eq!(
        (&own["count"], &own["max"], &own["min"]),
        (&12.into(), &12.into(), &1.into())
    );
    assert_eq!((&own["mean"], &own["variance"]), (&6.5.into(), &13.0.into()));
    assert!((own["stddev"].as_f64().unwrap() - 13_f64.sqrt()).abs() < 1e-9);
    assert_eq!(own["months"]["February"], 2);
    let weekdays = run(&switchboard, &request("/TEST/COLLECT/INFO#get_weekdays"));
    assert_eq!(weekdays["root"]["attributes"]["sum"], 28);
    check(
        &[
            (
                "instance",
                "/TEST/COLLECT/INFO?environment=dev#get_random_number",
                "environment='dev' number=3",
            ),
            (
                "missing",
                "/TEST/COLLECT/INFO?environment=xx#get_random_number",
                "environment='xx' number=1",
            ),
            ("class", "/TEST/COLLECT/INFO#get_random_number", "number=0"),
        ],
        |uri| ended(&run(&switchboard, &request(uri))),
    );
}

#[test]
fn relations() {
    let Some(switchboard) = load("relation") else {
        return;
    };
    check(
        &[
            ("attribute", "/EVM/AUTOMATE/test1", "test1"),
            ("datastore", "/EVM/AUTOMATE/test3", "test3 test2"),
            ("by value", "/EVM/AUTOMATE/test4", "test4 test1"),
            (
                "wildcard",
                "/EVM/AUTOMATE/test_wildcard",
                "test_wildcard test5a test5b",
            ),
            (
                "message",
                "/EVM/AUTOMATE/test_message1",
                "test_message1 test3 test2",
            ),
            (
                "message",
                "/EVM/AUTOMATE/test_message1#discover",
                "test_message1 test5a test5b",
            ),
            (
                "message",
                "/EVM/AUTOMATE/test_message1#DISCOVER_FLAVOR1",
                "test_message1",
            ),
        ],
        |uri| {
            let mut names = Vec::new();
            names_of(&run(&switchboard, &request(uri))["workspace"], &mut names);
            names.join(" ")
        },
    );
}

fn names_of(objects: &Json, names: &mut Vec<String>) {
    for object in objects.as_array().unwrap() {
        names.push(
            object["object"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned(),
        );
        names_of(&object["children"], names);
    }
}

#[test]
fn inheritance() {
    let Some(switchboard) = load("relation") else {
        return;
    };
    check(
        &[
            ("of a class", "/EVM/MY_AUTOMATE/test1", "attr1='frank' foo='bar'"),
            (
                "of an instance",
                "/EVM/MY_AUTOMATE/test2",
                "attr1='miqaedb:/EVM/AUTOMATE/test1' foo='bar'",
            ),
        ],
        |uri| ended(&run(&switchboard, &request(uri))),
    );
}

#[test]
fn attributes() {
    let Some(switchboard) = load("miq_ae_engine_spec1") else {
        return;
    };
    check(
        &[
            ("default", "/EVM/AUTOMATE/test1", "attr1='frank'"),
            ("value", "/evm/automate/TEST2", "attr1='TEST2'"),
            ("datastore", "/EVM/AUTOMATE/test3", "attr1='Gregg TEST2 Oleg'"),
            ("datastore", "/EVM/AUTOMATE/test4", "attr1='frank'"),
            (
                "arguments",
                "/EVM/AUTOMATE/test1?name=fred&vendor=Intel%20Inside",
                "attr1='frank' name='fred' vendor='Intel Inside'",
            ),
            ("scheme", "http://www.example.com/x", "abort InvalidPathFormat"),
            ("no instance", "/EVM/AUTOMATE/nope", "none ! ClassNotFound"),
        ],
        |uri| ended(&run(&switchboard, &request(uri))),
    );
}

#[test]
fn assertions() {
    let Some(switchboard) = load("miq_ae_engine_spec3") else {
        return;
    };
    check(
        &[
            ("none", "/SYSTEM/EVM/AUTOMATE/test1", ""),
            ("false", "/SYSTEM/EVM/AUTOMATE/test2", "none"),
            ("true", "/SYSTEM/EVM/AUTOMATE/test3", ""),
            ("of a child", "/SYSTEM/EVM/AUTOMATE/test4", ""),
        ],
        |uri| ended(&run(&switchboard, &request(uri))),
    );
    let document = run(&switchboard, &request("/SYSTEM/EVM/AUTOMATE/test4"));
    assert_eq!(document["workspace"].as_array().unwrap().len(), 1);
    assert_eq!(document["workspace"][0]["children"][0]["deleted"], true);
}

#[test]
fn cycles_are_seen() {
    let Some(switchboard) = load("miq_ae_engine_spec2") else {
        return;
    };
    let document = run(&switchboard, &request("/CYCLICAL/AUTOMATE/test1"));
    assert_eq!(ended(&document), "abort CyclicalRelationship");
}

/// A tree with its Ruby methods replaced by ours from a domain above it.
fn with_methods(tree: &str, overlay: &Tree) -> Option<Switchboard> {
    let folder = corpus::part("engine")?.join(tree);
    let own = tempfile::tempdir().unwrap();
    overlay.write_to(own.path());
    Some(Switchboard::load(&corpus::tree(&[&folder, own.path()], &[]), None).switchboard)
}

#[test]
fn discovery() {
    let overlay = Tree::default()
        .domain("Own", 200)
        .class("EVM/METHOD", &["unused:at"])
        .method("info", &[], "evm.root.logged = evm.parent.name();")
        .class("EVM/VM", &["unused:at"])
        .method(
            "print_profiles",
            &[],
            "evm.root.profiles = evm.object.children(\"get_profiles\").profile_name;",
        );
    let Some(switchboard) = with_methods("discovery", &overlay) else {
        return;
    };
    let document = run(
        &switchboard,
        &request("/SYSTEM/PROCESS/EVENT?event_type=CreateVM_Task_Complete&vm_os_family=windows"),
    );
    let own = &document["root"]["attributes"];
    assert_eq!(own["logical_event"], "discovery");
    assert_eq!(own["logged"], "/SPEC_DOMAIN/EVM/VIA/VM");
    assert_eq!(
        own["profiles"],
        serde_json::json!(["Windows Accounts", "Windows Services", "Windows Software"])
    );
    let other = run(
        &switchboard,
        &request("/SYSTEM/PROCESS/EVENT?event_type=x&vm_os_family=windows"),
    );
    assert_eq!(other["root"]["attributes"]["logical_event"], "other");
    assert_eq!(
        other["errors"],
        serde_json::json!([]),
        "an assertion of `.missing` took the object out"
    );
    let mut names = Vec::new();
    names_of(&other["workspace"], &mut names);
    assert_eq!(names, ["EVENT", "x", "VM", "log_vm_event", "other"]);
}

#[test]
fn state_machines() {
    let overlay = Tree::default()
        .domain("Own", 200)
        .class("Integration/IPAM", &["unused:at"])
        .method("acquire_ip_address", &[], "")
        .method("acquire_mac_address", &[], "")
        .method("register_dns", &[], "")
        .method("register_dhcp", &[], "")
        .class("Factory/StateMachine", &["unused:at"])
        .method("update_provision_status", &["status:", "status_state:"], "")
        .class("Factory/VM", &["unused:at"])
        .method(
            "provision_check",
            &["result:=ok"],
            "
            if evm.state_var(\"checked\") == () {
                evm.set_state_var(\"checked\", 1);
                evm.root.ae_result = evm.root.check ?? evm.inputs.result;
            }
        ",
        );
    let Some(switchboard) = with_methods("state_machine", &overlay) else {
        return;
    };
    let end = |uri: &str| {
        let document = run(
            &switchboard,
            &SimulationRequest {
                deliveries: 5,
                ..request(uri)
            },
        );
        let own = &document["root"]["attributes"];
        let n_deliveries = document["deliveries"].as_array().unwrap().len();
        format!(
            "{}/{} after {n_deliveries}",
            own["ae_state"].as_str().unwrap(),
            own["ae_result"].as_str().unwrap()
        )
    };
    check(
        &[
            ("whole", "/Factory/StateMachine/Provisioning", "/ok after 1"),
            ("nested", "/Automation/VMLifecycle/Provisioning2", "/ok after 1"),
            (
                "error",
                "/Factory/StateMachine/Provisioning?check=error",
                "ProvisionCheck/error after 1",
            ),
            (
                "retry",
                "/Factory/StateMachine/Provisioning?check=retry",
                "/ok after 2",
            ),
            (
                "restart",
                "/Factory/StateMachine/Provisioning?check=restart",
                "/ok after 2",
            ),
        ],
        end,
    );
}

#[test]
fn every_event_of_the_shipped_tree_follows_its_own_relationships() {
    let Some(folder) = corpus::part("automate") else {
        return;
    };
    let loaded = Switchboard::load(&corpus::tree(&[&folder], &[]), None);
    let errors: Vec<_> = loaded
        .diagnostics
        .iter()
        .filter(|finding| finding.severity == switchboard::source::Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let classes = folder.join("ManageIQ/System/Event/EmsEvent");
    let mut n_events = 0;
    for class in std::fs::read_dir(&classes)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
    {
        let source = class.file_stem().unwrap().to_str().unwrap().to_owned();
        for file in std::fs::read_dir(&class)
            .unwrap()
            .map(|entry| entry.unwrap().path())
        {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if file.file_name().unwrap() == "__class__.yaml" || text.is_empty() {
                continue;
            }
            let instance = Instance::read(&text);
            if instance.name == ".missing" {
                assert_eq!(
                    followed(&loaded.switchboard, &source, "No_Such_Type").0,
                    instance.relationships,
                    "{source} .missing"
                );
                continue;
            }
            for event_type in [
                instance.name.clone(),
                instance.name.to_lowercase(),
                instance.name.to_uppercase(),
            ] {
                let (found, document) = followed(&loaded.switchboard, &source.to_uppercase(), &event_type);
                assert_eq!(
                    found, instance.relationships,
                    "{source} {event_type}: {:#}",
                    document["errors"]
                );
            }
            n_events += 1;
        }
    }
    assert!(n_events > 300, "only {n_events} events were found");
}

/// What a file of an instance says, as far as it matters here: read without the loader that is tested.
struct Instance {
    name: String,
    relationships: Vec<String>,
}

impl Instance {
    fn read(text: &str) -> Self {
        let unquoted = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
        let name = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("name:"))
            .map(unquoted)
            .unwrap();
        let mut relationships: Vec<(String, String)> = Vec::new();
        let mut field = String::new();
        for line in text.lines() {
            if let Some(key) = line.trim().strip_prefix("- ") {
                field = key.trim_end_matches(':').to_owned();
            } else if let Some(value) = line
                .trim()
                .strip_prefix("value:")
                .filter(|_| field.starts_with("rel"))
            {
                relationships.push((field.clone(), unquoted(value)));
            }
        }
        relationships.retain(|(_, value)| !value.is_empty());
        relationships.sort();
        Self {
            name,
            relationships: relationships
                .into_iter()
                .map(|(field, value)| format!("{field} {value}"))
                .collect(),
        }
    }
}

/// The relationships that the event's own object followed or would have come to, in order.
fn followed(switchboard: &Switchboard, source: &str, event_type: &str) -> (Vec<String>, Json) {
    let event = SimulatedEvent::Event {
        class: EventClass::EmsEvent,
        source: source.to_owned(),
        event_type: event_type.to_owned(),
        attributes: switchboard::model::json::Map::new(),
    };
    let document = run(
        switchboard,
        &SimulationRequest {
            event,
            workspace: false,
            deliveries: 1,
            records: None,
        },
    );
    let steps = document["steps"].as_array().unwrap().iter();
    let own = steps.filter(|step| step["kind"] == "relationship" && step["depth"] == 1);
    let found = own
        .map(|step| {
            format!(
                "{} {}",
                step["field"].as_str().unwrap(),
                step["written"].as_str().unwrap()
            )
        })
        .collect();
    (found, document)
}
