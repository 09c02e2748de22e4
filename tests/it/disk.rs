//! A disk that is full, limited, locked or taken away: a state that shows, loses nothing, and ends by itself.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

use std::fs;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use switchboard::model::clock::Clock;
use switchboard::model::delivery::RulesId;
use switchboard::model::event::NativeEvent;
use switchboard::vmdb::DatabaseUrl;
use switchboard::vmdb::EventFilter;
use switchboard::vmdb::NewMessage;
use switchboard::vmdb::Vmdb;
use switchboard::vmdb::VmdbConfig;
use switchboard::vmdb::VmdbError;

use crate::support::Database;
use crate::support::add;
use crate::support::add_ems;
use crate::support::cloud::Cloud;
use crate::support::event;
use crate::support::noon;
use crate::support::project::Project;
use crate::support::served::Served;
use crate::support::serving::Serving;

/// An event of some size that its parser takes.
fn large(id: &str, bytes: usize) -> String {
    let filling = "x".repeat(bytes);
    format!(
        r#"{{"id": "{id}", "event_name": "com.awesomecloud.vm.create", "time": "2026-01-01T11:00:00Z", "vm": {{"id": "vm-{id}"}}, "filling": "{filling}"}}"#
    )
}

/// Posts events until one is refused; how many were taken. What refuses is as it should be.
fn post_until_refused(serving: &Serving, name: &str, bytes: usize, most: usize) -> usize {
    for number in 0..most {
        let answer = serving.post(&large(&format!("{name}-{number}"), bytes));
        if answer.status != 202 {
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            return number;
        }
    }
    panic!("{most} events of {bytes} bytes were taken")
}

/// Waits until so many events are saved, by the books.
fn until_saved(serving: &Serving, events: usize) {
    let line = format!("switchboard_tally{{ems=\"my_cloud\",column=\"delivered\"}} {events}\n");
    serving.until("/metrics", |answer| answer.body.contains(&line));
}

/// A small disk that only a process and its children see, and whoever looks through that process.
fn on_a_small_disk(project: &Project, megabytes: usize, url: &str) -> Option<(Serving, PathBuf)> {
    fs::create_dir(project.path("disk")).unwrap();
    let can = Command::new("unshare")
        .args(["-Urm", "mount", "-t", "tmpfs", "tmpfs"])
        .arg(project.path("disk"))
        .stderr(Stdio::null())
        .status();
    if !can.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this machine lets nobody mount a tmpfs in a namespace (unshare -Urm)");
        return None;
    }
    let program = env!("CARGO_BIN_EXE_switchboard");
    let script = format!(
        "mount -t tmpfs -o size={megabytes}m tmpfs disk && cd disk && \
         '{program}' ems add my_cloud --type awesome_cloud --database sqlite:test.db && \
         if [ -n '{url}' ]; then \
         '{program}' ems add polled --type awesome_cloud --url '{url}' --database sqlite:test.db; fi && cd .. && \
         exec '{program}' serve --listen 127.0.0.1:0 --database sqlite:disk/test.db"
    );
    let mut command = Command::new("unshare");
    command
        .args(["-Urm", "sh", "-c", &script])
        .current_dir(project.path(""))
        .stdout(Stdio::null())
        .env_remove("RUST_LOG");
    let serving = Serving::spawn(&mut command);
    let root = PathBuf::from(format!("/proc/{}/root", serving.pid()));
    let disk = root.join(project.path("disk").strip_prefix("/").unwrap());
    Some((serving, disk))
}

/// Takes all the room that there is.
fn fill(disk: &Path) -> PathBuf {
    let path = disk.join("filling");
    let mut file = File::create(&path).unwrap();
    for bytes in [65_536, 4_096] {
        while file.write_all(&vec![1; bytes]).is_ok() {}
    }
    path
}

