//! Which domain wins: for an instance, for a method, for a wildcard (reference 3).
//!
//! Names are compared for equality and disabled domains stay disabled; docs/differences.md says why.

use std::sync::Arc;

use crate::automate::datastore::Class;
use crate::automate::datastore::Datastore;
use crate::automate::datastore::MISSING;
use crate::automate::relationship::DatastorePath;

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

    /// The instances that a path ending in `*` stands for, with their classes (3.5): those of the single highest
    /// enabled domain with at least one, sorted by path.
    pub(crate) fn search_wildcard(&self, pattern: &DatastorePath) -> Vec<(Arc<Class>, Arc<str>)> {
        let pattern = format!(
            "{}/{}",
            pattern.key,
            pattern.instance_key.as_deref().unwrap_or("")
        );
        let pattern = pattern.strip_suffix('*').unwrap_or(&pattern);
        let rank = |class: &Class| {
            self.domains
                .iter()
                .position(|domain| domain.name == class.domain.name)
        };
        let mut hits = Vec::new();
        for (key, classes) in self.class_paths() {
            for class in classes {
                for instance in &class.instances {
                    if format!("{key}/{}", instance.name.to_lowercase()).starts_with(pattern) {
                        hits.push((class.clone(), instance.name.clone()));
                    }
                }
            }
        }
        let best = hits.iter().map(|(class, _)| rank(class)).min();
        hits.retain(|(class, _)| Some(rank(class)) == best);
        hits.sort_by_cached_key(|(class, name)| format!("{}/{name}", class.full_name()));
        hits
    }
}
