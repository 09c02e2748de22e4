//! The pages Rules and Operations over a real port: what they say, as text, and that they lead where they should.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::LazyLock;

use expect_test::Expect;
use expect_test::expect;
use regex::Regex;
use serde_json::json;

use crate::rule_figures::RULES;
use crate::support::project::Project;
use crate::support::served::Served;

const PARSER: &str = "//- scripts/awesome_cloud/event_parser.rhai
fn event_to_hash(event, ems_id) {
    if event.at(\"/type\") == () { throw \"the event has no type\"; }
    #{ event_type: event.at(\"/type\"), source: \"TICKS\", ems_ref: event.at(\"/id\") }
}
";

/// Appliance with the rules of the figures, and events of every kind.
fn ticking() -> Served {
    let served = Served::of(Project::new(&format!("{RULES}{PARSER}")), "");
    let types = ["TICK", "tick", "tock", "deep", "tikc", "tikc", "tikc"];
    let events = types.iter().zip(1..);
    let events: Vec<String> = events
        .map(|(event_type, id)| format!(r#"{{"id": "{id}", "type": "{event_type}"}}"#))
        .collect();
    assert_eq!(served.post(&format!("[{}]", events.join(","))).status, 202);
    assert_eq!(served.post(r#"{"id": "<b>8"}"#).status, 202);
    served.until_saved(7);
    served.until("/api/queue", |answer| {
        answer.json()["counts"]["ready"] == json!(0)
    });
    served.until("/api/queue?state=dead", |answer| {
        answer.json()["queue"] != json!([])
    });
    served
}

fn matching(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

/// What a page says: one line a heading, a row, a paragraph.
fn text(html: &str) -> String {
    static CUTS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        vec![
            (matching(r"(?s)^.*<main[^>]*>|</main>.*$"), ""),
            (matching(r"(?s)<select.*?</select>"), "[select]"),
            (matching(r"</(h1|h2|h3|p|tr|dd|div|header)>"), "\n"),
            (matching(r"</(th|td|dt|button)>"), " | "),
            (matching(r"<wbr>"), ""),
            (matching(r"<[^>]*>"), ""),
            (matching(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?"), "[time]"),
            (matching(r"\b[0-9a-f]{7}\b"), "[generation]"),
            (
                matching(r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]+"),
                "[date]",
            ),
            (matching(r"[0-9.,]+ (ms|s|KB|MB|GB|TB|B)\b"), "[size]"),
            // How full the disk is that the tests run on is no matter.
            (matching(r"( and|,)? [Tt]he disk has \[size\] left"), ""),
        ]
    });
    let mut text = html.to_owned();
    for (cut, by) in CUTS.iter() {
        text = cut.replace_all(&text, *by).into_owned();
    }
    let text = text.replace("&amp;", "&").replace("&quot;", "\"");
    let lines = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let lines = lines.map(|line| line.trim_matches([' ', '|']).to_owned());
    lines
        .filter(|line| !line.is_empty())
        .map(|line| line + "\n")
        .collect()
}

fn says(served: &Served, path: &str, expected: &Expect) {
    let page = served.get(path);
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(
        !page.body.contains("style=") && !page.body.contains("<script>"),
        "{path}"
    );
    expected.assert_eq(&text(&page.body));
}

#[test]
fn the_rules_page_says_which_rules_work_fail_and_sleep() {
    let served = ticking();
    says(
        &served,
        "/rules",
        &expect![[r#"
        Rules
        7 instances in 2 domains. 1 of the 7 shown is silent, no findings.
        Find a ruleReload now
        In force since today at [time]
        [generation]
        Tree
        30 days to now, the busiest first
        Instance | Fired, by day | Fired | Failed | Last | Budget, most
        Site your domain, priority 5, covers lower ones
        System/Ticks 1 instance
        Tickcovers
        2 | | [time] | 30 %
        Base your domain, priority 1
        System/Process 1 instance
        Event
        7 | | [time] | 0 %
        System/Ticks 5 instances
        .missing
        3 | | [time] | 0 %
        broken
        1 | 1 | [time] | 100 %
        deep
        1 | | [time] | 0 %
        tock
        1 | | [time] | 0 %
        tickcovered
        silent | | never
        Findings
        switchboard check
        Nothing is wrong in the rules and scripts in force.
        Types without a rule
        1 type in 30 days
        Type | Provider | Events
        tikc | AWESOME_CLOUD | 3
    "#]],
    );
    says(
        &served,
        "/rules?q=BROKEN",
        &expect![[r#"
        Rules
        7 instances in 2 domains. 0 of the 1 shown are silent, no findings.
        Find a ruleReload now
        In force since today at [time]
        [generation]
        Tree
        1 found. Show all 7
        Instance | Fired, by day | Fired | Failed | Last | Budget, most
        Base your domain, priority 1
        System/Ticks 1 instance
        broken
        1 | 1 | [time] | 100 %
        Findings
        switchboard check
        Nothing is wrong in the rules and scripts in force.
        Types without a rule
        1 type in 30 days
        Type | Provider | Events
        tikc | AWESOME_CLOUD | 3
    "#]],
    );
    says(
        &served,
        "/rules/file?path=automate/Base/System/Ticks.class/tick.yaml",
        &expect![[r#"
            Rules
            7 instances in 2 domains. 1 of the 7 shown is silent, no findings.
            Find a ruleReload now
            In force since today at [time]
            [generation]
            Tree
            30 days to now, the busiest first
            Instance | Fired, by day | Fired | Failed | Last | Budget, most
            Site your domain, priority 5, covers lower ones
            System/Ticks 1 instance
            Tickcovers
            2 | | [time] | 30 %
            Base your domain, priority 1
            System/Ticks 5 instances
            .missing
            3 | | [time] | 0 %
            broken
            1 | 1 | [time] | 100 %
            deep
            1 | | [time] | 0 %
            tock
            1 | | [time] | 0 %
            tickcovered
            silent | | never
            System/Process 1 instance
            Event
            7 | | [time] | 0 %
            tick.yaml
            Base, covered by Site
            1object: {attributes: {name: tick}, fields: [{run: {value: busy}}]}
            What it did
            30 days
            Instance | /Base/System/Ticks/tick
            Fired | never
            Covered by | /Site/System/Ticks/Tick
        "#]],
    );
    let gone = served.get("/rules/file?path=automate/../settings.yml");
    assert_eq!(gone.status, 404);
    assert!(gone.body.contains("the rules in force have no file"), "{gone:?}");
    assert_eq!(served.get("/rules/file").status, 400);
}

#[test]
fn findings_stand_under_their_line_and_passwords_are_masked() {
    let wrong = "//- automate/Site/System/Ticks.class/wrong.yaml
object:
  attributes: {name: wrong}
  fields:
  - rum: {value: busy}
//- automate/Site/System/Keys.class/__class__.yaml
object:
  attributes: {name: Keys}
  schema:
  - field: {name: key, aetype: attribute, datatype: password, priority: 1}
//- automate/Site/System/Keys.class/one.yaml
object: {attributes: {name: one}, fields: [{key: {value: hunter2}}]}
";
    let served = Served::of(Project::new(&format!("{RULES}{PARSER}{wrong}")), "");
    let page = served
        .get("/rules/file?path=automate/Site/System/Ticks.class/wrong.yaml")
        .body;
    let (_, line) = page.split_once("id=\"L4\"").unwrap();
    let (_, below) = line.split_once("class=\"find error\"").unwrap();
    assert!(
        below.contains("Did you mean `run`?") || below.contains("did you mean `run`?"),
        "{below}"
    );
    let secret = served
        .get("/rules/file?path=automate/Site/System/Keys.class/one.yaml")
        .body;
    assert!(secret.contains("********") && !secret.contains("hunter2"));
}

#[test]
fn the_operations_page_says_the_worst_first_and_what_to_press() {
    let served = ticking();
    // The supervisor has looked at the manager.
    served.until("/api/catchers", |answer| {
        !answer.json()["catchers"][0]["catcher"].is_null()
    });
    says(
        &served,
        "/operations",
        &expect![[r#"
        Operations
        1 dead letter waits for you. Everything else keeps up.
        as of [time] Pause updates
        Events in the last hour | 7
        Waiting to be decided | 0
        Targets waiting | 0
        Dead letters | 1 oldest [size]
        Disk | [size] [size] free
        Catchers
        one for each manager
        Manager | State | Last kept | Events, last 24 h | Cursor | Today | Ignored | Actions
        my_cloud awesome_cloud | Events are pushed | | | | 8 | 0
        Dead letters
        Retry all 1 dead letters
        DL-8 | message of my_cloudscripts/awesome_cloud/event_parser.rhai:2:34: the event has no type | [size] | Retry DL-8 | Discard DL-8
        Queue
        in order for each resource
        Lane | Waiting | Later | Oldest
        Events to decide | 0 | 0
        Refreshes | 0 | 0
        Outside effects | 0 | 0
        Refreshes
        0 run, 0 wait, 0 went well, 0 failed
        None yet. Events ask for them, and so can you.
        Manager[select] Target Refresh now | Refresh everything
        Rules in use
        Last reload
        Generation | [generation], of 17 files
        Loaded | [time]
        Watching | every folder of rules, scripts and settings
        Storage
        SQLite
        [size] of [size] used[size] of [size] used on the disk, [size] free.
        Database | [size], and [size] of log
        Events | 7
        Oldest | [date]
        Backup | switchboard backup TO
    "#]],
    );
    // What fails carries markup; the page does not.
    let page = served.get("/operations").body;
    assert!(page.contains("action=\"/api/queue/8/retry\""), "{page}");
    let part = served.get("/operations?part=1").body;
    assert!(
        part.starts_with("<div class=\"pagehead\">") && !part.contains("<html"),
        "{part}"
    );
    let discard = "POST /api/queue/8/discard";
    let form = "Content-Type: application/x-www-form-urlencoded";
    let origin = "Origin: http://localhost";
    let answer = served.request(discard, &[form, origin], "back=%2Foperations");
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some("/operations"))
    );
    let after = text(&served.get("/operations").body);
    assert!(
        !after.contains("dead letter wait") && after.contains("None. What fails for good"),
        "{after}"
    );
}
