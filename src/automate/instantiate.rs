//! Instantiation: an object comes to be, runs, and is kept or taken out (reference 4.2, 4.13, 4.14).

use std::sync::Arc;

use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::error::Family;
use crate::automate::relationship::DatastorePath;
use crate::automate::relationship::PreparedUri;
use crate::automate::relationship::Scheme;
use crate::automate::workspace::Frame;
use crate::automate::workspace::Related;
use crate::automate::workspace::WORKSPACE_PATHS;
use crate::automate::workspace::Workspace;
use crate::model::fired::Fired;
use crate::model::fired::FiredEnd;

/// How deep objects may lead to each other: what the cycle test cannot see ends here.
pub(crate) const MAX_DEPTH: usize = 48;
/// Bytes of stack that one level may need, and how many are added when fewer are left.
const STACK_LEFT: usize = 1 << 20;
const STACK_ADDED: usize = 4 << 20;

impl Workspace {
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
                uri.text
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
        path: &Arc<DatastorePath>,
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
            path: path.clone(),
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
        let mut result = self.run_object(index, arguments, message);
        self.count_fired(index, &mut result);
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

    /// Notes how an instance ended. An error on its way up counts where it arose.
    fn count_fired(&mut self, index: usize, result: &mut Ae<()>) {
        let end = match result {
            Ok(()) => FiredEnd::Ran,
            Err(error) => match error.family {
                Family::Assertion => FiredEnd::Stopped,
                Family::Stop => FiredEnd::Ran,
                Family::Datastore | Family::Engine if std::mem::replace(&mut error.is_counted, true) => {
                    FiredEnd::Ran
                }
                Family::Datastore | Family::Engine => FiredEnd::Failed,
            },
        };
        let fired = self.object(index).and_then(|object| {
            Some(Fired {
                instance: object.rule.clone()?,
                end,
                budget: object.budget,
            })
        });
        self.state.fired.extend(fired);
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
