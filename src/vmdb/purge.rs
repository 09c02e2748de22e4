//! Purge: takes old events off the database, a window at a time, so that the pipeline goes on between two of them.
//!
//! An event goes with all that belongs to it: the native event, the deliveries, what was sent, the note of its
//! refreshes. What waits stays, whatever its age: messages on the queue, events whose state machines go on later,
//! effects that are not sent, refreshes that are not done. The books count what was purged.
//!
//! An event is as old as the later of its `timestamp` and its receipt, so that one which came late, or whose time
//! means "unknown", stays as long as any other. Ages are counted up to a time of the database's own, which follows the
//! clock, but by at most a day from one purge to the next: a clock that jumps by ten years costs a day of the oldest
//! events until somebody notices, not all of them.
//!
//! The key of an event stays known until its receipt is as old as events may become, also where the event itself was
//! purged before. So a repeat within that time is never taken for something new.

use std::time::Duration;

use rusqlite::params;

use crate::crash_point::crash_point;
use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::model::event::EventId;
use crate::settings::HistorySettings;
use crate::vmdb::MessageId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::event_counts;
use crate::vmdb::event_keys;
use crate::vmdb::refresh_queue::RefreshState;
use crate::vmdb::request::Request;
use crate::vmdb::rule_figures;
use crate::vmdb::transaction::Transaction;

/// How far the time that ages are counted from may move between two purges, in microseconds: a day.
const MOST_AT_ONCE: i64 = 24 * 60 * 60 * 1_000_000;

/// How long events are kept, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long an event is kept.
    pub keep_events: Duration,
    /// How many are kept at most; none for any number.
    pub keep_rows: Option<usize>,
    /// How many are purged in one transaction, at least one.
    pub window: usize,
}

impl From<&HistorySettings> for Retention {
    fn from(settings: &HistorySettings) -> Self {
        Self {
            keep_events: settings.keep_events,
            keep_rows: settings.keep_rows,
            window: settings.purge_window_size,
        }
    }
}

/// One purge under way: [`Vmdb::purge_begin`] makes it, [`Vmdb::purge_window`] brings it further.
#[derive(Clone, Debug)]
pub struct Purge {
    /// What it purged until now.
    pub purged: Purged,
    /// How far the clock is ahead of the time that ages are counted from: zero, unless it jumped or the
    /// program did not run for long.
    pub clock_ahead: Duration,
    cutoff: i64,
    window: i64,
    excess: usize,
    next: Phase,
}

/// What was purged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Events with all that belongs to them.
    pub events: usize,
    /// Events that are old enough but have something waiting.
    pub held: usize,
    /// Refreshes that were done.
    pub refreshes: usize,
    /// Keys of events that had been purged before.
    pub keys: usize,
}

/// What the next window is about, and behind which row it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Old { age: i64, id: i64 },
    TooMany { id: i64 },
    Refreshes { id: i64 },
    Keys,
    Done,
}

/// An event that may go.
struct Candidate {
    id: i64,
    ems_id: EmsId,
    key: String,
    age: i64,
    received_at: i64,
    is_held: bool,
}

impl Purge {
    /// Everything up to this time is old.
    pub fn cutoff(&self) -> Timestamp {
        codec::time(self.cutoff)
    }

    /// Whether nothing is left to be done.
    pub fn is_done(&self) -> bool {
        self.next == Phase::Done
    }
}

impl Vmdb {
    /// Begins a purge: settles from which time ages are counted, and how many events are too many.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn purge_begin(&self, retention: &Retention) -> Result<Request<Purge>, VmdbError> {
        let excess = match retention.keep_rows {
            // By the rows, since a purge that trusts books which are wrong would purge too many.
            Some(keep) => self.event_rows()?.saturating_sub(keep),
            None => 0,
        };
        let keep = i64::try_from(retention.keep_events.as_micros()).unwrap_or(i64::MAX);
        let window = i64::try_from(retention.window.max(1)).unwrap_or(i64::MAX);
        Ok(self.request(1, move |transaction| {
            let now = transaction.now.as_microsecond();
            let time = settle_time(transaction, now)?;
            rule_figures::forget_before(transaction.connection, codec::time(time.saturating_sub(keep)))?;
            Ok(Purge {
                purged: Purged::default(),
                clock_ahead: Duration::from_micros(u64::try_from(now - time).unwrap_or(0)),
                cutoff: time.saturating_sub(keep),
                window,
                excess,
                next: Phase::Old {
                    age: i64::MIN,
                    id: i64::MIN,
                },
            })
        }))
    }

    /// Purges one window, in one transaction.
    pub fn purge_window(&self, purge: Purge) -> Request<Purge> {
        let weight = usize::try_from(purge.window).unwrap_or(usize::MAX);
        self.request(weight, move |transaction| {
            let mut purge = purge.clone();
            purge.step(transaction)?;
            Ok(purge)
        })
    }

    fn event_rows(&self) -> Result<usize, VmdbError> {
        self.read(|transaction| {
            Ok(transaction.query_row("SELECT count(*) FROM event_streams", [], |row| row.get(0))?)
        })
    }
}

