//! Findings across files: what every file alone looks fine about, and what still leads to nothing.
//!
//! Looked for by `switchboard check` and when the appliance starts, never while rules are replaced. One file per kind
//! of check. A warning is what a run survives; an error is where every run that comes there ends.

mod circles;
mod event_sources;
mod method_calls;
mod relationships;
mod unread_files;

use std::sync::Arc;

use ahash::HashSet;

use crate::automate::datastore::Class;
use crate::automate::datastore::Datastore;
use crate::automate::datastore::Instance;
use crate::automate::field::PlanEntry;
use crate::automate::field::SchemaField;
use crate::source::Diagnostic;
use crate::source::SourceFile;
use crate::source::SourceTree;
use crate::source::yaml::Node;

/// Everything that is wrong between the files of a tree, sorted by place.
pub(crate) fn check(store: &Datastore, tree: &SourceTree) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    relationships::check(store, &mut found);
    method_calls::check(store, &mut found);
    circles::check(store, &mut found);
    event_sources::check(store, &mut found);
    unread_files::check(store, tree, &mut found);
    found.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    found.dedup();
    found
}

/// A field that has something to do, where it is written: in an instance, or as a default in the class.
#[derive(Clone, Copy)]
struct Site<'a> {
    class: &'a Arc<Class>,
    /// None for the class's own defaults.
    instance: Option<&'a Arc<Instance>>,
    field: &'a SchemaField,
    entry: &'a PlanEntry,
}

impl<'a> Site<'a> {
    /// The file of whom it belongs to.
    fn file(self) -> &'a Arc<SourceFile> {
        self.instance.map_or(&self.class.file, |instance| &instance.file)
    }

    /// Whether its value is written in that file: findings about a default belong to its class, those about an inherited
    /// value to the file that it is from.
    fn is_written_here(self) -> bool {
        match self.instance {
            Some(_) => self.entry.is_own(),
            None => self.entry.inherited_from.is_none(),
        }
    }

    /// Where a text of this field begins.
    fn place(self, written: &str) -> (u32, u32) {
        place(self.file(), self.entry.line, written)
    }
}

/// Every field of enabled domains once; defaults are not told again for each instance.
fn sites(store: &Datastore) -> impl Iterator<Item = Site<'_>> {
    let enabled = store.classes.iter().filter(|class| class.domain.enabled);
    enabled.flat_map(|class| {
        let of_class = class.default_plan.iter().map(move |entry| (None, entry));
        let of_instances = class
            .instances
            .iter()
            .flat_map(|instance| instance.plan.iter().map(move |entry| (Some(instance), entry)));
        of_class.chain(of_instances).filter_map(move |(instance, entry)| {
            let field = class.fields.get(usize::from(entry.field))?;
            Some(Site {
                class,
                instance,
                field,
                entry,
            })
        })
    })
}

/// Where a text is written within the field that begins in a line; else the beginning of the line.
fn place(file: &SourceFile, line: u32, written: &str) -> (u32, u32) {
    let document = Node::parse(&file.text).ok();
    let field = document.as_ref().and_then(|document| field_at(document, line));
    let written = written.trim();
    let found = field.and_then(|field| {
        let same = find(field, &|text| text.trim() == written);
        same.or_else(|| find(field, &|text| text.contains(written)))
    });
    let place = found.map(|node| {
        let before = node
            .text()
            .and_then(|text| text.split_once(written))
            .map_or("", |(before, _)| before);
        let number = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
        let in_line = before.rsplit('\n').next().unwrap_or_default();
        node.within(
            number(before.matches('\n').count()),
            number(in_line.chars().count()),
        )
    });
    place.map_or((line, 1), |place| (place.line, place.column))
}

/// The map that has a key in a line: a field of a class, or one of an instance with its name.
fn field_at(node: &Node, line: u32) -> Option<&Node> {
    if node.entries().iter().any(|entry| entry.at.line == line) {
        return Some(node);
    }
    values(node).find_map(|value| field_at(value, line))
}

fn find<'n>(node: &'n Node, is_it: &dyn Fn(&str) -> bool) -> Option<&'n Node> {
    let own = Some(node).filter(|node| node.text().is_some_and(is_it));
    own.or_else(|| values(node).find_map(|value| find(value, is_it)))
}

fn values(node: &Node) -> impl Iterator<Item = &Node> {
    let entries = node.entries().iter().map(|entry| &entry.value);
    node.items().iter().chain(entries)
}

/// What may stand before the last part of a path: classes of enabled domains and their namespaces, lower case,
/// with and without domain.
fn folders(store: &Datastore) -> HashSet<String> {
    let mut folders = HashSet::default();
    for class in store.classes.iter().filter(|class| class.domain.enabled) {
        let full = class.full_name().to_lowercase();
        let full = full.trim_start_matches('/');
        let short = full.split_once('/').map_or("", |(_, short)| short);
        for path in [full, short] {
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            folders.extend(ends.filter_map(|end| path.get(..end)).map(str::to_owned));
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::source::RootKind;

    #[test]
    fn a_text_is_found_within_its_field() {
        let text = "fields:\n# - rel0: /A/B/c\n- rel1: # /A/B/c\n    value: '/A/B/c'\n- rel2: &two\n    value: /A/B/c\n    on_entry: x; one; y\n- rel3: {<<: *two}\n- rel4:\n    value: |\n      first\n      second\n";
        let file = SourceFile::new(RootKind::Automate, "a.yaml", "a.yaml", text);
        for (line, written, expected) in [
            (3, "/A/B/c", (4, 13)),
            (5, " /A/B/c\n", (6, 12)),
            (5, "one", (7, 18)),
            (8, "/A/B/c", (6, 12)),
            (9, "second", (12, 7)),
            (5, "written otherwise", (5, 1)),
            (77, "x", (77, 1)),
        ] {
            assert_eq!(place(&file, line, written), expected, "{line} {written}");
        }
    }
}
