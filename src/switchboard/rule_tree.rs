//! The rules as a list for people: every instance, and which one covers which.

use std::sync::Arc;

use ahash::HashMap;

use crate::automate::datastore::Class;
use crate::automate::datastore::Instance;
use crate::automate::masked;
use crate::model::rule_tree::RuleDomain;
use crate::model::rule_tree::RuleInstance;
use crate::model::rule_tree::RuleTree;
use crate::source::SourceFile;
use crate::switchboard::Switchboard;

impl Switchboard {
    /// Every domain and instance. Walks through all of them.
    pub fn rule_tree(&self) -> RuleTree {
        let store = &self.datastore;
        let mut counts: HashMap<&str, usize> = HashMap::default();
        let mut instances = Vec::new();
        for class in &store.classes {
            *counts.entry(&*class.domain.name).or_default() += class.instances.len();
            let key = format!("{}/{}", class.namespace, class.name).to_lowercase();
            let path = key.split_once('/').map_or("", |(_domain, path)| path);
            // Only those of enabled domains are found, highest first.
            let candidates = store.candidates(path);
            let place = candidates.iter().position(|other| Arc::ptr_eq(other, class));
            let (higher, lower) = match place.and_then(|place| candidates.split_at_checked(place)) {
                Some((higher, lower)) => (higher, lower.get(1..).unwrap_or_default()),
                None => (Default::default(), Default::default()),
            };
            let namespace = class.namespace.split_once('/').map_or("", |(_domain, rest)| rest);
            let namespace: Arc<str> = Arc::from(namespace);
            for instance in &class.instances {
                instances.push(RuleInstance {
                    path: instance.full_name.clone(),
                    domain: class.domain.name.clone(),
                    namespace: namespace.clone(),
                    class: class.name.clone(),
                    name: instance.name.clone(),
                    file: instance.file.path.clone(),
                    line: instance.line,
                    description: instance.description.clone(),
                    covers: same(lower, instance),
                    covered_by: same(higher, instance),
                });
            }
        }
        let domains = store.domains.iter().map(|domain| RuleDomain {
            name: domain.name.clone(),
            priority: domain.priority,
            enabled: domain.enabled,
            instances: counts.get(&*domain.name).copied().unwrap_or(0),
            file: domain.file.clone(),
        });
        RuleTree {
            domains: domains.collect(),
            instances,
        }
    }

    /// The text of a file that these rules were loaded from, its passwords masked.
    pub fn shown_text(&self, file: &SourceFile) -> String {
        masked::masked(&self.datastore, file).into_owned()
    }
}

/// The first instance of the same name in these classes.
fn same(classes: &[Arc<Class>], instance: &Instance) -> Option<Arc<str>> {
    if classes.is_empty() {
        return None;
    }
    let key = instance.name.to_lowercase();
    let found = classes.iter().find_map(|class| class.instance(&key));
    found.map(|found| found.full_name.clone())
}
