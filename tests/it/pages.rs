//! The pages as text: what a person reads, without a browser.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use expect_test::expect;
use regex::Regex;

use crate::support::project::Project;
use crate::support::served::Served;

/// The address of this page, with settings that hide what differs from run to run.
fn shown(served: &Served, path: &str) -> String {
    let answer = served.request(&format!("GET {path}"), &["Accept: text/html"], "");
    assert_eq!(answer.status, 200, "{path} {answer:?}");
    answer.body
}

/// The part of a page that an element with this id holds, without its markup.
fn text_of(page: &str, id: &str) -> String {
    let Some((_, rest)) = page.split_once(&format!("id=\"{id}\"")) else {
        panic!("no {id} in {page}")
    };
    let (_, rest) = rest.split_once('>').unwrap();
    let end = ["</tbody>", "</p>", "</div>"]
        .iter()
        .filter_map(|end| rest.find(end))
        .min()
        .unwrap();
    text(rest.get(..end).unwrap())
}

/// What is left without markup, a line each piece.
fn text(html: &str) -> String {
    let rows = html.replace("</tr>", "\n");
    let bare = Regex::new("<[^>]*>")
        .unwrap()
        .replace_all(&rows, " ")
        .into_owned();
    let lines = bare
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

fn native(id: &str, name: &str, second: u32, vm: &str) -> String {
    format!(
        r#"{{"id": "{id}", "event_name": "{name}", "time": "2026-01-01T11:00:{second:02}Z",
             "vm": {{"id": "{vm}", "name": {vm:?}}}}}"#
    )
}

const SPAN: &str = "from=2026-01-01T11:00:00Z&to=2026-01-01T11:01:00Z";

