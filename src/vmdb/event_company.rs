//! What belongs together with an event: its refreshes and who shares them, its chain, its message that failed, and
//! the events before and after it about the same object.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::model::event::EmsEvent;
use crate::model::event::EventId;
use crate::model::json;
use crate::model::relation::RELATIONS;
use crate::vmdb::QueueEntry;
use crate::vmdb::RefreshId;
use crate::vmdb::StoredEvent;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::digest_index;
use crate::vmdb::event_refs;
use crate::vmdb::event_streams;

/// How many events next to one are looked at for its neighbour: some may be of another manager.
const LOOKED_AT: usize = 50;

/// The events next to one about the same object, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Neighbours {
    /// The one before.
    pub earlier: Option<EventId>,
    /// The one after.
    pub later: Option<EventId>,
}

/// How often an object is named by events, by where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// As that which the event happened to.
    pub source: u64,
    /// As where something went to.
    pub destination: u64,
    /// All events about it, those included that only asked to read it.
    pub all: u64,
}

impl Vmdb {
    /// Events by their numbers, without `full_data`, in that order; those that are gone are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn events_by_id(&self, ids: &[EventId]) -> Result<Vec<StoredEvent>, VmdbError> {
        let managers = self.managers()?;
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(&format!(
                "SELECT {} FROM event_streams e WHERE e.id = ?1",
                event_streams::COLUMNS
            ))?;
            let mut events = Vec::new();
            for id in ids {
                let mut rows = query.query([id.0])?;
                if let Some(row) = rows.next()? {
                    events.push(event_streams::read(row, &managers)?);
                }
            }
            Ok(events)
        })
    }

    /// The first events of the chain of this one, without it, and how many others there are in all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn events_of_chain(
        &self,
        event: &EmsEvent,
        most: usize,
    ) -> Result<(Vec<StoredEvent>, u64), VmdbError> {
        let (Some(ems), Some(chain_id), Some(id)) =
            (&event.ems, event_streams::chain_id(&event.hash), event.id)
        else {
            return Ok((Vec::new(), 0));
        };
        let managers = self.managers()?;
        self.read(|transaction| {
            let which = "FROM event_streams e WHERE e.chain_id = ?1 AND e.ems_id = ?2 AND e.id <> ?3";
            let mut query = transaction.prepare_cached(&format!("SELECT count(*) {which}"))?;
            let count = query.query_row(params![chain_id, ems.id.0, id.0], |row| row.get(0))?;
            let sql = format!("SELECT {} {which} ORDER BY e.id LIMIT ?4", event_streams::COLUMNS);
            let mut query = transaction.prepare_cached(&sql)?;
            let most = i64::try_from(most).unwrap_or(-1);
            let mut rows = query.query(params![chain_id, ems.id.0, id.0, most])?;
            let mut events = Vec::new();
            while let Some(row) = rows.next()? {
                events.push(event_streams::read(row, &managers)?);
            }
            Ok((events, count))
        })
    }

    /// The first events other than this one that a refresh serves, and how many there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn events_of_refresh(
        &self,
        refresh: RefreshId,
        but: EventId,
        most: usize,
    ) -> Result<(Vec<EventId>, u64), VmdbError> {
        self.read(|transaction| {
            let which = "FROM event_refreshes WHERE refresh_id = ?1 AND event_id <> ?2";
            let mut query = transaction.prepare_cached(&format!("SELECT count(*) {which}"))?;
            let count = query.query_row(params![refresh.0, but.0], |row| row.get(0))?;
            let mut query =
                transaction.prepare_cached(&format!("SELECT event_id {which} ORDER BY event_id LIMIT ?3"))?;
            let most = i64::try_from(most).unwrap_or(-1);
            let events = query.query_map(params![refresh.0, but.0, most], |row| Ok(EventId(row.get(0)?)))?;
            Ok((events.collect::<Result<_, _>>()?, count))
        })
    }

    /// The message over which an event is to be handled again: it waits, is parked or was given up.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn message_of_event(&self, event: EventId) -> Result<Option<QueueEntry>, VmdbError> {
        let id = self.read(|transaction| {
            let mut query = transaction.prepare_cached(
                "SELECT id FROM miq_queue WHERE kind = 2 \
                 AND iif(json_valid(payload), payload ->> '$.event', NULL) = ?1 ORDER BY id LIMIT 1",
            )?;
            let found = query.query_row([event.0], |row| row.get(0));
            Ok(found.optional()?.map(crate::vmdb::MessageId))
        })?;
        id.map_or(Ok(None), |id| self.queue_show(id))
    }

    /// The events before and after one about the same object of its manager.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn event_neighbours(
        &self,
        event: EventId,
        association: &str,
        reference: &str,
    ) -> Result<Neighbours, VmdbError> {
        self.read(|transaction| {
            let about = about(transaction, association, reference)?;
            let before = about.iter().rev().filter(|id| **id < event.0).take(LOOKED_AT);
            let after = about.iter().filter(|id| event.0 < **id).take(LOOKED_AT);
            Ok(Neighbours {
                earlier: of_same_manager(transaction, event, before)?,
                later: of_same_manager(transaction, event, after)?,
            })
        })
    }

    /// How many events name an object, as what they happened to and as where something went to.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn event_mentions(&self, association: &str, reference: &str) -> Result<Mentions, VmdbError> {
        let of_it = RELATIONS
            .iter()
            .filter(|relation| relation.associations.contains(&association));
        let (destinations, sources): (Vec<_>, Vec<_>) =
            of_it.partition(|relation| relation.reference.starts_with("dest_"));
        let named = |relations: &[&crate::model::relation::Relation]| {
            let each = relations
                .iter()
                .map(|relation| format!("json_extract(e.attributes, '$.{}') = ?2", relation.reference));
            let each: Vec<String> = each.collect();
            // Never so, but it names the parameter that the statement is given.
            if each.is_empty() {
                "?2 IS NULL".to_owned()
            } else {
                each.join(" OR ")
            }
        };
        self.read(|transaction| {
            let about = about(transaction, association, reference)?;
            let mut query = transaction.prepare_cached(&format!(
                "SELECT count(*) FILTER (WHERE {}), count(*) FILTER (WHERE {}), count(*) \
                 FROM event_streams e WHERE e.id IN (SELECT value FROM json_each(?1))",
                named(&sources),
                named(&destinations)
            ))?;
            let parameters = params![json::json!(about).to_string(), reference];
            Ok(query.query_row(parameters, |row| {
                Ok(Mentions {
                    source: row.get(0)?,
                    destination: row.get(1)?,
                    all: row.get(2)?,
                })
            })?)
        })
    }
}

/// The events about an object, in the order of their numbers.
fn about(connection: &Connection, association: &str, reference: &str) -> Result<Vec<i64>, VmdbError> {
    let digest = event_refs::digest_of(association, reference);
    let mut about = digest_index::find(connection, event_refs::TABLES, digest)?;
    about.sort_unstable();
    about.dedup();
    Ok(about)
}

fn of_same_manager<'a>(
    connection: &Connection,
    event: EventId,
    near: impl Iterator<Item = &'a i64>,
) -> Result<Option<EventId>, VmdbError> {
    let mut query = connection.prepare_cached(
        "SELECT 1 FROM event_streams e WHERE e.id = ?1 \
         AND e.ems_id = (SELECT ems_id FROM event_streams WHERE id = ?2)",
    )?;
    for id in near {
        if query.exists(params![id, event.0])? {
            return Ok(Some(EventId(*id)));
        }
    }
    Ok(None)
}
