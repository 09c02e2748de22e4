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
        place(&self.file().text, self.entry.line, written)
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

/// Where a text stands in a file, from a line on, or else anywhere; else the line's first word.
fn place(text: &str, from: u32, written: &str) -> (u32, u32) {
    let from = usize::try_from(from).unwrap_or(usize::MAX).saturating_sub(1);
    let first_line = written.trim().lines().next().unwrap_or("");
    let column_of = |line: &str| {
        let before = line.split_once(first_line)?.0;
        Some(before.chars().count())
    };
    let lines = || text.lines().enumerate();
    let found = lines()
        .skip(from)
        .chain(lines().take(from))
        .find_map(|(index, line)| Some((index, column_of(line)?)));
    let (index, column) = found.unwrap_or((from, 0));
    let number = |index: usize| u32::try_from(index + 1).unwrap_or(u32::MAX);
    (number(index), number(column))
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

    #[test]
    fn a_text_is_found_from_its_field_on() {
        let text = "fields:\n- rel1:\n    value: /A/B/c\n- rel2:\n    value: /A/B/c\n";
        assert_eq!(place(text, 2, "/A/B/c"), (3, 12));
        assert_eq!(place(text, 4, " /A/B/c\nmore"), (5, 12));
        assert_eq!(place(text, 4, "rel1"), (2, 3));
        assert_eq!(place(text, 4, "written otherwise"), (4, 1));
    }
}
