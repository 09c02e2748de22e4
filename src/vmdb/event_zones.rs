//! In which hours and minutes there are events that a filter wants: the counts say it without looking at events.

use rusqlite::Connection;

use crate::vmdb::EventFilter;
use crate::vmdb::VmdbError;
use crate::vmdb::event_selection::Selection;

/// Microseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000;
/// Seconds of a minute, and of an hour.
pub(crate) const MINUTE: i64 = 60;
pub(crate) const HOUR: i64 = 3_600;

/// A span of time in microseconds since the epoch, its end not included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
}

impl Span {
    /// That of a filter.
    pub(crate) fn of(filter: &EventFilter) -> Self {
        Self {
            from: filter.from.map(|time| time.as_microsecond()),
            to: filter.to.map(|time| time.as_microsecond()),
        }
    }

    /// The part before an end.
    pub(crate) fn up_to(self, end: Option<i64>) -> Self {
        self.within(Self { from: None, to: end })
    }

    /// What both have.
    pub(crate) fn within(self, other: Self) -> Self {
        let later = |a: Option<i64>, b: Option<i64>| a.max(b);
        let earlier = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self {
            from: later(self.from, other.from),
            to: earlier(self.to, other.to),
        }
    }

    /// One that begins at a second and is so many seconds long.
    fn seconds(start: i64, length: i64) -> Self {
        let from = start.saturating_mul(SECOND);
        Self {
            from: Some(from),
            to: Some(from.saturating_add(length * SECOND)),
        }
    }
}

/// The hours of a span that have events, the latest first.
pub(crate) fn hours(
    connection: &Connection,
    selection: &Selection<'_>,
    span: Span,
) -> Result<Vec<Span>, VmdbError> {
    zones(connection, selection, span, ("event_hours", HOUR))
}

/// The minutes of an hour that have events, the latest first.
pub(crate) fn minutes(
    connection: &Connection,
    selection: &Selection<'_>,
    hour: Span,
) -> Result<Vec<Span>, VmdbError> {
    zones(connection, selection, hour, ("event_minutes", MINUTE))
}

fn zones(
    connection: &Connection,
    selection: &Selection<'_>,
    span: Span,
    (table, length): (&str, i64),
) -> Result<Vec<Span>, VmdbError> {
    let mut all = selection.of_counts();
    if let Some(from) = span.from {
        all.and("c.start > ?", from.div_euclid(SECOND) - length);
    }
    if let Some(to) = span.to {
        all.and("c.start < ?", (to - 1).div_euclid(SECOND) + 1);
    }
    let sql = format!(
        "SELECT DISTINCT c.start FROM {table} c CROSS JOIN event_kinds k ON k.id = c.kind_id {} ORDER BY c.start DESC",
        all.sql
    );
    let mut query = connection.prepare_cached(&sql)?;
    let rows = query.query_map(rusqlite::params_from_iter(all.parameters), |row| {
        Ok(Span::seconds(row.get(0)?, length))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
