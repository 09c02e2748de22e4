//! Records of a run out of the inventory: classes as rules name them, associations as the inventory keeps them.

use std::fmt;
use std::sync::Arc;

use crate::model::inventory::InventoryObject;
use crate::model::value::Record;
use crate::model::value::Value;
use crate::switchboard::Records;
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

/// The inventory of a database, as rules look into it.
pub(crate) struct InventoryRecords(pub(crate) Vmdb);

impl InventoryRecords {
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
        let object = self.0.with_inventory(|inventory| inventory.by_id(id));
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
                .0
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
