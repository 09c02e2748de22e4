//! The instances of a class: taken over from the load before where nothing changed, and found by name.
//!
//! A class may have a hundred thousand of them, so one changed file costs a glance at each of the others.

use std::collections::hash_map::Entry;
use std::iter::Peekable;
use std::slice;
use std::sync::Arc;

use ahash::HashMap;
use ahash::RandomState;

use crate::automate::datastore::Class;
use crate::automate::datastore::Instance;
use crate::source::Diagnostic;
use crate::source::SourceFile;

/// The instance made of exactly this file, if there is one. Both lists are in the order of their files, so one pass
/// finds what can be taken over; most of the time it is the next one.
pub(crate) fn take_over(
    known: &mut Peekable<slice::Iter<'_, Arc<Instance>>>,
    file: &Arc<SourceFile>,
) -> Option<Arc<Instance>> {
    let is_same = |instance: &&Arc<Instance>| Arc::ptr_eq(&instance.file, file);
    known
        .next_if(is_same)
        .or_else(|| {
            while known
                .next_if(|instance| *instance.file.path < *file.path)
                .is_some()
            {}
            known.next_if(is_same)
        })
        .cloned()
}

/// Gives a class its instances, the first of each name. Where the names are those of `previous`, so is the index.
pub(crate) fn set_instances(class: &mut Class, instances: Vec<Arc<Instance>>, previous: Option<&Arc<Class>>) {
    let has_same_names = |previous: &&Arc<Class>| {
        let pairs = || previous.instances.iter().zip(&instances);
        previous.instances.len() == instances.len()
            && pairs().all(|(old, new)| Arc::ptr_eq(old, new) || old.name == new.name)
    };
    if let Some(previous) = previous.filter(has_same_names) {
        class.instance_index = previous.instance_index.clone();
        class.instances = instances;
        return;
    }
    let mut index: HashMap<Arc<str>, u32> =
        HashMap::with_capacity_and_hasher(instances.len(), RandomState::new());
    let mut kept: Vec<Arc<Instance>> = Vec::with_capacity(instances.len());
    for instance in instances {
        let key: Arc<str> = match instance.name.chars().any(char::is_uppercase) {
            true => Arc::from(instance.name.to_lowercase()),
            false => instance.name.clone(),
        };
        match index.entry(key) {
            Entry::Vacant(place) => {
                place.insert(u32::try_from(kept.len()).unwrap_or(u32::MAX));
                kept.push(instance);
            }
            Entry::Occupied(place) => {
                let first = usize::try_from(*place.get())
                    .ok()
                    .and_then(|first| kept.get(first));
                let (name, path) = first.map_or(("", ""), |first| (&first.name, &first.file.path));
                let message =
                    format!("the class has an instance `{name}` already, in {path}; this one is left out");
                class.diagnostics.push(
                    Diagnostic::error("DuplicateInstance", &instance.file.path, message).at(instance.line, 1),
                );
            }
        }
    }
    class.instance_index = Arc::new(index);
    class.instances = kept;
}
