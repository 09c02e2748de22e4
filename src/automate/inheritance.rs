//! Which class inherits from which: found by path, circles refused. The original switched this off.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::HashMap;

use crate::automate::datastore::Class;
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
        for (index, (_, written)) in &self.bases {
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
                    let message = format!("`{}` inherits from itself by way of `{written}`", class.name);
                    diagnostics.push(
                        Diagnostic::error("inheritance-circle", &class.file.path, message).at(class.line, 1),
                    );
                    chain.clear();
                    break;
                }
                seen.push(*base);
                chain.extend(classes.get(*base).cloned());
                next = Some(*base);
            }
            tracing::trace!(class = %class.name, base = %written, found = chain.len(), "Inherits.");
            if !chain.is_empty() {
                chains.push((*index, chain));
            }
        }
        chains
    }
}
