//! event_refreshes: which refreshes serve an event.

use crate::model::event::EmsEvent;
use crate::model::event::EventId;
use crate::vmdb::RefreshId;
use crate::vmdb::RefreshState;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::event_streams;

/// How a refresh fares that an event asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRefresh {
    /// Its number.
    pub id: RefreshId,
    /// How it fares.
    pub state: RefreshState,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last try failed.
    pub error: Option<String>,
}

impl Vmdb {
    /// How the refreshes that an event asked for fare, the earliest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn refreshes_of_event(&self, event: EventId) -> Result<Vec<EventRefresh>, VmdbError> {
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(
                "SELECT r.id, r.state, r.attempts, r.error \
                 FROM event_refreshes e JOIN refresh_queue r ON r.id = e.refresh_id \
                 WHERE e.event_id = ?1 ORDER BY r.id",
            )?;
            let rows = query.query_map([event.0], |row| {
                Ok(EventRefresh {
                    id: RefreshId(row.get(0)?),
                    state: RefreshState::from_number(row.get(1)?).unwrap_or(RefreshState::Failed),
                    attempts: row.get(2)?,
                    error: row.get(3)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The first event that is stored of the chain of this one; none where it belongs to none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn first_of_chain(&self, event: &EmsEvent) -> Result<Option<EmsEvent>, VmdbError> {
        let (Some(ems), Some(chain_id)) = (&event.ems, event_streams::chain_id(&event.hash)) else {
            return Ok(None);
        };
        let managers = self.managers()?;
        self.read(|transaction| event_streams::first_of_chain(transaction, &managers, ems.id, &chain_id))
    }
}
