//! One thread of the outbox: takes an effect, sends it, records what became of it, goes on in its lane.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use tracing::debug;
use tracing::error;
use tracing::info;
use tracing::warn;

use crate::crash_point::crash_point;
use crate::crash_point::planted_bug;
use crate::handler::outbox::command;
use crate::handler::outbox::counts::Counts;
use crate::handler::outbox::counts::Ended;
use crate::handler::outbox::desk;
use crate::handler::outbox::desk::Desk;
use crate::handler::outbox::desk::Work;
use crate::handler::outbox::email;
use crate::handler::outbox::http;
use crate::handler::outbox::verdict;
use crate::handler::outbox::verdict::Trouble;
use crate::model::clock::SignedDuration;
use crate::model::unseen::visible;
use crate::outbound::Authorities;
use crate::outbound::Client;
use crate::outbound::ClientConfig;
use crate::outbound::LogLevel;
use crate::outbound::LogLine;
use crate::outbound::Outside;
use crate::settings::ActiveSettings;
use crate::settings::OutboxSettings;
use crate::settings::Settings;
use crate::vmdb::OutboxEntry;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;

/// So many effects of one lane are sent in a row; then it is the turn of the others.
const IN_A_ROW: usize = 64;
/// The longest answer that is read: only what nobody expected is, and is told.
const LONGEST_ANSWER: u64 = 64 << 10;
/// How long a name may take to be looked up, and a connection to be made.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long the same trouble with the database is not logged again.
const TROUBLE_LOGGED: Duration = Duration::from_secs(30);
/// A receiver asks for no longer pause than this.
const LONGEST_REQUEST: Duration = Duration::from_secs(24 * 3_600);

pub(crate) struct Sender {
    vmdb: Vmdb,
    settings: ActiveSettings,
    desk: Arc<Desk>,
    counts: Arc<Counts>,
    /// Made anew for other settings.
    client: Option<(Arc<Settings>, Client)>,
    logged: Option<Instant>,
}

impl Sender {
    pub(crate) fn new(
        vmdb: &Vmdb,
        settings: &ActiveSettings,
        desk: &Arc<Desk>,
        counts: &Arc<Counts>,
    ) -> Self {
        Self {
            vmdb: vmdb.clone(),
            settings: settings.clone(),
            desk: desk.clone(),
            counts: counts.clone(),
            client: None,
            logged: None,
        }
    }

    pub(crate) fn work(mut self) {
        let desk = self.desk.clone();
        let _present = desk.present();
        while !desk.is_stopping() {
            let seen = self.vmdb.effects_seen();
            match desk.next(&self.vmdb, seen) {
                Ok(Some(work)) => self.lane(work),
                Ok(None) => self.vmdb.wait_for_effects(seen, desk::IDLE),
                Err(error) => {
                    self.log(&error);
                    self.vmdb.wait_for_effects(seen, desk::IDLE);
                }
            }
        }
    }

    /// Sends an effect, and those behind it in its lane that go to the same receiver.
    fn lane(&mut self, mut work: Work<'_>) {
        for _turn in 0..IN_A_ROW {
            let Some(entry) = work.entry.take() else { return };
            crash_point!("outbox.taken");
            let is_marked = self.effect(&entry);
            crash_point!("outbox.after_mark", is_marked);
            if !is_marked || self.desk.is_stopping() {
                return;
            }
            match self.vmdb.outbox_next(entry) {
                Ok(Some(next)) if desk::receiver(&next) == work.receiver => work.entry = Some(next),
                Ok(Some(_to_another)) => break,
                Ok(None) => return,
                Err(error) => return self.log(&error),
            }
        }
        // The lane has more, and is free again.
        drop(work);
        self.vmdb.wake_outbox();
    }

    /// One effect, from in hand to marked; says whether it is marked.
    fn effect(&mut self, entry: &OutboxEntry) -> bool {
        let settings = self.settings.take();
        let kind = Outside::kind_of(&entry.action);
        planted_bug!(
            "marked_before_sending",
            self.mark(|vmdb| vmdb.outbox_sent(entry.id, "not yet".to_owned()).wait())
        );
        let verdict = catch_unwind(AssertUnwindSafe(|| self.send(entry, &settings)));
        let verdict = verdict.unwrap_or_else(|_panic| {
            error!(
                effect = entry.id.0,
                "The program failed over an outside effect, please report it."
            );
            Err(Trouble::passing("the program failed over it, please report it"))
        });
        match verdict {
            Ok(answer) => {
                crash_point!("outbox.answered_before_mark");
                self.counts.add(Ended::Sent, kind);
                let answer = verdict::told(&answer, &settings.outbox);
                debug!(effect = entry.id.0, event = entry.event_id.0, answer, "Sent.");
                self.mark(|vmdb| vmdb.outbox_sent(entry.id, answer.clone()).wait())
            }
            Err(trouble) => self.failed(entry, kind, trouble, &settings.outbox),
        }
    }

