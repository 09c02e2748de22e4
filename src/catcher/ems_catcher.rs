//! The catcher of one manager: runs its stream, has what it brings kept, and tries again when it breaks off.
//!
//! What was received is kept before it is acknowledged; while one batch is kept the next one is received, and never
//! more than one, so a slow database slows the stream. Knows nothing of other managers.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::debug;
use tracing::info;
use tracing::warn;

use crate::catcher::PushStream;
use crate::catcher::StreamKind;
use crate::catcher::back_off::BackOff;
use crate::catcher::file_stream::FileStream;
use crate::catcher::nudge::Nudges;
use crate::catcher::page_size::PageSize;
use crate::catcher::poll_stream::PollStream;
use crate::catcher::push_stream::Kept;
use crate::catcher::status::Board;
use crate::catcher::status::CatcherState;
use crate::catcher::status::Why;
use crate::catcher::stream::Batch;
use crate::catcher::stream::Stream;
use crate::catcher::stream::StreamError;
use crate::crash_point::crash_point;
use crate::model::clock::Clock;
use crate::model::clock::Timestamp;
use crate::model::ems::Ems;
use crate::model::json;
use crate::outbound::ManagerClient;
use crate::settings::ActiveSettings;
use crate::settings::Environment;
use crate::settings::Secret;
use crate::switchboard::ActiveSwitchboard;
use crate::vmdb::Cursor;
use crate::vmdb::Vmdb;

/// How long a stream may take to bring its first batch, if an empty one (C06).
const STARTING: Duration = Duration::from_secs(60);
/// How long a running stream may give no sign of life (C25).
const SILENT: Duration = Duration::from_secs(120);
/// The pause after the database could not keep a batch; it doubles up to the second one.
const TROUBLE: Duration = Duration::from_millis(250);
const LONGEST_TROUBLE: Duration = Duration::from_secs(10);

/// What every catcher works with.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) vmdb: Vmdb,
    pub(crate) rules: ActiveSwitchboard,
    pub(crate) settings: ActiveSettings,
    pub(crate) environment: Environment,
    pub(crate) push: PushStream,
    pub(crate) clock: Clock,
    pub(crate) board: Board,
    pub(crate) nudges: Nudges,
}

/// The catcher of one manager.
pub(crate) struct EmsCatcher {
    pub(crate) ems: Arc<Ems>,
    pub(crate) kind: StreamKind,
    pub(crate) around: Surroundings,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) page_size: Arc<Mutex<PageSize>>,
}

/// Told to stop; what had been received is kept.
struct Stopped;

impl EmsCatcher {
    /// Runs until it is told to stop.
    pub(crate) async fn run(mut self) {
        let mut back_off = BackOff::new(self.ems.id);
        loop {
            self.show(CatcherState::Connecting, Why::default());
            let mut running_since = None;
            let ended = match self.kind {
                StreamKind::Poll => match self.open_poll().await {
                    Ok(stream) => self.catch(stream, &mut running_since).await,
                    Err(error) => Err(error),
                },
                StreamKind::File => match self.open_file().await {
                    Ok(stream) => self.catch(stream, &mut running_since).await,
                    Err(error) => Err(error),
                },
            };
            let error = match ended {
                Ok(Stopped) => break,
                Err(error) => error,
            };
            let had_run = running_since
                .and_then(|since| self.since(since))
                .unwrap_or_default();
            let pause = back_off.pause_after(&error, had_run);
            let reason = error.to_string();
            warn!(ems = %self.ems.name, reason, ?pause, failures = back_off.failures(), "A stream broke off.");
            let until = self.around.clock.now().checked_add(pause).ok();
            let why = Why {
                reason: Some(reason),
                until,
                broke_off: true,
            };
            let pausing = self.around.clock.sleep(pause);
            self.show(CatcherState::BackingOff, why);
            tokio::select! {
                _told = stopped(&mut self.stop) => break,
                () = pausing => (),
                () = self.around.nudges.nudged(self.ems.id) => (),
            }
        }
        self.show(CatcherState::Stopped, Why::default());
    }

    /// Brings in what the stream has, until it breaks off or is to stop.
    async fn catch(
        &mut self,
        mut stream: impl Stream,
        running_since: &mut Option<Timestamp>,
    ) -> Result<Stopped, StreamError> {
        let mut received = self.next(&mut stream, STARTING).await?;
        if received.is_some() {
            *running_since = Some(self.around.clock.now());
            self.show(CatcherState::Running, Why::default());
            info!(ems = %self.ems.name, stream = stream.name(), "A stream runs.");
        }
        let mut is_first = self.position(stream.name()).await?.is_none();
        while let Some(batch) = received.take() {
            let name = stream.name().to_owned();
            let (kept, next);
            if batch.more {
                // Received ahead while this one is kept, and kept after it.
                let mut receiver = self.stop.clone();
                let keeping = self.keep(&name, batch);
                let receiving = next_within(&mut stream, SILENT, &self.around.clock, &mut receiver);
                (kept, next) = tokio::join!(keeping, receiving);
            } else {
                kept = self.keep(&name, batch).await;
                next = Ok(None);
            }
            let Some(kept) = kept else {
                return Ok(Stopped);
            };
            let receipt = kept.receipt();
            crash_point!(
                "poll.after_commit",
                self.kind == StreamKind::Poll && receipt.accepted > 0
            );
            if is_first && receipt.accepted > 0 {
                is_first = false;
                let oldest = receipt.oldest.map(|oldest| oldest.to_string());
                info!(ems = %self.ems.name, events = receipt.accepted, oldest, "Began without a position: this is how far back it reaches.");
            }
            debug!(ems = %self.ems.name, events = receipt.accepted, position = ?kept.position(), "Kept.");
            stream.acknowledge(&kept);
            received = next?;
            if received.is_none() && !*self.stop.borrow() {
                received = self.pause_and_next(&mut stream).await?;
            }
        }
        Ok(Stopped)
    }

