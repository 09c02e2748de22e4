//! Inheritance of classes and of instances: found by path, circles refused. The original switched this off.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::HashMap;
use ahash::HashSet;

use crate::automate::class_loader::ClassLoader;
use crate::automate::class_loader::Loose;
use crate::automate::class_loader::plan;
use crate::automate::datastore::Class;
use crate::automate::datastore::Instance;
use crate::automate::field::Aetype;
use crate::automate::field::SchemaField;
use crate::automate::instances::set_instances;
use crate::source::Diagnostic;
use crate::source::suggest;

/// Who names whom as its base, by index.
pub(crate) struct Inheritance {
    /// Class to its base and how that was written.
    bases: BTreeMap<usize, (Option<usize>, String)>,
}

impl Inheritance {
    /// Resolves what each class says: a full path, one without domain (highest enabled domain wins), or a name in
    /// its own namespace.
    pub(crate) fn new(classes: &[Arc<Class>], written: &HashMap<Arc<str>, String>) -> Self {
        let mut bases = BTreeMap::new();
        for (index, class) in classes.iter().enumerate() {
            let Some(base) = written.get(&class.file.path) else {
                continue;
            };
            let wanted = base.trim_matches('/').to_lowercase();
            let own_namespace = format!("{}/{wanted}", class.namespace.to_lowercase());
            let matches = |candidate: &Class| {
                let full = candidate.full_name().trim_start_matches('/').to_lowercase();
                let path = full.split_once('/').map_or("", |(_, path)| path).to_owned();
                full == wanted || path == wanted || full == own_namespace
            };
            let found = classes.iter().enumerate().filter(|(other, candidate)| {
                *other != index && candidate.domain.enabled && matches(candidate)
            });
            let best = found.max_by_key(|(_, candidate)| {
                (
                    candidate.domain.name == class.domain.name,
                    candidate.domain.priority,
                )
            });
            bases.insert(index, (best.map(|(found, _)| found), base.clone()));
        }
        Self { bases }
    }

