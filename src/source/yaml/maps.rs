//! Maps of a YAML text: no key twice, merge keys carried out, and how large a repeated value is.

use ahash::HashSet;

use crate::source::yaml::error::YamlError;
use crate::source::yaml::node::Content;
use crate::source::yaml::node::Entry;
use crate::source::yaml::node::Node;
use crate::source::yaml::node::Position;

/// So many keys are compared with each other; of more a set is made.
const FEW_KEYS: usize = 16;
/// The key whose maps are taken into the map that has it.
pub(super) const MERGE: &str = "<<";

/// How many values a node is, and how deep.
pub(super) fn extent(node: &Node) -> (usize, usize) {
    let entries = node.entries().iter().map(|entry| &entry.value);
    let inner = node.items().iter().chain(entries).map(extent);
    let (count, depth) = inner.fold((0, 0), |(count, depth), inner| {
        (count + inner.0, depth.max(inner.1))
    });
    (count + 1, depth + 1)
}

/// The first key that is there before.
pub(super) fn double_key(entries: &[Entry]) -> Option<YamlError> {
    let double = if entries.len() <= FEW_KEYS {
        let before = |index: usize| entries.iter().take(index);
        let is_double = |(index, entry): &(usize, &Entry)| before(*index).any(|known| known.key == entry.key);
        entries.iter().enumerate().find(is_double).map(|(_, entry)| entry)
    } else {
        let mut known = HashSet::default();
        entries.iter().find(|entry| !known.insert(entry.key.as_str()))
    };
    double.map(|entry| given_twice(&entry.key, entry.at))
}

/// A map with what it merges: its own keys count, then those of the maps in their order.
pub(super) fn with_merged(mut entries: Vec<Entry>, merged: Node) -> Result<Vec<Entry>, YamlError> {
    let at = merged.at;
    let maps = match merged.content {
        Content::List(items) => items,
        content => vec![Node { at, content }],
    };
    let mut known: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for map in maps {
        let kind = map.kind();
        let Content::Map(more) = map.content else {
            let message = format!("`{MERGE}` merges a map, or a list of maps; this is {kind}");
            return Err(
                YamlError::syntax(map.at, message).help("put it in quotes if it is a key like any other")
            );
        };
        entries.extend(more.into_iter().filter(|entry| known.insert(entry.key.clone())));
    }
    Ok(entries)
}

pub(super) fn given_twice(key: &str, at: Position) -> YamlError {
    YamlError::syntax(at, format!("duplicate key `{key}`"))
        .help("one of the two has to go: only one could count")
}
