//! One refresh from its targets to its rows: plan, collect, save; or back into the queue with the reason.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use tracing::debug;
use tracing::info;
use tracing::warn;

use crate::crash_point::crash_point;
use crate::model::api_call::ManagerApi;
use crate::model::clock::SignedDuration;
use crate::model::ems::Ems;
use crate::model::ems::EmsId;
use crate::model::inventory::Collected;
use crate::model::inventory::RefreshScope;
use crate::model::target::Target;
use crate::outbound::ManagerClient;
use crate::refresh::RefresherConfig;
use crate::refresh::api::RefreshApi;
use crate::refresh::figures::Figures;
use crate::refresh::scope;
use crate::refresh::scope::Plan;
use crate::settings::Secret;
use crate::switchboard::Collects;
use crate::vmdb::InventoryChanges;
#[cfg(feature = "crash-points")]
use crate::vmdb::RefreshFilter;
use crate::vmdb::RefreshPace;
#[cfg(feature = "crash-points")]
use crate::vmdb::RefreshState;
use crate::vmdb::RunningRefresh;
use crate::vmdb::VmdbError;

/// A pause after a failure is never longer than this.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(10);
/// After so many failures of all together, each target is tried by itself: one of them may be what they fail over.
const TOGETHER: u32 = 2;
/// How often the progress of a collector is written down.
const PROGRESS: Duration = Duration::from_secs(1);

/// Runs refreshes.
pub(crate) struct Runner {
    config: RefresherConfig,
    figures: Arc<Figures>,
    is_stopping: Arc<AtomicBool>,
    told: Arc<Told>,
}

/// What was said last about each manager whose refreshes fail, by all threads: it is not said again at each try.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<BTreeMap<EmsId, String>>);

impl Told {
    /// Whether this is news about a manager.
    fn is_news(&self, ems: EmsId, reason: &str) -> bool {
        let before = self.0.lock().insert(ems, reason.to_owned());
        before.as_deref() != Some(reason)
    }

    fn is_well(&self, ems: EmsId) {
        self.0.lock().remove(&ems);
    }
}

/// Why a refresh did not come to its end.
enum Failure {
    /// It is put back, for this reason.
    Reason(String),
    /// The database does not take it; it runs again after the next start.
    Database(VmdbError),
}

impl From<VmdbError> for Failure {
    fn from(error: VmdbError) -> Self {
        Self::Database(error)
    }
}

impl Runner {
    pub(crate) fn new(
        config: &RefresherConfig,
        figures: Arc<Figures>,
        is_stopping: Arc<AtomicBool>,
        told: Arc<Told>,
    ) -> Self {
        Self {
            config: config.clone(),
            figures,
            is_stopping,
            told,
        }
    }

    /// Takes a refresh and runs it; says whether there was one.
    pub(crate) fn run_one(&self) -> Result<bool, VmdbError> {
        let collects = {
            let rules = self.config.rules.take();
            move |ems: &Ems| ems.url.is_some() && rules.collects(&ems.provider) != Collects::default()
        };
        let Some(refresh) = self.config.vmdb.refresh_take(self.pace(), collects)? else {
            return Ok(false);
        };
        crash_point!("refresh.taken");
        let began = Instant::now();
        let reason = match self.run(&refresh) {
            Ok(changes) => {
                let (created, updated, archived) = (changes.created, changes.updated, changes.archived);
                let (ems, id, time) = (&refresh.ems.name, refresh.id, began.elapsed());
                self.told.is_well(refresh.ems.id);
                info!(%ems, refresh = %id, created, updated, archived, ?time, "Refreshed.");
                return Ok(true);
            }
            Err(Failure::Database(error)) => error.to_string(),
            Err(Failure::Reason(reason)) => reason,
        };
        // After the next start it is put back anyway.
        if !self.is_stopping.load(Ordering::Acquire) {
            self.figures.failed();
            let pause = self.pause(&refresh);
            let (ems, attempts) = (&refresh.ems.name, refresh.attempts);
            if self.told.is_news(refresh.ems.id, &reason) {
                warn!(%ems, refresh = %refresh.id, attempts, ?pause, reason, "A refresh failed; its targets wait.");
            } else {
                debug!(%ems, refresh = %refresh.id, attempts, ?pause, "A refresh failed as it did before.");
            }
            let retry_at = self.config.clock.now().saturating_add(pause);
            let retry_at = retry_at.unwrap_or(self.config.clock.now());
            self.config
                .vmdb
                .refresh_failed(refresh.id, &reason, retry_at)
                .wait()?;
        }
        Ok(true)
    }

    fn pace(&self) -> RefreshPace {
        let settings = self.config.settings.take();
        let signed = |duration| SignedDuration::try_from(duration).unwrap_or(LONGEST_PAUSE);
        RefreshPace {
            longest_pause: LONGEST_PAUSE,
            gather: signed(settings.refresh_gather.gather),
            gather_most: signed(settings.refresh_gather.gather_most),
        }
    }

    /// Doubles from failure to failure.
    fn pause(&self, refresh: &RunningRefresh) -> SignedDuration {
        let first = self
            .config
            .settings
            .take()
            .refresh(&refresh.ems.provider)
            .retry_pause;
        let doubled = first.saturating_mul(1 << refresh.attempts.saturating_sub(1).min(16));
        SignedDuration::try_from(doubled)
            .unwrap_or(LONGEST_PAUSE)
            .min(LONGEST_PAUSE)
    }