impl Purge {
    fn step(&mut self, transaction: &mut Transaction<'_>) -> Result<(), VmdbError> {
        self.next = match self.next {
            Phase::Old { age, id } => self.old(transaction, age, id)?,
            Phase::TooMany { id } => self.too_many(transaction, id)?,
            Phase::Refreshes { id } => self.refreshes(transaction, id)?,
            Phase::Keys => self.keys(transaction)?,
            Phase::Done => Phase::Done,
        };
        Ok(())
    }

    fn old(&mut self, transaction: &mut Transaction<'_>, age: i64, id: i64) -> Result<Phase, VmdbError> {
        let which = "WHERE ifnull(timestamp, received_at) BETWEEN ?1 AND ?3 AND (ifnull(timestamp, received_at), id) > (?1, ?2) \
                     ORDER BY ifnull(timestamp, received_at), id LIMIT ?4";
        let found = candidates(transaction, which, params![age, id, self.cutoff, self.window])?;
        let cutoff = self.cutoff;
        let old = found.iter().filter(|candidate| candidate.received_at <= cutoff);
        self.remove(transaction, old)?;
        Ok(match found.last().filter(|_| self.is_full(found.len())) {
            Some(last) => Phase::Old {
                age: last.age,
                id: last.id,
            },
            None => Phase::TooMany { id: i64::MIN },
        })
    }

    fn too_many(&mut self, transaction: &mut Transaction<'_>, id: i64) -> Result<Phase, VmdbError> {
        let excess = self.excess.saturating_sub(self.purged.events);
        let most = self.window.min(i64::try_from(excess).unwrap_or(i64::MAX));
        let which = "WHERE id > ?1 ORDER BY id LIMIT ?2";
        let found = candidates(transaction, which, params![id, most, i64::MAX])?;
        self.remove(transaction, &found)?;
        Ok(match found.last() {
            Some(last) => Phase::TooMany { id: last.id },
            None => Phase::Refreshes { id: i64::MIN },
        })
    }

    /// Refreshes that are done, or merged into others, are of no more use than the events that asked for them.
    fn refreshes(&mut self, transaction: &mut Transaction<'_>, id: i64) -> Result<Phase, VmdbError> {
        let mut query = transaction.prepare(
            "SELECT id FROM refresh_queue WHERE id > ?1 AND state IN (?2, ?3) AND finished_at <= ?4 \
             ORDER BY id LIMIT ?5",
        )?;
        let [done, merged] = [RefreshState::Done, RefreshState::Merged].map(RefreshState::number);
        let rows = query.query_map(params![id, done, merged, self.cutoff, self.window], |row| {
            row.get(0)
        })?;
        let found = rows.collect::<Result<Vec<i64>, _>>()?;
        for id in &found {
            transaction.execute("DELETE FROM refresh_targets WHERE refresh_id = ?1", [id])?;
            transaction.execute("DELETE FROM event_refreshes WHERE refresh_id = ?1", [id])?;
            transaction.execute("DELETE FROM refresh_queue WHERE id = ?1", [id])?;
        }
        self.purged.refreshes += found.len();
        Ok(match found.last().filter(|_| self.is_full(found.len())) {
            Some(last) => Phase::Refreshes { id: *last },
            None => Phase::Keys,
        })
    }

