//! The appliance: every stage in one process, started in order and stopped in the opposite one.
//!
//! What takes events in starts last and stops first, so nothing arrives that nobody could keep.

mod checks;
mod figures;
mod reloads;
mod rules;
mod upkeep;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::task::JoinHandle;
use tracing::info;
use tracing::warn;

use crate::appliance::rules::RecordsNow;
use crate::appliance::rules::ShownRules;
use crate::appliance::upkeep::Upkeep;
use crate::catcher::Catcher;
use crate::catcher::Supervisor;
use crate::catcher::SupervisorConfig;
use crate::crash_point::crash_point;
use crate::handler::Current;
use crate::handler::Handler;
use crate::handler::HandlerConfig;
use crate::handler::InventoryRecords;
use crate::handler::Outbox;
use crate::handler::RefreshWays;
use crate::handler::Rules;
use crate::model::clock::Clock;
use crate::refresh::Refresher;
use crate::refresh::RefresherConfig;
use crate::reload;
use crate::reload::Reloader;
use crate::reload::SettingsFile;
use crate::reload::Watcher;
use crate::script;
use crate::settings::ActiveSettings;
use crate::settings::DatabaseSettings;
use crate::settings::Environment;
use crate::settings::Settings;
use crate::settings::SettingsError;
use crate::settings::SettingsPath;
use crate::source::Diagnostic;
use crate::source::Root;
use crate::source::Severity;
use crate::source::SourceTree;
use crate::switchboard::ActiveSwitchboard;
use crate::switchboard::Switchboard;
use crate::vmdb::DatabaseUrl;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbConfig;
use crate::vmdb::VmdbError;
use crate::web::BindError;
use crate::web::Figures;
use crate::web::Limits;
use crate::web::Services;
use crate::web::Signatures;
use crate::web::Token;
use crate::web::Web;
use crate::web::WebConfig;

/// What an appliance needs to know.
#[derive(Clone, Debug)]
pub struct ApplianceConfig {
    /// The folders of rules and scripts.
    pub roots: Vec<Root>,
    /// The settings file.
    pub settings: SettingsPath,
    /// The environment variables that go before the settings file.
    pub environment: Environment,
    /// The database.
    pub database: DatabaseUrl,
    /// Whether the database may be on a network or user-space file system, whatever the settings say.
    pub unsafe_filesystem: bool,
    /// Where to listen, in place of what the settings say.
    pub listen: Option<SocketAddr>,
    /// Whether anything wrong in rules, scripts or settings keeps it from starting.
    pub is_strict: bool,
    /// The time.
    pub clock: Clock,
}

