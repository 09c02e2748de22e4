//! What an inventory collector is given and what it may return, with an API that answers from a table.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use serde_json::json;
use switchboard::model::api_call::ApiAnswer;
use switchboard::model::api_call::ApiCall;
use switchboard::model::api_call::ManagerApi;
use switchboard::model::ems::Ems;
use switchboard::model::ems::EmsId;
use switchboard::model::inventory::Collected;
use switchboard::model::inventory::CollectedObject;
use switchboard::model::inventory::RefreshScope;
use switchboard::model::target::ManagerRef;
use switchboard::model::target::Target;
use switchboard::source::Severity;
use switchboard::source::SourceTree;
use switchboard::switchboard::Limits;
use switchboard::switchboard::Switchboard;

use crate::corpus;

/// Answers by path; what it does not know is not there.
#[derive(Default)]
struct Api {
    answers: BTreeMap<&'static str, Value>,
    calls: Mutex<Vec<ApiCall>>,
    progress: Mutex<Vec<String>>,
}

impl ManagerApi for Api {
    fn call(&self, calls: &[ApiCall]) -> Result<Vec<ApiAnswer>, String> {
        self.calls.lock().extend(calls.iter().cloned());
        let answer = |call: &ApiCall| {
            let after = call.query.iter().find(|(name, _)| name == "after");
            let path = match after {
                Some((_, after)) => format!("{}?after={after}", call.path),
                None => call.path.clone(),
            };
            match self.answers.get(&*path) {
                Some(Value::Null) => Err(format!("GET {path}: the provider answered HTTP 500")),
                Some(body) => Ok(ApiAnswer {
                    status: 200,
                    body: body.to_string(),
                    ..ApiAnswer::default()
                }),
                None => Ok(ApiAnswer {
                    status: 404,
                    body: r#"{"error": "not found"}"#.to_owned(),
                    ..ApiAnswer::default()
                }),
            }
        };
        calls.iter().map(answer).collect()
    }

    fn progress(&self, text: &str) {
        self.progress.lock().push(text.to_owned());
    }
}

fn shipped() -> Switchboard {
    let tree = corpus::tree(&[], &[&corpus::own("scripts")]);
    Switchboard::load(&tree, None).switchboard
}

fn ems(provider: &str) -> Ems {
    Ems {
        id: EmsId(1),
        name: "prod".into(),
        provider: provider.into(),
        url: Some("http://cloud.example".to_owned()),
        credentials: Some("env:TOKEN".to_owned()),
        enabled: true,
    }
}

fn targets(targets: &[(&str, &str)]) -> RefreshScope {
    let target = |(association, reference): &(&str, &str)| match *reference {
        "" => Target::new(*association, ManagerRef::default()),
        reference => Target::new(*association, ManagerRef::ems_ref(reference)),
    };
    RefreshScope::Targets(targets.iter().map(target).collect())
}

fn collect(
    board: &Switchboard,
    provider: &str,
    scope: &RefreshScope,
    api: &Arc<Api>,
) -> Result<Collected, String> {
    let api: Arc<dyn ManagerApi> = api.clone();
    board
        .collect(&ems(provider), scope, &api)
        .map_err(|error| error.to_string())
}

fn keys(collected: &Collected) -> BTreeMap<String, Vec<String>> {
    let names = |objects: &Vec<CollectedObject>| {
        let key = |object: &CollectedObject| object.manager_ref.0.values().next().unwrap().to_string();
        objects.iter().map(key).collect()
    };
    let collections = collected.collections.iter();
    collections
        .map(|(association, objects)| (association.to_string(), names(objects)))
        .collect()
}

fn vm(id: &str) -> Value {
    json!({
        "id": id, "name": id, "power_state": "on", "flavor": "small", "host_id": "host-1",
        "network_ids": ["network-1"], "disks": [{"id": format!("{id}-disk"), "size_gb": 20}], "created_at": "2026-01-01T00:00:00Z",
    })
}

