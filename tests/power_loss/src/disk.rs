//! A disk that follows a log: what is safe, what is not yet, and what might be left when the power is cut.
//!
//! What was synced is safe. Of what was written to a file since, any part may be there and any may not, in no order.
//! Names keep their order, as in the journal of a file system: those up to some point are there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::ledger::Note;
use crate::random::Random;
use crate::storage::Entry;
use crate::storage::FileId;

/// Disks write sectors whole.
const SECTOR: usize = 512;

/// Which syncs count: the same log read as if less had been asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncs {
    /// All that were asked for.
    All,
    /// Those that `synchronous=NORMAL` asks for: none for a commit alone.
    NotOfCommits,
    /// None: `synchronous=OFF`.
    None,
}

/// What is kept of a write that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tear {
    /// All of it or nothing.
    Writes,
    /// Any of its sectors.
    Sectors,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { size: usize },
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>, mut keeps: impl FnMut() -> bool, tear: Tear) {
        match self {
            Self::Write { offset, bytes } => {
                let pieces: Vec<(usize, &[u8])> = match tear {
                    Tear::Writes => vec![(*offset, bytes)],
                    Tear::Sectors => sectors(*offset, bytes),
                };
                for (offset, piece) in pieces {
                    if keeps() {
                        let end = offset + piece.len();
                        if to.len() < end {
                            to.resize(end, 0);
                        }
                        to[offset..end].copy_from_slice(piece);
                    }
                }
            }
            Self::Truncate { size } if keeps() => to.resize(*size, 0),
            Self::Truncate { .. } => {}
        }
    }
}

/// The sectors of the disk that a write touches.
fn sectors(mut offset: usize, mut bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at((SECTOR - offset % SECTOR).min(bytes.len()));
        pieces.push((offset, piece));
        offset += piece.len();
        bytes = rest;
    }
    pieces
}

#[derive(Clone, Debug, Default)]
struct Contents {
    safe: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
struct NameChange {
    name: String,
    file: Option<FileId>,
}

/// A disk that follows a log.
#[derive(Clone, Debug)]
pub struct Disk {
    syncs: Syncs,
    /// Decides what a sync that failed had written all the same.
    random: Random,
    files: BTreeMap<FileId, Contents>,
    names: BTreeMap<String, FileId>,
    pending_names: Vec<NameChange>,
    /// A sync failed since the last one that went well.
    has_failed: bool,
    is_opening: bool,
}

impl Disk {
    /// An empty one.
    pub fn new(syncs: Syncs, seed: u64) -> Self {
        Self {
            syncs,
            random: Random::new(seed),
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            pending_names: Vec::new(),
            has_failed: false,
            is_opening: false,
        }
    }

    /// Whether the program is about to open what was left after a sync that failed. It writes the log again then, as it
    /// finds it in memory, and not through SQLite: that is not seen here, so images of this moment would be wrong.
    pub fn is_unsure(&self) -> bool {
        self.is_opening && self.has_failed
    }

    /// Follows one entry.
    pub fn follow(&mut self, entry: &Entry) {
        match entry {
            Entry::Named { name, file, safe } => {
                self.files.entry(*file).or_default().safe = safe.clone().unwrap_or_default();
                self.rename(name, Some(*file), safe.is_some());
            }
            Entry::Deleted { name, is_safe } => self.rename(name, None, *is_safe),
            Entry::Written { file, offset, bytes } => self.change(
                *file,
                Change::Write {
                    offset: *offset,
                    bytes: bytes.clone(),
                },
            ),
            Entry::Truncated { file, size } => self.change(*file, Change::Truncate { size: *size }),
            Entry::Synced { file, is_for_commit } => {
                let counts = match self.syncs {
                    Syncs::All => true,
                    Syncs::NotOfCommits => !is_for_commit,
                    Syncs::None => false,
                };
                if counts {
                    self.sync(*file);
                }
                self.has_failed &= self.is_opening;
            }
            Entry::SyncFailed { file } => {
                self.has_failed = true;
                let contents = self.files.entry(*file).or_default();
                for change in std::mem::take(&mut contents.pending) {
                    change.apply(&mut contents.safe, || self.random.percent(50), Tear::Writes);
                }
            }
            Entry::Note(Note::Opens) => self.is_opening = true,
            Entry::Note(Note::IsOpen) => (self.is_opening, self.has_failed) = (false, false),
            Entry::Note(_) => {}
        }
    }

    fn change(&mut self, file: FileId, change: Change) {
        self.files.entry(file).or_default().pending.push(change);
    }

    fn rename(&mut self, name: &str, file: Option<FileId>, is_safe: bool) {
        self.pending_names.push(NameChange {
            name: name.to_owned(),
            file,
        });
        if is_safe {
            self.settle_names(self.pending_names.len());
        }
    }

    /// With a file its name is safe, and with that all that happened to names before.
    fn sync(&mut self, file: FileId) {
        let named = self
            .pending_names
            .iter()
            .rposition(|change| change.file == Some(file));
        if let Some(index) = named {
            self.settle_names(index + 1);
        }
        let contents = self.files.entry(file).or_default();
        for change in contents.pending.drain(..) {
            change.apply(&mut contents.safe, || true, Tear::Writes);
        }
    }

    fn settle_names(&mut self, count: usize) {
        for change in self.pending_names.drain(..count) {
            apply_name(&mut self.names, &change);
        }
    }

    /// What might be left of every file when the power is cut now.
    pub fn image(&self, random: &mut Random, tear: Tear) -> Image {
        let mut names = self.names.clone();
        let kept = random.below(self.pending_names.len() + 1);
        for change in &self.pending_names[..kept] {
            apply_name(&mut names, change);
        }
        // Sometimes nearly all is there, sometimes nearly nothing.
        let chance = [0, 10, 50, 90, 100][random.below(5)];
        let mut left = |file: &FileId| {
            let contents = &self.files[file];
            let mut bytes = contents.safe.clone();
            for change in &contents.pending {
                change.apply(&mut bytes, || random.percent(chance), tear);
            }
            bytes
        };
        Image {
            files: names
                .iter()
                .map(|(name, file)| (name.clone(), left(file)))
                .collect(),
        }
    }
}

fn apply_name(names: &mut BTreeMap<String, FileId>, change: &NameChange) {
    match change.file {
        Some(file) => names.insert(change.name.clone(), file),
        None => names.remove(&change.name),
    };
}

/// What is left of every file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    files: BTreeMap<String, Vec<u8>>,
}

impl Image {
    /// Only the database of this name and what belongs to it, under another name.
    pub fn renamed(self, from: &str, to: &str) -> Self {
        let renamed = self.files.into_iter().filter_map(|(name, bytes)| {
            let suffix = name.strip_prefix(from)?;
            Some((format!("{to}{suffix}"), bytes))
        });
        Self {
            files: renamed.collect(),
        }
    }

    /// Adds the files to a folder.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn add_to(&self, folder: &Path) {
        for (name, bytes) in &self.files {
            fs::write(folder.join(name), bytes).expect("a file");
        }
    }

    /// Puts the files into a folder, in place of the database that is there.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn put_into(&self, folder: &Path) {
        let old = fs::read_dir(folder).expect("a folder");
        for entry in old {
            fs::remove_file(entry.expect("an entry").path()).expect("a file that goes");
        }
        self.add_to(folder);
    }
}
