//! `switchboard verify`: a sound database passes, and nothing that is changed or taken away goes unseen.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use expect_test::expect;
use rusqlite::Connection;
use switchboard::model::clock::Clock;
use switchboard::vmdb;
use switchboard::vmdb::Audit;
use switchboard::vmdb::DatabaseUrl;
use switchboard::vmdb::Finding;

use crate::support::project::Project;
use crate::support::served::Served;

/// How many events of a VM there are in the database that is looked at.
const EVENTS: i64 = 12;

/// An appliance with events of every kind: saved, known, unwanted, dead.
fn served() -> Served {
    let served = Served::with(":ems:\n  :ems_awesome_cloud:\n    :blacklisted_event_names: [unwanted]\n");
    for number in 1..=EVENTS {
        let event = event(number);
        assert_eq!(served.post(&event).status, 202);
    }
    assert_eq!(served.post(&event(1)).status, 202);
    assert_eq!(
        served.post(r#"{"id": "broken", "note": "marker-broken"}"#).status,
        202
    );
    served.until_saved(EVENTS);
    served.until("/readyz", |answer| {
        answer.body.contains(r#""waiting_messages":0"#)
    });
    served
}

fn event(number: i64) -> String {
    format!(
        r#"{{"id": "e-{number}", "event_name": "com.awesomecloud.vm.create", "time": "2026-03-01T12:00:00Z",
        "vm": {{"id": "vm-{number}", "name": "ü"}}, "note": "marker-{number}-."}}"#
    )
}

/// What a check finds, but for the room on the disk of whoever runs this.
fn findings(database: &Path) -> Vec<Finding> {
    let audit = Audit::open(&DatabaseUrl::sqlite(database)).unwrap();
    let mut found = Vec::new();
    audit
        .check(&Clock::System, |finding| found.push(finding))
        .unwrap();
    found.retain(|finding| finding.code != "LittleRoom");
    found
}

/// A copy of the database, to be spoilt.
fn copy(project: &Project, name: &str) -> std::path::PathBuf {
    let to = project.path(name);
    vmdb::backup(&DatabaseUrl::sqlite(project.path("test.db")), &to, |_| {}).unwrap();
    to
}

