//! Workspace: one run. Objects come to be, point at each other, and are kept until the answer is written
//! (reference 4.1 to 4.5, 4.13, 4.14).

use std::sync::Arc;

use crate::automate::datastore::Class;
use crate::automate::datastore::Datastore;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::error::Family;
use crate::automate::field::PlanEntry;
use crate::automate::records::Records;
use crate::automate::relationship::DatastorePath;
use crate::automate::relationship::PreparedUri;
use crate::automate::relationship::Scheme;
use crate::automate::state_machine::Machines;
use crate::automate::steps::StepIndex;
use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryError;
use crate::model::delivery::Effect;
use crate::model::delivery::Trace;
use crate::model::value::ObjectRef;
use crate::model::value::Value;
use crate::model::value::ValueMap;
use crate::provider::Provider;
use crate::script::ScriptHost;
use crate::script::evm::EventView;

/// What leads to an object of a run, for messages.
pub(crate) const WORKSPACE_PATHS: &str = "`/`, `..`, the class of an ancestor or Namespace/Class/instance";
/// How deep objects may lead to each other: what the cycle test cannot see ends here.
const MAX_DEPTH: usize = 48;
/// Bytes of stack that one level may need, and how many are added when fewer are left.
const STACK_LEFT: usize = 1 << 20;
const STACK_ADDED: usize = 4 << 20;

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
    /// What the entry gives the first object besides its arguments: the event, and what a retry brings back.
    pub(crate) entry_attributes: Vec<(Arc<str>, Value)>,
    /// Steps whose end is not known yet, the innermost last.
    pub(crate) open_steps: Vec<StepIndex>,
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
    pub(crate) children: Vec<usize>,
    pub(crate) relationships: Vec<(Arc<str>, Related)>,
    pub(crate) is_deleted: bool,
    /// Whether it belongs to the run, or was built for a substitution only.
    pub(crate) is_node: bool,
    /// The instance's file; none for `.default`.
    pub(crate) file: Option<Arc<str>>,
    pub(crate) depth: u32,
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
            .map_or_else(|| Arc::from("create"), |frame| frame.message.clone())
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

    /// Instantiates what a URI leads to (4.2). `message` is what goes on where the URI gives none.
    pub(crate) fn instantiate(
        &mut self,
        uri: &PreparedUri,
        message: &Arc<str>,
        parent: Option<usize>,
    ) -> Ae<Related> {
        let message = uri.message.as_ref().unwrap_or(message);
        if self.state.depth >= MAX_DEPTH {
            let why = format!(
                "`{}` is reached more than {MAX_DEPTH} levels deep; is there a circle that changes its names?",
                uri.printed
            );
            return Err(AeError::engine("DepthLimit", why));
        }
        self.state.depth += 1;
        // Scripts that instantiate nest deeply: what they need of the stack is added where it runs short.
        let result = stacker::maybe_grow(STACK_LEFT, STACK_ADDED, || match &uri.scheme {
            Scheme::Datastore(path) => self.instantiate_path(path, &uri.arguments, message, parent),
            Scheme::Workspace(path) => self.run_again(path, message),
            Scheme::Method(path) => self.method_by_uri(path, &uri.arguments).map(Related::Value),
        });
        self.state.depth -= 1;
        result
    }

    fn instantiate_path(
        &mut self,
        path: &DatastorePath,
        arguments: &[(Arc<str>, Arc<str>)],
        message: &Arc<str>,
        parent: Option<usize>,
    ) -> Ae<Related> {
        if self.is_in_progress(path, message) {
            let class = path.class.as_deref().unwrap_or("");
            let name = format!(
                "/{}/{class}/{}",
                path.namespace,
                path.instance.as_deref().unwrap_or("")
            );
            return Err(AeError::engine(
                "CyclicalRelationship",
                format!(
                    "`{name}#{message}` is being instantiated already: a circle of relationships; let one of them lead elsewhere, or give it another message"
                ),
            ));
        }
        let index = match self.build(path, parent) {
            Ok(index) => index,
            Err(mut error) if error.family == Family::Datastore => {
                self.list(&mut error, false);
                return Ok(Related::Nothing);
            }
            Err(error) => return Err(error),
        };
        self.state.nodes.push(index);
        if let Some(object) = self.object_mut(index) {
            object.is_node = true;
        }
        if let Some(parent) = parent.and_then(|parent| self.object_mut(parent)) {
            parent.children.push(index);
        }
        self.state.stack.push(Frame {
            path: Arc::new(path.clone()),
            message: message.clone(),
            object: index,
            method: None,
        });
        let is_machine = self
            .object(index)
            .is_some_and(|object| object.class.is_state_machine);
        if is_machine {
            self.enter_machine(index);
        }
        let result = self.run_object(index, arguments, message);
        let result = self.settle(index, result);
        if is_machine && self.root().is_some() {
            self.leave_machine(index);
        }
        self.state.stack.pop();
        result
    }

    /// Whether the same instance runs already under the same message, however its path was written (4.2).
    fn is_in_progress(&self, path: &DatastorePath, message: &Arc<str>) -> bool {
        let is_class = |frame: &Frame| {
            let wanted = path.instance_key.as_deref();
            frame.path.key == path.key
                || self.object(frame.object).is_some_and(|object| {
                    let found = self.env.datastore.search_instance(&path.key, wanted);
                    found.is_some_and(|found| Arc::ptr_eq(found.class, &object.class))
                })
        };
        self.state.stack.iter().any(|frame| {
            frame.method.is_none()
                && frame.path.instance_key == path.instance_key
                && frame.message == *message
                && is_class(frame)
        })
    }

    fn run_object(&mut self, index: usize, arguments: &[(Arc<str>, Arc<str>)], message: &Arc<str>) -> Ae<()> {
        self.run_assertions(index, message)?;
        if let Err(error) = self.merge_arguments(index, arguments) {
            self.not_reached(index, message, 0);
            return Err(error);
        }
        for (key, value) in std::mem::take(&mut self.state.entry_attributes) {
            if let Some(object) = self.object_mut(index) {
                object.set_shared(&key, value);
            }
        }
        self.run_fields(index, message)
    }

    /// Who catches what (4.14).
    fn settle(&mut self, index: usize, result: Ae<()>) -> Ae<Related> {
        let Err(mut error) = result else {
            return Ok(Related::Object(index));
        };
        if error.path.is_empty() {
            error.path = self
                .object(index)
                .map(|object| object.name.to_string())
                .unwrap_or_default();
        }
        match error.family {
            Family::Datastore => {
                self.list(&mut error, false);
                Ok(Related::Object(index))
            }
            Family::Assertion | Family::Stop => {
                self.delete(index);
                Ok(Related::Object(index))
            }
            Family::Engine => Err(error),
        }
    }

    /// Takes an object out; its children become roots (4.13).
    fn delete(&mut self, index: usize) {
        self.state.nodes.retain(|node| *node != index);
        let children = self
            .object(index)
            .map(|object| object.children.clone())
            .unwrap_or_default();
        for child in children {
            if let Some(child) = self.object_mut(child) {
                child.parent = None;
            }
        }
        if let Some(object) = self.object_mut(index) {
            object.is_deleted = true;
        }
    }

    /// Runs the fields of an object that is there already, for another message (`miqaews:`).
    fn run_again(&mut self, path: &str, message: &Arc<str>) -> Ae<Related> {
        let index = self.lookup(path)?.ok_or_else(|| {
            AeError::engine(
                "ObjectNotFound",
                format!("no object of this run is found at `{path}`; {WORKSPACE_PATHS} is expected"),
            )
        })?;
        let result = self.run_fields(index, message);
        self.settle(index, result)
    }
}
