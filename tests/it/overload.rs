//! More than it can take, and half of that for long: `switchboard serve` as a process, watched from outside.
//!
//! `SWITCHBOARD_OVERLOAD` and `SWITCHBOARD_SOAK` make them last so many seconds, `SWITCHBOARD_SOAK_RATE` brings so
//! many events a second, and `SWITCHBOARD_PROGRAM` names another program to watch, such as a release build.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;

use crate::support::project::Project;

/// Longer than anything here takes; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(120);
/// Events in a request, and connections that send them, of a flood.
const BATCH: usize = 50;
const CONNECTIONS: usize = 8;
/// So many events may wait, beside what is under way.
const ROOM: usize = 300;
const MIB: u64 = 1 << 20;

/// A target parser that takes its time.
const SLOW: &str = r#"
fn parse(ems_event) {
    let turns = 0;
    while turns < 3000 { turns += 1; }
    let found = targets();
    found.add("vms", ems_event.full_data.at("/vm/id"));
    found
}
"#;

fn knob(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |given| given.parse().unwrap())
}

/// The shipped rules, with a target parser of AWESOME_CLOUD of its own.
fn project(target_parser: Option<&str>) -> Project {
    let Some(target_parser) = target_parser else {
        return Project::shipped();
    };
    let project = Project::new("");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR"));
    symlink(shipped.join("automate"), project.path("automate")).unwrap();
    // A link out of the folder of scripts would be refused.
    for name in ["awesome_cloud/event_parser.rhai", "actions/note_destroyed.rhai"] {
        let text = fs::read_to_string(shipped.join("scripts").join(name)).unwrap();
        project.write(&format!("scripts/{name}"), &text);
    }
    project.write("scripts/awesome_cloud/event_target_parser.rhai", target_parser);
    project
}

/// A running program.
struct Serving {
    project: Project,
    child: Child,
    address: String,
    log: JoinHandle<String>,
}

impl Serving {
    fn start(project: Project, managers: &[&str]) -> Self {
        for name in managers {
            project.run(&format!("ems add {name} --type awesome_cloud"));
        }
        let own = env!("CARGO_BIN_EXE_switchboard").to_owned();
        let program = std::env::var("SWITCHBOARD_PROGRAM").unwrap_or(own);
        let mut child = Command::new(program)
            .current_dir(project.path(""))
            .env_remove("RUST_LOG")
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        let address = loop {
            assert!(log.read_line(&mut told).unwrap() > 0, "{told}");
            if let Some((_, address)) = told.split_once("listening on http://") {
                break address.trim().trim_end_matches('/').to_owned();
            }
        };
        // Somebody has to read it, or its writer waits.
        let log = thread::spawn(move || {
            let mut rest = String::new();
            log.read_to_string(&mut rest).unwrap();
            rest
        });
        Self {
            project,
            child,
            address,
            log,
        }
    }

