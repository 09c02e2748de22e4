//! Inheritance of instances: a value is the instance's own, else that of the instance it inherits from, else the default
//! of its class. The original switched this off.

use std::sync::Arc;

use crate::automate::class_loader::ClassLoader;
use crate::automate::class_loader::Loose;
use crate::automate::class_loader::plan;
use crate::automate::datastore::Class;
use crate::automate::datastore::Instance;
use crate::automate::field::PlanEntry;
use crate::automate::field::SchemaField;
use crate::automate::inheritance;
use crate::automate::instances::set_instances;
use crate::source::Diagnostic;
use crate::source::SourceFile;
use crate::source::suggest;
use crate::source::yaml::Content;
use crate::source::yaml::Entry;
use crate::source::yaml::Node;
use crate::source::yaml::Position;

/// A class and those that it inherits from, nearest first.
type Lineage<'a> = [&'a Arc<Class>];

/// An instance of a lineage.
struct Found {
    /// Which class of the lineage has it.
    class: usize,
    instance: Arc<Instance>,
}

/// The value of a field on its way to an instance: the node of a file, and its place.
struct Written {
    /// Its place in the schema of the class.
    field: u16,
    node: Node,
    at: Position,
    /// The file that its text is from; none for the instance's own.
    file: Option<Arc<SourceFile>>,
}

impl ClassLoader<'_> {
    /// The class, its instances completed with inherited values.
    pub(crate) fn with_instance_bases(&mut self, class: &Arc<Class>) -> Class {
        let lineage: Vec<&Arc<Class>> = std::iter::once(class).chain(&class.bases).collect();
        let mut instances = Vec::with_capacity(class.instances.len());
        for instance in &class.instances {
            let inheriting = instance.is_inheriting.then(|| self.inherited(&lineage, instance));
            instances.push(inheriting.flatten().unwrap_or_else(|| instance.clone()));
        }
        let mut rebuilt = inheritance::copy(class);
        set_instances(&mut rebuilt, instances, None);
        rebuilt
    }

    /// The instance, completed with inherited values; none if its file cannot be read.
    fn inherited(&mut self, lineage: &Lineage<'_>, instance: &Arc<Instance>) -> Option<Arc<Instance>> {
        let class = *lineage.first()?;
        let (mut own, loose) = self.loose(class, &instance.file)?;
        let mut found: Vec<Diagnostic> = own.diagnostics.to_vec();
        let mut next = loose.base.clone();
        let mut written: Vec<Written> = loose.fields.into_iter().map(Written::own).collect();
        let mut at = Found {
            class: 0,
            instance: instance.clone(),
        };
        let mut seen = vec![instance.file.clone()];
        while let Some(base) = next.take() {
            match find(lineage, &at, &base) {
                None => {
                    // The finding about the missing base of a base belongs to that base.
                    if seen.len() == 1 {
                        found.push(not_found(lineage, &own, &base));
                    }
                    break;
                }
                Some(base) if seen.iter().any(|file| Arc::ptr_eq(file, &base.instance.file)) => {
                    if Arc::ptr_eq(&base.instance.file, &instance.file) {
                        found.push(circle(&own, loose.base.as_deref().unwrap_or("")));
                    }
                    break;
                }
                Some(base) => at = base,
            }
            seen.push(at.instance.file.clone());
            let of = *lineage.get(at.class)?;
            let (_, inherited) = self.loose(of, &at.instance.file)?;
            for (field, node, place) in inherited.fields {
                let key = of.fields.get(usize::from(field)).map(|field| &field.key);
                let field = class.fields.iter().position(|own| Some(&own.key) == key);
                let Some(field) = field.and_then(|field| u16::try_from(field).ok()) else {
                    continue;
                };
                let file = Some(at.instance.file.clone());
                add(
                    &mut written,
                    &class.fields,
                    Written {
                        field,
                        node,
                        at: place,
                        file,
                    },
                );
            }
            next = inherited.base;
        }
        let values = self.values(&class.fields, &written, &own.file);
        own.plan = plan(&class.fields, &values).into();
        own.diagnostics = found.into();
        Some(Arc::new(own))
    }

    fn loose(&mut self, class: &Class, file: &Arc<SourceFile>) -> Option<(Instance, Loose)> {
        self.instance(&class.full_name(), &class.fields, file).ok()
    }

    /// Prepares each value as one of the file that its text is from. Findings about it belong to that file alone.
    fn values(
        &mut self,
        schema: &[SchemaField],
        written: &[Written],
        own: &Arc<SourceFile>,
    ) -> Vec<PlanEntry> {
        let mut values = Vec::with_capacity(written.len());
        for one in written {
            let file = one.file.as_ref().unwrap_or(own);
            let written = [(one.field, one.node.clone(), one.at)];
            let entries = self.fields.values(schema, &written, file, &mut Vec::new());
            values.extend(entries.into_iter().map(|entry| PlanEntry {
                inherited_from: one.file.clone(),
                ..entry
            }));
        }
        values
    }
}