/// Why an appliance does not start.
#[derive(Debug, thiserror::Error)]
pub enum ApplianceError {
    /// The settings would mean something else than is written.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The rules or scripts cannot be read at all.
    #[error("cannot read the rules")]
    Source(#[source] io::Error),
    /// Something is wrong in them, and it was told to be strict.
    #[error("something is wrong in the rules, the scripts or the settings, and --strict was asked for")]
    Findings(Vec<Diagnostic>),
    /// The database cannot be used.
    #[error("cannot serve the database")]
    Vmdb(#[from] VmdbError),
    /// The system refused a thread.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// The address cannot be served.
    #[error("cannot serve HTTP")]
    Bind(#[from] BindError),
}

/// Every stage, running.
#[derive(Debug)]
pub struct Appliance {
    address: SocketAddr,
    vmdb: Vmdb,
    rules: ActiveSwitchboard,
    figures: Figures,
    reloader: Arc<Mutex<Reloader>>,
    outbox: Outbox,
    refresher: Refresher,
    handler: Handler,
    catcher: Catcher,
    supervisor: Supervisor,
    web: Stoppable,
    reload: Stoppable,
    upkeep: Stoppable,
}

/// A task that ends when it is told to.
#[derive(Debug)]
struct Stoppable {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Appliance {
    /// Starts every stage; once this returns, events are taken in.
    ///
    /// # Errors
    /// When a stage cannot start; what was started before it has ended again.
    pub async fn start(config: ApplianceConfig) -> Result<Self, ApplianceError> {
        // First of all: nothing is opened, and nothing touched, by settings that mean something else.
        let settings_path = config.settings.clone().kept();
        let (settings, in_settings) = Settings::load(&settings_path, &config.environment)?;
        let vmdb = open(&config, &settings.database).await?;
        // Watched before they are read, so that no change between the two is missed.
        let watcher = Watcher::new(&config.roots, Some(settings_path.path()), settings.reload.gather);
        let tree = SourceTree::from_disk(&config.roots).map_err(ApplianceError::Source)?;
        let limits = script::Limits::from(&settings.script);
        let loaded = Switchboard::load_within(&tree, None, &limits);
        let across_files = loaded.switchboard.check(&tree);
        let in_rules: Vec<Diagnostic> = loaded.diagnostics.iter().cloned().chain(across_files).collect();
        report(&in_rules, &in_settings, config.is_strict)?;
        let rules = ActiveSwitchboard::new(loaded.switchboard);
        let active_settings = ActiveSettings::new(settings.clone());
        let reloader = Reloader::new(rules.clone(), tree, &loaded.diagnostics, config.clock.clone());
        let reloader = reloader.with_settings(SettingsFile {
            path: settings_path,
            environment: config.environment.clone(),
            active: active_settings.clone(),
            started: active_settings.take(),
            findings: in_settings,
        });
        let reloader = reloader.with_reports(reloads::reports(&vmdb));
        let reload_state = reloader.state();
        let reloader = Arc::new(Mutex::new(reloader));
        let records = records_now(&vmdb, &active_settings);
        let shown_rules = Arc::new(ShownRules::new(rules.clone(), reloader.clone(), records));

        keep_start(&vmdb, &rules, &config.clock).await?;
        let outbox = Outbox::start(&vmdb, &active_settings).map_err(ApplianceError::Thread)?;
        let refresher = Refresher::start(&RefresherConfig {
            vmdb: vmdb.clone(),
            rules: rules.clone(),
            settings: active_settings.clone(),
            environment: config.environment.clone(),
            clock: config.clock.clone(),
        });
        let refresher = refresher.map_err(ApplianceError::Thread)?;
        let handler = start_handler(&vmdb, &rules, &active_settings)?;
        let threads = thread::available_parallelism().map_or(2, usize::from);
        let catcher = Catcher::start(&vmdb, &rules, active_settings.clone(), threads)
            .map_err(ApplianceError::Thread)?;
        let upkeep = Upkeep::new(&vmdb, active_settings.clone(), config.clock.clone());
        // Should the web not start, its end follows from being dropped.
        let supervisor = Supervisor::start(SupervisorConfig {
            vmdb: vmdb.clone(),
            rules: rules.clone(),
            settings: active_settings.clone(),
            environment: config.environment.clone(),
            push: catcher.push_stream(),
            clock: config.clock.clone(),
        });
        let checks = vec![
            checks::rules(reload_state.clone()),
            checks::database(&vmdb),
            checks::catcher(&catcher, supervisor.statuses()),
            checks::outbox(&outbox),
            checks::handler(&handler),
            checks::refresh(&refresher, &vmdb),
        ];
        let samples = vec![
            figures::build(),
            figures::reload(reload_state),
            figures::vmdb(&vmdb, config.clock.clone()),
            figures::disk(&vmdb),
            Box::new(catcher.samples()),
            Box::new(supervisor.samples()),
            Box::new(outbox.samples()),
            Box::new(refresher.samples()),
            Box::new(handler.samples()),
            upkeep.samples(),
        ];
        let web = Web::bind(
            WebConfig {
                listen: config.listen.unwrap_or(settings.web.listen),
                token: settings
                    .web
                    .token
                    .as_ref()
                    .and_then(|token| Token::new(token.reveal())),
                webhook_origins: settings.web.webhook_origins.clone(),
                signatures: Signatures::new(active_settings.clone()),
                limits: Limits::from(&settings.web),
            },
            Services {
                vmdb: vmdb.clone(),
                push: catcher.push_stream(),
                settings: active_settings,
                nudges: supervisor.nudges(),
                rules: shown_rules,
                checks,
                samples,
                clock: config.clock,
            },
        )
        .await?;
        Ok(Self {
            address: web.address(),
            vmdb,
            rules,
            figures: web.figures(),
            reloader: reloader.clone(),
            outbox,
            refresher,
            handler,
            catcher,
            supervisor,
            web: Stoppable::spawn(|stop| web.serve(stop)),
            reload: Stoppable::spawn(|mut stop| async move {
                let stopped = async move {
                    // An error means that nobody is left who could stop it.
                    let _gone = stop.wait_for(|stop| *stop).await;
                };
                reload::run_shared(watcher, reloader, stopped).await;
            }),
            upkeep: Stoppable::spawn(|stop| upkeep.run(stop)),
        })
    }

    /// Where HTTP is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The database.
    pub fn vmdb(&self) -> &Vmdb {
        &self.vmdb
    }

    /// The rules in force.
    pub fn rules(&self) -> &ActiveSwitchboard {
        &self.rules
    }

    /// How all stages fare, as `/metrics` shows it.
    pub fn figures(&self) -> Figures {
        self.figures.clone()
    }

    /// Has rules, scripts and settings read again, whether a change was seen or not. Returns immediately; the log tells
    /// what became of it.
    pub fn reload_soon(&self) {
        let reloader = self.reloader.clone();
        drop(tokio::task::spawn_blocking(move || reloader.lock().reload_now()));
    }

    /// Ends every stage in order: what was acknowledged is on the disk, what waits there goes on next time.
    pub async fn stop(self) {
        self.web.stop("web").await;
        self.supervisor.stop().await;
        self.catcher.stop().await;
        crash_point!("shutdown.draining");
        let (handler, refresher, outbox, vmdb) = (self.handler, self.refresher, self.outbox, self.vmdb);
        log_panic(
            "handler",
            tokio::task::spawn_blocking(move || handler.stop()).await,
        );
        log_panic(
            "refresher",
            tokio::task::spawn_blocking(move || refresher.stop()).await,
        );
        log_panic("outbox", tokio::task::spawn_blocking(move || outbox.stop()).await);
        self.reload.stop("reload").await;
        self.upkeep.stop("upkeep").await;
        log_panic(
            "database",
            tokio::task::spawn_blocking(move || vmdb.close()).await,
        );
        info!("Stopped in order.");
    }
}

impl Stoppable {
    fn spawn<F: Future<Output = ()> + Send + 'static>(task: impl FnOnce(watch::Receiver<bool>) -> F) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(task(stopped));
        Self { stop, task }
    }

    async fn stop(self, name: &str) {
        self.stop.send_replace(true);
        log_panic(name, self.task.await);
    }
}

fn log_panic(stage: &str, ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        warn!(stage, %error, "A stage did not end in order.");
    }
}

/// Opening recovers what a crash left, which may take a while.
async fn open(config: &ApplianceConfig, settings: &DatabaseSettings) -> Result<Vmdb, ApplianceError> {
    let (url, clock) = (config.database.clone(), config.clock.clone());
    let care = VmdbConfig {
        reserve: u64::try_from(settings.reserve).unwrap_or(u64::MAX),
        unsafe_filesystem: settings.unsafe_filesystem || config.unsafe_filesystem,
        ..VmdbConfig::default()
    };
    let opened = tokio::task::spawn_blocking(move || Vmdb::open_to_serve_with(&url, clock, &care)).await;
    let opened = opened.map_err(|error| ApplianceError::Thread(io::Error::other(error)))?;
    Ok(opened?)
}

/// Notes in the history which rules are in force from now on.
async fn keep_start(vmdb: &Vmdb, rules: &ActiveSwitchboard, clock: &Clock) -> Result<(), ApplianceError> {
    let (vmdb, id, now) = (vmdb.clone(), rules.take().id(), clock.now());
    let kept = tokio::task::spawn_blocking(move || reloads::keep_start(&vmdb, id, now)).await;
    let kept = kept.map_err(|error| ApplianceError::Thread(io::Error::other(error)))?;
    Ok(kept?)
}

fn start_handler(
    vmdb: &Vmdb,
    rules: &ActiveSwitchboard,
    settings: &ActiveSettings,
) -> Result<Handler, ApplianceError> {
    let (rules, settings) = (rules.clone(), settings.clone());
    let rules: Current<dyn Rules> = Arc::new(move || rules.take());
    let first = settings.take();
    // Made anew only for other settings: it is asked for with every batch.
    let known = Mutex::new((first.clone(), handler_config(&first)));
    let config: Current<HandlerConfig> = Arc::new(move || {
        let now = settings.take();
        let mut known = known.lock();
        if !Arc::ptr_eq(&known.0, &now) {
            *known = (now.clone(), handler_config(&now));
        }
        known.1.clone()
    });
    Handler::start(vmdb, &rules, &config).map_err(ApplianceError::Thread)
}

fn handler_config(settings: &Settings) -> Arc<HandlerConfig> {
    Arc::new(HandlerConfig {
        threads: settings.handler.threads,
        batch: settings.handler.batch,
        groups: settings.event_groups().clone(),
        task_final_events: settings.task_final_events().clone(),
        refresh_ways: Arc::new(RefreshWays::of_settings(settings)),
        blacklists: settings.blacklists().clone(),
        ..HandlerConfig::default()
    })
}

/// Where simulations look records up: as the handler does, with the settings of the moment.
fn records_now(vmdb: &Vmdb, settings: &ActiveSettings) -> RecordsNow {
    let (vmdb, settings) = (vmdb.clone(), settings.clone());
    Box::new(move || {
        let ways = Arc::new(RefreshWays::of_settings(&settings.take()));
        Arc::new(InventoryRecords::new(vmdb.clone(), ways))
    })
}

/// Tells everything that is wrong; only the strict take it for a reason not to start.
fn report(
    in_rules: &[Diagnostic],
    in_settings: &[Diagnostic],
    is_strict: bool,
) -> Result<(), ApplianceError> {
    let findings: Vec<Diagnostic> = in_settings.iter().chain(in_rules).cloned().collect();
    if is_strict && findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(ApplianceError::Findings(findings));
    }
    for finding in &findings {
        warn!(help = finding.help, "{finding}");
    }
    Ok(())
}
