//! One root's part of a tree: which files it gave, and which of them to read again after a change.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::source::diagnostic::Diagnostic;
use crate::source::disk::Scanner;
use crate::source::file::Root;
use crate::source::file::SourceFile;
use crate::source::file::is_skipped;

/// What one root gave: the next `count` files of the tree, and what has to be known to read parts of it again.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) root: Root,
    /// The real path of its folder, none where there is none.
    pub(crate) canonical: Option<PathBuf>,
    pub(crate) count: usize,
    pub(crate) findings: Vec<(String, Diagnostic)>,
    pub(crate) links: Vec<String>,
}

impl Origin {
    /// A root without a folder.
    pub(crate) fn empty(root: &Root) -> Self {
        Self {
            root: root.clone(),
            canonical: None,
            count: 0,
            findings: Vec::new(),
            links: Vec::new(),
        }
    }

    /// This root and its files after a change, of which `changed` may name paths anywhere.
    pub(crate) fn updated(
        &self,
        files: &[Arc<SourceFile>],
        changed: &[PathBuf],
    ) -> (Self, Vec<Arc<SourceFile>>) {
        let mut stale: BTreeSet<&str> = changed.iter().filter_map(|path| self.relative(path)).collect();
        if stale.is_empty() && self.links.is_empty() {
            return (self.clone(), files.to_vec());
        }
        let mut scanner = match Scanner::open(&self.root) {
            Ok(scanner) => scanner,
            Err(error) => return (self.closed(&error), Vec::new()),
        };
        let is_same_folder = self.canonical.as_deref() == Some(scanner.canonical());
        stale = stale.into_iter().map(|path| scanner.anchor(path)).collect();
        stale.extend(self.links.iter().map(String::as_str));
        if !is_same_folder {
            stale.insert("");
        }
        let stale = outermost(&stale);
        for path in &stale {
            scanner.scan(path);
        }
        let canonical = scanner.canonical().to_owned();
        let mut found = scanner.finish();

        let is_stale = |path: &str| stale.iter().any(|stale| is_at_or_below(path, stale));
        let kept_findings = self.findings.iter().filter(|(path, _)| !is_stale(path)).cloned();
        found.findings.extend(kept_findings);
        found
            .links
            .extend(self.links.iter().filter(|path| !is_stale(path)).cloned());

        let kept = without(files, &stale);
        for file in &mut found.files {
            share(file, files);
        }
        let updated = Self {
            root: self.root.clone(),
            canonical: Some(canonical),
            count: 0,
            findings: found.findings,
            links: found.links,
        };
        (updated, merged(kept, found.files))
    }

    /// Whether the way to this root still leads where it was read.
    pub(crate) fn stands(&self) -> bool {
        self.root.folder.canonicalize().ok() == self.canonical
    }

    /// This root after its folder could not be opened.
    fn closed(&self, error: &io::Error) -> Self {
        let mut closed = Self::empty(&self.root);
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        let was_there = self.canonical.is_some() || !self.findings.is_empty();
        if self.root.required || was_there || !is_missing {
            let name: Arc<str> = self.root.name().into();
            let message = format!("cannot read the folder `{}`: {error}", self.root.folder.display());
            let finding = Diagnostic::error("FolderUnreadable", &name, message).help("put the folder back");
            closed.findings.push((String::new(), finding));
        }
        closed
    }

    /// The path below this root, `/` between the parts; empty for the root and what contains it; none for a path
    /// elsewhere, or one that no scan looks at.
    fn relative<'a>(&self, path: &'a Path) -> Option<&'a str> {
        let folders = [Some(self.root.folder.as_path()), self.canonical.as_deref()];
        folders.into_iter().flatten().find_map(|folder| {
            if folder.starts_with(path) {
                return Some("");
            }
            let relative = path.strip_prefix(folder).ok()?.to_str()?;
            let is_skipped = relative.split('/').any(is_skipped);
            (!is_skipped).then_some(relative)
        })
    }
}

/// Drops the paths that stand below another one.
fn outermost<'a>(paths: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let is_covered = |path: &str| {
        let ends = path.match_indices('/').map(|(at, _)| at);
        let mut above = ends
            .filter_map(|end| path.get(..end))
            .chain((!path.is_empty()).then_some(""));
        above.any(|above| paths.contains(above))
    };
    paths.iter().copied().filter(|path| !is_covered(path)).collect()
}

fn is_at_or_below(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder);
    rest.is_some_and(|rest| folder.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

/// The files, sorted by path, that stand at or below none of `stale`.
fn without(files: &[Arc<SourceFile>], stale: &[&str]) -> Vec<Arc<SourceFile>> {
    let mut gone: Vec<Range<usize>> = stale.iter().flat_map(|path| at_and_below(files, path)).collect();
    gone.sort_by_key(|range| range.start);
    let mut kept = Vec::with_capacity(files.len());
    let mut from = 0;
    for range in gone {
        kept.extend(files.get(from..range.start).unwrap_or_default().iter().cloned());
        from = from.max(range.end);
    }
    kept.extend(files.get(from..).unwrap_or_default().iter().cloned());
    kept
}

/// Two sorted lists as one.
fn merged(kept: Vec<Arc<SourceFile>>, found: Vec<Arc<SourceFile>>) -> Vec<Arc<SourceFile>> {
    let mut all = Vec::with_capacity(kept.len() + found.len());
    let mut rest = kept.into_iter();
    for file in found {
        let before = rest
            .as_slice()
            .partition_point(|kept| kept.relative < file.relative);
        all.extend(rest.by_ref().take(before));
        all.push(file);
    }
    all.extend(rest);
    all
}

/// Where in the sorted files `path` itself is, and where everything below it.
fn at_and_below(files: &[Arc<SourceFile>], path: &str) -> [Range<usize>; 2] {
    if path.is_empty() {
        return [0..files.len(), files.len()..files.len()];
    }
    let first = |below: &str| files.partition_point(|file| *file.relative < *below);
    let at = first(path);
    let is_here = files.get(at).is_some_and(|file| *file.relative == *path);
    // `0` is the character behind `/`.
    [
        at..at + usize::from(is_here),
        first(&format!("{path}/"))..first(&format!("{path}0")),
    ]
}

/// Takes the old file in place of an equal new one, so that who compares pointers sees what changed.
fn share(file: &mut Arc<SourceFile>, old: &[Arc<SourceFile>]) {
    let same = old.binary_search_by(|old| old.relative.cmp(&file.relative));
    let same = same.ok().and_then(|at| old.get(at));
    if let Some(old) = same.filter(|old| old.digest == file.digest) {
        *file = old.clone();
    }
}
