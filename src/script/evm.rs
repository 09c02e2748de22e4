//! `evm`: what a method sees of its run. The run itself stands behind [`EvmHost`].

use std::sync::Arc;
use std::sync::OnceLock;

use rhai::Dynamic;
use rhai::Engine;
use rhai::EvalAltResult;
use rhai::ImmutableString;
use rhai::Map;
use rhai::Module;

use crate::model::association;
use crate::model::event::EmsEvent;
use crate::model::json;
use crate::model::records::Records;
use crate::model::target::TargetCollection;
use crate::model::value::ObjectRef;
use crate::model::value::Record;
use crate::model::value::Secret;
use crate::model::value::Value;
use crate::model::value::ValueMap;
use crate::model::value::visible_column;
use crate::script::convert;
use crate::script::document::Document;
use crate::script::evm_functions;

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
    /// Notes that a script was given this symbol, in the form of a text with a colon.
    fn hand_out_symbol(&self, symbol: &Arc<str>);
    /// Whether a script was given this symbol before.
    fn knows_symbol(&self, symbol: &str) -> bool;
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
    fn deliver(&self, action: json::Value) -> Result<(), String>;
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
}

impl RecordView {
    pub(crate) fn column(&self, name: &str) -> Dynamic {
        match name {
            "id" => self.record.id().map_or(Dynamic::UNIT, Dynamic::from),
            "object_class" => ImmutableString::from(&*self.record.class()).into(),
            _column => convert::plain(&visible_column(&*self.record, name).unwrap_or_default()),
        }
    }
}

/// A password: shown masked, whatever is done with it.
#[derive(Clone)]
pub(crate) struct SecretView(pub(crate) Secret);

/// `evm.inputs`: names ignore case, an absent one reads as `()`.
#[derive(Clone)]
pub(crate) struct Inputs(pub(crate) Map);

/// The event as scripts see it, with its parsed full data and the objects that it is related to.
pub(crate) struct EventView {
    event: Arc<EmsEvent>,
    records: Arc<dyn Records>,
    full_data: OnceLock<Option<Arc<Document>>>,
}

impl EventView {
    /// A view of an event; full data is parsed, and objects are looked up, when they are asked for.
    pub(crate) fn new(event: Arc<EmsEvent>, records: Arc<dyn Records>) -> Self {
        Self {
            event,
            records,
            full_data: OnceLock::new(),
        }
    }

    /// The event itself.
    pub(crate) fn event(&self) -> &Arc<EmsEvent> {
        &self.event
    }

    /// A key of its hash, a column, or an object that it is related to; none where there is no such name.
    pub(crate) fn column(&self, name: &str) -> Option<Value> {
        let event = &*self.event;
        event
            .column(name)
            .or_else(|| visible_column(event, name))
            .or_else(|| self.association(name))
    }

    /// The record of an association; nothing where it is not linked, none where there is no such association.
    pub(crate) fn association(&self, name: &str) -> Option<Value> {
        let association = association::find(name)?;
        let id = self.event.links.get(association.column);
        let record = id.and_then(|id| self.records.find(association.class, *id));
        Some(record.map_or(Value::Null, Value::Record))
    }

    pub(crate) fn full_data(&self) -> Dynamic {
        self.document().map_or(Dynamic::UNIT, Document::whole)
    }

    /// What stands at a JSON pointer of full data.
    pub(crate) fn at(&self, pointer: &str) -> Dynamic {
        self.document()
            .map_or(Dynamic::UNIT, |document| document.at(pointer))
    }

    fn document(&self) -> Option<&Document> {
        let parse = || {
            let data = &self.event.hash.full_data;
            data.view(|text| {
                Document::parse_for_places(text).unwrap_or_else(|_| Document::from(Dynamic::UNIT))
            })
        };
        self.full_data.get_or_init(parse).as_deref()
    }
}

/// [`EventView`] as rhai holds it.
#[derive(Clone)]
pub(crate) struct EventHandle(pub(crate) Arc<EventView>);

impl EventHandle {
    pub(crate) fn column(&mut self, name: &str) -> Dynamic {
        if name == "full_data" {
            return self.0.full_data();
        }
        convert::plain(&self.0.column(name).unwrap_or_default())
    }
}

pub(crate) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Makes the types and their functions known.
pub(crate) fn register(engine: &mut Engine, module: &mut Module) {
    engine.register_type_with_name::<Evm>("Evm");
    engine.register_type_with_name::<AutomateObject>("AutomateObject");
    engine.register_type_with_name::<EventHandle>("EmsEvent");
    engine.register_type_with_name::<RecordView>("Record");
    engine.register_type_with_name::<SecretView>("Password");
    engine.register_type_with_name::<Inputs>("Inputs");
    module.combine_flatten(rhai::exported_module!(evm_functions::evm));
    module.combine_flatten(rhai::exported_module!(evm_functions::given));
}

impl Evm {
    pub(crate) fn related(&self, relation: Relation<'_>) -> Fallible<Dynamic> {
        Ok(self.found(self.0.object(relation)?))
    }

    pub(crate) fn found(&self, object: Option<ObjectRef>) -> Dynamic {
        object.map_or(Dynamic::UNIT, |object| {
            Dynamic::from(AutomateObject {
                object,
                host: self.0.clone(),
            })
        })
    }

    pub(crate) fn records(&self, class: &str, id: Option<i64>) -> Fallible<Dynamic> {
        Ok(convert::to_dynamic(&self.0.vmdb(class, id)?, &self.0))
    }
}
