//! Fields of a class, and the plan of an instance: its fields in the order in which they run, blank ones dropped.

use std::sync::Arc;

use crate::automate::assertion::Assertion;
use crate::automate::call::MethodCall;
use crate::automate::collect::Collect;
use crate::automate::datatype::Datatype;
use crate::automate::error::AeError;
use crate::automate::relationship::PreparedUri;
use crate::automate::template::Template;
use crate::source::SourceFile;

/// What a field does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Aetype {
    Assertion,
    Attribute,
    Relationship,
    Method,
    State,
}

/// A field of a class's schema, or an input of a method.
#[derive(Clone, Debug)]
pub(crate) struct SchemaField {
    /// As spelled in the class.
    pub(crate) name: Arc<str>,
    /// Lower case: the key of its attribute.
    pub(crate) key: Arc<str>,
    /// None: the field is never processed.
    pub(crate) aetype: Option<Aetype>,
    /// None: no conversion.
    pub(crate) datatype: Option<Arc<str>>,
    pub(crate) is_coalescing: bool,
    pub(crate) priority: Option<i64>,
    pub(crate) substitute: bool,
    pub(crate) messages: Messages,
    pub(crate) default: Option<Arc<FieldText>>,
    pub(crate) collect: Option<Arc<Collects>>,
    pub(crate) steps: Option<Arc<StateSteps>>,
    pub(crate) line: u32,
    /// Whose file `line` is one of, where the class inherited the field.
    pub(crate) inherited_from: Option<Arc<SourceFile>>,
}

impl SchemaField {
    /// Whether its text is a secret, which no trace shows.
    pub(crate) fn is_password(&self) -> bool {
        self.datatype.as_deref() == Some("password")
    }
}

/// Which messages a field takes part in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Messages {
    /// `*` among them.
    All,
    /// Lower case.
    Some(Box<[Arc<str>]>),
}

impl Messages {
    /// Reads `create, Audit`; blank is `create` (4.6).
    pub(crate) fn parse(text: &str) -> Self {
        let words = || text.split(',').map(str::trim).filter(|word| !word.is_empty());
        if words().any(|word| word == "*") {
            return Self::All;
        }
        let mut messages: Vec<Arc<str>> = words().map(|word| Arc::from(word.to_lowercase())).collect();
        if messages.is_empty() {
            messages.push(Arc::from("create"));
        }
        Self::Some(messages.into())
    }

    /// Whether a field with these runs under this message.
    pub(crate) fn contain(&self, message: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(messages) => messages.iter().any(|known| &**known == message),
        }
    }
}

/// A field's text, prepared for what its kind does with it. Equal texts share one.
#[derive(Debug)]
pub(crate) struct FieldText {
    /// As written.
    pub(crate) written: Arc<str>,
    pub(crate) prepared: Prepared,
}

/// What was made of a text at load.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// Taken as it stands.
    Literal,
    /// `${…}` in it.
    Template(Template),
    /// The parts of a null coalescing value.
    Coalescing(Box<[Template]>),
    Assertion(Assertion),
    /// A comment or blank: nothing happens.
    Comment,
    /// A relationship without `${…}`.
    Relationship(Result<PreparedUri, Box<AeError>>),
    /// A method call without `${…}`.
    Call(Result<MethodCall, Box<AeError>>),
}

/// What a state does around its main step; texts are substituted always.
#[derive(Debug, Default)]
pub(crate) struct StateSteps {
    pub(crate) on_entry: Option<Arc<str>>,
    pub(crate) on_exit: Option<Arc<str>>,
    pub(crate) on_error: Option<Arc<str>>,
    pub(crate) max_retries: Option<Arc<str>>,
    pub(crate) max_time: Option<Arc<str>>,
}

/// A `collect`, parsed.
#[derive(Debug)]
pub(crate) struct Collects {
    /// As written; for a method field this is the attribute that receives the return value.
    pub(crate) written: Arc<str>,
    /// The expressions, or why there are none.
    pub(crate) expressions: Result<Box<[Collect]>, Box<AeError>>,
}

/// One field of an instance that has something to do.
#[derive(Clone, Debug)]
pub(crate) struct PlanEntry {
    /// Its place in the schema.
    pub(crate) field: u16,
    /// Whether `line` is one of the class's file.
    pub(crate) is_of_class: bool,
    pub(crate) line: u32,
    /// Whose file `line` is one of, where the instance or its class inherited the text.
    pub(crate) inherited_from: Option<Arc<SourceFile>>,
    /// None for a state or attribute that has no text and still does something.
    pub(crate) text: Option<Arc<FieldText>>,
    pub(crate) collect: Option<Arc<Collects>>,
    pub(crate) steps: Option<Arc<StateSteps>>,
}

impl PlanEntry {
    /// Whether its text is written in the file of the instance itself.
    pub(crate) fn is_own(&self) -> bool {
        !self.is_of_class && self.inherited_from.is_none()
    }
}

/// The datatype of a field, looked up where the classes of records are known.
pub(crate) fn datatype(name: Option<&Arc<str>>, is_class: impl Fn(&str) -> bool) -> Option<Datatype> {
    name.map(|name| Datatype::parse(name, is_class))
}
