//! Records: how rules look into what is stored, inventory above all, without knowing where it is kept.

use std::sync::Arc;

use crate::model::event::EmsEvent;
use crate::model::event::EventId;
use crate::model::value::Record;

/// Where a run finds records: the database, a simulation's own, or nothing.
pub trait Records: Send + Sync {
    /// The record of a class with this number.
    fn find(&self, class: &str, id: i64) -> Option<Arc<dyn Record>>;
    /// Every record of a class.
    fn all(&self, class: &str) -> Vec<Arc<dyn Record>>;
    /// Whether records of this class are known beyond ManageIQ's own classes.
    fn knows(&self, class: &str) -> bool;
    /// The event with this number.
    fn event(&self, _id: EventId) -> Option<Arc<EmsEvent>> {
        None
    }
    /// How the refreshes fare that an event asked for in earlier runs; none where that is not known here.
    fn refresh_of(&self, _event: EventId) -> Option<RefreshProgress> {
        None
    }
    /// The first event of the chain that an event belongs to; none where it belongs to none, or that is not known here.
    fn first_of_chain(&self, _event: &EmsEvent) -> Option<Arc<EmsEvent>> {
        None
    }
    /// Whether a provider keeps its inventory up to date by itself (`streaming_refresh`).
    fn is_streaming(&self, _provider: &str) -> bool {
        false
    }
    /// Whether single objects of a provider may be read (`allow_targeted_refresh`); if not, its managers are read whole.
    fn allows_targeted_refresh(&self, _provider: &str) -> bool {
        true
    }
}

/// How the refreshes of one event fare, taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshProgress {
    /// Each has ended well, or none was asked for: what the inventory says is as new as it gets.
    Done,
    /// One of them waits or runs, as the text says.
    Open(String),
    /// One of them was given up, for this reason.
    GivenUp(String),
}
