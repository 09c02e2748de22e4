//! An index on digests, which come in no order, that writes as little as one on numbers that ascend.
//!
//! A B-tree of scattered keys has every new key change a page of its own: with millions of events that doubles
//! what is written. Here the latest entries stand in the order in which they came, those of a transaction in one
//! row of a small table, and in memory. When there are enough they are sealed: sorted, and written once as pages of a run
//! that never change.
//! A look-up reads one page of each run; a filter says beforehand that most digests are in none. A run goes, whole,
//! when all its events are gone.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::ops::Range;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::crash_point::planted_bug;
use crate::vmdb::VmdbError;
use crate::vmdb::filter::Filter;

/// How many entries make a run: 256 pages that each fit a page of the database.
const RUN: usize = 48 * 1024;
/// An entry: eight bytes of the digest, eight of the event.
const ENTRY: usize = 16;

/// The tables of one index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables {
    /// `(id, entries)`: a row of each transaction, with its entries.
    pub(crate) recent: &'static str,
    /// `(id, entries)`: the run's number and the first byte of the digests, and the entries, sorted.
    pub(crate) sealed: &'static str,
}

/// The index, for the one who writes it.
#[derive(Debug)]
pub(crate) struct DigestIndex {
    tables: Tables,
    recent: BTreeSet<(u64, i64)>,
    /// What was added since the transaction began.
    pending: Vec<(u64, i64)>,
    /// The first run, and of each from there on the greatest event: that of the last run is the last.
    first_run: i64,
    last_events: VecDeque<i64>,
    filter: Filter,
    /// What the transaction sealed.
    sealing: bool,
    /// How many runs it dropped.
    dropping: usize,
}

