//! What is different between two trees, by file.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::source::SourceFile;

/// How many files a summary names.
const NAMED: usize = 5;

/// The files that differ between two trees, by their path for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeChanges {
    /// Only in the new tree.
    pub added: BTreeSet<Arc<str>>,
    /// In both, with another text.
    pub changed: BTreeSet<Arc<str>>,
    /// Only in the old tree.
    pub removed: BTreeSet<Arc<str>>,
}

impl TreeChanges {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }

    /// Whether the file at `path` is among them.
    pub fn contains(&self, path: &str) -> bool {
        [&self.added, &self.changed, &self.removed]
            .into_iter()
            .any(|paths| paths.contains(path))
    }

    /// Compares one root's files, both lists sorted by path; files that are shared cost one comparison.
    pub(crate) fn add(&mut self, old: &[Arc<SourceFile>], new: &[Arc<SourceFile>]) {
        let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
        loop {
            let (before, after) = match (old.peek(), new.peek()) {
                (None, None) => return,
                (before, after) => (before.copied(), after.copied()),
            };
            if let (Some(before), Some(after)) = (before, after)
                && (Arc::ptr_eq(before, after) || before.relative == after.relative)
            {
                if !Arc::ptr_eq(before, after) && before.digest != after.digest {
                    self.changed.insert(after.path.clone());
                }
                old.next();
                new.next();
                continue;
            }
            let is_removed = match (before, after) {
                (Some(before), Some(after)) => before.relative < after.relative,
                (before, _after) => before.is_some(),
            };
            if is_removed {
                self.removed.extend(old.next().map(|file| file.path.clone()));
            } else {
                self.added.extend(new.next().map(|file| file.path.clone()));
            }
        }
    }
}

/// One line: `1 changed, 2 added (automate/a.yaml, automate/b.yaml, automate/c.yaml)`.
impl fmt::Display for TreeChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            (&self.changed, "changed"),
            (&self.added, "added"),
            (&self.removed, "removed"),
        ];
        let counts = kinds.iter().filter(|(paths, _)| !paths.is_empty());
        let counts: Vec<String> = counts
            .map(|(paths, kind)| format!("{} {kind}", paths.len()))
            .collect();
        let paths: Vec<&str> = kinds
            .iter()
            .flat_map(|(paths, _)| paths.iter().map(|path| &**path))
            .collect();
        let named: Vec<&str> = paths.iter().copied().take(NAMED).collect();
        let more = if paths.len() > NAMED { ", ..." } else { "" };
        write!(f, "{} ({}{more})", counts.join(", "), named.join(", "))
    }
}
