//! Keeps one catcher running for each manager that has a stream: starts what is missing, stops what is too many.
//!
//! Compares sets, not counts (C02). Knows nothing of what a catcher does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::info;
use tracing::warn;

use crate::catcher::PushStream;
use crate::catcher::StreamKind;
use crate::catcher::ems_catcher::EmsCatcher;
use crate::catcher::ems_catcher::Surroundings;
use crate::catcher::nudge::Nudges;
use crate::catcher::records::Records;
use crate::catcher::status;
use crate::catcher::status::Board;
use crate::catcher::status::CatcherStatuses;
use crate::model::clock::Clock;
use crate::model::ems::Ems;
use crate::model::ems::EmsId;
use crate::model::metric::Sample;
use crate::settings::ActiveSettings;
use crate::settings::Environment;
use crate::switchboard::ActiveSwitchboard;
use crate::vmdb::Vmdb;

/// How often the managers are looked at: another process may add or remove one.
const LOOK: Duration = Duration::from_secs(1);

/// What a supervisor needs to know.
#[derive(Clone, Debug)]
pub struct SupervisorConfig {
    /// The database.
    pub vmdb: Vmdb,
    /// The rules in force.
    pub rules: ActiveSwitchboard,
    /// The settings in force.
    pub settings: ActiveSettings,
    /// Where `env:NAME` credentials are found.
    pub environment: Environment,
    /// Where what streams bring is handed over.
    pub push: PushStream,
    /// The time.
    pub clock: Clock,
}

/// The supervisor of all catchers, running.
#[derive(Debug)]
pub struct Supervisor {
    stop: watch::Sender<bool>,
    statuses: watch::Receiver<CatcherStatuses>,
    nudges: Nudges,
    task: JoinHandle<()>,
}

/// One catcher, running.
struct Running {
    ems: Arc<Ems>,
    kind: StreamKind,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What a pass compares.
type Wanted = BTreeMap<EmsId, (Arc<Ems>, StreamKind)>;

/// The managers that are to have no catcher, each with the reason.
type Others = BTreeMap<EmsId, String>;

impl Supervisor {
    /// Starts it on the async runtime that calls this.
    pub fn start(config: SupervisorConfig) -> Self {
        let board = Board::new(config.clock.clone());
        let statuses = board.watch();
        let (stop, stopped) = watch::channel(false);
        let around = Surroundings {
            vmdb: config.vmdb,
            rules: config.rules,
            settings: config.settings,
            environment: config.environment,
            push: config.push,
            clock: config.clock,
            board,
            nudges: Nudges::default(),
        };
        let nudges = around.nudges.clone();
        let task = tokio::spawn(supervise(around, stopped));
        Self {
            stop,
            statuses,
            nudges,
            task,
        }
    }

    /// How each catcher fares, whenever that changes.
    pub fn statuses(&self) -> watch::Receiver<CatcherStatuses> {
        self.statuses.clone()
    }

    /// Who has a catcher that waits try now.
    pub fn nudges(&self) -> Nudges {
        self.nudges.clone()
    }

    /// How each catcher fares, as figures; outlives the borrow.
    pub fn samples(&self) -> impl Fn() -> Vec<Sample> + Send + Sync + 'static {
        let statuses = self.statuses.clone();
        move || status::samples(&statuses.borrow())
    }

    /// Stops every catcher in order: what they have received is kept first (C13, C14).
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            warn!(%error, "The supervisor of the catchers did not end in order.");
        }
    }
}

async fn supervise(around: Surroundings, mut stop: watch::Receiver<bool>) {
    let mut running: BTreeMap<EmsId, Running> = BTreeMap::new();
    let mut others = Others::new();
    let mut records = Records::default();
    let statuses = around.board.watch();
    loop {
        match wanted(&around).await {
            Ok((wanted, unwanted)) => {
                compare(&around, &mut running, &wanted).await;
                others = unwanted;
                let statuses = statuses.borrow().clone();
                records.keep(&around.vmdb, &around.clock, statuses, &others).await;
            }
            // What runs goes on meanwhile.
            Err(error) => warn!(%error, "Cannot read which managers there are."),
        }
        tokio::select! {
            _told = stop.wait_for(|stop| *stop) => break,
            () = around.clock.sleep(LOOK) => (),
        }
    }
    end(&around, running.into_values().collect()).await;
    let statuses = statuses.borrow().clone();
    records.keep(&around.vmdb, &around.clock, statuses, &others).await;
}

