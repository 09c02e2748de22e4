//! The timeline: how many events there were in each bar of each lane, exactly, whatever there is to count.
//!
//! Whole hours and minutes come from the counts, the seconds at the ends from the events themselves.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::model::clock::Timestamp;
use crate::model::event_group::EventLevel;
use crate::model::event_outcome::EventOutcome;
use crate::model::relation;
use crate::model::relation::Subject;
use crate::vmdb::EventFilter;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::event_selection::Conditions;
use crate::vmdb::event_selection::Selection;
use crate::vmdb::event_selection::TIME;
use crate::vmdb::event_streams;
use crate::vmdb::event_zones::HOUR;
use crate::vmdb::event_zones::MINUTE;
use crate::vmdb::event_zones::SECOND;

/// LanesBy by resource: that many, of those that the newest events are about.
const RESOURCES: usize = 12;
/// How many of the newest events say which resources these are.
const NEWEST: usize = 2_000;

/// The length of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BucketStep(i64);

impl BucketStep {
    /// Lengths that people count in, in seconds.
    pub const ALL: [Self; 13] = [
        Self(10),
        Self(30),
        Self(60),
        Self(300),
        Self(900),
        Self(1_800),
        Self(3_600),
        Self(7_200),
        Self(21_600),
        Self(43_200),
        Self(86_400),
        Self(604_800),
        Self(2_592_000),
    ];

    /// The shortest one by which a span has at most so many bars.
    pub fn for_at_most(bars: i64, from: Timestamp, to: Timestamp) -> Self {
        let seconds = to.as_second() - from.as_second();
        let fits = |step: &Self| seconds / step.0 < bars;
        Self::ALL.into_iter().find(fits).unwrap_or(Self(2_592_000))
    }

    /// Its seconds.
    pub fn seconds(self) -> i64 {
        self.0
    }
}

/// The bars of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// Where the first one begins, in seconds since the epoch.
    pub first: i64,
    /// How long each is.
    pub step: BucketStep,
    /// How many there are.
    pub count: usize,
}

impl Buckets {
    /// The bars that cover a span; they begin at round times of a zone that is so many seconds ahead of UTC.
    pub fn cover(from: Timestamp, to: Timestamp, step: BucketStep, ahead: i64) -> Self {
        let (from, last) = (from.as_second(), (to.as_microsecond() - 1).div_euclid(SECOND));
        let first = (from + ahead).div_euclid(step.0) * step.0 - ahead;
        let count = (last - first).div_euclid(step.0) + 1;
        Self {
            first,
            step,
            count: usize::try_from(count).unwrap_or(0),
        }
    }

    /// Whether each begins with an hour, or with a minute.
    fn begin_with(&self, length: i64) -> bool {
        self.first.rem_euclid(length) == 0 && self.step.0 % length == 0
    }

    fn at(&self, second: i64) -> Option<usize> {
        usize::try_from((second - self.first).div_euclid(self.step.0)).ok()
    }
}

/// What there is in one bar of a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Events of the level critical.
    pub critical: u64,
    /// Events of the level warning.
    pub warning: u64,
    /// Events of the level detail.
    pub detail: u64,
    /// Those of them whose run failed.
    pub failed: u64,
}

impl Count {
    /// All of them.
    pub fn events(&self) -> u64 {
        self.critical + self.warning + self.detail
    }

    fn add(&mut self, other: Self) {
        self.critical += other.critical;
        self.warning += other.warning;
        self.detail += other.detail;
        self.failed += other.failed;
    }
}

/// How the timeline is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LanesBy {
    /// A lane each group of events.
    Group,
    /// A lane each of the resources that the newest events are about.
    Resource,
}

/// One lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedLane {
    /// The group's key, or `association:key` of the resource.
    pub key: String,
    /// The resource.
    pub resource: Option<Subject>,
    /// Its bars.
    pub bars: Vec<Count>,
    /// All of them together.
    pub total: Count,
}

/// The events of a span, counted.
#[derive(Clone, Debug)]
pub struct CountedEvents {
    /// The bars.
    pub buckets: Buckets,
    /// LanesBy that have events, groups by their keys, resources with the newest event first.
    pub lanes: Vec<CountedLane>,
    /// All events of the span, whether a lane has them or not.
    pub total: u64,
    /// How many managers they came from.
    pub managers: u64,
    /// The same by what became of them.
    pub outcomes: BTreeMap<EventOutcome, u64>,
}