impl DigestIndex {
    /// Reads what is there.
    pub(crate) fn load(connection: &Connection, tables: Tables) -> Result<Self, VmdbError> {
        let mut index = Self {
            tables,
            recent: BTreeSet::new(),
            pending: Vec::new(),
            first_run: runs(connection, tables)?.start,
            last_events: VecDeque::new(),
            filter: Filter::new(RUN),
            sealing: false,
            dropping: 0,
        };
        each_recent(connection, tables, |entry| {
            index.recent.insert(entry);
        })?;
        planted_bug!("keys_in_memory", index.recent.clear());
        let mut query = connection.prepare(&format!("SELECT id, entries FROM {}", tables.sealed))?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let run = row.get::<_, i64>(0)? >> 8;
            let page = row.get_ref(1)?.as_blob().unwrap_or_default();
            entries(page).for_each(|(digest, _)| index.filter.insert(run, digest));
            let run = usize::try_from(run - index.first_run).unwrap_or(0);
            if index.last_events.len() <= run {
                index.last_events.resize(run + 1, i64::MIN);
            }
            let last = entries(page).map(|(_, event)| event).max();
            if let Some(known) = index.last_events.get_mut(run) {
                *known = (*known).max(last.unwrap_or(i64::MIN));
            }
        }
        Ok(index)
    }

    /// Adds an entry, which [`DigestIndex::write`] writes.
    pub(crate) fn insert(&mut self, digest: u64, event: i64) {
        self.recent.insert((digest, event));
        self.pending.push((digest, event));
    }

    /// The events with this digest, the latest first.
    pub(crate) fn find(&self, connection: &Connection, digest: u64) -> Result<Vec<i64>, VmdbError> {
        let recent = self.recent.range((digest, i64::MIN)..=(digest, i64::MAX));
        let mut found: Vec<i64> = recent.rev().map(|(_, event)| *event).collect();
        let runs = self.filter.runs_with(digest);
        find_sealed(connection, self.tables, runs, digest, &mut found)?;
        Ok(found)
    }

    /// How much was added until now, for [`DigestIndex::undo`].
    pub(crate) fn mark(&self) -> usize {
        self.pending.len()
    }

    /// Forgets what was added after `mark`, which the database has taken back.
    pub(crate) fn undo(&mut self, mark: usize) {
        (self.sealing, self.dropping) = (false, 0);
        for entry in self.pending.drain(mark.min(self.pending.len())..) {
            self.recent.remove(&entry);
        }
    }

    /// Writes what was added, or seals the latest entries where there are enough; within the transaction, at its end.
    pub(crate) fn write(&mut self, connection: &Connection) -> Result<(), VmdbError> {
        if RUN <= self.recent.len() {
            return self.seal(connection);
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut entries = Vec::with_capacity(self.pending.len() * ENTRY);
        self.pending
            .iter()
            .for_each(|(digest, event)| push(&mut entries, *digest, *event));
        let sql = format!("INSERT INTO {} (entries) VALUES (?1)", self.tables.recent);
        connection.prepare_cached(&sql)?.execute([entries])?;
        Ok(())
    }

    fn seal(&mut self, connection: &Connection) -> Result<(), VmdbError> {
        let sql = format!("INSERT INTO {} (id, entries) VALUES (?1, ?2)", self.tables.sealed);
        let mut insert = connection.prepare_cached(&sql)?;
        let mut rest = self.recent.iter().peekable();
        let mut page = Vec::new();
        for first in 0..=u8::MAX {
            page.clear();
            while let Some((digest, event)) =
                rest.next_if(|(digest, _)| first_byte(*digest) == i64::from(first))
            {
                push(&mut page, *digest, *event);
            }
            if !page.is_empty() {
                insert.execute(params![page_id(self.runs().end, first.into()), page])?;
            }
        }
        connection
            .prepare_cached(&format!("DELETE FROM {}", self.tables.recent))?
            .execute([])?;
        self.sealing = true;
        Ok(())
    }

    /// Drops the oldest runs whose events are all below `first`; within the transaction.
    pub(crate) fn forget_before(&mut self, connection: &Connection, first: i64) -> Result<(), VmdbError> {
        while self
            .last_events
            .get(self.dropping)
            .is_some_and(|last| *last < first)
        {
            let run = self.first_run + i64::try_from(self.dropping).unwrap_or(i64::MAX);
            let sql = format!("DELETE FROM {} WHERE id BETWEEN ?1 AND ?2", self.tables.sealed);
            let pages = [page_id(run, 0), page_id(run, u8::MAX.into())];
            connection.prepare_cached(&sql)?.execute(pages)?;
            self.dropping += 1;
        }
        Ok(())
    }

    fn runs(&self) -> Range<i64> {
        let number = i64::try_from(self.last_events.len()).unwrap_or(i64::MAX);
        self.first_run..self.first_run + number
    }

    /// Learns that the transaction is committed.
    pub(crate) fn settle(&mut self) {
        self.pending.clear();
        for _run in 0..std::mem::take(&mut self.dropping) {
            self.last_events.pop_front();
            self.first_run += 1;
        }
        self.filter.forget_before(self.first_run);
        if std::mem::take(&mut self.sealing) {
            let run = self.runs().end;
            let last = self.recent.iter().map(|(_, event)| *event).max();
            self.last_events.push_back(last.unwrap_or(i64::MIN));
            for (digest, _) in std::mem::take(&mut self.recent) {
                self.filter.insert(run, digest);
            }
        }
    }
}

/// The events with this digest, the latest first, for those who only read.
pub(crate) fn find(connection: &Connection, tables: Tables, digest: u64) -> Result<Vec<i64>, VmdbError> {
    let mut found = Vec::new();
    each_recent(connection, tables, |(entry, event)| {
        if entry == digest {
            found.push(event);
        }
    })?;
    found.sort_unstable_by(|a, b| b.cmp(a));
    let runs = runs(connection, tables)?.rev();
    find_sealed(connection, tables, runs, digest, &mut found)?;
    Ok(found)
}

