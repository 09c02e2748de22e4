//! What rules see of an event beside its hash: the objects that it is related to, its manager; and what builtins do to
//! the objects that inventory knows, in the transaction of the event.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;
use serde_json::json;
use switchboard::handler::Current;
use switchboard::handler::Handler;
use switchboard::handler::HandlerConfig;
use switchboard::handler::Rules;
use switchboard::model::event::EventHash;
use switchboard::model::event::EventId;
use switchboard::model::event_outcome::EventOutcome;
use switchboard::model::inventory::InventoryObject;
use switchboard::model::target::ManagerRef;
use switchboard::model::value::Value;
use switchboard::switchboard::Switchboard;
use switchboard::vmdb::ChangeCause;

use crate::conformance::Tree;
use crate::support::Database;
use crate::support::event;
use crate::support::project::Project;
use crate::support::told_rules::put;
use crate::support::told_rules::until;

/// Every event runs `rel`, `go` and the attribute `v` of one instance, which stands beside the shipped tree.
fn rules(instance: &[&str], script: &str) -> Tree {
    let fields = ["guard:as", "v:at", "rel:re", "rel2:re", "go:me"];
    Tree::default()
        .domain("Own", 10)
        .class("System/Event/EmsEvent/VC", &fields)
        .instance(".missing", instance)
        .method("go", &[], script)
        .class("System/Event/EmsEvent/OTHER", &fields)
        .instance(".missing", instance)
        .method("go", &[], script)
}

/// A database with a VM, a host and a node, and the rules of a test.
struct Lab {
    database: Database,
    project: Project,
    switchboard: Arc<Switchboard>,
}

impl Lab {
    fn new(rules: &Tree) -> Self {
        let (database, ems) = Database::with_ems("cloud");
        let object = |association: &str, reference: &str, attributes: Json| InventoryObject {
            id: 0,
            ems_id: ems.id,
            association: association.into(),
            manager_ref: ManagerRef::ems_ref(reference),
            attributes: serde_json::from_value(attributes).unwrap(),
        };
        let raw = json!({"name": "db", "raw_power_state": "poweredOn", "power_state": "on"});
        let objects = vec![
            object("vms", "vm-1", json!({"name": "web <1>", "power_state": "on"})),
            object("vms", "vm-2", raw),
            object("hosts", "host-1", json!({"name": "rack", "power_state": "on"})),
            object("container_nodes", "node-1", json!({"name": "node"})),
        ];
        database.vmdb.inventory_save(None, objects).wait().unwrap();
        let project = Project::copied();
        rules.write_to(&project.path("automate"));
        let tree = crate::corpus::tree(&[&project.path("automate")], &[&project.path("scripts")]);
        let switchboard = Arc::new(Switchboard::load(&tree, None).switchboard);
        Self {
            database,
            project,
            switchboard,
        }
    }

    /// Loads the rules again.
    fn load(&mut self) {
        let tree = crate::corpus::tree(
            &[&self.project.path("automate")],
            &[&self.project.path("scripts")],
        );
        self.switchboard = Arc::new(Switchboard::load(&tree, None).switchboard);
    }

    /// Has one event decided, and tells its delivery: attributes of the root by what scripts put there are effects.
    fn decide(&self, source: &str, keys: &[(&str, &str)]) -> Json {
        let mut hash: EventHash = event("k", "-");
        hash.source = source.into();
        hash.event_type = "VmPoweredOffEvent".into();
        hash.attributes = keys
            .iter()
            .map(|(key, value)| (Arc::from(*key), Value::text(*value)))
            .collect::<BTreeMap<_, _>>();
        let ems = self.database.vmdb.ems_by_name("cloud").unwrap().unwrap();
        let rules: Arc<dyn Rules> = self.switchboard.clone();
        let rules: Current<dyn Rules> = Arc::new(move || rules.clone());
        let config: Current<HandlerConfig> = Arc::new(|| Arc::new(HandlerConfig::default()));
        let handler = Handler::start(&self.database.vmdb, &rules, &config).unwrap();
        put(&self.database, &ems, vec![hash]);
        let vmdb = &self.database.vmdb;
        until(vmdb, || vmdb.event_count().unwrap() == 1);
        handler.stop();
        let shown = self.database.vmdb.event_show(EventId(1)).unwrap().unwrap();
        let mut delivery = serde_json::to_value(&shown.deliveries[0]).unwrap();
        delivery["outcome"] = json!(shown.stored.outcome.as_str());
        delivery
    }

