//! Target and TargetCollection: what a refresh is asked to look at again (`inventory_refresh`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::json;

/// The natural key of an object within its association, for example `{"ems_ref": "i-1"}`.
///
/// Values are text, as ManageIQ's indexes hold them. An empty one means "all of this association".
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ManagerRef(pub BTreeMap<Arc<str>, Arc<str>>);

impl ManagerRef {
    /// The common case: one `ems_ref`.
    pub fn ems_ref(value: impl Into<Arc<str>>) -> Self {
        Self(BTreeMap::from([(Arc::from("ems_ref"), value.into())]))
    }

    /// What names the object within its association: its `ems_ref` where that is the key, else the key as JSON.
    pub fn reference(&self) -> String {
        let mut values = self.0.iter();
        match (values.next(), values.next()) {
            (Some((key, value)), None) if &**key == "ems_ref" => value.to_string(),
            _several => json::json!(self).to_string(),
        }
    }

    /// The key that [`ManagerRef::reference`] names so.
    pub fn of_reference(text: &str) -> Self {
        let key = text.starts_with('{').then(|| serde_json::from_str(text).ok());
        key.flatten().unwrap_or_else(|| Self::ems_ref(text))
    }

    /// Whether it stands for the whole association (C106).
    pub fn is_whole_association(&self) -> bool {
        self.0.is_empty()
    }
}

/// One object, or one whole association, to be refreshed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The collection it belongs to: `vms`, `cloud_volumes`, ...
    pub association: Arc<str>,
    /// Its key in that collection.
    pub manager_ref: ManagerRef,
    /// Another manager by name, where the object is not the event's own manager's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ems: Option<Arc<str>>,
    /// What the collector may use instead of asking, or must know to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<json::Value>,
}

impl Target {
    /// A target without options.
    pub fn new(association: impl Into<Arc<str>>, manager_ref: ManagerRef) -> Self {
        Self {
            association: association.into(),
            manager_ref,
            ems: None,
            options: None,
        }
    }

    /// A target as people name it: `vms:i-1`, or `key_pairs.name:deploy` where the key is not `ems_ref`.
    ///
    /// # Errors
    /// When the text is no such name: what is expected.
    pub fn named(text: &str) -> Result<Self, String> {
        let expected = "ASSOCIATION:REF is expected, such as vms:i-1";
        let (collection, value) = text.split_once(':').ok_or(expected)?;
        let (association, key) = collection.split_once('.').unwrap_or((collection, "ems_ref"));
        if association.is_empty() || key.is_empty() || value.is_empty() {
            return Err(expected.to_owned());
        }
        let manager_ref = ManagerRef(BTreeMap::from([(Arc::from(key), Arc::from(value))]));
        Ok(Self::new(association, manager_ref))
    }

    fn key(&self) -> (&str, &ManagerRef, Option<&str>) {
        (&self.association, &self.manager_ref, self.ems.as_deref())
    }
}

/// Targets without duplicates, in the order in which they were added; composite keys stay whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TargetCollection {
    targets: Vec<Target>,
    /// How many were left out because their reference was blank.
    #[serde(skip)]
    blank: usize,
}

/// What an event asks to be refreshed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshWanted {
    /// These objects; nothing where there are none.
    Targets(TargetCollection),
    /// Everything of its manager, said openly.
    Everything,
}

impl TargetCollection {
    /// Adds a target unless an equal one (association, key, manager) is there; says whether it was new.
    pub fn add(&mut self, target: Target) -> bool {
        // A handful of targets is the rule, so a scan is cheaper than an index; the refresh queue has one.
        let is_new = self.targets.iter().all(|known| known.key() != target.key());
        if is_new {
            self.targets.push(target);
        }
        is_new
    }

    /// Adds the object of an association that has this value under this key, unless it is there; says whether
    /// it was new.
    pub fn add_keyed(&mut self, association: &str, key: &str, value: &str) -> bool {
        let is_same = |known: &Target| {
            let reference = &known.manager_ref.0;
            *known.association == *association
                && known.ems.is_none()
                && reference.len() == 1
                && reference.get(key).is_some_and(|known| **known == *value)
        };
        let is_new = !self.targets.iter().any(is_same);
        if is_new {
            let manager_ref = ManagerRef(BTreeMap::from([(Arc::from(key), Arc::from(value))]));
            self.targets.push(Target::new(association, manager_ref));
        }
        is_new
    }

    /// The targets in the order in which they were added.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Counts a target that is left out because its reference is blank: it must not widen a refresh (12.4, 23).
    pub fn leave_out(&mut self) {
        self.blank += 1;
    }

    /// How many targets were left out because their reference was blank.
    pub fn left_out(&self) -> usize {
        self.blank
    }

    /// Whether there is nothing to refresh.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The targets by association, then key: the order of every printed list.
    pub fn sorted(&self) -> Vec<&Target> {
        let mut sorted: Vec<&Target> = self.targets.iter().collect();
        sorted.sort_by_key(|target| target.key());
        sorted
    }
}

impl FromIterator<Target> for TargetCollection {
    fn from_iter<I: IntoIterator<Item = Target>>(targets: I) -> Self {
        let mut collection = Self::default();
        for target in targets {
            collection.add(target);
        }
        collection
    }
}
