//! The counts of the timeline: those of minutes against the events, those of hours against those of minutes.
//!
//! Counts are written in the commit that saves, changes or purges what they count, so each step compares both within
//! one transaction, whatever goes on meanwhile.

use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::params;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::vmdb::VmdbError;
use crate::vmdb::audit::finding::Finding;
use crate::vmdb::audit::finding::RESTORE;
use crate::vmdb::audit::finding::Report;
use crate::vmdb::codec;
use crate::vmdb::ems_names::Managers;
use crate::vmdb::event_zones::HOUR;
use crate::vmdb::event_zones::MINUTE;
use crate::vmdb::event_zones::SECOND;

/// One table of counts, and what it counts.
struct Counts {
    what: &'static str,
    /// In seconds.
    length: i64,
    /// The first time behind ?1 seconds that is counted, or is to be, in seconds.
    next: &'static str,
    /// What differs from ?1 seconds up to ?2.
    differences: &'static str,
}

const TABLES: [Counts; 2] = [
    Counts {
        what: "minute",
        length: MINUTE,
        next: "SELECT min(start) FROM ( \
                 SELECT min(start) start FROM event_minutes WHERE start >= ?1 \
                 UNION ALL \
                 SELECT (time - 999999 * (time < 0)) / 1000000 FROM ( \
                   SELECT ifnull(timestamp, received_at) time FROM event_streams INDEXED BY event_streams_time \
                   WHERE time >= ?1 * 1000000 ORDER BY time LIMIT 1))",
        differences: "SELECT ems_id, event_type, group_name, level, sum(counted), sum(found) FROM ( \
                 SELECT c.start, c.ems_id, k.event_type, k.group_name, k.level, c.outcome, c.events counted, 0 found \
                   FROM event_minutes c LEFT JOIN event_kinds k ON k.id = c.kind_id \
                   WHERE c.start >= ?1 AND c.start < ?2 \
                 UNION ALL \
                 SELECT ?1, ems_id, event_type, group_name, level, outcome, 0, 1 \
                   FROM event_streams INDEXED BY event_streams_time \
                   WHERE ifnull(timestamp, received_at) >= ?1 * 1000000 \
                   AND ifnull(timestamp, received_at) < ?2 * 1000000) \
               GROUP BY start, ems_id, event_type, group_name, level, outcome HAVING sum(counted) <> sum(found)",
    },
    Counts {
        what: "hour",
        length: HOUR,
        next: "SELECT min(start) FROM ( \
                 SELECT min(start) start FROM event_hours WHERE start >= ?1 \
                 UNION ALL \
                 SELECT min(start) FROM event_minutes WHERE start >= ?1)",
        differences: "SELECT c.ems_id, k.event_type, k.group_name, k.level, sum(counted), sum(found) FROM ( \
                 SELECT start, ems_id, kind_id, outcome, events counted, 0 found FROM event_hours \
                   WHERE start >= ?1 AND start < ?2 \
                 UNION ALL \
                 SELECT ?1, ems_id, kind_id, outcome, 0, events FROM event_minutes \
                   WHERE start >= ?1 AND start < ?2) c \
               LEFT JOIN event_kinds k ON k.id = c.kind_id \
               GROUP BY c.start, c.ems_id, c.kind_id, c.outcome HAVING sum(counted) <> sum(found)",
    },
];

/// Compares all of them, each minute and each hour that has any in a transaction of its own.
pub(crate) fn check(
    connection: &Connection,
    managers: &Managers,
    report: &mut Report<'_>,
) -> Result<(), VmdbError> {
    for counts in &TABLES {
        let mut from = Timestamp::MIN.as_second();
        loop {
            let transaction = connection.unchecked_transaction()?;
            let next = transaction
                .prepare_cached(counts.next)?
                .query_row([from], |row| row.get::<_, Option<i64>>(0))?;
            let Some(next) = next else { break };
            let start = next.div_euclid(counts.length) * counts.length;
            counts.compare(&transaction, start, managers, report)?;
            from = start + counts.length;
        }
    }
    Ok(())
}

impl Counts {
    fn compare(
        &self,
        transaction: &Transaction<'_>,
        start: i64,
        managers: &Managers,
        report: &mut Report<'_>,
    ) -> Result<(), VmdbError> {
        let mut query = transaction.prepare_cached(self.differences)?;
        let mut rows = query.query(params![start, start + self.length])?;
        while let Some(row) = rows.next()? {
            let time = codec::time(start.saturating_mul(SECOND));
            let manager = managers.name(EmsId(row.get(0)?));
            let kind = |column| {
                row.get::<_, Option<String>>(column)
                    .map(Option::unwrap_or_default)
            };
            let (event_type, group, level) = (kind(1)?, kind(2)?, kind(3)?);
            let (counted, found): (i64, i64) = (row.get(4)?, row.get(5)?);
            let message = format!(
                "{counted} events of {manager} are counted, {found} found, of type `{event_type}`, group `{group}` and \
                 level `{level}` with the same outcome"
            );
            let place = format!("the {} {time} of the timeline", self.what);
            report.add(Finding::error("CountsDiffer", place, message, RESTORE));
        }
        Ok(())
    }
}
