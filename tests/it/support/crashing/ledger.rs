//! The ledger: what was sent and what was answered, outside the process that is tested, on file before it is sent.

use std::ops::Range;
use std::path::Path;

use parking_lot::Mutex;
use switchboard::verify::ledger;
use switchboard::verify::ledger::LedgerLine;
use switchboard::verify::ledger::LedgerWriter;
use switchboard::verify::ledger::Sha256Text;

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
        Sha256Text::of(self.body.as_bytes()).0
    }

    fn line(&self) -> LedgerLine {
        LedgerLine {
            ems: self.ems.to_owned(),
            key: self.key.clone(),
            sha256: Some(Sha256Text(self.digest())),
            answered: self.answered.then_some(true),
        }
    }
}

/// The ledger. Entries keep their places, so a place is a name.
pub(crate) struct Ledger {
    inner: Mutex<(LedgerWriter, Vec<Entry>)>,
}

impl Ledger {
    pub(crate) fn create(path: &Path) -> Self {
        Self {
            inner: Mutex::new((LedgerWriter::append_to(path).unwrap(), Vec::new())),
        }
    }

    /// Notes the events of one request, before it is sent.
    pub(crate) fn note(&self, mut entries: Vec<Entry>) -> Range<usize> {
        let mut inner = self.inner.lock();
        let begin = inner.1.len();
        for entry in &mut entries {
            entry.request = begin;
        }
        inner
            .0
            .write(&entries.iter().map(Entry::line).collect::<Vec<_>>())
            .unwrap();
        inner.1.extend(entries);
        begin..inner.1.len()
    }

    /// Notes that the request was answered with yes.
    pub(crate) fn answered(&self, places: Range<usize>) {
        let mut inner = self.inner.lock();
        let (file, entries) = &mut *inner;
        let entries = &mut entries[places];
        entries.iter_mut().for_each(|entry| entry.answered = true);
        file.write(&entries.iter().map(Entry::line).collect::<Vec<_>>())
            .unwrap();
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.inner.lock().1.clone()
    }

    /// Of what the settings want: an answer for anything else promises nothing.
    pub(crate) fn wanted(&self) -> ledger::Ledger {
        let inner = self.inner.lock();
        let mut ledger = ledger::Ledger::default();
        let wanted = inner
            .1
            .iter()
            .filter(|entry| entry.expected != Expected::Filtered);
        wanted.for_each(|entry| ledger.add(entry.line()));
        ledger
    }
}
