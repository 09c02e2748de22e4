//! Stamps: what the system says of each file without reading it; two looks, one after the other, tell what changed.
//!
//! This finds what no watch reports: a file that is mounted or hard-linked here and written elsewhere, a file on a
//! network file system, and any file where the system grants no watch.

use std::collections::BTreeMap;
use std::fs;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use crate::reload::pending::Change;
use crate::reload::watches::Watched;
use crate::source::Root;
use crate::source::RootKind;
use crate::source::is_skipped;

/// The most files and folders of one look, and the deepest nesting: as much as is read.
const MAX_ENTRIES: usize = 200_000;
const MAX_DEPTH: usize = 64;

/// One look at everything that is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamps {
    /// Where each root really is; none where it is missing.
    roots: Vec<Option<PathBuf>>,
    settings: Option<Stamp>,
    /// Files and folders by their path below the real one of their root.
    entries: BTreeMap<PathBuf, Stamp>,
}

/// What the system says of a file or a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    mode: u32,
    owner: u32,
    group: u32,
    /// None of a folder: what is in it has stamps of its own.
    content: Option<Content>,
}

/// Size, time of the last write, and time of the last change of a file.
type Content = (u64, Time, Time);
/// Seconds and nanoseconds.
type Time = (i64, i64);

/// A walk through one root.
struct Walk<'a> {
    kind: RootKind,
    root: &'a Path,
    entries: &'a mut BTreeMap<PathBuf, Stamp>,
    /// The folders above, by device and inode, so that no circle of links is followed.
    above: Vec<(u64, u64)>,
}

impl Stamps {
    /// Looks at every root, with all that is read below it, and at the settings file.
    pub(crate) fn look(watched: &Watched) -> Self {
        let mut entries = BTreeMap::new();
        let roots = watched.roots.iter().map(|root| {
            let real = root.folder.canonicalize().ok()?;
            Walk::of(root, &real, &mut entries).visit(real.clone(), false);
            Some(real)
        });
        Self {
            roots: roots.collect(),
            settings: settings(watched),
            entries,
        }
    }

    /// Looks again at these paths and what is below them, because their changes are known already.
    pub(crate) fn renew(&mut self, watched: &Watched, paths: &[PathBuf]) {
        for path in paths {
            let below = self.entries.range(path.clone()..);
            let stale: Vec<PathBuf> = below
                .map(|(known, _)| known.clone())
                .take_while(|known| known.starts_with(path))
                .collect();
            for known in stale {
                self.entries.remove(&known);
            }
            let roots = watched.roots.iter().zip(&self.roots);
            let found = roots
                .into_iter()
                .filter_map(|(root, real)| Some((root, real.as_deref()?)))
                .find(|(_, real)| path.starts_with(real));
            if let Some((root, real)) = found {
                let is_link = path
                    .symlink_metadata()
                    .is_ok_and(|metadata| metadata.is_symlink());
                Walk::of(root, real, &mut self.entries).visit(path.clone(), is_link);
            }
        }
    }

    /// The same for the settings file.
    pub(crate) fn renew_settings(&mut self, watched: &Watched) {
        self.settings = settings(watched);
    }

    /// Tells what changed since a look before.
    pub(crate) fn tell_changes_since(&self, before: &Self, mut tell: impl FnMut(Change<'_>)) {
        if self.roots != before.roots {
            tell(Change::WayToRoot);
        }
        if self.settings != before.settings {
            tell(Change::Settings);
        }
        let gone_or_changed = before.entries.iter();
        gone_or_changed
            .filter(|(path, stamp)| self.entries.get(*path) != Some(stamp))
            .for_each(|(path, _)| tell(Change::Below(path)));
        let new = self
            .entries
            .keys()
            .filter(|path| !before.entries.contains_key(*path));
        new.for_each(|path| tell(Change::Below(path)));
    }
}

fn settings(watched: &Watched) -> Option<Stamp> {
    let metadata = fs::metadata(watched.settings.as_deref()?);
    metadata.ok().as_ref().map(Stamp::of)
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        let content = || {
            (
                metadata.size(),
                (metadata.mtime(), metadata.mtime_nsec()),
                (metadata.ctime(), metadata.ctime_nsec()),
            )
        };
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            mode: metadata.mode(),
            owner: metadata.uid(),
            group: metadata.gid(),
            content: (!metadata.is_dir()).then(content),
        }
    }
}

impl<'a> Walk<'a> {
    fn of(root: &Root, real: &'a Path, entries: &'a mut BTreeMap<PathBuf, Stamp>) -> Self {
        Self {
            kind: root.kind,
            root: real,
            entries,
            above: Vec::new(),
        }
    }

