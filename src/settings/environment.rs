//! Settings from the environment: `SWITCHBOARD_WEB_TOKEN` is `web.token`.

use std::collections::BTreeMap;
use std::env;

use serde_yaml::Mapping;
use serde_yaml::Value;

use crate::source::Diagnostic;
use crate::source::suggest;

const PREFIX: &str = "SWITCHBOARD_";
/// No settings: Kubernetes sets the first two in every pod beside a service called `switchboard`, the others name
/// test data and the key of passwords, and have tests crash.
const NOT_OURS: [&str; 6] = [
    "SWITCHBOARD_PORT",
    "SWITCHBOARD_SERVICE_",
    "SWITCHBOARD_CORPUS",
    "SWITCHBOARD_KEY_FILE",
    "SWITCHBOARD_CRASH",
    "SWITCHBOARD_BUG",
];

/// The environment variables, the process's or a test's.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process; those that are no text are left out.
    pub fn of_process() -> Self {
        let texts = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(env::vars_os().filter_map(texts).collect())
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The layer of settings in it: variables named after a setting that `trees` have. Others of our prefix are
    /// findings.
    pub(crate) fn layer(&self, trees: &[&Mapping]) -> (Mapping, Vec<Diagnostic>) {
        let (mut layer, mut findings) = (Mapping::new(), Vec::new());
        for (name, value) in &self.0 {
            let Some(setting) = name.strip_prefix(PREFIX) else {
                continue;
            };
            if NOT_OURS.iter().any(|theirs| name.starts_with(theirs)) {
                continue;
            }
            match trees.iter().find_map(|tree| path_of(setting, tree)) {
                Some(path) => insert(&mut layer, &path, value),
                None => findings.push(unknown(name, trees)),
            }
        }
        (layer, findings)
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// The variable of a setting: `SWITCHBOARD_WEB_TOKEN` for `web.token`.
pub(crate) fn variable_name(dotted: &str) -> String {
    format!("{PREFIX}{}", dotted.replace('.', "_").to_uppercase())
}

/// The keys down to the single value that is called `setting`.
fn path_of<'a>(setting: &str, tree: &'a Mapping) -> Option<Vec<&'a str>> {
    let entries = tree
        .iter()
        .filter_map(|(key, value)| Some((key.as_str()?, value)));
    entries.into_iter().find_map(|(key, value)| {
        let rest = setting.strip_prefix(key.to_uppercase().as_str())?;
        match value {
            Value::Mapping(below) => {
                let path = path_of(rest.strip_prefix('_')?, below)?;
                Some([vec![key], path].concat())
            }
            Value::Sequence(_) => None,
            _single => rest.is_empty().then(|| vec![key]),
        }
    })
}

fn insert(tree: &mut Mapping, path: &[&str], value: &str) {
    match path {
        [] => (),
        [key] => drop(tree.insert(Value::from(*key), Value::from(value))),
        [key, below @ ..] => {
            let below_key = tree
                .entry(Value::from(*key))
                .or_insert_with(|| Value::Mapping(Mapping::new()));
            if let Value::Mapping(tree) = below_key {
                insert(tree, below, value);
            }
        }
    }
}

fn unknown(name: &str, trees: &[&Mapping]) -> Diagnostic {
    let mut known = Vec::new();
    for tree in trees {
        collect(tree, &mut String::new(), &mut known);
    }
    let message = format!("the environment variable `{name}` is no setting");
    let help = suggest::did_you_mean(name, known.iter().map(String::as_str));
    Diagnostic::warning("UnknownSetting", &name.into(), message).help(help)
}

/// The variables of all single values of a tree.
fn collect(tree: &Mapping, path: &mut String, known: &mut Vec<String>) {
    for (key, value) in tree {
        let length = path.len();
        path.extend([
            if length == 0 { "" } else { "." },
            key.as_str().unwrap_or_default(),
        ]);
        match value {
            Value::Mapping(below) => collect(below, path, known),
            Value::Sequence(_) => (),
            _single => known.push(variable_name(path)),
        }
        path.truncate(length);
    }
}
