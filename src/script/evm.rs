//! `evm`: what a method sees of its run. The run itself stands behind [`EvmHost`].

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::OnceLock;

use rhai::Array;
use rhai::Dynamic;
use rhai::Engine;
use rhai::EvalAltResult;
use rhai::ImmutableString;
use rhai::Map;

use crate::model::event::EmsEvent;
use crate::model::target::TargetCollection;
use crate::model::value::MASKED;
use crate::model::value::ObjectRef;
use crate::model::value::Record;
use crate::model::value::Secret;
use crate::model::value::Value;
use crate::model::value::ValueMap;
use crate::model::value::is_secret_column;
use crate::script::convert;
use crate::script::convert::Document;

/// Where a method runs: the frame on top of the stack.
#[derive(Clone, Debug, Default)]
pub(crate) struct CurrentFrame {
    /// With its domain.
    pub namespace: Arc<str>,
    /// As the URI spelled it.
    pub class: Arc<str>,
    /// As the URI spelled it.
    pub instance: Arc<str>,
    /// Lower case.
    pub message: Arc<str>,
    /// Lower case; empty outside a method.
    pub method: Arc<str>,
}

/// Which of the related objects is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation<'a> {
    /// The top ancestor.
    Root,
    /// The object whose field calls.
    Current,
    /// The parent of the object whose field calls.
    Parent,
    /// The object at a workspace path.
    Path(&'a str),
}

/// What `evm` needs of the run. Names of attributes and state variables ignore letter case where the
/// reference says so; errors are texts for the script's author.
pub(crate) trait EvmHost: Send + Sync {
    /// An object by relation.
    ///
    /// # Errors
    /// When a path is no path.
    fn object(&self, relation: Relation<'_>) -> Result<Option<ObjectRef>, String>;
    /// An attribute of an object; null where absent.
    fn attribute(&self, object: &ObjectRef, name: &str) -> Value;
    /// Sets an attribute of an object.
    fn set_attribute(&self, object: &ObjectRef, name: &str, value: Value);
    /// All attributes of an object.
    fn attributes(&self, object: &ObjectRef) -> ValueMap;
    /// The children of an object, or the result of one relationship.
    fn children(&self, object: &ObjectRef, relationship: Option<&str>) -> Value;
    /// The parent of an object.
    fn parent_of(&self, object: &ObjectRef) -> Option<ObjectRef>;
    /// Namespace, class and instance of an object.
    fn names(&self, object: &ObjectRef) -> (Arc<str>, Arc<str>, Arc<str>);
    /// The clear text of a password attribute.
    ///
    /// # Errors
    /// When it is no password, or cannot be decrypted.
    fn decrypt(&self, object: &ObjectRef, name: &str) -> Result<String, String>;
    /// The method's inputs.
    fn inputs(&self) -> ValueMap;
    /// The event, if there is one.
    fn event(&self) -> Option<Arc<EventView>>;
    /// Writes to the log.
    fn log(&self, level: &str, text: &str);
    /// Instantiates a path below the current object; none where that fails.
    fn instantiate(&self, path: &str) -> Option<ObjectRef>;
    /// The records of a class, or one of them.
    ///
    /// # Errors
    /// When there is no such class or record.
    fn vmdb(&self, class: &str, id: Option<i64>) -> Result<Value, String>;
    /// A state variable; none where absent.
    fn state_var(&self, name: &str) -> Option<Value>;
    /// Sets a state variable, or removes it.
    fn set_state_var(&self, name: &str, value: Option<Value>);
    /// All state variables.
    fn state_vars(&self) -> ValueMap;
    /// Asks for a refresh of these targets.
    fn refresh(&self, targets: TargetCollection);
    /// Asks for an outside effect.
    ///
    /// # Errors
    /// When the description is none.
    fn deliver(&self, action: serde_json::Value) -> Result<(), String>;
    /// Where the method runs.
    fn frame(&self) -> CurrentFrame;
    /// The fields of an instance of the datastore; none where it does not exist.
    fn instance_get(&self, path: &str) -> Option<ValueMap>;
    /// Instances whose name matches, with their fields.
    fn instance_find(&self, path: &str) -> ValueMap;
}

/// `evm` itself.
#[derive(Clone)]
pub(crate) struct Evm(pub(crate) Arc<dyn EvmHost>);

/// A live object of the workspace, `evm.object` for example.
#[derive(Clone)]
pub(crate) struct AutomateObject {
    pub(crate) object: ObjectRef,
    pub(crate) host: Arc<dyn EvmHost>,
}

/// A record of the inventory.
#[derive(Clone)]
pub(crate) struct RecordView {
    pub(crate) record: Arc<dyn Record>,
    pub(crate) host: Arc<dyn EvmHost>,
}

/// A password: shown masked, whatever is done with it.
#[derive(Clone)]
pub(crate) struct SecretView(pub(crate) Secret);

/// `evm.inputs`: names ignore case, an absent one reads as `()`.
#[derive(Clone)]
struct Inputs(Map);

/// The event as scripts see it, with its parsed full data.
#[derive(Debug)]
pub(crate) struct EventView {
    event: Arc<EmsEvent>,
    full_data: OnceLock<Dynamic>,
}

impl EventView {
    /// A view of an event; full data is parsed when it is first asked for.
    pub(crate) fn new(event: Arc<EmsEvent>) -> Self {
        Self {
            event,
            full_data: OnceLock::new(),
        }
    }

