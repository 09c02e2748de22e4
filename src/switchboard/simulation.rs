//! Simulation: what would happen to an event, as the contract's document. Nothing acts outside the workspace.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use serde::Serialize;

use crate::automate;
use crate::automate::Entry;
use crate::automate::document;
use crate::automate::records::GivenRecords;
use crate::model::ae_path;
use crate::model::ae_path::AeUri;
use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryError;
use crate::model::delivery::Effect;
use crate::model::delivery::Retry;
use crate::model::delivery::Trace;
use crate::model::ems::EmsId;
use crate::model::event::EmsEvent;
use crate::model::event::EventClass;
use crate::model::event::EventHash;
use crate::model::event::EventId;
use crate::model::event::EventKey;
use crate::model::event::FullData;
use crate::model::event::NativeEvent;
use crate::model::json;
use crate::model::records::Records;
use crate::model::relation::RELATIONS;
use crate::model::target::TargetCollection;
use crate::model::value::Value;
use crate::model::written_time;
use crate::provider::Admission;
use crate::script::evm::EventView;
use crate::settings::Blacklists;
use crate::switchboard::Context;
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
    pub records: Option<json::Value>,
}

/// What a simulation begins with.
#[derive(Clone, Debug)]
pub enum SimulatedEvent {
    /// A message as its transport carried it.
    Message {
        /// The provider's folder under `scripts/`.
        provider: String,
        /// The message.
        native: NativeEvent,
        /// What is not wanted of each provider.
        blacklists: Arc<Blacklists>,
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
        attributes: json::Map,
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
    /// What would be refreshed, sorted.
    pub targets: TargetCollection,
    /// Everything that was asked for, in order.
    pub effects: Vec<Effect>,
    /// The workspace's root when the run ended.
    pub root: Option<json::Value>,
    /// Every object, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<json::Value>,
    /// Set when the run ended in `retry`.
    pub retry: Option<Retry>,
    /// The document of each run, where retries were followed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<Simulation>,
    /// What went wrong, in order.
    pub errors: Vec<DeliveryError>,
    /// Why the provider ignores the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
    /// Which setting drops the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filtered: Option<String>,
}

impl Simulation {
    /// A document that holds nothing but an error, for input that cannot be read.
    pub fn of_error(kind: &str, message: impl Into<String>) -> Self {
        let error = DeliveryError {
            path: String::new(),
            kind: kind.to_owned(),
            message: message.into(),
            fatal: true,
        };
        Self {
            errors: vec![error],
            ..Self::default()
        }
    }

    /// The document of a text that holds no message.
    pub fn of_nothing(why: impl Into<String>) -> Self {
        Self {
            ignored: Some(why.into()),
            ..Self::default()
        }
    }

    /// The document of a message that becomes no event.
    fn of_refused(refused: Admission) -> Self {
        match refused {
            Admission::Ignored(why) => Self::of_nothing(why),
            Admission::Filtered { event_type, entry } => Self {
                filtered: Some(format!(
                    "`{event_type}` is dropped by `{entry}` of `blacklisted_event_names`"
                )),
                ..Self::default()
            },
            Admission::Event(_) => Self::default(),
        }
    }
}

impl Switchboard {
    /// Says what would happen at a time; never fails.
    pub fn simulate(&self, request: &SimulationRequest, now: Timestamp) -> Simulation {
        let given = request
            .records
            .as_ref()
            .map_or_else(|| Ok(GivenRecords::default()), GivenRecords::read);
        match given {
            Ok(records) => self.simulate_within(request, Arc::new(records), now),
            Err(why) => Simulation::of_error("InvalidInput", why),
        }
    }

    /// As [`Switchboard::simulate`], looking records up in a database for example.
    pub fn simulate_within(
        &self,
        request: &SimulationRequest,
        records: Arc<dyn Records>,
        now: Timestamp,
    ) -> Simulation {
        let (hash, class) = match &request.event {
            SimulatedEvent::Uri(uri) => {
                let event = named_event(uri, &*records);
                let view = event.map(|event| Arc::new(EventView::new(event, records.clone())));
                return self.run(view.as_ref(), Some(uri), request, records, now);
            }
            SimulatedEvent::Event {
                class,
                source,
                event_type,
                attributes,
            } => match event_hash(source, event_type, attributes) {
                Ok(hash) => (hash, *class),
                Err(why) => return Simulation::of_error("InvalidInput", why),
            },
            SimulatedEvent::Message {
                provider,
                native,
                blacklists,
            } => {
                let admitted = self
                    .provider(provider)
                    .and_then(|found| found.admit(&self.host, EmsId(0), native, blacklists.of(provider)));
                match admitted {
                    Ok(Admission::Event(hash)) => (hash, EventClass::EmsEvent),
                    Ok(refused) => return Simulation::of_refused(refused),
                    Err(error) => return Simulation::of_error("ParseError", error.to_string()),
                }
            }
        };
        let event = EmsEvent {
            id: None,
            class,
            ems: None,
            links: links(&hash),
            hash,
            received_at: now,
        };
        let view = Arc::new(EventView::new(Arc::new(event), records.clone()));
        self.run(Some(&view), None, request, records, now)
    }

