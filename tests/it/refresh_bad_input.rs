//! Collectors that are wrong, and clouds that misbehave: a refresh fails whole and tells why, nothing is archived by
//! mistake, targets stay, other managers go on.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use serde_json::json;
use switchboard::model::ems::EmsId;
use switchboard::model::target::ManagerRef;
use switchboard::model::target::Target;
use switchboard::vmdb::EventFilter;
use switchboard::vmdb::NewEms;
use switchboard::vmdb::RefreshRequest;
use switchboard::vmdb::RefreshState;

use crate::awesome_cloud::Change;
use crate::awesome_cloud::Faults;
use crate::awesome_cloud::Kind;
use crate::support::managed::Managed;
use crate::support::process::Process;
use crate::support::project::Project;

/// Every refresh of single objects does this in place of collecting, by the name of its provider.
const COLLECTORS: [(&str, &str, &str); 9] = [
    ("throws", "throw \"no idea\"", "no idea"),
    ("hangs", "loop {}", "stopped:"),
    ("odd", "7", "a map such as"),
    ("no_list", "#{ vms: 7 }", "`vms` has to be a list of maps"),
    (
        "stranger",
        "#{ vns: [] }",
        "there is no association `vns` among those that `associations()` names; did you mean `vms`?",
    ),
    (
        "blank",
        "#{ vms: [#{ ems_ref: \" \" }] }",
        "`vms[0]` has no reference",
    ),
    (
        "doubled",
        "#{ vms: [#{ ems_ref: \"a\" }, #{ ems_ref: \"a\" }] }",
        "`vms[1]` is there twice",
    ),
    (
        "silent",
        "#{ vms: [] }",
        "neither returned it nor named it in `not_found`",
    ),
    (
        "circle",
        "let page = \"/vms\"; loop { http.get(page, #{ query: #{ after: \"x\" } }); }",
        "GET /vms after=x is asked for again and again; does a page lead to itself?",
    ),
];

fn vms(managed: &Managed, ems_id: EmsId) -> usize {
    let vms = managed
        .vmdb()
        .with_inventory(|view| view.all(Some(ems_id), "vms"));
    vms.unwrap().len()
}

#[test]
fn a_collector_that_is_wrong_fails_its_own_refresh_whole_and_no_other() {
    let project = Project::copied();
    for (provider, body, _) in COLLECTORS {
        let folder = format!("scripts/{provider}");
        project.write(
            &format!("{folder}/event_parser.rhai"),
            "fn event_to_hash(event, ems_id) { () }\n",
        );
        let collector = format!(
            "fn associations() {{ [\"vms\"] }}\n\
             fn collect_all(ems) {{ #{{ vms: [#{{ ems_ref: \"a\" }}, #{{ ems_ref: \"b\" }}] }} }}\n\
             fn collect(ems, targets) {{ {body} }}\n"
        );
        project.write(&format!("{folder}/inventory_collector.rhai"), &collector);
    }
    let managed = Managed::of(
        project,
        2,
        "  :retry_pause: 50ms\nscript:\n  :max_operations: 1_000\n",
    );
    let mut asked = BTreeMap::new();
    for (provider, _, _) in COLLECTORS {
        let new = NewEms {
            name: provider.to_owned(),
            provider: provider.to_owned(),
            url: Some(managed.cloud.url()),
            credentials: None,
        };
        let ems = managed.vmdb().ems_add(new).wait().unwrap();
        managed.until("all of it was read", || vms(&managed, ems.id) == 2);
        let request = RefreshRequest {
            ems_id: ems.id,
            targets: vec![Target::new("vms", ManagerRef::ems_ref("a"))],
            full: None,
        };
        let refresh = managed.vmdb().queue_refresh(&request).wait().unwrap();
        asked.insert(provider, (ems.id, refresh));
    }
    for (provider, _, reason) in COLLECTORS {
        let (ems_id, id) = asked[provider];
        let shown = || managed.vmdb().refresh_show(id).unwrap().unwrap();
        managed.until("it failed twice", || {
            let refresh = shown().refresh;
            2 <= refresh.attempts && refresh.error.is_some()
        });
        let shown = shown();
        let error = shown.refresh.error.unwrap();
        assert!(error.contains(reason), "{provider}: {error}");
        assert_eq!(shown.requested.len(), 1, "{provider}: its target stays");
        assert_eq!(vms(&managed, ems_id), 2, "{provider}: nothing is archived");
        // Wherever one looks.
        let of_manager = managed.vmdb().manager_refreshes().unwrap()[&ems_id].clone();
        assert!(
            of_manager.last_refresh_error.unwrap().contains(reason),
            "{provider}"
        );
        assert!(of_manager.last_refresh_success_date.is_some(), "{provider}");
        let from = |list: &serde_json::Value| {
            let list = list.as_array().unwrap().clone();
            let found = list.into_iter().find(|refresh| refresh["id"] == json!(id.0));
            found.unwrap()["error"].as_str().unwrap_or_default().to_owned()
        };
        let listed = managed.get("/api/refreshes");
        let listed = listed.get("refreshes").unwrap_or(&listed);
        assert!(from(listed).contains(reason), "{provider}: {listed}");
        let ready = managed.get("/readyz");
        let error = &ready["refresh"]["managers"][provider]["last_refresh_error"];
        assert!(error.as_str().unwrap().contains(reason), "{provider}: {ready}");
    }
    let told = managed
        .project
        .run("ems list --format json --database sqlite:test.db");
    for (provider, _, _) in COLLECTORS {
        let line = told
            .lines()
            .find(|line| line.contains(&format!("\"name\":\"{provider}\"")));
        assert!(line.unwrap().contains("\"last_refresh_error\":\""), "{told}");
    }
    // The manager that is well goes on beside them.
    managed.cloud.change_by_chance(20);
    managed.until("its inventory is true", || managed.inventory() == managed.truth());
    let own = &managed.vmdb().manager_refreshes().unwrap()[&managed.ems.id];
    assert_eq!(own.last_refresh_error, None);
}

