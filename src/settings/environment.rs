//! Settings from the environment: `SWITCHBOARD_WEB_TOKEN` is `web.token`.

use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;

use crate::settings::Secret;
use crate::settings::SecretError;
use crate::settings::guards;
use crate::settings::report::Report;
use crate::settings::tree;
use crate::source::Diagnostic;
use crate::source::suggest;
use crate::source::yaml::Content;
use crate::source::yaml::Entry;
use crate::source::yaml::Node;
use crate::source::yaml::Position;
use crate::source::yaml::Style;

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
/// Names that somebody may take for the option that says where the settings are.
pub(crate) const TAKEN_FOR_CONFIG: [&str; 2] = ["SWITCHBOARD_CONFIG", "SWITCHBOARD_SETTINGS"];

/// The environment variables, the process's or a test's.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// Variables of our prefix that hold no text.
    unreadable: Vec<String>,
}

impl Environment {
    /// The variables of this process; those that are no text are left out.
    pub fn of_process() -> Self {
        let mut environment = Self::default();
        for (name, value) in env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => drop(environment.variables.insert(name, value)),
                Err(_) if name.starts_with(PREFIX) => environment.unreadable.push(name),
                Err(_others) => (),
            }
        }
        environment
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The same, and a value for a setting, dotted, that no variable gives one.
    #[must_use]
    pub fn or(mut self, setting: &str, value: &str) -> Self {
        let name = variable_name(setting);
        self.variables.entry(name).or_insert_with(|| value.to_owned());
        self
    }

    /// The secret that a setting means.
    pub(crate) fn secret(&self, text: &str) -> Result<Secret, SecretError> {
        Secret::of_setting(text, |name| self.get(name).map(ToOwned::to_owned))
    }

    /// The layer of settings in it: variables named after a setting that `trees` have. Others of our prefix are
    /// reported.
    pub(crate) fn layer(&self, trees: &[&Node], report: &Report<'_>) -> Node {
        let mut layer = tree::empty();
        for name in &self.unreadable {
            let message = format!("the environment variable `{name}` is not UTF-8 text");
            report.refuse(Diagnostic::error("NotUtf8", &name.as_str().into(), message));
        }
        for (name, value) in &self.variables {
            let Some(setting) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let is_option = TAKEN_FOR_CONFIG.contains(&name.as_str());
            if is_option
                || NOT_OURS.iter().any(|theirs| name.starts_with(theirs))
                || is_of_kubernetes(name, value)
            {
                continue;
            }
            match trees.iter().find_map(|tree| path_of(setting, tree)) {
                Some(path) => insert(&mut layer, &path, value),
                None => unknown(name, setting, trees, report),
            }
        }
        layer
    }
}

/// Whether Kubernetes sets such a variable, in every pod beside a service whose name begins with ours.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    let is_port = |rest: &str| {
        let mut parts = rest.split('_');
        parts.next().is_some_and(|port| port.parse::<u16>().is_ok())
            && parts
                .next()
                .is_some_and(|protocol| ["TCP", "UDP", "SCTP"].contains(&protocol))
    };
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && value.contains("://"))
        || name
            .match_indices("_PORT_")
            .any(|(at, found)| name.get(at + found.len()..).is_some_and(is_port))
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self {
            variables: variables.into_iter().collect(),
            unreadable: Vec::new(),
        }
    }
}

/// The variable of a setting: `SWITCHBOARD_WEB_TOKEN` for `web.token`.
pub(crate) fn variable_name(dotted: &str) -> String {
    format!("{PREFIX}{}", dotted.replace('.', "_").to_uppercase())
}