/// Every entry, `(event, digest)`; at one moment, so `connection` is within a transaction.
pub(crate) fn all(connection: &Connection, tables: Tables) -> Result<Vec<(i64, u64)>, VmdbError> {
    let mut found = Vec::new();
    each_recent(connection, tables, |(digest, event)| found.push((event, digest)))?;
    let mut query = connection.prepare(&format!("SELECT entries FROM {}", tables.sealed))?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let page = row.get_ref(0)?.as_blob().unwrap_or_default();
        found.extend(entries(page).map(|(digest, event)| (event, digest)));
    }
    Ok(found)
}

/// Those that are not sealed, in the order in which they came.
fn each_recent(
    connection: &Connection,
    tables: Tables,
    mut look: impl FnMut((u64, i64)),
) -> Result<(), VmdbError> {
    let mut query = connection.prepare_cached(&format!("SELECT entries FROM {}", tables.recent))?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        entries(row.get_ref(0)?.as_blob().unwrap_or_default()).for_each(&mut look);
    }
    Ok(())
}

/// Adds the events that runs have under this digest, those of each run the latest first.
fn find_sealed(
    connection: &Connection,
    tables: Tables,
    runs: impl Iterator<Item = i64>,
    digest: u64,
    found: &mut Vec<i64>,
) -> Result<(), VmdbError> {
    let mut runs = runs.peekable();
    if runs.peek().is_none() {
        return Ok(());
    }
    let sql = format!("SELECT entries FROM {} WHERE id = ?1", tables.sealed);
    let mut query = connection.prepare_cached(&sql)?;
    for run in runs {
        let page: Option<Vec<u8>> = query
            .query_row([page_id(run, first_byte(digest))], |row| row.get(0))
            .optional()?;
        let page = page.unwrap_or_default();
        let hits = entries(&page)
            .filter(|(entry, _)| *entry == digest)
            .map(|(_, event)| event);
        let before = found.len();
        found.extend(hits);
        if let Some(of_run) = found.get_mut(before..) {
            of_run.reverse();
        }
    }
    Ok(())
}

fn runs(connection: &Connection, tables: Tables) -> Result<Range<i64>, VmdbError> {
    let run = |function| -> Result<Option<i64>, VmdbError> {
        let sql = format!("SELECT {function}(id) >> 8 FROM {}", tables.sealed);
        Ok(connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?)
    };
    Ok(match (run("min")?, run("max")?) {
        (Some(first), Some(last)) => first..last + 1,
        _none => 0..0,
    })
}

fn entries(page: &[u8]) -> impl Iterator<Item = (u64, i64)> {
    page.chunks_exact(ENTRY).filter_map(|entry| {
        let (digest, event) = entry.split_at_checked(ENTRY / 2)?;
        Some((
            u64::from_be_bytes(digest.try_into().ok()?),
            i64::from_be_bytes(event.try_into().ok()?),
        ))
    })
}

fn push(page: &mut Vec<u8>, digest: u64, event: i64) {
    page.extend(digest.to_be_bytes());
    page.extend(event.to_be_bytes());
}

fn first_byte(digest: u64) -> i64 {
    (digest >> 56).cast_signed()
}