    /// Each inheriting class with its bases, nearest first. Bases that do not exist and circles are diagnostics.
    pub(crate) fn chains(
        &self,
        classes: &[Arc<Class>],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<(usize, Vec<Arc<Class>>)> {
        let mut chains = Vec::new();
        for (index, (_, own_base)) in &self.bases {
            let Some(class) = classes.get(*index) else {
                continue;
            };
            let (mut chain, mut seen, mut next) = (Vec::new(), vec![*index], Some(*index));
            while let Some((base, written)) = next.take().and_then(|at| self.bases.get(&at)) {
                let Some(base) = base else {
                    if chain.is_empty() {
                        let names: Vec<String> = classes.iter().map(|class| class.full_name()).collect();
                        let help = suggest::did_you_mean(written, names.iter().map(String::as_str));
                        let message =
                            format!("`{}` inherits from `{written}`, which does not exist", class.name);
                        diagnostics.push(
                            Diagnostic::warning("ClassNotFound", &class.file.path, message)
                                .at(class.line, 1)
                                .help(help),
                        );
                    }
                    break;
                };
                if seen.contains(base) {
                    let message = format!("`{}` inherits from itself by way of `{own_base}`", class.name);
                    diagnostics.push(
                        Diagnostic::error("InheritanceCircle", &class.file.path, message).at(class.line, 1),
                    );
                    chain.clear();
                    break;
                }
                seen.push(*base);
                chain.extend(classes.get(*base).cloned());
                next = Some(*base);
            }
            tracing::trace!(class = %class.name, base = %own_base, found = chain.len(), "Inherits.");
            if !chain.is_empty() {
                chains.push((*index, chain));
            }
        }
        chains
    }
}

impl ClassLoader<'_> {
    /// Gives classes what they inherit, then instances: instance over class over inherited, no circles.
    pub(crate) fn inherit(
        &mut self,
        mut classes: Vec<Arc<Class>>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<Arc<Class>> {
        let inheritance = Inheritance::new(&classes, &self.bases);
        for (index, chain) in inheritance.chains(&classes, diagnostics) {
            let Some(class) = classes.get(index) else { continue };
            let rebuilt = self.with_bases(class, chain);
            if let Some(place) = classes.get_mut(index) {
                *place = Arc::new(rebuilt);
            }
        }
        for place in &mut classes {
            if let Some(rebuilt) = self.with_instance_bases(place) {
                *place = Arc::new(rebuilt);
            }
        }
        classes
    }

    /// The class with the fields of its bases before its own; a field of its own replaces the inherited one, and
    /// where it has no default the inherited default stands.
    fn with_bases(&mut self, class: &Arc<Class>, chain: Vec<Arc<Class>>) -> Class {
        let mut fields: Vec<SchemaField> = Vec::new();
        for source in chain.iter().rev().chain([class]) {
            for field in source.fields.iter() {
                match fields.iter_mut().find(|known| known.key == field.key) {
                    Some(known) => {
                        let inherited = known.default.take();
                        *known = field.clone();
                        known.default = known.default.take().or(inherited);
                    }
                    None => fields.push(field.clone()),
                }
            }
        }
        self.rebuilt(class, &fields.into(), chain, &HashMap::default())
    }

    fn with_instance_bases(&mut self, class: &Arc<Class>) -> Option<Class> {
        let inheriting = class.instances.iter().filter(|instance| instance.is_inheriting);
        let mut loose: HashMap<Arc<str>, Loose> = HashMap::default();
        for instance in inheriting {
            if let Ok((_, found)) = self.instance(&class.fields, &instance.file)
                && found.base.is_some()
            {
                loose.insert(Arc::from(instance.name.to_lowercase()), found);
            }
        }
        if loose.is_empty() {
            return None;
        }
        Some(self.rebuilt(class, &class.fields, class.bases.clone(), &loose))
    }

    fn rebuilt(
        &mut self,
        class: &Arc<Class>,
        fields: &Arc<[SchemaField]>,
        bases: Vec<Arc<Class>>,
        loose: &HashMap<Arc<str>, Loose>,
    ) -> Class {
        let mut rebuilt = Class {
            domain: class.domain.clone(),
            namespace: class.namespace.clone(),
            name: class.name.clone(),
            file: class.file.clone(),
            line: class.line,
            is_state_machine: fields.iter().any(|field| field.aetype == Some(Aetype::State)),
            default_plan: plan(fields, &[]).into(),
            fields: fields.clone(),
            instances: Vec::new(),
            instance_index: Arc::default(),
            methods: class.methods.clone(),
            bases,
            files: class.files.clone(),
            diagnostics: class.diagnostics.clone(),
        };
        let mut instances = Vec::with_capacity(class.instances.len());
        for instance in &class.instances {
            let Ok((mut own, own_loose)) = self.instance(fields, &instance.file) else {
                continue;
            };
            if own_loose.base.is_some() {
                self.inherit_instance(class, fields, &mut own, own_loose, loose);
            }
            instances.push(Arc::new(own));
        }
        set_instances(&mut rebuilt, instances, None);
        rebuilt
    }

    /// Adds the values of the inherited instances for fields that have neither a value nor a class default.
    fn inherit_instance(
        &mut self,
        class: &Class,
        fields: &[SchemaField],
        own: &mut Instance,
        mut loose: Loose,
        all: &HashMap<Arc<str>, Loose>,
    ) {
        let mut found: Vec<Diagnostic> = own.diagnostics.to_vec();
        let mut seen: HashSet<String> = HashSet::from_iter([own.name.to_lowercase()]);
        let mut next = loose.base.take();
        let own_base = next.clone().unwrap_or_default();
        while let Some(base) = next.take() {
            let key = base.rsplit('/').next().unwrap_or(&base).to_lowercase();
            let problem =
                |code, message: String| Diagnostic::error(code, &own.file.path, message).at(own.line, 1);
            if !seen.insert(key.clone()) {
                found.push(problem(
                    "InheritanceCircle",
                    format!("`{}` inherits from itself by way of `{own_base}`", own.name),
                ));
                break;
            }
            let Some(instance) = class.instance(&key) else {
                let names = class.instances.iter().map(|instance| &*instance.name);
                let help = suggest::did_you_mean(&base, names);
                found.push(
                    problem(
                        "InstanceNotFound",
                        format!(
                            "`{}` inherits from `{base}`, which this class does not have",
                            own.name
                        ),
                    )
                    .help(help),
                );
                break;
            };
            let Ok((_, inherited)) = self.instance(fields, &instance.file) else {
                break;
            };
            for (index, value, line) in inherited.fields {
                let has_default = fields
                    .get(usize::from(index))
                    .is_some_and(|field| field.default.is_some());
                if !has_default && loose.fields.iter().all(|(known, _, _)| *known != index) {
                    loose.fields.push((index, value, line));
                }
            }
            next = all.get(key.as_str()).and_then(|loose| loose.base.clone());
        }
        let values = self
            .fields
            .values(fields, &loose.fields, &own.file, &mut Vec::new());
        own.plan = plan(fields, &values).into();
        own.diagnostics = found.into();
    }
}
