//! SourceTree: the files of both trees as text, read once, immutable, shared between generations.

use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::source::diagnostic::Diagnostic;

/// What a root folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RootKind {
    /// Domains of the datastore: `*.yaml` and the `*.rhai` of methods.
    Automate,
    /// Providers, actions and modules: `*.rhai`.
    Scripts,
}

/// A folder that users own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// What it holds.
    pub kind: RootKind,
    /// Where it is.
    pub folder: PathBuf,
}

/// One file of a tree.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Which kind of root it stands under.
    pub kind: RootKind,
    /// Its path for people: relative to its root, with the root folder's name in front, `/` between the parts.
    pub path: Arc<str>,
    /// Its path below the root, for example `ManageIQ/System/Process.class/Event.yaml`.
    pub relative: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
    /// A digest of path and text.
    pub digest: u128,
}

impl SourceFile {
    /// A file with its digest.
    pub fn new(
        kind: RootKind,
        path: impl Into<Arc<str>>,
        relative: impl Into<Arc<str>>,
        text: impl Into<Arc<str>>,
    ) -> Self {
        let (path, relative, text) = (path.into(), relative.into(), text.into());
        let hash = Sha256::new_with_prefix(relative.as_bytes())
            .chain_update([0])
            .chain_update(text.as_bytes())
            .finalize();
        let digest = hash
            .iter()
            .take(16)
            .fold(0_u128, |digest, byte| digest << 8 | u128::from(*byte));
        Self {
            kind,
            path,
            relative,
            text,
            digest,
        }
    }
}

/// All files of all roots at one moment.
#[derive(Clone, Debug, Default)]
pub struct SourceTree {
    files: Vec<Arc<SourceFile>>,
    diagnostics: Vec<Diagnostic>,
}

impl SourceTree {
    /// stub until the real one comes
    pub fn from_disk(_roots: &[Root]) -> Self {
        Self::default()
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
            diagnostics: Vec::new(),
        }
    }

    /// The files, sorted by path within each root, roots in the order given.
    pub fn files(&self) -> &[Arc<SourceFile>] {
        &self.files
    }

    /// What could not be read.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}