#[test]
fn awesome_cloud_reads_what_targets_name_and_nothing_else() {
    let board = shipped();
    let api = Arc::new(Api {
        answers: BTreeMap::from([
            ("/vms/vm-1", vm("vm-1")),
            (
                "/volumes/v-1",
                json!({"id": "v-1", "name": "data", "size_gb": 5, "vm_id": null}),
            ),
        ]),
        ..Api::default()
    });
    let scope = targets(&[("vms", "vm-1"), ("vms", "vm-2"), ("cloud_volumes", "v-1")]);
    let collected = collect(&board, "awesome_cloud", &scope, &api).unwrap();
    let expected = json!({"vms": ["vm-1"], "disks": ["vm-1-disk"], "cloud_volumes": ["v-1"]});
    assert_eq!(json!(keys(&collected)), expected);
    let not_found: Vec<String> = collected
        .not_found
        .iter()
        .map(|key| format!("{} {:?}", key.association, key.manager_ref.0))
        .collect();
    assert_eq!(not_found, [r#"vms {"ems_ref": "vm-2"}"#]);
    let calls: Vec<String> = api.calls.lock().iter().map(|call| call.path.clone()).collect();
    assert_eq!(calls, ["/volumes/v-1", "/vms/vm-1", "/vms/vm-2"]);
    let headers = api.calls.lock()[0].headers.clone();
    assert_eq!(
        headers,
        [("authorization".to_owned(), "Bearer ${credentials}".to_owned())]
    );
    let of_vm = &collected.collections["vms"][0].attributes;
    assert_eq!(
        of_vm["host"],
        json!({"$ref": {"association": "hosts", "manager_ref": {"ems_ref": "host-1"}}})
    );
    let disk = &collected.collections["disks"][0];
    assert_eq!(&*disk.parent.as_ref().unwrap().association, "vms");
}

#[test]
fn awesome_cloud_reads_everything_page_by_page_and_says_how_far_it_is() {
    let board = shipped();
    let page = |items: Value, next: Value| json!({"items": items, "next": next});
    let api = Arc::new(Api {
        answers: BTreeMap::from([
            (
                "/hosts",
                page(
                    json!([{"id": "host-1", "name": "h", "cores": 1, "memory_gb": 2}]),
                    Value::Null,
                ),
            ),
            ("/networks", page(json!([]), Value::Null)),
            ("/vms", page(json!([vm("vm-1"), vm("vm-2")]), json!("vm-2"))),
            ("/vms?after=vm-2", page(json!([vm("vm-3")]), Value::Null)),
            ("/volumes", page(json!([]), Value::Null)),
        ]),
        ..Api::default()
    });
    let collected = collect(&board, "awesome_cloud", &RefreshScope::Full, &api).unwrap();
    let expected = json!({
        "hosts": ["host-1"], "cloud_networks": [], "cloud_volumes": [], "vms": ["vm-1", "vm-2", "vm-3"],
        "disks": ["vm-1-disk", "vm-2-disk", "vm-3-disk"],
    });
    assert_eq!(json!(keys(&collected)), expected);
    assert!(api.progress.lock().contains(&"3 vms".to_owned()));
    let one_is_broken = Arc::new(Api {
        answers: BTreeMap::from([("/vms/vm-1", vm("vm-1")), ("/vms/vm-2", Value::Null)]),
        ..Api::default()
    });
    let error = collect(
        &board,
        "awesome_cloud",
        &targets(&[("vms", "vm-1"), ("vms", "vm-2")]),
        &one_is_broken,
    );
    assert!(
        error
            .unwrap_err()
            .contains("GET /vms/vm-2: the provider answered HTTP 500")
    );
}

#[test]
fn a_collector_that_does_not_say_all_it_was_asked_for_is_refused() {
    let few = Limits {
        max_operations: 1_000,
        ..Limits::default()
    };
    let project = |collector: &str| {
        let fixture = format!(
            "//- scripts/p/event_parser.rhai\nfn event_to_hash(event, ems_id) {{ () }}\n//- scripts/p/inventory_collector.rhai\n{collector}\n"
        );
        let loaded = Switchboard::load_within(&SourceTree::from_fixture(&fixture), None, &few);
        let errors: Vec<_> = loaded
            .diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        loaded.switchboard
    };
    let cases = [
        (
            "fn collect(ems, targets) { #{ vms: [#{ ems_ref: \"a\" }] } }",
            None,
        ),
        (
            "fn collect(ems, targets) { #{ not_found: [#{ association: \"vms\", manager_ref: \"a\" }] } }",
            None,
        ),
        (
            "fn collect(ems, targets) { #{ not_found: [#{ association: \"vms\", manager_ref: #{ ems_ref: \"a\" } }] } }",
            None,
        ),
        (
            "fn collect(ems, targets) { #{ vms: [#{ ems_ref: \"x\", name: \"a\" }] } }",
            Some(
                "it was asked for vms {\"ems_ref\":\"a\"} and neither returned it nor named it in `not_found`",
            ),
        ),
        (
            "fn collect(ems, targets) { #{ vms: [] } }",
            Some("neither returned it nor named it in `not_found`"),
        ),
        (
            "fn collect(ems, targets) { throw \"no idea\" }",
            Some("scripts/p/inventory_collector.rhai:1:28: no idea"),
        ),
        ("fn collect(ems, targets) { loop {} }", Some("stopped:")),
        (
            "fn collect_all(ems) { #{} }",
            Some("`p/inventory_collector.rhai` does not define `collect`"),
        ),
        (
            "fn associations() { [\"hosts\"] }\nfn collect(ems, targets) { #{ vms: [] } }",
            Some("there is no association `vms` among those that `associations()` names"),
        ),
        (
            "fn collect(ems, targets) { #{ vms: targets.references(\"vms\").map(|id| #{ ems_ref: id }) } }",
            None,
        ),
    ];
    for (collector, expected) in cases {
        let board = project(collector);
        let result = collect(&board, "p", &targets(&[("vms", "a")]), &Arc::new(Api::default()));
        match (&result, expected) {
            (Ok(_), None) => (),
            (Err(error), Some(expected)) => assert!(error.contains(expected), "{collector}: {error}"),
            other => panic!("{collector}: {other:?}"),
        }
    }
}

/// The block of the guide for providers that holds this text.
fn shown(text: &str) -> String {
    let path = format!("{}/docs/providers.md", env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(path).unwrap();
    let blocks = guide.split("```").skip(1).step_by(2);
    let block = blocks.into_iter().find(|block| block.contains(text)).unwrap();
    block.split_once('\n').unwrap().1.to_owned()
}

#[test]
fn the_collector_and_the_gap_that_the_guide_shows_do_what_it_says() {
    let parser = "fn event_to_hash(event, ems_id) { () }";
    let request = "fn poll_request(ems, cursor) { #{ path: \"/events\" } }";
    let board = Switchboard::load(
        &SourceTree::from_fixture(&format!(
            "//- scripts/shown/event_parser.rhai\n{parser}\n\
             //- scripts/shown/stream.rhai\n{request}\n{}\n\
             //- scripts/shown/inventory_collector.rhai\n{}\n",
            shown("gap: if"),
            shown("fn collect(ems, targets)")
        )),
        None,
    );
    assert_eq!(board.diagnostics, []);
    let board = board.switchboard;
    let api = Arc::new(Api {
        answers: BTreeMap::from([("/vms/vm-1", vm("vm-1"))]),
        ..Api::default()
    });
    let wanted = targets(&[("vms", "vm-1"), ("vms", "vm-2")]);
    let collected = collect(&board, "shown", &wanted, &api).unwrap();
    assert_eq!(
        json!(keys(&collected)),
        json!({"vms": ["vm-1"], "disks": ["vm-1-disk"]})
    );
    assert_eq!(collected.not_found.len(), 1);
    assert_eq!(
        collected.collections["disks"][0]
            .parent
            .as_ref()
            .unwrap()
            .association,
        "vms".into()
    );
    let answer = ApiAnswer {
        status: 200,
        body: json!({"events": [], "cursor": 9, "oldest": 5}).to_string(),
        ..ApiAnswer::default()
    };
    for (cursor, gap) in [
        (None, None),
        (Some(5.into()), None),
        (Some(4.into()), Some("the cloud holds events from 5 on")),
    ] {
        let found = board
            .poll_answer(&ems("shown"), cursor.as_ref(), &answer, false)
            .unwrap();
        assert_eq!(found.gap.as_deref(), gap, "{cursor:?}");
        assert_eq!(found.cursor, Some(9.into()));
    }
}
