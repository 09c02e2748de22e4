//! Looking events up: for lists and pages.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::Value as Parameter;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::model::event::EmsEvent;
use crate::model::event::EventId;
use crate::model::event_group::EventLevel;
use crate::model::event_group::GroupAndLevel;
use crate::vmdb::RefreshId;
use crate::vmdb::StoredDelivery;
use crate::vmdb::StoredEffect;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::deliveries;
use crate::vmdb::digest_index;
use crate::vmdb::event_refs;
use crate::vmdb::event_streams;
use crate::vmdb::outbox_list;

/// Which events are wanted; the default is all of them.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Of this manager only.
    pub ems_id: Option<EmsId>,
    /// Of this type only.
    pub event_type: Option<String>,
    /// Of this group only.
    pub group: Option<String>,
    /// Of this level only.
    pub level: Option<EventLevel>,
    /// Not older, by `timestamp`, or by the time of receipt where an event has none.
    pub from: Option<Timestamp>,
    /// Older than this.
    pub to: Option<Timestamp>,
    /// About this object only: its association and its key, for example `vms` and `i-1`.
    pub target: Option<(String, String)>,
    /// Behind the end of a page: the next page.
    pub before: Option<EventCursor>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// When an event happened, or was received where it does not say; the index is over the same words.
const TIME: &str = "ifnull(e.timestamp, e.received_at)";

/// Where a page of events ended. As text it is opaque to whoever hands it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventCursor {
    /// The time of the last event, where the page was in the order of time.
    time: Option<Timestamp>,
    id: EventId,
}

impl EventFilter {
    /// Reads an [`EventFilter::target`], `association:key`; the key may hold colons of its own.
    ///
    /// # Errors
    /// When a part is missing.
    pub fn target_of(text: &str) -> Result<(String, String), String> {
        match text.split_once(':') {
            Some((association, key)) if !association.is_empty() && !key.is_empty() => {
                Ok((association.to_owned(), key.to_owned()))
            }
            _other => Err(format!(
                "`{text}` is no target: an association and a key are expected, as in vms:vm-1"
            )),
        }
    }

    /// The end of a page that this filter chose, whose last event is `last`.
    pub fn cursor(&self, last: &StoredEvent) -> Option<EventCursor> {
        let event = &last.event;
        let time = event.hash.timestamp.unwrap_or(event.received_at);
        Some(EventCursor {
            time: self.is_by_time().then_some(time),
            id: event.id?,
        })
    }

    /// Whether a cursor is of a list in the order that this filter asks for.
    pub fn goes_on_from(&self, cursor: &EventCursor) -> bool {
        self.is_by_time() == cursor.time.is_some()
    }

    /// A span of time is shown in the order of time; events may come in another one.
    fn is_by_time(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }
}

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.time {
            Some(time) => write!(f, "{}.{}", time.as_microsecond(), self.id.0),
            None => write!(f, "{}", self.id.0),
        }
    }
}

impl FromStr for EventCursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no cursor of an earlier answer");
        let (time, id) = match text.split_once('.') {
            Some((time, id)) => (Some(time), id),
            None => (None, text),
        };
        let time = time.map(|time| {
            time.parse()
                .ok()
                .and_then(|time| Timestamp::from_microsecond(time).ok())
        });
        Ok(Self {
            time: match time {
                Some(time) => Some(time.ok_or_else(wrong)?),
                None => None,
            },
            id: EventId(id.parse().map_err(|_error| wrong())?),
        })
    }
}

