//! `evm` over a run: the workspace is lent to a script, and taken back when the script is done.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::automate::instance_fields;
use crate::automate::method::Inputs;
use crate::automate::records;
use crate::automate::relationship::UriText;
use crate::automate::secret;
use crate::automate::workspace::Env;
use crate::automate::workspace::Related;
use crate::automate::workspace::State;
use crate::automate::workspace::Workspace;
use crate::model::delivery::Effect;
use crate::model::json;
use crate::model::target::TargetCollection;
use crate::model::value::ObjectRef;
use crate::model::value::Value;
use crate::model::value::ValueMap;
use crate::outbound::Outside;
use crate::script::evm::CurrentFrame;
use crate::script::evm::EventView;
use crate::script::evm::EvmHost;
use crate::script::evm::Relation;

/// A run within a script's reach.
struct Lent {
    env: Arc<Env>,
    state: Mutex<State>,
    /// The object whose field calls.
    object: usize,
    inputs: ValueMap,
}

/// Lends the workspace to a script for as long as `work` lasts.
pub(crate) fn lend<R>(
    workspace: &mut Workspace,
    object: usize,
    inputs: Inputs,
    work: impl FnOnce(&Arc<dyn EvmHost>) -> R,
) -> R {
    let state = Mutex::new(std::mem::take(&mut workspace.state));
    let lent = Arc::new(Lent {
        env: workspace.env.clone(),
        state,
        object,
        inputs: inputs.into_iter().collect(),
    });
    let host: Arc<dyn EvmHost> = lent.clone();
    let result = work(&host);
    workspace.state = std::mem::take(&mut lent.state.lock());
    result
}

impl Lent {
    /// Takes the run back for a moment, for what needs it whole.
    fn with<R>(&self, work: impl FnOnce(&mut Workspace) -> R) -> R {
        let state = std::mem::take(&mut *self.state.lock());
        let mut workspace = Workspace {
            env: self.env.clone(),
            state,
        };
        let result = work(&mut workspace);
        *self.state.lock() = workspace.state;
        result
    }
}

impl EvmHost for Lent {
    fn object(&self, relation: Relation<'_>) -> Result<Option<ObjectRef>, String> {
        self.with(|workspace| {
            let index = match relation {
                Relation::Current => Some(self.object),
                Relation::Root => Some(workspace.top_ancestor(self.object)),
                Relation::Parent => workspace.object(self.object).and_then(|object| object.parent),
                Relation::Path(path) => workspace
                    .lookup_from(Some(self.object), path)
                    .map_err(|error| error.message)?,
            };
            Ok(index.and_then(|index| workspace.object_ref(index)))
        })
    }

    fn attribute(&self, object: &ObjectRef, name: &str) -> Value {
        let state = self.state.lock();
        let found = state
            .objects
            .get(object.index)
            .and_then(|object| object.attribute(&name.to_lowercase()))
            .cloned();
        found.unwrap_or_default()
    }

    fn set_attribute(&self, object: &ObjectRef, name: &str, value: Value) {
        if let Some(object) = self.state.lock().objects.get_mut(object.index) {
            object.set(&name.to_lowercase(), value);
        }
    }

    fn attributes(&self, object: &ObjectRef) -> ValueMap {
        let state = self.state.lock();
        state
            .objects
            .get(object.index)
            .map(|object| object.attributes.iter().cloned().collect())
            .unwrap_or_default()
    }

    fn hand_out_symbol(&self, symbol: &Arc<str>) {
        let mut state = self.state.lock();
        if !state.symbols.contains(symbol) {
            state.symbols.push(symbol.clone());
        }
    }

    fn knows_symbol(&self, symbol: &str) -> bool {
        self.state.lock().symbols.iter().any(|known| **known == *symbol)
    }

    fn children(&self, object: &ObjectRef, relationship: Option<&str>) -> Value {
        self.with(|workspace| {
            let Some(found) = workspace.object(object.index) else {
                return Value::Null;
            };
            let as_value = |index: &usize| workspace.object_ref(*index).map_or(Value::Null, Value::Object);
            let Some(name) = relationship else {
                return Value::list(found.children.iter().map(as_value));
            };
            match found
                .relationships
                .iter()
                .find(|(known, _)| &**known == name)
                .map(|(_, related)| related)
            {
                None | Some(Related::Nothing) => Value::Null,
                Some(Related::Object(index)) => as_value(index),
                Some(Related::Many(all)) => match all.as_slice() {
                    [one] => as_value(one),
                    many => Value::list(many.iter().map(as_value)),
                },
                Some(Related::Value(value)) => value.clone(),
            }
        })
    }