#[test]
fn statement_06_a_full_disk_pauses_what_comes_in_and_nothing_else() {
    let project = Project::shipped();
    project.write("config/settings.yml", "database:\n  reserve: 3 MiB\n");
    let Some((serving, disk)) = on_a_small_disk(&project, 24, "") else {
        return;
    };
    assert!(disk.join("test.db.reserve").exists());
    assert_eq!(serving.post(&large("first", 100)).status, 202);
    until_saved(&serving, 1);
    // Little room is worth a warning, and no reason to be taken out of service.
    let ready = serving.until("/readyz", |answer| answer.body.contains("little room is left"));
    assert_eq!(ready.status, 200, "{ready:?}");

    let filling = fill(&disk);
    let taken = 1 + post_until_refused(&serving, "full", 100_000, 200);
    let answer = serving.ask("GET /readyz", "");
    assert_eq!(answer.status, 503);
    let why = answer.json()["database"]["error"].to_string();
    assert!(why.contains("the disk is full"), "{why}");
    // The reserve is given away, so that what was taken can be finished; reads go on.
    assert!(!disk.join("test.db.reserve").exists());
    until_saved(&serving, taken);
    assert_eq!(serving.ask("GET /api/event_streams?limit=1", "").status, 200);
    // Refused at once, before the body is looked at.
    let began = Instant::now();
    assert_eq!(serving.post("no JSON").status, 503);
    assert!(began.elapsed() < Duration::from_secs(5));

    fs::remove_file(filling).unwrap();
    serving.until("/readyz", |answer| answer.status == 200);
    assert!(disk.join("test.db.reserve").exists());
    assert_eq!(serving.post(&large("after", 100)).status, 202);
    until_saved(&serving, taken + 1);
    serving.signal("TERM");
    let (code, log) = serving.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("There is room on the disk again"), "{log}");
}