    /// The attributes of an object by its number.
    fn object(&self, id: i64) -> Json {
        let found = self.database.vmdb.with_inventory(|inventory| inventory.by_id(id));
        json!(found.unwrap().unwrap().attributes)
    }
}

/// The text that the script logged, or what went wrong.
fn logged(delivery: &Json) -> String {
    match delivery["effects"][0]["action"]["log"].as_str() {
        Some(text) => text.to_owned(),
        None => delivery["errors"].to_string(),
    }
}

const LINKED: [(&str, &str); 3] = [
    ("vm_ems_ref", "vm-1"),
    ("host_ems_ref", "host-1"),
    ("container_node_ems_ref", "node-1"),
];

#[test]
fn scripts_reach_the_objects_that_an_event_is_related_to() {
    let rows = [
        ("evm.event.vm.name", "web <1>"),
        ("evm.event.vm_or_template.name", "web <1>"),
        ("evm.event.src_vm.id", "1"),
        ("evm.event.src_vm.object_class", "Vm"),
        ("evm.event.src_vm.power_state", "on"),
        ("evm.event.vm.normalized_name", "web__1_"),
        ("evm.event.host.name", "rack"),
        ("evm.event.src_host.name", "rack"),
        ("evm.event.container_node.name", "node"),
        ("evm.event.ems.name", "cloud"),
        ("evm.event.ext_management_system.id", "1"),
        ("evm.event.ems.object_class", "ExtManagementSystem"),
        ("evm.event.ems.credentials == ()", "true"),
        ("evm.event.dest_vm == ()", "true"),
        ("evm.event.no_such_thing == ()", "true"),
        ("evm.vmdb(\"ems\", 1).name", "cloud"),
        ("evm.vmdb(\"ext_management_system\").len", "1"),
    ];
    let asked: Vec<String> = rows.iter().map(|(asked, _)| (*asked).to_owned()).collect();
    let script = format!(
        "evm.deliver(#{{ log: [{}].map(|x| `${{x}}`).reduce(|all, x| all + \"|\" + x, \"\") }});",
        asked.join(", ")
    );
    let lab = Lab::new(&rules(&["go=go"], &script));
    let delivery = lab.decide("OTHER", &LINKED);
    let told = logged(&delivery);
    let told: Vec<&str> = told.trim_start_matches('|').split('|').collect();
    let expected: Vec<&str> = rows.iter().map(|(_, expected)| *expected).collect();
    assert_eq!(told, expected);
}

#[test]
fn conditions_and_substitutions_reach_them_too() {
    let instance = [
        "guard=event.vm.name == 'web <1>' && '${/#event_stream.host.name}' == 'rack'",
        "v=${/#event_stream.vm.name} ${/#event_stream.ems.name} ${/#event_stream.vm.normalized_name} [${/#event_stream.dest_vm.name}]",
        "go=go",
    ];
    let lab = Lab::new(&rules(&instance, "evm.deliver(#{ log: evm.object.v });"));
    let delivery = lab.decide("OTHER", &LINKED);
    assert_eq!(logged(&delivery), "web <1> cloud web__1_ []");
}

#[test]
fn target_parsers_reach_them_too() {
    let mut lab = Lab::new(&rules(&["rel=/System/event_handlers/refresh"], ""));
    lab.project.write(
        "scripts/awesome_cloud/event_target_parser.rhai",
        "fn parse(ems_event) { let found = targets(); found.add(\"hosts\", ems_event.vm?.name); found.add(\"hosts\", ems_event.dest_vm?.name); found }",
    );
    lab.load();
    let delivery = lab.decide("OTHER", &LINKED);
    let expected = json!([{"association": "hosts", "manager_ref": {"ems_ref": "web <1>"}}]);
    assert_eq!(delivery["targets"], expected, "{delivery:#}");
}

#[test]
fn what_the_parser_gave_under_the_name_of_an_association_stays() {
    let lab = Lab::new(&rules(&["go=go"], "evm.deliver(#{ log: evm.event.host });"));
    let delivery = lab.decide("OTHER", &[("host_ems_ref", "host-1"), ("host", "by the parser")]);
    assert_eq!(logged(&delivery), "by the parser");
}

#[test]
fn the_root_of_a_vc_event_has_its_manager() {
    let script = "evm.deliver(#{ log: `${evm.root.ems?.name} ${evm.root.ems_id} ${evm.root.vm?.name} ${evm.root.vm_id}` });";
    for (source, expected) in [("VC", "cloud 1 web <1> 1"), ("OTHER", "  web <1> 1")] {
        let lab = Lab::new(&rules(&["go=go"], script));
        assert_eq!(logged(&lab.decide(source, &LINKED)), expected, "{source}");
    }
}

