//! Instances as scripts read them: every field of the class, with the instance's text (reference 7.1).

use std::sync::Arc;

use crate::automate::datastore::Class;
use crate::automate::datastore::Datastore;
use crate::automate::datastore::Instance;
use crate::automate::lookup;
use crate::model::value::Secret;
use crate::model::value::Value;
use crate::model::value::ValueMap;

/// The fields of the instance at a path that begins with its domain; none where there is no such instance.
pub(crate) fn get(store: &Datastore, path: &str) -> Option<ValueMap> {
    let (key, instance) = path.trim_matches('/').rsplit_once('/')?;
    let class = store.class(&key.to_lowercase())?;
    let instance = class.instance(&instance.to_lowercase())?;
    Some(fields(class, instance))
}

/// The instances that match a path whose last step is a glob, by name.
pub(crate) fn find(store: &Datastore, path: &str) -> ValueMap {
    let found = path
        .trim_matches('/')
        .rsplit_once('/')
        .and_then(|(key, pattern)| {
            let class = store.class(&key.to_lowercase())?;
            Some((class, lookup::glob(pattern)?))
        });
    let Some((class, glob)) = found else {
        return ValueMap::new();
    };
    let hits = class
        .instances
        .iter()
        .filter(|instance| glob.is_match(&instance.name));
    hits.map(|instance| {
        let fields = Value::Map(Arc::new(fields(class, instance)));
        (instance.name.clone(), fields)
    })
    .collect()
}

/// Each field of the class with the text that the instance gives it, as written; nothing if it gives none.
fn fields(class: &Class, instance: &Instance) -> ValueMap {
    let mut fields: ValueMap = class
        .fields
        .iter()
        .map(|field| (field.name.clone(), Value::Null))
        .collect();
    for entry in instance.plan.iter().filter(|entry| !entry.is_of_class) {
        let (Some(field), Some(text)) = (class.fields.get(usize::from(entry.field)), &entry.text) else {
            continue;
        };
        let value = match field.is_password() {
            true => Value::Password(Secret::new(text.written.clone())),
            false => Value::Text(text.written.clone()),
        };
        fields.insert(field.name.clone(), value);
    }
    fields
}
