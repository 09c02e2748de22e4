//! What whoever looks after the database wants to know at a glance: how much comes, what holds what, how large it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::model::event_outcome::EventOutcome;
use crate::vmdb::MessageId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;

const HOUR: i64 = 3_600;
/// The hours of a sparkline.
pub const HOURS: usize = 24;
/// What "usually" goes by.
const USUAL_DAYS: i64 = 7;
/// The most lanes that are told of.
const LANES: i64 = 20;
/// The most types of events that are told of.
const TYPES: i64 = 200;

/// How much comes, what holds what, how large the database is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operations {
    /// Events that happened within the last hour.
    pub last_hour: u64,
    /// How many there are in an hour usually: the mean of a week, or since the first.
    pub usually: Option<u64>,
    /// Events of each manager in each of the last [`HOURS`] hours, the latest last.
    pub by_hour: BTreeMap<EmsId, [u64; HOURS]>,
    /// When the oldest event was received.
    pub oldest: Option<Timestamp>,
    /// Bytes of the database without its log.
    pub size: u64,
    /// How often the targets that wait were asked for.
    pub requests: u64,
    /// Lanes that stand still.
    pub held: Vec<HeldLane>,
}

/// A lane that stands still because a message in it was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLane {
    /// Manager and resource.
    pub lane: String,
    /// What holds it.
    pub by: MessageId,
    /// How many messages wait behind that.
    pub waiting: u64,
    /// When what holds it was received.
    pub since: Timestamp,
}

/// A type that events had although no instance is named after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeWithoutRule {
    /// The type.
    pub event_type: Arc<str>,
    /// Whose event it was.
    pub ems_id: EmsId,
    /// How often.
    pub events: u64,
}

impl Vmdb {
    /// How much comes, what holds what, how large the database is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn operations(&self) -> Result<Operations, VmdbError> {
        let now = self.clock().now().as_second();
        self.read(|transaction| {
            let mut found = Operations::default();
            let mut query = transaction
                .prepare_cached("SELECT ifnull(sum(events), 0) FROM event_minutes WHERE start > ?1")?;
            found.last_hour = query.query_row([now - HOUR], |row| row.get(0))?;
            let this_hour = now - now.rem_euclid(HOUR);
            let mut query = transaction.prepare_cached(
                "SELECT ifnull(sum(events), 0), min(start) FROM event_hours WHERE start >= ?1 AND start < ?2",
            )?;
            let since = this_hour - USUAL_DAYS * 24 * HOUR;
            let (events, first): (i64, Option<i64>) =
                query.query_row([since, this_hour], |row| Ok((row.get(0)?, row.get(1)?)))?;
            found.usually = first.and_then(|first| {
                let hours = (this_hour - first) / HOUR;
                u64::try_from((events + hours / 2) / hours.max(1)).ok()
            });
            let first = this_hour - (HOUR * i64::try_from(HOURS).unwrap_or(0)) + HOUR;
            let mut query = transaction.prepare_cached(
                "SELECT ems_id, start, sum(events) FROM event_hours WHERE start >= ?1 GROUP BY ems_id, start",
            )?;
            let mut rows = query.query([first])?;
            while let Some(row) = rows.next()? {
                let hours = found.by_hour.entry(EmsId(row.get(0)?)).or_default();
                let place = usize::try_from((row.get::<_, i64>(1)? - first) / HOUR);
                if let Some(hour) = place.ok().and_then(|place| hours.get_mut(place)) {
                    *hour = row.get(2)?;
                }
            }
            let oldest = "SELECT received_at FROM event_streams ORDER BY id LIMIT 1";
            let oldest: Option<i64> = transaction.query_row(oldest, [], |row| row.get(0)).optional()?;
            found.oldest = oldest.map(codec::time);
            let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
            found.size = pragma("page_count")?.saturating_mul(pragma("page_size")?);
            let mut query = transaction.prepare_cached(
                "SELECT ifnull(sum(t.requests), 0) FROM refresh_targets t \
                 JOIN refresh_queue r ON r.id = t.refresh_id WHERE r.state = 0",
            )?;
            found.requests = query.query_row([], |row| row.get(0))?;
            let mut query = transaction.prepare_cached(
                "WITH held AS (SELECT min(id) id, lane, min(received_at) since FROM miq_queue \
                 WHERE state = 3 AND lane IS NOT NULL GROUP BY lane ORDER BY 1 LIMIT ?1) \
                 SELECT h.id, h.lane, h.since, count(w.id) FROM held h \
                 LEFT JOIN miq_queue w ON w.lane = h.lane AND w.id > h.id GROUP BY h.id ORDER BY h.id",
            )?;
            let rows = query.query_map([LANES], |row| {
                Ok(HeldLane {
                    by: MessageId(row.get(0)?),
                    lane: row.get(1)?,
                    since: codec::time(row.get(2)?),
                    waiting: row.get(3)?,
                })
            })?;
            found.held = rows.collect::<Result<_, _>>()?;
            Ok(found)
        })
    }

    /// The types of events since a moment that no instance is named after, the most frequent first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn types_without_rule(&self, since: Timestamp) -> Result<Vec<TypeWithoutRule>, VmdbError> {
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(
                "SELECT k.event_type, h.ems_id, sum(h.events) FROM event_hours h \
                 JOIN event_kinds k ON k.id = h.kind_id WHERE h.start >= ?1 AND h.outcome = ?2 \
                 GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT ?3",
            )?;
            let params = params![since.as_second(), EventOutcome::NoRule.number(), TYPES];
            let rows = query.query_map(params, |row| {
                Ok(TypeWithoutRule {
                    event_type: row.get(0)?,
                    ems_id: EmsId(row.get(1)?),
                    events: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
