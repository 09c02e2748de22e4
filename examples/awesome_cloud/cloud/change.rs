//! What can happen in the cloud; each change is an event.

use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Kind;
use super::State;

/// A command, as `POST /commands` takes it: `{"do": "stop", "vm": "vm-1"}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Change {
    /// A new VM.
    Create {
        /// Its name; any where there is none.
        name: Option<String>,
    },
    /// Power on.
    Start {
        /// Which VM.
        vm: String,
    },
    /// Power off.
    Stop {
        /// Which VM.
        vm: String,
    },
    /// Suspend.
    Suspend {
        /// Which VM.
        vm: String,
    },
    /// Another name.
    Rename {
        /// Which VM.
        vm: String,
        /// The name.
        name: String,
    },
    /// The VM is gone, its volumes are free.
    Delete {
        /// Which VM.
        vm: String,
    },
    /// One more disk of its own.
    AddDisk {
        /// Which VM.
        vm: String,
    },
    /// Its last disk goes.
    RemoveDisk {
        /// Which VM.
        vm: String,
    },
    /// A new volume.
    CreateVolume,
    /// A volume is attached.
    Attach {
        /// Which volume.
        volume: String,
        /// To which VM.
        vm: String,
    },
    /// A volume is free again.
    Detach {
        /// Which volume.
        volume: String,
    },
    /// A volume is gone.
    DeleteVolume {
        /// Which volume.
        volume: String,
    },
    /// A new network.
    CreateNetwork,
    /// A network's other name.
    RenameNetwork {
        /// Which network.
        network: String,
        /// The name.
        name: String,
    },
    /// A network that no VM is connected to is gone.
    DeleteNetwork {
        /// Which network.
        network: String,
    },
}

impl State {
    /// Does it, and puts its events on the log. Returns the object as it is afterwards, or was before it went.
    pub(crate) fn change(&mut self, change: &Change) -> Result<Value, String> {
        match change {
            Change::Create { name } => {
                let now = (self.now)();
                let id = self.objects.new_vm(name.as_deref(), &mut self.chance, now);
                self.tell("create", Kind::Vm, &id)
            }
            Change::Start { vm } => self.set(Kind::Vm, vm, "power_on", "power_state", json!("on")),
            Change::Stop { vm } => self.set(Kind::Vm, vm, "power_off", "power_state", json!("off")),
            Change::Suspend { vm } => self.set(Kind::Vm, vm, "suspend", "power_state", json!("suspended")),
            Change::Rename { vm, name } => self.set(Kind::Vm, vm, "update", "name", json!(name)),
            Change::Delete { vm } => self.delete_vm(vm),
            Change::AddDisk { vm } => {
                let disk = json!({ "id": self.objects.new_id("disk"), "size_gb": 10 });
                self.disks(vm)?.push(disk);
                self.tell("update", Kind::Vm, vm)
            }
            Change::RemoveDisk { vm } => {
                let disks = self.disks(vm)?;
                if disks.len() < 2 {
                    return Err(format!("{vm} keeps its only disk"));
                }
                disks.pop();
                self.tell("update", Kind::Vm, vm)
            }
            Change::CreateVolume => {
                let size = self.chance.u32(1..=50) * 10;
                let volume = json!({ "name": format!("volume of {size}"), "size_gb": size, "vm_id": null });
                let id = self.objects.add(Kind::Volume, volume);
                self.tell("create", Kind::Volume, &id)
            }
            Change::Attach { volume, vm } => {
                self.known(Kind::Vm, vm)?;
                self.set(Kind::Volume, volume, "attach", "vm_id", json!(vm))
            }
            Change::Detach { volume } => self.set(Kind::Volume, volume, "detach", "vm_id", Value::Null),
            Change::DeleteVolume { volume } => self.delete(Kind::Volume, volume, "delete"),
            Change::CreateNetwork => {
                let second = self.chance.u8(16..);
                let network =
                    json!({ "name": format!("net{second}"), "cidr": format!("10.{second}.0.0/16") });
                let id = self.objects.add(Kind::Network, network);
                self.tell("create", Kind::Network, &id)
            }
            Change::RenameNetwork { network, name } => {
                self.set(Kind::Network, network, "update", "name", json!(name))
            }
            Change::DeleteNetwork { network } => self.delete_network(network),
        }
    }

    /// Something happens that can happen; in the long run there are as many VMs as there were.
    pub(crate) fn change_by_chance(&mut self) {
        // What the dice say may not be possible just now; they are thrown again.
        while self.one_by_chance().is_none() {}
    }