#[test]
fn the_uri_of_a_run_gives_the_same_run_again() {
    let script =
        "evm.deliver(#{ log: `${evm.root.ems?.name} ${evm.event?.vm?.name} ${evm.root.host?.name}` });";
    let instance = [
        "rel=/System/event_handlers/event_action_refresh?target=src_vm",
        "go=go",
    ];
    let lab = Lab::new(&rules(&instance, script));
    let delivery = lab.decide("VC", &LINKED);
    let uri = delivery["uri"].as_str().unwrap();
    assert_eq!(
        uri,
        "/System/Process/Event?EventStream%3A%3Aevent_stream=1&ExtManagementSystem%3A%3Aems=1&Host%3A%3Ahost=3\
         &VmOrTemplate%3A%3Avm=1&ems_id=1&event_id=1&event_stream_id=1&event_type=VmPoweredOffEvent&host_id=3\
         &object_name=Event&vm_id=1&vmdb_object_type=event_stream"
    );
    let database = lab.database.url().to_string();
    let output = lab.project.output(
        &[
            "simulate",
            "--uri",
            uri,
            "--database",
            &database,
            "--format",
            "json",
        ],
        "",
    );
    let again: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(again["errors"], json!([]), "{again:#}");
    assert_eq!(again["effects"], delivery["effects"]);
    assert_eq!(again["targets"], delivery["targets"]);
    assert_eq!(again["targets"][0]["manager_ref"]["ems_ref"], "vm-1");
    let paths = |document: &Json| -> Vec<Json> {
        let steps = document["steps"].as_array().unwrap().iter();
        steps.map(|step| step["path"].clone()).collect()
    };
    assert_eq!(paths(&again), paths(&delivery));
}

#[test]
fn the_state_of_a_known_object_is_set_with_the_event() {
    let set = "/System/event_handlers/change_event_target_state";
    let template = "/System/event_handlers/src_vm_as_template";
    let rows = [
        (
            "a VM",
            format!("{set}?target=src_vm&param=poweredOff"),
            vec![("vm_ems_ref", "vm-1")],
            1,
            json!({"name": "web <1>", "power_state": "off"}),
        ),
        (
            "a VM whose raw state is kept",
            format!("{set}?target=src_vm&param=suspended"),
            vec![("vm_ems_ref", "vm-2")],
            2,
            json!({"name": "db", "power_state": "suspended", "raw_power_state": "suspended"}),
        ),
        (
            "a host",
            format!("{set}?target=src_host&param=maintenance"),
            vec![("host_ems_ref", "host-1")],
            3,
            json!({"name": "rack", "power_state": "maintenance"}),
        ),
        (
            "a template",
            format!("{template}?flag=true"),
            vec![("vm_ems_ref", "vm-1")],
            1,
            json!({"name": "web <1>", "power_state": "on", "template": true}),
        ),
    ];
    for (what, path, keys, id, expected) in rows {
        let lab = Lab::new(&rules(&[&format!("rel={path}")], ""));
        let delivery = lab.decide("OTHER", &keys);
        assert_eq!(delivery["errors"], json!([]), "{what}");
        assert_eq!(lab.object(id), expected, "{what}");
        assert_eq!(delivery["targets"], json!([]), "{what}");
        assert_eq!(delivery["effects"][0]["effect"], "update_inventory", "{what}");
        assert_eq!(delivery["outcome"], EventOutcome::Acted.as_str(), "{what}");
        // Its history names the event.
        let story = lab.database.vmdb.inventory_explained(id, None, 10).unwrap();
        let cause = ChangeCause::Event {
            event: EventId(1),
            event_type: Some("VmPoweredOffEvent".to_owned()),
            requests: 1,
        };
        assert_eq!(story[0].cause, cause, "{what}");
        assert_eq!(story[0].change.event, Some(EventId(1)), "{what}");
        assert_eq!(story.len(), 2, "{what}");
    }
}

#[test]
fn what_is_as_the_event_says_leaves_no_trace_in_its_history() {
    let path = "rel=/System/event_handlers/change_event_target_state?target=src_vm&param=poweredOn";
    let lab = Lab::new(&rules(&[path], ""));
    lab.decide("OTHER", &[("vm_ems_ref", "vm-2")]);
    assert_eq!(lab.database.vmdb.inventory_history_count(2).unwrap(), 1);
}