    fn keys(&mut self, transaction: &mut Transaction<'_>) -> Result<Phase, VmdbError> {
        let gone = transaction.execute(
            "DELETE FROM purged_keys WHERE received_at <= ?1 AND event_id IN \
             (SELECT event_id FROM purged_keys ORDER BY event_id LIMIT ?2)",
            params![self.cutoff, self.window],
        )?;
        self.purged.keys += gone;
        if self.is_full(gone) {
            return Ok(Phase::Keys);
        }
        let first = |sql| {
            let first = transaction.first(sql, [], |row| row.get::<_, Option<i64>>(0));
            Ok::<_, VmdbError>(first?.flatten().unwrap_or(i64::MAX))
        };
        // With nothing left the indexes keep what they have until there is something again.
        let saved = first("SELECT min(id) FROM event_streams")?;
        let keyed = saved.min(first("SELECT min(event_id) FROM purged_keys")?);
        if saved < i64::MAX {
            transaction.forget_before(saved, keyed)?;
        }
        Ok(Phase::Done)
    }

    fn is_full(&self, found: usize) -> bool {
        i64::try_from(found).unwrap_or(i64::MAX) >= self.window
    }

    fn remove<'a>(
        &mut self,
        transaction: &mut Transaction<'_>,
        found: impl IntoIterator<Item = &'a Candidate>,
    ) -> Result<(), VmdbError> {
        for candidate in found {
            if candidate.is_held {
                self.purged.held += 1;
                continue;
            }
            event_counts::purged(transaction, EventId(candidate.id))?;
            for sql in [
                "DELETE FROM event_streams WHERE id = ?1",
                "DELETE FROM native_events WHERE id = ?1",
                "DELETE FROM deliveries WHERE event_id = ?1",
                "DELETE FROM event_refreshes WHERE event_id = ?1",
                "DELETE FROM outbox WHERE event_id = ?1",
            ] {
                transaction.execute(sql, [candidate.id])?;
            }
            if self.cutoff < candidate.received_at {
                transaction.execute(
                    "INSERT OR REPLACE INTO purged_keys (event_id, received_at, digest) VALUES (?1, ?2, ?3)",
                    params![
                        candidate.id,
                        candidate.received_at,
                        event_keys::proof_of(candidate.ems_id, &candidate.key)
                    ],
                )?;
            }
            // Should it be the last event of all, its number is not given to another one.
            transaction.gone(MessageId(candidate.id));
            transaction.books.of(candidate.ems_id).purged += 1;
            self.purged.events += 1;
            crash_point!("purge.batch");
        }
        Ok(())
    }
}

/// Events that may go, by conditions of which `?3` is the latest time of receipt that is looked into.
fn candidates(
    transaction: &Transaction<'_>,
    which: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<Candidate>, VmdbError> {
    // Without its plus the column would have its affinity, which the index has not.
    let mut query = transaction.prepare(&format!(
        "SELECT id, ems_id, event_key, ifnull(timestamp, received_at), received_at, \
         iif(received_at > ?3, 0, EXISTS (SELECT 1 FROM outbox WHERE event_id = e.id AND state <> 3) \
         OR EXISTS (SELECT 1 FROM miq_queue \
         WHERE kind = 2 AND iif(json_valid(payload), payload ->> '$.event', NULL) = +e.id)) \
         FROM event_streams e {which}"
    ))?;
    let rows = query.query_map(params, |row| {
        Ok(Candidate {
            id: row.get(0)?,
            ems_id: EmsId(row.get(1)?),
            key: row.get(2)?,
            age: row.get(3)?,
            received_at: row.get(4)?,
            is_held: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The time that ages are counted from: now, unless the clock has moved further than a day since the last purge,
/// or, before the first one, since the newest event, or since the database was made.
fn settle_time(transaction: &Transaction<'_>, now: i64) -> Result<i64, VmdbError> {
    let last = transaction.first(
        "SELECT ifnull(purge_time, max(created_at, \
         ifnull((SELECT received_at FROM event_streams ORDER BY id DESC LIMIT 1), created_at))) FROM appliance",
        [],
        |row| row.get::<_, i64>(0),
    )?;
    let time = match last {
        Some(last) => now.min(last.saturating_add(MOST_AT_ONCE)),
        None => now,
    };
    transaction.execute("UPDATE appliance SET purge_time = ?1", [time])?;
    Ok(time)
}
