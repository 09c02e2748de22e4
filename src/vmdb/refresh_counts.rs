//! How many refreshes wait and run: for figures, which are asked for often.

use crate::model::clock::Timestamp;
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

impl Vmdb {
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
