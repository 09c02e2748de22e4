//! Records of a run out of the database: classes as rules name them, associations as the inventory keeps them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::model::event::EmsEvent;
use crate::model::event::EventId;
use crate::model::inventory::InventoryObject;
use crate::model::value::Record;
use crate::model::value::Value;
use crate::switchboard::Records;
use crate::switchboard::RefreshProgress;
use crate::vmdb::EventRefresh;
use crate::vmdb::RefreshState;
use crate::vmdb::Vmdb;

/// Which association holds the records of a class.
const ASSOCIATIONS: [(&str, &str, &[&str]); 8] = [
    ("Vm", "vms", &["VmOrTemplate"]),
    ("MiqTemplate", "miq_templates", &["VmOrTemplate"]),
    ("Host", "hosts", &[]),
    ("EmsCluster", "ems_clusters", &[]),
    ("AvailabilityZone", "availability_zones", &[]),
    ("CloudVolume", "cloud_volumes", &[]),
    ("CloudNetwork", "cloud_networks", &[]),
    ("OrchestrationStack", "orchestration_stacks", &[]),
];

/// The inventory of a database, as rules look into it, and how its refreshes fare.
pub(crate) struct InventoryRecords {
    vmdb: Vmdb,
    streaming: Arc<Streaming>,
}

/// Which providers keep their inventory up to date by themselves (`streaming_refresh`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streaming {
    /// What holds for those that are not named.
    pub others: bool,
    /// What holds for those that are.
    pub named: BTreeMap<String, bool>,
}

impl InventoryRecords {
    pub(crate) fn new(vmdb: Vmdb, streaming: Arc<Streaming>) -> Self {
        Self { vmdb, streaming }
    }

    fn rows(class: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
        let is_meant =
            move |(name, _, bases): &&(&str, &str, &[&str])| *name == class || bases.contains(&class);
        let rows: Vec<_> = ASSOCIATIONS
            .iter()
            .filter(is_meant)
            .map(|(name, association, _)| (*name, *association))
            .collect();
        rows.into_iter()
    }
}

impl Records for InventoryRecords {
    fn find(&self, class: &str, id: i64) -> Option<Arc<dyn Record>> {
        let object = self.vmdb.with_inventory(|inventory| inventory.by_id(id));
        let object = object
            .inspect_err(|error| tracing::warn!(%error, class, id, "A record could not be read."))
            .ok()??;
        let (class, _) = Self::rows(class).find(|(_, association)| *association == &*object.association)?;
        Some(Arc::new(InventoryRecord { class, object }))
    }

    fn all(&self, class: &str) -> Vec<Arc<dyn Record>> {
        let mut records: Vec<Arc<dyn Record>> = Vec::new();
        for (class, association) in Self::rows(class) {
            let objects = self
                .vmdb
                .with_inventory(|inventory| inventory.all(None, association));
            let objects =
                objects.inspect_err(|error| tracing::warn!(%error, class, "Records could not be read."));
            records.extend(
                objects
                    .unwrap_or_default()
                    .into_iter()
                    .map(|object| Arc::new(InventoryRecord { class, object }) as Arc<dyn Record>),
            );
        }
        records
    }

    fn knows(&self, class: &str) -> bool {
        Self::rows(class).next().is_some()
    }

    fn refresh_of(&self, event: EventId) -> Option<RefreshProgress> {
        // What cannot be read now is looked at again with the next retry.
        let unreadable = |error| RefreshProgress::Open(format!("it could not be looked up: {error}"));
        let refreshes = self.vmdb.refreshes_of_event(event);
        Some(refreshes.map_or_else(unreadable, |refreshes| progress(&refreshes)))
    }

    fn first_of_chain(&self, event: &EmsEvent) -> Option<Arc<EmsEvent>> {
        let first = self.vmdb.first_of_chain(event);
        let first = first
            .inspect_err(|error| tracing::warn!(%error, "The first event of a chain could not be read."));
        first.ok().flatten().map(Arc::new)
    }

    fn is_streaming(&self, provider: &str) -> bool {
        let named = self.streaming.named.get(provider);
        named.copied().unwrap_or(self.streaming.others)
    }
}

/// The refreshes of an event together: as far as the one that is furthest from its end.
fn progress(refreshes: &[EventRefresh]) -> RefreshProgress {
    let of_state = |states: &[RefreshState]| refreshes.iter().find(|refresh| states.contains(&refresh.state));
    if let Some(open) = of_state(&[RefreshState::Running, RefreshState::Waiting, RefreshState::Merged]) {
        let state = open.state.as_str();
        let failed = match (&open.error, open.state) {
            (None, _) => String::new(),
            (Some(error), RefreshState::Running) => {
                format!(", try {}; the one before failed: {error}", open.attempts)
            }
            (Some(error), _) => format!(", try {} failed: {error}", open.attempts),
        };
        return RefreshProgress::Open(format!("refresh {} is {state}{failed}", open.id));
    }
    match of_state(&[RefreshState::Failed]) {
        Some(failed) => {
            let error = failed.error.as_deref().unwrap_or("no reason is known");
            RefreshProgress::GivenUp(format!("refresh {}: {error}", failed.id))
        }
        None => RefreshProgress::Done,
    }
}

struct InventoryRecord {
    class: &'static str,
    object: InventoryObject,
}

impl fmt::Debug for InventoryRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.class, self.object.id)
    }
}

impl Record for InventoryRecord {
    fn class(&self) -> Arc<str> {
        Arc::from(self.class)
    }

    fn id(&self) -> Option<i64> {
        Some(self.object.id)
    }

    fn column(&self, name: &str) -> Option<Value> {
        match name {
            "id" => Some(Value::Int(self.object.id)),
            "ems_id" => Some(Value::Int(self.object.ems_id.0)),
            other => match self.object.manager_ref.0.get(other) {
                Some(reference) => Some(Value::Text(reference.clone())),
                None => self.object.attributes.get(other).map(Value::from_json),
            },
        }
    }
}
