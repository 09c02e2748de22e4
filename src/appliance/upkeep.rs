//! Upkeep: purges what is older than the settings say, every ten minutes, a window at a time.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::info;
use tracing::warn;

use crate::model::clock::Clock;
use crate::model::metric::Sample;
use crate::settings::ActiveSettings;
use crate::vmdb::Purged;
use crate::vmdb::Retention;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::web::Samples;

/// When the first purge comes, so that a start is not slower for it.
const FIRST: Duration = Duration::from_secs(60);
/// The time between two purges.
const INTERVAL: Duration = Duration::from_secs(600);
/// A clock that is further ahead than this has jumped, or the program did not run for long.
const AHEAD: Duration = Duration::from_secs(60 * 60);

/// Purges from time to time.
#[derive(Debug)]
pub(crate) struct Upkeep {
    vmdb: Vmdb,
    settings: ActiveSettings,
    clock: Clock,
    figures: Arc<Mutex<Figures>>,
}

/// What the purges did since the process began.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    runs: u64,
    failed: u64,
    events: u64,
    held: u64,
    took: Duration,
    clock_ahead: Duration,
}

impl Upkeep {
    pub(crate) fn new(vmdb: &Vmdb, settings: ActiveSettings, clock: Clock) -> Self {
        Self {
            vmdb: vmdb.clone(),
            settings,
            clock,
            figures: Arc::default(),
        }
    }

    /// Its figures for `/metrics`.
    pub(crate) fn samples(&self) -> Samples {
        let figures = self.figures.clone();
        Box::new(move || figures.lock().samples())
    }

    /// Works until it is told to stop.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut pause = FIRST;
        loop {
            tokio::select! {
                // An error means that nobody is left who could stop it.
                _told = stop.wait_for(|stop| *stop) => return,
                () = self.clock.sleep(pause) => (),
            }
            pause = INTERVAL;
            let began = Instant::now();
            let purged = self.purge(&stop).await;
            let mut figures = self.figures.lock();
            figures.runs += 1;
            figures.took = began.elapsed();
            if let Err(error) = purged {
                figures.failed += 1;
                warn!(%error, "Could not purge old events; tried again later.");
            }
        }
    }

    async fn purge(&self, stop: &watch::Receiver<bool>) -> Result<(), VmdbError> {
        let retention = Retention::from(&self.settings.take().history);
        let vmdb = self.vmdb.clone();
        let begun = tokio::task::spawn_blocking(move || vmdb.purge_begin(&retention)).await;
        let Ok(begun) = begun else { return Ok(()) };
        let mut purge = begun?.await?;
        if purge.clock_ahead > AHEAD {
            warn!(ahead = ?purge.clock_ahead, cutoff = %purge.cutoff(), "The clock is far ahead of the last purge: ages are counted a day further only.");
        }
        while !purge.is_done() && !*stop.borrow() {
            let (began, before) = (Instant::now(), purge.purged);
            purge = self.vmdb.purge_window(purge).await?;
            self.note(before, purge.purged, purge.clock_ahead);
            // At most half of the writer's time.
            tokio::time::sleep(began.elapsed()).await;
        }
        if purge.purged.events > 0 {
            let Purged { events, held, .. } = purge.purged;
            info!(events, held, cutoff = %purge.cutoff(), "Purged old events.");
        }
        self.figures.lock().held = count(purge.purged.held);
        Ok(())
    }

    fn note(&self, before: Purged, now: Purged, clock_ahead: Duration) {
        let mut figures = self.figures.lock();
        figures.events += count(now.events - before.events);
        figures.clock_ahead = clock_ahead;
    }
}

impl Figures {
    #[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 is out of reach")]
    fn samples(self) -> Vec<Sample> {
        vec![
            Sample::counter(
                "switchboard_purges_total",
                "Purges, one every ten minutes.",
                self.runs,
            ),
            Sample::counter(
                "switchboard_purges_failed_total",
                "Those that broke off.",
                self.failed,
            ),
            Sample::counter(
                "switchboard_purged_events_total",
                "Events that were purged, by age or by number.",
                self.events,
            ),
            Sample::gauge(
                "switchboard_purge_held_events",
                "Events that are old enough but have something waiting, at the last purge.",
                self.held as f64,
            ),
            Sample::gauge(
                "switchboard_purge_seconds",
                "How long the last purge took.",
                self.took.as_secs_f64(),
            ),
            Sample::gauge(
                "switchboard_purge_clock_ahead_seconds",
                "How far the clock is ahead of the time that ages are counted from.",
                self.clock_ahead.as_secs_f64(),
            ),
        ]
    }
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