    fn run(&self, refresh: &RunningRefresh) -> Result<InventoryChanges, Failure> {
        let rules = self.config.rules.take();
        let settings = self.config.settings.take();
        let plan = scope::plan(
            refresh,
            settings.refresh(&refresh.ems.provider),
            settings.refresh_gather.full_refresh_threshold,
            rules.collects(&refresh.ems.provider),
        );
        let scope = match plan.map_err(Failure::Reason)? {
            Plan::Nothing => {
                let nothing = RefreshScope::Targets(Vec::new());
                return Ok(self.save(refresh, &nothing, &Collected::default())?);
            }
            Plan::Collect(scope, reason) => {
                if let Some(reason) = reason {
                    info!(ems = %refresh.ems.name, refresh = %refresh.id, reason, "Reading everything.");
                    if refresh.full.is_none() {
                        // For people who look; it is written before whatever the refresh writes.
                        drop(self.config.vmdb.refresh_widened(refresh.id, reason).submit());
                    }
                }
                scope
            }
        };
        let api = Arc::new(self.api(refresh)?);
        let lent: Arc<dyn ManagerApi> = api.clone();
        let collected = rules.collect(&refresh.ems, &scope, &lent);
        self.figures.called(api.calls.swap(0, Ordering::Relaxed));
        match (collected, &scope) {
            (Ok(collected), _) => {
                let targets = match &scope {
                    RefreshScope::Full => None,
                    RefreshScope::Targets(targets) => Some(targets.len()),
                };
                crash_point!("refresh.new_target_meanwhile", self.is_asked_again(refresh));
                let changes = self.save(refresh, &scope, &collected)?;
                self.figures.done(targets, &changes);
                Ok(changes)
            }
            (Err(error), RefreshScope::Targets(targets))
                if 1 < targets.len()
                    && TOGETHER <= refresh.attempts
                    && !api.is_down.load(Ordering::Relaxed) =>
            {
                self.run_apart(refresh, targets, &lent, &error.to_string())
            }
            (Err(error), _) => Err(Failure::Reason(error.to_string())),
        }
    }

    /// Tries each target by itself. Those that go well are served; the others stay, with what they fail over.
    fn run_apart(
        &self,
        refresh: &RunningRefresh,
        targets: &[Target],
        api: &Arc<dyn ManagerApi>,
        together: &str,
    ) -> Result<InventoryChanges, Failure> {
        let rules = self.config.rules.take();
        let mut changes = InventoryChanges::default();
        let mut failed: Vec<String> = Vec::new();
        for target in targets {
            if self.is_stopping.load(Ordering::Acquire) {
                return Err(Failure::Reason("the program is stopping".to_owned()));
            }
            let scope = RefreshScope::Targets(vec![target.clone()]);
            match rules.collect(&refresh.ems, &scope, api) {
                Ok(collected) => {
                    changes +=
                        self.config
                            .vmdb
                            .refresh_save_one(refresh.id, refresh.ems.id, target, &collected)?;
                }
                Err(error) => failed.push(error.to_string()),
            }
        }
        let count = failed.len();
        match failed.into_iter().next() {
            None => {
                let all_saved = RefreshScope::Targets(Vec::new());
                changes += self.save(refresh, &all_saved, &Collected::default())?;
                self.figures.done(Some(targets.len()), &changes);
                Ok(changes)
            }
            Some(first) => {
                let served = targets.len() - count;
                Err(Failure::Reason(match served {
                    0 => together.to_owned(),
                    served => format!(
                        "{count} of {} targets failed, {served} were served: {first}",
                        targets.len()
                    ),
                }))
            }
        }
    }

    /// Whether somebody asked for more while it ran.
    #[cfg(feature = "crash-points")]
    fn is_asked_again(&self, refresh: &RunningRefresh) -> bool {
        let waiting = RefreshFilter {
            before: None,
            state: Some(RefreshState::Waiting),
            ems_id: Some(refresh.ems.id),
            limit: Some(1),
        };
        let waiting = self.config.vmdb.refresh_list(&waiting);
        waiting.is_ok_and(|waiting| !waiting.is_empty())
    }

    fn save(
        &self,
        refresh: &RunningRefresh,
        scope: &RefreshScope,
        collected: &Collected,
    ) -> Result<InventoryChanges, VmdbError> {
        self.config
            .vmdb
            .refresh_save(refresh.id, refresh.ems.id, scope, collected)
    }

    /// The manager's API, with its credentials as they are now.
    fn api(&self, refresh: &RunningRefresh) -> Result<RefreshApi, Failure> {
        let ems = &refresh.ems;
        let url = ems
            .url
            .as_deref()
            .ok_or_else(|| Failure::Reason("the manager has no url".to_owned()))?;
        let ca_file = self.config.settings.take().catcher(&ems.provider).ca_file.clone();
        let variable = |name: &str| self.config.environment.get(name).map(ToOwned::to_owned);
        let secret = |reference: &str| Secret::resolve(reference, variable);
        let credentials = ems.credentials.as_deref().map(secret);
        let credentials = credentials
            .transpose()
            .map_err(|error| Failure::Reason(format!("no credentials: {error}")))?;
        let client = ManagerClient::new(url, credentials, ca_file.as_deref())
            .map_err(|error| Failure::Reason(error.to_string()))?;
        let (vmdb, id, said) = (self.config.vmdb.clone(), refresh.id, Mutex::new(None::<Instant>));
        let progress = move |text: &str| {
            let mut said = said.lock();
            if said.is_none_or(|said| PROGRESS <= said.elapsed()) {
                *said = Some(Instant::now());
                // For people who watch; the refresh does not depend on it.
                drop(vmdb.refresh_progress(id, text.to_owned()).submit());
            }
        };
        let (clock, is_stopping) = (self.config.clock.clone(), self.is_stopping.clone());
        Ok(RefreshApi::new(client, clock, is_stopping, Box::new(progress)))
    }
}
