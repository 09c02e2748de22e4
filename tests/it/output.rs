//! What data cannot do to the output: no text of a cloud or of a file breaks a table, steers a terminal, or passes for
//! a line of its own.
#![expect(clippy::unwrap_used, reason = "tests")]

use expect_test::expect;
use serde_json::json;
use switchboard::model::unseen::is_unseen;
use unicode_width::UnicodeWidthStr;

use crate::support::project::Project;
use crate::support::serving::Serving;
use crate::support::serving::pause;

/// No line of the output is wider; only the full data that `queue show` and `event show` were asked for is whole.
const WIDEST: usize = 600;

fn hostile() -> Vec<String> {
    let texts = [
        "\u{1b}[2J\u{1b}[31mred",
        "turned\u{202e}around",
        "漢字仮名のイベント",
        "👩\u{200d}💻 and 🇩🇪 and ❤\u{fe0f}",
        "z\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}algo",
        "zero\u{200b}width\u{feff}",
        "line\nfeed\u{2028}and\u{85}more",
        "tab\tbed",
        "\u{9b}31mC1",
        "tag\u{e0041}\u{e007f}s",
        "plain",
    ];
    let long = ["t".repeat(65_600), "漢".repeat(65_600), "\u{301}".repeat(70_000)];
    texts.map(str::to_owned).into_iter().chain(long).collect()
}

/// What a command prints, on both ways, which has to be harmless.
fn told(project: &Project, line: &str) -> String {
    let output = project.output(&line.split(' ').collect::<Vec<_>>(), "");
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(
        output.status.code().is_some_and(|code| code < 2),
        "{line}: {told}"
    );
    let unseen: Vec<char> = told.chars().filter(|c| is_unseen(*c) && *c != '\n').collect();
    assert!(unseen.is_empty(), "{line}: {unseen:?}");
    told
}

/// The columns in which the cells of a title begin are the same in every row.
fn aligned(table: &str, title: &str) {
    let mut lines = table.lines();
    let heads = lines.next().unwrap();
    let place = heads.find(title).unwrap();
    for line in lines {
        assert!(line.width() <= WIDEST, "{line}");
        let mut before = String::new();
        for c in line.chars() {
            if before.width() == place {
                break;
            }
            before.push(c);
        }
        assert_eq!(before.width(), place, "`{title}` is shifted: {line}");
        assert!(before.ends_with("  "), "`{title}` is shifted: {line}");
    }
}

#[test]
fn no_event_breaks_a_table_or_steers_a_terminal() {
    let project = Project::shipped();
    told(&project, "ems add 云 --type awesome_cloud");
    let mut messages: Vec<_> = hostile()
        .iter()
        .enumerate()
        .map(|(number, text)| {
            json!({ "id": format!("e-{number}"), "event_name": text, "vm": { "id": text, "name": text } })
        })
        .collect();
    // These ask for a refresh.
    messages.extend(hostile().iter().enumerate().map(|(number, text)| {
        let vm = json!({ "id": text, "name": text });
        json!({ "id": format!("r-{number}"), "event_name": "com.awesomecloud.vm.create", "vm": vm })
    }));
    let events = messages.len();
    // Those of this one wait in the queue, with the reason.
    messages.extend(
        hostile()
            .iter()
            .map(|text| json!({ "id": text, "event_name": [text] })),
    );
    let serving = Serving::start(&project, &[]);
    let answer = serving.ask(
        "POST /events/%E4%BA%91",
        &serde_json::to_string(&messages).unwrap(),
    );
    assert_eq!(answer.status, 202, "{answer:?}");
    let saved = |line: &str| told(&project, line).lines().count();
    while saved("event list --limit 0 --ems 云") <= events {
        pause();
    }
    for (line, titles) in [
        (
            "event list",
            &["TIME", "EMS", "EVENT TYPE", "GROUP", "LEVEL", "RESOURCE"][..],
        ),
        (
            "queue list",
            &[
                "KIND",
                "STATE",
                "EMS",
                "EVENT TYPE",
                "ATTEMPTS",
                "RECEIVED",
                "ERROR",
            ],
        ),
        ("refresh list", &["EMS", "STATE", "WHAT", "EVENTS", "REQUESTED"]),
        (
            "ems list",
            &["TYPE", "ENABLED", "LAG", "URL", "CREDENTIALS", "CATCHER"],
        ),
    ] {
        let table = told(&project, line);
        assert!(table.lines().count() > 1, "{line}: {table}");
        titles.iter().for_each(|title| aligned(&table, title));
    }
    for id in 1..=3 * hostile().len() {
        let event = format!("event show {id}");
        let output = project.output(&event.split(' ').collect::<Vec<_>>(), "");
        if output.status.success() {
            let shown = told(&project, &event);
            let mut decision = shown.lines().take_while(|line| *line != "full_data");
            assert!(decision.all(|line| line.width() <= 1_200), "{shown}");
        } else {
            told(&project, &format!("queue show {id}"));
        }
    }
    told(&project, "refresh show 1");
    told(&project, "verify");
}

