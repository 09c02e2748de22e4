//! A trial of refreshes: a simulated cloud that changes, a process that refreshes its inventory and dies over it.

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use serde_json::json;
use switchboard::model::clock::Clock;
use switchboard::model::ems::Ems;
use switchboard::verify::ledger::Ledger;
use switchboard::vmdb::DatabaseUrl;
use switchboard::vmdb::NewEms;
use switchboard::vmdb::Refresh;
use switchboard::vmdb::RefreshFilter;
use switchboard::vmdb::RefreshState;
use switchboard::vmdb::Vmdb;
use tokio::runtime::Runtime;

use crate::awesome_cloud::AwesomeCloud;
use crate::awesome_cloud::Beginning;
use crate::awesome_cloud::Faults;
use crate::support::crashing::oracle;
use crate::support::crashing::oracle::AtRest;
use crate::support::crashing::process;
use crate::support::crashing::process::PATIENCE;
use crate::support::crashing::process::Process;
use crate::support::crashing::rules;
use crate::support::crashing::trial::ABORTED;
use crate::support::managed;
use crate::support::project::Project;

const SETTINGS: &str = "\
workers:
  worker_base:
    event_catcher:
      defaults:
        flooding_monitor_enabled: false
      event_catcher_awesome_cloud:
        poll: 20ms
ems_refresh:
  gather: 20ms
  retry_pause: 50ms
# A busy machine decides nothing.
script:
  max_time: 60s
";

/// How long each answer of the cloud takes, so that something happens while a refresh runs, in milliseconds.
const ANSWER_TIME: u64 = 5;

/// A cloud, and a database that is to know what is there.
pub(crate) struct RefreshTrial {
    project: Project,
    cloud: AwesomeCloud,
    ems: Ems,
    /// Where the cloud lives.
    _runtime: Runtime,
}

impl RefreshTrial {
    pub(crate) fn new() -> Self {
        let project = Project::shipped();
        project.write("config/settings.yml", SETTINGS);
        let runtime = Runtime::new().unwrap();
        let clock = Clock::System;
        let cloud = runtime.block_on(AwesomeCloud::start(Beginning {
            listen: ([127, 0, 0, 1], 0).into(),
            seed: 1,
            vms: 10,
            token: None,
            now: Arc::new(move || clock.now()),
        }));
        let cloud = cloud.unwrap();
        cloud.set_faults(Faults {
            delay_ms: ANSWER_TIME,
            ..Faults::default()
        });
        let new = NewEms {
            name: "cloud".to_owned(),
            provider: "awesome_cloud".to_owned(),
            url: Some(cloud.url()),
            credentials: None,
        };
        let ems = open(&database(&project)).ems_add(new).wait().unwrap();
        Self {
            project,
            cloud,
            ems,
            _runtime: runtime,
        }
    }

    /// Runs the process beside a cloud that changes, until it dies at the nth time that it reaches a point, which it
    /// has to.
    pub(crate) fn die_at(&self, point: &str, nth: u32, variables: &[(&str, &str)]) {
        let crash = format!("{point}:{nth}");
        let variables = [&[("SWITCHBOARD_CRASH", &*crash)], variables].concat();
        let end = Instant::now() + PATIENCE;
        match Process::start(&self.project, &variables) {
            Err((status, log)) => assert_eq!(status.signal(), ABORTED, "{point}: {log}"),
            Ok(mut process) => {
                while !process.is_dead() && Instant::now() < end {
                    self.cloud.change_by_chance(2);
                    process::pause(std::time::Duration::from_millis(30));
                }
                let (status, log) = process.stop();
                assert_eq!(
                    status.signal(),
                    ABORTED,
                    "{point} was not reached {nth} times: {log}"
                );
            }
        }
    }

