//! Inventory: what a collector returns and a saver keeps, and how rules and handlers look it up.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::ems::EmsId;
use crate::model::json;
use crate::model::target::ManagerRef;
use crate::model::target::Target;

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
    pub attributes: BTreeMap<String, json::Value>,
}

/// An object by its natural key, whether or not it is there (`lazy_find`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// The collection it belongs to.
    pub association: Arc<str>,
    /// Its key in that collection.
    pub manager_ref: ManagerRef,
}

/// One object as a collector brought it.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectedObject {
    /// Its key in its collection.
    pub manager_ref: ManagerRef,
    /// The object that it is a part of: when that one is read again and this one is not among its parts, it is gone.
    pub parent: Option<ObjectKey>,
    /// Its attributes. A reference to another object is an [`ObjectKey`] under `$ref`.
    pub attributes: BTreeMap<String, json::Value>,
}

/// What a collector was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum RefreshScope {
    /// Everything that the manager has.
    Full,
    /// These objects; an empty key stands for a whole association (C106).
    Targets(Vec<Target>),
}

/// What a collector brought, complete or not at all: a collector that fails brings nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collected {
    /// The objects by association. In a full refresh, a collection that is here is complete, and one that is not was
    /// not asked for.
    pub collections: BTreeMap<Arc<str>, Vec<CollectedObject>>,
    /// Objects that were asked for and of which the provider said that they are not there.
    pub not_found: Vec<ObjectKey>,
}
