//! What can go wrong in a run: the reference's exceptions (4.14), and our own where ManageIQ would crash.

use std::fmt;

use crate::model::ae_path::InvalidPathFormat;

/// The families, which decide who catches what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// The datastore lacks something: ends the object, not the run.
    Datastore,
    /// AssertionFailure: deletes the object, is no error.
    Assertion,
    /// StopInstantiation (MIQ_STOP): deletes the object, is no error.
    Stop,
    /// Everything else: ends the run, except within a state.
    Engine,
}

/// An exception on its way up.
#[derive(Clone, Debug)]
pub(crate) struct AeError {
    pub(crate) family: Family,
    /// The exception's name in the reference, or our own.
    pub(crate) kind: &'static str,
    /// What happened, where, what was expected, what to do.
    pub(crate) message: String,
    /// The object where it arose.
    pub(crate) path: String,
    /// The field, file and line whose text led here; empty where it is written nowhere.
    pub(crate) place: String,
    /// Whether the list of errors holds it already.
    pub(crate) is_listed: bool,
    /// Whether an instance is counted as failed because of it: only the innermost is.
    pub(crate) is_counted: bool,
}

pub(crate) type Ae<T> = Result<T, Box<AeError>>;

impl AeError {
    fn new(family: Family, kind: &'static str, message: String) -> Box<Self> {
        Box::new(Self {
            family,
            kind,
            message,
            path: String::new(),
            place: String::new(),
            is_listed: false,
            is_counted: false,
        })
    }

    /// ClassNotFound, InstanceNotFound, InvalidClass, ...
    pub(crate) fn datastore(kind: &'static str, message: impl Into<String>) -> Box<Self> {
        Self::new(Family::Datastore, kind, message.into())
    }

    /// AbortInstantiation, MethodNotFound, ObjectNotFound, ...
    pub(crate) fn engine(kind: &'static str, message: impl Into<String>) -> Box<Self> {
        Self::new(Family::Engine, kind, message.into())
    }

    pub(crate) fn assertion(message: impl Into<String>) -> Box<Self> {
        Self::new(Family::Assertion, "AssertionFailure", message.into())
    }

    pub(crate) fn stop(message: impl Into<String>) -> Box<Self> {
        Self::new(Family::Stop, "StopInstantiation", message.into())
    }
}

impl From<InvalidPathFormat> for Box<AeError> {
    fn from(error: InvalidPathFormat) -> Self {
        AeError::engine("InvalidPathFormat", error.to_string())
    }
}

impl fmt::Display for AeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}
