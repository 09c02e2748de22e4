//! Ready: the new messages that are known ahead, by manager, so that a flood of one hides none of another.
//!
//! What this process puts is known at once. Where a manager has more than can be known ahead the rest is left in the
//! table, and read once there is room. The table is read in the order of its ids, which needs no index: whose messages
//! fill it are those that are looked for.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::model::ems::EmsId;
use crate::vmdb::VmdbError;
use crate::vmdb::candidate::Candidate;
use crate::vmdb::turns::ById;

/// How many new messages of a manager are known ahead.
const AHEAD: usize = 16_384;
/// A manager of whom fewer are known is read on.
const FEW: usize = AHEAD / 2;
/// How many rows of the table are looked at, at once.
const AT_ONCE: usize = 65_536;
/// So many bytes of native events are kept in memory until they are handled; beyond it they are read again. What
/// is parsed of them is kept too, and takes several times as much.
const BODY_BYTES: usize = 32 << 20;

/// The new messages of all managers, as far as they are known.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    lines: BTreeMap<EmsId, Line>,
    body_bytes: usize,
    /// A new message up to here is in its line, in hand, done with, or left in the table by its line.
    known: i64,
    /// Whether the table has no new message beyond `known`.
    is_all: bool,
}

/// The new messages of one manager.
#[derive(Debug, Default)]
struct Line {
    messages: ById,
    /// From here on they are left in the table.
    left: Option<i64>,
}

impl Line {
    fn is_full(&self) -> bool {
        AHEAD <= self.messages.len()
    }

    fn is_low(&self) -> bool {
        self.messages.len() < FEW
    }
}

impl Ready {
    /// The messages of each manager that has any.
    pub(crate) fn by_manager(&self) -> impl Iterator<Item = (EmsId, &ById)> {
        self.lines.iter().map(|(ems_id, line)| (*ems_id, &line.messages))
    }

    /// Whether no message is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Hears that the table may have messages that this process did not put.
    pub(crate) fn is_not_all(&mut self) {
        self.is_all = false;
    }

    /// Hears of a message that was just put, the latest of all.
    pub(crate) fn add(&mut self, mut candidate: Candidate) {
        if !self.is_all || candidate.id <= self.known {
            return;
        }
        self.known = candidate.id;
        let line = self.lines.entry(candidate.ems_id).or_default();
        if line.left.is_some() || line.is_full() {
            line.left.get_or_insert(candidate.id);
            return;
        }
        if BODY_BYTES < self.body_bytes + candidate.body_bytes() {
            candidate.body = None;
        }
        self.body_bytes += candidate.body_bytes();
        line.messages.insert(candidate.id, candidate);
    }

    /// Has a message back that was not handled.
    pub(crate) fn put_back(&mut self, candidate: Candidate) {
        let line = self.lines.entry(candidate.ems_id).or_default();
        line.messages.insert(candidate.id, candidate);
    }

    /// Forgets a message of this manager.
    pub(crate) fn forget(&mut self, ems_id: EmsId, id: i64) {
        let Some(line) = self.lines.get_mut(&ems_id) else {
            return;
        };
        if let Some(candidate) = line.messages.remove(&id) {
            self.body_bytes = self.body_bytes.saturating_sub(candidate.body_bytes());
        }
        if line.messages.is_empty() && line.left.is_none() {
            self.lines.remove(&ems_id);
        }
    }

    /// Forgets a message of whomever.
    pub(crate) fn forget_anywhere(&mut self, id: i64) {
        let mut lines = self.lines.iter();
        let whose = lines.find(|(_, line)| line.messages.contains_key(&id));
        if let Some(ems_id) = whose.map(|(ems_id, _)| *ems_id) {
            self.forget(ems_id, id);
        }
    }

    /// Reads the table on, unless there is enough to choose from.
    ///
    /// # Errors
    /// When it cannot be read. What was read until then is known.
    pub(crate) fn read_on(&mut self, connection: &Connection) -> Result<(), VmdbError> {
        let Some(from) = self.wants() else {
            return Ok(());
        };
        let mut query = connection.prepare_cached(
            "SELECT id, ems_id, lane FROM miq_queue WHERE id >= ?1 AND state = 0 ORDER BY id LIMIT ?2",
        )?;
        let mut rows = query.query([from, i64::try_from(AT_ONCE).unwrap_or(i64::MAX)])?;
        let (mut last, mut looked_at) = (from, 0);
        while let Some(row) = rows.next()? {
            let (id, ems_id) = (row.get(0)?, EmsId(row.get(1)?));
            (last, looked_at) = (id, looked_at + 1);
            if !self.has_room(from, ems_id, id) {
                self.leave(ems_id, id);
                continue;
            }
            let lane = row.get::<_, Option<String>>(2)?;
            let has_filled = self.learn(Candidate::new(id, ems_id, lane.map(Into::into)));
            if has_filled && self.wants().is_none() {
                self.has_read(from, last, false);
                return Ok(());
            }
        }
        self.has_read(from, last, looked_at < AT_ONCE);
        Ok(())
    }

