//! rule_figures: how often each instance fired, failed, and used how much of its budget, by day.
//!
//! Added up in memory for a whole transaction, so that it costs one row for each instance that fired in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::HashMap;
use rusqlite::Connection;
use rusqlite::params;

use crate::model::clock::Timestamp;
use crate::model::fired::Fired;
use crate::model::fired::FiredEnd;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;

const MICROSECONDS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Which day a moment belongs to, in days since the epoch.
pub fn day_of(time: Timestamp) -> i64 {
    time.as_microsecond().div_euclid(MICROSECONDS_PER_DAY)
}

/// How an instance fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFigures {
    /// How often it was built, whatever became of it.
    pub fired: u64,
    /// How often an error arose in it.
    pub failed: u64,
    /// How often one of its assertions was not true.
    pub stopped: u64,
    /// The largest share of its script budget, in thousandths.
    pub budget: u16,
    /// When it fired last.
    pub last: Timestamp,
    /// Day (since the epoch), fired and failed, of the days on which it fired, in order.
    pub days: Vec<(i64, u64, u64)>,
}

/// What one transaction adds.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewFigures(HashMap<Arc<str>, Sum>);

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    fired: i64,
    failed: i64,
    stopped: i64,
    budget: u16,
}

impl NewFigures {
    /// Counts what one run built.
    pub(crate) fn count(&mut self, fired: &[Fired]) {
        for one in fired {
            let failed = one.end == FiredEnd::Failed;
            let stopped = one.end == FiredEnd::Stopped;
            self.sum(&one.instance).add(&Sum {
                fired: 1,
                failed: failed.into(),
                stopped: stopped.into(),
                budget: one.budget,
            });
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (instance, sum) in &other.0 {
            self.sum(instance).add(sum);
        }
    }

    fn sum(&mut self, instance: &Arc<str>) -> &mut Sum {
        self.0.entry(instance.clone()).or_default()
    }

    /// Writes what was added: one row an instance.
    pub(crate) fn write(&self, connection: &Connection, now: Timestamp) -> Result<(), VmdbError> {
        for (instance, sum) in &self.0 {
            connection
                .prepare_cached(
                    "INSERT INTO rule_figures VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                     ON CONFLICT (instance, day) DO UPDATE SET \
                     fired = fired + excluded.fired, failed = failed + excluded.failed, \
                     stopped = stopped + excluded.stopped, budget = max(budget, excluded.budget), \
                     last_at = max(last_at, excluded.last_at)",
                )?
                .execute(params![
                    instance,
                    day_of(now),
                    sum.fired,
                    sum.failed,
                    sum.stopped,
                    sum.budget,
                    now.as_microsecond(),
                ])?;
        }
        Ok(())
    }
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.fired += other.fired;
        self.failed += other.failed;
        self.stopped += other.stopped;
        self.budget = self.budget.max(other.budget);
    }
}

impl Vmdb {
    /// How every instance fared that fired on this day (since the epoch) or later.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn rule_figures(&self, since: i64) -> Result<BTreeMap<Arc<str>, RuleFigures>, VmdbError> {
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(
                "SELECT instance, day, fired, failed, stopped, budget, last_at FROM rule_figures \
                 WHERE day >= ?1 ORDER BY instance, day",
            )?;
            let mut rows = query.query([since])?;
            let mut all: BTreeMap<Arc<str>, RuleFigures> = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let (fired, failed): (u64, u64) = (row.get(2)?, row.get(3)?);
                let last = codec::time(row.get(6)?);
                let figures = all.entry(row.get(0)?).or_insert_with(|| RuleFigures {
                    fired: 0,
                    failed: 0,
                    stopped: 0,
                    budget: 0,
                    last,
                    days: Vec::new(),
                });
                figures.fired += fired;
                figures.failed += failed;
                figures.stopped += row.get::<_, u64>(4)?;
                figures.budget = figures.budget.max(row.get(5)?);
                figures.last = figures.last.max(last);
                figures.days.push((row.get(1)?, fired, failed));
            }
            Ok(all)
        })
    }
}

/// Forgets the days before one.
pub(crate) fn forget_before(connection: &Connection, time: Timestamp) -> Result<(), VmdbError> {
    let mut query = connection.prepare_cached("DELETE FROM rule_figures WHERE day < ?1")?;
    query.execute([day_of(time)])?;
    Ok(())
}
