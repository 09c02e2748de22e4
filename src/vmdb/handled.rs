//! Commits what the handler made of its messages: everything that an event caused, in one transaction.

use std::fmt;
use std::sync::Arc;

use crate::crash_point::crash_point;
use crate::model::clock::Timestamp;
use crate::model::delivery::Delivery;
use crate::model::delivery::Retry;
use crate::model::delivery::RulesId;
use crate::model::event::EmsEvent;
use crate::model::event::EventId;
use crate::model::event_group::GroupAndLevel;
use crate::model::event_outcome::EventOutcome;
use crate::vmdb::InventoryUpdate;
use crate::vmdb::NewEffect;
use crate::vmdb::NewMessage;
use crate::vmdb::RefreshRequest;
use crate::vmdb::Vmdb;
use crate::vmdb::handled_batch::Batch;
use crate::vmdb::handled_batch::BatchRow;
use crate::vmdb::handled_rows::Row;
use crate::vmdb::message;
use crate::vmdb::message::Ticket;
use crate::vmdb::request::Request;

/// What became of one message.
#[derive(Debug)]
pub struct Outcome {
    /// The message.
    pub ticket: Ticket,
    /// What was made of it.
    pub handled: Handled,
}

/// What the handler made of a message.
#[derive(Debug)]
pub enum Handled {
    /// A new event with what the rules decided. Saved unless one with its key is there.
    New {
        /// The event.
        event: Arc<EmsEvent>,
        /// Where it stands on the timeline.
        group: GroupAndLevel,
        /// What the rules decided.
        decided: Box<Decided>,
        /// Where the event may end a task.
        completion: Option<Completion>,
        /// Which inventory its links were found in: [`crate::vmdb::InventoryView::version`].
        inventory: u64,
    },
    /// Another run over a saved event.
    Again {
        /// The event.
        event: EventId,
        /// What the rules decided.
        decided: Box<Decided>,
    },
    /// The parser does not want it any more.
    Ignored,
    /// The settings do not want it.
    Filtered,
    /// It failed.
    Failed {
        /// Why.
        error: String,
        /// By which rules, where they were asked.
        rules_id: Option<RulesId>,
        /// When to try again; never where it is given up.
        retry_at: Option<Timestamp>,
    },
}

/// What the rules decided about an event, and what follows from it.
#[derive(Debug)]
pub struct Decided {
    /// By which rules.
    pub rules_id: RulesId,
    /// When.
    pub decided_at: Timestamp,
    /// What became of the event with it.
    pub outcome: EventOutcome,
    /// The decision.
    pub delivery: Delivery,
    /// What is to be refreshed, by manager.
    pub refreshes: Vec<RefreshRequest>,
    /// Which objects of the inventory change with it.
    pub updates: Vec<InventoryUpdate>,
    /// What is to be sent.
    pub outbox: Vec<NewEffect>,
    /// What is to go on later.
    pub retry: Option<NewRetry>,
}

/// A run that goes on later.
#[derive(Debug)]
pub struct NewRetry {
    /// Where it had got to.
    pub retry: Retry,
    /// Which run over the event it will be.
    pub run: u32,
    /// When.
    pub due: Timestamp,
}

/// The end of a task: where the chain of the event began with one of `originals`, another event says so.
#[derive(Clone)]
pub struct Completion {
    /// The chain.
    pub chain_id: String,
    /// The event types that this event ends.
    pub originals: Arc<[Arc<str>]>,
    /// Makes the event that says so, from the first of the chain and from this one.
    pub build: fn(original: &EmsEvent, last: &EmsEvent) -> Option<NewMessage>,
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Completion({})", self.chain_id)
    }
}

/// What the database made of one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// The event is saved, or another run over it is recorded.
    Saved(EventId),
    /// An event with this key is saved already; nothing was done.
    Duplicate(EventId),
    /// It is off the queue, and nothing else.
    Ignored,
    /// It will be tried again.
    Waiting,
    /// It is given up until somebody retries it.
    GivenUp,
    /// Somebody discarded the message meanwhile; nothing was done.
    Lost,
    /// A message before it in its lane failed; it is on the queue as before.
    Held,
}

impl Vmdb {
    /// Commits the outcomes of messages in hand and lets go of them. Outcomes of one lane come in the order in
    /// which its messages were taken. An outcome that the database refuses fails alone.
    pub fn commit(&self, outcomes: Vec<Outcome>) -> Request<Vec<Committed>> {
        let (mut rows, mut tickets) = (Vec::new(), Vec::new());
        for outcome in outcomes {
            let row = Row::prepare(outcome.handled, &self.shared().known_steps);
            let row = row.unwrap_or_else(|error| Row::failed(&error));
            rows.push(BatchRow {
                id: outcome.ticket.id,
                ems_id: outcome.ticket.ems_id,
                lane: outcome.ticket.lane.clone(),
                row,
            });
            tickets.push(outcome.ticket);
        }
        let managers = match self.managers() {
            Ok(managers) => managers,
            Err(error) => return self.refused_request(error),
        };
        let shared = self.shared().clone();
        let batch = Batch {
            rows,
            managers,
            shared: shared.clone(),
        };
        self.request_with(
            tickets.len(),
            move |transaction| batch.write(transaction),
            move |committed| {
                crash_point!("handle.after_commit", committed.is_ok());
                message::release(&shared, tickets, |index| match committed {
                    Ok(committed) => committed.get(index) != Some(&Committed::Held),
                    Err(_) => false,
                });
            },
        )
    }
}
