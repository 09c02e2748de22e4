//! A message in hand.

use std::sync::Arc;

use crate::model::clock::Timestamp;
use crate::model::delivery::Retry;
use crate::model::ems::Ems;
use crate::model::ems::EmsId;
use crate::model::event::EmsEvent;
use crate::model::event::EventHash;
use crate::model::event::EventId;
use crate::model::event::NativeEvent;
use crate::vmdb::MessageId;
use crate::vmdb::shared::Shared;

/// A message in hand. Dropped without an outcome that is committed, it goes back and will be taken again.
#[derive(Debug)]
pub struct Message {
    /// Proves that the message is in hand; goes into its outcome.
    pub ticket: Ticket,
    /// Whose it is.
    pub ems: Arc<Ems>,
    /// When its event was received.
    pub received_at: Timestamp,
    /// How often it failed.
    pub attempts: u32,
    /// What is to be done.
    pub work: Work,
}

/// Stands for a message in hand, and gives it back when it is dropped.
#[derive(Debug)]
pub struct Ticket {
    pub(crate) id: MessageId,
    pub(crate) ems_id: EmsId,
    pub(crate) lane: Option<Arc<str>>,
    /// None once the message was let go of.
    pub(crate) holder: Option<Arc<Shared>>,
}

impl Ticket {
    /// The number of the message.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// What the message is in order with: its manager and resource.
    pub fn lane(&self) -> Option<&str> {
        self.lane.as_deref()
    }

    /// The number of the event that it becomes.
    pub fn event_id(&self) -> EventId {
        EventId(self.id.0)
    }
}

impl Ticket {
    /// Lets go of a message that is not there any more.
    pub(crate) fn forget(&mut self) {
        if let Some(holder) = self.holder.take() {
            holder.lanes.lock().release([self.id.0], true);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(holder) = self.holder.take() {
            holder.lanes.lock().release([self.id.0], false);
            holder.ring();
        }
    }
}

/// Lets go of many messages at once: `are_handled` says which of them are done with.
pub(crate) fn release(shared: &Shared, mut tickets: Vec<Ticket>, are_handled: impl Fn(usize) -> bool) {
    let mut lanes = shared.lanes.lock();
    for handled in [true, false] {
        let those = tickets
            .iter()
            .enumerate()
            .filter(|(index, _)| are_handled(*index) == handled);
        lanes.release(those.map(|(_, ticket)| ticket.id.0), handled);
    }
    for ticket in &mut tickets {
        ticket.holder = None;
    }
    drop(lanes);
    shared.ring();
}

/// What a message asks for.
#[derive(Debug)]
pub enum Work {
    /// Save this event and deliver it.
    Add(EventHash),
    /// Parse this again; what comes out is as [`Work::Add`].
    Unparsed(NativeEvent),
    /// Go on with a state machine of a saved event.
    Deliver {
        /// The event.
        event: Arc<EmsEvent>,
        /// Where it had got to.
        retry: Retry,
        /// Which run over the event this is; the first one was 0.
        run: u32,
    },
    /// The row does not hold what this program writes.
    Unreadable(String),
}