    /// Takes the stamp of what is there, and of all below it. Of a link it is that of what the link leads to.
    fn visit(&mut self, path: PathBuf, is_link: bool) {
        let Ok(metadata) = fs::metadata(&path) else { return };
        if self.entries.len() >= MAX_ENTRIES {
            return;
        }
        if !metadata.is_dir() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if self.kind.reads(&name) {
                self.entries.insert(path, Stamp::of(&metadata));
            }
            return;
        }
        let id = (metadata.dev(), metadata.ino());
        if self.above.contains(&id) || self.above.len() >= MAX_DEPTH {
            return;
        }
        self.entries.insert(path.clone(), Stamp::of(&metadata));
        // What a link out of the root leads to is not read.
        let is_within = || path.canonicalize().is_ok_and(|real| real.starts_with(self.root));
        if is_link && !is_within() {
            return;
        }
        let Ok(listing) = fs::read_dir(&path) else { return };
        self.above.push(id);
        for entry in listing.flatten() {
            if !is_skipped(&entry.file_name().to_string_lossy()) {
                let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
                self.visit(entry.path(), is_link);
            }
        }
        self.above.pop();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with rules, some of them behind links, and what may be done to it.
    fn watched(folder: &Path) -> Watched {
        for (path, text) in [
            ("outside/linked.yaml", "linked"),
            ("automate/D/a.yaml", "a"),
            ("automate/D/deep/b.rhai", "b"),
            ("automate/D/notes.txt", "nobody reads this"),
            ("automate/..1/c.yaml", "c"),
            ("automate/..2/c.yaml", "C"),
            ("config/settings.yml", "web: {}"),
        ] {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        symlink("..1", folder.join("automate/..data")).unwrap();
        symlink("..data/c.yaml", folder.join("automate/c.yaml")).unwrap();
        symlink("..", folder.join("automate/D/circle")).unwrap();
        symlink("/", folder.join("automate/D/everything")).unwrap();
        fs::hard_link(
            folder.join("outside/linked.yaml"),
            folder.join("automate/D/linked.yaml"),
        )
        .unwrap();
        Watched {
            roots: vec![Root {
                kind: RootKind::Automate,
                folder: folder.join("automate"),
                required: true,
            }],
            settings: Some(folder.join("config/settings.yml")),
        }
    }

    fn told(watched: &Watched, before: &Stamps) -> Vec<String> {
        let mut told = Vec::new();
        Stamps::look(watched).tell_changes_since(before, |change| {
            told.push(match change {
                Change::Below(path) => path.file_name().unwrap().to_string_lossy().into_owned(),
                other => format!("{other:?}"),
            });
        });
        told
    }

    #[test]
    fn two_looks_tell_whatever_changed_between_them() {
        type Case = (&'static str, fn(&Path), &'static [&'static str]);
        let cases: [Case; 13] = [
            ("nothing", |_| (), &[]),
            (
                "a file is read",
                |f| drop(fs::read(f.join("automate/D/a.yaml"))),
                &[],
            ),
            (
                "written",
                |f| fs::write(f.join("automate/D/a.yaml"), "aa").unwrap(),
                &["a.yaml"],
            ),
            (
                "written through its other name",
                |f| fs::write(f.join("outside/linked.yaml"), "elsewhere").unwrap(),
                &["linked.yaml"],
            ),
            (
                "replaced",
                |f| {
                    fs::write(f.join("new"), "a").unwrap();
                    fs::rename(f.join("new"), f.join("automate/D/a.yaml")).unwrap();
                },
                &["a.yaml"],
            ),
            (
                "added",
                |f| fs::write(f.join("automate/D/new.yaml"), "").unwrap(),
                &["new.yaml"],
            ),
            (
                "removed",
                |f| fs::remove_file(f.join("automate/D/a.yaml")).unwrap(),
                &["a.yaml"],
            ),
            (
                "a folder is removed",
                |f| fs::remove_dir_all(f.join("automate/D/deep")).unwrap(),
                &["deep", "b.rhai"],
            ),
            (
                "a folder is closed",
                |f| {
                    let closed = fs::Permissions::from_mode(0o700);
                    fs::set_permissions(f.join("automate/D/deep"), closed).unwrap();
                },
                &["deep"],
            ),
            (
                "a link is swapped",
                |f| {
                    fs::remove_file(f.join("automate/..data")).unwrap();
                    symlink("..2", f.join("automate/..data")).unwrap();
                },
                &["c.yaml"],
            ),
            (
                "what nobody reads",
                |f| fs::write(f.join("automate/D/notes.txt"), "x").unwrap(),
                &[],
            ),
            (
                "the settings",
                |f| fs::write(f.join("config/settings.yml"), "web: {listen: x}").unwrap(),
                &["Settings"],
            ),
            (
                "the root is another one",
                |f| {
                    fs::rename(f.join("automate"), f.join("before")).unwrap();
                },
                &["WayToRoot"],
            ),
        ];
        for (name, change, expected) in cases {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path().canonicalize().unwrap();
            let watched = watched(&folder);
            let before = Stamps::look(&watched);
            change(&folder);
            let told = told(&watched, &before);
            let is_told = |expected: &&str| told.iter().any(|told| told == expected);
            assert!(expected.iter().all(is_told), "{name}: {told:?}");
            assert!(!expected.is_empty() || told.is_empty(), "{name}: {told:?}");
        }
    }

    #[test]
    fn what_is_known_already_is_not_told_again() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let watched = watched(&folder);
        let mut before = Stamps::look(&watched);
        fs::write(folder.join("automate/D/a.yaml"), "aa").unwrap();
        fs::remove_dir_all(folder.join("automate/D/deep")).unwrap();
        fs::create_dir(folder.join("automate/D/new")).unwrap();
        fs::write(folder.join("automate/D/new/d.yaml"), "d").unwrap();
        fs::write(folder.join("outside/linked.yaml"), "elsewhere").unwrap();
        fs::write(folder.join("config/settings.yml"), "web: {listen: x}").unwrap();
        let known = ["a.yaml", "deep", "new"].map(|name| folder.join("automate/D").join(name));
        before.renew(&watched, &known);
        before.renew_settings(&watched);
        assert_eq!(told(&watched, &before), ["linked.yaml"]);
    }
}
