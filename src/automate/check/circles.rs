//! Relationships that lead back to where they came from, under the same message: every run that comes there ends.
//!
//! Only circles that are certain count: paths without `${…}`, and no assertion, method or state before them that
//! could end the instance first.

use std::sync::Arc;

use ahash::HashMap;

use crate::automate::check::place;
use crate::automate::datastore::Class;
use crate::automate::datastore::DEFAULT;
use crate::automate::datastore::Datastore;
use crate::automate::datastore::Instance;
use crate::automate::datastore::MISSING;
use crate::automate::field::Aetype;
use crate::automate::field::Messages;
use crate::automate::field::PlanEntry;
use crate::automate::field::Prepared;
use crate::automate::relationship::Scheme;
use crate::automate::relationship::Wildcard;
use crate::source::Diagnostic;

/// An instance that runs under a message.
#[derive(Clone)]
struct Node<'a> {
    class: &'a Arc<Class>,
    /// None for an object built from the class alone.
    instance: Option<&'a Arc<Instance>>,
    message: Arc<str>,
}

/// What tells nodes apart: path and message.
type Key = (String, Arc<str>);

/// A node on the way from where the search began, and the relationships that are still to be followed.
struct Visit<'a> {
    key: Key,
    node: Node<'a>,
    edges: std::vec::IntoIter<(&'a PlanEntry, Node<'a>)>,
    followed: Option<&'a PlanEntry>,
}

#[derive(PartialEq, Eq)]
enum Seen {
    OnTheWay,
    Done,
}

pub(crate) fn check(store: &Datastore, found: &mut Vec<Diagnostic>) {
    let mut seen: HashMap<Key, Seen> = HashMap::default();
    for class in store.classes.iter().filter(|class| class.domain.enabled) {
        for instance in &class.instances {
            for message in messages(class, instance) {
                let node = Node {
                    class,
                    instance: Some(instance),
                    message,
                };
                search(store, node, &mut seen, found);
            }
        }
    }
}

/// Goes along the relationships, depth first, without recursion: a chain may be as long as a tree is large.
fn search<'a>(
    store: &'a Datastore,
    start: Node<'a>,
    seen: &mut HashMap<Key, Seen>,
    found: &mut Vec<Diagnostic>,
) {
    let mut way: Vec<Visit<'a>> = Vec::new();
    let mut next = Some(start);
    loop {
        if let Some(node) = next.take() {
            let key = node.key();
            match seen.get(&key) {
                Some(Seen::OnTheWay) => found.extend(circle(&way, &key)),
                Some(Seen::Done) => (),
                None => {
                    seen.insert(key.clone(), Seen::OnTheWay);
                    let edges = node.edges(store).into_iter();
                    way.push(Visit {
                        key,
                        node,
                        edges,
                        followed: None,
                    });
                }
            }
        }
        let Some(visit) = way.last_mut() else { return };
        match visit.edges.next() {
            Some((entry, node)) => {
                visit.followed = Some(entry);
                next = Some(node);
            }
            None => {
                seen.insert(visit.key.clone(), Seen::Done);
                way.pop();
            }
        }
    }
}

/// The finding for a way that has come back to `key`, at the relationship by which the circle begins.
fn circle(way: &[Visit<'_>], key: &Key) -> Option<Diagnostic> {
    let start = way.iter().position(|visit| visit.key == *key)?;
    let circle = way.get(start..)?;
    let first = circle.first()?;
    let names: Vec<String> = circle
        .iter()
        .chain([first])
        .map(|visit| visit.node.name())
        .collect();
    let entry = first.followed?;
    let text = entry.text.as_ref()?;
    let instance = first.node.instance.filter(|_| !entry.is_of_class);
    let own = instance.map_or(&first.node.class.file, |instance| &instance.file);
    let file = entry.inherited_from.as_ref().unwrap_or(own);
    let (line, column) = place(file, entry.line, &text.written);
    let message = format!(
        "a circle of relationships, for the message `{}`: {}; every run that comes here ends",
        key.1,
        names.join(" -> ")
    );
    let help = "let one of them lead elsewhere, give it another message, or put an assertion before it";
    Some(
        Diagnostic::error("CyclicalRelationship", &file.path, message)
            .at(line, column)
            .help(help),
    )
}

/// The messages under which an instance follows relationships.
fn messages(class: &Class, instance: &Instance) -> Vec<Arc<str>> {
    let mut messages: Vec<Arc<str>> = Vec::new();
    for entry in instance.plan.iter() {
        let field = class.fields.get(usize::from(entry.field));
        let Some(field) = field.filter(|field| field.aetype == Some(Aetype::Relationship)) else {
            continue;
        };
        match &field.messages {
            Messages::All => messages.push(Arc::from("create")),
            Messages::Some(listed) => messages.extend(listed.iter().cloned()),
        }
    }
    messages.sort();
    messages.dedup();
    messages
}

impl<'a> Node<'a> {
    fn name(&self) -> String {
        let instance = self.instance.map_or(DEFAULT, |instance| &instance.name);
        format!("{}/{instance}", self.class.full_name())
    }

    fn key(&self) -> Key {
        (self.name().to_lowercase(), self.message.clone())
    }

    /// Where a run surely goes from here.
    fn edges(&self, store: &'a Datastore) -> Vec<(&'a PlanEntry, Node<'a>)> {
        let plan = self
            .instance
            .map_or(&self.class.default_plan, |instance| &instance.plan);
        let mut edges = Vec::new();
        for entry in plan.iter() {
            let field = self.class.fields.get(usize::from(entry.field));
            let Some(field) = field.filter(|field| field.messages.contain(&self.message)) else {
                continue;
            };
            let prepared = entry.text.as_ref().map(|text| &text.prepared);
            match (field.aetype, prepared) {
                (None | Some(Aetype::Attribute), _) | (_, Some(Prepared::Comment)) => (),
                (Some(Aetype::Relationship), Some(Prepared::Relationship(Ok(uri)))) => {
                    if let (Scheme::Datastore(path), Wildcard::None) = (&uri.scheme, uri.wildcard) {
                        let message = uri.message.clone().unwrap_or_else(|| self.message.clone());
                        let name = path.instance_key.as_deref();
                        let target = store.search_instance(&path.key, name).and_then(|found| {
                            let instance = match name {
                                Some(name) => Some(
                                    found
                                        .class
                                        .instance(name)
                                        .or_else(|| found.class.instance(MISSING))?,
                                ),
                                None => None,
                            };
                            Some(Node {
                                class: found.class,
                                instance,
                                message,
                            })
                        });
                        edges.extend(target.map(|target| (entry, target)));
                    }
                }
                // What follows may not be reached.
                _may_end_it => break,
            }
        }
        edges
    }
}