impl Written {
    fn own((field, node, at): (u16, Node, Position)) -> Self {
        Self {
            field,
            node,
            at,
            file: None,
        }
    }

    /// The entries of its map; a node that is no map is its own `value`.
    fn parts(&self) -> Vec<Entry> {
        match &self.node.content {
            Content::Map(entries) => entries.clone(),
            _value => vec![Entry {
                key: "value".to_owned(),
                at: self.at,
                value: self.node.clone(),
            }],
        }
    }

    /// The node under a key of its map; a node that is no map is its own `value`.
    fn part(&self, key: &str) -> Option<&Node> {
        match &self.node.content {
            Content::Map(_) => self.node.get(key),
            _value => Some(&self.node).filter(|_| key == "value"),
        }
    }
}

/// Adds an inherited value. If the field has a value already, only the keys that it leaves open are filled in.
fn add(written: &mut Vec<Written>, schema: &[SchemaField], inherited: Written) {
    let Some(known) = written.iter_mut().find(|known| known.field == inherited.field) else {
        written.push(inherited);
        return;
    };
    let is_coalescing = schema
        .get(usize::from(known.field))
        .is_some_and(|field| field.is_coalescing);
    let is_open = |node: Option<&Node>, key: &str| match node.and_then(Node::text) {
        // Null coalescing takes an empty value for one.
        Some(text) => text.trim().is_empty() && !(is_coalescing && key == "value"),
        None => true,
    };
    let mut parts = known.parts();
    for part in inherited.parts() {
        let key = part.key.as_str();
        if !is_open(known.part(key), key) || is_open(Some(&part.value), key) {
            continue;
        }
        parts.retain(|known| known.key != key);
        if key == "value" {
            known.at = inherited.at;
            known.file.clone_from(&inherited.file);
        }
        parts.push(part);
    }
    known.node.content = Content::Map(parts);
}

/// Resolves `inherits` of an instance: a name, or a path that ends in one, looked for in the inherited classes, nearest
/// first, then in the instance's own class.
fn find(lineage: &Lineage<'_>, at: &Found, base: &str) -> Option<Found> {
    let near = *lineage.get(at.class)?;
    let (path, name) = base
        .rsplit_once('/')
        .map_or((None, base), |(path, name)| (Some(path), name));
    let key = name.trim().to_lowercase();
    let inherited = at.class + 1..lineage.len();
    inherited.chain([at.class]).find_map(|index| {
        let class = *lineage.get(index)?;
        if path.is_some_and(|path| !inheritance::is_named(class, path, near)) {
            return None;
        }
        let instance = class.instance(&key)?.clone();
        Some(Found {
            class: index,
            instance,
        })
    })
}

fn circle(own: &Instance, base: &str) -> Diagnostic {
    let message = format!("`{}` inherits from itself by way of `{base}`", own.name);
    Diagnostic::error("InheritanceCircle", &own.file.path, message).at(own.line, 1)
}

fn not_found(lineage: &Lineage<'_>, own: &Instance, base: &str) -> Diagnostic {
    let who = match lineage {
        [_] => "which this class does not have",
        _with_bases => "which neither this class nor one that it inherits from has",
    };
    let message = format!("`{}` inherits from `{base}`, {who}", own.name);
    let names = lineage
        .iter()
        .flat_map(|class| &class.instances)
        .map(|instance| &*instance.name);
    let help = suggest::did_you_mean(base, names);
    Diagnostic::error("InstanceNotFound", &own.file.path, message)
        .at(own.line, 1)
        .help(help)
}