fn told(served: &Served, line: &str) -> String {
    let told = served.project.run(line);
    let lines = told.lines().filter(|line| !line.contains("LittleRoom"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_sound_database_passes_while_it_is_served() {
    let served = served();
    assert_eq!(findings(&served.project.path("test.db")), []);
    let told = told(&served, "verify --database sqlite:test.db");
    expect![[r#"
        $ switchboard verify --database sqlite:test.db
        verified 12 events and 1 message: 0 errors, 0 warnings
    "#]]
    .assert_eq(&told);
}

#[test]
fn what_is_no_database_of_ours_is_unreadable_and_not_merely_wrong() {
    let project = Project::new("");
    project.write("text.db", &"no database ".repeat(100));
    let other = Connection::open(project.path("other.db")).unwrap();
    other
        .execute_batch("CREATE TABLE a (b); PRAGMA application_id = 7")
        .unwrap();
    drop(other);
    let told = ["nowhere.db", "text.db", "other.db"]
        .map(|name| project.run(&format!("verify --database sqlite:{name}")));
    expect![[r#"
        $ switchboard verify --database sqlite:nowhere.db
        ! error: there is no database `sqlite:nowhere.db`
        !   help: name it with --database sqlite:PATH; `switchboard serve` and `switchboard ems add` make one
        exit Some(2)
        $ switchboard verify --database sqlite:text.db
        ! error: cannot verify `sqlite:text.db`
        !   because: the database is damaged (file is not a database): stop the program, keep all files of it, and put a backup in their place
        exit Some(2)
        $ switchboard verify --database sqlite:other.db
        ! error: cannot verify `sqlite:other.db`
        !   because: `other.db` is a database of another program (application id 7); it was not touched
        exit Some(2)
    "#]]
    .assert_eq(&told.concat());
}

/// Statement 16.
#[test]
fn a_flipped_byte_anywhere_in_full_data_is_found_and_shown_with_the_events_id() {
    let served = served();
    let database = copy(&served.project, "flipped.db");
    let connection = Connection::open(&database).unwrap();
    let whole: Vec<u8> = connection
        .query_row(
            "SELECT CAST(full_data AS BLOB) FROM native_events WHERE id = 7",
            [],
            |row| row.get(0),
        )
        .unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        let update = "UPDATE native_events SET full_data = CAST(?1 AS TEXT) WHERE id = 7";
        connection.execute(update, [flipped]).unwrap();
        let found = findings(&database);
        assert_eq!(found.len(), 1, "byte {at}: {found:?}");
        assert_eq!(
            (found[0].code, &*found[0].place),
            ("DigestDiffers", "event 7"),
            "byte {at}"
        );
    }
    connection
        .execute(
            "UPDATE native_events SET full_data = CAST(?1 AS TEXT) WHERE id = 7",
            [whole],
        )
        .unwrap();
    assert_eq!(findings(&database), []);
    drop(connection);
    // And at rest, behind SQLite's back.
    let mut bytes = fs::read(&database).unwrap();
    let marker = b"marker-3-";
    let at = bytes
        .windows(marker.len())
        .position(|window| window == marker)
        .unwrap();
    bytes[at] ^= 0x20;
    fs::write(&database, bytes).unwrap();
    let told = told(&served, "verify --format json --database sqlite:flipped.db");
    expect![[r#"
        $ switchboard verify --format json --database sqlite:flipped.db
        {"severity":"error","code":"DigestDiffers","where":"event 3","message":"its full_data is not what came: the digest beside it differs","help":"stop the program, keep a copy of the database with its -wal, and restore a backup that passes `verify`"}
        exit Some(1)
    "#]].assert_eq(&told);
}

#[test]
fn a_count_that_is_changed_is_shown_with_what_it_counts() {
    let served = served();
    let database = copy(&served.project, "counted.db");
    let connection = Connection::open(&database).unwrap();
    connection
        .execute("UPDATE event_hours SET events = 11", [])
        .unwrap();
    drop(connection);
    let told = told(&served, "verify --database sqlite:counted.db");
    expect![[r#"
        $ switchboard verify --database sqlite:counted.db
        error[CountsDiffer]: the hour 2026-03-01T12:00:00Z of the timeline: 11 events of my_cloud are counted, 12 found, of type `com.awesomecloud.vm.create`, group `other` and level `detail` with the same outcome; help: stop the program, keep a copy of the database with its -wal, and restore a backup that passes `verify`
        verified 12 events and 1 message: 1 error, 0 warnings
        exit Some(1)
    "#]].assert_eq(&told);
}

/// Statement 17.
#[test]
fn a_row_that_is_deleted_or_doubled_with_a_foreign_tool_is_found() {
    let served = served();
    let cases: &[(&str, &[&str])] = &[
        (
            "DELETE FROM event_streams WHERE id = 5",
            &["BooksDiffer the books of my_cloud", "Orphan native event 5"],
        ),
        (
            "DELETE FROM event_streams WHERE id = 5; DELETE FROM native_events WHERE id = 5; \
             DELETE FROM deliveries WHERE event_id = 5; DELETE FROM event_refreshes WHERE event_id = 5",
            &["BooksDiffer the books of my_cloud"],
        ),
        (
            "DELETE FROM native_events WHERE id = 5",
            &["FullDataMissing event 5"],
        ),
        (
            "DELETE FROM native_events WHERE id = 13",
            &["FullDataMissing message 13"],
        ),
        (
            "DELETE FROM deliveries WHERE event_id = 5",
            &["NotDecided event 5"],
        ),
        (
            "DELETE FROM miq_queue",
            &["BooksDiffer the books of my_cloud", "Orphan native event 13"],
        ),
        (
            "DELETE FROM refresh_targets WHERE manager_ref LIKE '%vm-5%'",
            &["TargetMissing event 5"],
        ),
        (
            "DELETE FROM event_refreshes WHERE event_id = 5",
            &["RefreshMissing event 5"],
        ),
        (
            "UPDATE event_keys SET entries = unhex(replace(hex(entries), '0000000000000005', '0000000000000FFF'))",
            &["KeyMissing event 5"],
        ),
        ("DELETE FROM trace_steps", &["TraceStepMissing event 12"]),
        ("DELETE FROM tallies", &["BooksDiffer the books of my_cloud"]),
        (
            "UPDATE tallies SET received = received + 1",
            &["BooksDiffer the books of my_cloud"],
        ),
        (
            "DELETE FROM ext_management_systems",
            &["Orphan event_streams 5", "Orphan miq_queue 13"],
        ),
        (
            "INSERT INTO deliveries SELECT 1000 + id, event_id, rules_id, decided_at, state, trace, effects, errors \
             FROM deliveries WHERE event_id = 5",
            &["DecidedTwice event 5"],
        ),
        (
            "UPDATE event_streams SET event_key = 'e-4' WHERE id = 5",
            &["KeyMissing event 5", "SavedTwice event 5"],
        ),
        (
            "INSERT INTO outbox (id, event_id, position, idempotency_key, action, state, attempts, due, created_at, error) VALUES (1, 5, 0, 'k', '{}', 0, 0, NULL, 0, NULL), (2, 6, 0, 'k', '{}', 0, 0, NULL, 0, NULL)",
            &["EffectsDiffer event 5", "EffectTwice event 5"],
        ),
        (
            "UPDATE deliveries SET state = 'retry' WHERE event_id = 5",
            &["RetryMissing event 5"],
        ),
        (
            "UPDATE event_streams SET attributes = '{' WHERE id = 5",
            &["Unreadable event 5"],
        ),
        ("UPDATE miq_queue SET state = 9", &["MessageState message 13"]),
        (
            "UPDATE event_streams SET outcome = 1 WHERE id = 5",
            &["CountsDiffer the minute 2026-03-01T12:00:00Z of the timeline"],
        ),
        (
            "UPDATE event_minutes SET events = events + 1",
            &[
                "CountsDiffer the minute 2026-03-01T12:00:00Z of the timeline",
                "CountsDiffer the hour 2026-03-01T12:00:00Z of the timeline",
            ],
        ),
        (
            "UPDATE event_minutes SET start = start - 5",
            &["CountsDiffer the minute 2026-03-01T11:59:00Z of the timeline"],
        ),
        (
            "DELETE FROM event_minutes; DELETE FROM event_hours",
            &["CountsDiffer the minute 2026-03-01T12:00:00Z of the timeline"],
        ),
        (
            "DELETE FROM event_hours",
            &["CountsDiffer the hour 2026-03-01T12:00:00Z of the timeline"],
        ),
        (
            "UPDATE event_hours SET start = start + 3600",
            &[
                "CountsDiffer the hour 2026-03-01T12:00:00Z of the timeline",
                "CountsDiffer the hour 2026-03-01T13:00:00Z of the timeline",
            ],
        ),
        (
            "DELETE FROM event_kinds",
            &["CountsDiffer the minute 2026-03-01T12:00:00Z of the timeline"],
        ),
    ];
    for (index, (sql, expected)) in cases.iter().enumerate() {
        let database = copy(&served.project, &format!("{index}.db"));
        let connection = Connection::open(&database).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = off").unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        let found = findings(&database);
        let found: BTreeSet<String> = found
            .iter()
            .map(|finding| format!("{} {}", finding.code, finding.place))
            .collect();
        for expected in *expected {
            assert!(
                found.contains(*expected),
                "{sql}: {expected} is not among {found:?}"
            );
        }
        let code = served.project.output(
            &["verify", "--database", &format!("sqlite:{}", database.display())],
            "",
        );
        let only_warnings = expected
            .iter()
            .all(|expected| expected.starts_with("RetryMissing"));
        assert_eq!(code.status.code(), Some(i32::from(!only_warnings)), "{sql}");
    }
}

#[test]
fn files_that_others_may_read_and_a_log_that_is_gone_are_found() {
    use std::os::unix::fs::PermissionsExt;
    let served = served();
    let database = copy(&served.project, "open.db");
    fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(served.project.path("open.db-shm"), "").unwrap();
    let found = findings(&database);
    let codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
    assert!(codes.starts_with(&["LogMissing", "FileMode"]), "{found:?}");
    // And of one that is served.
    let live = served.project.path("test.db-wal");
    fs::rename(&live, served.project.path("elsewhere")).unwrap();
    let found = findings(&served.project.path("test.db"));
    assert!(
        found
            .iter()
            .any(|finding| finding.code == "LogMissing" && finding.place == live.display().to_string())
    );
    // One of the same name is not the one that is written.
    fs::write(&live, "").unwrap();
    let told = self::told(&served, "verify --database sqlite:test.db");
    assert!(told.contains("is not the one that process"), "{told}");
    // Put back, so that the rest is found sound.
    fs::rename(served.project.path("elsewhere"), &live).unwrap();
}
