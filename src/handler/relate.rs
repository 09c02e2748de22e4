//! Which inventory an event is about: a table, and links within the event's own manager only.

use std::collections::BTreeMap;

use crate::model::ems::EmsId;
use crate::model::event::EventHash;
use crate::model::inventory::InventoryObject;
use crate::model::target::ManagerRef;
use crate::model::value::Value;
use crate::vmdb::InventoryView;
use crate::vmdb::VmdbError;

/// Links of an event: column of `event_streams` to id of the inventory.
pub(crate) type Links = BTreeMap<&'static str, i64>;

/// How one kind of object is found.
struct Relation {
    column: &'static str,
    associations: &'static [&'static str],
    /// The key of the hash that holds the object's `ems_ref`.
    reference: &'static str,
    /// The key that holds its `uid_ems`, tried second.
    uid: Option<&'static str>,
    /// The key that gets its name, where the parser gave none.
    name: Option<&'static str>,
    /// Whether an archived object is better than none (C38).
    even_archived: bool,
}

const VMS: &[&str] = &["vms", "miq_templates"];
const HOSTS: &[&str] = &["hosts"];
const ZONES: &[&str] = &["availability_zones"];
const ZONE_COLUMN: &str = "availability_zone_id";

/// ManageIQ's linking rules (the reference's 3.4), in its order.
const RELATIONS: &[Relation] = &[
    Relation {
        uid: Some("vm_uid_ems"),
        name: Some("vm_name"),
        ..relation("vm_or_template_id", VMS, "vm_ems_ref")
    },
    Relation {
        name: Some("dest_vm_name"),
        ..relation("dest_vm_or_template_id", VMS, "dest_vm_ems_ref")
    },
    Relation {
        uid: Some("host_uid_ems"),
        name: Some("host_name"),
        even_archived: true,
        ..relation("host_id", HOSTS, "host_ems_ref")
    },
    Relation {
        name: Some("dest_host_name"),
        ..relation("dest_host_id", HOSTS, "dest_host_ems_ref")
    },
    relation(ZONE_COLUMN, ZONES, "availability_zone_ems_ref"),
    Relation {
        name: Some("ems_cluster_name"),
        ..relation("ems_cluster_id", &["ems_clusters"], "ems_cluster_ems_ref")
    },
    Relation {
        name: Some("container_node_name"),
        ..relation(
            "container_node_id",
            &["container_nodes"],
            "container_node_ems_ref",
        )
    },
    Relation {
        name: Some("container_group_name"),
        ..relation(
            "container_group_id",
            &["container_groups"],
            "container_group_ems_ref",
        )
    },
    Relation {
        name: Some("container_replicator_name"),
        ..relation(
            "container_replicator_id",
            &["container_replicators"],
            "container_replicator_ems_ref",
        )
    },
    Relation {
        name: Some("physical_storage_name"),
        ..relation(
            "physical_storage_id",
            &["physical_storages"],
            "physical_storage_ems_ref",
        )
    },
];

const fn relation(
    column: &'static str,
    associations: &'static [&'static str],
    reference: &'static str,
) -> Relation {
    Relation {
        column,
        associations,
        reference,
        uid: None,
        name: None,
        even_archived: false,
    }
}

/// Finds what the event is about, and adds the names that its parser did not give.
pub(crate) fn relate(
    inventory: &InventoryView<'_>,
    ems_id: EmsId,
    hash: &mut EventHash,
) -> Result<Links, VmdbError> {
    let mut links = Links::new();
    let mut vm = None;
    for relation in RELATIONS {
        if let Some(Value::Int(given)) = hash.attributes.get(relation.column) {
            links.insert(relation.column, *given);
            continue;
        }
        let Some(object) = find(inventory, ems_id, hash, relation)? else {
            continue;
        };
        links.insert(relation.column, object.id);
        let name = object.attributes.get("name").and_then(|name| name.as_str());
        if let (Some(key), Some(name)) = (relation.name, name)
            && hash.text(key).is_none()
        {
            hash.attributes.insert(key.into(), Value::text(name));
        }
        if relation.column == "vm_or_template_id" {
            vm = Some(object);
        }
    }
    if let Some(vm) = vm
        && !links.contains_key(ZONE_COLUMN)
        && let Some(zone) = zone_of(inventory, &vm)?
    {
        links.insert(ZONE_COLUMN, zone.id);
    }
    Ok(links)
}

fn find(
    inventory: &InventoryView<'_>,
    ems_id: EmsId,
    hash: &EventHash,
    relation: &Relation,
) -> Result<Option<InventoryObject>, VmdbError> {
    if let Some(reference) = hash.text(relation.reference) {
        let found = inventory.by_ref(ems_id, relation.associations, &ManagerRef::ems_ref(reference))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    let Some(uid) = relation.uid.and_then(|key| hash.text(key)) else {
        return Ok(None);
    };
    // A uid that two objects share says nothing (C37).
    if let Some(found) = only_one(inventory.by_uid(ems_id, relation.associations, uid, false)?) {
        return Ok(Some(found));
    }
    if !relation.even_archived {
        return Ok(None);
    }
    Ok(only_one(inventory.by_uid(
        ems_id,
        relation.associations,
        uid,
        true,
    )?))
}

fn only_one(mut objects: Vec<InventoryObject>) -> Option<InventoryObject> {
    objects.pop().filter(|_| objects.is_empty())
}

/// The zone that a VM is in (C39): its attribute `availability_zone` holds that zone's `ems_ref`.
fn zone_of(
    inventory: &InventoryView<'_>,
    vm: &InventoryObject,
) -> Result<Option<InventoryObject>, VmdbError> {
    let zone = vm.attributes.get("availability_zone");
    let reference = zone.and_then(|zone| zone.as_str().or_else(|| zone.get("ems_ref")?.as_str()));
    match reference {
        Some(reference) => inventory.by_ref(vm.ems_id, ZONES, &ManagerRef::ems_ref(reference)),
        None => Ok(None),
    }
}