    /// Prepares and sends; what it returns is what the receiver said.
    fn send(&mut self, entry: &OutboxEntry, settings: &Arc<Settings>) -> Result<String, Trouble> {
        let outbox = &settings.outbox;
        let action = Outside::parse(&entry.action).map_err(|error| Trouble::Lasting(error.to_string()))?;
        match action {
            Outside::Http(call) => {
                let request = http::prepare(&call, entry, outbox)?;
                crash_point!("outbox.before_send");
                let reply = http::send(self.client(settings), request)?;
                // The request is out, its answer is not looked at.
                crash_point!("outbox.sent_no_answer");
                http::answered(&call, reply, self.vmdb.clock().now())
            }
            Outside::Command(call) => command::prepare(&call, entry, outbox)?.run(),
            Outside::Email(email) => {
                let (message, transport) = email::prepare(&email, entry, outbox)?;
                email::send(&message, &transport)
            }
            Outside::Log(line) => {
                log_line(&line, entry);
                Ok("logged".to_owned())
            }
        }
    }

    fn client(&mut self, settings: &Arc<Settings>) -> &Client {
        if self
            .client
            .as_ref()
            .is_some_and(|(made_for, _)| !Arc::ptr_eq(made_for, settings))
        {
            self.client = None;
        }
        let make = || {
            let client = Client::new(&ClientConfig {
                allowed_origins: settings.outbox.allowed_origins.clone(),
                connect_time: CONNECT_TIME.min(settings.outbox.timeout),
                whole_time: settings.outbox.timeout,
                longest_answer: LONGEST_ANSWER,
                keeps_connections: false,
                authorities: Authorities::WebPki,
            });
            (settings.clone(), client)
        };
        &self.client.get_or_insert_with(make).1
    }

    /// Records a failure: it comes again after a pause that grows, or is given up.
    fn failed(
        &mut self,
        entry: &OutboxEntry,
        kind: &'static str,
        trouble: Trouble,
        settings: &OutboxSettings,
    ) -> bool {
        let tried = entry.attempts.saturating_add(1);
        let is_last = usize::try_from(tried).is_ok_and(|tried| settings.attempts <= tried);
        let (why, pause) = match trouble {
            Trouble::Lasting(why) => (why, None),
            Trouble::Passing { why, .. } if is_last => (why, None),
            Trouble::Passing { why, after } => {
                let asked_for = after.unwrap_or_default().min(LONGEST_REQUEST);
                (why, Some(pause(settings, entry.attempts).max(asked_for)))
            }
        };
        let why = verdict::told(&why, settings);
        let retry_at = pause.map(|pause| {
            let now = self.vmdb.clock().now();
            let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
            now.saturating_add(pause).unwrap_or(now)
        });
        let (effect, event) = (entry.id.0, entry.event_id.0);
        match retry_at {
            Some(retry_at) => {
                self.counts.add(Ended::Failed, kind);
                info!(effect, event, kind, why, tried, %retry_at, "An outside effect was not sent.");
            }
            None => {
                self.counts.add(Ended::Dead, kind);
                warn!(
                    effect,
                    event, kind, why, tried, "An outside effect was given up; `queue retry` sends it."
                );
            }
        }
        self.mark(|vmdb| vmdb.outbox_failed(entry.id, why.clone(), retry_at).wait())
    }

    /// Records what became of an effect. While the database takes nothing, the effect stays in hand, so that it is
    /// not sent again for that; says whether it is recorded.
    fn mark(&mut self, record: impl Fn(&Vmdb) -> Result<(), VmdbError>) -> bool {
        loop {
            match record(&self.vmdb) {
                Ok(()) => {
                    if self.logged.take().is_some() {
                        info!("The database takes what became of outside effects again.");
                    }
                    return true;
                }
                Err(error) => self.log(&error),
            }
            if self.desk.is_stopping() {
                return false;
            }
            let seen = self.vmdb.effects_seen();
            self.vmdb.wait_for_effects(seen, desk::IDLE);
        }
    }

    fn log(&mut self, error: &VmdbError) {
        if self.logged.is_none_or(|at| TROUBLE_LOGGED < at.elapsed()) {
            self.logged = Some(Instant::now());
            warn!(%error, "The database does not serve the outbox; nothing is lost.");
        }
    }
}

/// The pause after a failure, when there were so many before it.
fn pause(settings: &OutboxSettings, before: u32) -> Duration {
    let factor = 1_u32.checked_shl(before).unwrap_or(u32::MAX);
    settings.pause.saturating_mul(factor).min(settings.longest_pause)
}

/// A line of the log, in which no text can pass for a line of its own.
fn log_line(line: &LogLine, entry: &OutboxEntry) {
    let message = visible(&line.message);
    let event = entry.event_id.0;
    match line.level {
        LogLevel::Debug => debug!(event, "{message}"),
        LogLevel::Info => info!(event, "{message}"),
        LogLevel::Warn => warn!(event, "{message}"),
        LogLevel::Error => error!(event, "{message}"),
    }
}
