//! Reads a root folder, or a part of it, from disk, and never leaves it. Knows nothing of generations.
//!
//! Every step goes down one name from an open folder and follows no link, so what is read stands below the
//! root even while somebody swaps files and links. A symlink is resolved to its target first; a target below
//! the root is walked to in the same way (Kubernetes' `..data`), any other is a finding.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::Dir;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::openat;
use rustix::fs::statat;

use crate::source::beneath::FILE;
use crate::source::beneath::FOLDER;
use crate::source::beneath::FolderId;
use crate::source::beneath::file_type;
use crate::source::beneath::folder_id;
use crate::source::beneath::open_beneath;
use crate::source::beneath::read;
use crate::source::diagnostic::Diagnostic;
use crate::source::file::Root;
use crate::source::file::RootKind;
use crate::source::file::SourceFile;
use crate::source::file::is_skipped;
use crate::source::file::join;

/// The most text that one scan reads, in bytes.
const MAX_SCAN_BYTES: usize = 256 << 20;
/// The most files, and the most folders, that one scan visits.
const MAX_ENTRIES: usize = 200_000;
/// The deepest nesting of folders, links counted as folders.
const MAX_DEPTH: usize = 64;

/// What a scan found. Paths are relative to the root.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) files: Vec<Arc<SourceFile>>,
    pub(crate) findings: Vec<(String, Diagnostic)>,
    /// Every symlink that was seen: what is behind one may change without a change at its own path.
    pub(crate) links: Vec<String>,
}

/// A root folder, open for scans.
pub(crate) struct Scanner {
    kind: RootKind,
    name: String,
    folder: PathBuf,
    canonical: PathBuf,
    descriptor: OwnedFd,
    found: Found,
    entries: usize,
    bytes: usize,
}

/// One entry of an open folder.
struct Entry<'a> {
    parent: BorrowedFd<'a>,
    name: &'a str,
    relative: String,
    file_type: FileType,
}

impl Scanner {
    /// Opens a root.
    ///
    /// # Errors
    /// When the folder cannot be opened.
    pub(crate) fn open(root: &Root) -> io::Result<Self> {
        let canonical = root.folder.canonicalize()?;
        let descriptor = openat(CWD, &canonical, FOLDER, Mode::empty())?;
        Ok(Self {
            kind: root.kind,
            name: root.name(),
            folder: root.folder.clone(),
            canonical,
            descriptor,
            found: Found::default(),
            entries: 0,
            bytes: 0,
        })
    }

    /// The root's real path.
    pub(crate) fn canonical(&self) -> &Path {
        &self.canonical
    }

