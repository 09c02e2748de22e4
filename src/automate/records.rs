//! The classes of records, and the records of a simulation, which are given.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::model::json;
use crate::model::records::Records;
use crate::model::value::Record;
use crate::model::value::Value;

/// Classes that can be named in a typed argument, whether or not there is a record of them.
const CLASSES: [&str; 44] = [
    "AvailabilityZone",
    "CloudNetwork",
    "CloudSubnet",
    "CloudTenant",
    "CloudVolume",
    "CloudVolumeSnapshot",
    "ConfiguredSystem",
    "Container",
    "ContainerGroup",
    "ContainerNode",
    "ContainerProject",
    "ContainerReplicator",
    "CustomButtonEvent",
    "CustomEvent",
    "EmsCluster",
    "EmsEvent",
    "EmsFolder",
    "EventStream",
    "ExtManagementSystem",
    "Flavor",
    "FloatingIp",
    "Host",
    "HostAggregate",
    "LoadBalancer",
    "MiqAlert",
    "MiqEvent",
    "MiqGroup",
    "MiqPolicy",
    "MiqProvision",
    "MiqProvisionRequest",
    "MiqRequest",
    "MiqServer",
    "MiqTemplate",
    "NetworkPort",
    "NetworkRouter",
    "OrchestrationStack",
    "PhysicalServer",
    "RequestEvent",
    "ResourcePool",
    "SecurityGroup",
    "Service",
    "Storage",
    "Vm",
    "VmOrTemplate",
];

/// Classes without records here, accepted because entry points name them.
const IDENTITY: [&str; 2] = ["User", "Tenant"];

/// Whether a name is a class of records.
pub(crate) fn is_class(records: &dyn Records, class: &str) -> bool {
    let base = class.rsplit("::").next().unwrap_or(class);
    CLASSES.contains(&base) || IDENTITY.contains(&base) || records.knows(class)
}

/// Names under which a record of a class may be kept: `VmOrTemplate` covers `Vm` and `MiqTemplate`.
pub(crate) fn covered(class: &str) -> Vec<&str> {
    match class {
        "VmOrTemplate" => vec!["VmOrTemplate", "Vm", "MiqTemplate"],
        "EventStream" => vec![
            "EventStream",
            "EmsEvent",
            "MiqEvent",
            "RequestEvent",
            "CustomEvent",
            "CustomButtonEvent",
        ],
        other => vec![other],
    }
}

/// Records given as a map: class to number to columns. The simulation's `records`.
#[derive(Clone, Debug, Default)]
pub(crate) struct GivenRecords {
    by_class: BTreeMap<String, BTreeMap<i64, Arc<GivenRecord>>>,
}

impl GivenRecords {
    /// Reads `{"Vm": {"5": {"name": "web"}}}`.
    ///
    /// # Errors
    /// A text that says which part has another shape.
    pub(crate) fn read(json: &json::Value) -> Result<Self, String> {
        let expected = "`records` has to be a map like {\"Vm\": {\"5\": {\"name\": \"web\"}}}";
        let mut given = Self::default();
        for (class, rows) in json.as_object().ok_or(expected)? {
            let rows_of_class = given.by_class.entry(class.clone()).or_default();
            for (id, columns) in rows.as_object().ok_or(expected)? {
                let number = id
                    .parse()
                    .map_err(|_| format!("{expected}; `{id}` is no number"))?;
                let Value::Map(columns) = Value::from_json(columns) else {
                    return Err(expected.to_owned());
                };
                rows_of_class.insert(
                    number,
                    Arc::new(GivenRecord {
                        class: class.as_str().into(),
                        id: number,
                        columns,
                    }),
                );
            }
        }
        Ok(given)
    }
}

impl Records for GivenRecords {
    fn find(&self, class: &str, id: i64) -> Option<Arc<dyn Record>> {
        let found = covered(class)
            .into_iter()
            .find_map(|name| self.by_class.get(name)?.get(&id));
        found.map(|record| record.clone() as Arc<dyn Record>)
    }

    fn all(&self, class: &str) -> Vec<Arc<dyn Record>> {
        let rows = covered(class)
            .into_iter()
            .filter_map(|name| self.by_class.get(name))
            .flat_map(BTreeMap::values);
        rows.map(|record| record.clone() as Arc<dyn Record>).collect()
    }

    fn knows(&self, class: &str) -> bool {
        self.by_class.contains_key(class)
    }
}

struct GivenRecord {
    class: Arc<str>,
    id: i64,
    columns: Arc<crate::model::value::ValueMap>,
}

impl fmt::Debug for GivenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.class, self.id)
    }
}

impl Record for GivenRecord {
    fn class(&self) -> Arc<str> {
        self.class.clone()
    }

    fn id(&self) -> Option<i64> {
        Some(self.id)
    }

    fn column(&self, name: &str) -> Option<Value> {
        if name == "id" {
            return Some(Value::Int(self.id));
        }
        self.columns.get(name).cloned()
    }
}
