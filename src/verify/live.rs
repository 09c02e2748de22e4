//! Marked probes through a running system: each is followed by its API from the answer to the decision.
//!
//! The probes are events of a manager that is kept for them, about VMs that do not exist. They stay on its timeline.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use serde::Serialize;

use crate::model::clock::Clock;
use crate::model::json::Value;
use crate::settings::Secret;
use crate::verify::client::Client;
use crate::vmdb::Finding;

const SENDERS: u64 = 4;
/// Every so many probes one is sent twice: it must not be saved twice.
const SENT_TWICE: u64 = 10;
/// How often the API is asked for what was decided.
const LOOK: Duration = Duration::from_millis(20);
/// How long is waited for the last decisions.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest page of the API.
const PAGE: u64 = 1_000;
/// What asks for more probes a second is not a probe any more.
const MOST: f64 = 1_000.0;

/// What is probed, and how.
#[derive(Clone, Debug)]
pub struct LiveConfig {
    /// Where it listens.
    pub url: String,
    /// What it wants to be shown.
    pub token: Option<Secret>,
    /// The manager that is kept for probes, of type `awesome_cloud`.
    pub ems: String,
    /// Probes a second.
    pub rate: f64,
    /// For how long.
    pub duration: Duration,
    /// The time, which marks the probes of this run.
    pub clock: Clock,
}

/// What came of it. Times are in milliseconds, as seen from here; decisions are looked for every 20 ms.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LiveReport {
    /// The manager.
    pub ems: String,
    /// Probes that were sent.
    pub sent: u64,
    /// Those of them that were accepted.
    pub answered: u64,
    /// Those that were refused, or got no answer.
    pub unanswered: u64,
    /// Accepted, and not decided.
    pub lost: u64,
    /// Saved more than once.
    pub duplicate: u64,
    /// Decided, and no refresh was asked for.
    pub without_target: u64,
    /// From sending to the answer.
    pub answer: Option<Quantiles>,
    /// From sending to the decision with its target.
    pub decision: Option<Quantiles>,
}

/// How long it took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// Half of them took less.
    pub p50: f64,
    /// One of a hundred took longer.
    pub p99: f64,
}

/// Why nothing was probed.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// There is no such manager.
    #[error("`{url}` has no manager `{ems}`")]
    NoManager {
        /// The system.
        url: String,
        /// The manager.
        ems: String,
    },
    /// The rate makes no sense.
    #[error("a rate above 0 and up to {MOST} probes a second is expected, not {0}")]
    Rate(f64),
    /// It does not answer, or refuses to.
    #[error("`{url}` cannot be probed: {reason}")]
    Unreachable {
        /// The system.
        url: String,
        /// What it said.
        reason: String,
    },
}

/// One probe that was accepted.
#[derive(Clone, Copy, Debug)]
struct Probe {
    sent: Instant,
    is_answered: bool,
    event: Option<u64>,
}

struct Run<'a> {
    config: &'a LiveConfig,
    client: Client,
    /// What the keys of this run begin with.
    mark: String,
    probes: Mutex<BTreeMap<u64, Probe>>,
    next: AtomicU64,
    count: u64,
    /// Resources enough that no flood control folds the probes.
    resources: u64,
    began: Instant,
    answers: Mutex<Vec<Duration>>,
    unanswered: AtomicU64,
    is_sent: AtomicBool,
}

/// Sends probes and follows them. Blocks.
///
/// # Errors
/// When nothing could be sent. What was lost is a finding.
pub fn run(config: &LiveConfig, mut found: impl FnMut(Finding)) -> Result<LiveReport, LiveError> {
    if !(config.rate > 0.0 && config.rate <= MOST) {
        return Err(LiveError::Rate(config.rate));
    }
    let client = Client::new(&config.url, config.token.clone());
    let whole = |number: f64| {
        Duration::try_from_secs_f64(number.ceil())
            .unwrap_or_default()
            .as_secs()
    };
    let run = Run {
        config,
        client,
        mark: format!("verify-{:x}-", config.clock.now().as_microsecond()),
        probes: Mutex::default(),
        next: AtomicU64::new(0),
        count: whole(config.rate * config.duration.as_secs_f64()).max(1),
        resources: whole(config.rate * 3.0).max(16),
        began: Instant::now(),
        answers: Mutex::default(),
        unanswered: AtomicU64::new(0),
        is_sent: AtomicBool::new(false),
    };
    run.check_manager()?;
    let followed = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(|| run.send())).collect();
        let follower = scope.spawn(|| run.follow());
        for sender in senders {
            // One that ended early has left its probes without an answer.
            drop(sender.join());
        }
        run.is_sent.store(true, Ordering::Release);
        follower.join().unwrap_or_default()
    });
    Ok(run.report(followed, &mut found))
}

