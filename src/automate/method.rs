//! Methods at run time: which one is meant, what it is given, how its end is read (reference 6).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::automate::builtin;
use crate::automate::call::Argument;
use crate::automate::call::ClassPath;
use crate::automate::call::MethodCall;
use crate::automate::datastore::Body;
use crate::automate::datastore::Class;
use crate::automate::datastore::Method;
use crate::automate::document;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::error::Family;
use crate::automate::evm;
use crate::automate::expression;
use crate::automate::lookup::without_domain;
use crate::automate::relationship::lower_case;
use crate::automate::workspace::Frame;
use crate::automate::workspace::Workspace;
use crate::model::delivery::Action;
use crate::model::delivery::Location;
use crate::model::value::Value;
use crate::script;
use crate::script::Script;
use crate::script::ScriptError;

/// The inputs of a call, in the order of their declaration.
pub(crate) type Inputs = Vec<(Arc<str>, Value)>;

impl Workspace {
    /// Calls a method on an object; the result is its return code, or what a builtin returned.
    pub(crate) fn call_method(&mut self, object: usize, call: &MethodCall) -> Ae<Value> {
        let method = self
            .find_method(object, call)
            .ok_or_else(|| self.method_not_found(object, call))?;
        self.invoke(object, &method, call)
    }

    /// `method:///Ns/Class/name?k=v` (6.1).
    pub(crate) fn method_by_uri(&mut self, path: &str, arguments: &[(Arc<str>, Arc<str>)]) -> Ae<Value> {
        let path = path.trim_matches('/').to_lowercase();
        let (class, name) = path
            .rsplit_once('/')
            .map_or((None, path.as_str()), |(class, name)| (Some(class), name));
        let class = class.map(|class| {
            let (namespace, class) = class
                .rsplit_once('/')
                .map_or((None, class), |(namespace, class)| (Some(namespace), class));
            ClassPath {
                namespace: namespace.map(|namespace| Arc::from(format!("/{namespace}"))),
                class: Arc::from(class),
            }
        });
        let arguments = arguments
            .iter()
            .map(|(key, value)| (key.clone(), Argument::Literal(Value::Text(value.clone()))))
            .collect();
        let object = self
            .current()
            .ok_or_else(|| AeError::engine("MethodNotFound", "a method needs an object to run on"))?;
        self.call_method(
            object,
            &MethodCall {
                class,
                name: Arc::from(name),
                arguments,
            },
        )
    }

    /// Finds a method (6.2, 3.4): on the object, then as the highest domain has it, then as an action.
    fn find_method(&self, index: usize, call: &MethodCall) -> Option<Arc<Method>> {
        let object = self.object(index)?;
        let store = &self.env.datastore;
        let class = match &call.class {
            None => Some(object.class.clone()),
            Some(path) => {
                let namespace = path.namespace.as_deref().map_or_else(
                    || object.namespace.to_lowercase(),
                    |path| path.trim_start_matches('/').to_owned(),
                );
                let key = format!("{namespace}/{}", path.class);
                store.class(&key).cloned()
            }
        };
        let own = class.as_ref().and_then(|class| class.method(&call.name));
        let instance_method = own.filter(|method| call.class.is_none() && !method.class_scope);
        let of_object = || {
            store
                .object_methods
                .get(&call.name)
                .filter(|_| call.class.is_none())
        };
        let class_method = || own.filter(|method| method.class_scope);
        let mut found = instance_method.or_else(of_object).or_else(class_method).cloned();
        let namespace = match call.class.as_ref().and_then(|path| path.namespace.as_deref()) {
            // The first part is taken for a domain, which for a leading slash is nothing.
            Some(namespace) => namespace.split_once('/').map_or("", |(_, rest)| rest).to_owned(),
            None => without_domain(object).to_lowercase(),
        };
        let class_name = call
            .class
            .as_ref()
            .map_or_else(|| object.class.name.to_lowercase(), |path| path.class.to_string());
        if let Some(better) = store.search_method(&format!("{namespace}/{class_name}"), &call.name)
            && class.as_ref().is_none_or(|class| !Arc::ptr_eq(class, better))
        {
            found = better.method(&call.name).cloned();
        }
        let last_try = || class.as_ref().and_then(|class| class.method(&call.name)).cloned();
        found
            .or_else(last_try)
            .or_else(|| store.actions.get(&call.name).cloned())
    }

