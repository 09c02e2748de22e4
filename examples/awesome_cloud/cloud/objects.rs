//! What there is in the cloud.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

/// A kind of object, in the order in which references point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// What VMs run on.
    Host,
    /// What VMs are connected to.
    Network,
    /// A virtual machine.
    Vm,
    /// A disk that can be attached to a VM.
    Volume,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 4] = [Self::Host, Self::Network, Self::Vm, Self::Volume];

    /// Its word in an event: `vm`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Network => "network",
            Self::Vm => "vm",
            Self::Volume => "volume",
        }
    }

    /// Its place in the API: `vms`.
    pub(crate) fn collection(self) -> String {
        format!("{}s", self.word())
    }
}

/// Every object, by kind and id, as the API shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Objects {
    by_collection: BTreeMap<String, BTreeMap<String, Value>>,
    #[serde(skip)]
    last_number: u64,
}

const FLAVORS: [&str; 4] = ["small", "medium", "large", "huge"];
const NAMES: [&str; 8] = ["web", "db", "cache", "queue", "batch", "mail", "build", "test"];

impl Objects {
    /// So many VMs, with hosts and networks for them and a volume for every second one.
    pub(crate) fn some(vms: usize, chance: &mut fastrand::Rng, now: Timestamp) -> Self {
        let mut objects = Self::default();
        for number in 0..vms.div_ceil(8).max(2) {
            objects.add(
                Kind::Host,
                json!({ "name": format!("host{number}"), "cores": 64, "memory_gb": 512 }),
            );
        }
        for name in ["front", "back", "storage"] {
            objects.add(
                Kind::Network,
                json!({ "name": name, "cidr": format!("10.{}.0.0/16", name.len()) }),
            );
        }
        for number in 0..vms {
            let vm = objects.new_vm(None, chance, now);
            if number % 2 == 0 {
                objects.add(
                    Kind::Volume,
                    json!({ "name": format!("data{number}"), "size_gb": 100, "vm_id": vm }),
                );
            }
        }
        objects
    }

    /// The objects of a kind, by id.
    pub(crate) fn of(&self, kind: Kind) -> impl Iterator<Item = (&String, &Value)> {
        self.by_collection.get(&kind.collection()).into_iter().flatten()
    }

    /// The object with this id.
    pub(crate) fn get(&self, kind: Kind, id: &str) -> Option<&Value> {
        self.by_collection.get(&kind.collection())?.get(id)
    }

    pub(crate) fn get_mut(&mut self, kind: Kind, id: &str) -> Option<&mut Value> {
        self.by_collection.get_mut(&kind.collection())?.get_mut(id)
    }

    pub(crate) fn remove(&mut self, kind: Kind, id: &str) -> Option<Value> {
        self.by_collection.get_mut(&kind.collection())?.remove(id)
    }

    /// Adds an object; returns its id.
    pub(crate) fn add(&mut self, kind: Kind, mut object: Value) -> String {
        let id = self.new_id(kind.word());
        if let Some(fields) = object.as_object_mut() {
            fields.insert("id".to_owned(), Value::from(id.clone()));
        }
        let collection = self.by_collection.entry(kind.collection()).or_default();
        collection.insert(id.clone(), object);
        id
    }

    /// Adds a VM on some host and network.
    pub(crate) fn new_vm(
        &mut self,
        name: Option<&str>,
        chance: &mut fastrand::Rng,
        now: Timestamp,
    ) -> String {
        let name = name.map_or_else(
            || format!("{}{}", chance.choice(NAMES).unwrap_or("vm"), chance.u16(..1_000)),
            ToOwned::to_owned,
        );
        let disk = self.new_id("disk");
        let vm = json!({
            "name": name,
            "power_state": "on",
            "flavor": chance.choice(FLAVORS),
            "host_id": self.any(Kind::Host, chance),
            "network_ids": [self.any(Kind::Network, chance)],
            "disks": [{ "id": disk, "size_gb": 20 }],
            "created_at": now.to_string(),
        });
        self.add(Kind::Vm, vm)
    }

    /// An id that was never given before.
    pub(crate) fn new_id(&mut self, word: &str) -> String {
        self.last_number += 1;
        format!("{word}-{}", self.last_number)
    }

    /// The id of one object of a kind, by chance.
    pub(crate) fn any(&self, kind: Kind, chance: &mut fastrand::Rng) -> Option<String> {
        let collection = self.by_collection.get(&kind.collection())?;
        let number = (!collection.is_empty()).then(|| chance.usize(..collection.len()))?;
        collection.keys().nth(number).cloned()
    }
}
