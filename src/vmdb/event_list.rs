//! Looking events up: for lists and pages, in the order of time or of their numbers.

use std::cmp::Reverse;

use rusqlite::Connection;
use rusqlite::types::Value as Parameter;

use crate::model::event::EmsEvent;
use crate::model::event::EventId;
use crate::model::event_group::GroupAndLevel;
use crate::model::event_outcome::EventOutcome;
use crate::vmdb::EventCursor;
use crate::vmdb::EventFilter;
use crate::vmdb::RefreshId;
use crate::vmdb::StoredDelivery;
use crate::vmdb::StoredEffect;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::deliveries;
use crate::vmdb::ems_names::Managers;
use crate::vmdb::event_counts::time_of;
use crate::vmdb::event_selection::Selection;
use crate::vmdb::event_selection::TIME;
use crate::vmdb::event_streams;
use crate::vmdb::event_zones;
use crate::vmdb::event_zones::Span;
use crate::vmdb::outbox_list;

/// An event as it is saved.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// The event; its key is always there, its `full_data` only in [`Vmdb::event_show`].
    pub event: EmsEvent,
    /// Where it stands on the timeline.
    pub group: GroupAndLevel,
    /// What became of it.
    pub outcome: EventOutcome,
}

/// An event with what became of it.
#[derive(Clone, Debug)]
pub struct ShownEvent {
    /// The event with its `full_data`.
    pub stored: StoredEvent,
    /// Each run of the rules over it, in order; more than one where a state machine had to wait.
    pub deliveries: Vec<StoredDelivery>,
    /// The refreshes that it asked for.
    pub refreshes: Vec<RefreshId>,
    /// What became of its outside effects.
    pub outbox: Vec<StoredEffect>,
}

impl Vmdb {
    /// Events without `full_data`: those that came last first, or happened last where a span of time is asked
    /// for, or only a manager's events or those of some kind are. Whoever follows along asks for [`Vmdb::events_since`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn events_list(&self, filter: &EventFilter) -> Result<Vec<StoredEvent>, VmdbError> {
        let managers = self.managers()?;
        self.read(|transaction| {
            let selection = Selection::new(transaction, filter)?;
            let mut events = page(transaction, &selection, &managers)?;
            if let Some(named) = selection.named() {
                events.extend(page(transaction, &named, &managers)?);
                events.sort_by_key(|stored| Reverse((time_of(&stored.event), stored.event.id)));
                events.truncate(filter.limit.unwrap_or(usize::MAX));
            }
            Ok(events)
        })
    }

    /// One event, whole.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn event_show(&self, id: EventId) -> Result<Option<ShownEvent>, VmdbError> {
        let managers = self.managers()?;
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(&event_streams::select_whole("e.id = ?1"))?;
            let mut rows = query.query([id.0])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let stored = event_streams::read(row, &managers)?;
            let mut query = transaction.prepare_cached(
                "SELECT refresh_id FROM event_refreshes WHERE event_id = ?1 ORDER BY refresh_id",
            )?;
            let refreshes = query.query_map([id.0], |row| Ok(RefreshId(row.get(0)?)))?;
            Ok(Some(ShownEvent {
                stored,
                deliveries: deliveries::of_event(transaction, id)?,
                refreshes: refreshes.collect::<Result<_, _>>()?,
                outbox: outbox_list::of_event(transaction, id)?,
            }))
        })
    }

    /// How many events are saved, by the books.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn event_count(&self) -> Result<u64, VmdbError> {
        self.read(|transaction| {
            Ok(transaction.query_row(
                "SELECT ifnull(sum(delivered - purged), 0) FROM tallies",
                [],
                |row| row.get(0),
            )?)
        })
    }
}

fn page(
    connection: &Connection,
    selection: &Selection<'_>,
    managers: &Managers,
) -> Result<Vec<StoredEvent>, VmdbError> {
    let mut page = Page {
        connection,
        selection,
        managers,
        events: Vec::new(),
    };
    match selection.is_narrow() && selection.filter.limit.is_some() {
        true => page.read_where_they_are()?,
        false => page.read(Span::of(selection.filter))?,
    }
    Ok(page.events)
}

/// A page while it is read.
struct Page<'a> {
    connection: &'a Connection,
    selection: &'a Selection<'a>,
    managers: &'a Managers,
    events: Vec<StoredEvent>,
}

