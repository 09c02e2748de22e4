//! What a script returned, for readers that do not know rhai.

use std::collections::BTreeSet;
use std::sync::Arc;

use rhai::Dynamic;

use crate::model::inventory::Collected;
use crate::model::target::RefreshWanted;
use crate::model::value::Value;
use crate::script::Script;
use crate::script::ScriptError;
use crate::script::api::Ignored;
use crate::script::convert;
use crate::script::document::Document;
use crate::script::inventory;
use crate::script::json;
use crate::script::targets;

/// What a function of a script returned, with the names needed to complain about it.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) value: Dynamic,
    pub(crate) path: Arc<str>,
    pub(crate) function: &'static str,
}

impl Returned {
    pub(crate) fn new(value: Dynamic, script: &Script, function: &'static str) -> Self {
        Self {
            value,
            path: script.path().clone(),
            function,
        }
    }

    /// Whether it is nothing.
    pub(crate) fn is_nothing(&self) -> bool {
        self.value.is_unit()
    }

    /// Whether it is `true`.
    pub(crate) fn is_true(&self) -> bool {
        self.value.as_bool() == Ok(true)
    }

    /// The reason, where the script returned `ignore(reason)`.
    pub(crate) fn ignored(&self) -> Option<String> {
        let ignored = self.value.read_lock::<Ignored>();
        ignored.map(|ignored| ignored.0.to_string())
    }

    /// The text, where it is one.
    pub(crate) fn text(&self) -> Option<Arc<str>> {
        self.value
            .as_immutable_string_ref()
            .ok()
            .map(|text| Arc::from(text.as_str()))
    }

    /// The returned map as a document.
    ///
    /// # Errors
    /// When it is no map.
    pub(crate) fn into_document(self) -> Result<Document, ScriptError> {
        match self.value.is_map() {
            true => Ok(Document::from(self.value)),
            false => Err(self.wrong(&format!(
                "a map was expected, it returned {}",
                self.value.type_name()
            ))),
        }
    }

    /// The returned map as JSON text.
    ///
    /// # Errors
    /// When it is no map.
    pub(crate) fn document_text(&self) -> Result<String, ScriptError> {
        match self.value.is_map() {
            true => Ok(convert::to_json(&self.value)),
            false => Err(self.wrong(&format!(
                "a map was expected, it returned {}",
                self.value.type_name()
            ))),
        }
    }

    /// Looks for floats that may have been rounded, where a number names a place to go on from.
    ///
    /// # Errors
    /// When one of these entries of the returned map holds such a float.
    pub(crate) fn refuse_rounded(&self, keys: &[&str]) -> Result<(), ScriptError> {
        let Ok(map) = self.value.as_map_ref() else {
            return Ok(());
        };
        keys.iter().try_for_each(|key| {
            let rounded = map.get(*key).and_then(json::rounded_in);
            rounded.map_or(Ok(()), |rounded| Err(self.wrong(&format!("`{key}`: {rounded}"))))
        })
    }

    /// Visits the entries of the returned map.
    ///
    /// # Errors
    /// When it is no map, or the visitor refuses an entry.
    pub(crate) fn for_each_entry(
        &self,
        mut visit: impl FnMut(&str, Value) -> Result<(), String>,
    ) -> Result<(), ScriptError> {
        let Ok(map) = self.value.as_map_ref() else {
            return Err(self.wrong(&format!(
                "a map was expected, it returned {}",
                self.value.type_name()
            )));
        };
        map.iter()
            .try_for_each(|(key, value)| visit(key, convert::to_value(value, None)))
            .map_err(|why| self.wrong(&why))
    }

    /// The returned targets: a collection, a list of targets, or nothing; `"full"` for everything.
    ///
    /// # Errors
    /// When it is something else, or a target has a wrong shape.
    pub(crate) fn into_targets(self) -> Result<RefreshWanted, ScriptError> {
        if let Ok(word) = self.value.as_immutable_string_ref() {
            return match word.as_str() {
                "full" => Ok(RefreshWanted::Everything),
                other => Err(self.wrong(&format!(
                    "targets or \"full\" were expected, it returned \"{other}\""
                ))),
            };
        }
        let targets = targets::read(&self.value).map(RefreshWanted::Targets);
        targets.map_err(|error| match *error {
            rhai::EvalAltResult::ErrorRuntime(why, _) => self.wrong(&why.to_string()),
            other => self.wrong(&other.to_string()),
        })
    }

    /// The returned inventory.
    ///
    /// # Errors
    /// When it is something else, or anything in it has a wrong shape: nothing of it counts then.
    pub(crate) fn into_collected(self, known: Option<&BTreeSet<Arc<str>>>) -> Result<Collected, ScriptError> {
        inventory::read(&self.value, known).map_err(|why| self.wrong(&why))
    }

    /// The returned list of names.
    ///
    /// # Errors
    /// When it is something else.
    pub(crate) fn into_names(self) -> Result<BTreeSet<Arc<str>>, ScriptError> {
        let names = self.value.as_array_ref().ok().and_then(|names| {
            let text = |name: &Dynamic| Some(Arc::from(name.as_immutable_string_ref().ok()?.as_str()));
            names.iter().map(text).collect()
        });
        names.ok_or_else(|| self.wrong("a list of texts was expected"))
    }

    /// An error about what was returned.
    pub(crate) fn wrong(&self, why: &str) -> ScriptError {
        let message = format!("`{}`: {why}", self.function);
        ScriptError::Failed {
            path: self.path.clone(),
            line: 0,
            column: 0,
            message,
            is_stopped: false,
        }
    }
}
