//! One trial: a process under load, its death at a named place or at any moment, its next life, and the reckoning.
#![expect(clippy::panic, reason = "tests")]

use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::OptionalExtension;
use switchboard::model::clock::Clock;
use switchboard::vmdb::DatabaseUrl;
use switchboard::vmdb::MessageId;
use switchboard::vmdb::MessageState;
use switchboard::vmdb::NewEms;
use switchboard::vmdb::QueueFilter;
use switchboard::vmdb::Vmdb;

use crate::support::cloud::Cloud;
use crate::support::crashing::ledger::Entry;
use crate::support::crashing::ledger::Expected;
use crate::support::crashing::ledger::Ledger;
use crate::support::crashing::oracle;
use crate::support::crashing::oracle::AtRest;
use crate::support::crashing::process;
use crate::support::crashing::process::PATIENCE;
use crate::support::crashing::process::Process;
use crate::support::crashing::rules;
use crate::support::project::Project;
use crate::support::receiver::Mood;
use crate::support::receiver::Receiver;

/// After so many rounds of load every place that can be reached has been reached a few times.
const ROUNDS: usize = 25;
/// The status of a process that ended itself.
pub(crate) const ABORTED: Option<i32> = Some(6);
const KILLED: &str = "the process ended while this message was being handled";

/// A database, and everybody who has to do with it.
pub(crate) struct Trial {
    pub(crate) project: Project,
    pub(crate) ledger: Ledger,
    cloud: Cloud,
    /// Who gets the outside effects.
    receiver: Receiver,
    /// How often the process was started: told to the receiver with every effect.
    lives: AtomicUsize,
    rounds: usize,
    /// Whether anything is pushed, or only asked for.
    pub(crate) pushes: bool,
    /// How many messages had been in hand at two ends of the process.
    pub(crate) blamed: AtomicUsize,
}

impl Trial {
    pub(crate) fn new() -> Self {
        let project = rules::project();
        let cloud = Cloud::start();
        let receiver = Receiver::always(Mood::Honest);
        cloud.page_size(3);
        append(&project, "");
        let trial = Self {
            ledger: Ledger::create(&project.path("ledger.jsonl")),
            project,
            cloud,
            receiver,
            lives: AtomicUsize::new(0),
            rounds: 0,
            pushes: true,
            blamed: AtomicUsize::new(0),
        };
        trial.set("");
        trial
    }

    /// The database, beside the process.
    pub(crate) fn vmdb(&self) -> Vmdb {
        Vmdb::open(&self.database(), Clock::System).unwrap()
    }

    pub(crate) fn database(&self) -> DatabaseUrl {
        DatabaseUrl::sqlite(self.project.path("switchboard.db"))
    }

    /// Adds to its settings.
    pub(crate) fn set(&self, more: &str) {
        let settings = rules::settings(&self.receiver.url());
        self.project
            .write("config/settings.yml", &format!("{settings}{more}"));
    }

    /// Starts the process for another life; how it ended, where it did before it listened.
    pub(crate) fn start(&self, variables: &[(&str, &str)]) -> Result<Process, (ExitStatus, String)> {
        let (receiver, life) = self.life();
        let own = [("CRASH_RECEIVER", &*receiver), ("CRASH_LIFE", &*life)];
        Process::start(&self.project, &[&own, variables].concat())
    }

    fn life(&self) -> (String, String) {
        let life = self.lives.fetch_add(1, Ordering::Relaxed);
        (format!("{}/in", self.receiver.url()), life.to_string())
    }

    /// The three managers: one is pushed to, one is asked, one writes a file.
    pub(crate) fn add_managers(&self) {
        let file = format!("file://{}", self.project.path("events.log").display());
        for (name, url) in [
            ("pushed", None),
            ("polled", Some(self.cloud.url())),
            ("filed", Some(file)),
        ] {
            let new = NewEms {
                name: name.to_owned(),
                provider: "awesome_cloud".to_owned(),
                url,
                credentials: None,
            };
            self.vmdb().ems_add(new).wait().unwrap();
        }
    }