    /// Whether the table need not be read on.
    pub(crate) fn knows_enough(&self) -> bool {
        self.wants().is_none()
    }

    /// From which id on the table should be read. Where nothing is ready, another process may have put something.
    fn wants(&self) -> Option<i64> {
        let low = self.lines.values().filter(|line| line.is_low());
        let left = low.filter_map(|line| line.left);
        let has_enough = self.is_all && !self.lines.is_empty();
        left.chain((!has_enough).then_some(self.known + 1)).min()
    }

    /// Whether a message belongs into its line, and there is room: nothing between it and what stands there was
    /// passed over by who reads from `from` on.
    fn has_room(&self, from: i64, ems_id: EmsId, id: i64) -> bool {
        let Some(line) = self.lines.get(&ems_id) else {
            return self.known < id;
        };
        let is_next = match line.left {
            Some(left) => from <= left && left <= id,
            None => self.known < id,
        };
        is_next && !line.is_full()
    }

    fn leave(&mut self, ems_id: EmsId, id: i64) {
        if self.known < id {
            self.known = id;
            let line = self.lines.entry(ems_id).or_default();
            line.left.get_or_insert(id);
        }
    }

    /// Learns of a message; says whether its line is full with it.
    fn learn(&mut self, candidate: Candidate) -> bool {
        self.known = self.known.max(candidate.id);
        let line = self.lines.entry(candidate.ems_id).or_default();
        line.left = line.left.map(|_before| candidate.id + 1);
        line.messages.insert(candidate.id, candidate);
        line.is_full()
    }

    /// The table was read from `from` to `last`, or to its end: of lines that had room nothing is left there.
    fn has_read(&mut self, from: i64, last: i64, is_end: bool) {
        self.is_all |= is_end;
        let is_all_read = is_end || self.known <= last;
        self.lines.retain(|_, line| {
            let was_read = line.left.is_some_and(|left| from <= left) && !line.is_full();
            if was_read {
                line.left = line.left.filter(|_| !is_all_read).map(|left| left.max(last + 1));
            }
            line.left.is_some() || !line.messages.is_empty()
        });
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use rusqlite::Connection;

    use super::AHEAD;
    use super::AT_ONCE;
    use super::FEW;
    use super::Ready;
    use crate::model::ems::EmsId;
    use crate::vmdb::candidate::Candidate;

    /// A queue of new messages, by id and manager.
    pub(crate) fn table(rows: &[(i64, i64)]) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        let create = "CREATE TABLE miq_queue (id INTEGER PRIMARY KEY, state, ems_id, lane)";
        connection.execute(create, []).unwrap();
        put(&connection, rows);
        connection
    }

    fn put(connection: &Connection, rows: &[(i64, i64)]) {
        connection.execute("BEGIN", []).unwrap();
        let mut insert = connection
            .prepare("INSERT INTO miq_queue (id, state, ems_id) VALUES (?1, 0, ?2)")
            .unwrap();
        for row in rows {
            insert.execute([row.0, row.1]).unwrap();
        }
        connection.execute("COMMIT", []).unwrap();
    }

    fn known(ready: &Ready, ems: i64) -> Vec<i64> {
        let mut lines = ready.by_manager();
        let found = lines.find(|(ems_id, _)| *ems_id == EmsId(ems));
        found.map_or_else(Vec::new, |(_, messages)| messages.keys().copied().collect())
    }

    /// Handles the first `most` messages of a manager; their ids.
    fn handle(ready: &mut Ready, connection: &Connection, ems: i64, most: usize) -> Vec<i64> {
        ready.read_on(connection).unwrap();
        let ids: Vec<i64> = known(ready, ems).into_iter().take(most).collect();
        for id in &ids {
            ready.forget(EmsId(ems), *id);
            connection
                .execute("DELETE FROM miq_queue WHERE id = ?1", [id])
                .unwrap();
        }
        ids
    }

    fn flood() -> i64 {
        i64::try_from(3 * AHEAD).unwrap()
    }

