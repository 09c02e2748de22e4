//! Targets on their way from a rule or a target parser to the collector: every form of the reference's 12.4.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;
use switchboard::model::api_call::ApiAnswer;
use switchboard::model::api_call::ApiCall;
use switchboard::model::api_call::ManagerApi;
use switchboard::model::inventory::RefreshScope;
use switchboard::model::target::ManagerRef;
use switchboard::model::target::Target;
use switchboard::model::target::TargetCollection;
use switchboard::source::SourceTree;
use switchboard::switchboard::SimulatedEvent;
use switchboard::switchboard::SimulationRequest;
use switchboard::switchboard::Switchboard;
use switchboard::vmdb::EventFilter;
use switchboard::vmdb::NewEms;
use switchboard::vmdb::RefreshFilter;
use switchboard::vmdb::RefreshRequest;

use crate::awesome_cloud::Kind;
use crate::conformance::Tree;
use crate::support::Database;
use crate::support::managed::Managed;
use crate::support::project::Project;
use crate::support::take_refresh;

fn target(association: &str, keys: &[(&str, &str)], options: Option<Value>) -> Target {
    let keys = keys
        .iter()
        .map(|(key, value)| (Arc::from(*key), Arc::from(*value)));
    let mut target = Target::new(association, ManagerRef(keys.collect()));
    target.options = options.map(Into::into);
    target
}

/// One of each form.
fn forms() -> Vec<Target> {
    vec![
        target("vms", &[("ems_ref", "vm-1")], None),
        target("key_pairs", &[("name", "door")], None),
        target("stacks", &[("name", "a"), ("region", "x")], None),
        target("stacks", &[("name", "b"), ("region", "y")], None),
        // Another key of the same association, which neither replaces.
        target("stacks", &[("ems_ref", "s-1")], None),
        target("networks", &[], None),
        target(
            "volumes",
            &[("ems_ref", "v-1")],
            Some(json!({"tenant": "t", "payload": {"size": 7, "tags": ["a", null]}})),
        ),
    ]
}

/// Answers nothing: a collector that needs it fails.
struct NoApi;

impl ManagerApi for NoApi {
    fn call(&self, _calls: &[ApiCall]) -> Result<Vec<ApiAnswer>, String> {
        Err("nobody was to be asked".to_owned())
    }

    fn progress(&self, _text: &str) {}
}

