//! The managers by name and by number, kept in memory: every message asks for one.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;

use crate::model::ems::Ems;
use crate::model::ems::EmsId;

/// Another process may add or remove a manager; it is seen this much later.
const FRESH: Duration = Duration::from_secs(1);

/// Every manager, removed ones included: their events stay.
#[derive(Debug)]
pub(crate) struct Managers {
    pub(crate) all: Vec<(Arc<Ems>, bool)>,
}

impl Managers {
    /// The manager of this name, unless it was removed.
    pub(crate) fn by_name(&self, name: &str) -> Option<Arc<Ems>> {
        let found = self
            .all
            .iter()
            .find(|(ems, is_removed)| !is_removed && &*ems.name == name);
        found.map(|(ems, _)| ems.clone())
    }

    /// The manager of this number, even a removed one.
    pub(crate) fn by_id(&self, id: EmsId) -> Option<Arc<Ems>> {
        let index = self.all.binary_search_by_key(&id, |(ems, _)| ems.id).ok()?;
        self.all.get(index).map(|(ems, _)| ems.clone())
    }

    /// The name of a manager, for lists.
    pub(crate) fn name(&self, id: EmsId) -> Arc<str> {
        self.by_id(id)
            .map_or_else(|| Arc::from(id.to_string()), |ems| ems.name.clone())
    }
}

#[derive(Debug, Default)]
pub(crate) struct EmsNames {
    known: Mutex<Option<(Instant, Arc<Managers>)>>,
}

impl EmsNames {
    /// What is known, unless it is too old to be believed.
    pub(crate) fn get(&self) -> Option<Arc<Managers>> {
        let known = self.known.lock();
        let (at, managers) = known.as_ref()?;
        (at.elapsed() < FRESH).then(|| managers.clone())
    }

    pub(crate) fn keep(&self, managers: &Arc<Managers>) {
        *self.known.lock() = Some((Instant::now(), managers.clone()));
    }

    pub(crate) fn forget(&self) {
        *self.known.lock() = None;
    }
}