    /// Starts the process with a crash point; it has to die there before it listens.
    pub(crate) fn die_at_start(&self, point: &str) {
        let variables = [("SWITCHBOARD_CRASH", &*format!("{point}:1"))];
        match self.start(&variables) {
            Err((status, log)) => assert_eq!(status.signal(), ABORTED, "{point}: {log}"),
            Ok(process) => panic!("{point} was not reached: {}", process.stop().1),
        }
    }

    /// Runs the process under load until it dies at the nth time that it reaches a point, which it has to.
    pub(crate) fn die_at(&mut self, point: &str, nth: u32, variables: &[(&str, &str)]) {
        let crash = format!("{point}:{nth}");
        let variables = [&[("SWITCHBOARD_CRASH", &*crash)], variables].concat();
        let mut process = match self.start(&variables) {
            Ok(process) => process,
            // What streams bring may be handled before it listens.
            Err((status, log)) => return assert_eq!(status.signal(), ABORTED, "{point}: {log}"),
        };
        for _ in 0..ROUNDS {
            self.round(process.address());
            if process.is_dead() {
                break;
            }
        }
        // Some are reached only by one who is asked to end.
        let (status, log) = process.stop();
        assert_eq!(
            status.signal(),
            ABORTED,
            "{point} was not reached {nth} times: {log}"
        );
    }

    /// Runs the process under load, and asks it to end while it has something to do; it has to die at a point then.
    pub(crate) fn die_at_end(&mut self, point: &str) {
        let crash = format!("{point}:1");
        let process = self.start(&[("SWITCHBOARD_CRASH", &*crash)]).unwrap();
        for _ in 0..3 {
            self.round(process.address());
        }
        let (status, log) = process.stop();
        assert_eq!(status.signal(), ABORTED, "{point} was not reached: {log}");
    }

    /// Runs the process under load and kills it after so long.
    pub(crate) fn kill_after(&mut self, time: Duration) {
        let process = self.start(&[]).unwrap();
        let address = process.address();
        let killer = thread::spawn(move || {
            process::pause(time);
            process.kill();
        });
        let end = Instant::now() + PATIENCE;
        while !killer.is_finished() && Instant::now() < end {
            self.round(address);
        }
        killer.join().unwrap();
    }

    /// Starts the process and kills it after so long, whether it listens by then or not.
    pub(crate) fn kill_in_start(&self, time: Duration) {
        let (receiver, life) = self.life();
        let variables = [("CRASH_RECEIVER", &*receiver), ("CRASH_LIFE", &*life)];
        process::start_and_kill(&self.project, &variables, time);
    }

    /// Starts it again, without a crash: what was not answered is sent again, and some of what was; then everything
    /// comes to rest, and the books are compared. What is wrong, if anything.
    pub(crate) fn reckon(&mut self, variables: &[(&str, &str)]) -> Vec<String> {
        let began = Instant::now();
        let process = self.start(variables).unwrap();
        let (took, mut wrong) = (
            began.elapsed(),
            oracle::halves(&self.look(), &self.ledger.entries()),
        );
        if PATIENCE < took {
            wrong.push(format!("I11: it listens after {took:?} only"));
        }
        let address = process.address();
        // What it took before it died, then new events, then what it took just now.
        let mut is_answered = self.send_unanswered(address) && self.send_answered(address);
        self.round(address);
        is_answered &= self.send_unanswered(address) && self.send_answered(address);
        if !is_answered {
            wrong.push("the process that nobody kills does not answer".to_owned());
        }
        let at_rest = self.wait_for_rest();
        let (status, log) = process.stop();
        if let Err(busy) = at_rest {
            wrong.push(format!("I4: it does not come to rest: {busy}\n{log}"));
        }
        if status.code() != Some(0) {
            wrong.push(format!("it ended with {status}: {log}"));
        }
        let at_rest = AtRest {
            database: &self.database(),
            connection: &self.look(),
            vmdb: &self.vmdb(),
            sets: rules::sets(),
        };
        wrong.extend(at_rest.compare(&self.ledger, self.cloud.count(), &self.receiver.received()));
        wrong
    }

    /// A connection that only looks.
    pub(crate) fn look(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(self.project.path("switchboard.db"), flags).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        connection
    }

