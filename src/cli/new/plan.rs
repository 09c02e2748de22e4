//! Files that are to be made: judged with the rules that are there before the first of them is written.

use std::collections::BTreeSet;
use std::fs;
use std::fs::Permissions;
use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::error::CliError;
use crate::cli::options::GlobalOptions;
use crate::model::rule_tree::RuleTree;
use crate::source::Diagnostic;
use crate::source::Root;
use crate::source::RootKind;
use crate::source::SourceTree;
use crate::switchboard::Switchboard;

/// The rules of the folders that are written to.
pub(crate) struct Rules {
    pub(crate) tree: SourceTree,
    pub(crate) switchboard: Arc<Switchboard>,
    /// Its domains and instances.
    pub(crate) listed: RuleTree,
    findings: BTreeSet<Diagnostic>,
    roots: Vec<Root>,
}

impl Rules {
    /// Loads them, as `check` does.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub(crate) fn load(options: &GlobalOptions) -> Result<Self, CliError> {
        Ok(Self::of(options.source_tree()?, None, options.roots()))
    }

    fn of(tree: SourceTree, previous: Option<&Arc<Switchboard>>, roots: Vec<Root>) -> Self {
        let loaded = Switchboard::load(&tree, previous);
        let across_files = loaded.switchboard.check(&tree);
        Self {
            listed: loaded.switchboard.rule_tree(),
            switchboard: Arc::new(loaded.switchboard),
            findings: loaded.diagnostics.into_iter().chain(across_files).collect(),
            tree,
            roots,
        }
    }

    /// The first folder of domains: where a new one is made.
    pub(crate) fn automate(&self) -> &Path {
        self.folder(RootKind::Automate)
    }

    /// The folder of scripts.
    pub(crate) fn scripts(&self) -> &Path {
        self.folder(RootKind::Scripts)
    }

    fn folder(&self, kind: RootKind) -> &Path {
        let root = self.roots.iter().find(|root| root.kind == kind);
        root.map_or(Path::new("."), |root| &root.folder)
    }

    /// The text of a file, by its path for people.
    pub(crate) fn text(&self, path: &str) -> Option<Arc<str>> {
        let mut files = self.tree.files().iter();
        Some(files.find(|file| *file.path == *path)?.text.clone())
    }

    /// The rules as they would be with what is planned.
    pub(crate) fn with(&self, plan: &Plan) -> Self {
        Self::of(
            self.tree.with(&plan.files),
            Some(&self.switchboard),
            self.roots.clone(),
        )
    }

    /// What `check` finds here and did not find before.
    pub(crate) fn new_findings<'a>(&'a self, before: &'a Self) -> Vec<&'a Diagnostic> {
        self.findings.difference(&before.findings).collect()
    }
}

/// The files of a start, in the order in which they are made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    files: Vec<(PathBuf, String)>,
}

impl Plan {
    /// Plans a file.
    pub(crate) fn add(&mut self, path: PathBuf, text: String) {
        self.files.push((path, text));
    }

    /// What is planned.
    pub(crate) fn files(&self) -> &[(PathBuf, String)] {
        &self.files
    }

    /// That none of the files is there.
    ///
    /// # Errors
    /// When one is: the rules that were loaded may know nothing of it.
    pub(crate) fn free(&self) -> Result<(), CliError> {
        match self
            .files
            .iter()
            .find(|(path, _)| path.symlink_metadata().is_ok())
        {
            Some((there, _)) => Err(taken(there)),
            None => Ok(()),
        }
    }

    /// Makes every file and the folders that it needs. A file appears whole, and in the place of none that is there.
    ///
    /// # Errors
    /// When one is there already, or cannot be written; then those that were made before are removed again.
    pub(crate) fn write(&self) -> Result<(), CliError> {
        self.free()?;
        let mut made = Vec::new();
        for (path, text) in &self.files {
            if let Err(error) = write(path, text, &mut made) {
                undo(&made);
                return Err(match error.kind() {
                    ErrorKind::AlreadyExists => taken(path),
                    _other => CliError::failed(format!("cannot make `{}`", path.display()), error),
                });
            }
        }
        Ok(())
    }
}

/// That there is such a file.
fn taken(path: &Path) -> CliError {
    CliError::usage(
        format!("there is `{}` already, and it is left as it is", path.display()),
        "edit it, or move it away; `switchboard check` says what is wrong with one that is not loaded",
    )
}

/// What was made, the folders too.
enum Made {
    Folder(PathBuf),
    File(PathBuf),
}

fn write(path: &Path, text: &str, made: &mut Vec<Made>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.exists()).collect();
    for folder in missing
        .into_iter()
        .rev()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir(folder)?;
        made.push(Made::Folder(folder.to_owned()));
    }
    // Under a hidden name first, which no reload reads.
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist_noclobber(path).map_err(|failed| failed.error)?;
    made.push(Made::File(path.to_owned()));
    Ok(())
}

fn undo(made: &[Made]) {
    for made in made.iter().rev() {
        // What cannot be removed is not worth more than the error that is told.
        let _kept = match made {
            Made::File(path) => fs::remove_file(path),
            Made::Folder(path) => fs::remove_dir(path),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten_and_nothing_half_made_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("there.yaml"), "mine").unwrap();
        let mut plan = Plan::default();
        plan.add(path("a/b/new.yaml"), "new".to_owned());
        plan.add(path("there.yaml"), "theirs".to_owned());
        let error = plan.write().unwrap_err().to_string();
        assert!(error.contains("there.yaml` already"), "{error}");
        // Where that shows only in the middle.
        let mut plan = Plan::default();
        plan.add(path("a/b/new.yaml"), "new".to_owned());
        plan.add(path("there.yaml/below.yaml"), "theirs".to_owned());
        assert!(plan.write().is_err());
        assert_eq!(fs::read_to_string(path("there.yaml")).unwrap(), "mine");
        assert!(!path("a").exists());
    }
}
