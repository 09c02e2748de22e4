//! Looking events up: for lists, pages, and those who follow along.

use rusqlite::types::Value as Parameter;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::model::event::EmsEvent;
use crate::model::event::EventId;
use crate::model::event_group::EventLevel;
use crate::model::event_group::GroupAndLevel;
use crate::vmdb::RefreshId;
use crate::vmdb::StoredDelivery;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::deliveries;
use crate::vmdb::digest_index;
use crate::vmdb::event_refs;
use crate::vmdb::event_streams;

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
    /// With a lower number: the next page.
    pub before: Option<EventId>,
    /// With a greater number; the answer is then oldest first, to follow along.
    pub after: Option<EventId>,
    /// At most so many.
    pub limit: Option<usize>,
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
}

impl Vmdb {
    /// Events without `full_data`: the newest first, or the oldest first behind [`EventFilter::after`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn events_list(&self, filter: &EventFilter) -> Result<Vec<StoredEvent>, VmdbError> {
        let managers = self.managers()?;
        let order = if filter.after.is_some() { "ASC" } else { "DESC" };
        let limit = filter
            .limit
            .map_or(-1, |limit| i64::try_from(limit).unwrap_or(-1));
        self.read(|transaction| {
            let about = filter.target.as_ref().map(|(association, reference)| {
                let digest = event_refs::digest_of(association, reference);
                digest_index::find(transaction, event_refs::TABLES, digest)
            });
            let (conditions, parameters) = conditions(filter, about.transpose()?);
            let sql = format!(
                "SELECT {} FROM event_streams e {conditions} ORDER BY e.id {order} LIMIT {limit}",
                event_streams::COLUMNS
            );
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

fn conditions(filter: &EventFilter, about: Option<Vec<i64>>) -> (String, Vec<Parameter>) {
    let time = |time: Timestamp| Parameter::from(time.as_microsecond());
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
        ("e.id <", filter.before.map(|id| Parameter::from(id.0))),
        ("e.id >", filter.after.map(|id| Parameter::from(id.0))),
    ];
    let (mut sql, mut parameters) = (String::new(), Vec::new());
    for (condition, parameter) in wanted {
        let Some(parameter) = parameter else { continue };
        parameters.push(parameter);
        let word = if sql.is_empty() { "WHERE" } else { " AND" };
        sql.push_str(&format!("{word} {condition} ?{}", parameters.len()));
    }
    if let Some(events) = about {
        parameters.push(Parameter::from(serde_json::json!(events).to_string()));
        let word = if sql.is_empty() { "WHERE" } else { " AND" };
        let condition = "e.id IN (SELECT value FROM json_each(?";
        sql.push_str(&format!("{word} {condition}{}))", parameters.len()));
    }
    (sql, parameters)
}