/// One pass: the surplus is stopped, then the missing are started.
async fn compare(around: &Surroundings, running: &mut BTreeMap<EmsId, Running>, wanted: &Wanted) {
    let is_wanted = |catcher: &Running| {
        let same = wanted
            .get(&catcher.ems.id)
            .is_some_and(|(ems, kind)| *ems == catcher.ems && *kind == catcher.kind);
        same && !catcher.task.is_finished()
    };
    let surplus: Vec<EmsId> = running
        .iter()
        .filter(|(_, catcher)| !is_wanted(catcher))
        .map(|(ems_id, _)| *ems_id)
        .collect();
    let surplus: Vec<Running> = surplus
        .into_iter()
        .filter_map(|ems_id| running.remove(&ems_id))
        .collect();
    let ended: Vec<EmsId> = surplus.iter().map(|catcher| catcher.ems.id).collect();
    end(around, surplus).await;
    for ems_id in ended.iter().filter(|ems_id| !wanted.contains_key(ems_id)) {
        around.board.forget(*ems_id);
    }
    for (ems_id, (ems, kind)) in wanted {
        running
            .entry(*ems_id)
            .or_insert_with(|| start(around, ems, *kind));
    }
}

fn start(around: &Surroundings, ems: &Arc<Ems>, kind: StreamKind) -> Running {
    let (stop, stopped) = watch::channel(false);
    let catcher = EmsCatcher {
        ems: ems.clone(),
        kind,
        around: around.clone(),
        stop: stopped,
        page_size: Arc::default(),
    };
    info!(ems = %ems.name, "Starting a catcher.");
    Running {
        ems: ems.clone(),
        kind,
        stop,
        task: tokio::spawn(catcher.run()),
    }
}

/// Ends catchers side by side, each within the time that the settings give it.
async fn end(around: &Surroundings, catchers: Vec<Running>) {
    for catcher in &catchers {
        catcher.stop.send_replace(true);
    }
    for mut catcher in catchers {
        let settings = around.settings.take();
        let patience = settings
            .catcher(&catcher.ems.provider)
            .ems_event_thread_shutdown_timeout;
        match timeout(patience, &mut catcher.task).await {
            Ok(Ok(())) => info!(ems = %catcher.ems.name, "Stopped a catcher."),
            Ok(Err(error)) => warn!(ems = %catcher.ems.name, %error, "A catcher broke."),
            Err(_late) => {
                // Nothing is lost: what it had not kept was not acknowledged and comes again.
                catcher.task.abort();
                warn!(ems = %catcher.ems.name, ?patience, "A catcher did not stop in time and was cut off.");
            }
        }
    }
}

/// The managers that are to have a catcher, each with the kind of its stream, and the others.
async fn wanted(around: &Surroundings) -> Result<(Wanted, Others), String> {
    let vmdb = around.vmdb.clone();
    let managers = tokio::task::spawn_blocking(move || vmdb.ems_list()).await;
    let managers = managers.map_err(|error| error.to_string())?;
    let rules = around.rules.take();
    let kind = |ems: &Ems| match ems.url.as_deref() {
        _paused if !ems.enabled => Err("the manager is disabled".to_owned()),
        None => Err("the manager has no url: its events are pushed".to_owned()),
        Some(url) if url.starts_with("file://") => Ok(StreamKind::File),
        Some(_) if rules.polls(&ems.provider) => Ok(StreamKind::Poll),
        Some(_) => Err(format!(
            "scripts/{}/stream.rhai does not poll: its events are pushed",
            ems.provider
        )),
    };
    let (mut wanted, mut others) = (Wanted::new(), Others::new());
    for ems in managers.map_err(|error| error.to_string())? {
        match kind(&ems) {
            Ok(kind) => drop(wanted.insert(ems.id, (ems, kind))),
            Err(why) => drop(others.insert(ems.id, why)),
        }
    }
    Ok((wanted, others))
}
