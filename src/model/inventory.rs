//! Inventory: what a collector returns and a saver keeps, and how rules and handlers look it up.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::ems::EmsId;
use crate::model::target::ManagerRef;

/// One managed object as the inventory knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InventoryObject {
    /// Its number in the database; 0 for one that is not saved yet.
    pub id: i64,
    /// Whose it is.
    pub ems_id: EmsId,
    /// The collection it belongs to: `vms`, `hosts`, ...
    pub association: Arc<str>,
    /// Its key in that collection.
    pub manager_ref: ManagerRef,
    /// Its attributes, `name` and `uid_ems` among them.
    pub attributes: BTreeMap<String, serde_json::Value>,
}