    /// The event itself.
    pub(crate) fn event(&self) -> &Arc<EmsEvent> {
        &self.event
    }

    fn full_data(&self) -> Dynamic {
        let parse = || {
            let data = &self.event.hash.full_data;
            let document = data.view(|text| Document::parse(text).unwrap_or(Document(Dynamic::UNIT)));
            document.map_or(Dynamic::UNIT, |document| document.0.clone())
        };
        self.full_data.get_or_init(parse).clone()
    }
}

/// [`EventView`] as rhai holds it.
#[derive(Clone)]
pub(crate) struct EventHandle(pub(crate) Arc<EventView>);

impl EventHandle {
    fn column(&mut self, name: &str) -> Dynamic {
        if name == "full_data" {
            return self.0.full_data();
        }
        convert::plain(&self.0.event.column(name).unwrap_or_default())
    }
}

type Fallible<T> = Result<T, Box<EvalAltResult>>;

pub(crate) fn register(engine: &mut Engine) {
    register_evm(engine);
    register_datastore(engine);
    register_objects(engine);
    engine.register_type_with_name::<EventHandle>("EmsEvent");
    engine.register_get("full_data", |event: &mut EventHandle| event.0.full_data());
    engine.register_indexer_get(|event: &mut EventHandle, name: &str| event.column(name));
    engine.register_type_with_name::<RecordView>("Record");
    engine.register_indexer_get(|view: &mut RecordView, name: &str| match name {
        "id" => view.record.id().map_or(Dynamic::UNIT, Dynamic::from),
        "object_class" => ImmutableString::from(&*view.record.class()).into(),
        secret if is_secret_column(secret) => Dynamic::UNIT,
        _column => convert::to_dynamic(&view.record.column(name).unwrap_or_default(), &view.host),
    });
    engine.register_type_with_name::<SecretView>("Password");
    engine.register_fn("to_string", |_: &mut SecretView| MASKED);
    engine.register_fn("to_debug", |_: &mut SecretView| MASKED);
    engine.register_type_with_name::<Inputs>("Inputs");
    engine.register_indexer_get(|inputs: &mut Inputs, name: &str| {
        let found = inputs.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or(Dynamic::UNIT, |(_, value)| value.clone())
    });
    engine.register_fn("keys", |inputs: &mut Inputs| {
        Array::from_iter(inputs.0.keys().map(|key| key.as_str().into()))
    });
    engine.register_fn("to_map", |inputs: &mut Inputs| inputs.0.clone());
}

fn register_evm(engine: &mut Engine) {
    engine.register_type_with_name::<Evm>("Evm");
    engine.register_get("root", |evm: &mut Evm| evm.related(Relation::Root));
    engine.register_get("object", |evm: &mut Evm| evm.related(Relation::Current));
    engine.register_get("current", |evm: &mut Evm| evm.related(Relation::Current));
    engine.register_get("parent", |evm: &mut Evm| evm.related(Relation::Parent));
    engine.register_fn("object", |evm: &mut Evm, path: &str| {
        evm.related(Relation::Path(path))
    });
    engine.register_get("inputs", |evm: &mut Evm| {
        Inputs(convert::map_to_dynamic(&evm.0.inputs(), &evm.0))
    });
    engine.register_get("event", |evm: &mut Evm| {
        evm.0
            .event()
            .map_or(Dynamic::UNIT, |event| Dynamic::from(EventHandle(event)))
    });
    engine.register_fn("log", |evm: &mut Evm, level: &str, text: Dynamic| {
        evm.0.log(level, &text.to_string());
    });
    engine.register_fn("instantiate", |evm: &mut Evm, path: &str| {
        evm.found(evm.0.instantiate(path))
    });
    engine.register_fn("state_var", |evm: &mut Evm, name: &str| {
        convert::to_dynamic(&evm.0.state_var(name).unwrap_or_default(), &evm.0)
    });
    engine.register_fn("set_state_var", |evm: &mut Evm, name: &str, value: Dynamic| {
        evm.0.set_state_var(name, Some(convert::to_value(&value)));
    });
    engine.register_fn("state_var_exists", |evm: &mut Evm, name: &str| {
        evm.0.state_var(name).is_some()
    });
    engine.register_fn("delete_state_var", |evm: &mut Evm, name: &str| {
        evm.0.set_state_var(name, None);
    });
    engine.register_fn("state_vars", |evm: &mut Evm| {
        convert::map_to_dynamic(&evm.0.state_vars(), &evm.0)
    });
    engine.register_fn("refresh", |evm: &mut Evm, targets: Dynamic| -> Fallible<()> {
        evm.0.refresh(crate::script::targets::read(&targets)?);
        Ok(())
    });
    engine.register_fn("deliver", |evm: &mut Evm, action: Map| -> Fallible<()> {
        let action = serde_json::to_value(Dynamic::from_map(action)).map_err(|error| error.to_string())?;
        Ok(evm.0.deliver(action)?)
    });
    for (name, part) in [
        (
            "current_namespace",
            (|frame: CurrentFrame| frame.namespace) as fn(CurrentFrame) -> Arc<str>,
        ),
        ("current_class", |frame| frame.class),
        ("current_instance", |frame| frame.instance),
        ("current_message", |frame| frame.message),
        ("current_method", |frame| frame.method),
    ] {
        engine.register_get(name, move |evm: &mut Evm| {
            ImmutableString::from(&*part(evm.0.frame()))
        });
    }
}

fn register_datastore(engine: &mut Engine) {
    engine.register_fn("vmdb", |evm: &mut Evm, class: &str| evm.records(class, None));
    engine.register_fn("vmdb", |evm: &mut Evm, class: &str, id: i64| {
        evm.records(class, Some(id))
    });
    engine.register_fn("instance_exists", |evm: &mut Evm, path: &str| {
        evm.0.instance_get(path).is_some()
    });
    engine.register_fn("instance_get", |evm: &mut Evm, path: &str| {
        let fields = evm.0.instance_get(path);
        fields.map_or(Dynamic::UNIT, |fields| {
            convert::map_to_dynamic(&fields, &evm.0).into()
        })
    });
    engine.register_fn("instance_find", |evm: &mut Evm, path: &str| {
        convert::map_to_dynamic(&evm.0.instance_find(path), &evm.0)
    });
    engine.register_fn("hash_to_query", |_: &mut Evm, map: Map| {
        let pairs = map.iter().filter(|(_, value)| !value.is_unit());
        crate::model::ae_path::pairs_to_query(
            pairs.map(|(key, value)| (key.as_str(), Cow::Owned(value.to_string()))),
        )
    });
    engine.register_fn("query_to_hash", |_: &mut Evm, query: &str| {
        let pairs = crate::model::ae_path::query_to_pairs(query);
        Map::from_iter(pairs.into_iter().map(|(key, value)| (key.into(), value.into())))
    });
}

impl Evm {
    fn related(&self, relation: Relation<'_>) -> Fallible<Dynamic> {
        Ok(self.found(self.0.object(relation)?))
    }

