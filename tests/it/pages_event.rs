//! The page of an event and of what it is about, read as a person reads them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use expect_test::expect;
use serde_json::Value as Json;
use serde_json::json;
use switchboard::model::event::EventHash;
use switchboard::model::event::EventId;
use switchboard::model::event::EventKey;
use switchboard::model::event::FullData;
use switchboard::model::value::Value;
use switchboard::vmdb::EventFilter;
use switchboard::vmdb::NewMessage;

use crate::awesome_cloud::Change;
use crate::awesome_cloud::Kind;
use crate::support::managed::Managed;
use crate::support::pages::get;
use crate::support::pages::main;
use crate::support::pages::part;
use crate::support::pages::text;
use crate::support::project::Project;

const RULES: &str = "automate/ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD.class";
const ON: &str = "    :gather: 20ms\n    :gather_most: 100ms\n";

/// The shipped rules with a few that do other things.
fn project() -> Project {
    let project = Project::copied();
    let rule = |name: &str, fields: &str| {
        let text = format!("object:\n  attributes: {{name: {name}}}\n  fields:\n{fields}");
        project.write(&format!("{RULES}/{name}.yaml"), &text);
    };
    rule(
        "test.breaks",
        "  - rel1: {value: /System/event_handlers/breaks}\n  - rel4: {value: /System/event_handlers/refresh}\n",
    );
    rule(
        "test.lost",
        "  - rel1: {value: /System/event_handlers/nowhere_at_all}\n",
    );
    rule(
        "test.guarded",
        "  - guard: {value: \"'${/#event_type}' == 'other'\"}\n  - rel4: {value: /System/event_handlers/refresh}\n",
    );
    rule("test.tells", "  - rel1: {value: /System/event_handlers/tells}\n");
    rule(
        "test.retries",
        "  - rel4: {value: /System/event_handlers/refresh}\n",
    );
    project.write(
        "scripts/actions/breaks.rhai",
        "let x = 1;\nthrow \"the port is taken\";\n",
    );
    project.write("scripts/actions/tells.rhai", "evm.deliver(#{log: \"told\"});\n");
    project
}

fn native(event_type: &str, more: &[(&str, &str)]) -> EventHash {
    let mut attributes = BTreeMap::from([(Arc::from("vm_ems_ref"), Value::text("vm-none"))]);
    for (key, value) in more {
        attributes.insert(Arc::from(*key), Value::text(*value));
    }
    EventHash {
        event_type: event_type.into(),
        source: "AWESOME_CLOUD".into(),
        event_key: Some(EventKey(format!("{event_type}/{}", more.len()).into())),
        ems_ref: None,
        timestamp: Some("2026-03-14T15:04:11Z".parse().unwrap()),
        attributes,
        full_data: FullData::new(json!({"id": 1, "accessKeyId": "AKIA-SEEN"}).to_string()),
    }
}

/// Puts an event in, and waits until it is decided.
fn put(managed: &Managed, hash: EventHash) -> EventId {
    let event_type = hash.event_type.to_string();
    let key = hash.event_key.clone();
    let message = NewMessage::Add {
        ems_id: managed.ems.id,
        hash,
        received_at: "2026-03-14T15:04:12Z".parse().unwrap(),
    };
    managed.vmdb().put(vec![message]).wait().unwrap();
    let find = || {
        let filter = EventFilter {
            event_type: Some(event_type.clone()),
            ..EventFilter::default()
        };
        let events = managed.vmdb().events_list(&filter).unwrap();
        let found = events
            .into_iter()
            .find(|stored| stored.event.hash.event_key == key);
        found.and_then(|stored| stored.event.id)
    };
    managed.until("the event is saved", || find().is_some());
    find().unwrap()
}