impl Page<'_> {
    /// What only few events are may be far apart: the counts say in which hours and minutes there are any.
    fn read_where_they_are(&mut self) -> Result<(), VmdbError> {
        let filter = self.selection.filter;
        let end = filter.before.and_then(|cursor| cursor.time);
        let end = end.map(|time| time.as_microsecond().saturating_add(1));
        let span = Span::of(filter).up_to(end);
        let limit = filter.limit.unwrap_or(usize::MAX);
        for hour in event_zones::hours(self.connection, self.selection, span)? {
            for minute in event_zones::minutes(self.connection, self.selection, hour)? {
                self.read(minute.within(span))?;
                if limit <= self.events.len() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Reads the events of a span, as many as there is room for.
    fn read(&mut self, span: Span) -> Result<(), VmdbError> {
        let room = self
            .selection
            .filter
            .limit
            .map(|limit| limit.saturating_sub(self.events.len()));
        let (sql, parameters) = select(self.selection, span, room);
        let mut query = self.connection.prepare_cached(&sql)?;
        let mut rows = query.query(rusqlite::params_from_iter(parameters))?;
        while let Some(row) = rows.next()? {
            self.events.push(event_streams::read(row, self.managers)?);
        }
        Ok(())
    }
}

/// The whole query. Where a span of time is asked for, the index by time gives the order too; left to itself SQLite
/// might read every event there is, the newest first.
fn select(selection: &Selection<'_>, span: Span, room: Option<usize>) -> (String, Vec<Parameter>) {
    let filter = selection.filter;
    let is_by_time = filter.is_by_time();
    let mut all = selection.of_rows();
    if let Some(from) = span.from {
        all.and(&format!("{TIME} >= ?"), from);
    }
    if let Some(to) = span.to {
        all.and(&format!("{TIME} < ?"), to);
    }
    match filter.before {
        Some(EventCursor { time: Some(time), id }) if is_by_time => {
            let (time, id) = (all.number(time.as_microsecond()), all.number(id.0));
            all.also(&format!("{TIME} <= {time}"));
            all.also(&format!("({TIME} < {time} OR e.id < {id})"));
        }
        Some(EventCursor { id, .. }) => all.and("e.id < ?", id.0),
        None => {}
    }
    let index = match is_by_time && selection.about.is_none() {
        true => "INDEXED BY event_streams_time",
        false => "",
    };
    let order = match is_by_time {
        true => format!("{TIME} DESC, e.id DESC"),
        false => "e.id DESC".to_owned(),
    };
    let room = room.and_then(|room| i64::try_from(room).ok()).unwrap_or(-1);
    let room = all.number(room);
    let sql = format!(
        "SELECT {} FROM event_streams e {index} {} ORDER BY {order} LIMIT {room}",
        event_streams::COLUMNS,
        all.sql
    );
    (sql, all.parameters)
}

#[cfg(test)]
mod tests {
    use rusqlite::params_from_iter;

    use super::*;
    use crate::model::clock::Clock;
    use crate::model::clock::Timestamp;
    use crate::model::ems::EmsId;
    use crate::vmdb::DatabaseUrl;

    fn plan(filter: &EventFilter, about: Option<Vec<i64>>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::sqlite(folder.path().join("test.db"));
        let vmdb = Vmdb::open_to_serve(&url, Clock::System).unwrap();
        let plan = vmdb.read(|transaction| {
            let mut selection = Selection::new(transaction, filter)?;
            selection.about = about;
            let (sql, parameters) = select(&selection, Span::of(filter), filter.limit);
            let mut query = transaction.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let rows = query.query_map(params_from_iter(parameters), |row| row.get::<_, String>(3))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        });
        plan.unwrap().join("; ")
    }

    #[test]
    fn a_page_is_read_from_an_index_in_its_order() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let span = EventFilter {
            from: at("2026-01-01T00:00:00Z"),
            to: at("2026-01-02T00:00:00Z"),
            group: Some("power".to_owned()),
            limit: Some(50),
            ..EventFilter::default()
        };
        let behind = EventFilter {
            before: Some("1767268800000000.7".parse().unwrap()),
            ..span.clone()
        };
        let only_to = EventFilter {
            from: None,
            ..span.clone()
        };
        for filter in [&span, &behind, &only_to] {
            let plan = plan(filter, None);
            assert!(
                plan.starts_with("SEARCH e USING INDEX event_streams_time"),
                "{plan}"
            );
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
        let newest = EventFilter {
            before: Some("7".parse().unwrap()),
            limit: Some(50),
            ..EventFilter::default()
        };
        assert_eq!(
            plan(&newest, None),
            "SEARCH e USING INTEGER PRIMARY KEY (rowid<?)"
        );
        let of_manager = EventFilter {
            ems_id: Some(EmsId(1)),
            ..EventFilter::default()
        };
        assert_eq!(plan(&of_manager, None), "SCAN e USING INDEX event_streams_time");
        let of_manager_in_a_span = EventFilter {
            ems_id: of_manager.ems_id,
            ..span
        };
        assert_eq!(
            plan(&of_manager_in_a_span, None),
            "SEARCH e USING INDEX event_streams_time (<expr>>? AND <expr><?)"
        );
        // What is about an object is found by its number, and put in order then: it is little.
        for filter in [&EventFilter::default(), &of_manager] {
            let about = plan(filter, Some(vec![1, 2]));
            assert!(
                about.starts_with("SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"),
                "{about}"
            );
        }
    }
}
