//! Waiting: how many messages of each manager wait for the handler, and from whom more may come.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::model::ems::EmsId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;

/// How many messages of each manager wait, or how many more or fewer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting(BTreeMap<EmsId, i64>);

impl Waiting {
    /// Counts what is on the queue, and how many messages there are to become events, dead ones too. In one pass: at
    /// start the queue may be long.
    pub(crate) fn load(connection: &Connection) -> Result<(Self, i64), VmdbError> {
        let sql = "SELECT ems_id, sum(state <> 1), sum(kind <> 2) FROM miq_queue GROUP BY ems_id";
        let mut query = connection.prepare(sql)?;
        let mut rows = query.query([])?;
        let (mut waiting, mut coming_events) = (Self::default(), 0);
        while let Some(row) = rows.next()? {
            waiting.count(EmsId(row.get(0)?), row.get(1)?);
            coming_events += row.get::<_, i64>(2)?;
        }
        Ok((waiting, coming_events))
    }

    /// So many more of a manager wait.
    pub(crate) fn count(&mut self, ems_id: EmsId, more: i64) {
        *self.0.entry(ems_id).or_default() += more;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (ems_id, more) in &other.0 {
            self.count(*ems_id, *more);
        }
    }

    /// How many wait of all managers.
    pub(crate) fn total(&self) -> u64 {
        u64::try_from(self.0.values().sum::<i64>()).unwrap_or(0)
    }

    /// What another process put and this one handled is not in the count, so it may fall below 0.
    fn of(&self, ems_id: EmsId) -> u64 {
        self.0
            .get(&ems_id)
            .map_or(0, |count| u64::try_from(*count).unwrap_or(0))
    }

    /// Whether more of a manager may come where at most `limit` are to wait: half of that is reserved, the same share
    /// for each of `managers`, and nobody else fills what is reserved. Some of a manager that was removed may wait
    /// still; for that one nothing is reserved.
    pub(crate) fn has_room(
        &self,
        ems_id: EmsId,
        managers: impl Iterator<Item = EmsId> + Clone,
        limit: u64,
    ) -> bool {
        let count = u64::try_from(managers.clone().count()).unwrap_or(u64::MAX);
        let reserve = limit / 2 / count.max(1);
        if self.of(ems_id) < reserve {
            return true;
        }
        let waiting = self.0.keys().map(|ems_id| self.of(*ems_id));
        let reserved = managers.map(|ems_id| reserve.saturating_sub(self.of(ems_id)));
        waiting.chain(reserved).sum::<u64>() < limit
    }
}

impl FromIterator<(EmsId, i64)> for Waiting {
    fn from_iter<T: IntoIterator<Item = (EmsId, i64)>>(counts: T) -> Self {
        Self(counts.into_iter().collect())
    }
}

impl Vmdb {
    /// How many messages wait for the handler, near enough for a gauge.
    pub fn waiting(&self) -> u64 {
        self.shared().waiting.lock().total()
    }

    /// Whether more messages of a manager may come where at most `limit` are to wait, of all managers together. Half
    /// of that is reserved, in equal shares, so that a flood of one manager never keeps another one out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn has_room(&self, ems_id: EmsId, limit: u64) -> Result<bool, VmdbError> {
        let managers = self.managers()?;
        let present = managers.all.iter().filter(|(_, is_removed)| !is_removed);
        let present = present.map(|(ems, _)| ems.id);
        Ok(self.shared().waiting.lock().has_room(ems_id, present, limit))
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::Waiting;
    use crate::model::ems::EmsId;

    #[test]
    fn the_dead_wait_for_nobody_and_what_goes_on_later_becomes_no_event() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                // Ready, waiting and parked, then dead; an event, one that was not parsed, one that goes on later.
                "CREATE TABLE miq_queue (ems_id INTEGER, state INTEGER, kind INTEGER);
                 INSERT INTO miq_queue VALUES (1, 0, 0), (1, 2, 0), (1, 3, 0), (1, 0, 2), (1, 2, 2);
                 INSERT INTO miq_queue VALUES (2, 1, 0), (2, 1, 1), (2, 0, 1), (2, 1, 2);",
            )
            .unwrap();
        let expected = [(EmsId(1), 5), (EmsId(2), 1)].into_iter().collect();
        assert_eq!(Waiting::load(&connection).unwrap(), (expected, 6));
    }

    #[test]
    fn one_that_floods_has_half_at_least_and_nobody_is_refused_within_the_reserve() {
        // The limit, how many of each manager wait, and from which of them more may come.
        let table: &[(u64, &[i64], &[bool])] = &[
            (100, &[0], &[true]),
            (100, &[99], &[true]),
            (100, &[100], &[false]),
            (100, &[74, 0], &[true, true]),
            (100, &[75, 0], &[false, true]),
            (100, &[75, 24], &[false, true]),
            (100, &[75, 25], &[false, false]),
            (100, &[49, 50], &[true, true]),
            // Whatever waits of the others, as after a batch that was let in whole.
            (100, &[900, 24], &[false, true]),
            (100, &[50, 0, 0, 0, 0], &[true, true, true, true, true]),
            (100, &[60, 0, 0, 0, 0], &[false, true, true, true, true]),
            (100, &[60, 9, 10, 11, 0], &[false, true, false, false, true]),
            // Below 0 counts as nothing.
            (100, &[75, -50], &[false, true]),
            // A limit too small to be shared.
            (1, &[0, 0], &[true, true]),
            (1, &[1, 0], &[false, false]),
            (4, &[3, 0], &[false, true]),
        ];
        for (limit, counts, expected) in table {
            let managers: Vec<EmsId> = (1..).map(EmsId).take(counts.len()).collect();
            let waiting: Waiting = managers.iter().copied().zip(counts.iter().copied()).collect();
            let may_come = managers
                .iter()
                .map(|ems_id| waiting.has_room(*ems_id, managers.iter().copied(), *limit));
            assert_eq!(&may_come.collect::<Vec<_>>(), expected, "{counts:?} of {limit}");
        }
    }

    #[test]
    fn what_waits_of_a_removed_manager_takes_room_and_no_reserve() {
        let waiting: Waiting = [(EmsId(1), 60), (EmsId(2), 0)].into_iter().collect();
        assert!(waiting.has_room(EmsId(2), [EmsId(2)].into_iter(), 100));
        let waiting: Waiting = [(EmsId(1), 60), (EmsId(2), 40)].into_iter().collect();
        assert!(waiting.has_room(EmsId(2), [EmsId(2)].into_iter(), 101));
        let waiting: Waiting = [(EmsId(1), 50), (EmsId(2), 50)].into_iter().collect();
        assert!(!waiting.has_room(EmsId(2), [EmsId(2)].into_iter(), 100));
    }

    #[test]
    fn what_a_commit_brought_is_counted_by_manager() {
        let mut waiting: Waiting = [(EmsId(1), 5)].into_iter().collect();
        let mut news = Waiting::default();
        news.count(EmsId(1), -2);
        news.count(EmsId(2), 1);
        news.count(EmsId(2), 3);
        waiting.add(&news);
        assert_eq!(waiting, [(EmsId(1), 3), (EmsId(2), 4)].into_iter().collect());
        assert_eq!(waiting.total(), 7);
    }
}
