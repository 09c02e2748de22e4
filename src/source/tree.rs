//! SourceTree: the files of both trees as text, read once, immutable, shared between generations.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::source::changes::TreeChanges;
use crate::source::diagnostic::Diagnostic;
use crate::source::disk::Found;
use crate::source::disk::Scanner;
use crate::source::file::Root;
use crate::source::file::RootKind;
use crate::source::file::SourceFile;
use crate::source::file::join;
use crate::source::origin::Origin;

/// How often a tree is read again because the way to a root changed meanwhile; then it is taken as it is, and the
/// next change comes anyway.
const MAX_SWAPS: usize = 3;

/// All files of all roots at one moment.
#[derive(Clone, Debug, Default)]
pub struct SourceTree {
    files: Vec<Arc<SourceFile>>,
    diagnostics: Vec<Diagnostic>,
    origins: Vec<Origin>,
}

impl SourceTree {
    /// Reads all roots from disk. What cannot be read below a root is a diagnostic, and the rest is there.
    ///
    /// Read are `*.yaml` and `*.rhai` below automate roots and `*.rhai` below script roots, but nothing hidden
    /// and no editor's leftovers. Symlinks are followed as long as they stay within their root.
    ///
    /// # Errors
    /// When a root's own folder cannot be read, or is required and missing; the error names it.
    pub fn from_disk(roots: &[Root]) -> io::Result<Self> {
        let mut tree = Self::default();
        for root in roots {
            let mut scanner = match Scanner::open(root) {
                Ok(scanner) => scanner,
                Err(error) if error.kind() == io::ErrorKind::NotFound && !root.required => {
                    tree.origins.push(Origin::empty(root));
                    continue;
                }
                Err(error) => {
                    let message = format!("cannot read the folder `{}`: {error}", root.folder.display());
                    return Err(io::Error::new(error.kind(), message));
                }
            };
            scanner.scan("");
            let canonical = scanner.canonical().to_owned();
            let Found {
                files,
                findings,
                links,
            } = scanner.finish();
            let empty = Origin::empty(root);
            let origin = Origin {
                canonical: Some(canonical),
                findings,
                links,
                ..empty
            };
            tree.push(origin, files);
        }
        Ok(tree)
    }

    /// The tree after a change: looks only at the given paths again, files or folders with all below them, and
    /// at what is behind symlinks; everything else is shared with `self`. Paths outside of the roots are passed by.
    ///
    /// A root folder that was there and is gone, or cannot be read any more, is an error among the diagnostics.
    #[must_use]
    pub fn updated(&self, changed: &[PathBuf]) -> Self {
        let mut tree = self.updated_once(changed);
        // Of two roots behind one link that was swapped meanwhile, one may be of before and one of after.
        for _swap in 0..MAX_SWAPS {
            if tree.origins.iter().all(Origin::stands) {
                break;
            }
            tree = self.updated_once(&self.folders());
        }
        tree
    }

    fn folders(&self) -> Vec<PathBuf> {
        let folders = self.origins.iter().map(|origin| origin.root.folder.clone());
        folders.collect()
    }

    fn updated_once(&self, changed: &[PathBuf]) -> Self {
        let mut tree = Self::default();
        for (origin, files) in self.parts() {
            let (origin, files) = origin.updated(files, changed);
            tree.push(origin, files);
        }
        tree
    }

    /// The tree read anew from the same roots; files whose text is the same are shared.
    #[must_use]
    pub fn reread(&self) -> Self {
        self.updated(&self.folders())
    }

    /// The tree as it would be with these files added; one that is below no root is left out.
    #[must_use]
    pub fn with(&self, added: &[(PathBuf, String)]) -> Self {
        let mut tree = Self::default();
        for (origin, files) in self.parts() {
            let root = &origin.root;
            let below = added.iter().filter_map(|(path, text)| {
                let relative = path.strip_prefix(&root.folder).ok()?.to_str()?;
                let path = join(&root.name(), relative);
                Some(Arc::new(SourceFile::new(
                    root.kind,
                    path,
                    relative,
                    text.as_str(),
                )))
            });
            let mut files: Vec<_> = files.iter().cloned().chain(below).collect();
            files.sort_by(|a, b| a.relative.cmp(&b.relative));
            tree.push(origin.clone(), files);
        }
        tree
    }

    /// Where a file of this tree is on the disk, by its path for people.
    pub fn on_disk(&self, path: &str) -> Option<PathBuf> {
        self.parts().find_map(|(origin, files)| {
            let file = files.iter().find(|file| *file.path == *path)?;
            Some(origin.root.folder.join(&*file.relative))
        })
    }

    /// A tree from one text, for tests: `//- automate/Dom/__domain__.yaml` begins a file; the first folder is the root.
    pub fn from_fixture(text: &str) -> Self {
        let mut files = Vec::new();
        for part in text.split("//- ").skip(1) {
            let (path, body) = part.split_once('\n').unwrap_or((part, ""));
            let path = path.trim();
            let (root, relative) = path.split_once('/').unwrap_or(("", path));
            let kind = if root == "scripts" {
                RootKind::Scripts
            } else {
                RootKind::Automate
            };
            files.push(Arc::new(SourceFile::new(kind, path, relative, body)));
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self {
            files,
            ..Self::default()
        }
    }

    /// The files, sorted by path within each root, roots in the order given.
    pub fn files(&self) -> &[Arc<SourceFile>] {
        &self.files
    }

    /// Which files differ from those of an older tree of the same roots.
    pub fn changes_since(&self, old: &Self) -> TreeChanges {
        let mut changes = TreeChanges::default();
        if self.origins.len() != old.origins.len() || self.origins.is_empty() {
            changes.add(&old.files, &self.files);
            return changes;
        }
        for ((_, old), (_, new)) in old.parts().zip(self.parts()) {
            changes.add(old, new);
        }
        changes
    }

    /// What could not be read.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Each root with its files.
    fn parts(&self) -> impl Iterator<Item = (&Origin, &[Arc<SourceFile>])> {
        let mut rest = self.files.as_slice();
        self.origins.iter().map(move |origin| {
            let (files, others) = rest.split_at_checked(origin.count).unwrap_or((rest, &[]));
            rest = others;
            (origin, files)
        })
    }

    fn push(&mut self, mut origin: Origin, mut files: Vec<Arc<SourceFile>>) {
        origin.count = files.len();
        let findings = origin.findings.iter().map(|(_, finding)| finding.clone());
        self.diagnostics.extend(findings);
        self.origins.push(origin);
        self.files.append(&mut files);
    }
}
