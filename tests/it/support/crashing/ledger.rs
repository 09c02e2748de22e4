//! The ledger: what was sent and what was answered, outside the process that is tested, on file before it is sent.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::Path;

use parking_lot::Mutex;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

/// What is to become of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It is saved, once.
    Saved,
    /// The settings do not want it: counted.
    Filtered,
    /// No parser understands it: kept as it came.
    Unparsed,
}

/// One event that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) ems: &'static str,
    pub(crate) key: String,
    /// The resource it is about.
    pub(crate) lane: String,
    pub(crate) body: String,
    pub(crate) expected: Expected,
    /// Where it was promised that it is kept.
    pub(crate) answered: bool,
    /// The request that it was part of, by its first entry.
    pub(crate) request: usize,
}

impl Entry {
    pub(crate) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.body.as_bytes()).into()
    }
}

/// The ledger. Entries keep their places, so a place is a name.
pub(crate) struct Ledger {
    inner: Mutex<(File, Vec<Entry>)>,
}

impl Ledger {
    pub(crate) fn create(path: &Path) -> Self {
        Self {
            inner: Mutex::new((File::create(path).unwrap(), Vec::new())),
        }
    }

    /// Notes the events of one request, before it is sent.
    pub(crate) fn note(&self, mut entries: Vec<Entry>) -> Range<usize> {
        let mut inner = self.inner.lock();
        let begin = inner.1.len();
        for entry in &mut entries {
            entry.request = begin;
            write(&mut inner.0, entry);
        }
        inner.1.extend(entries);
        begin..inner.1.len()
    }

    /// Notes that the request was answered with yes.
    pub(crate) fn answered(&self, places: Range<usize>) {
        let mut inner = self.inner.lock();
        let (file, entries) = &mut *inner;
        for entry in &mut entries[places] {
            entry.answered = true;
            write(file, entry);
        }
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.inner.lock().1.clone()
    }
}

/// One line; a later one of the same key tells more.
fn write(file: &mut File, entry: &Entry) {
    let sha256: String = entry.digest().iter().map(|byte| format!("{byte:02x}")).collect();
    let line = json!({"ems": entry.ems, "key": entry.key, "lane": entry.lane, "sha256": sha256, "answered": entry.answered});
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}