#[test]
fn c100_c101_c102_every_form_of_a_target_comes_to_the_collector_as_it_was_asked_for() {
    let (database, ems) = Database::with_ems("cloud");
    let forms = forms();
    // Dumped and read back, by itself ...
    let dumped = serde_json::to_string(&forms).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Target>>(&dumped).unwrap(), forms);
    // ... and through the queue, twice over.
    let request = RefreshRequest {
        ems_id: ems.id,
        targets: forms.iter().chain(&forms).cloned().collect(),
        full: None,
    };
    database.vmdb.queue_refresh(&request).wait().unwrap();
    let taken = take_refresh(&database.vmdb).unwrap();
    let sorted = |targets: &[Target]| -> Vec<Target> {
        let collection: TargetCollection = targets.iter().cloned().collect();
        collection.sorted().into_iter().cloned().collect()
    };
    assert_eq!(sorted(&taken.targets), sorted(&forms));
    assert_eq!(
        taken.targets.len(),
        forms.len(),
        "no pair is mixed, none is there twice"
    );
    // What the collector sees.
    let fixture = "//- scripts/p/event_parser.rhai\nfn event_to_hash(event, ems_id) { () }\n\
        //- scripts/p/inventory_collector.rhai\n\
        fn collect(ems, targets) {\n  let seen = #{};\n  for target in targets.all() {\n    \
        let entry = #{ manager_ref: target.manager_ref, options: target.options };\n    \
        if entry.manager_ref.len() == 0 { entry.manager_ref = #{ ems_ref: \"all of it\" }; }\n    \
        if target.association !in seen { seen[target.association] = []; }\n    \
        seen[target.association].push(entry);\n  }\n  \
        seen.told = [#{ ems_ref: \"told\", references: targets.references(\"vms\"), others: targets.references(\"stacks\"),\n    \
        names: targets.name_references(\"stacks\"), size: targets.of(\"volumes\")[0].options.payload.size,\n    \
        is_whole: targets.wants_all(\"networks\"), is_not: targets.wants_all(\"vms\") }];\n  seen\n}\n";
    let loaded = Switchboard::load(&SourceTree::from_fixture(fixture), None);
    let api: Arc<dyn ManagerApi> = Arc::new(NoApi);
    let mut of_provider = (*ems).clone();
    of_provider.provider = "p".into();
    let scope = RefreshScope::Targets(taken.targets);
    let collected = loaded.switchboard.collect(&of_provider, &scope, &api).unwrap();
    let refs = |association: &str| -> Vec<String> {
        let objects = &collected.collections[association];
        objects
            .iter()
            .map(|object| json!(object.manager_ref).to_string())
            .collect()
    };
    assert_eq!(
        refs("stacks"),
        [
            "{\"ems_ref\":\"s-1\"}",
            "{\"name\":\"a\",\"region\":\"x\"}",
            "{\"name\":\"b\",\"region\":\"y\"}",
        ]
    );
    assert_eq!(refs("key_pairs"), ["{\"name\":\"door\"}"]);
    let told = &collected.collections["told"][0].attributes;
    for (name, expected) in [
        ("references", json!(["vm-1"])),
        ("others", json!(["s-1"])),
        ("names", json!(["a", "b"])),
        ("size", json!(7)),
        ("is_whole", json!(true)),
        ("is_not", json!(false)),
    ] {
        assert_eq!(told[name], expected, "{name}");
    }
    let volume = &collected.collections["volumes"][0].attributes;
    assert_eq!(volume["options"], forms[6].options.clone().unwrap());
}

/// What a target parser comes to, and what the trace says of it.
fn parsed(body: &str) -> (Value, String) {
    let parser = format!("fn parse(ems_event) {{ {body} }}\n");
    let project = Project::copied();
    project.write("scripts/awesome_cloud/event_target_parser.rhai", &parser);
    let tree = crate::corpus::tree(&[&project.path("automate")], &[&project.path("scripts")]);
    let loaded = Switchboard::load(&tree, None);
    let request = SimulationRequest {
        event: SimulatedEvent::Event {
            class: switchboard::model::event::EventClass::EmsEvent,
            source: "AWESOME_CLOUD".to_owned(),
            event_type: "com.awesomecloud.vm.create".to_owned(),
            attributes: switchboard::model::json::Map::new(),
        },
        workspace: false,
        deliveries: 1,
        records: None,
    };
    let now = "2026-01-31T12:00:00Z".parse().unwrap();
    let simulation = loaded.switchboard.simulate(&request, now);
    let whys = simulation.trace.steps.iter();
    let whys = whys.filter_map(|step| step.why.as_deref().map(str::to_owned));
    let errors = simulation.errors.iter().map(|error| error.message.clone());
    let told: Vec<String> = whys.chain(errors).collect();
    (json!(simulation.targets), told.join("; "))
}

#[test]
fn a_target_parser_adds_each_target_once_leaves_out_blank_ones_and_widens_only_openly() {
    let one = json!([{"association": "vms", "manager_ref": {"ems_ref": "a"}}]);
    let none = json!([]);
    for (body, targets, why) in [
        (
            "let t = targets(); t.add(\"vms\", \"a\"); t.add(\"vms\", #{ ems_ref: \"a\" }); t.add(\"vms\", \" a \"); t",
            &one,
            "",
        ),
        (
            "let t = targets(); t.add(\"vms\", \"a\"); t.add(\"vms\", \"  \"); t.add(\"stacks\", #{ name: \"x\", region: \"\" }); t.add(\"vms\", ()); t",
            &one,
            "targets left out because their reference is blank: 2",
        ),
        (
            "[#{ association: \"vms\", manager_ref: \"\" }]",
            &none,
            "the target parser found nothing to refresh; targets left out because their reference is blank: 1",
        ),
        ("()", &none, "the target parser found nothing to refresh"),
        ("targets()", &none, "the target parser found nothing to refresh"),
        ("\"full\"", &none, "the target parser asks for the whole manager"),
        (
            "\"all\"",
            &none,
            "targets or \"full\" were expected, it returned \"all\"",
        ),
        (
            "[#{ association: \"vms\" }]",
            &none,
            "or `()` for the whole association",
        ),
    ] {
        let (found, told) = parsed(body);
        assert_eq!(found, *targets, "{body}: {told}");
        assert!(told.contains(why), "{body}: {told}");
        assert!(!why.is_empty() || !told.contains("refresh"), "{body}: {told}");
    }
}

