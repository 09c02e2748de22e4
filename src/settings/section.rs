//! Section: a mapping of the settings, seen through its layers, with everything wrong in it reported.
//!
//! The layers are the defaults, the settings file and the environment; of a single value the strongest that is
//! right counts. Knows nothing of what the settings mean.

use std::cell::RefCell;
use std::sync::Arc;

use serde_yaml::Mapping;
use serde_yaml::Value;

use crate::settings::environment::variable_name;
use crate::source::Diagnostic;
use crate::source::locate::Outline;
use crate::source::locate::Place;
use crate::source::locate::Step;
use crate::source::suggest;

/// Where a layer is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `default.yml`.
    Default,
    /// The settings file.
    File,
    /// Variables.
    Environment,
}

/// Collects what is wrong, with its place in the settings file.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    file: Arc<str>,
    outline: Outline<'a>,
    findings: RefCell<Vec<Diagnostic>>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(file: &Arc<str>, text: &'a str) -> Self {
        Self {
            file: file.clone(),
            outline: Outline::of(text),
            findings: RefCell::default(),
        }
    }

    pub(crate) fn push(&self, finding: Diagnostic) {
        self.findings.borrow_mut().push(finding);
    }

    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        self.findings.into_inner()
    }

    /// Reports what is wrong with a setting, wherever it was set.
    pub(crate) fn at_key(&self, code: &'static str, path: &[&str], message: String, help: &str) {
        let path: Vec<Step<'_>> = path.iter().map(|key| Step::Key(key)).collect();
        let place = self.outline.nearest(&path).value;
        let finding = Diagnostic::error(code, &self.file, message);
        self.push(finding.at(place.0, place.1).help(help));
    }

    /// Reports a key that is not known.
    fn unknown(&self, origin: Origin, path: &[Step<'_>], known: &[&str]) {
        let Some(Step::Key(key)) = path.last() else {
            return;
        };
        let (file, place) = self.place(origin, path);
        let message = format!("unknown setting `{}`", dotted(path));
        let suggestion = suggest::did_you_mean(key, known.iter().copied());
        let help = if suggestion.is_empty() {
            format!("known here: {}", known.join(", "))
        } else {
            suggestion
        };
        let finding = Diagnostic::warning("UnknownSetting", &file, message);
        self.push(finding.at(place.key.0, place.key.1).help(help));
    }

    /// Reports a value that is not what is expected there.
    fn wrong(&self, origin: Origin, path: &[Step<'_>], value: &Value, expected: &str) {
        let (file, place) = self.place(origin, path);
        let shown = match value {
            Value::Mapping(_) => "a mapping".to_owned(),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Null => "empty".to_owned(),
            scalar => format!("`{}`", crate::settings::value::text(scalar).unwrap_or_default()),
        };
        let message = format!("`{}` is {shown}; expected {expected}", dotted(path));
        let finding = Diagnostic::error("WrongSetting", &file, message);
        let help = "the default is used instead; `default.yml` shows every setting";
        self.push(finding.at(place.value.0, place.value.1).help(help));
    }

    /// The file, and in it the places of the key and of the value.
    fn place(&self, origin: Origin, path: &[Step<'_>]) -> (Arc<str>, Place) {
        let beginning = Place {
            key: (1, 1),
            value: (1, 1),
        };
        match origin {
            Origin::Default => ("default.yml".into(), beginning),
            Origin::File => (self.file.clone(), self.outline.nearest(path)),
            Origin::Environment => (variable_name(&dotted(path)).into(), beginning),
        }
    }
}

/// One mapping in all layers.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    report: &'a Report<'a>,
    /// The strongest first.
    layers: Vec<(Origin, &'a Mapping)>,
    path: Vec<Step<'a>>,
    asked: RefCell<Vec<&'a str>>,
}

impl<'a> Section<'a> {
    /// The whole settings; `layers` with the strongest first.
    pub(crate) fn root(report: &'a Report<'a>, layers: Vec<(Origin, &'a Mapping)>) -> Self {
        let (path, asked) = (Vec::new(), RefCell::default());
        Self {
            report,
            layers,
            path,
            asked,
        }
    }

    /// The section below a key; empty where no layer has it.
    pub(crate) fn section(&self, key: &'a str) -> Self {
        let path = self.below(Step::Key(key));
        let layers = self.values(key).filter_map(|(origin, value)| match value {
            Value::Mapping(mapping) => Some((origin, mapping)),
            other => {
                self.report.wrong(origin, &path, other, "a mapping");
                None
            }
        });
        let layers = layers.collect();
        let (report, asked) = (self.report, RefCell::default());
        Self {
            report,
            layers,
            path,
            asked,
        }
    }

    /// The value of the strongest layer in which it is right; wrong ones on the way are reported.
    pub(crate) fn value<T>(&self, key: &'a str, parse: impl Fn(&Value) -> Result<T, String>) -> Option<T> {
        self.values(key).find_map(|(origin, value)| match parse(value) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.report
                    .wrong(origin, &self.below(Step::Key(key)), value, &expected);
                None
            }
        })
    }

    /// The items of the strongest layer's list that are right.
    pub(crate) fn list<T>(&self, key: &'a str, parse: impl FnMut(&Value) -> Result<T, String>) -> Vec<T> {
        let strongest = self.values(key).next();
        self.items(key, strongest.into_iter(), parse)
    }

    /// The items of all layers' lists that are right, the weakest layer's first.
    pub(crate) fn joined<T>(&self, key: &'a str, parse: impl FnMut(&Value) -> Result<T, String>) -> Vec<T> {
        let mut values: Vec<_> = self.values(key).collect();
        values.reverse();
        self.items(key, values.into_iter(), parse)
    }

    /// Every key, each once, the weakest layer's first.
    pub(crate) fn keys(&self) -> Vec<&'a str> {
        let mut keys: Vec<&str> = Vec::new();
        for key in self.layers.iter().rev().flat_map(|(_, mapping)| mapping.keys()) {
            if let Some(key) = key.as_str().filter(|key| !keys.contains(key)) {
                keys.push(key);
            }
        }
        keys
    }

    /// Whether some layer has a mapping below a key.
    pub(crate) fn has_section(&self, key: &str) -> bool {
        self.layers
            .iter()
            .any(|(_, mapping)| mapping.get(key).is_some_and(Value::is_mapping))
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn finish(self) {
        let asked = self.asked.take();
        for (origin, mapping) in &self.layers {
            // Nothing written is nothing set: a key of which every line is a comment is fine.
            let set = mapping.iter().filter(|(_, value)| !value.is_null());
            let keys = set.filter_map(|(key, _)| key.as_str());
            for key in keys.filter(|key| !asked.contains(key)) {
                self.report.unknown(*origin, &self.below(Step::Key(key)), &asked);
            }
        }
    }

    /// What the layers have below a key, the strongest first; nothing written is nothing set.
    fn values(&self, key: &'a str) -> impl Iterator<Item = (Origin, &'a Value)> {
        self.asked.borrow_mut().push(key);
        let values = self
            .layers
            .iter()
            .filter_map(move |(origin, mapping)| Some((*origin, mapping.get(key)?)));
        values.filter(|(_, value)| !value.is_null())
    }

    fn items<T>(
        &self,
        key: &'a str,
        lists: impl Iterator<Item = (Origin, &'a Value)>,
        mut parse: impl FnMut(&Value) -> Result<T, String>,
    ) -> Vec<T> {
        let mut items = Vec::new();
        let path = self.below(Step::Key(key));
        for (origin, value) in lists {
            let Value::Sequence(list) = value else {
                self.report.wrong(origin, &path, value, "a list");
                continue;
            };
            for (index, item) in list.iter().enumerate() {
                match parse(item) {
                    Ok(item) => items.push(item),
                    Err(expected) => {
                        let path = [path.as_slice(), &[Step::Item(index)]].concat();
                        self.report.wrong(origin, &path, item, &expected);
                    }
                }
            }
        }
        items
    }

    fn below(&self, step: Step<'a>) -> Vec<Step<'a>> {
        [self.path.as_slice(), &[step]].concat()
    }
}

/// `ems_refresh.refresh_interval`, `ems.ems_amazon.blacklisted_event_names[2]`.
fn dotted(path: &[Step<'_>]) -> String {
    let mut dotted = String::new();
    for step in path {
        match step {
            Step::Key(key) if dotted.is_empty() => dotted.push_str(key),
            Step::Key(key) => dotted.extend([".", key]),
            Step::Item(index) => dotted.extend(["[", &index.to_string(), "]"]),
        }
    }
    dotted
}
