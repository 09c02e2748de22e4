//! The rows of an outcome, made ready on the handler's thread so that the writer has nothing to do but write.

use std::error::Error;
use std::sync::Arc;

use crate::model::clock::Timestamp;
use crate::model::delivery::RulesId;
use crate::model::event::EmsEvent;
use crate::model::event::EventId;
use crate::model::event_outcome::EventOutcome;
use crate::model::fired::Fired;
use crate::vmdb::Completion;
use crate::vmdb::Decided;
use crate::vmdb::Handled;
use crate::vmdb::InventoryUpdate;
use crate::vmdb::NewEffect;
use crate::vmdb::VmdbError;
use crate::vmdb::deliveries::DeliveryRow;
use crate::vmdb::event_refs;
use crate::vmdb::event_streams::EventRow;
use crate::vmdb::known_steps::KnownSteps;
use crate::vmdb::refresh_queue::Wanted;
use crate::vmdb::take;

/// One outcome in the form of its rows.
pub(crate) enum Row {
    New {
        row: EventRow,
        event: Arc<EmsEvent>,
        /// Of the objects that the event is about.
        refs: Vec<u64>,
        decided: DecidedRows,
        completion: Option<Completion>,
        inventory: u64,
    },
    Again {
        event: EventId,
        decided: DecidedRows,
    },
    Ignored,
    Failed {
        error: String,
        rules_id: Option<RulesId>,
        retry_at: Option<Timestamp>,
    },
}

pub(crate) struct DecidedRows {
    pub(crate) outcome: EventOutcome,
    pub(crate) delivery: DeliveryRow,
    pub(crate) fired: Vec<Fired>,
    pub(crate) refreshes: Vec<Wanted>,
    pub(crate) updates: Vec<InventoryUpdate>,
    pub(crate) outbox: Vec<NewEffect>,
    pub(crate) retry: Option<RetryRow>,
}

pub(crate) struct RetryRow {
    pub(crate) payload_of: Box<dyn Fn(EventId) -> Result<String, VmdbError> + Send>,
    pub(crate) due: Timestamp,
}

impl Row {
    pub(crate) fn prepare(handled: Handled, known: &KnownSteps) -> Result<Self, VmdbError> {
        Ok(match handled {
            Handled::New {
                mut event,
                group,
                decided,
                completion,
                inventory,
            } => {
                // Rows need no view of it, and freeing one is work that the writer should not have.
                if let Some(event) = Arc::get_mut(&mut event) {
                    event.hash.full_data.forget_view();
                }
                Self::New {
                    row: EventRow::new(event.clone(), group, decided.outcome)?,
                    refs: event_refs::of_event(&event, &decided.refreshes),
                    event,
                    decided: DecidedRows::new(*decided, known)?,
                    completion,
                    inventory,
                }
            }
            Handled::Again { event, decided } => Self::Again {
                event,
                decided: DecidedRows::new(*decided, known)?,
            },
            Handled::Ignored | Handled::Filtered => Self::Ignored,
            Handled::Failed {
                error,
                rules_id,
                retry_at,
            } => Self::Failed {
                error,
                rules_id,
                retry_at,
            },
        })
    }

    /// An outcome that cannot be written; whoever reads the reason has nothing but this text.
    pub(crate) fn failed(error: &VmdbError) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self::Failed {
            error: text,
            rules_id: None,
            retry_at: None,
        }
    }
}

impl DecidedRows {
    fn new(decided: Decided, known: &KnownSteps) -> Result<Self, VmdbError> {
        Ok(Self {
            outcome: decided.outcome,
            delivery: DeliveryRow::new(&decided.delivery, decided.rules_id, decided.decided_at, known)?,
            refreshes: decided
                .refreshes
                .iter()
                .map(Wanted::new)
                .collect::<Result<_, _>>()?,
            updates: decided.updates,
            fired: decided.delivery.fired,
            outbox: decided.outbox,
            retry: decided.retry.map(|retry| RetryRow {
                due: retry.due,
                payload_of: Box::new(move |event| take::deliver_payload(event, retry.run, &retry.retry)),
            }),
        })
    }
}