fn page_id(run: i64, first_byte: i64) -> i64 {
    run << 8 | first_byte
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::DigestIndex;
    use super::RUN;
    use super::Tables;
    use super::all;
    use super::find;

    const TABLES: Tables = Tables {
        recent: "recent",
        sealed: "sealed",
    };

    fn digest(number: i64) -> u64 {
        number
            .cast_unsigned()
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(31)
            .wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }

    #[test]
    fn an_entry_is_found_recent_or_sealed_by_whoever_looks() {
        let connection = Connection::open_in_memory().unwrap();
        let schema = "CREATE TABLE recent (id INTEGER PRIMARY KEY, entries BLOB);
                      CREATE TABLE sealed (id INTEGER PRIMARY KEY, entries BLOB)";
        connection.execute_batch(schema).unwrap();
        let mut index = DigestIndex::load(&connection, TABLES).unwrap();
        let last = i64::try_from(RUN).unwrap() * 5 / 2;
        connection.execute_batch("BEGIN").unwrap();
        for event in 1..=last {
            index.insert(digest(event), event);
            // Every thousandth digest leads to two events.
            if event % 1_000 == 0 {
                index.insert(digest(event / 1_000), event);
            }
            index.write(&connection).unwrap();
            index.settle();
        }
        connection.execute_batch("COMMIT").unwrap();
        assert_eq!(index.runs(), 0..2);
        let again = DigestIndex::load(&connection, TABLES).unwrap();
        for event in [1, 2, 77, 4_567, last - 1, last] {
            let mut expected = vec![event];
            if event * 1_000 <= last {
                expected.insert(0, event * 1_000);
            }
            for index in [&index, &again] {
                assert_eq!(
                    index.find(&connection, digest(event)).unwrap(),
                    expected,
                    "{event}"
                );
            }
            assert_eq!(
                find(&connection, TABLES, digest(event)).unwrap(),
                expected,
                "{event}"
            );
        }
        assert!(index.find(&connection, digest(-1)).unwrap().is_empty());
        let mut entries = all(&connection, TABLES).unwrap();
        assert_eq!(entries.len(), usize::try_from(last + last / 1_000).unwrap());
        entries.retain(|(event, entry)| *entry == digest(*event));
        assert_eq!(entries.len(), usize::try_from(last).unwrap());
    }

    #[test]
    fn a_run_goes_when_all_its_events_are_gone() {
        let connection = Connection::open_in_memory().unwrap();
        let schema = "CREATE TABLE recent (id INTEGER PRIMARY KEY, entries BLOB);
                      CREATE TABLE sealed (id INTEGER PRIMARY KEY, entries BLOB)";
        connection.execute_batch(schema).unwrap();
        let mut index = DigestIndex::load(&connection, TABLES).unwrap();
        let run = i64::try_from(RUN).unwrap();
        for event in 1..=run * 2 + 1 {
            index.insert(digest(event), event);
            index.write(&connection).unwrap();
            index.settle();
        }
        index.forget_before(&connection, run).unwrap();
        assert_eq!(index.find(&connection, digest(run)).unwrap(), [run]);
        // Taken back, then done.
        connection.execute_batch("BEGIN").unwrap();
        index.forget_before(&connection, run + 1).unwrap();
        connection.execute_batch("ROLLBACK").unwrap();
        index.undo(0);
        assert_eq!(index.find(&connection, digest(run)).unwrap(), [run]);
        index.forget_before(&connection, run + 1).unwrap();
        index.settle();
        let again = DigestIndex::load(&connection, TABLES).unwrap();
        for index in [&mut index, &mut { again }] {
            assert_eq!(index.runs(), 1..2);
            assert!(index.find(&connection, digest(run)).unwrap().is_empty());
            assert_eq!(index.find(&connection, digest(run + 1)).unwrap(), [run + 1]);
            assert_eq!(
                index.find(&connection, digest(run * 2 + 1)).unwrap(),
                [run * 2 + 1]
            );
        }
        assert!(find(&connection, TABLES, digest(1)).unwrap().is_empty());
        assert!(index.filter.runs_with(digest(run + 1)).any(|run| run == 1));
        index.forget_before(&connection, run * 2 + 1).unwrap();
        index.settle();
        assert_eq!(index.runs(), 2..2);
        // With its last run a layer of the filter goes, too.
        assert_eq!(index.filter.runs_with(digest(run + 1)).next(), None);
    }

    #[test]
    fn what_the_database_took_back_is_forgotten() {
        let connection = Connection::open_in_memory().unwrap();
        let schema = "CREATE TABLE recent (id INTEGER PRIMARY KEY, entries BLOB);
                      CREATE TABLE sealed (id INTEGER PRIMARY KEY, entries BLOB)";
        connection.execute_batch(schema).unwrap();
        let mut index = DigestIndex::load(&connection, TABLES).unwrap();
        index.insert(1, 1);
        let mark = index.mark();
        index.insert(2, 2);
        index.undo(mark);
        assert_eq!(index.find(&connection, 1).unwrap(), [1]);
        assert!(index.find(&connection, 2).unwrap().is_empty());
    }
}
