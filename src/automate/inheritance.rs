//! Inheritance of classes: found by path, circles refused. The original switched this off.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::automate::class_loader::ClassLoader;
use crate::automate::class_loader::plan;
use crate::automate::datastore::Class;
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
    pub(crate) fn new(classes: &[Arc<Class>]) -> Self {
        let mut bases = BTreeMap::new();
        for (index, class) in classes.iter().enumerate() {
            let Some(base) = class.inherits.as_deref() else {
                continue;
            };
            let found = classes.iter().enumerate().filter(|(other, candidate)| {
                *other != index && candidate.domain.enabled && is_named(candidate, base, class)
            });
            let best = found.max_by_key(|(_, candidate)| {
                (
                    candidate.domain.name == class.domain.name,
                    candidate.domain.priority,
                )
            });
            bases.insert(index, (best.map(|(found, _)| found), base.to_owned()));
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

/// Whether a path in a file of `near` means this class: with its domain, without one, or from the namespace of `near` on.
pub(crate) fn is_named(class: &Class, path: &str, near: &Class) -> bool {
    let wanted = path.trim_matches('/').to_lowercase();
    let full = class.full_name().trim_start_matches('/').to_lowercase();
    let without_domain = full.split_once('/').map_or("", |(_, path)| path);
    full == wanted
        || without_domain == wanted
        || full == format!("{}/{wanted}", near.namespace.to_lowercase())
}

impl ClassLoader<'_> {
    /// Gives classes what they inherit, then instances.
    pub(crate) fn inherit(
        &mut self,
        mut classes: Vec<Arc<Class>>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<Arc<Class>> {
        let inheritance = Inheritance::new(&classes);
        for (index, chain) in inheritance.chains(&classes, diagnostics) {
            let Some(class) = classes.get(index) else { continue };
            let rebuilt = self.with_bases(class, chain);
            if let Some(place) = classes.get_mut(index) {
                *place = Arc::new(rebuilt);
            }
        }
        for place in &mut classes {
            if place.instances.iter().any(|instance| instance.is_inheriting) {
                *place = Arc::new(self.with_instance_bases(place));
            }
        }
        classes
    }

    /// The class with the fields of its bases before its own; a field of its own replaces the inherited one, and
    /// where it has no default it keeps the inherited default.
    fn with_bases(&mut self, class: &Arc<Class>, chain: Vec<Arc<Class>>) -> Class {
        let mut fields: Vec<SchemaField> = Vec::new();
        for source in chain.iter().rev().chain([class]) {
            for field in source.fields.iter() {
                let field = SchemaField {
                    inherited_from: (!Arc::ptr_eq(source, class)).then(|| source.file.clone()),
                    ..field.clone()
                };
                match fields.iter_mut().find(|known| known.key == field.key) {
                    Some(known) => {
                        let inherited = known.default.take();
                        *known = field;
                        known.default = known.default.take().or(inherited);
                    }
                    None => fields.push(field),
                }
            }
        }
        let fields: Arc<[SchemaField]> = fields.into();
        let instances = class.instances.iter().filter_map(|instance| {
            let (instance, _) = self.instance(&class.full_name(), &fields, &instance.file).ok()?;
            Some(Arc::new(instance))
        });
        let instances = instances.collect();
        let mut rebuilt = Class {
            is_state_machine: fields.iter().any(|field| field.aetype == Some(Aetype::State)),
            default_plan: plan(&fields, &[]).into(),
            fields,
            bases: chain,
            ..copy(class)
        };
        set_instances(&mut rebuilt, instances, None);
        rebuilt
    }
}

/// A class without its instances.
pub(crate) fn copy(class: &Class) -> Class {
    Class {
        domain: class.domain.clone(),
        namespace: class.namespace.clone(),
        name: class.name.clone(),
        file: class.file.clone(),
        line: class.line,
        inherits: class.inherits.clone(),
        is_state_machine: class.is_state_machine,
        default_plan: class.default_plan.clone(),
        fields: class.fields.clone(),
        instances: Vec::new(),
        instance_index: Arc::default(),
        methods: class.methods.clone(),
        bases: class.bases.clone(),
        files: class.files.clone(),
        diagnostics: class.diagnostics.clone(),
    }
}