    async fn pause_and_next(&mut self, stream: &mut impl Stream) -> Result<Option<Batch>, StreamError> {
        let poll = self.around.settings.take().poll(&self.ems.provider);
        tokio::select! {
            _told = stopped(&mut self.stop) => Ok(None),
            () = self.around.clock.sleep(stream.pause(poll)) => self.next(stream, SILENT).await,
        }
    }

    async fn next(&self, stream: &mut impl Stream, patience: Duration) -> Result<Option<Batch>, StreamError> {
        next_within(stream, patience, &self.around.clock, &mut self.stop.clone()).await
    }

    /// Has a batch kept, however long the database takes; nothing only where the process ends before that.
    async fn keep(&self, stream: &str, mut batch: Batch) -> Option<Kept> {
        batch.gap = batch.gap.and_then(|gap| self.to_be_read_again(&gap));
        let cursor = batch.position.clone().map(|position| Cursor {
            ems_id: self.ems.id,
            stream: stream.to_owned(),
            position,
        });
        let received_at = self.around.clock.now();
        let mut pause = TROUBLE;
        loop {
            let kept = self
                .around
                .push
                .keep(self.ems.clone(), batch.clone(), cursor.clone(), received_at);
            let error = match kept.await {
                Ok(kept) => {
                    if pause != TROUBLE {
                        self.show(CatcherState::Running, Why::default());
                    }
                    return Some(kept);
                }
                Err(error) => error,
            };
            // Told to stop: what is not kept is not acknowledged either, and comes again.
            if *self.stop.borrow() {
                return None;
            }
            let why = Why {
                reason: Some(format!("what came cannot be kept: {error}")),
                ..Why::default()
            };
            self.show(CatcherState::BackingOff, why);
            let mut stop = self.stop.clone();
            tokio::select! {
                _told = stopped(&mut stop) => (),
                () = self.around.clock.sleep(pause) => (),
            }
            pause = (pause * 2).min(LONGEST_TROUBLE);
        }
    }

    /// What was missed can still be seen by reading everything, where the provider's collector can.
    fn to_be_read_again(&self, gap: &str) -> Option<String> {
        let ems = &self.ems.name;
        if self.around.rules.take().collects(&self.ems.provider).everything {
            warn!(%ems, gap, "Events are missing; everything is read again.");
            return Some(format!("events are missing: {gap}"));
        }
        warn!(%ems, gap, "Events are missing, and there is no collector that could read everything again.");
        None
    }

    async fn open_poll(&self) -> Result<PollStream, StreamError> {
        let url = self.ems.url.clone().unwrap_or_default();
        let reference = self.ems.credentials.clone();
        let environment = self.around.environment.clone();
        let settings = self.around.settings.take();
        let ca_file = settings.catcher(&self.ems.provider).ca_file.clone();
        // A file may be slow.
        let client = tokio::task::spawn_blocking(move || {
            let variable = |name: &str| environment.get(name).map(ToOwned::to_owned);
            let secret = |reference: String| Secret::resolve(&reference, variable);
            let credentials = reference.map(secret).transpose();
            let credentials =
                credentials.map_err(|error| StreamError::Config(format!("no credentials: {error}")))?;
            ManagerClient::new(&url, credentials, ca_file.as_deref()).map_err(StreamError::from)
        });
        let client = client
            .await
            .map_err(|error| StreamError::Config(error.to_string()))??;
        Ok(PollStream {
            ems: self.ems.clone(),
            rules: self.around.rules.clone(),
            settings: self.around.settings.clone(),
            clock: self.around.clock.clone(),
            client: Arc::new(client),
            page_size: self.page_size.clone(),
            cursor: self.position(PollStream::NAME).await?,
            pages: std::collections::HashSet::new(),
            is_stuck: false,
            gap_at: None,
        })
    }

    async fn open_file(&self) -> Result<FileStream, StreamError> {
        let path = self
            .ems
            .url
            .as_deref()
            .and_then(|url| url.strip_prefix("file://"));
        let path = path.unwrap_or_default().to_owned();
        let position = self.position(&path).await?;
        FileStream::open(path, position.as_ref())
    }

    /// Where a stream of this manager had got to.
    async fn position(&self, stream: &str) -> Result<Option<json::Value>, StreamError> {
        let (vmdb, ems_id, stream) = (self.around.vmdb.clone(), self.ems.id, stream.to_owned());
        let read = tokio::task::spawn_blocking(move || vmdb.cursor(ems_id, &stream)).await;
        let read = read.map_err(|error| StreamError::Position(error.to_string()))?;
        read.map_err(|error| StreamError::Position(error.to_string()))
    }

    fn since(&self, since: Timestamp) -> Option<Duration> {
        Duration::try_from(self.around.clock.now().duration_since(since)).ok()
    }

    fn show(&self, state: CatcherState, why: Why) {
        self.around.board.set(&self.ems, self.kind, state, why);
    }
}

/// The next batch; nothing where it is to stop.
async fn next_within(
    stream: &mut impl Stream,
    patience: Duration,
    clock: &Clock,
    stop: &mut watch::Receiver<bool>,
) -> Result<Option<Batch>, StreamError> {
    tokio::select! {
        biased;
        _told = stopped(stop) => Ok(None),
        next = stream.next() => next.map(Some),
        () = clock.sleep(patience) => Err(StreamError::Silent(patience)),
    }
}

/// Waits until it is told to stop; nobody left who could tell is the same.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