    fn found(&self, object: Option<ObjectRef>) -> Dynamic {
        object.map_or(Dynamic::UNIT, |object| {
            Dynamic::from(AutomateObject {
                object,
                host: self.0.clone(),
            })
        })
    }

    fn records(&self, class: &str, id: Option<i64>) -> Fallible<Dynamic> {
        Ok(convert::to_dynamic(&self.0.vmdb(class, id)?, &self.0))
    }
}

fn register_objects(engine: &mut Engine) {
    engine.register_type_with_name::<AutomateObject>("AutomateObject");
    engine.register_indexer_get(|object: &mut AutomateObject, name: &str| {
        convert::to_dynamic(&object.host.attribute(&object.object, name), &object.host)
    });
    engine.register_indexer_set(|object: &mut AutomateObject, name: &str, value: Dynamic| {
        object
            .host
            .set_attribute(&object.object, name, convert::to_value(&value));
    });
    engine.register_fn("attributes", |object: &mut AutomateObject| {
        convert::map_to_dynamic(&object.host.attributes(&object.object), &object.host)
    });
    engine.register_fn("children", |object: &mut AutomateObject| {
        convert::to_dynamic(&object.host.children(&object.object, None), &object.host)
    });
    engine.register_fn("children", |object: &mut AutomateObject, relationship: &str| {
        convert::to_dynamic(
            &object.host.children(&object.object, Some(relationship)),
            &object.host,
        )
    });
    engine.register_fn("parent", |object: &mut AutomateObject| {
        Evm(object.host.clone()).found(object.host.parent_of(&object.object))
    });
    engine.register_fn(
        "decrypt",
        |object: &mut AutomateObject, name: &str| -> Fallible<String> {
            Ok(object.host.decrypt(&object.object, name)?)
        },
    );
    engine.register_fn("name", |object: &mut AutomateObject| {
        ImmutableString::from(&*object.object.name)
    });
    engine.register_fn("to_string", |object: &mut AutomateObject| {
        ImmutableString::from(&*object.object.name)
    });
    engine.register_fn("namespace", |object: &mut AutomateObject| {
        ImmutableString::from(&*object.host.names(&object.object).0)
    });
    engine.register_fn("class_name", |object: &mut AutomateObject| {
        ImmutableString::from(&*object.host.names(&object.object).1)
    });
    engine.register_fn("instance_name", |object: &mut AutomateObject| {
        ImmutableString::from(&*object.host.names(&object.object).2)
    });
    engine.register_fn("==", |a: &mut AutomateObject, b: AutomateObject| {
        a.object == b.object
    });
    engine.register_fn("!=", |a: &mut AutomateObject, b: AutomateObject| {
        a.object != b.object
    });
}