    /// The part of `relative` down to the first symlink: what has to be scanned when `relative` changed.
    pub(crate) fn anchor<'a>(&self, relative: &'a str) -> &'a str {
        let ends = relative
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([relative.len()]);
        let prefixes = ends.filter_map(|end| relative.get(..end));
        let is_link = |prefix: &&str| {
            statat(&self.descriptor, *prefix, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|stat| file_type(&stat) == FileType::Symlink)
        };
        prefixes.into_iter().find(is_link).unwrap_or(relative)
    }

    /// Reads what stands at `relative`, a file or a folder with all below it; the empty path is the root itself.
    /// What does not exist is not found, and no finding.
    pub(crate) fn scan(&mut self, relative: &str) {
        let Ok(root) = self.descriptor.try_clone() else {
            return self.report(relative, "cannot be read", "too many open files");
        };
        let mut above = vec![folder_id(&root)];
        let (parents, name) = relative.rsplit_once('/').unwrap_or(("", relative));
        if name.is_empty() {
            return self.folder(&root, "", &mut above);
        }
        // The way down; a folder that is gone, or no folder any more, holds nothing.
        let Ok(parent) = open_beneath(&root, parents, FOLDER, |folder| above.push(folder_id(folder))) else {
            return;
        };
        let Ok(stat) = statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) else {
            return;
        };
        let entry = Entry {
            parent: parent.as_fd(),
            name,
            relative: relative.to_owned(),
            file_type: file_type(&stat),
        };
        self.entry(entry, &mut above);
    }

    /// What was found, sorted by path.
    pub(crate) fn finish(mut self) -> Found {
        self.found.files.sort_by(|a, b| a.relative.cmp(&b.relative));
        self.found.findings.sort();
        self.found.links.sort();
        self.found
    }

    fn folder(&mut self, folder: &OwnedFd, relative: &str, above: &mut Vec<FolderId>) {
        if above.len() > MAX_DEPTH {
            return self.report(
                relative,
                "is nested too deep",
                &format!("at most {MAX_DEPTH} folders"),
            );
        }
        let listing = match Dir::read_from(folder) {
            Ok(listing) => listing,
            Err(error) => return self.report(relative, "cannot be read", &error.to_string()),
        };
        for entry in listing.flatten() {
            let name = entry.file_name().to_string_lossy();
            if is_skipped(&name) {
                continue;
            }
            self.entries += 1;
            if self.entries > MAX_ENTRIES || self.bytes > MAX_SCAN_BYTES {
                return self.report_limit();
            }
            let relative = join(relative, &name);
            if entry.file_name().to_str().is_err() {
                if self.kind.reads(&name) {
                    self.report(&relative, "has a name that is not UTF-8", "rename it");
                }
                continue;
            }
            let file_type = match entry.file_type() {
                FileType::Unknown => statat(folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                    .map_or(FileType::Unknown, |stat| file_type(&stat)),
                known => known,
            };
            let parent = folder.as_fd();
            let entry = Entry {
                parent,
                name: &name,
                relative,
                file_type,
            };
            self.entry(entry, above);
        }
    }

    fn entry(&mut self, entry: Entry<'_>, above: &mut Vec<FolderId>) {
        let Entry {
            parent,
            name,
            relative,
            file_type,
        } = entry;
        match file_type {
            FileType::Symlink => self.link(relative, name, above),
            FileType::Directory => match openat(parent, name, FOLDER, Mode::empty()) {
                Ok(folder) => self.enter(&folder, &relative, above),
                Err(error) => self.report(&relative, "cannot be read", &error.to_string()),
            },
            _any if !self.kind.reads(name) => (),
            FileType::RegularFile => {
                let file = openat(parent, name, FILE, Mode::empty());
                self.file(file.map_err(io::Error::from), relative);
            }
            _special => self.report(
                &relative,
                "is not a regular file",
                "only files and folders are read",
            ),
        }
    }

    fn enter(&mut self, folder: &OwnedFd, relative: &str, above: &mut Vec<FolderId>) {
        let id = folder_id(folder);
        if above.contains(&id) {
            return self.report(
                relative,
                "is a link to a folder that contains it",
                "remove the link",
            );
        }
        above.push(id);
        self.folder(folder, relative, above);
        above.pop();
    }

    fn link(&mut self, relative: String, name: &str, above: &mut Vec<FolderId>) {
        self.found.links.push(relative.clone());
        let target = match self.folder.join(&relative).canonicalize() {
            Ok(target) => target,
            Err(error) => return self.report(&relative, "is a link that leads nowhere", &error.to_string()),
        };
        let is_folder = target.is_dir();
        if !is_folder && !self.kind.reads(name) {
            return;
        }
        let beneath = target.strip_prefix(&self.canonical).ok().and_then(Path::to_str);
        let Some(beneath) = beneath else {
            let help = "copy what it leads to into the folder, or give that folder as a root of its own";
            return self.report(&relative, "is a link that leads out of its root folder", help);
        };
        let opened = open_beneath(
            &self.descriptor,
            beneath,
            if is_folder { FOLDER } else { FILE },
            |_| (),
        );
        match opened {
            Ok(folder) if is_folder => self.enter(&folder, &relative, above),
            file => self.file(file, relative),
        }
    }

    fn file(&mut self, opened: io::Result<OwnedFd>, relative: String) {
        let bytes = match opened.and_then(read) {
            Ok(bytes) => bytes,
            // Gone since it was listed: nothing to say.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.report(&relative, "cannot be read", &error.to_string()),
        };
        let path = join(&self.name, &relative);
        match String::from_utf8(bytes) {
            Ok(text) => {
                self.bytes += text.len();
                let file = SourceFile::new(self.kind, path, relative, &text);
                self.found.files.push(Arc::new(file));
            }
            Err(error) => {
                let finding = Diagnostic::not_utf8(&path.into(), &error);
                self.found.findings.push((relative, finding));
            }
        }
    }

    fn report(&mut self, relative: &str, what: &str, detail: &str) {
        let path: Arc<str> = join(&self.name, relative).into();
        let finding = Diagnostic::error("Unreadable", &path, format!("`{path}` {what}")).help(detail);
        self.found.findings.push((relative.to_owned(), finding));
    }

    fn report_limit(&mut self) {
        let is_reported = self
            .found
            .findings
            .iter()
            .any(|(_, finding)| finding.code == "TooMuch");
        if is_reported {
            return;
        }
        let help = format!("at most {MAX_ENTRIES} files and {} MiB", MAX_SCAN_BYTES >> 20);
        let finding = Diagnostic::error(
            "TooMuch",
            &self.name.as_str().into(),
            "the folder holds too much to read",
        )
        .help(help);
        self.found.findings.push((String::new(), finding));
    }
}