    /// Everybody sends something; whoever finds nobody there gives up for this round.
    pub(crate) fn round(&mut self, address: SocketAddr) {
        self.rounds += 1;
        let round = self.rounds;
        self.happen_in_cloud(round);
        self.write_file(round);
        rules::change(&self.project, round);
        // A sender has its lanes in order: first what it got no answer for.
        if self.pushes && self.send_unanswered(address) {
            thread::scope(|scope| {
                for sender in 0..2 {
                    let trial = &*self;
                    scope.spawn(move || trial.push(address, round, sender));
                }
            });
        }
        // An operator tries what was given up again; where nobody serves, it waits for the next start.
        self.vmdb().queue_retry_all(MessageState::Dead).wait().unwrap();
        process::pause(Duration::from_millis(50));
    }

    fn happen_in_cloud(&self, round: usize) {
        let events = (0..5).map(|number| {
            let lane = format!("polled-{}", number % 2);
            entry(
                "polled",
                &lane,
                format!("p-{round}-{number}"),
                rules::TYPES[number],
            )
        });
        for entry in events {
            let body = entry.body.clone();
            self.promise(entry);
            self.cloud.happens(body);
        }
    }

    /// Two lines, then the file is rotated away and the next one begins with another line.
    fn write_file(&self, round: usize) {
        let path = self.project.path("events.log");
        for number in 0..3 {
            // A file that nobody began to read yet is not looked for under another name.
            if number == 2 && self.has_begun(&path) {
                fs::rename(&path, path.with_extension(format!("log.{round}"))).unwrap();
            }
            let entry = entry(
                "filed",
                "filed",
                format!("f-{round}-{number}"),
                rules::TYPES[number],
            );
            let line = format!("{}\n", entry.body);
            self.promise(entry);
            append(&self.project, &line);
        }
    }

    fn has_begun(&self, stream: &Path) -> bool {
        let connection = self.look();
        let mut query = connection
            .prepare("SELECT 1 FROM cursors WHERE stream = ?1")
            .unwrap();
        query.exists([stream.to_string_lossy()]).unwrap()
    }

    /// What a provider or a file has is as good as answered: it is there until it is fetched.
    fn promise(&self, entry: Entry) {
        let places = self.ledger.note(vec![entry]);
        self.ledger.answered(places);
    }

    /// One sender's requests of a round; it stops where it gets no answer, as its lanes have to keep their order.
    fn push(&self, address: SocketAddr, round: usize, sender: usize) {
        let mut requests: Vec<Vec<Entry>> = (0..4)
            .map(|number| {
                let lane = format!("pushed-{sender}-{}", number % 2);
                let events = 0..=(round + number) % 3;
                let key = |event| format!("s{sender}-{round}-{number}-{event}");
                let kind = |event| rules::TYPES[(round + number + event) % rules::TYPES.len()];
                events
                    .map(|event| entry("pushed", &lane, key(event), kind(event)))
                    .collect()
            })
            .collect();
        let mut odd = entry("pushed", "odd", format!("o{sender}-{round}"), "noise");
        odd.expected = Expected::Filtered;
        if sender == 0 {
            odd.body = format!("{{ \"id\": \"{}\", \"nothing\": \"else\" }}", odd.key);
            odd.expected = Expected::Unparsed;
        }
        requests.insert(1, vec![odd]);
        for request in requests {
            if !self.send(address, &request) {
                return;
            }
        }
    }

    /// Sends one request; whether it was answered with yes.
    pub(crate) fn send(&self, address: SocketAddr, request: &[Entry]) -> bool {
        let places = self.ledger.note(request.to_vec());
        self.post(address, request, places)
    }

    fn post(&self, address: SocketAddr, request: &[Entry], places: Range<usize>) -> bool {
        let bodies: Vec<&str> = request.iter().map(|entry| &*entry.body).collect();
        let body = match &*bodies {
            [body] => (*body).to_owned(),
            bodies => format!("[{}]", bodies.join(",\n")),
        };
        match process::post(address, "pushed", &body) {
            Some(answer) if answer.status == 202 => {
                self.ledger.answered(places);
                true
            }
            Some(answer) if answer.status == 503 || answer.status == 429 => false,
            Some(answer) => panic!("{answer:?}"),
            None => false,
        }
    }

