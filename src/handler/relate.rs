//! Which inventory an event is about: by the table of relations, within the event's own manager only.

use std::collections::BTreeMap;

use crate::model::ems::EmsId;
use crate::model::event::EventHash;
use crate::model::inventory::InventoryObject;
use crate::model::relation::RELATIONS;
use crate::model::relation::Relation;
use crate::model::relation::ZONE_COLUMN;
use crate::model::relation::ZONES;
use crate::model::target::ManagerRef;
use crate::model::value::Value;
use crate::vmdb::InventoryView;
use crate::vmdb::VmdbError;

/// What an event is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    /// Column of `event_streams` to id of the inventory.
    pub(crate) ids: BTreeMap<&'static str, i64>,
    /// Which inventory they were found in.
    pub(crate) inventory: u64,
}

/// Finds what the event is about, and adds the names that its parser did not give.
pub(crate) fn relate(
    inventory: &InventoryView<'_>,
    ems_id: EmsId,
    hash: &mut EventHash,
) -> Result<Links, VmdbError> {
    let mut ids = BTreeMap::new();
    let mut vm = None;
    for relation in &RELATIONS {
        if let Some(Value::Int(given)) = hash.attributes.get(relation.column) {
            ids.insert(relation.column, *given);
            continue;
        }
        let Some(object) = find(inventory, ems_id, hash, relation)? else {
            continue;
        };
        ids.insert(relation.column, object.id);
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
        && !ids.contains_key(ZONE_COLUMN)
        && let Some(zone) = zone_of(inventory, &vm)?
    {
        ids.insert(ZONE_COLUMN, zone.id);
    }
    Ok(Links {
        ids,
        inventory: inventory.version(),
    })
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