    /// A figure of `/proc/PID/status` in bytes.
    fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let kib: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
        kib * 1024
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id()))
            .unwrap()
            .count()
    }

    fn log_bytes(&self) -> u64 {
        fs::metadata(self.project.path("switchboard.db-wal")).map_or(0, |log| log.len())
    }

    /// Waits until nothing waits for the handler any more.
    fn until_handled(&self) {
        let end = Instant::now() + PATIENCE;
        let mut caller = Caller::connect(&self.address);
        loop {
            let answer = caller.say("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let ready = "switchboard_queue_messages{state=\"ready\"} 0\n";
            if answer.text.contains(ready) {
                return;
            }
            assert!(Instant::now() < end, "{}", answer.text);
            thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Ends it in order; the project that is left.
    fn stop(mut self) -> Project {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap();
        assert!(status.success());
        let code = self.child.wait().unwrap().code();
        let log = self.log.join().unwrap();
        assert_eq!(code, Some(0), "{log}");
        self.project
    }
}

/// A connection that stays open.
struct Caller {
    reader: BufReader<TcpStream>,
}

struct Answer {
    status: u16,
    has_retry_after: bool,
    text: String,
}

impl Caller {
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            reader: BufReader::new(stream),
        }
    }

    fn post(&mut self, manager: &str, events: &[String]) -> Answer {
        let body = format!("[{}]", events.join(","));
        let length = body.len();
        self.say(&format!(
            "POST /events/{manager} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ))
    }

    fn say(&mut self, request: &str) -> Answer {
        self.reader.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let before = head.len();
            assert!(self.reader.read_line(&mut head).unwrap() > 0, "{head}");
            let line = head.get(before..).unwrap().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            has_retry_after: head.to_ascii_lowercase().contains("\r\nretry-after:"),
            text: String::from_utf8(body).unwrap(),
        }
    }
}

fn event(id: &str, vm: usize) -> String {
    format!(r#"{{"id": "{id}", "event_name": "com.awesomecloud.vm.create", "vm": {{"id": "vm-{vm}"}}}}"#)
}

/// What a flood came to.
#[derive(Default)]
struct Flood {
    acknowledged: BTreeSet<String>,
    refused: usize,
}

/// Sends as fast as it is answered until `end`; what was refused is sent again at once, against all advice.
fn flood(address: &str, sender: usize, end: Instant) -> Flood {
    let mut caller = Caller::connect(address);
    let (mut flood, mut number) = (Flood::default(), 0);
    while Instant::now() < end {
        let numbers = number..number + BATCH;
        let ids: Vec<String> = numbers
            .clone()
            .map(|number| format!("{sender}-{number}"))
            .collect();
        let events = ids
            .iter()
            .zip(numbers)
            .map(|(id, number)| event(id, sender * 1_000_000 + number));
        let answer = caller.post("flooding", &events.collect::<Vec<_>>());
        match answer.status {
            202 => {
                flood.acknowledged.extend(ids);
                number += BATCH;
            }
            429 => {
                assert!(answer.has_retry_after, "{}", answer.text);
                flood.refused += BATCH;
            }
            other => panic!("{other}: {}", answer.text),
        }
    }
    flood
}

/// The keys of the events that are saved, each once, with its targets.
fn saved(project: &Project) -> BTreeSet<String> {
    let connection = Connection::open(project.path("switchboard.db")).unwrap();
    let mut query = connection.prepare("SELECT event_key FROM event_streams").unwrap();
    let keys: Vec<String> = query
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let one = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, usize>(0))
            .unwrap()
    };
    assert_eq!(
        one("SELECT ifnull(sum(requests), 0) FROM refresh_targets"),
        keys.len()
    );
    assert_eq!(one("SELECT count(*) FROM deliveries"), keys.len());
    assert_eq!(one("SELECT sum(delivered) FROM tallies"), keys.len());
    let different: BTreeSet<String> = keys.iter().cloned().collect();
    assert_eq!(different.len(), keys.len());
    different
}

#[test]
fn ten_times_what_it_can_take_is_refused_politely_and_nothing_acknowledged_is_lost() {
    let project = project(Some(SLOW));
    let settings = format!("web:\n  max_waiting_messages: {ROOM}\n");
    project.write("config/settings.yml", &settings);
    let serving = Serving::start(project, &["flooding", "other"]);
    let before = serving.memory("VmRSS:");
    let begin = Instant::now();
    let end = begin + Duration::from_secs(knob("SWITCHBOARD_OVERLOAD", 3));
    let floods: Vec<Flood> = thread::scope(|scope| {
        let address = &serving.address;
        let senders: Vec<_> = (0..CONNECTIONS)
            .map(|sender| scope.spawn(move || flood(address, sender, end)))
            .collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    let lasted = begin.elapsed();
    // Recovered: whoever comes now is let in, and what waits is soon handled.
    let over = Instant::now();
    let mut caller = Caller::connect(&serving.address);
    while caller.post("other", &[event("after", 1)]).status != 202 {
        assert!(over.elapsed() < PATIENCE, "nobody is let in after the flood");
        thread::park_timeout(Duration::from_millis(20));
    }
    let let_in = over.elapsed();
    serving.until_handled();
    let recovered = over.elapsed();
    let grown = serving.memory("VmHWM:").saturating_sub(before);
    let project = serving.stop();

    let refused: usize = floods.iter().map(|flood| flood.refused).sum();
    let mut acknowledged: BTreeSet<String> =
        floods.into_iter().flat_map(|flood| flood.acknowledged).collect();
    acknowledged.insert("after".to_owned());
    let taken = acknowledged.len();
    eprintln!(
        "overload of {lasted:.1?}: {taken} taken, {refused} refused, let in again after {let_in:.1?}, all handled \
         after {recovered:.1?}, memory grew by {} MiB at most",
        grown / MIB
    );
    assert!(
        acknowledged == saved(&project),
        "what is saved is not what was acknowledged"
    );
    assert!(10 * taken <= taken + refused, "{taken} taken, {refused} refused");
    assert!(grown < 200 * MIB, "memory grew by {} MiB", grown / MIB);
}

#[test]
fn one_manager_at_its_limit_is_refused_while_another_one_is_let_in() {
    const LIMIT: usize = 100;
    let project = project(None);
    let settings = format!("web:\n  max_waiting_messages: {LIMIT}\n");
    project.write("config/settings.yml", &settings);
    for name in ["flooding", "other"] {
        project.run(&format!("ems add {name} --type awesome_cloud"));
    }
    // Half is reserved, a quarter for each. What waits for a time that never comes waits as long as the test lasts.
    let most = LIMIT - LIMIT / 4;
    let database = Connection::open(project.path("switchboard.db")).unwrap();
    let fill = "WITH RECURSIVE n(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < ?1) \
        INSERT INTO miq_queue (state, kind, ems_id, attempts, crashes, due, received_at, payload) \
        SELECT 2, 2, id, 0, 0, 9000000000000000, 0, '{}' FROM n, ext_management_systems WHERE name = 'flooding'";
    assert_eq!(database.execute(fill, [most]).unwrap(), most);
    drop(database);

    let serving = Serving::start(project, &[]);
    let mut caller = Caller::connect(&serving.address);
    for number in 0..3 {
        let refused = caller.post("flooding", &[event(&format!("refused-{number}"), number)]);
        assert_eq!(
            (refused.status, refused.has_retry_after),
            (429, true),
            "{}",
            refused.text
        );
        let taken = caller.post("other", &[event(&format!("taken-{number}"), number)]);
        assert_eq!(taken.status, 202, "{}", taken.text);
    }
    serving.until_handled();
    // One less, and it is let in.
    let project = serving.stop();
    let database = Connection::open(project.path("switchboard.db")).unwrap();
    let one = "DELETE FROM miq_queue WHERE id = (SELECT min(id) FROM miq_queue)";
    assert_eq!(database.execute(one, []).unwrap(), 1);
    drop(database);
    let serving = Serving::start(project, &[]);
    let mut caller = Caller::connect(&serving.address);
    assert_eq!(caller.post("flooding", &[event("let-in", 1)]).status, 202);
    serving.until_handled();
    let expected = ["let-in", "taken-0", "taken-1", "taken-2"];
    assert_eq!(saved(&serving.stop()), expected.map(str::to_owned).into());
}

/// What a soak watches.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    memory: u64,
    descriptors: usize,
    log: u64,
}

impl Figures {
    fn of(serving: &Serving) -> Self {
        Self {
            memory: serving.memory("VmRSS:"),
            descriptors: serving.descriptors(),
            log: serving.log_bytes(),
        }
    }

    fn most(self, other: Self) -> Self {
        Self {
            memory: self.memory.max(other.memory),
            descriptors: self.descriptors.max(other.descriptors),
            log: self.log.max(other.log),
        }
    }
}

#[test]
fn an_even_load_lets_neither_memory_nor_descriptors_nor_the_log_grow() {
    const TICK: Duration = Duration::from_millis(50);
    let lasts = Duration::from_secs(knob("SWITCHBOARD_SOAK", 6));
    let rate = usize::try_from(knob("SWITCHBOARD_SOAK_RATE", 200)).unwrap();
    let each = rate / 20;
    let serving = Serving::start(project(None), &["cloud"]);
    let mut caller = Caller::connect(&serving.address);
    let begin = Instant::now();
    let (mut early, mut late, mut number) = (Figures::default(), Figures::default(), 0);
    let mut tick = 0;
    while begin.elapsed() < lasts {
        let numbers = number..number + each;
        let events: Vec<String> = numbers
            .map(|number| event(&format!("e-{number}"), number))
            .collect();
        let answer = caller.post("cloud", &events);
        assert_eq!(answer.status, 202, "{}", answer.text);
        number += each;
        tick += 1;
        let now = Figures::of(&serving);
        // The first half warms up: caches and indexes in memory fill to their limits.
        if begin.elapsed() < lasts / 2 {
            early = early.most(now);
        } else {
            late = late.most(now);
        }
        if let Some(rest) = (TICK * tick).checked_sub(begin.elapsed()) {
            thread::park_timeout(rest);
        }
    }
    serving.until_handled();
    let lasted = begin.elapsed();
    let project = serving.stop();
    eprintln!(
        "soak of {lasted:.0?}: {number} events; first half at most {early:?}, second half at most {late:?}"
    );
    assert_eq!(saved(&project).len(), number);
    assert!(
        late.memory < early.memory + early.memory / 10 + 24 * MIB,
        "{early:?} {late:?}"
    );
    assert!(late.descriptors <= early.descriptors + 4, "{early:?} {late:?}");
    assert!(late.log <= 64 * MIB, "{early:?} {late:?}");
}
