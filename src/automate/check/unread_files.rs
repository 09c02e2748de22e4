//! Files in the folder of a class that nobody reads: scripts without their method, folders of another name.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::HashSet;

use crate::automate::datastore::Datastore;
use crate::automate::loader::CLASS;
use crate::automate::loader::METHODS;
use crate::source::Diagnostic;
use crate::source::RootKind;
use crate::source::SourceFile;
use crate::source::SourceTree;
use crate::source::suggest;

pub(crate) fn check(store: &Datastore, tree: &SourceTree, found: &mut Vec<Diagnostic>) {
    let classes = store.classes.iter().filter_map(|class| folder(&class.file));
    let loaded: HashSet<&str> = classes.collect();
    let files = || tree.files().iter().filter(|file| file.kind == RootKind::Automate);
    let paths: HashSet<&str> = files().map(|file| &*file.path).collect();
    // Folders that look like a class's and have no file for it: told once, by their first file.
    let mut without_class: BTreeMap<&str, &Arc<SourceFile>> = BTreeMap::new();
    for file in files() {
        let Some(parent) = folder(file) else { continue };
        let in_class = || ancestors(parent).find(|above| loaded.contains(above));
        if parent.ends_with(".class") && !paths.contains(format!("{parent}/{CLASS}").as_str()) {
            without_class.entry(parent).or_insert(file);
        } else if let Some(class) = in_class() {
            found.extend(in_class_folder(class, parent, file, &paths));
        }
    }
    found.extend(without_class.into_iter().map(|(folder, file)| {
        let message = format!("`{folder}` has no {CLASS}, so nothing in it is read");
        Diagnostic::warning("UnreadFile", &file.path, message).help(format!("add {folder}/{CLASS}"))
    }));
}

fn in_class_folder(
    class: &str,
    parent: &str,
    file: &Arc<SourceFile>,
    paths: &HashSet<&str>,
) -> Option<Diagnostic> {
    let warning = |message: String, help: String| {
        Some(Diagnostic::warning("UnreadFile", &file.path, message).help(help))
    };
    if file.path.ends_with(".test.yaml") {
        return None;
    }
    let below = parent.strip_prefix(class)?.trim_start_matches('/');
    let script = file.path.strip_suffix(".rhai");
    match (below, script) {
        ("", Some(_)) => warning(
            "a script beside the instances is not read".to_owned(),
            format!("move it into {class}/{METHODS}, beside the YAML of its method"),
        ),
        (METHODS, Some(name)) if !paths.contains(format!("{name}.yaml").as_str()) => warning(
            "the script belongs to no method".to_owned(),
            format!("add {name}.yaml, which says the method's name and `language: rhai`"),
        ),
        ("" | METHODS, _) => None,
        (other, _) => {
            let near = suggest::nearest(other.trim_matches('_'), ["methods"]);
            let help = near.map_or_else(
                || format!("instances stand in {class} itself, methods in {class}/{METHODS}"),
                |_| format!("rename the folder to {METHODS}"),
            );
            warning(format!("nothing below `{parent}` is read"), help)
        }
    }
}

fn folder(file: &SourceFile) -> Option<&str> {
    file.path.rsplit_once('/').map(|(folder, _)| folder)
}

/// A folder and those above it, the nearest first.
fn ancestors(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |below| {
        below.rsplit_once('/').map(|(above, _)| above)
    })
}
