//! Associations of an event: the names by which rules reach the objects that it is related to.

/// One name, and what it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Association {
    /// As rules write it.
    pub name: &'static str,
    /// The class of its record.
    pub class: &'static str,
    /// The column of the event that holds the record's number.
    pub column: &'static str,
}

const VM: &str = "vm_or_template_id";
const DEST_VM: &str = "dest_vm_or_template_id";

/// The associations of ManageIQ's event records that inventory can answer (the reference's 6.6 and 7.3).
pub const ASSOCIATIONS: [Association; 17] = [
    association("vm", "VmOrTemplate", VM),
    association("src_vm", "VmOrTemplate", VM),
    association("vm_or_template", "VmOrTemplate", VM),
    association("src_vm_or_template", "VmOrTemplate", VM),
    association("dest_vm", "VmOrTemplate", DEST_VM),
    association("dest_vm_or_template", "VmOrTemplate", DEST_VM),
    association("host", "Host", "host_id"),
    association("src_host", "Host", "host_id"),
    association("dest_host", "Host", "dest_host_id"),
    association("availability_zone", "AvailabilityZone", "availability_zone_id"),
    association("ems_cluster", "EmsCluster", "ems_cluster_id"),
    association("src_ems_cluster", "EmsCluster", "ems_cluster_id"),
    association("container_node", "ContainerNode", "container_node_id"),
    association("container_group", "ContainerGroup", "container_group_id"),
    association(
        "container_replicator",
        "ContainerReplicator",
        "container_replicator_id",
    ),
    association("physical_storage", "PhysicalStorage", "physical_storage_id"),
    association("physical_server", "PhysicalServer", "physical_server_id"),
];

const fn association(name: &'static str, class: &'static str, column: &'static str) -> Association {
    Association { name, class, column }
}

/// The association of a name.
pub fn find(name: &str) -> Option<Association> {
    ASSOCIATIONS
        .into_iter()
        .find(|association| association.name == name)
}
