//! The root folders that users own, and one file of them as text.

use std::path::PathBuf;
use std::sync::Arc;

use sha2::Digest;
use sha2::Sha256;

use crate::source::text::without_mark;

/// What a root folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RootKind {
    /// Domains of the datastore: `*.yaml` and the `*.rhai` of methods.
    Automate,
    /// Providers, actions and modules: `*.rhai`.
    Scripts,
}

impl RootKind {
    /// Whether a root of this kind reads files of this name.
    pub(crate) fn reads(self, name: &str) -> bool {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        match self {
            Self::Automate => matches!(extension, Some("yaml" | "rhai")),
            Self::Scripts => extension == Some("rhai"),
        }
    }
}

/// A folder that users own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// What it holds.
    pub kind: RootKind,
    /// Where it is.
    pub folder: PathBuf,
    /// Whether it has to exist, as one that the user named has to; a default folder may be missing, and is empty.
    pub required: bool,
}

impl Root {
    /// Its name for people: the folder's own.
    pub fn name(&self) -> String {
        let real = || {
            self.folder
                .canonicalize()
                .ok()?
                .file_name()
                .map(ToOwned::to_owned)
        };
        let name = self.folder.file_name().map(ToOwned::to_owned).or_else(real);
        name.unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Whether nobody looks at an entry of a folder: hidden ones (`.git`, `.#lock`, `.x.swp`, `..data`) and backups.
pub(crate) fn is_skipped(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~')
}

/// A path below another, `/` between them.
pub(crate) fn join(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, name) => format!("{folder}/{name}"),
    }
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
    /// A file with its digest; a byte order mark in front of the text is passed over.
    pub fn new(kind: RootKind, path: impl Into<Arc<str>>, relative: impl Into<Arc<str>>, text: &str) -> Self {
        let (path, relative) = (path.into(), relative.into());
        let text: Arc<str> = Arc::from(without_mark(text));
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
