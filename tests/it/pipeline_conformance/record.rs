//! Statements about the event record that no other test shows.

use crate::support::process::Process;
use crate::support::process::prepared;
use crate::support::process::project;
use crate::support::project::Project;

#[test]
fn c34_an_event_without_a_type_is_kept_with_a_clear_error() {
    for returned in [
        "#{ source: \"X\" }",
        "#{ event_type: (), source: \"X\" }",
        "#{ event_type: \"\", source: \"X\" }",
    ] {
        let own = Project::new(&format!(
            "//- automate/none\n//- scripts/awesome_cloud/event_parser.rhai\nfn event_to_hash(event, ems_id) {{ {returned} }}\n"
        ));
        let project = prepared(own, "", "");
        let process = Process::start(&project);
        let answer = process.post("{\"id\": 1}");
        assert_eq!(
            answer.json(),
            serde_json::json!({"accepted": 1, "unparsed": 1}),
            "{returned}"
        );
        let dead = process.get("/api/queue?state=dead").json();
        let error = dead["queue"][0]["error"].as_str().unwrap();
        assert!(
            error.starts_with("scripts/awesome_cloud/event_parser.rhai:"),
            "{error}"
        );
        assert!(error.contains("event_type"), "{error}");
    }
}

#[test]
fn c45_times_are_kept_to_the_microsecond_and_longer_ones_are_cut() {
    let project = project("", "");
    let process = Process::start(&project);
    for (number, (time, kept)) in [
        ("2026-01-01T12:00:00.1234567Z", "2026-01-01T12:00:00.123456Z"),
        ("2026-01-01T12:00:00.999999999Z", "2026-01-01T12:00:00.999999Z"),
        ("2026-01-01T13:00:00.5+01:00", "2026-01-01T12:00:00.5Z"),
        ("2026-01-01T12:00:00Z", "2026-01-01T12:00:00Z"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = number + 1;
        let body =
            format!(r#"{{"id": "e-{id}", "event_name": "com.awesomecloud.vm.create", "time": "{time}"}}"#);
        assert_eq!(process.post(&body).status, 202);
        let shown = process.until(&format!("/api/event_streams/{id}"), |json| json["id"] == id);
        assert_eq!(shown["timestamp"], kept, "{time}");
    }
}

#[test]
fn c59_events_of_a_removed_manager_stay_readable_under_its_name() {
    let project = project("", "");
    let process = Process::start(&project);
    let body = r#"{"id": "e-1", "event_name": "com.awesomecloud.vm.create", "vm": {"id": "vm-1"}}"#;
    assert_eq!(process.post(body).status, 202);
    process.until_saved(vec!["e-1".to_owned()]);
    let told = project.run("ems remove my_cloud");
    assert!(told.contains("removed manager my_cloud"), "{told}");
    for path in ["/api/event_streams", "/api/event_streams/1"] {
        let shown = process.get(path).json();
        let event = shown.get("event_streams").map_or(&shown, |list| &list[0]);
        assert_eq!(
            (&event["ems"], &event["ems_ref"]),
            (&"my_cloud".into(), &"e-1".into()),
            "{path}"
        );
    }
    let told = project.run("event show 1");
    assert!(told.contains("my_cloud"), "{told}");
    // With its full data, as the help says.
    assert!(
        told.contains("\nfull_data\n        {\n          \"id\": \"e-1\",\n"),
        "{told}"
    );
    // Another one of that name is another one: the same event of it is new.
    let told = project.run("ems add my_cloud --type awesome_cloud");
    assert!(told.contains("added"), "{told}");
    // That it is another one, the process that serves knows within a second.
    process.until("/api/event_streams", |json| {
        assert_eq!(process.post(body).status, 202);
        json["event_streams"].as_array().map(Vec::len) == Some(2)
    });
}