    #[test]
    fn a_flood_hides_no_message_of_another_manager() {
        let last = flood() + 1;
        let rows: Vec<_> = (1..last).map(|id| (id, 1)).chain([(last, 2)]).collect();
        // Whether it is found in the table, or was put by this process.
        let (mut found, mut heard) = (Ready::default(), Ready::default());
        found.read_on(&table(&rows)).unwrap();
        heard.read_on(&table(&[])).unwrap();
        for (id, ems) in &rows {
            heard.add(Candidate::new(*id, EmsId(*ems), None));
        }
        for ready in [found, heard] {
            assert_eq!(known(&ready, 2), [last]);
            assert_eq!(
                known(&ready, 1),
                (1..=i64::try_from(AHEAD).unwrap()).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn what_was_left_in_the_table_is_read_once_there_is_room_and_none_is_missed() {
        // Three that flood, one that is seldom heard of; some come while the others are handled.
        let manager = |id: i64| if id % 97 == 0 { 4 } else { 1 + id % 3 };
        let rows = |ids: std::ops::Range<i64>| ids.map(|id| (id, manager(id))).collect::<Vec<_>>();
        let half = 3 * flood() / 2;
        let connection = table(&rows(1..half));
        let mut ready = Ready::default();
        let mut handled: Vec<Vec<i64>> = vec![Vec::new(); 5];
        let mut next = half;
        while handled.iter().map(Vec::len).sum::<usize>() + 1 < usize::try_from(2 * half).unwrap() {
            for (ems, share) in [(1, 500), (2, 300), (3, 10 * AHEAD), (4, 1)] {
                let ids = handle(&mut ready, &connection, ems, share);
                handled[usize::try_from(ems).unwrap()].extend(ids);
                let some = rows(next..(next + 100).min(2 * half));
                put(&connection, &some);
                for (id, ems) in &some {
                    ready.add(Candidate::new(*id, EmsId(*ems), None));
                }
                next += i64::try_from(some.len()).unwrap();
            }
        }
        for (ems, ids) in (0..).zip(handled) {
            let expected: Vec<i64> = (1..2 * half).filter(|id| manager(*id) == ems).collect();
            assert!(ids == expected, "of {ems}");
        }
        ready.read_on(&connection).unwrap();
        assert_eq!(ready.by_manager().count(), 0);
    }

    #[test]
    fn no_look_at_the_table_is_longer_than_it_may_be_and_the_next_one_goes_on() {
        let last = i64::try_from(AT_ONCE).unwrap() + 1;
        let connection = table(&(1..last).map(|id| (id, 1)).chain([(last, 2)]).collect::<Vec<_>>());
        let mut ready = Ready::default();
        ready.read_on(&connection).unwrap();
        assert!(known(&ready, 2).is_empty());
        ready.read_on(&connection).unwrap();
        assert_eq!(known(&ready, 2), [last]);
    }

    #[test]
    fn a_manager_of_whom_enough_is_known_is_not_read_on() {
        let connection = table(&(1..=flood()).map(|id| (id, 1)).collect::<Vec<_>>());
        let mut ready = Ready::default();
        handle(&mut ready, &connection, 1, AHEAD - FEW);
        ready.read_on(&connection).unwrap();
        assert_eq!(known(&ready, 1).len(), FEW);
        handle(&mut ready, &connection, 1, 1);
        ready.read_on(&connection).unwrap();
        let known: BTreeSet<i64> = known(&ready, 1).into_iter().collect();
        assert_eq!(known.len(), AHEAD);
        assert_eq!(known.first().copied(), i64::try_from(AHEAD - FEW + 2).ok());
    }

    #[test]
    fn the_table_is_asked_again_once_another_process_wrote() {
        let connection = table(&[]);
        let mut ready = Ready::default();
        assert_eq!(ready.wants(), Some(1));
        ready.read_on(&connection).unwrap();
        // Nothing is ready, and nobody tells of what another process puts.
        assert_eq!(ready.wants(), Some(1));
        ready.add(Candidate::new(2, EmsId(1), None));
        assert_eq!(ready.wants(), None);
        ready.is_not_all();
        put(&connection, &[(3, 2), (4, 1)]);
        ready.add(Candidate::new(4, EmsId(1), None));
        assert_eq!(ready.wants(), Some(3));
        ready.read_on(&connection).unwrap();
        assert_eq!((known(&ready, 1), known(&ready, 2)), (vec![2, 4], vec![3]));
        assert_eq!(ready.wants(), None);
    }

    #[test]
    fn what_was_not_handled_is_back_and_what_was_discarded_is_not() {
        let mut ready = Ready::default();
        ready.read_on(&table(&[(1, 1), (2, 2), (3, 1), (4, 2)])).unwrap();
        ready.forget(EmsId(1), 1);
        ready.put_back(Candidate::new(1, EmsId(1), None));
        ready.forget_anywhere(2);
        ready.forget_anywhere(99);
        assert_eq!((known(&ready, 1), known(&ready, 2)), (vec![1, 3], vec![4]));
    }
}