/// One number of the counts.
struct Counted {
    ems_id: i64,
    second: i64,
    group: String,
    level: EventLevel,
    outcome: EventOutcome,
    events: u64,
}

impl Vmdb {
    /// Counts the events of a filter that has both `from` and `to`, by bar and lane.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn events_counted(
        &self,
        filter: &EventFilter,
        buckets: Buckets,
        lanes: LanesBy,
    ) -> Result<CountedEvents, VmdbError> {
        let resources = match lanes {
            LanesBy::Group => Vec::new(),
            LanesBy::Resource => self.newest_resources(filter)?,
        };
        self.read(|transaction| {
            let mut groups: BTreeMap<String, Vec<Count>> = BTreeMap::new();
            let mut outcomes = BTreeMap::new();
            let mut total = 0;
            let mut managers = BTreeSet::new();
            let selection = Selection::new(transaction, filter)?;
            each_count(transaction, &selection, &buckets, &mut |counted| {
                total += counted.events;
                managers.insert(counted.ems_id);
                *outcomes.entry(counted.outcome).or_default() += counted.events;
                if lanes == LanesBy::Group {
                    let bars = groups
                        .entry(counted.group.clone())
                        .or_insert_with(|| vec![Count::default(); buckets.count]);
                    put(bars, &buckets, &counted);
                }
            })?;
            let mut counted: Vec<CountedLane> = groups
                .into_iter()
                .map(|(key, bars)| CountedLane::new(key, None, bars))
                .collect();
            for resource in resources {
                let about = EventFilter {
                    target: Some((resource.association.to_owned(), resource.reference.clone())),
                    ..filter.clone()
                };
                let selection = Selection::new(transaction, &about)?;
                let mut bars = vec![Count::default(); buckets.count];
                each_count(transaction, &selection, &buckets, &mut |counted| {
                    put(&mut bars, &buckets, &counted);
                })?;
                let key = format!("{}:{}", resource.association, resource.reference);
                counted.push(CountedLane::new(key, Some(resource), bars));
            }
            Ok(CountedEvents {
                buckets,
                lanes: counted,
                total,
                managers: u64::try_from(managers.len()).unwrap_or(u64::MAX),
                outcomes,
            })
        })
    }

    /// How many events a filter wants, in all the time it names.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn events_total(&self, filter: &EventFilter) -> Result<u64, VmdbError> {
        let bound = |time: Option<Timestamp>, other| time.unwrap_or(other);
        let (from, to) = (
            bound(filter.from, Timestamp::MIN),
            bound(filter.to, Timestamp::MAX),
        );
        let buckets = Buckets::cover(from, to, BucketStep(HOUR), 0);
        let bounded = EventFilter {
            from: Some(from),
            to: Some(to),
            ..filter.clone()
        };
        self.read(|transaction| {
            let mut total = 0;
            let selection = Selection::new(transaction, &bounded)?;
            each_count(transaction, &selection, &buckets, &mut |counted| {
                total += counted.events;
            })?;
            Ok(total)
        })
    }

    /// The resources that the newest events of a filter are about, each once.
    fn newest_resources(&self, filter: &EventFilter) -> Result<Vec<Subject>, VmdbError> {
        let newest = self.events_list(&EventFilter {
            limit: Some(NEWEST),
            before: None,
            ..filter.clone()
        })?;
        let mut found: Vec<Subject> = Vec::new();
        for stored in &newest {
            let Some(subject) = relation::subject(&stored.event.hash) else {
                continue;
            };
            let is_same = |other: &Subject| {
                other.association == subject.association && other.reference == subject.reference
            };
            if !found.iter().any(is_same) {
                found.push(subject);
            }
            if found.len() == RESOURCES {
                break;
            }
        }
        Ok(found)
    }
}

impl CountedLane {
    fn new(key: String, resource: Option<Subject>, bars: Vec<Count>) -> Self {
        let mut total = Count::default();
        bars.iter().for_each(|bar| total.add(*bar));
        Self {
            key,
            resource,
            bars,
            total,
        }
    }
}

fn put(bars: &mut [Count], buckets: &Buckets, counted: &Counted) {
    if let Some(bar) = buckets.at(counted.second).and_then(|at| bars.get_mut(at)) {
        match counted.level {
            EventLevel::Critical => bar.critical += counted.events,
            EventLevel::Warning => bar.warning += counted.events,
            EventLevel::Detail => bar.detail += counted.events,
        }
        if counted.outcome == EventOutcome::Failed {
            bar.failed += counted.events;
        }
    }
}