    fn one_by_chance(&mut self) -> Option<()> {
        let any = |state: &mut Self, kind| state.objects.any(kind, &mut state.chance);
        let change = match self.chance.u8(..100) {
            0..12 => Change::Create { name: None },
            12..24 => Change::Delete {
                vm: any(self, Kind::Vm)?,
            },
            24..36 => Change::Start {
                vm: any(self, Kind::Vm)?,
            },
            36..48 => Change::Stop {
                vm: any(self, Kind::Vm)?,
            },
            48..54 => Change::Suspend {
                vm: any(self, Kind::Vm)?,
            },
            54..62 => Change::Rename {
                vm: any(self, Kind::Vm)?,
                name: format!("renamed{}", self.chance.u16(..)),
            },
            62..68 => Change::AddDisk {
                vm: any(self, Kind::Vm)?,
            },
            68..74 => Change::RemoveDisk {
                vm: any(self, Kind::Vm)?,
            },
            74..80 => Change::CreateVolume,
            80..86 => Change::Attach {
                volume: any(self, Kind::Volume)?,
                vm: any(self, Kind::Vm)?,
            },
            86..90 => Change::Detach {
                volume: any(self, Kind::Volume)?,
            },
            90..95 => Change::DeleteVolume {
                volume: any(self, Kind::Volume)?,
            },
            95..97 => Change::CreateNetwork,
            97..99 => Change::RenameNetwork {
                network: any(self, Kind::Network)?,
                name: format!("net{}", self.chance.u16(..)),
            },
            _ => Change::DeleteNetwork {
                network: any(self, Kind::Network)?,
            },
        };
        self.change(&change).ok().map(drop)
    }

    fn known(&self, kind: Kind, id: &str) -> Result<(), String> {
        let found = self.objects.get(kind, id).map(drop);
        found.ok_or_else(|| format!("there is no {} `{id}`", kind.word()))
    }

    fn set(&mut self, kind: Kind, id: &str, verb: &str, field: &str, value: Value) -> Result<Value, String> {
        self.known(kind, id)?;
        let fields = self.objects.get_mut(kind, id).and_then(Value::as_object_mut);
        fields.and_then(|fields| fields.insert(field.to_owned(), value));
        self.tell(verb, kind, id)
    }

    fn disks(&mut self, vm: &str) -> Result<&mut Vec<Value>, String> {
        let object = self.objects.get_mut(Kind::Vm, vm);
        let disks = object.and_then(|object| object.get_mut("disks")?.as_array_mut());
        disks.ok_or_else(|| format!("there is no vm `{vm}`"))
    }

    fn delete_vm(&mut self, vm: &str) -> Result<Value, String> {
        self.known(Kind::Vm, vm)?;
        let attached = |volume: &Value| volume.get("vm_id").and_then(Value::as_str) == Some(vm);
        let volumes: Vec<String> = self
            .objects
            .of(Kind::Volume)
            .filter(|(_, volume)| attached(volume))
            .map(|(id, _)| id.clone())
            .collect();
        for volume in volumes {
            self.set(Kind::Volume, &volume, "detach", "vm_id", Value::Null)?;
        }
        self.delete(Kind::Vm, vm, "destroy")
    }

    fn delete_network(&mut self, network: &str) -> Result<Value, String> {
        let networks = |vm: &Value| vm.get("network_ids").and_then(Value::as_array).cloned();
        let uses = |vm: &Value| networks(vm).is_some_and(|ids| ids.contains(&json!(network)));
        if let Some((vm, _)) = self.objects.of(Kind::Vm).find(|(_, vm)| uses(vm)) {
            return Err(format!("{vm} is connected to {network}"));
        }
        self.delete(Kind::Network, network, "delete")
    }

    fn delete(&mut self, kind: Kind, id: &str, verb: &str) -> Result<Value, String> {
        self.known(kind, id)?;
        let told = self.tell(verb, kind, id);
        self.objects.remove(kind, id);
        told
    }

    /// Puts an event about an object on the log; returns the object.
    fn tell(&mut self, verb: &str, kind: Kind, id: &str) -> Result<Value, String> {
        self.known(kind, id)?;
        let object = self.objects.get(kind, id).cloned().unwrap_or_default();
        let skew = jiff::SignedDuration::from_secs(self.faults.skew_seconds);
        let now = (self.now)();
        let about = |object: &Value| json!({ "id": object.get("id"), "name": object.get("name") });
        let mut event = Map::from_iter([
            ("id".to_owned(), json!(self.objects.new_id("e"))),
            (
                "event_name".to_owned(),
                json!(format!("com.awesomecloud.{}.{verb}", kind.word())),
            ),
            (
                "time".to_owned(),
                json!(now.saturating_add(skew).unwrap_or(now).to_string()),
            ),
            (kind.word().to_owned(), about(&object)),
        ]);
        let vm = object.get("vm_id").and_then(Value::as_str);
        if let Some(vm) = vm.and_then(|vm| self.objects.get(Kind::Vm, vm)) {
            event.insert("vm".to_owned(), about(vm));
        }
        let event = Value::Object(event);
        self.log.add(&event, &self.faults, &mut self.chance);
        Ok(object)
    }
}