/// An event as it is saved.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// The event; its key is always there, its `full_data` only in [`Vmdb::event_show`].
    pub event: EmsEvent,
    /// Where it stands on the timeline.
    pub group: GroupAndLevel,
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
    /// for. Whoever follows along asks for [`Vmdb::events_since`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn events_list(&self, filter: &EventFilter) -> Result<Vec<StoredEvent>, VmdbError> {
        let managers = self.managers()?;
        self.read(|transaction| {
            let about = filter.target.as_ref().map(|(association, reference)| {
                let digest = event_refs::digest_of(association, reference);
                digest_index::find(transaction, event_refs::TABLES, digest)
            });
            let (sql, parameters) = select(filter, about.transpose()?);
            let mut query = transaction.prepare_cached(&sql)?;
            let mut rows = query.query(rusqlite::params_from_iter(parameters))?;
            let mut events = Vec::new();
            while let Some(row) = rows.next()? {
                events.push(event_streams::read(row, &managers)?);
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

/// The whole query. Where a span of time is asked for, the index by time gives the order too; left to itself SQLite
/// might read every event there is, the newest first.
fn select(filter: &EventFilter, about: Option<Vec<i64>>) -> (String, Vec<Parameter>) {
    let is_about = about.is_some();
    let (conditions, mut parameters) = conditions(filter, about);
    let index = match filter.is_by_time() && !is_about {
        true => "INDEXED BY event_streams_time",
        false => "",
    };
    let order = match filter.is_by_time() {
        true => format!("{TIME} DESC, e.id DESC"),
        false => "e.id DESC".to_owned(),
    };
    let limit = filter.limit.and_then(|limit| i64::try_from(limit).ok());
    parameters.push(Parameter::from(limit.unwrap_or(-1)));
    let sql = format!(
        "SELECT {} FROM event_streams e {index} {conditions} ORDER BY {order} LIMIT ?{}",
        event_streams::COLUMNS,
        parameters.len()
    );
    (sql, parameters)
}

fn conditions(filter: &EventFilter, about: Option<Vec<i64>>) -> (String, Vec<Parameter>) {
    let time = |time: Timestamp| Parameter::from(time.as_microsecond());
    let by_time = filter.before.filter(|_| filter.is_by_time());
    let (at, behind) = by_time.map_or((None, None), |cursor| (cursor.time, Some(cursor.id)));
    let text = |text: &String| Parameter::from(text.clone());
    let wanted = [
        ("e.ems_id =", filter.ems_id.map(|id| Parameter::from(id.0))),
        ("e.event_type =", filter.event_type.as_ref().map(text)),
        ("e.group_name =", filter.group.as_ref().map(text)),
        (
            "e.level =",
            filter
                .level
                .map(|level| Parameter::from(level.as_str().to_owned())),
        ),
        ("ifnull(e.timestamp, e.received_at) >=", filter.from.map(time)),
        ("ifnull(e.timestamp, e.received_at) <", filter.to.map(time)),
        (
            "e.id <",
            filter
                .before
                .filter(|_| !filter.is_by_time())
                .map(|cursor| Parameter::from(cursor.id.0)),
        ),
        ("ifnull(e.timestamp, e.received_at) <=", at.map(time)),
    ];
    let (mut sql, mut parameters) = (String::new(), Vec::new());
    for (condition, parameter) in wanted {
        let Some(parameter) = parameter else { continue };
        parameters.push(parameter);
        let word = if sql.is_empty() { "WHERE" } else { " AND" };
        sql.push_str(&format!("{word} {condition} ?{}", parameters.len()));
    }
    if let (Some(at), Some(id)) = (at, behind) {
        parameters.extend([time(at), Parameter::from(id.0)]);
        let word = if sql.is_empty() { "WHERE" } else { " AND" };
        let (at, id) = (parameters.len() - 1, parameters.len());
        sql.push_str(&format!("{word} ({TIME} < ?{at} OR e.id < ?{id})"));
    }
    if let Some(events) = about {
        parameters.push(Parameter::from(serde_json::json!(events).to_string()));
        let word = if sql.is_empty() { "WHERE" } else { " AND" };
        let condition = "e.id IN (SELECT value FROM json_each(?";
        sql.push_str(&format!("{word} {condition}{}))", parameters.len()));
    }
    (sql, parameters)
}

#[cfg(test)]
mod tests {
    use rusqlite::params_from_iter;

    use super::*;
    use crate::model::clock::Clock;
    use crate::vmdb::DatabaseUrl;

    fn plan(filter: &EventFilter, about: Option<Vec<i64>>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::sqlite(folder.path().join("test.db"));
        let vmdb = Vmdb::open_to_serve(&url, Clock::System).unwrap();
        let (sql, parameters) = select(filter, about);
        let plan = vmdb.read(|transaction| {
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
            level: Some(EventLevel::Critical),
            before: Some("7".parse().unwrap()),
            limit: Some(50),
            ..EventFilter::default()
        };
        assert_eq!(
            plan(&newest, None),
            "SEARCH e USING INTEGER PRIMARY KEY (rowid<?)"
        );
        let about = plan(&EventFilter::default(), Some(vec![1, 2]));
        assert!(
            about.starts_with("SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"),
            "{about}"
        );
    }
}