    /// Says what these rules would make of an event that was recorded, at that time; `deliveries` as in a request.
    pub fn simulate_recorded(
        &self,
        event: &Arc<EmsEvent>,
        records: Arc<dyn Records>,
        now: Timestamp,
        deliveries: u32,
    ) -> Simulation {
        let request = SimulationRequest {
            event: SimulatedEvent::Uri(String::new()),
            workspace: false,
            deliveries,
            records: None,
        };
        let view = Arc::new(EventView::new(event.clone(), records.clone()));
        self.run(Some(&view), None, &request, records, now)
    }

    /// Runs once, and again for each retry as often as the request allows; the last run's document is the answer.
    fn run(
        &self,
        view: Option<&Arc<EventView>>,
        uri: Option<&str>,
        request: &SimulationRequest,
        records: Arc<dyn Records>,
        now: Timestamp,
    ) -> Simulation {
        let mut context = Context {
            records,
            now,
            resume: None,
        };
        let mut runs: Vec<Simulation> = Vec::new();
        loop {
            let entry = match (uri, view) {
                (None, Some(view)) => Entry::Event(view),
                (uri, _) => Entry::Uri(uri.unwrap_or("")),
            };
            let env = Arc::new(self.env(view, &context));
            let (delivery, workspace) = automate::deliver(env, &entry, context.resume.as_ref());
            let targets = delivery.targets().sorted().into_iter().cloned().collect();
            let run = Simulation {
                ems_event: view.map(|view| view.event().hash.clone()),
                targets,
                root: document::root(&workspace),
                workspace: request.workspace.then(|| document::workspace(&workspace)),
                retry: delivery.retry.clone(),
                effects: delivery.effects,
                trace: delivery.trace,
                deliveries: Vec::new(),
                errors: delivery.errors,
                ignored: None,
                filtered: None,
            };
            runs.push(run);
            let is_last = u32::try_from(runs.len()).unwrap_or(u32::MAX) >= request.deliveries.max(1);
            let Some(retry) = delivery.retry.filter(|_| !is_last) else {
                break;
            };
            context.now += SignedDuration::try_from_secs_f64(retry.after).unwrap_or_default();
            context.resume = Some(retry);
        }
        let mut last = runs.last().cloned().unwrap_or_default();
        if request.deliveries > 1 {
            last.deliveries = runs;
        }
        last
    }
}

/// The objects that a simulated event names by their numbers, as the columns of a saved one do.
fn links(hash: &EventHash) -> BTreeMap<&'static str, i64> {
    let named = RELATIONS.iter().filter_map(|relation| {
        let id = match hash.attributes.get(relation.column)? {
            Value::Int(id) => *id,
            Value::Text(text) => text.parse().ok()?,
            _other => return None,
        };
        Some((relation.column, id))
    });
    named.collect()
}

/// The event that a URI names as that of an event's run does, so that such a run can be looked at again.
fn named_event(uri: &str, records: &dyn Records) -> Option<Arc<EmsEvent>> {
    let query = AeUri::parse(uri, ae_path::DATASTORE).ok()?.query?;
    let pairs = ae_path::query_to_pairs(&query);
    let (_, id) = pairs.iter().find(|(key, _)| key == "EventStream::event_stream")?;
    records.event(EventId(id.parse().ok()?))
}

fn event_hash(source: &str, event_type: &str, attributes: &json::Map) -> Result<EventHash, String> {
    if event_type.trim().is_empty() || source.trim().is_empty() {
        return Err("an event needs a `source` and an `event_type`".to_owned());
    }
    let full_data = attributes
        .get("full_data")
        .map_or_else(|| "null".to_owned(), ToString::to_string);
    let text = |key: &str| {
        attributes
            .get(key)
            .filter(|value| !value.is_null())
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let timestamp = attributes.get("timestamp").map(Value::from_json);
    let timestamp = written_time::of_event(&timestamp.unwrap_or_default())?;
    let own = [
        "full_data",
        "timestamp",
        "ems_ref",
        "event_key",
        "event_type",
        "source",
    ];
    let others = attributes
        .iter()
        .filter(|(key, value)| !own.contains(&key.as_str()) && !value.is_null());
    Ok(EventHash {
        event_type: Arc::from(event_type),
        source: Arc::from(source),
        event_key: text("event_key").map(|key| EventKey(Arc::from(key))),
        ems_ref: text("ems_ref").map(Arc::from),
        timestamp,
        attributes: others
            .map(|(key, value)| (Arc::from(key.as_str()), Value::from_json(value)))
            .collect(),
        full_data: FullData::new(full_data),
    })
}
