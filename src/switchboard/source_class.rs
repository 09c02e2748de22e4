//! The classes of event sources: what rules for their events are written in.

use std::sync::Arc;

use crate::automate::datastore::Class;
use crate::automate::field::Aetype;
use crate::automate::field::SchemaField;
use crate::source::SourceFile;
use crate::switchboard::Switchboard;

/// The namespace of the classes of event sources, without the domain.
pub const EVENT_SOURCES: &str = "System/Event/EmsEvent";

/// The class of a source in one domain.
#[derive(Clone, Debug)]
pub struct SourceClass {
    /// Its domain.
    pub domain: Arc<str>,
    /// Whether the domain takes part.
    pub is_enabled: bool,
    /// The source, spelled as in the class.
    pub source: Arc<str>,
    /// The file of the class.
    pub file: Arc<SourceFile>,
    /// The first of its fields that hold a condition.
    pub condition: Option<Arc<str>>,
    /// Its fields that hold a relationship, in the order of the file.
    pub relationships: Vec<Arc<str>>,
}

impl Switchboard {
    /// The class of every event source in every domain, highest priority first.
    pub fn source_classes(&self) -> Vec<SourceClass> {
        let classes = self.datastore.classes.iter();
        let of_sources = classes.filter(|class| {
            let namespace = class.namespace.split_once('/');
            namespace.is_some_and(|(_domain, namespace)| namespace.eq_ignore_ascii_case(EVENT_SOURCES))
        });
        let source_class = |class: &Arc<Class>| SourceClass {
            domain: class.domain.name.clone(),
            is_enabled: class.domain.enabled,
            source: class.name.clone(),
            file: class.file.clone(),
            condition: names(&class.fields, Aetype::Assertion).next(),
            relationships: names(&class.fields, Aetype::Relationship).collect(),
        };
        of_sources.map(source_class).collect()
    }
}

fn names(fields: &[SchemaField], aetype: Aetype) -> impl Iterator<Item = Arc<str>> {
    let of_type = fields.iter().filter(move |field| field.aetype == Some(aetype));
    of_type.map(|field| field.name.clone())
}