#[test]
fn a_cloud_that_dies_in_the_middle_of_a_page_costs_no_object() {
    // More than one page of VMs.
    let managed = Managed::start(120, "  :retry_pause: 50ms\n");
    managed.until_read();
    managed.cloud.set_faults(Faults {
        half_rate: 1.0,
        ..Faults::default()
    });
    let vm = managed
        .cloud
        .objects()
        .of(Kind::Vm)
        .map(|(id, _)| id.clone())
        .next()
        .unwrap();
    let delete: Change = serde_json::from_value(json!({"do": "delete", "vm": vm})).unwrap();
    managed.cloud.change(&delete).unwrap();
    let request = RefreshRequest {
        ems_id: managed.ems.id,
        targets: Vec::new(),
        full: Some("somebody asks".to_owned()),
    };
    let id = managed.vmdb().queue_refresh(&request).wait().unwrap();
    let refresh = || managed.vmdb().refresh_show(id).unwrap().unwrap().refresh;
    managed.until("it failed", || refresh().error.is_some());
    assert_eq!(vms(&managed, managed.ems.id), 120);
    managed.cloud.set_faults(Faults::default());
    managed.until("it is done", || refresh().state == RefreshState::Done);
    managed.assert_true();
    assert_eq!(vms(&managed, managed.ems.id), 119);
}

#[test]
fn while_a_cloud_does_not_answer_the_others_are_refreshed() {
    let managed = Managed::start(2, "");
    managed.until_read();
    // A listener that takes connections, and says nothing.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let new = NewEms {
        name: "mute".to_owned(),
        provider: "awesome_cloud".to_owned(),
        url: Some(format!("http://{}", mute.local_addr().unwrap())),
        credentials: None,
    };
    let ems = managed.vmdb().ems_add(new).wait().unwrap();
    let state = |id: EmsId| {
        let refreshes = managed.refreshes().into_iter();
        let name = if id == ems.id { "mute" } else { "cloud" };
        refreshes
            .filter(|refresh| &*refresh.ems == name)
            .map(|refresh| refresh.state)
            .collect::<Vec<_>>()
    };
    managed.until("the mute one is asked", || {
        state(ems.id) == [RefreshState::Running]
    });
    managed.cloud.change_by_chance(5);
    managed.until("the other one is true", || {
        let events = managed.vmdb().events_list(&EventFilter::default()).unwrap();
        !events.is_empty() && managed.inventory() == managed.truth()
    });
    assert_eq!(state(ems.id), [RefreshState::Running], "nobody gave up meanwhile");
}

#[test]
fn the_same_failure_is_not_logged_at_each_try() {
    let cloud = crate::support::cloud::Cloud::start();
    cloud.habit(Some(crate::support::cloud::Trick::Status(401, "")));
    let settings = "ems_refresh:\n  :retry_pause: 20ms\n";
    let project = crate::support::process::project(settings, &format!("--url {}", cloud.url()));
    let process = Process::start(&project);
    process.until("/api/refreshes", |json| {
        let refreshes = json.get("refreshes").unwrap_or(json);
        refreshes[0]["attempts"]
            .as_u64()
            .is_some_and(|attempts| 5 <= attempts)
    });
    let log = process.log();
    let lines = log
        .lines()
        .filter(|line| line.contains("A refresh failed"))
        .count();
    assert_eq!(lines, 1, "{log}");
    process.stop();
}

#[test]
fn an_id_never_leads_out_of_the_url_of_its_manager() {
    let cloud = crate::support::cloud::Cloud::start();
    let url = format!("--url {}/tenant-a", cloud.url());
    let settings = "ems_refresh:\n  :retry_pause: 20ms\n  :refresh_interval: 0\n";
    let project = crate::support::process::project(settings, &url);
    let process = Process::start(&project);
    for id in [
        "../../tenant-b/secrets",
        "%2e%2E/%2e./tenant-b/secrets",
        "..%2ftenant-b%2fsecrets",
    ] {
        let event = json!({"id": id, "event_name": "com.awesomecloud.vm.create", "vm": {"id": id}});
        assert_eq!(process.post(&event.to_string()).status, 202);
    }
    process.until("/api/refreshes", |json| {
        let refreshes = json["refreshes"].as_array();
        let errors = refreshes
            .into_iter()
            .flatten()
            .filter_map(|refresh| refresh["error"].as_str());
        let reason = "leads out of the manager's `url`; it was not asked";
        errors.into_iter().any(|error| error.contains(reason))
    });
    let asked = cloud.requests();
    assert!(asked.iter().all(|head| !head.contains("secrets")), "{asked:?}");
    process.stop();
}
