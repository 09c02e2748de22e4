//! How many refreshes wait and run: for figures, which are asked for often.

use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::vmdb::RefreshState;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;

/// What there is to refresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefreshCounts {
    /// Refreshes that wait.
    pub waiting: u64,
    /// Targets of those; none where the whole manager is to be refreshed.
    pub waiting_targets: u64,
    /// Refreshes that run.
    pub running: u64,
    /// When the first one that waits was asked for.
    pub oldest: Option<Timestamp>,
}

/// How many refreshes the database has, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RefreshesByState {
    /// They wait.
    pub waiting: u64,
    /// They run.
    pub running: u64,
    /// They went well.
    pub done: u64,
    /// They were given up.
    pub failed: u64,
    /// Their targets joined an earlier one.
    pub merged: u64,
}

impl Vmdb {
    /// How many refreshes there are, those that are over included.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn refreshes_by_state(&self) -> Result<RefreshesByState, VmdbError> {
        self.read(|transaction| {
            let sql = "SELECT state, count(*) FROM refresh_queue GROUP BY state";
            let mut query = transaction.prepare_cached(sql)?;
            let mut rows = query.query([])?;
            let mut counts = RefreshesByState::default();
            while let Some(row) = rows.next()? {
                let count = row.get(1)?;
                match RefreshState::from_number(row.get(0)?) {
                    Some(RefreshState::Waiting) => counts.waiting = count,
                    Some(RefreshState::Running) => counts.running = count,
                    Some(RefreshState::Done) => counts.done = count,
                    Some(RefreshState::Failed) => counts.failed = count,
                    Some(RefreshState::Merged) => counts.merged = count,
                    None => {}
                }
            }
            Ok(counts)
        })
    }

    /// How many refreshes there are that are not over.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn refresh_counts(&self) -> Result<RefreshCounts, VmdbError> {
        self.read(|transaction| {
            // Each from an index, since those that are over are many.
            let sql = "SELECT count(*), min(requested_at), \
                       ifnull(sum((SELECT count(*) FROM refresh_targets t WHERE t.refresh_id = r.id)), 0), \
                       (SELECT count(*) FROM refresh_queue WHERE state = 1) \
                       FROM refresh_queue r WHERE r.state = 0";
            let mut query = transaction.prepare_cached(sql)?;
            Ok(query.query_row([], |row| {
                Ok(RefreshCounts {
                    waiting: row.get(0)?,
                    oldest: row.get::<_, Option<i64>>(1)?.map(codec::time),
                    waiting_targets: row.get(2)?,
                    running: row.get(3)?,
                })
            })?)
        })
    }
}