    fn parent_of(&self, object: &ObjectRef) -> Option<ObjectRef> {
        self.with(|workspace| workspace.object_ref(workspace.object(object.index)?.parent?))
    }

    fn names(&self, object: &ObjectRef) -> (Arc<str>, Arc<str>, Arc<str>) {
        let state = self.state.lock();
        let found = state.objects.get(object.index);
        found.map_or_else(Default::default, |found| {
            (
                found.namespace.clone(),
                found.class_name.clone(),
                found.instance.clone(),
            )
        })
    }

    fn decrypt(&self, object: &ObjectRef, name: &str) -> Result<String, String> {
        match self.attribute(object, name) {
            Value::Password(secret) => secret::decrypt(&secret).map_err(|error| error.message),
            _other => Err(format!("`{name}` of `{}` is no password", object.name)),
        }
    }

    fn inputs(&self) -> ValueMap {
        self.inputs.clone()
    }

    fn event(&self) -> Option<Arc<EventView>> {
        self.env.event.clone()
    }

    fn log(&self, level: &str, text: &str) {
        let frame = self.frame();
        let method = &*frame.method;
        match level {
            "debug" => tracing::debug!(method, "{text}"),
            "warn" => tracing::warn!(method, "{text}"),
            "error" | "fatal" => tracing::error!(method, "{text}"),
            _info => tracing::info!(method, "{text}"),
        }
    }

    fn instantiate(&self, path: &str) -> Option<ObjectRef> {
        self.with(|workspace| {
            let message: Arc<str> = Arc::from("create");
            let prepared = UriText::plain(path).prepare();
            let result = prepared.and_then(|uri| workspace.instantiate(&uri, &message, Some(self.object)));
            match result {
                Ok(Related::Object(index)) => workspace.object_ref(index),
                Ok(_) => None,
                Err(mut error) => {
                    workspace.list(&mut error, false);
                    None
                }
            }
        })
    }

    fn vmdb(&self, class: &str, id: Option<i64>) -> Result<Value, String> {
        let name = crate::automate::datatype::record_class(class);
        if !records::is_class(&*self.env.records, &name) {
            return Err(format!("`{class}` is no class of records"));
        }
        match id {
            None => Ok(Value::list(
                self.env.records.all(&name).into_iter().map(Value::Record),
            )),
            Some(id) => {
                let found = self.env.records.find(&name, id).map(Value::Record);
                found.ok_or_else(|| format!("ServiceNotFound: there is no {name} with the id {id}"))
            }
        }
    }

    fn state_var(&self, name: &str) -> Option<Value> {
        self.state.lock().state_var(name).cloned()
    }

    fn set_state_var(&self, name: &str, value: Option<Value>) {
        let mut state = self.state.lock();
        let known = state
            .state_vars
            .keys()
            .find(|key| key.eq_ignore_ascii_case(name))
            .cloned();
        let key = known.unwrap_or_else(|| Arc::from(name));
        match value {
            Some(value) => state.state_vars.insert(key, value),
            None => state.state_vars.remove(&key),
        };
    }

    fn state_vars(&self) -> ValueMap {
        self.state.lock().state_vars.clone()
    }

    fn refresh(&self, targets: TargetCollection) {
        if !targets.is_empty() {
            self.state.lock().effects.push(Effect::QueueRefresh { targets });
        }
    }

    fn deliver(&self, action: json::Value) -> Result<(), String> {
        Outside::parse(&action).map_err(|error| error.to_string())?;
        self.state.lock().effects.push(Effect::Outside { action });
        Ok(())
    }

    fn frame(&self) -> CurrentFrame {
        let state = self.state.lock();
        let Some(frame) = state.stack.last() else {
            return CurrentFrame::default();
        };
        let object = state.objects.get(frame.object);
        CurrentFrame {
            namespace: object.map(|object| object.namespace.clone()).unwrap_or_default(),
            class: object.map(|object| object.class_name.clone()).unwrap_or_default(),
            instance: frame.path.instance.clone().unwrap_or_default(),
            message: frame.message.clone(),
            method: frame.method.clone().unwrap_or_default(),
        }
    }

    fn instance_get(&self, path: &str) -> Option<ValueMap> {
        instance_fields::get(&self.env.datastore, path)
    }

    fn instance_find(&self, path: &str) -> ValueMap {
        instance_fields::find(&self.env.datastore, path)
    }
}
