//! Which domain wins: for an instance, for a method, for a wildcard (reference 3).
//!
//! Names are compared for equality and disabled domains stay disabled; docs/differences.md says why.

use std::sync::Arc;

use crate::automate::datastore::Class;
use crate::automate::datastore::Datastore;
use crate::automate::datastore::MISSING;

/// The class that an instance path leads to, and the namespace to name the object by.
pub(crate) struct Found<'a> {
    pub(crate) class: &'a Arc<Class>,
}

impl Datastore {
    /// Chooses the domain of an instance path (3.2). `key` is `namespace/class`, lower case, with or without domain.
    ///
    /// An exact instance of any enabled domain beats `.missing` of any other; only then the path is read as one
    /// that begins with its domain.
    pub(crate) fn search_instance(&self, key: &str, instance: Option<&str>) -> Option<Found<'_>> {
        let candidates = self.candidates(key);
        let exact = instance.and_then(|name| candidates.iter().find(|class| class.instance(name).is_some()));
        let fallback = || candidates.iter().find(|class| class.instance(MISSING).is_some());
        exact
            .or_else(fallback)
            .or_else(|| self.class(key))
            .map(|class| Found { class })
    }

    /// Whether an enabled domain has exactly this instance.
    pub(crate) fn has_instance(&self, key: &str, instance: &str) -> bool {
        let is_there = |class: &Arc<Class>| class.instance(instance).is_some();
        self.candidates(key).iter().any(is_there) || self.class(key).is_some_and(is_there)
    }

    /// Chooses the class whose method runs (3.4): the highest enabled domain that has the method, or, as the
    /// original has it, that has `.missing`. `key` is `namespace/class` without domain, lower case.
    pub(crate) fn search_method(&self, key: &str, method: &str) -> Option<&Arc<Class>> {
        let candidates = self.candidates(key);
        let exact = candidates.iter().find(|class| class.methods.contains_key(method));
        exact.or_else(|| candidates.iter().find(|class| class.instance(MISSING).is_some()))
    }

    /// Full paths of the instances that a path ending in `*` stands for (3.5): those of the single highest
    /// enabled domain with at least one, sorted.
    pub(crate) fn search_wildcard(&self, path: &str) -> Vec<String> {
        let pattern = path.trim_start_matches('/').trim_end_matches('*').to_lowercase();
        let mut best: Option<(&Arc<Class>, Vec<String>)> = None;
        let rank = |class: &Arc<Class>| {
            self.domains
                .iter()
                .position(|domain| domain.name == class.domain.name)
        };
        for (key, classes) in self.class_paths() {
            for class in classes {
                let hits = class.instances.iter().filter(|instance| {
                    let full = format!("{key}/{}", instance.name.to_lowercase());
                    full.starts_with(&pattern)
                });
                let hits: Vec<String> = hits
                    .map(|instance| format!("{}/{}", class.full_name(), instance.name))
                    .collect();
                if hits.is_empty() {
                    continue;
                }
                match &mut best {
                    Some((known, paths)) if rank(known) == rank(class) => paths.extend(hits),
                    Some((known, _)) if rank(known) < rank(class) => (),
                    _other => best = Some((class, hits)),
                }
            }
        }
        let mut paths = best.map(|(_, paths)| paths).unwrap_or_default();
        paths.sort();
        paths
    }
}
