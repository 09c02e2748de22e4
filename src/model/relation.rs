//! Relation: which keys of an event name which inventory objects. ManageIQ's linking rules as a table.

use crate::model::event::EventHash;

/// How an event is related to one kind of object.
#[derive(Clone, Copy, Debug)]
pub struct Relation {
    /// The column of `event_streams` that holds the object's number.
    pub column: &'static str,
    /// Where the object may be, the usual collection first.
    pub associations: &'static [&'static str],
    /// The key of the hash that holds the object's `ems_ref`.
    pub reference: &'static str,
    /// The key that holds its `uid_ems`, tried second.
    pub uid: Option<&'static str>,
    /// The key that gets its name, where the parser gave none.
    pub name: Option<&'static str>,
    /// Whether an archived object is better than none (C38).
    pub even_archived: bool,
}

const VMS: &[&str] = &["vms", "miq_templates"];
const HOSTS: &[&str] = &["hosts"];

/// The column of an event's availability zone, which may be known from its VM (C39).
pub const ZONE_COLUMN: &str = "availability_zone_id";
/// Where availability zones are.
pub const ZONES: &[&str] = &["availability_zones"];

/// The linking rules (the reference's 3.4), in its order.
pub const RELATIONS: [Relation; 10] = [
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

/// The one object that an event is about most: the first one that its hash names, in the order of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Where it is, by the usual collection.
    pub association: &'static str,
    /// Its key there.
    pub reference: String,
    /// What it is called, where the event says so.
    pub name: Option<String>,
}

/// What an event is about, if it names anything.
pub fn subject(hash: &EventHash) -> Option<Subject> {
    RELATIONS.iter().find_map(|relation| {
        Some(Subject {
            association: relation.associations.first()?,
            reference: hash.text(relation.reference)?.to_owned(),
            name: relation
                .name
                .and_then(|key| hash.text(key))
                .map(ToOwned::to_owned),
        })
    })
}

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
