//! `switchboard verify` against what a sender knows: a ledger, probes through a running system, kills.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::env;
use std::path::Path;

use expect_test::expect;
use rusqlite::Connection;
use serde_json::Value;
use switchboard::model::clock::Clock;
use switchboard::verify::ledger::Ledger;
use switchboard::verify::ledger::LedgerLine;
use switchboard::verify::ledger::LedgerWriter;
use switchboard::verify::ledger::Sha256Text;
use switchboard::verify::oracle;
use switchboard::verify::oracle::Sums;
use switchboard::vmdb;
use switchboard::vmdb::DatabaseUrl;

use crate::support::posting::Process;
use crate::support::project::Project;
use crate::support::served::Served;

fn event(number: u32) -> String {
    format!(
        r#"{{"id": "e-{number}",  "event_name": "com.awesomecloud.vm.create", "vm": {{"id": "vm-{number}"}}, "é": 1.50}}"#
    )
}

fn line(key: &str, body: &str, answered: Option<bool>) -> LedgerLine {
    LedgerLine {
        ems: "my_cloud".to_owned(),
        key: key.to_owned(),
        sha256: Some(Sha256Text::of(body.as_bytes())),
        answered,
    }
}

/// An appliance with ten events, and the ledger of who sent them.
fn sent() -> Served {
    let served = Served::with("");
    let mut ledger = LedgerWriter::append_to(&served.project.path("ledger")).unwrap();
    for number in 1..=10 {
        let (key, body) = (format!("e-{number}"), event(number));
        ledger.write([&line(&key, &body, None)]).unwrap();
        assert_eq!(served.post(&body).status, 202);
        // Of the last one the sender never got the answer.
        if number < 10 {
            ledger.write([&line(&key, &body, Some(true))]).unwrap();
        }
    }
    // One that was refused, one that never arrived, and one that nobody can parse.
    ledger
        .write([
            &line("refused", "{", Some(false)),
            &line("unanswered", "{}", None),
        ])
        .unwrap();
    let broken = r#"{"id": "broken"}"#;
    assert_eq!(served.post(broken).status, 202);
    ledger.write([&line("broken", broken, Some(true))]).unwrap();
    served.until_saved(10);
    served
}

fn compare(database: &Path, ledger: &Path) -> (Sums, Vec<String>) {
    let mut found = Vec::new();
    let ledger = Ledger::read(ledger).unwrap();
    let sums = oracle::check(
        &DatabaseUrl::sqlite(database),
        &ledger,
        &Clock::System,
        |finding| {
            if finding.code != "LittleRoom" {
                found.push(format!("{} {}", finding.code, finding.place));
            }
        },
    );
    (sums.unwrap(), found)
}

#[test]
fn a_ledger_of_what_was_sent_agrees_with_a_sound_database() {
    let served = sent();
    let (sums, found) = compare(&served.project.path("test.db"), &served.project.path("ledger"));
    assert_eq!(found, [""; 0]);
    let expected = Sums {
        sent: 13,
        answered: 10,
        stored: 10,
        dead: 1,
        ..Sums::default()
    };
    assert_eq!(sums, expected);
}

