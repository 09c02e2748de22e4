//! The datastore: domains, namespaces, classes, instances and methods, compiled and immutable.
//!
//! Everything that a run looks up is keyed by lower-case text, so a decision costs hash look-ups whatever the
//! number of instances.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::HashMap;

use crate::automate::field::PlanEntry;
use crate::automate::field::SchemaField;
use crate::model::delivery::Location;
use crate::script::Script;
use crate::source::Diagnostic;
use crate::source::SourceFile;

/// The name of the catch-all instance of a class.
pub(crate) const MISSING: &str = ".missing";
/// What an object built from the class alone is called.
pub(crate) const DEFAULT: &str = ".default";

/// One top-level namespace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    pub(crate) name: Arc<str>,
    /// Larger wins; `ManageIQ` is always 0.
    pub(crate) priority: i64,
    pub(crate) enabled: bool,
    /// The path of its file.
    pub(crate) file: Arc<str>,
}

/// A class: schema, instances and methods of one domain.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) domain: Arc<Domain>,
    /// With the domain, as stored: `ManageIQ/System/Event`.
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) file: Arc<SourceFile>,
    pub(crate) line: u32,
    /// The base that its file names, whether or not there is such a class.
    pub(crate) inherits: Option<Arc<str>>,
    pub(crate) fields: Arc<[SchemaField]>,
    /// Whether one of the fields is a state.
    pub(crate) is_state_machine: bool,
    /// What `.default` does.
    pub(crate) default_plan: Arc<[PlanEntry]>,
    /// In the order of their files.
    pub(crate) instances: Vec<Arc<Instance>>,
    /// Shared with the class of the load before as long as the names are the same.
    pub(crate) instance_index: Arc<HashMap<Arc<str>, u32>>,
    pub(crate) methods: BTreeMap<Arc<str>, Arc<Method>>,
    /// The classes it inherits from, nearest first.
    pub(crate) bases: Vec<Arc<Class>>,
    /// Every file it was made of, in order: what decides whether it can be kept by the next load.
    pub(crate) files: Vec<Arc<SourceFile>>,
    /// What is wrong with these files.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// An instance: what it does, in order.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) name: Arc<str>,
    /// `/Domain/Namespace/Class/Instance`, spelled as in the files.
    pub(crate) full_name: Arc<str>,
    pub(crate) file: Arc<SourceFile>,
    pub(crate) line: u32,
    /// What its author says of it.
    pub(crate) description: Option<Arc<str>>,
    pub(crate) plan: Arc<[PlanEntry]>,
    /// Whether it says that it inherits from another one.
    pub(crate) is_inheriting: bool,
    pub(crate) diagnostics: Box<[Diagnostic]>,
}

/// A method.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) name: Arc<str>,
    pub(crate) class_scope: bool,
    pub(crate) location: Location,
    pub(crate) body: Body,
    pub(crate) inputs: Arc<[SchemaField]>,
    pub(crate) embedded: Vec<Arc<str>>,
    pub(crate) file: Option<Arc<SourceFile>>,
    pub(crate) line: u32,
}

/// What a method runs.
#[derive(Debug)]
pub(crate) enum Body {
    /// A Rhai script.
    Script(Script),
    /// Nothing: the call returns nothing.
    Empty,
    /// The builtin of this name, lower case.
    Builtin(Arc<str>),
    /// A query, still as text.
    Expression(Arc<str>),
    /// A body that cannot run; why, for the InvalidMethod that a call raises.
    Unusable(String),
}

impl Class {
    /// `/Domain/Namespace/Class`.
    pub(crate) fn full_name(&self) -> String {
        format!("/{}/{}", self.namespace, self.name)
    }

    /// The instance of a lower-case name.
    pub(crate) fn instance(&self, key: &str) -> Option<&Arc<Instance>> {
        let index = self.instance_index.get(key)?;
        self.instances.get(usize::try_from(*index).ok()?)
    }

    /// The method of a lower-case name, inherited ones last.
    pub(crate) fn method(&self, key: &str) -> Option<&Arc<Method>> {
        self.methods
            .get(key)
            .or_else(|| self.bases.iter().find_map(|base| base.methods.get(key)))
    }
}

/// Everything that was loaded, indexed.
#[derive(Debug, Default)]
pub(crate) struct Datastore {
    /// Highest priority first; disabled ones at their place.
    pub(crate) domains: Vec<Arc<Domain>>,
    /// `namespace/class` without domain, lower case, to the classes of enabled domains, highest priority first.
    by_path: HashMap<Arc<str>, Vec<Arc<Class>>>,
    /// `domain/namespace/class`, lower case, to the class of an enabled domain.
    by_full_path: HashMap<Arc<str>, Arc<Class>>,
    /// All classes, disabled domains included, in the order of domains and paths.
    pub(crate) classes: Vec<Arc<Class>>,
    /// `scripts/actions/<name>.rhai`, by lower-case name.
    pub(crate) actions: BTreeMap<Arc<str>, Arc<Method>>,
    /// For each action a class whose only field calls it, so that a path can lead to it.
    pub(crate) action_classes: BTreeMap<Arc<str>, Arc<Class>>,
    /// The methods of the built-in `$/Object`.
    pub(crate) object_methods: BTreeMap<Arc<str>, Arc<Method>>,
}

impl Datastore {
    /// Indexes classes. Domains are ordered by priority, then by name.
    pub(crate) fn new(mut domains: Vec<Arc<Domain>>, mut classes: Vec<Arc<Class>>) -> Self {
        domains.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.name.cmp(&b.name)));
        let rank: HashMap<&str, usize> = domains
            .iter()
            .enumerate()
            .map(|(rank, domain)| (&*domain.name, rank))
            .collect();
        classes.sort_by_key(|class| rank.get(&*class.domain.name).copied());
        let mut store = Self {
            domains: domains.clone(),
            ..Self::default()
        };
        for class in classes.iter().filter(|class| class.domain.enabled) {
            let full: Arc<str> = Arc::from(format!("{}/{}", class.namespace, class.name).to_lowercase());
            if let Some((_, path)) = full.split_once('/') {
                store
                    .by_path
                    .entry(Arc::from(path))
                    .or_default()
                    .push(class.clone());
            }
            store.by_full_path.insert(full, class.clone());
        }
        store.classes = classes;
        store
    }

    /// The classes of enabled domains under a domain-less lower-case path, highest priority first.
    pub(crate) fn candidates(&self, key: &str) -> &[Arc<Class>] {
        self.by_path.get(key).map_or(&[], Vec::as_slice)
    }

    /// The class under a lower-case path with its domain.
    pub(crate) fn class(&self, key: &str) -> Option<&Arc<Class>> {
        self.by_full_path.get(key)
    }
    /// Domain-less lower-case paths of classes of enabled domains; for wildcards.
    pub(crate) fn class_paths(&self) -> impl Iterator<Item = (&Arc<str>, &Vec<Arc<Class>>)> {
        self.by_path.iter()
    }
}