#[test]
fn statement_06_polls_stop_on_a_full_disk_with_their_position_unmoved() {
    let (project, cloud) = (Project::shipped(), Cloud::start());
    project.write(
        "config/settings.yml",
        "database:\n  reserve: 3 MiB\nworkers:\n  worker_base:\n    event_catcher:\n      event_catcher_awesome_cloud:\n        poll: 50ms\n",
    );
    cloud.happens(large("e-1", 10));
    let Some((serving, disk)) = on_a_small_disk(&project, 24, &cloud.url()) else {
        return;
    };
    let saved = |events: usize| {
        let line = format!("switchboard_tally{{ems=\"polled\",column=\"delivered\"}} {events}\n");
        serving.until("/metrics", |answer| answer.body.contains(&line));
    };
    saved(1);
    let filling = fill(&disk);
    post_until_refused(&serving, "full", 100_000, 200);
    for number in 2..=20 {
        cloud.happens(large(&format!("e-{number}"), 1_000));
    }
    // It has a batch in hand and cannot keep it, so it asks for nothing behind it.
    serving.until("/readyz", |answer| {
        let reason = &answer.json()["catcher"]["managers"]["polled"]["reason"];
        reason.to_string().contains("the disk is full")
    });
    // One page is received ahead of the one that is kept; the position moves with what is kept.
    let asked = cloud.requests();
    let since = asked.iter().filter_map(|head| {
        let number = head.split_once("since=")?.1.split(['&', ' ']).next()?;
        number.parse::<usize>().ok()
    });
    let farthest = since.max();
    assert!(farthest.is_some_and(|since| since <= 1 + 3), "{farthest:?}");
    fs::remove_file(filling).unwrap();
    saved(20);
    serving.until("/readyz", |answer| answer.status == 200);
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn statement_07_a_limit_on_the_size_of_files_is_no_death_and_ends_when_it_is_raised() {
    let project = Project::shipped();
    project.write("config/settings.yml", "database:\n  reserve: 0\n");
    assert!(
        !project
            .run("ems add my_cloud --type awesome_cloud")
            .contains("error")
    );
    // In blocks of 512 bytes.
    let script = format!(
        "ulimit -S -f 3000; exec '{}' serve --listen 127.0.0.1:0",
        env!("CARGO_BIN_EXE_switchboard")
    );
    let mut command = Command::new("sh");
    let serving = Serving::spawn(command.args(["-c", &script]).current_dir(project.path("")));
    let taken = post_until_refused(&serving, "limited", 50_000, 200);
    let answer = serving.ask("GET /readyz", "");
    assert_eq!(answer.status, 503, "{answer:?}");
    let why = answer.json()["database"]["error"].to_string();
    assert!(why.contains("disk"), "{why}");
    assert_eq!(serving.ask("GET /api/event_streams?limit=1", "").status, 200);
    let pid = serving.pid().to_string();
    let raised = Command::new("prlimit")
        .args(["--fsize=unlimited", "--pid", &pid])
        .status();
    assert!(raised.unwrap().success());
    serving.until("/readyz", |answer| answer.status == 200);
    assert_eq!(serving.post(&large("after", 50_000)).status, 202);
    until_saved(&serving, taken + 1);
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn statement_08_09_a_file_taken_away_is_noticed_without_traffic_and_stops_the_answers() {
    for suffix in ["-wal", ""] {
        let served = Served::with("");
        assert_eq!(served.post(&large("first", 10)).status, 202);
        served.until_saved(1);
        assert_eq!(served.get("/readyz").status, 200);
        let path = served.project.path(&format!("test.db{suffix}"));
        let aside = served.project.path("aside");
        fs::rename(&path, &aside).unwrap();
        let ready = served.get("/readyz");
        assert_eq!(ready.status, 503);
        let why = ready.json()["database"]["error"].to_string();
        assert!(why.contains(&format!("test.db{suffix}`")), "{why}");
        assert_eq!(served.post(&large("second", 10)).status, 503);
        // Put back where it was it is the same file.
        fs::rename(&aside, &path).unwrap();
        served.until("/readyz", |answer| answer.status == 200);
        assert_eq!(served.post(&large("third", 10)).status, 202);
    }
}

#[test]
fn statement_14_a_reader_that_keeps_the_log_from_being_emptied_is_ended_and_told_why() {
    const LIMIT: u64 = 2 << 20;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let config = VmdbConfig {
        log_limit: LIMIT,
        ..VmdbConfig::default()
    };
    let vmdb = Vmdb::open_to_serve_with(&DatabaseUrl::sqlite(&path), Clock::manual(noon()), &config).unwrap();
    let ems = add_ems(&vmdb, "cloud");
    let log = folder.path().join("test.db-wal");
    let write = |number: usize| {
        let filling = "x".repeat(20_000);
        let put = (0..10).map(|part| {
            let mut hash = event(&format!("k{number}-{part}"), "vm-1");
            hash.source = filling.as_str().into();
            add(&ems, hash)
        });
        vmdb.put(put.collect::<Vec<_>>()).wait().unwrap();
        fs::metadata(&log).unwrap().len()
    };
    // One that asks again and again, and one that has stopped asking for now.
    for is_busy in [true, false] {
        let (begun, has_begun) = std::sync::mpsc::channel();
        let (go_on, goes_on) = std::sync::mpsc::channel::<()>();
        let reader = std::thread::spawn({
            let vmdb = vmdb.clone();
            move || {
                vmdb.with_inventory(|view| {
                    view.all(None, "vms")?;
                    begun.send(()).unwrap();
                    if !is_busy {
                        // Ends when the other side has written enough.
                        let _told = goes_on.recv();
                        view.all(None, "vms")?;
                        return Ok(());
                    }
                    loop {
                        view.all(None, "vms")?;
                    }
                })
            }
        });
        has_begun.recv().unwrap();
        let mut largest = 0;
        for number in 0..12 {
            largest = largest.max(write(number + if is_busy { 0 } else { 100 }));
        }
        drop(go_on);
        let told = reader.join().unwrap().unwrap_err();
        assert!(told.is_temporary());
        assert!(
            told.to_string().contains("write-ahead log had grown too large"),
            "{told}"
        );
        if is_busy {
            assert!(largest <= LIMIT, "{largest}");
        }
        // Nobody is in the way any more.
        let end = Instant::now() + Duration::from_secs(20);
        let mut number = if is_busy { 1_000 } else { 100_000 };
        while write(number) > LIMIT {
            assert!(Instant::now() < end);
            number += 1;
        }
    }
    assert!(vmdb.events_list(&EventFilter::default()).is_ok());
}

#[test]
fn the_log_is_emptied_when_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let config = VmdbConfig {
        tick: Duration::from_millis(10),
        idle: Duration::from_millis(10),
        ..VmdbConfig::default()
    };
    let url = DatabaseUrl::sqlite(folder.path().join("test.db"));
    let vmdb = Vmdb::open_to_serve_with(&url, Clock::System, &config).unwrap();
    add_ems(&vmdb, "cloud");
    let end = Instant::now() + Duration::from_secs(20);
    while vmdb.disk().log > 0 {
        assert!(Instant::now() < end, "{:?}", vmdb.disk());
        crate::support::serving::pause();
    }
    // It is the same file, so nobody takes it for another one.
    add_ems(&vmdb, "another");
    assert!(vmdb.health().is_ok());
}

#[test]
fn a_database_that_another_program_keeps_locked_is_a_state_that_ends_by_itself() {
    let (database, ems) = Database::with_ems("cloud");
    let other = rusqlite::Connection::open(database.folder.path().join("test.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = database
        .vmdb
        .put(vec![add(&ems, event("k", "vm-1"))])
        .wait()
        .unwrap_err();
    assert!(refused.is_temporary());
    assert!(
        refused.to_string().contains("another program keeps it locked"),
        "{refused}"
    );
    assert!(database.vmdb.health().is_err());
    // Reads go on meanwhile.
    assert!(
        database
            .vmdb
            .events_list(&EventFilter::default())
            .unwrap()
            .is_empty()
    );
    other.execute_batch("ROLLBACK").unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while database.vmdb.health().is_err() {
        assert!(Instant::now() < end);
        crate::support::serving::pause();
    }
    database
        .vmdb
        .put(vec![add(&ems, event("k", "vm-1"))])
        .wait()
        .unwrap();
}

#[test]
fn a_damaged_database_is_not_served() {
    let (database, ems) = Database::with_ems("cloud");
    let put = (0..200).map(|number| add(&ems, event(&format!("k{number}"), "vm-1")));
    database.vmdb.put(put.collect::<Vec<_>>()).wait().unwrap();
    let Database { mut folder, vmdb, .. } = database;
    folder.is_damaged();
    vmdb.close();
    let path = folder.path().join("test.db");
    let mut bytes = fs::read(&path).unwrap();
    // In the midst of what came in, which nothing looks at when it begins.
    let text = br#"{ "id": "k100",  "vm""#;
    let found = bytes
        .windows(text.len())
        .position(|window| window == text)
        .unwrap();
    bytes[found / 4_096 * 4_096..][..8].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    let url = DatabaseUrl::sqlite(&path);
    // One that is large is checked while it is used, and what is found stops what comes in.
    let config = VmdbConfig {
        checked_at_once: 0,
        ..VmdbConfig::default()
    };
    let vmdb = Vmdb::open_to_serve_with(&url, Clock::System, &config).unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while !matches!(vmdb.health(), Err(VmdbError::Damaged { .. })) {
        assert!(Instant::now() < end);
        crate::support::serving::pause();
    }
    vmdb.close();
    let refused = Vmdb::open_to_serve(&url, Clock::System).unwrap_err();
    assert!(matches!(refused, VmdbError::Damaged { .. }), "{refused}");
    assert!(refused.to_string().contains("keep all files of it"), "{refused}");
}

#[test]
fn what_the_last_end_left_is_told_at_the_start() {
    let project = Project::shipped();
    project.run("ems add my_cloud --type awesome_cloud");
    let serving = Serving::start(&project, &[]);
    assert_eq!(serving.post(&large("first", 10)).status, 202);
    until_saved(&serving, 1);
    serving.signal("KILL");
    serving.end();
    // After a crash the log is there, and is recovered.
    let serving = Serving::start(&project, &[]);
    assert!(
        serving.told.contains("Recovered the write-ahead log."),
        "{}",
        serving.told
    );
    serving.signal("KILL");
    serving.end();
    fs::remove_file(project.path("switchboard.db-wal")).unwrap();
    fs::set_permissions(
        project.path("switchboard.db"),
        std::os::unix::fs::PermissionsExt::from_mode(0o644),
    )
    .unwrap();
    let serving = Serving::start(&project, &[]);
    assert!(
        serving.told.contains("its write-ahead log is gone"),
        "{}",
        serving.told
    );
    assert!(
        serving.told.contains("Others may read the database"),
        "{}",
        serving.told
    );
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn a_row_that_somebody_takes_off_the_queue_is_told_at_the_start() {
    let project = Project::shipped();
    let database = project.path("switchboard.db");
    let vmdb = Vmdb::open(&DatabaseUrl::sqlite(&database), Clock::System).unwrap();
    let ems = add_ems(&vmdb, "my_cloud");
    let unparsed = |body: &str| NewMessage::Unparsed {
        ems_id: ems.id,
        native: NativeEvent::new(body),
        reason: "no event".to_owned(),
        rules_id: RulesId(7),
        received_at: noon(),
    };
    let dead = vec![unparsed("1"), unparsed("2")];
    vmdb.put(dead).wait().unwrap();
    vmdb.close();
    let told = || {
        let serving = Serving::start(&project, &[]);
        serving.signal("TERM");
        let told = serving.told.clone();
        assert_eq!(serving.end().0, Some(0));
        told
    };
    let balanced = told();
    assert!(!balanced.contains("books"), "{balanced}");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection
        .execute("DELETE FROM miq_queue WHERE id = 1", [])
        .unwrap();
    drop(connection);
    let differs = told();
    let line = differs
        .lines()
        .find(|line| line.contains("The books do not balance"))
        .unwrap_or_else(|| panic!("{differs}"));
    assert!(line.contains("accepted=2 waiting=1 missing=1"), "{line}");
}
