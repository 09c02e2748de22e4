//! What senders brought and the front door refused: a figure and a count in the books of each manager, and a line in
//! the log, but not one for each of a flood.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use axum::http::StatusCode;
use axum::http::Uri;
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use tokio::sync::Notify;
use tokio::sync::watch;
use tracing::warn;

use crate::model::ems::EmsId;
use crate::model::metric::Sample;
use crate::vmdb::Filtered;
use crate::vmdb::Put;
use crate::vmdb::Vmdb;

/// How long a manager's refusals are not logged again.
const QUIET: Duration = Duration::from_secs(10);
/// How often the books are written at most.
const WRITE: Duration = Duration::from_secs(1);
/// The longest name of a stranger that is logged, in characters.
const LONGEST_NAME: usize = 64;

/// Why a request was refused; goes with its answer.
#[derive(Clone, Debug)]
pub(crate) struct Reason(pub(crate) String);

/// The refusals of each manager; those for no manager of ours are together under a blank name.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    of: Mutex<BTreeMap<Arc<str>, Refused>>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Refused {
    ems_id: Option<EmsId>,
    by_status: BTreeMap<u16, u64>,
    /// How many are not in the books yet.
    unwritten: i64,
    /// When one was logged last, and how many were not since.
    last: Option<Instant>,
    untold: u64,
}

impl Refusals {
    /// Notes a request to `/events/{ems}` that was refused.
    pub(crate) fn note(&self, vmdb: &Vmdb, uri: &Uri, status: StatusCode, reason: Option<&Reason>) {
        let named = uri.path().trim_start_matches("/events/");
        let named = percent_decode_str(named).decode_utf8_lossy();
        let ems = vmdb.ems_known(&named);
        let key = ems.as_ref().map_or_else(|| Arc::from(""), |ems| ems.name.clone());
        let mut all = self.of.lock();
        let refused = all.entry(key).or_default();
        refused.ems_id = ems.as_ref().map(|ems| ems.id);
        *refused.by_status.entry(status.as_u16()).or_default() += 1;
        // Who is asked to come again has been refused nothing yet.
        if ems.is_some() && status != StatusCode::TOO_MANY_REQUESTS {
            refused.unwritten += 1;
            self.news.notify_one();
        }
        if refused.last.is_some_and(|last| last.elapsed() < QUIET) {
            refused.untold += 1;
            return;
        }
        let name: String = named.chars().take(LONGEST_NAME).collect();
        let (status, untold) = (status.as_u16(), refused.untold);
        let reason = reason.map_or("no reason given", |reason| &reason.0);
        (refused.last, refused.untold) = (Some(Instant::now()), 0);
        drop(all);
        warn!(
            ems = name,
            status, reason, untold, "Refused what a sender brought."
        );
    }

    /// Keeps the books until it is to stop.
    pub(crate) async fn run(&self, vmdb: &Vmdb, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                // An error means that nobody is left who could stop it.
                _told = stop.wait_for(|stop| *stop) => return,
                () = self.news.notified() => (),
            }
            self.write(vmdb).await;
            tokio::select! {
                _told = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(WRITE) => (),
            }
        }
    }

    /// Writes what is not in the books yet; what cannot be written is tried again with what comes next.
    pub(crate) async fn write(&self, vmdb: &Vmdb) {
        let unwritten = self.take_unwritten();
        if unwritten.is_empty() {
            return;
        }
        let put = Put {
            filtered: unwritten.values().copied().collect(),
            ..Put::default()
        };
        if let Err(error) = vmdb.put(put).await {
            warn!(%error, "Could not count what was refused.");
            let mut all = self.of.lock();
            for (name, counted) in unwritten {
                all.entry(name).or_default().unwritten += counted.refused;
            }
        }
    }

    fn take_unwritten(&self) -> BTreeMap<Arc<str>, Filtered> {
        let mut all = self.of.lock();
        let unwritten = all.iter_mut().filter_map(|(name, of)| {
            let ems_id = of.ems_id.filter(|_| of.unwritten > 0)?;
            let refused = std::mem::take(&mut of.unwritten);
            let filtered = 0;
            let counted = Filtered {
                ems_id,
                filtered,
                refused,
            };
            Some((name.clone(), counted))
        });
        unwritten.collect()
    }

    /// How many there were, by manager and status.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let all = self.of.lock();
        let sample = |name: &Arc<str>, status: u16, count: u64| {
            let help = "Requests of senders that were refused, by manager and status.";
            Sample::counter("switchboard_requests_refused_total", help, count)
                .label("ems", name.clone())
                .label("status", status.to_string())
        };
        let of = |(name, refused): (&Arc<str>, &Refused)| {
            let samples = refused.by_status.iter();
            samples
                .map(|(status, count)| sample(name, *status, *count))
                .collect::<Vec<_>>()
        };
        all.iter().flat_map(of).collect()
    }
}
