//! Workspace: one run. Objects come to be, point at each other, and are kept until the answer is written
//! (reference 4.1 to 4.5, 4.13, 4.14).

use std::sync::Arc;

use smallvec::SmallVec;

use crate::automate::datastore::Class;
use crate::automate::datastore::Datastore;
use crate::automate::error::AeError;
use crate::automate::field::PlanEntry;
use crate::automate::field::SchemaField;
use crate::automate::names::CREATE;
use crate::automate::relationship::DatastorePath;
use crate::automate::state_machine::Machines;
use crate::automate::steps::StepIndex;
use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryError;
use crate::model::delivery::Effect;
use crate::model::delivery::Trace;
use crate::model::fired::Fired;
use crate::model::records::Records;
use crate::model::value::ObjectRef;
use crate::model::value::Value;
use crate::model::value::ValueMap;
use crate::provider::Provider;
use crate::script::ScriptHost;
use crate::script::evm::EventView;

/// What leads to an object of a run, for messages.
pub(crate) const WORKSPACE_PATHS: &str = "`/`, `..`, the class of an ancestor or Namespace/Class/instance";

/// What a run reads and never changes.
pub(crate) struct Env {
    pub(crate) datastore: Arc<Datastore>,
    pub(crate) host: Arc<ScriptHost>,
    pub(crate) records: Arc<dyn Records>,
    pub(crate) provider: Option<Provider>,
    pub(crate) event: Option<Arc<EventView>>,
    pub(crate) now: Timestamp,
}

/// What a run changes. Moved whole into a script's reach while one runs.
#[derive(Default)]
pub(crate) struct State {
    /// Every object ever built, deleted ones included, in the order of building.
    pub(crate) objects: Vec<Object>,
    /// The live ones.
    pub(crate) nodes: Vec<usize>,
    pub(crate) stack: Vec<Frame>,
    pub(crate) state_vars: ValueMap,
    pub(crate) machines: Machines,
    pub(crate) trace: Trace,
    pub(crate) errors: Vec<DeliveryError>,
    pub(crate) effects: Vec<Effect>,
    /// The instances that ended, the innermost first.
    pub(crate) fired: Vec<Fired>,
    /// What the entry gives the first object besides its arguments: the event, and what a retry brings back.
    pub(crate) entry_attributes: Vec<(Arc<str>, Value)>,
    /// Steps whose end is not known yet, the innermost last.
    pub(crate) open_steps: Vec<StepIndex>,
    /// The symbols that scripts were given, which for them are texts with a colon.
    pub(crate) symbols: Vec<Arc<str>>,
    /// What the method that just ran wants to be read in its step.
    pub(crate) note: Option<String>,
    /// Instantiations in progress, those within substitutions included.
    pub(crate) depth: usize,
}

impl State {
    /// A state variable; its name ignores letter case.
    pub(crate) fn state_var(&self, name: &str) -> Option<&Value> {
        let any_case = || {
            let found = self
                .state_vars
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value)
        };
        self.state_vars.get(name).or_else(any_case)
    }
}

/// A live instance.
pub(crate) struct Object {
    pub(crate) name: Arc<str>,
    pub(crate) namespace: Arc<str>,
    /// As the URI spelled it.
    pub(crate) class_name: Arc<str>,
    /// What it was built from.
    pub(crate) instance: Arc<str>,
    pub(crate) class: Arc<Class>,
    pub(crate) plan: Arc<[PlanEntry]>,
    pub(crate) attributes: Vec<(Arc<str>, Value)>,
    pub(crate) parent: Option<usize>,
    pub(crate) children: SmallVec<[usize; 2]>,
    pub(crate) relationships: SmallVec<[(Arc<str>, Related); 1]>,
    pub(crate) is_deleted: bool,
    /// Whether it belongs to the run, or was built for a substitution only.
    pub(crate) is_node: bool,
    /// The instance's file; none for `.default`.
    pub(crate) file: Option<Arc<str>>,
    /// The instance's name as its files spell it; none for `.default` and for action scripts.
    pub(crate) rule: Option<Arc<str>>,
    /// The largest share of the script budget that one of its calls used, in thousandths.
    pub(crate) budget: u16,
    pub(crate) depth: u32,
}

/// The class and the plan of an object.
pub(crate) struct Planned {
    class: Arc<Class>,
    plan: Arc<[PlanEntry]>,
}

impl Planned {
    /// The fields that run under a message, in order, each with its place in the plan.
    pub(crate) fn fields<'a>(
        &'a self,
        message: &'a str,
    ) -> impl Iterator<Item = (usize, &'a SchemaField, &'a PlanEntry)> {
        let entries = self.plan.iter().enumerate();
        let fields = entries.filter_map(|(at, entry)| {
            let field = self.class.fields.get(usize::from(entry.field))?;
            Some((at, field, entry))
        });
        fields.filter(move |(_, field, _)| field.messages.contain(message))
    }
}

