//! Inventory to measure with: VMs that refer to hosts and networks, each with a disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;
use switchboard::model::inventory::Collected;
use switchboard::model::inventory::CollectedObject;
use switchboard::model::inventory::ObjectKey;
use switchboard::model::target::ManagerRef;

/// What a refresh finds, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Objects that were not there.
    New,
    /// All as they were.
    Unchanged,
    /// One of ten is not as it was.
    Changed,
    /// Nothing.
    Archived,
}

impl Step {
    /// In this order.
    pub(crate) const ALL: [Self; 4] = [Self::New, Self::Unchanged, Self::Changed, Self::Archived];

    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::New => "all new",
            Self::Unchanged => "all unchanged",
            Self::Changed => "10 % changed",
            Self::Archived => "all archived",
        }
    }
}

/// What a collector brings of so many VMs.
pub(crate) fn collected(vms: usize, step: Step) -> Collected {
    let numbers = 0..if step == Step::Archived { 0 } else { vms };
    let is_other = |number: usize| step == Step::Changed && number.is_multiple_of(10);
    let collections = [
        (
            Arc::from("vms"),
            numbers
                .clone()
                .map(|number| vm(number, is_other(number)))
                .collect(),
        ),
        (
            Arc::from("disks"),
            numbers.map(|number| disk(number, is_other(number))).collect(),
        ),
    ];
    Collected {
        collections: BTreeMap::from(collections),
        not_found: Vec::new(),
    }
}

fn vm(number: usize, is_other: bool) -> CollectedObject {
    let reference = reference("vm", number);
    CollectedObject {
        manager_ref: ManagerRef::ems_ref(&*reference),
        parent: None,
        attributes: attributes(json!({
            "ems_ref": reference,
            "uid_ems": reference,
            "name": format!("web-{number}"),
            "power_state": if is_other { "stopped" } else { "running" },
            "flavor": "m5.large",
            "created_at": "2026-01-01T12:00:00Z",
            "host": find("hosts", &format!("host-{}", number % 100)),
            "cloud_networks": [find("cloud_networks", "net-1"), find("cloud_networks", "net-2")],
        })),
    }
}

fn disk(number: usize, is_other: bool) -> CollectedObject {
    let (vm, disk) = (reference("vm", number), reference("disk", number));
    CollectedObject {
        manager_ref: ManagerRef::ems_ref(&*disk),
        parent: Some(ObjectKey {
            association: Arc::from("vms"),
            manager_ref: ManagerRef::ems_ref(&*vm),
        }),
        attributes: attributes(json!({
            "ems_ref": disk,
            "name": disk,
            "size_gb": if is_other { 200 } else { 100 },
            "parent": find("vms", &vm),
        })),
    }
}

fn reference(kind: &str, number: usize) -> String {
    // Keys of clouds come in no order, and those of different kinds in different ones.
    let scattered =
        (number as u64 + kind.len() as u64).wrapping_mul((0x9E37_79B9_7F4A_7C15 << kind.len()) | 1);
    format!("{kind}-{scattered:016x}")
}

fn find(association: &str, reference: &str) -> Value {
    json!({"$ref": {"association": association, "manager_ref": {"ems_ref": reference}}})
}

fn attributes(value: Value) -> BTreeMap<String, switchboard::model::json::Value> {
    serde_json::from_value(value).unwrap()
}