fn page(managed: &Managed, path: &str) -> String {
    let answer = get(managed.address(), path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

fn event_page(managed: &Managed, id: EventId) -> String {
    page(managed, &format!("/events/{}", id.0))
}

fn verdict(html: &str) -> String {
    let start = html.find("<p class=\"verdict\">").unwrap();
    let end = start + html.get(start..).unwrap().find("</p>").unwrap();
    text(&format!("<main>{}</main>", html.get(start..end).unwrap()))
}

#[test]
fn each_outcome_has_its_sentence_and_what_did_not_happen() {
    let managed = Managed::of(project(), 2, ON);
    managed.until_read();
    let told = |event_type| {
        let html = event_page(&managed, put(&managed, native(event_type, &[])));
        let nots = part(&text(&html), "What did not happen", "Targets and changes");
        format!("{event_type}: {}{nots}", verdict(&html))
    };
    let all: String = ["test.lost", "test.guarded", "test.nobody_knows", "test.tells"]
        .map(told)
        .concat();
    expect![[r#"
        test.lost: Its rule did nothing. 1 link led nowhere. 1 error did not end the run.
        What did not happen
        rel1 led nowhere
        `/System/event_handlers` has neither an instance `nowhere_at_all` nor a `.missing` in any enabled domain, so no domain is chosen; `/ManageIQ/System/event_handlers` would be found with its domain (field `rel1`, automate/ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD.class/test.lost.yaml:4)
        AWESOME_CLOUD.class/test.lost.yaml:4
        Errors
        1
        ClassNotFound the run went on
        `/System/event_handlers` has neither an instance `nowhere_at_all` nor a `.missing` in any enabled domain, so no domain is chosen; `/ManageIQ/System/event_handlers` would be found with its domain (field `rel1`, automate/ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD.class/test.lost.yaml:4)
        /System/event_handlers/nowhere_at_all
        test.guarded: Its rule did nothing: the assertion guard of AWESOME_CLOUD/test.guarded was not true.
        What did not happen
        guard was not true in AWESOME_CLOUD/test.guarded
        'test.guarded' == 'other': `'test.guarded' == 'other'` is not true
        AWESOME_CLOUD.class/test.guarded.yaml:4
        The rest of AWESOME_CLOUD/test.guarded was not reached
        AWESOME_CLOUD.class/test.guarded.yaml:5
        test.nobody_knows: No rule is named after this type, so nothing was done.
        What did not happen
        Every step was taken.
        test.tells: 1 action ran. Nothing was refreshed.
        What did not happen
        Every step was taken.
    "#]].assert_eq(&all);
}

#[test]
fn a_failed_event_says_where_and_what_waits() {
    let managed = Managed::of(project(), 2, ON);
    managed.until_read();
    let id = put(&managed, native("test.breaks", &[]));
    let html = event_page(&managed, id);
    expect![[r#"
        test.breaks
        detail, other TIME, AGO VM vm-none manager cloud rules RULES
        Failed. UnknownMethodRc: scripts/actions/breaks.rhai:2:1: the port is taken (field `method`, scripts/actions/breaks.rhai:1). Nothing that this event asked for was done. The event is kept.
        method breaks
        scripts/actions/breaks.rhai:1
        See all of this type
        Stopped at its decision
        PART of it SOMEWHERE
        Happened TIME LENGTH
        Received TIME LENGTH
        Decided 7 steps, 1 action
        Refresh none was asked for
        Changed nothing
        Why
        Only what did not happen Open all
        instance /ManageIQ/System/Process/Event Process.class/Event.yaml:9
        outcome | ok
        object | /ManageIQ/System/Process/Event
        file | automate/ManageIQ/System/Process.class/Event.yaml:9
        generation | RULES
        7 object:
        8 attributes:
        9 name: Event
        10 fields:
        11 - rel5:
        relationship rel5 → /System/Event/EmsEvent/AWESOME_CLOUD/test.breaks scripts/actions/breaks.rhai:2:1: the port is taken Process.class/Event.yaml:11
        outcome | failed
        object | /ManageIQ/System/Process/Event
        field | rel5
        written | /System/Event/${/#event_stream.event_namespace}/${/#event_stream.source}/${/#event_type}
        after substitution | /System/Event/EmsEvent/AWESOME_CLOUD/test.breaks
        why | scripts/actions/breaks.rhai:2:1: the port is taken
        file | automate/ManageIQ/System/Process.class/Event.yaml:11
        generation | RULES
        9 name: Event
        10 fields:
        11 - rel5:
        12 value: "/System/Event/${/#event_stream.event_namespace}/${/#event_stream.source}/${/#event_type}"
        instance /ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD/test.breaks AWESOME_CLOUD.class/test.breaks.yaml:2
        outcome | ok
        object | /ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD/test.breaks
        file | automate/ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD.class/test.breaks.yaml:2
        generation | RULES
        1 object:
        2 attributes: {name: test.breaks}
        3 fields:
        4 - rel1: {value: /System/event_handlers/breaks}
        5 - rel4: {value: /System/event_handlers/refresh}
        relationship rel1 → /System/event_handlers/breaks scripts/actions/breaks.rhai:2:1: the port is taken AWESOME_CLOUD.class/test.breaks.yaml:4
        outcome | failed
        object | /ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD/test.breaks
        field | rel1
        written | /System/event_handlers/breaks
        why | scripts/actions/breaks.rhai:2:1: the port is taken
        file | automate/ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD.class/test.breaks.yaml:4
        generation | RULES
        2 attributes: {name: test.breaks}
        3 fields:
        4 - rel1: {value: /System/event_handlers/breaks}
        5 - rel4: {value: /System/event_handlers/refresh}
        instance /$/System/event_handlers/breaks an action script actions/breaks.rhai:1
        outcome | ok
        object | /$/System/event_handlers/breaks
        why | an action script
        file | scripts/actions/breaks.rhai:1
        generation | RULES
        1 let x = 1;
        2 throw "the port is taken";
        method method breaks scripts/actions/breaks.rhai:2:1: the port is taken actions/breaks.rhai:1
        outcome | failed
        object | /$/System/event_handlers/breaks
        field | method
        written | breaks
        why | scripts/actions/breaks.rhai:2:1: the port is taken
        file | scripts/actions/breaks.rhai:1
        generation | RULES
        1 let x = 1;
        2 throw "the port is taken";
        relationship rel4 → /System/event_handlers/refresh AWESOME_CLOUD.class/test.breaks.yaml:5
        outcome | not reached
        object | /ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD/test.breaks
        field | rel4
        written | /System/event_handlers/refresh
        file | automate/ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD.class/test.breaks.yaml:5
        generation | RULES
        3 fields:
        4 - rel1: {value: /System/event_handlers/breaks}
        5 - rel4: {value: /System/event_handlers/refresh}
        What did not happen
        method failed in event_handlers/breaks
        scripts/actions/breaks.rhai:2:1: the port is taken
        actions/breaks.rhai:1
        The rest of AWESOME_CLOUD/test.breaks was not reached
        AWESOME_CLOUD.class/test.breaks.yaml:5
        Errors
        1
        UnknownMethodRc
        scripts/actions/breaks.rhai:2:1: the port is taken (field `method`, scripts/actions/breaks.rhai:1)
        /$/System/event_handlers/breaks
        Targets and changes
        No refresh was asked for.
        With today’s rules
        the rules are still RULES
        The decision would be the same, step by step.
        In short
        Filter | let through, so it is saved
        Key | test.breaks/0 a repeat with this key is not saved again
        Linked to | nothing in the inventory
        Rule | /ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD/test.breaks
        Targets | 0
        Refresh | none
        Outcome | failed
    "#]].assert_eq(&part(&text(&html), "test.", "Raw data"));
    // The script's own line is shown where it broke.
    assert!(html.contains("the port is taken"), "{}", main(&html));
}

#[test]
fn an_event_that_acted_shows_its_refresh_and_what_that_changed() {
    let managed = Managed::of(project(), 2, ON);
    managed.until_read();
    managed.until_quiet();
    let objects = managed.cloud.objects();
    let vm = objects.of(Kind::Vm).next().unwrap().0.clone();
    let rename: Change =
        serde_json::from_value(json!({"do": "rename", "vm": vm, "name": "other<b>"})).unwrap();
    managed.cloud.change(&rename).unwrap();
    managed.until_quiet();
    let listed = managed.get("/api/event_streams?limit=1");
    let id = listed
        .pointer("/event_streams/0/id")
        .and_then(Json::as_i64)
        .unwrap();
    let html = event_page(&managed, EventId(id));
    let shown = text(&html).replace(&vm, "VM");
    assert!(
        shown.contains("other<b> was refreshed: name went from"),
        "{shown}"
    );
    assert!(
        shown.contains("The decision would be the same, step by step."),
        "{shown}"
    );
    // Text, never markup.
    assert!(!html.contains("other<b>"), "{html}");
    // The API says the same.
    let api = managed.get(&format!("/api/event_streams/{id}"));
    assert_eq!(api.pointer("/changes/0/change"), Some(&json!("updated")), "{api}");
    assert_eq!(api.pointer("/refreshed/0/state"), Some(&json!("done")));
    assert_eq!(api.pointer("/resources/0/reference"), Some(&json!(vm)));
    for stop in [
        "happened_at",
        "received_at",
        "decided_at",
        "refresh_queued_at",
        "refresh_finished_at",
        "changed_at",
    ] {
        assert!(
            api.pointer(&format!("/journey/{stop}"))
                .is_some_and(Json::is_string),
            "{stop}"
        );
    }
    let simulated = managed.get(&format!("/api/event_streams/{id}/simulation"));
    assert_eq!(simulated.get("steps"), api.get("steps"));
    assert_eq!(simulated.get("targets"), api.get("targets"));
    // The object says because of which event it changed.
    let resource = text(&page(&managed, &format!("/resources/vms/{vm}")));
    let changes = part(&resource, "What changed", "Events").replace(&vm, "VM");
    assert!(changes.contains("com.awesomecloud.vm.update"), "{changes}");
    assert!(
        changes.contains("no event told of it: found by the full refresh"),
        "{changes}"
    );
}

#[test]
fn todays_rules_are_beside_what_was_decided() {
    let managed = Managed::of(project(), 2, ON);
    managed.until_read();
    let id = put(&managed, native("test.lost", &[]));
    let generation = |managed: &Managed| {
        let html = page(managed, "/inventory");
        let start = html.find("rules#reload\" title=\"").unwrap() + "rules#reload\" title=\"".len();
        html.get(start..start + 32).unwrap().to_owned()
    };
    let before = generation(&managed);
    managed.project.write(
        "scripts/actions/nowhere_at_all.rhai",
        "evm.log(\"info\", \"found\");\n",
    );
    managed.until("the rules are others", || generation(&managed) != before);
    let shown = text(&event_page(&managed, id));
    expect![[r#"
        With today’s rules
        RULES to RULES
        actions
        + nowhere_at_all ok
        errors
        - ClassNotFound: `/System/event_handlers` has neither an instance `nowhere_at_all` nor a `.missing` in any enabled domain, so no domain is chosen; `/ManageIQ/Syst… (302 characters)
        steps
        - /ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD/test.lost.rel1 /System/event_handlers/nowhere_at_all missing
        + /ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD/test.lost.rel1 /System/event_handlers/nowhere_at_all followed
        + /$/System/event_handlers/nowhere_at_all ok
        + /$/System/event_handlers/nowhere_at_all.method nowhere_at_all ok
        3 steps as they were
        In short
        Filter | let through, so it is saved
        Key | test.lost/0 a repeat with this key is not saved again
        Linked to | nothing in the inventory
        Rule | /ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD/test.lost
        Targets | 0
        Refresh | none
        Outcome | skipped: its rule did nothing
    "#]].assert_eq(&part(&shown, "With today", "Raw data"));
    assert!(
        shown.contains("Today’s rules would decide otherwise. The rules changed after this event."),
        "{shown}"
    );
}

#[test]
fn hostile_data_is_text_and_credentials_are_masked() {
    let managed = Managed::of(project(), 1, ON);
    managed.until_read();
    let script = "<script>alert(1)</script>\"'\u{202e}\0";
    let mut hash = native(
        "test.<img src=x onerror=alert(1)>",
        &[("vm_name", script), ("message", script)],
    );
    hash.attributes
        .insert(Arc::from("vm_ems_ref"), Value::text("../../vm?x=1#<i>"));
    let long = "w".repeat(1 << 20);
    hash.full_data = FullData::new(json!({"evil": script, "long": long, "password": "hunter2"}).to_string());
    let id = put(&managed, hash);
    let html = event_page(&managed, id);
    for bad in ["<script>alert", "<img src=x", "<i>", "hunter2", "\u{202e}", "\0"] {
        assert!(!main(&html).contains(bad), "{bad}");
    }
    assert!(html.len() < 400_000, "{}", html.len());
    // Its resource has a page of its own, although the inventory knows nothing of it.
    let start = html.find("/resources/vms/").unwrap();
    let address = html.get(start..).unwrap().split('"').next().unwrap();
    let shown = text(&page(&managed, address));
    assert!(
        shown.contains("Not in the inventory. 1 event speaks of it"),
        "{shown}"
    );
    // What rules or clouds say is never a path, a query or a pattern of ours.
    assert!(
        address.starts_with("/resources/vms/..%2F..%2Fvm%3Fx%3D1%23%3Ci%3E?ems=cloud"),
        "{address}"
    );
}

#[test]
fn a_vm_that_is_a_destination_shows_the_event_and_a_removed_manager_keeps_its_rows() {
    let managed = Managed::of(project(), 1, ON);
    managed.until_read();
    let first = put(
        &managed,
        native("test.lost", &[("dest_vm_ems_ref", "vm-far"), ("chain_id", "7")]),
    );
    let second = put(
        &managed,
        native(
            "test.guarded",
            &[("dest_vm_ems_ref", "vm-far"), ("chain_id", "7")],
        ),
    );
    let resource = text(&page(
        &managed,
        "/resources/vms/vm-far?range=30d&from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z",
    ));
    assert!(resource.contains("0 as source, 2 as destination"), "{resource}");
    assert!(
        resource.contains("test.lost") && resource.contains("test.guarded"),
        "{resource}"
    );
    let html = event_page(&managed, second);
    assert!(text(&html).contains("to VM vm-far"), "{}", text(&html));
    // Those of one chain, and the one before it about the same VM, are one step away.
    assert!(text(&html).contains("Same chain"), "{}", text(&html));
    assert!(
        html.contains(&format!(
            "<a class=\"btn\" href=\"/events/{}\" rel=\"prev\">",
            first.0
        )),
        "{}",
        main(&html)
    );
    managed.vmdb().ems_remove("cloud").wait().unwrap();
    assert!(text(&event_page(&managed, first)).contains("manager cloud"));
    let resource = text(&page(&managed, "/resources/vms/vm-far?ems=cloud"));
    assert!(resource.contains("cloud removed"), "{resource}");
    assert!(
        text(&page(&managed, "/managers/cloud"))
            .contains("Removed. Its events and its inventory stay readable.")
    );
}

#[test]
fn one_of_a_flood_leads_to_the_one_that_was_decided() {
    let managed = Managed::of(project(), 1, ON);
    managed.until_read();
    let leader = put(&managed, native("test.lost", &[]));
    let mut hash = native("test.tells", &[]);
    let into = BTreeMap::from([(Arc::from("folded_into"), Value::Int(leader.0))]);
    hash.attributes
        .insert(Arc::from("flood"), Value::Map(Arc::new(into)));
    let html = event_page(&managed, put(&managed, hash));
    let expected = format!("decided together with event {}, where the decision is.", leader.0);
    assert!(verdict(&html).contains(&expected), "{}", verdict(&html));
    assert!(html.contains(&format!("href=\"/events/{}\"", leader.0)));
    // What it would be alone says nothing of it.
    assert!(!html.contains("With today"), "{}", main(&html));
}

#[test]
fn the_inventory_is_found_by_name_and_counted() {
    let managed = Managed::of(project(), 3, ON);
    managed.until_read();
    let all = text(&page(&managed, "/inventory"));
    assert!(all.contains("VMs | 3 | 0"), "{all}");
    let vm = managed.get("/api/inventory/vms?limit=1");
    assert_eq!(vm.get("count"), Some(&json!(3)));
    let name = vm
        .pointer("/inventory/0/attributes/name")
        .and_then(Json::as_str)
        .unwrap();
    let id = vm.pointer("/inventory/0/id").and_then(Json::as_i64).unwrap();
    let found = text(&page(&managed, &format!("/inventory?association=vms&q={name}")));
    assert!(found.contains("1 VM\n") && found.contains(name), "{found}");
    assert!(text(&page(&managed, "/inventory?association=vms&q=100%25_")).contains("There is none."));
    let one = managed.get(&format!("/api/inventory/vms/{id}"));
    assert_eq!(one.pointer("/history/0/because"), Some(&json!("full")), "{one}");
    assert!(one.get("read_at").is_some_and(Json::is_string));
    for (path, status) in [
        ("/events/999999", 404),
        ("/events/x", 404),
        ("/resources/vms/nobody", 404),
        ("/managers/nobody", 404),
        ("/inventory?ems=nobody", 400),
        ("/managers/cloud?range=1y", 400),
    ] {
        assert_eq!(get(managed.address(), path).status, status, "{path}");
    }
}