#[test]
fn no_simulated_event_breaks_the_tree() {
    let project = Project::shipped();
    for text in hostile().iter().filter(|text| text.len() < 100_000) {
        let line = json!({
            "source": "AWESOME_CLOUD", "event_type": text,
            "attributes": { "vm_ems_ref": text, "full_data": { text.as_str(): text } },
        });
        let output = project.output(
            &["simulate", "--ndjson", "--format", "text", "--workspace"],
            &line.to_string(),
        );
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(
            told.lines().count() > 5 && !told.contains(|c| is_unseen(c) && c != '\n'),
            "{told}"
        );
        assert!(told.lines().all(|line| line.width() <= 1_200), "{told}");
    }
}

#[test]
fn a_finding_shows_the_place_in_a_long_or_hostile_line() {
    let project = Project::new(
        "//- automate/Site/__domain__.yaml
object_type: domain
version: 1.0
object:
  attributes: {name: Site, priority: 1}
//- automate/Site/Lab/__namespace__.yaml
object_type: namespace
version: 1.0
object:
  attributes: {name: Lab}
//- automate/Site/Lab/Box.class/__class__.yaml
object_type: class
version: 1.0
object:
  attributes: {name: Box}
  schema:
  - field: {aetype: assertion, name: guard, priority: 1}
",
    );
    let instance = |name: &str, attributes: &str| {
        let text = format!(
            "object_type: instance\nversion: 1.0\nobject:\n  attributes: {{name: {name}, {attributes}}}\n"
        );
        project.write(&format!("automate/Site/Lab/Box.class/{name}.yaml"), &text);
    };
    instance(
        "long",
        &format!("description: {}, colour: red", "d".repeat(6_000)),
    );
    instance("wide", "description: 漢字仮名 👍, colour: red");
    instance("turned", "description: \"a\u{202e}b\", colour: red");
    expect![[r#"
        warning[UnknownKey]: `colour` is not read
         --> automate/Site/Lab/Box.class/long.yaml:4:6043
          |
        4 | …ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd, colour: red}
          |                                                                                 ^

        warning[UnknownKey]: `colour` is not read
         --> automate/Site/Lab/Box.class/turned.yaml:4:50
          |
        4 |   attributes: {name: turned, description: "a\u{202e}b", colour: red}
          |                                                         ^

        warning[UnknownKey]: `colour` is not read
         --> automate/Site/Lab/Box.class/wide.yaml:4:49
          |
        4 |   attributes: {name: wide, description: 漢字仮名 👍, colour: red}
          |                                                      ^

        checked 6 files: 0 errors, 3 warnings
    "#]]
    .assert_eq(&told(&project, "check"));
}

#[test]
fn a_text_that_a_rule_logs_is_no_line_of_its_own() {
    let project = Project::copied();
    project.write(
        "scripts/actions/tell.rhai",
        "evm.log(\"error\", `about ${evm.object.vm}`);\nevm.log(\"warn\", evm.object.vm);\nevm.root.said = evm.object.vm;\n",
    );
    let uri = "/System/event_handlers/tell?vm=web%0A2026-03-01T12:00:00Z%20ERROR%20switchboard::vmdb:%20%1b[31mlost%E2%80%AE";
    let output = project.output(&["simulate", "--uri", uri], "");
    let logged = String::from_utf8(output.stderr).unwrap();
    assert_eq!(logged.lines().count(), 2, "{logged}");
    assert!(
        logged.contains(r"about web\n2026-03-01T12:00:00Z ERROR switchboard::vmdb: "),
        "{logged}"
    );
    assert!(!logged.contains(|c| is_unseen(c) && c != '\n'), "{logged:?}");
    // An error is told in the same way.
    let output = project.output(&["event", "list", "--ems", "no\nerror: \u{1b}[31mforged"], "");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.lines().count() <= 2 && !told.contains('\u{1b}'), "{told}");
}

#[test]
fn a_manager_has_a_name_that_can_be_seen() {
    let project = Project::shipped();
    for name in ["prod\u{200b}", "a\u{202e}b", "a\nb", " "] {
        let output = project.output(&["ems", "add", name, "--type", "awesome_cloud"], "");
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("cannot be the name of a manager"), "{told}");
    }
}