#[test]
fn the_timeline_says_what_came_and_what_was_done() {
    let served = Served::with("");
    let events = [
        native("e-1", "com.awesomecloud.vm.create", 1, "vm-1"),
        native("e-2", "com.awesomecloud.nobody.knows", 2, "vm-2"),
        native("e-3", "com.awesomecloud.vm.power_off", 3, "vm-1"),
    ];
    assert_eq!(served.post(&format!("[{}]", events.join(","))).status, 202);
    served.until_saved(3);
    let page = shown(&served, &format!("/?{SPAN}"));
    expect![[r"
        3 events from 1 manager. None failed, 1 met no rule ."]]
    .assert_eq(&text_of(&page, "summary"));
    let rows = text_of(&page, "rows");
    assert!(
        rows.starts_with("Thursday, Jan 1\n11:00:03 detail com. awesomecloud. vm. power_ off vm-1 my_cloud"),
        "{rows}"
    );
    assert!(
        rows.contains("11:00:02 detail com. awesomecloud. nobody. knows vm-2 my_cloud No rule for this type"),
        "{rows}"
    );
    assert!(
        page.contains(r##"<use class="p detail acted" href="#m-detail""##),
        "{page}"
    );
    assert!(
        page.contains(r##"<use class="p detail norule" href="#m-detail""##),
        "{page}"
    );
    assert!(page.contains("Each mark is one event"));

    let narrowed = shown(&served, &format!("/?{SPAN}&outcome=norule&q=nobody"));
    assert_eq!(
        text_of(&narrowed, "summary"),
        "1 event from 1 manager. None failed."
    );
    let none = shown(&served, &format!("/?{SPAN}&group=console"));
    assert!(
        text(&none).contains("No events match. 3 events lie in this range without the filters."),
        "{none}"
    );
    // Times are those of the zone.
    let there = shown(&served, "/?from=2026-01-01T13:00&to=2026-01-01T13:01&tz=%2B02:00");
    assert!(text_of(&there, "rows").contains("13:00:03 detail"), "{there}");
}

#[test]
fn an_address_that_means_nothing_is_told_why() {
    let served = Served::with("");
    for (path, expected) in [
        ("/?range=2h", "`range` is one of 1h, 6h, 24h, 7d, 30d"),
        (
            "/?from=yesterday",
            "`from` is no time; one such as 2026-03-14T15:00:00Z or 2026-03-14T15:00 is expected",
        ),
        (
            "/?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
            "the end lies before the start",
        ),
        (
            "/?outcome=done",
            "`done` is no outcome; one of acted, folded, skipped, norule, failed, waiting is expected",
        ),
        ("/?tz=../etc", "`tz` is no zone"),
        ("/?ems=nobody", "there is no manager `nobody`"),
        ("/?lanes=vm", "`lanes` is group or resource"),
    ] {
        let answer = served.request(&format!("GET {path}"), &["Accept: text/html"], "");
        assert_eq!(answer.status, 400, "{path}");
        assert!(
            text(&answer.body).contains(expected),
            "{path}: {}",
            text(&answer.body)
        );
    }
}

#[test]
fn an_empty_database_says_how_to_begin() {
    let served = Served::with("");
    served.vmdb().ems_remove("my_cloud").wait().unwrap();
    let page = text(&shown(&served, "/"));
    assert!(
        page.contains("No events yet. No manager has been added."),
        "{page}"
    );
    assert!(page.contains("switchboard ems add"), "{page}");
}

#[test]
fn what_an_event_says_is_text_wherever_it_is_shown() {
    let served = Served::with("");
    let hostile = r#"<script>alert(1)</script>"#;
    let event = native(
        "e-1",
        &format!("com.awesomecloud.vm.{hostile}"),
        1,
        &format!("{hostile}'"),
    );
    assert_eq!(served.post(&event).status, 202);
    served.until_saved(1);
    for lanes in ["group", "resource"] {
        let page = shown(&served, &format!("/?{SPAN}&lanes={lanes}"));
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    }
}

#[test]
fn assets_are_kept_for_ever_under_the_address_of_their_version() {
    let served = Served::with("");
    let page = shown(&served, "/");
    let found = Regex::new(r#"/assets/[a-z.]+\?v=[0-9a-f]{12}"#).unwrap();
    let assets: Vec<&str> = found.find_iter(&page).map(|found| found.as_str()).collect();
    assert_eq!(assets.len(), 3, "{assets:?}");
    for address in assets {
        let asset = served.get(address);
        assert_eq!(asset.status, 200);
        assert_eq!(
            asset.header("Cache-Control"),
            Some("public, max-age=31536000, immutable")
        );
        let (bare, _) = address.split_once('?').unwrap();
        assert_eq!(served.get(bare).header("Cache-Control"), Some("no-cache"));
    }
    assert_eq!(served.get("/assets/nothing").status, 404);
    assert!(!page.contains("style=") && !page.contains("onclick"), "{page}");
}

#[test]
fn reloads_of_the_rules_are_flags_over_the_lanes() {
    // Its own copy of the rules: it changes one.
    let served = Served::of(Project::copied(), "");
    let event =
        native("e-1", "com.awesomecloud.vm.create", 1, "vm-1").replace("2026-01-01T11:00:01Z", &now());
    assert_eq!(served.post(&event).status, 202);
    served.until_saved(1);
    let reload = served.request("POST /api/automate/reload", &[], "");
    assert_eq!(reload.status, 200, "{reload:?}");
    let file = "automate/ManageIQ/System/Process.class/Event.yaml";
    let rule = std::fs::read_to_string(served.project.path(file)).unwrap();
    served.project.write(file, &format!("{rule}# changed\n"));
    served.until("/api/reloads", |answer| {
        answer.json()["reloads"] != serde_json::json!([])
    });
    let page = shown(&served, "/?range=1h");
    assert!(page.contains(r##"<use class="flag" href="#m-flag""##), "{page}");
    assert!(page.contains("1 reload of the rules"), "{page}");
}

/// The time of the machine.
fn now() -> String {
    switchboard::model::clock::Clock::System.now().to_string()
}
