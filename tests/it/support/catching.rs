//! A first stage of its own: database, scripts, catcher and supervisor, by a clock that tests move.
#![expect(clippy::indexing_slicing, reason = "tests")]

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use switchboard::catcher::Catcher;
use switchboard::catcher::CatcherState;
use switchboard::catcher::CatcherStatus;
use switchboard::catcher::Supervisor;
use switchboard::catcher::SupervisorConfig;
use switchboard::model::clock::Clock;
use switchboard::model::clock::SignedDuration;
use switchboard::model::ems::Ems;
use switchboard::settings::ActiveSettings;
use switchboard::settings::Environment;
use switchboard::settings::Settings;
use switchboard::source::Root;
use switchboard::source::RootKind;
use switchboard::source::SourceTree;
use switchboard::switchboard::ActiveSwitchboard;
use switchboard::switchboard::Switchboard;
use switchboard::vmdb::NewEms;
use switchboard::vmdb::QueueEntry;
use switchboard::vmdb::QueueFilter;
use switchboard::vmdb::Vmdb;

use crate::support::Database;

/// The longest that a test waits for anything, in real time.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first stage, running.
pub(crate) struct Catching {
    pub(crate) database: Database,
    pub(crate) settings: ActiveSettings,
    pub(crate) catcher: Catcher,
    pub(crate) supervisor: Supervisor,
}

impl Catching {
    /// One with the scripts that are shipped, on an empty database.
    pub(crate) fn start() -> Self {
        Self::start_on(Database::new())
    }

    pub(crate) fn start_on(database: Database) -> Self {
        let scripts = Root {
            kind: RootKind::Scripts,
            folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts"),
            required: true,
        };
        let tree = SourceTree::from_disk(&[scripts]).unwrap();
        Self::start_by(database, Switchboard::load(&tree, None).switchboard)
    }