#[test]
fn what_inventory_does_not_know_is_refreshed_in_place_of_what_was_to_be_done() {
    for (path, keys, expected) in [
        (
            "change_event_target_state?target=src_vm&param=poweredOff",
            vec![("vm_ems_ref", "vm-9")],
            json!([{"association": "vms", "manager_ref": {"ems_ref": "vm-9"}}]),
        ),
        (
            "event_action_scan?target=src_vm",
            vec![("vm_ems_ref", "vm-9")],
            json!([{"association": "vms", "manager_ref": {"ems_ref": "vm-9"}}]),
        ),
        (
            "event_action_scan?target=src_host",
            vec![("host_ems_ref", "host-9")],
            json!([{"association": "hosts", "manager_ref": {"ems_ref": "host-9"}}]),
        ),
        (
            "src_vm_as_template?flag=false",
            vec![("vm_ems_ref", "vm-9")],
            json!([{"association": "vms", "manager_ref": {"ems_ref": "vm-9"}}]),
        ),
        (
            "src_vm_destroy_all_snapshots",
            vec![("vm_ems_ref", "vm-9")],
            json!([{"association": "vms", "manager_ref": {"ems_ref": "vm-9"}}]),
        ),
    ] {
        let lab = Lab::new(&rules(&[&format!("rel=/System/event_handlers/{path}")], ""));
        let delivery = lab.decide("OTHER", &keys);
        assert_eq!(delivery["errors"], json!([]), "{path}");
        assert_eq!(delivery["targets"], expected, "{path}");
        assert!(
            delivery["steps"]
                .to_string()
                .contains("inventory does not know the event's `src_"),
            "{path}: {}",
            delivery["steps"]
        );
    }
    // One that is known is what a site's action is for.
    for path in ["event_action_scan?target=src_vm", "src_vm_destroy_all_snapshots"] {
        let lab = Lab::new(&rules(&[&format!("rel=/System/event_handlers/{path}")], ""));
        let delivery = lab.decide("OTHER", &[("vm_ems_ref", "vm-1")]);
        assert_eq!(delivery["effects"][0]["effect"], "builtin", "{path}");
        assert_eq!(delivery["targets"], json!([]), "{path}");
    }
}

#[test]
fn a_run_that_ends_in_an_error_changes_no_object() {
    let rel = "rel=/System/event_handlers/change_event_target_state?target=src_vm&param=poweredOff";
    let lab = Lab::new(&rules(&[rel, "go=go"], "exit(MIQ_ABORT);"));
    let delivery = lab.decide("OTHER", &[("vm_ems_ref", "vm-1")]);
    assert_eq!(delivery["state"], "failed");
    assert_eq!(lab.object(1)["power_state"], "on");
}

#[test]
fn a_result_that_asks_for_policy_is_recorded_or_handed_to_the_action_of_its_name() {
    let result = "evm.root.ae_result = \"miqpeca:///event?logical_event=vm_retire_warn&x=a%20b\";";
    let lab = Lab::new(&rules(&["go=go"], result));
    let delivery = lab.decide("OTHER", &LINKED);
    let asked = json!({"effect": "builtin", "name": "event_enforce_policy", "inputs": {"logical_event": "vm_retire_warn", "x": "a b"}});
    assert_eq!(delivery["effects"], json!([asked]));
    let last = delivery["actions"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["method"], &last["result"]),
        (&json!("event_enforce_policy"), &json!("ok"))
    );
    // Without a name it is the event's own type.
    let lab = Lab::new(&rules(&["go=go"], "evm.root.ae_result = \"MIQPECA:///event\";"));
    let delivery = lab.decide("OTHER", &LINKED);
    assert_eq!(
        delivery["effects"][0]["inputs"],
        json!({"logical_event": "VmPoweredOffEvent"})
    );
    // Other results ask for nothing.
    let lab = Lab::new(&rules(&["go=go"], "evm.root.ae_result = \"http://x/y?z=1\";"));
    assert_eq!(lab.decide("OTHER", &LINKED)["effects"], json!([]));
    let mut lab = Lab::new(&rules(&["go=go"], result));
    lab.project.write(
        "scripts/actions/event_enforce_policy.rhai",
        "evm.deliver(#{ log: `policy ${evm.inputs.logical_event}` });",
    );
    lab.load();
    assert_eq!(logged(&lab.decide("OTHER", &LINKED)), "policy vm_retire_warn");
}