#[test]
fn c86_c99_targets_belong_to_the_manager_of_the_event_or_to_the_one_they_name_and_know_the_event() {
    let project = Project::copied();
    Tree::default()
        .domain("Site", 10)
        .class("System/Event/EmsEvent/AWESOME_CLOUD", &["rel4:re"])
        .instance(
            "com.awesomecloud.vm.update",
            &["rel4=/System/event_handlers/ask_for_much"],
        )
        .write_to(&project.path("automate"));
    project.write(
        "scripts/actions/ask_for_much.rhai",
        "evm.refresh([\n  #{ association: \"vms\", manager_ref: evm.event.vm_ems_ref },\n  \
         #{ association: \"vms\", manager_ref: \"there\", ems: \"parent\", options: #{ tenant: \"t\" } },\n  \
         #{ association: \"stacks\", manager_ref: #{ name: \"n\", region: \"r\" }, ems: \"parent\" },\n  \
         #{ association: \"vms\", manager_ref: \"nowhere\", ems: \"nobody\" },\n]);\n",
    );
    let managed = Managed::of(project, 2, "");
    let parent = NewEms {
        name: "parent".to_owned(),
        provider: "awesome_cloud".to_owned(),
        // Nobody answers there; what was asked for is what counts.
        url: None,
        credentials: None,
    };
    let parent = managed.vmdb().ems_add(parent).wait().unwrap();
    managed.until_read();
    let vm = managed
        .cloud
        .objects()
        .of(Kind::Vm)
        .map(|(id, _)| id.clone())
        .next()
        .unwrap();
    let rename = serde_json::from_value(json!({"do": "rename", "vm": vm, "name": "after"})).unwrap();
    managed.cloud.change(&rename).unwrap();
    managed.until("the event came", || managed.vmdb().event_count().unwrap() == 1);
    let event = managed.vmdb().events_list(&EventFilter::default()).unwrap()[0]
        .event
        .id
        .unwrap();
    let shown = managed.vmdb().event_show(event).unwrap().unwrap();
    let kinds: Vec<&str> = shown.deliveries[0]
        .errors
        .iter()
        .map(|error| &*error.kind)
        .collect();
    assert_eq!(kinds, ["UnknownManager"]);
    assert!(shown.deliveries[0].errors[0].message.contains("`nobody`"));
    assert_eq!(shown.refreshes.len(), 2);
    let mut by_manager: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for id in &shown.refreshes {
        let refresh = managed.vmdb().refresh_show(*id).unwrap().unwrap();
        assert_eq!(refresh.event_ids, [event]);
        for requested in refresh.requested {
            assert_eq!(
                (requested.first_event, requested.last_event),
                (Some(event), Some(event))
            );
            let told = json!([requested.target.manager_ref, requested.target.options]);
            by_manager
                .entry(refresh.refresh.ems.to_string())
                .or_default()
                .push(told);
        }
    }
    assert_eq!(
        json!(by_manager),
        json!({
            "cloud": [[{"ems_ref": vm}, null]],
            "parent": [[{"name": "n", "region": "r"}, null], [{"ems_ref": "there"}, {"tenant": "t"}]],
        })
    );
    let waiting = RefreshFilter {
        ems_id: Some(parent.id),
        ..RefreshFilter::default()
    };
    assert_eq!(managed.vmdb().refresh_list(&waiting).unwrap().len(), 1);
}