/// What a relationship gave.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Related {
    Nothing,
    Object(usize),
    Many(Vec<usize>),
    /// A method's result.
    Value(Value),
}

/// An entry of the execution stack.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) path: Arc<DatastorePath>,
    pub(crate) message: Arc<str>,
    pub(crate) object: usize,
    /// Lower case; none for an instantiation.
    pub(crate) method: Option<Arc<str>>,
}

impl Object {
    pub(crate) fn attribute(&self, key: &str) -> Option<&Value> {
        self.attributes
            .iter()
            .find(|(known, _)| &**known == key)
            .map(|(_, value)| value)
    }

    pub(crate) fn set(&mut self, key: &str, value: Value) {
        match self.attributes.iter_mut().find(|(known, _)| &**known == key) {
            Some((_, known)) => *known = value,
            None => self.attributes.push((Arc::from(key), value)),
        }
    }

    /// Remembers what a relationship gave, in place of what it gave before.
    pub(crate) fn relate(&mut self, field: &Arc<str>, related: Related) {
        match self.relationships.iter_mut().find(|(known, _)| known == field) {
            Some((_, known)) => *known = related,
            None => self.relationships.push((field.clone(), related)),
        }
    }

    pub(crate) fn set_shared(&mut self, key: &Arc<str>, value: Value) {
        match self.attributes.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => *known = value,
            None => self.attributes.push((key.clone(), value)),
        }
    }
}

/// One run.
pub(crate) struct Workspace {
    pub(crate) env: Arc<Env>,
    pub(crate) state: State,
}

impl Workspace {
    pub(crate) fn new(env: Arc<Env>) -> Self {
        Self {
            env,
            state: State::default(),
        }
    }

    pub(crate) fn object(&self, index: usize) -> Option<&Object> {
        self.state.objects.get(index)
    }

    pub(crate) fn object_mut(&mut self, index: usize) -> Option<&mut Object> {
        self.state.objects.get_mut(index)
    }

    /// What an object does, held apart from the workspace, which changes while it runs.
    pub(crate) fn planned(&self, index: usize) -> Option<Planned> {
        self.object(index).map(|object| Planned {
            class: object.class.clone(),
            plan: object.plan.clone(),
        })
    }

    pub(crate) fn object_ref(&self, index: usize) -> Option<ObjectRef> {
        self.object(index).map(|object| ObjectRef {
            index,
            name: object.name.clone(),
        })
    }

    /// The object whose frame is on top.
    pub(crate) fn current(&self) -> Option<usize> {
        self.state.stack.last().map(|frame| frame.object)
    }

    /// The message under which fields run now.
    pub(crate) fn message(&self) -> Arc<str> {
        self.state
            .stack
            .last()
            .map_or_else(|| CREATE.clone(), |frame| frame.message.clone())
    }

    /// The first live object without parent.
    pub(crate) fn root(&self) -> Option<usize> {
        self.state
            .nodes
            .iter()
            .copied()
            .find(|index| self.object(*index).is_some_and(|object| object.parent.is_none()))
    }

    /// The top ancestor of an object.
    pub(crate) fn top_ancestor(&self, mut index: usize) -> usize {
        while let Some(parent) = self.object(index).and_then(|object| object.parent) {
            index = parent;
        }
        index
    }

    /// The top ancestor of the current object: what state machines and builtins call the root.
    pub(crate) fn current_root(&self) -> Option<usize> {
        self.current()
            .map(|index| self.top_ancestor(index))
            .or_else(|| self.root())
    }

    pub(crate) fn root_attribute(&self, key: &str) -> Value {
        let root = self.current_root().and_then(|root| self.object(root));
        root.and_then(|root| root.attribute(key))
            .cloned()
            .unwrap_or_default()
    }

    pub(crate) fn set_root_attribute(&mut self, key: &str, value: Value) {
        if let Some(root) = self.current_root()
            && let Some(object) = self.object_mut(root)
        {
            object.set(key, value);
        }
    }

    /// Puts an exception on the list, once.
    pub(crate) fn list(&mut self, error: &mut AeError, fatal: bool) {
        if !error.is_listed {
            let path = if error.path.is_empty() {
                self.current_name()
            } else {
                error.path.clone()
            };
            error.is_listed = true;
            self.keep_place(error, self.state.open_steps.last().copied());
            let place = if error.place.is_empty() {
                String::new()
            } else {
                format!(" ({})", error.place)
            };
            self.state.errors.push(DeliveryError {
                path,
                kind: error.kind.to_owned(),
                message: format!("{}{place}", error.message),
                fatal,
            });
        } else if fatal
            && let Some(listed) = self
                .state
                .errors
                .iter_mut()
                .rfind(|listed| listed.message.starts_with(&error.message))
        {
            listed.fatal = true;
        }
    }

    pub(crate) fn current_name(&self) -> String {
        self.current()
            .and_then(|index| self.object(index))
            .map(|object| object.name.to_string())
            .unwrap_or_default()
    }
}