    /// Starts it again, without a crash; everything comes to rest, and the inventory is compared with the cloud. What
    /// is wrong, if anything.
    pub(crate) fn reckon(&self, variables: &[(&str, &str)]) -> Vec<String> {
        let mut wrong = Vec::new();
        let process = Process::start(&self.project, variables).unwrap();
        self.cloud.publish_all();
        let vmdb = open(&database(&self.project));
        let end = Instant::now() + PATIENCE;
        while !self.is_quiet(&vmdb) {
            if end < Instant::now() {
                wrong.push(format!("I5: it does not come to rest: {:?}", refreshes(&vmdb)));
                break;
            }
            process::pause(std::time::Duration::from_millis(10));
        }
        let (status, log) = process.stop();
        if status.code() != Some(0) {
            wrong.push(format!("it ended with {status}: {log}"));
        }
        let (inventory, truth) = (
            managed::inventory(&vmdb, self.ems.id),
            managed::truth(&self.cloud),
        );
        let different = managed::differences(&inventory, &truth);
        wrong.extend(different.into_iter().map(|different| format!("I5: {different}")));
        let connection = look(&self.project);
        for archived in archived(&connection) {
            if truth.contains_key(&archived) {
                wrong.push(format!("I5: {archived} was archived, and is there"));
            }
        }
        served(&connection, &mut wrong);
        let at_rest = AtRest {
            database: &database(&self.project),
            connection: &connection,
            vmdb: &vmdb,
            sets: rules::shipped(),
        };
        at_rest.as_users_do(&Ledger::default(), &mut wrong);
        at_rest.decisions(&oracle::saved(&connection), &mut wrong);
        wrong
    }

    /// Every event is in, each decided, and every refresh done.
    fn is_quiet(&self, vmdb: &Vmdb) -> bool {
        let refreshes = refreshes(vmdb);
        let is_open =
            |refresh: &Refresh| matches!(refresh.state, RefreshState::Waiting | RefreshState::Running);
        vmdb.cursor(self.ems.id, "poll").unwrap() == Some(json!(self.cloud.events()).into())
            && refreshes.iter().any(|refresh| refresh.state == RefreshState::Done)
            && !refreshes.iter().any(is_open)
            // Last, since what is decided may ask for a refresh.
            && waiting(&look(&self.project)) == 0
    }
}

fn database(project: &Project) -> DatabaseUrl {
    DatabaseUrl::sqlite(project.path("switchboard.db"))
}

/// The database, beside the process.
fn open(database: &DatabaseUrl) -> Vmdb {
    Vmdb::open(database, Clock::System).unwrap()
}

/// A connection that only looks.
fn look(project: &Project) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(project.path("switchboard.db"), flags).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    connection
}

fn refreshes(vmdb: &Vmdb) -> Vec<Refresh> {
    vmdb.refresh_list(&RefreshFilter::default()).unwrap()
}

/// What waits on the queue, or is to be refreshed.
fn waiting(connection: &Connection) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM miq_queue) + (SELECT count(*) FROM refresh_queue WHERE state IN (0, 1))";
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// What was ever taken for gone. The cloud gives no id twice.
fn archived(connection: &Connection) -> Vec<String> {
    let sql = "SELECT o.association || ' ' || (o.manager_ref ->> '$.ems_ref') FROM inventory_history h \
               JOIN inventory_objects o ON o.id = h.object_id WHERE h.change = 'archived'";
    let mut query = connection.prepare(sql).unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Every event that asked for a refresh was served by one that is done and began after it.
fn served(connection: &Connection, wrong: &mut Vec<String>) {
    let sql = "WITH RECURSIVE serves (event_id, refresh_id) AS ( \
                 SELECT event_id, refresh_id FROM event_refreshes \
                 UNION SELECT s.event_id, r.merged_into FROM serves s \
                 JOIN refresh_queue r ON r.id = s.refresh_id WHERE r.merged_into IS NOT NULL) \
               SELECT d.event_id, d.decided_at, max(r.started_at) FROM deliveries d \
               LEFT JOIN serves s ON s.event_id = d.event_id \
               LEFT JOIN refresh_queue r ON r.id = s.refresh_id AND r.state = 2 \
               WHERE EXISTS (SELECT 1 FROM refresh_targets t WHERE d.event_id IN (t.first_event, t.last_event)) \
               GROUP BY d.event_id";
    let mut query = connection.prepare(sql).unwrap();
    let mut rows = query.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (event, decided): (i64, i64) = (row.get(0).unwrap(), row.get(1).unwrap());
        let began: Option<i64> = row.get(2).unwrap();
        if began.is_none_or(|began| began < decided) {
            wrong.push(format!(
                "I5: event {event} was decided at {decided}, its refresh began at {began:?}"
            ));
        }
    }
}