    fn method_not_found(&self, index: usize, call: &MethodCall) -> Box<AeError> {
        let class: Option<&Class> = self.object(index).map(|object| &*object.class);
        let names: BTreeSet<&str> = class
            .into_iter()
            .flat_map(|class| class.methods.keys())
            .chain(self.env.datastore.actions.keys())
            .map(|name| &**name)
            .collect();
        let near = crate::source::suggest::nearest(&call.name, names)
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        let of = call.class.as_ref().map_or_else(
            || class.map(Class::full_name).unwrap_or_default(),
            |path| format!("{}/{}", path.namespace.as_deref().unwrap_or(""), path.class),
        );
        AeError::engine(
            "MethodNotFound",
            format!(
                "`{of}` has no method `{}`, and there is no scripts/actions/{}.rhai{near}",
                call.name, call.name
            ),
        )
    }

    fn invoke(&mut self, index: usize, method: &Arc<Method>, call: &MethodCall) -> Ae<Value> {
        let inputs = if method.inputs.is_empty()
            && method
                .file
                .as_ref()
                .is_some_and(|file| file.relative.starts_with("actions/"))
        {
            self.action_inputs(index, call)
        } else {
            self.inputs(index, method, call)?
        };
        let Some(object) = self.object(index) else {
            return Ok(Value::Null);
        };
        let domain_less = object
            .name
            .get(1..)
            .and_then(|name| name.find('/'))
            .and_then(|at| object.name.get(at + 1..))
            .unwrap_or(&object.name);
        let action = Action {
            object: Arc::from(domain_less),
            attributes: document::shown(object).cloned().collect(),
            method: method.name.clone(),
            location: method.location,
            inputs: inputs.clone(),
            result: "ok",
        };
        let Some(mut frame) = self.state.stack.last().cloned() else {
            return Ok(Value::Null);
        };
        frame = Frame {
            object: index,
            method: Some(lower_case(&method.name)),
            ..frame
        };
        self.state.trace.actions.push(action);
        let place = self.state.trace.actions.len() - 1;
        self.state.stack.push(frame);
        let result = self.run_body(index, method, inputs);
        self.state.stack.pop();
        let outcome = match &result {
            Ok(Value::Int(4)) if method.location == Location::Inline => "warn",
            Ok(_) => "ok",
            Err(error) if error.family == Family::Stop => "stop",
            Err(error) if error.kind == "AbortInstantiation" => "abort",
            Err(_) => "error",
        };
        if let Some(action) = self.state.trace.actions.get_mut(place) {
            action.result = outcome;
        }
        result
    }

    fn run_body(&mut self, index: usize, method: &Arc<Method>, inputs: Inputs) -> Ae<Value> {
        match &method.body {
            Body::Empty => Ok(Value::Null),
            Body::Unusable(why) => Err(AeError::engine(
                "InvalidMethod",
                format!("`{}` cannot be called: {why}", method.name),
            )),
            Body::Builtin(name) => match self
                .env
                .datastore
                .actions
                .get(name)
                .cloned()
                .filter(|_| builtin::is_handed_on(name))
            {
                Some(action) => self.run_body(index, &action, inputs),
                None => builtin::call(self, index, name, &inputs).map_err(aborted),
            },
            Body::Expression(text) => expression::run(self, text, &inputs),
            Body::Script(script) => {
                let script = self.with_embedded(script, method)?;
                self.run_script(index, method, &script, inputs)
            }
        }
    }

    fn run_script(&mut self, index: usize, method: &Method, script: &Script, inputs: Inputs) -> Ae<Value> {
        let env = self.env.clone();
        let (result, used) =
            script::metered(|| evm::lend(self, index, inputs, |host| env.host.run_method(script, host)));
        let used = env.host.share_of_budget(used);
        if let Some(object) = self.object_mut(index) {
            object.budget = object.budget.max(used);
        }
        match result {
            Ok(()) | Err(ScriptError::Exit(0)) => Ok(Value::Int(0)),
            Err(ScriptError::Exit(4)) => {
                tracing::warn!(method = %method.name, "A method ended with MIQ_WARN.");
                Ok(Value::Int(4))
            }
            Err(ScriptError::Exit(8)) => Err(AeError::stop(format!("`{}` ended with MIQ_STOP", method.name))),
            Err(ScriptError::Exit(16)) => Err(AeError::engine(
                "AbortInstantiation",
                format!("`{}` ended with MIQ_ABORT", method.name),
            )),
            Err(ScriptError::Exit(code)) => {
                let why = format!(
                    "`{}` ended with the unknown code {code}; MIQ_OK, MIQ_WARN, MIQ_STOP or MIQ_ABORT is expected",
                    method.name
                );
                Err(AeError::engine("UnknownMethodRc", why))
            }
            Err(failed @ ScriptError::Failed { .. }) => {
                Err(AeError::engine("UnknownMethodRc", failed.to_string()))
            }
        }
    }
}

/// Every fault of a builtin, a stop included, ends the run with the same text (6.6).
fn aborted(error: Box<AeError>) -> Box<AeError> {
    if error.kind == "MethodNotFound" {
        return error;
    }
    AeError::engine("AbortInstantiation", error.message)
}
