//! Records of a run out of the database: classes as rules name them, associations as the inventory keeps them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::model::ems::Ems;
use crate::model::ems::EmsId;
use crate::model::event::EmsEvent;
use crate::model::event::EventId;
use crate::model::inventory::InventoryObject;
use crate::model::value::Record;
use crate::model::value::Value;
use crate::settings::RefreshSettings;
use crate::settings::Settings;
use crate::switchboard::Records;
use crate::switchboard::RefreshProgress;
use crate::vmdb::EventRefresh;
use crate::vmdb::RefreshState;
use crate::vmdb::Vmdb;

/// Which association holds the records of a class.
const ASSOCIATIONS: [(&str, &str, &[&str]); 25] = [
    ("Vm", "vms", &["VmOrTemplate"]),
    ("MiqTemplate", "miq_templates", &["VmOrTemplate"]),
    ("Host", "hosts", &[]),
    ("EmsCluster", "ems_clusters", &[]),
    ("AvailabilityZone", "availability_zones", &[]),
    ("CloudVolume", "cloud_volumes", &[]),
    ("CloudNetwork", "cloud_networks", &[]),
    ("OrchestrationStack", "orchestration_stacks", &[]),
    ("CloudSubnet", "cloud_subnets", &[]),
    ("CloudTenant", "cloud_tenants", &[]),
    ("CloudVolumeSnapshot", "cloud_volume_snapshots", &[]),
    ("ContainerGroup", "container_groups", &[]),
    ("ContainerNode", "container_nodes", &[]),
    ("ContainerProject", "container_projects", &[]),
    ("ContainerReplicator", "container_replicators", &[]),
    ("Flavor", "flavors", &[]),
    ("FloatingIp", "floating_ips", &[]),
    ("LoadBalancer", "load_balancers", &[]),
    ("NetworkPort", "network_ports", &[]),
    ("NetworkRouter", "network_routers", &[]),
    ("PhysicalServer", "physical_servers", &[]),
    ("PhysicalStorage", "physical_storages", &[]),
    ("ResourcePool", "resource_pools", &[]),
    ("SecurityGroup", "security_groups", &[]),
    ("Storage", "storages", &[]),
];

/// The inventory of a database, as rules look into it, and how its refreshes fare.
pub(crate) struct InventoryRecords {
    vmdb: Vmdb,
    ways: Arc<RefreshWays>,
}

/// How inventory is kept up to date, provider by provider (`ems_refresh`), as far as rules have to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefreshWays {
    /// What holds for those that are not named.
    pub others: RefreshWay,
    /// What holds for those that are.
    pub named: BTreeMap<String, RefreshWay>,
}

/// How the inventory of one provider is kept up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshWay {
    /// By the provider itself (`streaming_refresh`).
    pub is_streaming: bool,
    /// Object by object, where single ones are asked for (`allow_targeted_refresh`).
    pub is_targeted: bool,
}

impl Default for RefreshWay {
    fn default() -> Self {
        Self {
            is_streaming: false,
            is_targeted: true,
        }
    }
}

impl RefreshWays {
    /// As the settings say it.
    pub(crate) fn of_settings(settings: &Settings) -> Self {
        let way = |refresh: &RefreshSettings| RefreshWay {
            is_streaming: refresh.streaming_refresh,
            is_targeted: refresh.allow_targeted_refresh,
        };
        let named = settings.refreshes();
        Self {
            others: way(settings.refresh_of_others()),
            named: named
                .map(|(ems_type, refresh)| (ems_type.to_owned(), way(refresh)))
                .collect(),
        }
    }

    fn of(&self, provider: &str) -> RefreshWay {
        self.named.get(provider).copied().unwrap_or(self.others)
    }
}

impl InventoryRecords {
    pub(crate) fn new(vmdb: Vmdb, ways: Arc<RefreshWays>) -> Self {
        Self { vmdb, ways }
    }

    fn manager(&self, id: i64) -> Option<Arc<dyn Record>> {
        let managers = self.managers();
        let found = managers.into_iter().find(|ems| ems.id == EmsId(id))?;
        Some(found)
    }

    fn managers(&self) -> Vec<Arc<Ems>> {
        let managers = self.vmdb.ems_list();
        let managers = managers.inspect_err(|error| tracing::warn!(%error, "Managers could not be read."));
        managers.unwrap_or_default()
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
        match class {
            "ExtManagementSystem" => return self.manager(id),
            "EventStream" | "EmsEvent" => {
                let event = self.event(EventId(id))?;
                return Some(event);
            }
            _inventory => (),
        }
        let object = self.vmdb.with_inventory(|inventory| inventory.by_id(id));
        let object = object
            .inspect_err(|error| tracing::warn!(%error, class, id, "A record could not be read."))
            .ok()??;
        let (class, _) = Self::rows(class).find(|(_, association)| *association == &*object.association)?;
        Some(Arc::new(InventoryRecord { class, object }))
    }

    fn all(&self, class: &str) -> Vec<Arc<dyn Record>> {
        let mut records: Vec<Arc<dyn Record>> = Vec::new();
        if class == "ExtManagementSystem" {
            return self
                .managers()
                .into_iter()
                .map(|ems| ems as Arc<dyn Record>)
                .collect();
        }
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

    fn event(&self, id: EventId) -> Option<Arc<EmsEvent>> {
        let shown = self.vmdb.event_show(id);
        let shown =
            shown.inspect_err(|error| tracing::warn!(%error, event = id.0, "An event could not be read."));
        Some(Arc::new(shown.ok()??.stored.event))
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
        self.ways.of(provider).is_streaming
    }

    fn allows_targeted_refresh(&self, provider: &str) -> bool {
        self.ways.of(provider).is_targeted
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