/// What was seen of the probes.
#[derive(Debug, Default)]
struct Followed {
    decisions: Vec<Duration>,
    duplicates: Vec<(u64, u64)>,
    without_target: u64,
}

impl Run<'_> {
    fn check_manager(&self) -> Result<(), LiveError> {
        let (url, ems) = (self.config.url.clone(), self.config.ems.clone());
        match self
            .client
            .get(&["api", "event_streams"], &[("ems", &ems), ("limit", "1")])
        {
            Ok(answer) if answer.is_accepted() => Ok(()),
            Ok(answer) if answer.status == 400 => Err(LiveError::NoManager { url, ems }),
            Ok(answer) => Err(LiveError::Unreachable {
                url,
                reason: format!("it answers {}: {}", answer.status, answer.body.trim()),
            }),
            Err(reason) => Err(LiveError::Unreachable { url, reason }),
        }
    }

    fn send(&self) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.count {
                return;
            }
            let due = Duration::try_from_secs_f64(millionths(number) / self.config.rate * 1e6);
            let due = self.began + due.unwrap_or_default();
            while let Some(left) = due
                .checked_duration_since(Instant::now())
                .filter(|left| !left.is_zero())
            {
                thread::park_timeout(left);
            }
            let key = format!("{}{number}", self.mark);
            let body = format!(
                r#"{{"id": "{key}", "event_name": "com.awesomecloud.vm.update", "time": "{}", "vm": {{"id": "verify-probe-{}", "name": "a probe of switchboard verify"}}}}"#,
                self.config.clock.now(),
                number % self.resources,
            );
            let probe = Probe {
                sent: Instant::now(),
                is_answered: false,
                event: None,
            };
            self.probes.lock().insert(number, probe);
            let is_answered = self
                .client
                .post(&self.config.ems, &body)
                .is_ok_and(|answer| answer.is_accepted());
            if is_answered {
                self.answers.lock().push(probe.sent.elapsed());
                if let Some(probe) = self.probes.lock().get_mut(&number) {
                    probe.is_answered = true;
                }
            } else {
                self.unanswered.fetch_add(1, Ordering::Relaxed);
            }
            if number.is_multiple_of(SENT_TWICE) {
                // What is said to it does not matter: it must not be there twice.
                drop(self.client.post(&self.config.ems, &body));
            }
        }
    }

    /// Looks for decisions until every accepted probe has one, or nobody believes in it any more.
    fn follow(&self) -> Followed {
        let mut followed = Followed::default();
        let mut last_look = None;
        loop {
            let is_sent = self.is_sent.load(Ordering::Acquire);
            // While probes are sent the newest page is enough; at the end all of them.
            self.look(&mut followed, is_sent);
            if is_sent {
                let end = *last_look.get_or_insert_with(|| Instant::now() + PATIENCE);
                let probes = self.probes.lock();
                if probes
                    .values()
                    .all(|probe| probe.event.is_some() || !probe.is_answered)
                    || end < Instant::now()
                {
                    return followed;
                }
            }
            thread::park_timeout(LOOK);
        }
    }

    fn look(&self, followed: &mut Followed, everything: bool) {
        let mut cursor: Option<String> = None;
        // What looking costs the system is not to be measured: as many as come in a second.
        let page = if everything {
            PAGE
        } else {
            (self.resources / 3).clamp(50, PAGE)
        };
        let page = page.to_string();
        loop {
            let mut query = vec![("ems", &*self.config.ems), ("limit", &*page)];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let Ok(answer) = self.client.get(&["api", "event_streams"], &query) else {
                return;
            };
            let page = answer.json();
            let events = page
                .get("event_streams")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            let mut ours = 0;
            for event in &events {
                let key = event.get("event_key").and_then(Value::as_str);
                let number = key.and_then(|key| key.strip_prefix(&self.mark)?.parse().ok());
                if let (Some(number), Some(id)) = (number, event.get("id").and_then(Value::as_u64)) {
                    ours += 1;
                    self.see(number, id, followed);
                }
            }
            cursor = page.get("cursor").and_then(Value::as_str).map(str::to_owned);
            if !everything || cursor.is_none() || ours == 0 {
                return;
            }
        }
    }

    fn see(&self, number: u64, id: u64, followed: &mut Followed) {
        let known = self.probes.lock().get(&number).copied();
        match known.map(|probe| (probe.sent, probe.event)) {
            Some((sent, None)) => {
                let Ok(answer) = self.client.get(&["api", "event_streams", &id.to_string()], &[]) else {
                    return;
                };
                let targets = answer
                    .json()
                    .get("targets")
                    .and_then(Value::as_array)
                    .map_or(0, Vec::len);
                followed.without_target += u64::from(targets == 0);
                followed.decisions.push(sent.elapsed());
                if let Some(probe) = self.probes.lock().get_mut(&number) {
                    probe.event = Some(id);
                }
            }
            Some((_, Some(first))) if first != id => {
                let pair = (first.min(id), first.max(id));
                if !followed.duplicates.contains(&pair) {
                    followed.duplicates.push(pair);
                }
            }
            _known_or_not_ours => {}
        }
    }

    fn report(self, followed: Followed, found: &mut impl FnMut(Finding)) -> LiveReport {
        let probes = self.probes.into_inner();
        let mut report = LiveReport {
            ems: self.config.ems.clone(),
            sent: u64::try_from(probes.len()).unwrap_or(u64::MAX),
            unanswered: self.unanswered.into_inner(),
            without_target: followed.without_target,
            answer: quantiles(self.answers.into_inner()),
            decision: quantiles(followed.decisions),
            ..LiveReport::default()
        };
        report.answered = report.sent - report.unanswered;
        let help =
            "look at the log and at /readyz of the system, and run `switchboard verify` over its database";
        for (number, probe) in &probes {
            if probe.is_answered && probe.event.is_none() {
                report.lost += 1;
                let place = format!("key `{}{number}` of {}", self.mark, report.ems);
                let message = format!("was accepted, and not decided within {} s", PATIENCE.as_secs());
                found(Finding::error("Lost", place, message, help));
            }
        }
        for (first, second) in followed.duplicates {
            report.duplicate += 1;
            let message = format!("has the key of event {first}: it was saved twice");
            found(Finding::error(
                "SavedTwice",
                format!("event {second}"),
                message,
                help,
            ));
        }
        if report.unanswered > 0 {
            let message = format!(
                "{} of {} probes were refused or got no answer",
                report.unanswered, report.sent
            );
            found(Finding::warning(
                "Unanswered",
                self.config.url.clone(),
                message,
                "senders have to send again",
            ));
        }
        if report.without_target > 0 {
            let message = format!(
                "{} probes were decided, and no rule asked for a refresh",
                report.without_target
            );
            let help = "no wonder where a rule of this site for com.awesomecloud.vm.update says so";
            found(Finding::warning("NoTarget", report.ems.clone(), message, help));
        }
        report
    }
}

fn quantiles(mut durations: Vec<Duration>) -> Option<Quantiles> {
    durations.sort_unstable();
    let at = |hundredths: usize| {
        let index = durations.len().saturating_sub(1) * hundredths / 100;
        let duration: Option<&Duration> = durations.get(index);
        duration.map(|duration| (duration.as_secs_f64() * 1e6).round() / 1e3)
    };
    Some(Quantiles {
        p50: at(50)?,
        p99: at(99)?,
    })
}

/// A number of probes as a fraction, exactly.
fn millionths(number: u64) -> f64 {
    Duration::from_micros(number).as_secs_f64()
}
