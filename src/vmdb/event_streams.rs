//! event_streams, native_events: the events, one per manager and key.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::params;

use crate::model::ems::EmsId;
use crate::model::event::EmsEvent;
use crate::model::event::EventClass;
use crate::model::event::EventHash;
use crate::model::event::EventId;
use crate::model::event::EventKey;
use crate::model::event::FullData;
use crate::model::event_group::EventLevel;
use crate::model::event_group::GroupAndLevel;
use crate::model::event_outcome::EventOutcome;
use crate::model::value::Value;
use crate::vmdb::StoredEvent;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::ems_names::Managers;
use crate::vmdb::transaction::Transaction;

/// The columns that link an event to inventory (the reference's 3.4).
pub(crate) const LINKS: [&str; 10] = [
    "vm_or_template_id",
    "dest_vm_or_template_id",
    "host_id",
    "dest_host_id",
    "availability_zone_id",
    "ems_cluster_id",
    "container_node_id",
    "container_group_id",
    "container_replicator_id",
    "physical_storage_id",
];

/// What [`read`] reads; `full_data` last, empty where it is not wanted.
pub(crate) const COLUMNS: &str = "e.id, e.ems_id, e.class, e.event_type, e.source, e.event_key, e.ems_ref, \
     e.timestamp, e.received_at, e.group_name, e.level, e.attributes, \
     e.vm_or_template_id, e.dest_vm_or_template_id, e.host_id, e.dest_host_id, e.availability_zone_id, \
     e.ems_cluster_id, e.container_node_id, e.container_group_id, e.container_replicator_id, \
     e.physical_storage_id, e.outcome";
const FIRST_LINK: usize = 12;
/// How many they are.
pub(crate) const COLUMN_COUNT: usize = OUTCOME + 1;
const OUTCOME: usize = FIRST_LINK + LINKS.len();

/// The same columns with the native event, for one event.
pub(crate) fn select_whole(filter: &str) -> String {
    format!(
        "SELECT {COLUMNS}, n.full_data FROM event_streams e JOIN native_events n ON n.id = e.id WHERE {filter}"
    )
}

/// An event in the form of its row.
pub(crate) struct EventRow {
    event: Arc<EmsEvent>,
    key: EventKey,
    group: GroupAndLevel,
    attributes: String,
    outcome: EventOutcome,
}

impl EventRow {
    pub(crate) fn new(
        event: Arc<EmsEvent>,
        group: GroupAndLevel,
        outcome: EventOutcome,
    ) -> Result<Self, VmdbError> {
        Ok(Self {
            key: event.hash.key(),
            attributes: codec::write_attributes(&event.hash.attributes)?,
            event,
            group,
            outcome,
        })
    }

    pub(crate) fn key(&self) -> &EventKey {
        &self.key
    }

    /// Inserts the event; its native event has stood beside it since it was put on the queue.
    pub(crate) fn insert(
        &self,
        transaction: &mut Transaction<'_>,
        id: EventId,
        ems_id: EmsId,
    ) -> Result<(), VmdbError> {
        let (event, hash) = (&*self.event, &self.event.hash);
        let [
            vm,
            dest_vm,
            host,
            dest_host,
            zone,
            cluster,
            node,
            pod,
            replicator,
            storage,
        ] = LINKS.map(|name| event.links.get(name));
        transaction.execute_held(
            "INSERT INTO event_streams VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
             ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)",
            params![
                id.0,
                ems_id.0,
                event.class.as_str(),
                hash.event_type,
                hash.source,
                self.key.0,
                hash.ems_ref,
                hash.timestamp.map(|time| time.as_microsecond()),
                event.received_at.as_microsecond(),
                self.group.group,
                self.group.level.as_str(),
                chain_id(hash),
                vm,
                dest_vm,
                host,
                dest_host,
                zone,
                cluster,
                node,
                pod,
                replicator,
                storage,
                self.attributes,
                self.outcome.number(),
            ],
        )?;
        transaction.counts.saved(ems_id, event, &self.group, self.outcome);
        Ok(())
    }
}

/// The chain of a task as text, whatever the parser gave (C46).
pub(crate) fn chain_id(hash: &EventHash) -> Option<String> {
    match hash.attributes.get("chain_id")? {
        value @ (Value::Text(_) | Value::Symbol(_) | Value::Int(_) | Value::Decimal(_)) => {
            Some(value.to_string()).filter(|text| !text.trim().is_empty())
        }
        _other => None,
    }
}

/// The first event of a chain: the one with the lowest number.
pub(crate) fn first_of_chain(
    connection: &Connection,
    managers: &Managers,
    ems_id: EmsId,
    chain_id: &str,
) -> Result<Option<EmsEvent>, VmdbError> {
    let sql = select_whole("e.chain_id = ?1 AND e.ems_id = ?2 ORDER BY e.id LIMIT 1");
    let mut query = connection.prepare_cached(&sql)?;
    let mut rows = query.query(params![chain_id, ems_id.0])?;
    let found = rows.next()?.map(|row| read(row, managers)).transpose()?;
    Ok(found.map(|stored| stored.event))
}

/// Reads a row of [`COLUMNS`], with or without `full_data` behind them.
pub(crate) fn read(row: &Row<'_>, managers: &Managers) -> Result<StoredEvent, VmdbError> {
    let text = |column: usize| row.get::<_, String>(column).map(Arc::<str>::from);
    let id = EventId(row.get(0)?);
    let attributes: String = row.get(11)?;
    let attributes = codec::read_attributes(&attributes);
    let mut links = BTreeMap::new();
    for (column, name) in (FIRST_LINK..).zip(LINKS) {
        if let Some(link) = row.get(column)? {
            links.insert(name, link);
        }
    }
    let full_data = match row.as_ref().column_count() {
        count if COLUMN_COUNT < count => text(COLUMN_COUNT)?,
        _without => Arc::from(""),
    };
    let class: String = row.get(2)?;
    let level: String = row.get(10)?;
    Ok(StoredEvent {
        event: EmsEvent {
            id: Some(id),
            class: class.parse::<EventClass>().unwrap_or_default(),
            ems: managers.by_id(EmsId(row.get(1)?)),
            hash: EventHash {
                event_type: text(3)?,
                source: text(4)?,
                event_key: Some(EventKey(text(5)?)),
                ems_ref: row.get::<_, Option<String>>(6)?.map(Arc::from),
                timestamp: row.get::<_, Option<i64>>(7)?.map(codec::time),
                attributes: attributes.map_err(|error| {
                    VmdbError::unreadable(format!("the attributes of event {}", id.0), error)
                })?,
                full_data: FullData::new(full_data),
            },
            links,
            received_at: codec::time(row.get(8)?),
        },
        group: GroupAndLevel {
            group: text(9)?,
            level: self::level(&level),
        },
        outcome: EventOutcome::from_number(row.get(OUTCOME)?),
    })
}

/// The level of a row.
pub(crate) fn level(word: &str) -> EventLevel {
    [EventLevel::Critical, EventLevel::Warning]
        .into_iter()
        .find(|level| level.as_str() == word)
        .unwrap_or(EventLevel::Detail)
}
