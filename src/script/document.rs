//! A JSON document as scripts see it: parsed once, shared, never copied by handing it over.

use std::sync::Arc;
use std::sync::OnceLock;

use rhai::Dynamic;

use crate::model;
use crate::model::json::JsonError;
use crate::script::api;
use crate::script::convert;
use crate::script::json;
use crate::script::places::Places;

/// A document in one of two forms, or both: whole, and for those who look at some places of it.
#[derive(Clone, Debug)]
pub(crate) struct Document(Arc<Forms>);

#[derive(Debug)]
struct Forms {
    places: Option<Places>,
    /// Made from the places when it is first asked for, where it was not made at once.
    whole: OnceLock<Dynamic>,
}

impl Document {
    /// Parses a JSON text straight into rhai's form.
    ///
    /// # Errors
    /// When it is no JSON, with line and column.
    pub(crate) fn parse(text: &str) -> Result<Self, JsonError> {
        json::parse(text).map(Self::from)
    }

    /// Parses a JSON text for those who look at places of it; whoever wants more of it gets it.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub(crate) fn parse_for_places(text: &Arc<str>) -> Result<Self, JsonError> {
        Ok(Self(Arc::new(Forms {
            places: Some(Places::parse(text)?),
            whole: OnceLock::new(),
        })))
    }

    /// All of it; it cannot be changed.
    pub(crate) fn whole(&self) -> Dynamic {
        let make = || read_only(self.0.places.as_ref().map_or(Dynamic::UNIT, Places::whole));
        self.0.whole.get_or_init(make).clone()
    }

    /// What functions that only look at places of it are called with.
    pub(crate) fn places(&self) -> Dynamic {
        match &self.0.places {
            Some(places) => Dynamic::from(places.clone()),
            None => self.whole(),
        }
    }

    /// What stands at a JSON pointer; `()` where a step is missing.
    pub(crate) fn at(&self, pointer: &str) -> Dynamic {
        match &self.0.places {
            Some(places) => places.at(pointer).unwrap_or(Dynamic::UNIT),
            None => api::at(&self.whole(), pointer),
        }
    }

    /// The document as JSON text.
    pub(crate) fn to_json(&self) -> String {
        convert::to_json(&self.whole())
    }
}

/// What a function is called with besides its first argument.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Argument<'a> {
    /// A whole number.
    Number(i64),
    /// A document, which the function cannot change.
    Document(&'a Document),
}

impl Argument<'_> {
    pub(crate) fn into_dynamic(self) -> Dynamic {
        match self {
            Self::Number(number) => number.into(),
            Self::Document(document) => document.whole(),
        }
    }
}

/// A value of ours.
impl From<&model::json::Value> for Document {
    fn from(value: &model::json::Value) -> Self {
        Self::from(json::of(value))
    }
}

/// A value that a script made.
impl From<Dynamic> for Document {
    fn from(value: Dynamic) -> Self {
        Self(Arc::new(Forms {
            places: None,
            whole: OnceLock::from(read_only(value)),
        }))
    }
}

fn read_only(value: Dynamic) -> Dynamic {
    value.into_read_only().into_shared()
}