#[test]
fn what_is_lost_changed_made_up_or_doubled_is_told_by_its_key() {
    let served = sent();
    let ledger = served.project.path("ledger");
    // Each mends the books, as whoever wanted to hide it would.
    let books = |change: &str| format!("UPDATE tallies SET {change};");
    let counts = |table: &str, seconds: i64| {
        format!(
            "UPDATE {table} SET events = events - 1 WHERE (start, kind_id, outcome) = \
             (SELECT ifnull(timestamp, received_at) / ({seconds} * 1000000) * {seconds}, k.id, outcome \
             FROM event_streams JOIN event_kinds k USING (event_type, group_name, level) WHERE event_streams.id = 4);"
        )
    };
    let cases = [
        (
            format!(
                "{} {} DELETE FROM native_events WHERE id = 4; DELETE FROM event_streams WHERE id = 4; \
                 DELETE FROM deliveries WHERE event_id = 4; DELETE FROM event_refreshes WHERE event_id = 4; {}",
                counts("event_minutes", 60),
                counts("event_hours", 3_600),
                books("received = received - 1, accepted = accepted - 1, delivered = delivered - 1")
            ),
            "Lost key `e-4` of my_cloud",
            Sums {
                lost: 1,
                ..Sums::default()
            },
        ),
        (
            format!(
                "DELETE FROM native_events WHERE id = 11; DELETE FROM miq_queue; {}",
                books("received = received - 1, accepted = accepted - 1, dead = 0")
            ),
            "Lost key `broken` of my_cloud",
            Sums {
                lost: 1,
                ..Sums::default()
            },
        ),
        (
            "UPDATE native_events SET full_data = '{}', \
             digest = x'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a' WHERE id = 4"
                .to_owned(),
            "Changed event 4",
            Sums {
                changed: 1,
                ..Sums::default()
            },
        ),
        (
            "UPDATE event_streams SET event_key = 'e-99' WHERE id = 10".to_owned(),
            "NotSent event 10",
            Sums {
                made_up: 1,
                faults: 1,
                ..Sums::default()
            },
        ),
        (
            "UPDATE event_streams SET event_key = 'e-9' WHERE id = 10".to_owned(),
            "SavedTwice event 10",
            Sums {
                duplicate: 1,
                changed: 1,
                faults: 2,
                ..Sums::default()
            },
        ),
    ];
    for (index, (sql, expected, wrong)) in cases.iter().enumerate() {
        let database = served.project.path(&format!("{index}.db"));
        vmdb::backup(
            &DatabaseUrl::sqlite(served.project.path("test.db")),
            &database,
            |_| {},
        )
        .unwrap();
        Connection::open(&database).unwrap().execute_batch(sql).unwrap();
        let (sums, found) = compare(&database, &ledger);
        assert!(found.iter().any(|found| found == expected), "{sql}: {found:?}");
        let only_wrong = Sums {
            sent: 0,
            answered: 0,
            stored: 0,
            waiting: 0,
            dead: 0,
            ..sums
        };
        assert_eq!(only_wrong, *wrong, "{sql}: {found:?}");
        assert!(!sums.is_fine());
    }
    let told = served
        .project
        .run("verify --database sqlite:0.db --ledger ledger");
    let told: String = told
        .lines()
        .filter(|line| !line.contains("LittleRoom"))
        .map(|line| format!("{line}\n"))
        .collect();
    expect![[r#"
        $ switchboard verify --database sqlite:0.db --ledger ledger
        error[Lost]: key `e-4` of my_cloud: was accepted, and is not there; help: no wonder where settings or its parser filter it, or it was purged or discarded; else keep the ledger and a copy of the database, and report it
        sent 13, answered 10, stored 9, waiting 0, dead 1
        lost 1, duplicate 0, changed 0, made up 0, faults of the database 0
        verified 13 keys: 1 error, 0 warnings
        exit Some(1)
    "#]].assert_eq(&told);
    served.project.write("broken", "{\"ems\": \"my_cloud\"}\n");
    let told = served
        .project
        .run("verify --database sqlite:0.db --ledger broken");
    expect![[r#"
        $ switchboard verify --database sqlite:0.db --ledger broken
        ! error: cannot read the ledger
        !   because: `broken` line 1 is no line of a ledger; {"ems": "NAME", "key": "KEY", "sha256": "…", "answered": true} is expected
        !   because: missing field `key` at line 1 column 19
        exit Some(2)
    "#]].assert_eq(&told);
}

#[test]
fn probes_go_through_a_running_system_and_each_is_followed_to_its_target() {
    let project = Project::shipped();
    let process = Process::serve(&project);
    let live = |more: &[&str]| {
        let url = process.url();
        let arguments = [
            &[
                "verify", "--live", &url, "--rate", "40", "--for", "1s", "--format", "json",
            ],
            more,
        ]
        .concat();
        project.output(&arguments, "")
    };
    // It adds nothing unless it is told to.
    let refused = live(&[]);
    assert_eq!(refused.status.code(), Some(2));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        told.contains("has no manager `switchboard_verify`") && told.contains("--add-ems"),
        "{told}"
    );
    let probed = live(&["--add-ems"]);
    let told = String::from_utf8_lossy(&probed.stdout).into_owned();
    assert_eq!(probed.status.code(), Some(0), "{told}");
    let report: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    for (key, expected) in [
        ("sent", 40),
        ("answered", 40),
        ("lost", 0),
        ("duplicate", 0),
        ("without_target", 0),
    ] {
        assert_eq!(report[key], expected, "{key}: {told}");
    }
    for times in [&report["answer"], &report["decision"]] {
        let (p50, p99) = (times["p50"].as_f64().unwrap(), times["p99"].as_f64().unwrap());
        assert!(0.0 < p50 && p50 <= p99, "{told}");
    }
    // The manager that was named, and no other, has them.
    let listed = project.run("event list --ems switchboard_verify --limit 0 --format json");
    assert_eq!(listed.matches("\"event_key\":\"verify-").count(), 40, "{listed}");
}

#[test]
fn a_running_system_that_is_not_there_or_wants_a_token_is_told_from_one_that_loses() {
    let project = Project::shipped();
    let told = project.run("verify --live http://127.0.0.1:9 --rate 0 --for 1s");
    expect![[r#"
        $ switchboard verify --live http://127.0.0.1:9 --rate 0 --for 1s
        ! error: a rate above 0 and up to 1000 probes a second is expected, not 0
        !   help: for example --rate 20
        exit Some(2)
    "#]]
    .assert_eq(&told);
    let told = project.run("verify --live http://127.0.0.1:9 --for 1s");
    assert!(
        told.contains("cannot be probed") && told.ends_with("exit Some(2)\n"),
        "{told}"
    );
    project.write("config/settings.yml", ":web:\n  :token: secret\n");
    let process = Process::serve(&project);
    project.write("config/settings.yml", ":web:\n  :token: wrong\n");
    let told = project.run(&format!("verify --live {} --for 1s", process.url()));
    assert!(told.contains("it answers 401"), "{told}");
    project.write("config/settings.yml", ":web:\n  :token: secret\n");
    let told = project.run(&format!(
        "verify --live {} --rate 10 --for 1s --add-ems",
        process.url()
    ));
    assert!(
        told.contains("sent 10 probes for switchboard_verify, answered 10, lost 0, duplicate 0"),
        "{told}"
    );
}

/// I1 to I4 over random kills. `SWITCHBOARD_TEST_KILLS` says how many; 3,000 make the bound 0.1 %.
#[test]
fn nothing_is_lost_when_it_is_killed_at_random_under_load() {
    let project = Project::shipped();
    let kills = env::var("SWITCHBOARD_TEST_KILLS").unwrap_or_else(|_| "4".to_owned());
    let output = project.output(&["verify", "--chaos", &kills, "--format", "json"], "");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}{log}");
    let report: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    for key in [
        "lost",
        "duplicate",
        "changed",
        "made_up",
        "faults",
        "waiting",
        "dead",
    ] {
        assert_eq!(report[key], 0, "{key}: {told}{log}");
    }
    assert_eq!(report["kills"].to_string(), kills);
    // It was under load, and what was answered is a part of what was sent.
    let (sent, answered, stored) = (&report["sent"], &report["answered"], &report["stored"]);
    assert!(answered.as_u64().unwrap() > 100, "{told}");
    assert!(
        answered.as_u64() <= stored.as_u64() && stored.as_u64() <= sent.as_u64(),
        "{told}"
    );
    assert!((report["bound"].as_f64().unwrap() - 3.0 / kills.parse::<f64>().unwrap()).abs() < 1e-9);
}