/// The keys down to the single value that is called `setting`.
fn path_of<'a>(setting: &str, tree: &'a Node) -> Option<Vec<&'a str>> {
    tree.entries().iter().find_map(|entry| {
        let rest = setting.strip_prefix(entry.key.to_uppercase().as_str())?;
        match &entry.value.content {
            Content::Map(_) => {
                let path = path_of(rest.strip_prefix('_')?, &entry.value)?;
                Some([vec![entry.key.as_str()], path].concat())
            }
            Content::List(_) => None,
            Content::Nothing { .. } | Content::Text { .. } => {
                rest.is_empty().then(|| vec![entry.key.as_str()])
            }
        }
    })
}

fn insert(tree: &mut Node, path: &[&str], value: &str) {
    let (Content::Map(entries), [key, below @ ..]) = (&mut tree.content, path) else {
        return;
    };
    let at = match entries.iter().position(|entry| entry.key == *key) {
        Some(at) => at,
        None => {
            let value = match below {
                [] => of_text(value),
                _more => tree::empty(),
            };
            let key = (*key).to_owned();
            let at = Position::START;
            entries.push(Entry { key, at, value });
            entries.len() - 1
        }
    };
    if let Some(entry) = entries.get_mut(at) {
        insert(&mut entry.value, below, value);
    }
}

fn of_text(text: &str) -> Node {
    Node {
        at: Position::START,
        content: Content::Text {
            text: text.to_owned(),
            style: Style::Quoted,
            is_before_comment: false,
        },
    }
}

/// Reports a variable of our prefix that is no setting. One that may have meant a guard is refused.
fn unknown(name: &str, setting: &str, trees: &[&Node], report: &Report<'_>) {
    let file: Arc<str> = name.into();
    let mut known = Vec::new();
    for tree in trees {
        collect(tree, &mut Vec::new(), &mut known);
    }
    let variable = |path: &[&str]| path.join("_").to_uppercase();
    let is_below = |path: &[&str]| {
        setting
            .strip_prefix(&variable(path))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    if let Some((path, _)) = known
        .iter()
        .find(|(path, is_single)| !is_single && is_below(path))
    {
        let message = format!(
            "the environment variable `{name}` is no setting: `{}` holds more than one value",
            path.join(".")
        );
        report.refuse(
            Diagnostic::error("UnknownSetting", &file, message).help("write it into the settings file"),
        );
        return;
    }
    let singles = known
        .iter()
        .filter(|(_, is_single)| *is_single)
        .map(|(path, _)| path.as_slice());
    let names: Vec<(String, &[&str])> = singles.map(|path| (variable(path), path)).collect();
    let near = suggest::nearest(setting, names.iter().map(|(name, _)| name.as_str()));
    // Of `SWITCHBOARD_TOKEN` the section is missing.
    let end = || {
        names
            .iter()
            .find(|(name, _)| name.strip_suffix(setting).is_some_and(|rest| rest.ends_with('_')))
    };
    let meant = names
        .iter()
        .find(|(name, _)| Some(name.as_str()) == near)
        .or_else(end);
    let message = format!("the environment variable `{name}` is no setting");
    let help = meant.map_or_else(String::new, |(meant, _)| {
        format!("did you mean `{PREFIX}{meant}`?")
    });
    if meant.is_some_and(|(_, path)| guards::is_guard(path)) || guards::is_below_guard(setting) {
        report.refuse(Diagnostic::error("UnknownSetting", &file, message).help(help));
    } else {
        report.tell(Diagnostic::warning("UnknownSetting", &file, message).help(help));
    }
}

/// The keys down to everything below a tree that is set as a whole: a single value, or a list or map of any number.
fn collect<'a>(tree: &'a Node, path: &mut Vec<&'a str>, known: &mut Vec<(Vec<&'a str>, bool)>) {
    for entry in tree.entries() {
        path.push(&entry.key);
        match &entry.value.content {
            Content::Map(entries) if !entries.is_empty() => collect(&entry.value, path, known),
            Content::Map(_) | Content::List(_) => known.push((path.clone(), false)),
            Content::Nothing { .. } | Content::Text { .. } => known.push((path.clone(), true)),
        }
        path.pop();
    }
}