    /// Sends again what was not answered, in its order; whether everything is answered then.
    pub(crate) fn send_unanswered(&self, address: SocketAddr) -> bool {
        let entries = self.ledger.entries();
        let requests = entries.chunk_by(|a, b| a.request == b.request);
        let mut open = requests.filter(|request| !request[0].answered);
        open.all(|request| self.post_again(address, request))
    }

    /// Sends again the last of what was answered: a sender may have missed the answer.
    fn send_answered(&self, address: SocketAddr) -> bool {
        let entries = self.ledger.entries();
        let requests = entries.chunk_by(|a, b| a.request == b.request).rev();
        let known = requests.filter(|request| request[0].answered && request[0].expected == Expected::Saved);
        let mut last = known.filter(|request| request[0].ems == "pushed").take(8);
        last.all(|request| self.post_again(address, request))
    }

    fn post_again(&self, address: SocketAddr, request: &[Entry]) -> bool {
        let begin = request[0].request;
        self.post(address, request, begin..begin + request.len())
    }

    /// Waits until there is nothing left to do; what there is, where it takes too long.
    pub(crate) fn wait_for_rest(&self) -> Result<(), String> {
        let (connection, vmdb) = (self.look(), self.vmdb());
        let end = Instant::now() + PATIENCE;
        loop {
            self.retry_killed(&vmdb);
            let busy = self.busy(&connection);
            if busy.is_empty() {
                return Ok(());
            }
            if end < Instant::now() {
                return Err(busy);
            }
            process::pause(Duration::from_millis(10));
        }
    }

    fn busy(&self, connection: &Connection) -> String {
        let number = |sql: &str| -> i64 { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
        let mut busy = String::new();
        let waiting = number("SELECT count(*) FROM miq_queue WHERE state <> 1");
        if waiting > 0 {
            busy.push_str(&format!("{waiting} messages wait; "));
        }
        let unsent = number("SELECT count(*) FROM outbox WHERE state IN (0, 2)");
        if unsent > 0 {
            busy.push_str(&format!("{unsent} effects wait; "));
        }
        let polled =
            number("SELECT ifnull(max(CAST(position AS INTEGER)), 0) FROM cursors WHERE stream = 'poll'");
        if usize::try_from(polled).unwrap() != self.cloud.count() {
            busy.push_str(&format!("polled up to {polled} of {}; ", self.cloud.count()));
        }
        let path = self.project.path("events.log");
        let file = fs::metadata(&path).unwrap();
        let sql =
            "SELECT position ->> 'inode' = ?2 AND position ->> 'offset' = ?3 FROM cursors WHERE stream = ?1";
        let path = path.to_string_lossy();
        let is_read = connection.query_row(sql, (path, file.ino(), file.len()), |row| row.get(0));
        let is_read = is_read.optional().unwrap();
        if is_read != Some(true) {
            busy.push_str("the file is not read to its end; ");
        }
        busy
    }

    /// What was in hand at two ends of the process waits for somebody who says that it was not to blame.
    fn retry_killed(&self, vmdb: &Vmdb) {
        for entry in vmdb.queue_list(&QueueFilter::default()).unwrap() {
            let is_given_up = matches!(entry.state, MessageState::Dead | MessageState::Parked);
            if is_given_up && entry.error.as_deref() == Some(KILLED) {
                self.blamed.fetch_add(1, Ordering::Relaxed);
                // It may be gone by now.
                drop(vmdb.queue_retry(MessageId(entry.id.0)).wait());
            }
        }
    }
}

/// An event about the resource that its lane is named after.
pub(crate) fn entry(ems: &'static str, lane: &str, key: String, kind: &str) -> Entry {
    let body = format!(
        r#"{{ "id": "{key}",  "event_name": "com.awesomecloud.{kind}", "time": "2026-01-01T11:00:00Z", "vm": {{"id": "{lane}"}} }}"#
    );
    Entry {
        ems,
        key,
        lane: lane.to_owned(),
        body,
        expected: Expected::Saved,
        answered: false,
        request: 0,
    }
}

fn append(project: &Project, text: &str) {
    let path = project.path("events.log");
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
