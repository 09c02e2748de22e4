//! A clock that was set back: what waits for a time waits no longer than it was to.
//!
//! Times of rows are of the machine's clock. Set back by an hour, each pause that was under way would last an hour
//! longer; so what waits is moved by as much. Nothing depends on the order of times: that is the order of ids.

use rusqlite::params;
use tracing::warn;

use crate::model::clock::SignedDuration;
use crate::model::clock::Timestamp;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::transaction::Transaction;

/// Smaller steps are the daily business of keeping a clock.
const SMALL: SignedDuration = SignedDuration::from_secs(2);

/// Notices when the clock was set back.
#[derive(Debug, Default)]
pub(crate) struct LatestTime(Option<Timestamp>);

impl LatestTime {
    /// By how much the clock is behind what it said before, where that is a jump.
    pub(crate) fn jump_back(&mut self, now: Timestamp) -> Option<SignedDuration> {
        let before = self.0.replace(now)?;
        let by = before.duration_since(now);
        (SMALL < by).then_some(by)
    }

    /// Takes back a look, to what the clock said before.
    pub(crate) fn forget(&mut self, before: Option<Timestamp>) {
        self.0 = before;
    }
}

impl Vmdb {
    /// Moves what waits, once the clock was set back by so much.
    pub(crate) fn follow_clock_back(&self, by: SignedDuration) -> Result<(), VmdbError> {
        warn!(%by, "The clock was set back; what waits is moved by as much.");
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        let moved = self.request(1, move |transaction: &mut Transaction<'_>| {
            for table in ["miq_queue", "refresh_queue", "outbox"] {
                // None waits for longer than it did, and none for less than no time.
                transaction.execute(
                    &format!("UPDATE {table} SET due = max(due - ?1, ?2) WHERE due > ?2"),
                    params![by, transaction.now.as_microsecond()],
                )?;
            }
            transaction.news.has_messages = true;
            Ok(())
        });
        moved.wait()
    }
}
