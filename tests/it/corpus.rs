//! Where the real trees and events are: the folder that `SWITCHBOARD_CORPUS` names. Without it such tests say so.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use switchboard::source::Root;
use switchboard::source::RootKind;
use switchboard::source::SourceTree;

/// A part of the corpus, or nothing where there is none.
pub(crate) fn part(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("SWITCHBOARD_CORPUS") else {
        let _shown = writeln!(
            io::stderr(),
            "skipped: SWITCHBOARD_CORPUS names no folder with `{name}`"
        );
        return None;
    };
    Some(Path::new(&folder).join(name))
}

/// A tree read from folders of domains and folders of scripts.
pub(crate) fn tree(automate: &[&Path], scripts: &[&Path]) -> SourceTree {
    let root = |kind| {
        move |folder: &&Path| Root {
            kind,
            folder: folder.to_path_buf(),
            required: true,
        }
    };
    let automate = automate.iter().map(root(RootKind::Automate));
    let roots: Vec<Root> = automate
        .chain(scripts.iter().map(root(RootKind::Scripts)))
        .collect();
    SourceTree::from_disk(&roots).unwrap()
}

/// A folder of the project.
pub(crate) fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
