//! Guards: the settings that keep something out, or keep something from being deleted. Where the name of one is
//! misspelt, the default would let in or delete what it was to keep; so such a name is an error, not a warning.

use crate::settings::value;
use crate::source::suggest;
use crate::source::yaml::Content;
use crate::source::yaml::Entry;
use crate::source::yaml::Node;

/// Sections in which every setting is a guard, or may have been meant as one.
const SECTIONS: [&[&str]; 4] = [&["web"], &["outbox"], &["script"], &["event_streams", "history"]];
/// Guards by their names, and where they stand.
const NAMES: [(&str, &str); 15] = [
    ("allowed_origins", "outbox"),
    ("blacklisted_event_names", "ems.ems_PROVIDER"),
    (
        "flooding_events_per_minute",
        "workers.worker_base.event_catcher.defaults",
    ),
    (
        "flooding_monitor_enabled",
        "workers.worker_base.event_catcher.defaults",
    ),
    ("keep_events", "event_streams.history"),
    ("keep_rows", "event_streams.history"),
    ("listen", "web"),
    ("max_batch_bytes", "web"),
    ("max_connections", "web"),
    ("max_connections_per_address", "web"),
    ("max_event_bytes", "web"),
    ("max_waiting_messages", "web"),
    ("token", "web"),
    ("webhook_origins", "web"),
    ("webhook_secrets", "web"),
];
/// A shorter name within another one means little.
const LONG: usize = 5;

/// Whether a setting, by the keys down to it, is a guard or leads to one.
pub(crate) fn is_guard(path: &[&str]) -> bool {
    let leads =
        |section: &&[&str]| path.starts_with(section) || (!path.is_empty() && section.starts_with(path));
    let name = path.last().copied().unwrap_or_default();
    SECTIONS.iter().any(leads) || NAMES.iter().any(|(guard, _)| *guard == name)
}

/// Whether a variable, without our prefix, is called like one below a section of guards.
pub(crate) fn is_below_guard(variable: &str) -> bool {
    let mut sections = SECTIONS.iter().map(|section| section.join("_").to_uppercase());
    sections.any(|section| {
        variable
            .strip_prefix(&section)
            .is_some_and(|rest| rest.starts_with('_'))
    })
}

/// Whether an unknown key below `above` may have meant a guard, among those that are `known` there; and what to do about
/// it, where that is not plain from the known ones.
pub(crate) fn meant(above: &[&str], entry: &Entry, known: &[&str]) -> Option<Option<String>> {
    if SECTIONS.iter().any(|section| above.starts_with(section)) {
        return Some(None);
    }
    let is_guard_here = |name: &&str| is_guard(&[above, &[*name]].concat());
    if suggest::nearest(&entry.key, known.iter().copied()).is_some_and(|name| is_guard_here(&name)) {
        return Some(None);
    }
    let mut alike = known.iter().filter(|name| is_alike(&entry.key, name));
    if let Some(name) = alike.find(|name| is_guard_here(name)) {
        return Some(Some(format!("did you mean `{name}`?")));
    }
    if let Some((name, section)) = NAMES.iter().find(|(name, _)| is_within(entry, name)) {
        return Some(Some(format!("`{name}` stands below `{section}`")));
    }
    let is_near = |name: &str| suggest::nearest(&entry.key, [name]).is_some();
    if let Some((name, section)) = NAMES.iter().find(|(name, _)| is_near(name)) {
        return Some(Some(format!(
            "did you mean `{name}`, which is below `{section}`?"
        )));
    }
    // No section has such a name, and none is a list or a single value: something else is where it does not belong.
    let is_section = !above.is_empty() || matches!(entry.value.content, Content::Map(_));
    (!is_section || !value::is_name(&entry.key)).then_some(None)
}

/// Whether one of two names is a part of the other.
pub(crate) fn is_alike(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    LONG <= one.len().min(other.len()) && (one.contains(&other) || other.contains(&one))
}

/// Whether a key, or one below it, is this name.
fn is_within(entry: &Entry, name: &str) -> bool {
    fn holds(node: &Node, name: &str) -> bool {
        node.entries().iter().any(|entry| is_within(entry, name))
            || node.items().iter().any(|item| holds(item, name))
    }
    entry.key == name || holds(&entry.value, name)
}
