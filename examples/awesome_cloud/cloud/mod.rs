//! A simulated AWESOME_CLOUD: VMs, volumes, networks and hosts behind a real HTTP server, with an events API.
//!
//! It changes on command or by itself at a rate, and misbehaves on request. Everything by chance comes from one seed.

mod api;
mod change;
mod faults;
mod life;
mod log;
mod objects;

pub(crate) use change::Change;
pub(crate) use faults::Faults;
pub(crate) use objects::Kind;
pub(crate) use objects::Objects;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::log::EventLog;

/// Where the cloud takes its time from.
pub(crate) type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How a cloud begins.
#[derive(Clone)]
pub(crate) struct Beginning {
    /// Where it listens; port 0 for any.
    pub(crate) listen: SocketAddr,
    /// What everything by chance follows from.
    pub(crate) seed: u64,
    /// How many VMs there are already; hosts, networks and volumes go with them.
    pub(crate) vms: usize,
    /// What a caller has to present as `Authorization: Bearer …`; none for nothing.
    pub(crate) token: Option<String>,
    /// The time.
    pub(crate) now: Now,
}

/// The cloud, serving until it is dropped.
pub(crate) struct AwesomeCloud {
    address: SocketAddr,
    state: Shared,
    tasks: Vec<JoinHandle<()>>,
}

/// What the server, the life of its own and the tests share.
pub(crate) type Shared = Arc<Mutex<State>>;

/// Everything a cloud knows.
pub(crate) struct State {
    pub(crate) objects: Objects,
    pub(crate) log: EventLog,
    pub(crate) faults: Faults,
    pub(crate) chance: fastrand::Rng,
    /// Changes a second that happen by themselves.
    pub(crate) rate: f64,
    /// What was asked of it: requests by method and route.
    pub(crate) calls: BTreeMap<String, u64>,
    /// What callers have to present.
    pub(crate) token: Option<String>,
    pub(crate) now: Now,
}

impl AwesomeCloud {
    /// Starts a cloud.
    ///
    /// # Errors
    /// When it cannot listen.
    pub(crate) async fn start(beginning: Beginning) -> io::Result<Self> {
        let listener = TcpListener::bind(beginning.listen).await?;
        let address = listener.local_addr()?;
        let mut chance = fastrand::Rng::with_seed(beginning.seed);
        let objects = Objects::some(beginning.vms, &mut chance, (beginning.now)());
        let state = Arc::new(Mutex::new(State {
            objects,
            log: EventLog::default(),
            faults: Faults::default(),
            chance,
            rate: 0.0,
            calls: BTreeMap::new(),
            token: beginning.token,
            now: beginning.now,
        }));
        let routes = api::routes(state.clone());
        let server = tokio::spawn(async move {
            // Serving on a listener that is there never ends by itself.
            drop(axum::serve(listener, routes).await);
        });
        let life = tokio::spawn(life::live(state.clone()));
        Ok(Self {
            address,
            state,
            tasks: vec![server, life],
        })
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does something to it.
    ///
    /// # Errors
    /// When that cannot be done; says why.
    pub(crate) fn change(&self, change: &Change) -> Result<serde_json::Value, String> {
        self.state.lock().change(change)
    }

    /// So many changes by chance, at once.
    pub(crate) fn change_by_chance(&self, count: usize) {
        let mut state = self.state.lock();
        for _ in 0..count {
            state.change_by_chance();
        }
    }

    /// How many changes a second happen by themselves.
    pub(crate) fn set_rate(&self, rate: f64) {
        self.state.lock().rate = rate;
    }

    /// How it misbehaves from now on.
    pub(crate) fn set_faults(&self, faults: Faults) {
        self.state.lock().faults = faults;
    }

    /// What a caller has to present from now on.
    pub(crate) fn set_token(&self, token: Option<String>) {
        self.state.lock().token = token;
    }

    /// Lets every event that is late or held back be seen now.
    pub(crate) fn publish_all(&self) {
        self.state.lock().log.publish_all();
    }

    /// What there is at this moment.
    pub(crate) fn objects(&self) -> Objects {
        self.state.lock().objects.clone()
    }

    /// How many events its events API has, those given twice counted twice.
    pub(crate) fn events(&self) -> usize {
        self.state.lock().log.len()
    }

    /// The requests until now, by method and route.
    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        self.state.lock().calls.clone()
    }
}

impl Drop for AwesomeCloud {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
