//! An appliance on a free port, and a caller who says exactly what is sent.

use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Duration;

use switchboard::appliance::Appliance;
use switchboard::appliance::ApplianceConfig;
use switchboard::appliance::ApplianceError;
use switchboard::model::clock::Clock;
use switchboard::model::event::EventId;
use switchboard::settings::Environment;
use switchboard::settings::SettingsPath;
use switchboard::source::Root;
use switchboard::source::RootKind;
use switchboard::vmdb::DatabaseUrl;
use switchboard::vmdb::NewEms;
use switchboard::vmdb::Vmdb;
use tokio::runtime::Runtime;

use crate::support::expect_sound;
use crate::support::project::Project;

/// Longer than anything here takes; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// An appliance with the shipped rules and a manager `my_cloud`.
pub(crate) struct Served {
    pub(crate) project: Project,
    runtime: Runtime,
    appliance: Option<Appliance>,
    address: SocketAddr,
}

/// What was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .into_iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// The configuration of an appliance for a project.
pub(crate) fn config(project: &Project) -> ApplianceConfig {
    let root = |kind, name| Root {
        kind,
        folder: project.path(name),
        required: true,
    };
    ApplianceConfig {
        roots: vec![
            root(RootKind::Automate, "automate"),
            root(RootKind::Scripts, "scripts"),
        ],
        settings: SettingsPath::usual(project.path("settings.yml")),
        environment: Environment::default(),
        database: DatabaseUrl::sqlite(project.path("test.db")),
        unsafe_filesystem: false,
        listen: Some(([127, 0, 0, 1], 0).into()),
        is_strict: false,
        clock: Clock::System,
    }
}

impl Served {
    /// With these settings.
    pub(crate) fn with(settings: &str) -> Self {
        Self::of(Project::shipped(), settings)
    }

    /// A project with these settings; without any, it has no file of them.
    pub(crate) fn of(project: Project, settings: &str) -> Self {
        if !settings.is_empty() {
            project.write("settings.yml", settings);
        }
        Self::start(project, |config| config).unwrap()
    }

    /// Tries to start an appliance.
    pub(crate) fn start(
        project: Project,
        change: impl FnOnce(ApplianceConfig) -> ApplianceConfig,
    ) -> Result<Self, ApplianceError> {
        let runtime = Runtime::new().unwrap();
        let appliance = runtime.block_on(Appliance::start(change(config(&project))))?;
        let new = NewEms {
            name: "my_cloud".to_owned(),
            provider: "awesome_cloud".to_owned(),
            ..NewEms::default()
        };
        appliance.vmdb().ems_add(new).wait().unwrap();
        let address = appliance.address();
        Ok(Self {
            project,
            runtime,
            appliance: Some(appliance),
            address,
        })
    }

    pub(crate) fn vmdb(&self) -> &Vmdb {
        self.appliance.as_ref().unwrap().vmdb()
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes, and reads until the other side has said all.
    pub(crate) fn say(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // Who refuses a body need not read it to its end.
        let _refused = stream.write_all(bytes);
        read(&mut stream)
    }

    /// One request with these header lines.
    pub(crate) fn request(&self, line: &str, headers: &[&str], body: &str) -> Answer {
        let host = if headers.iter().any(|header| header.starts_with("Host:")) {
            ""
        } else {
            "Host: localhost\r\n"
        };
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let length = body.len();
        let head = format!(
            "{line} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        self.say(format!("{head}{body}").as_bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request(&format!("GET {path}"), &[], "")
    }

    /// Posts JSON for the manager.
    pub(crate) fn post(&self, body: &str) -> Answer {
        self.request("POST /events/my_cloud", &["Content-Type: application/json"], body)
    }

    /// Waits until so many events are saved.
    pub(crate) fn until_saved(&self, number: i64) {
        let mut saved = self.vmdb().events_saved();
        let waited = self.runtime.block_on(async {
            tokio::time::timeout(PATIENCE, saved.wait_for(|id| EventId(number) <= *id))
                .await
                .map(drop)
        });
        waited.unwrap();
    }

    /// Asks again until this is the status.
    pub(crate) fn until_answer(&self, status: u16, ask: impl Fn() -> Answer) {
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            let answer = ask();
            if answer.status == status {
                return;
            }
            assert!(std::time::Instant::now() < end, "waited in vain: {answer:?}");
            std::thread::yield_now();
        }
    }

    /// Asks again until the answer is right.
    pub(crate) fn until(&self, path: &str, is_right: impl Fn(&Answer) -> bool) -> Answer {
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path);
            if is_right(&answer) {
                return answer;
            }
            assert!(std::time::Instant::now() < end, "waited in vain: {answer:?}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(appliance) = self.appliance.take() {
            self.runtime.block_on(appliance.stop());
        }
        if !std::thread::panicking() {
            expect_sound(&self.project.path("test.db"));
        }
    }
}

/// Reads an answer to its end.
pub(crate) fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A reset after the answer is as good as an end.
    let _ended = stream.read_to_end(&mut bytes);
    let _closed = stream.shutdown(Shutdown::Both);
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    }
}