    /// One with other scripts.
    pub(crate) fn start_by(database: Database, rules: Switchboard) -> Self {
        let rules = ActiveSwitchboard::new(rules);
        let settings = ActiveSettings::new(with_settings(""));
        let catcher = Catcher::start(&database.vmdb, &rules, settings.clone(), 2).unwrap();
        let supervisor = Supervisor::start(SupervisorConfig {
            vmdb: database.vmdb.clone(),
            rules,
            settings: settings.clone(),
            environment: Environment::from_iter([("TOKEN".to_owned(), "s3cret".to_owned())]),
            push: catcher.push_stream(),
            clock: database.clock.clone(),
        });
        Self {
            database,
            settings,
            catcher,
            supervisor,
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.database.clock
    }

    pub(crate) fn vmdb(&self) -> &Vmdb {
        &self.database.vmdb
    }

    /// Adds a manager.
    pub(crate) async fn add(&self, name: &str, url: &str, credentials: Option<&str>) -> Arc<Ems> {
        let new = NewEms {
            name: name.to_owned(),
            provider: "awesome_cloud".to_owned(),
            url: Some(url.to_owned()),
            credentials: credentials.map(ToOwned::to_owned),
        };
        Arc::new(self.vmdb().ems_add(new).await.unwrap())
    }

    /// Lets time pass until something is there. The clock moves a hundred times as fast as the machine's.
    pub(crate) async fn until<T>(&self, there: impl Future<Output = T>) -> T {
        passing(self.clock(), there).await
    }

    /// The same for what takes the machine long: the clock moves as fast as its own.
    pub(crate) async fn until_done<T>(&self, there: impl Future<Output = T>) -> T {
        passing_by(self.clock(), Duration::from_millis(100), 5 * PATIENCE, there).await
    }

    /// Lets time pass until a catcher is in this state.
    pub(crate) async fn until_state(&self, ems: &Ems, state: CatcherState) -> CatcherStatus {
        self.until(self.state(ems, state)).await
    }

    /// Waits, while the clock stands, until a catcher is in this state.
    pub(crate) async fn state(&self, ems: &Ems, state: CatcherState) -> CatcherStatus {
        let mut statuses = self.supervisor.statuses();
        let is_there = |status: Option<&CatcherStatus>| status.is_some_and(|status| status.state == state);
        let there = statuses.wait_for(|statuses| is_there(statuses.get(&ems.id)));
        let there = tokio::time::timeout(PATIENCE, there).await.unwrap().unwrap();
        there[&ems.id].clone()
    }

    /// Lets just enough time pass for the supervisor to look, until a stream has broken off so often.
    pub(crate) async fn state_after(&self, ems: &Ems, broke_off: u64) -> CatcherStatus {
        let mut statuses = self.supervisor.statuses();
        let is_there = |status: &CatcherStatus| {
            status.state == CatcherState::BackingOff && broke_off <= status.broke_off
        };
        let there = statuses.wait_for(|statuses| statuses.get(&ems.id).is_some_and(is_there));
        if broke_off == 1 {
            self.until_managed().await;
        }
        let there = tokio::time::timeout(PATIENCE, there).await.unwrap().unwrap();
        there[&ems.id].clone()
    }

    /// Lets time pass until the supervisor has started a catcher.
    pub(crate) async fn until_managed(&self) {
        let mut statuses = self.supervisor.statuses();
        let started = statuses.wait_for(|statuses| !statuses.is_empty());
        drop(self.until(started).await.unwrap());
    }

    /// Moves the clock to the end of a pause.
    pub(crate) fn pass_over(&self, status: &CatcherStatus) -> Duration {
        let pause = status.until.unwrap().duration_since(self.clock().now());
        self.clock().advance(pause);
        Duration::try_from(pause).unwrap_or_default()
    }

    /// The ids of the events that are on the queue, and the reasons why others are no events.
    pub(crate) fn queued(&self) -> (Vec<String>, Vec<String>) {
        let entries = self.entries();
        let payload = |entry: &QueueEntry| Some(entry.payload.as_ref()?.get("ems_ref")?.as_str()?.to_owned());
        let ids = entries.iter().filter_map(payload).collect();
        let reasons = entries.iter().filter_map(|entry| entry.error.clone()).collect();
        (ids, reasons)
    }

    /// Everything on the queue with what it carries.
    pub(crate) fn entries(&self) -> Vec<QueueEntry> {
        let entries = self.vmdb().queue_list(&QueueFilter::default()).unwrap();
        let show = |entry: QueueEntry| self.vmdb().queue_show(entry.id).unwrap().unwrap();
        entries.into_iter().map(show).collect()
    }

    /// Stops it in order and gives the database back.
    pub(crate) async fn stop(self) -> Database {
        self.supervisor.stop().await;
        self.catcher.stop().await;
        self.database
    }
}

/// Lets time pass until something is there.
pub(crate) async fn passing<T>(clock: &Clock, there: impl Future<Output = T>) -> T {
    passing_by(clock, Duration::from_millis(1), PATIENCE, there).await
}

/// The same, a tenth of a second each tick.
async fn passing_by<T>(
    clock: &Clock,
    tick: Duration,
    patience: Duration,
    there: impl Future<Output = T>,
) -> T {
    let mut tick = tokio::time::interval(tick);
    let wait = async {
        tokio::pin!(there);
        loop {
            tokio::select! {
                there = &mut there => return there,
                _tick = tick.tick() => clock.advance(SignedDuration::from_millis(100)),
            }
        }
    };
    tokio::time::timeout(patience, wait).await.unwrap()
}

/// The settings of these lines, with a poll each second.
pub(crate) fn with_settings(text: &str) -> Settings {
    let text = format!(
        "workers:\n  worker_base:\n    event_catcher:\n      event_catcher_awesome_cloud:\n        poll: 1.second\n{text}"
    );
    let (settings, findings) =
        Settings::parse(&"settings.yml".into(), &text, &Environment::default()).unwrap();
    assert!(findings.is_empty(), "{findings:?}");
    settings
}
