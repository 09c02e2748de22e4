//! An appliance in this process, with the shipped rules and settings and one manager.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use switchboard::appliance::Appliance;
use switchboard::appliance::ApplianceConfig;
use switchboard::catcher::Catcher;
use switchboard::model::clock::Clock;
use switchboard::model::event::NativeEvent;
use switchboard::settings::ActiveSettings;
use switchboard::settings::Environment;
use switchboard::settings::Settings;
use switchboard::settings::SettingsPath;
use switchboard::source::Root;
use switchboard::source::RootKind;
use switchboard::source::SourceTree;
use switchboard::switchboard::ActiveSwitchboard;
use switchboard::switchboard::Switchboard;
use switchboard::vmdb::DatabaseUrl;
use switchboard::vmdb::NewEms;
use switchboard::vmdb::Vmdb;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::load::Caller;

/// Longer than any run takes.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often commits are looked for of which nobody is told: those that bring no later event than another one.
const LOOK: Duration = Duration::from_millis(2);

/// A folder with a database, on a real disk.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let within =
            std::env::var_os("SWITCHBOARD_BENCH_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
        Self(TempDir::with_prefix_in("pipeline-", within).unwrap())
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.path().join("bench.db")
    }

    /// Writes a file of JSON lines; its path.
    pub(crate) fn file(&self, lines: &[String]) -> PathBuf {
        let path = self.0.path().join("events.jsonl");
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        path
    }

    pub(crate) fn vmdb(&self) -> Vmdb {
        Vmdb::open_to_serve(&DatabaseUrl::sqlite(self.database()), Clock::System).unwrap()
    }
}

/// The manager of every bench. Its file, where it has one, is read from when it is added.
pub(crate) fn manager(file: Option<&Path>) -> NewEms {
    NewEms {
        name: "bench".to_owned(),
        provider: "awesome_cloud".to_owned(),
        url: file.map(|path| format!("file://{}", path.display())),
        ..NewEms::default()
    }
}

/// Puts events on the queue as the catcher does, with nobody there who handles them.
pub(crate) fn catch(folder: &Folder, events: &[String]) {
    let vmdb = folder.vmdb();
    let ems = Arc::new(vmdb.ems_add(manager(None)).wait().unwrap());
    let tree = SourceTree::from_disk(&roots()).unwrap();
    let rules = ActiveSwitchboard::new(Switchboard::load(&tree, None).switchboard);
    let settings = ActiveSettings::new(Settings::load(&settings(), &Environment::default()).unwrap().0);
    let catcher = Catcher::start(&vmdb, &rules, settings, 1).unwrap();
    Runtime::new().unwrap().block_on(async {
        let push = catcher.push_stream();
        for part in events.chunks(1_000) {
            let messages = part
                .iter()
                .map(|event| NativeEvent::new(event.as_str()))
                .collect();
            let pushed = push.push(ems.clone(), messages, vmdb.clock().now(), push.room());
            assert_eq!(pushed.await.unwrap().accepted, part.len());
        }
        catcher.stop().await;
    });
    vmdb.close();
}

/// A running appliance.
pub(crate) struct Served {
    runtime: Runtime,
    appliance: Option<Appliance>,
}

impl Served {
    pub(crate) fn start(folder: &Folder) -> Self {
        let runtime = Runtime::new().unwrap();
        let config = ApplianceConfig {
            roots: roots(),
            settings: settings(),
            environment: Environment::default(),
            database: DatabaseUrl::sqlite(folder.database()),
            listen: Some(([127, 0, 0, 1], 0).into()),
            is_strict: false,
            unsafe_filesystem: false,
            clock: Clock::System,
        };
        let appliance = Some(runtime.block_on(Appliance::start(config)).unwrap());
        Self { runtime, appliance }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.appliance.as_ref().unwrap().address()
    }

    pub(crate) fn vmdb(&self) -> &Vmdb {
        self.appliance.as_ref().unwrap().vmdb()
    }

    pub(crate) fn add_manager(&self, file: Option<&Path>) {
        self.vmdb().ems_add(manager(file)).wait().unwrap();
    }

    /// Waits until all events up to this one are decided, and nothing waits any more.
    pub(crate) fn until_decided(&self, last: usize) {
        let mut saved = self.vmdb().events_saved();
        let last = i64::try_from(last).unwrap();
        let waiting = async {
            saved.wait_for(|event| last <= event.0).await.unwrap();
            while self.vmdb().waiting() > 0 {
                tokio::time::sleep(LOOK).await;
            }
        };
        let waited = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, waiting).await });
        waited.unwrap();
    }

    /// Sends these requests from so many connections, each of which waits for every answer.
    pub(crate) fn send(&self, requests: &[Vec<u8>], connections: usize) {
        let (address, next) = (self.address(), Mutex::new(requests.iter()));
        thread::scope(|scope| {
            for _ in 0..connections {
                scope.spawn(|| {
                    let mut caller = Caller::connect(address);
                    loop {
                        let request = next.lock().unwrap().next();
                        let Some(request) = request else { break };
                        caller.post(request);
                    }
                });
            }
        });
    }

    /// When each event was seen to be committed with its targets, by its number; of so many events.
    pub(crate) fn watch(&self, folder: &Folder, count: usize) -> JoinHandle<Vec<(usize, Instant)>> {
        let connection = Connection::open_with_flags(folder.database(), OpenFlags::SQLITE_OPEN_READ_ONLY);
        let connection = connection.unwrap();
        let handle = self.runtime.handle().clone();
        let mut saved = self.vmdb().events_saved();
        thread::spawn(move || {
            let mut query = connection
                .prepare(
                    "SELECT d.id, e.event_key FROM deliveries d JOIN event_streams e ON e.id = d.event_id \
                     WHERE d.id > ?1",
                )
                .unwrap();
            let (mut last, mut seen) = (0_i64, Vec::with_capacity(count));
            while seen.len() < count {
                let changed = async { tokio::time::timeout(LOOK, saved.changed()).await };
                drop(handle.block_on(changed));
                let rows = query.query_map([last], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)));
                let rows: Vec<(i64, String)> = rows.unwrap().map(Result::unwrap).collect();
                let now = Instant::now();
                last = rows.iter().map(|(id, _)| *id).max().unwrap_or(last);
                seen.extend(
                    rows.iter()
                        .map(|(_, key)| (key.trim_start_matches("e-").parse().unwrap(), now)),
                );
            }
            seen
        })
    }

    pub(crate) fn stop(mut self) {
        self.runtime.block_on(self.appliance.take().unwrap().stop());
    }
}

fn settings() -> SettingsPath {
    SettingsPath::named(project().join("config/settings.yml"))
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn roots() -> Vec<Root> {
    let root = |kind, name| Root {
        kind,
        folder: project().join(name),
        required: true,
    };
    vec![
        root(RootKind::Automate, "automate"),
        root(RootKind::Scripts, "scripts"),
    ]
}