/// Tells every number that makes up the counts of a span. Hours and minutes are taken where the bars begin with
/// them; what is left over at both ends is counted from the events.
fn each_count(
    connection: &Connection,
    selection: &Selection<'_>,
    buckets: &Buckets,
    tell: &mut impl FnMut(Counted),
) -> Result<(), VmdbError> {
    let filter = selection.filter;
    let bound = |time: Option<Timestamp>| time.map_or(0, |time| time.as_microsecond());
    let (from, to) = (bound(filter.from), bound(filter.to));
    if let Some(named) = selection.named() {
        rows(connection, &named, (from, to), tell)?;
    }
    if !selection.is_counted() || !buckets.begin_with(MINUTE) {
        return rows(connection, selection, (from, to), tell);
    }
    // In seconds: the whole minutes, and in them the whole hours.
    let up = |micros: i64, length: i64| -((-micros).div_euclid(length * SECOND)) * length;
    let down = |micros: i64, length: i64| micros.div_euclid(length * SECOND) * length;
    let (first_minute, last_minute) = (up(from, MINUTE), down(to, MINUTE));
    if last_minute <= first_minute {
        return rows(connection, selection, (from, to), tell);
    }
    rows(connection, selection, (from, first_minute * SECOND), tell)?;
    rows(connection, selection, (last_minute * SECOND, to), tell)?;
    let (first_hour, last_hour) = (up(first_minute * SECOND, HOUR), down(last_minute * SECOND, HOUR));
    if buckets.begin_with(HOUR) && first_hour < last_hour {
        counts(
            connection,
            selection,
            "event_minutes",
            (first_minute, first_hour),
            tell,
        )?;
        counts(
            connection,
            selection,
            "event_hours",
            (first_hour, last_hour),
            tell,
        )?;
        counts(
            connection,
            selection,
            "event_minutes",
            (last_hour, last_minute),
            tell,
        )
    } else {
        counts(
            connection,
            selection,
            "event_minutes",
            (first_minute, last_minute),
            tell,
        )
    }
}

fn counts(
    connection: &Connection,
    selection: &Selection<'_>,
    table: &str,
    (from, to): (i64, i64),
    tell: &mut impl FnMut(Counted),
) -> Result<(), VmdbError> {
    if to <= from {
        return Ok(());
    }
    let mut all = selection.of_counts();
    all.and("c.start >= ?", from);
    all.and("c.start < ?", to);
    let sql = format!(
        "SELECT c.start, k.group_name, k.level, c.outcome, c.events, c.ems_id FROM {table} c \
         CROSS JOIN event_kinds k ON k.id = c.kind_id {}",
        all.sql
    );
    each(connection, &sql, all, tell, |start| start)
}

fn rows(
    connection: &Connection,
    selection: &Selection<'_>,
    (from, to): (i64, i64),
    tell: &mut impl FnMut(Counted),
) -> Result<(), VmdbError> {
    if to <= from {
        return Ok(());
    }
    let mut all = selection.of_rows();
    all.and(&format!("{TIME} >= ?"), from);
    all.and(&format!("{TIME} < ?"), to);
    let index = match selection.is_counted() {
        true => "INDEXED BY event_streams_time",
        false => "",
    };
    let sql = format!(
        "SELECT {TIME}, e.group_name, e.level, e.outcome, 1, e.ems_id FROM event_streams e {index} {}",
        all.sql
    );
    each(connection, &sql, all, tell, |time| time.div_euclid(SECOND))
}

fn each(
    connection: &Connection,
    sql: &str,
    all: Conditions,
    tell: &mut impl FnMut(Counted),
    second: impl Fn(i64) -> i64,
) -> Result<(), VmdbError> {
    let mut query = connection.prepare_cached(sql)?;
    let mut rows = query.query(rusqlite::params_from_iter(all.parameters))?;
    while let Some(row) = rows.next()? {
        let level: String = row.get(2)?;
        tell(Counted {
            ems_id: row.get(5)?,
            second: second(row.get(0)?),
            group: row.get(1)?,
            level: event_streams::level(&level),
            outcome: EventOutcome::from_number(row.get(3)?),
            events: row.get(4)?,
        });
    }
    Ok(())
}
