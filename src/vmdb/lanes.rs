//! Lanes: the messages of one resource are handled in the order in which they came, others side by side.
//!
//! Keeps in memory what is on the queue next and what is in hand, as far as this process knows it; the table is
//! asked for what it does not know.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::HashMap;
use tracing::debug;

use crate::model::ems::EmsId;
use crate::vmdb::candidate::Candidate;
use crate::vmdb::clock_jump::LatestTime;
use crate::vmdb::ready::Ready;
use crate::vmdb::taken_file::TakenFile;
use crate::vmdb::turns::ById;
use crate::vmdb::turns::Turns;

/// What this process knows of the queue.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    pub(crate) ready: Ready,
    taken: ById,
    busy: HashMap<Arc<str>, usize>,
    /// The first failed message of each lane that stands still.
    held: HashMap<Arc<str>, i64>,
    /// The manager whose turn is next; where nothing of it is free, that of the next one behind it.
    turn: Option<EmsId>,
    /// Whether nothing in the table had failed or waited for its time when it was looked at last, nor came since.
    is_plain: bool,
    /// Whether something was given back since messages were chosen last.
    has_given_back: bool,
    version: Option<i64>,
    file: Option<TakenFile>,
    /// When messages were last chosen.
    pub(crate) latest: LatestTime,
}

impl Lanes {
    pub(crate) fn new(file: Option<TakenFile>) -> Self {
        Self {
            file,
            ..Self::default()
        }
    }

    /// Hears of the version of the database that the writer sees: another one tells of another process's commit.
    pub(crate) fn see_version(&mut self, version: i64) {
        if self.version.replace(version) != Some(version) {
            self.ready.is_not_all();
            self.is_plain = false;
        }
    }

    /// Hears that a message failed, or waits for its time.
    pub(crate) fn is_not_plain(&mut self) {
        self.is_plain = false;
    }

    /// Whether the table could say nothing new about what to choose.
    pub(crate) fn knows_enough(&self) -> bool {
        self.is_plain && self.ready.knows_enough()
    }

    /// Learns which lanes stand still, each with its first failed message, and whether no message failed or waits for
    /// its time at all.
    pub(crate) fn hold(&mut self, held: HashMap<Arc<str>, i64>, is_plain: bool) {
        self.held = held;
        self.is_plain = is_plain;
    }

    /// Whether there is something that was not chosen.
    pub(crate) fn has_more(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(crate) fn is_taken(&self, id: i64) -> bool {
        self.taken.contains_key(&id)
    }

    /// Chooses among the new messages and `due`: a fair share, `most` at most. Managers take turns, and in each lane
    /// none is chosen without those before it. They come in the order of the turns: who runs out of time gives back the
    /// rest.
    pub(crate) fn choose(&mut self, due: Vec<Candidate>, most: usize, shares: usize) -> Vec<Candidate> {
        if self.taken.values().any(|candidate| candidate.is_suspect) {
            return Vec::new();
        }
        let shares = shares.max(1);
        let mut by_manager: BTreeMap<EmsId, ById> = BTreeMap::new();
        for one in due {
            by_manager.entry(one.ems_id).or_default().insert(one.id, one);
        }
        let turns = Turns::of(self.ready.by_manager(), &by_manager, self.turn);
        let mut free = turns.free(most.saturating_mul(shares), |candidate| self.is_free(candidate));
        let suspect = free.iter().position(|candidate| candidate.is_suspect);
        let next_turn = suspect.and_then(|place| free.get(place)).map(|one| one.ems_id);
        let wanted = if suspect == Some(0) {
            // Whatever else is in hand, by another thread too, would be to blame as well.
            most.min(usize::from(self.taken.is_empty()))
        } else {
            // Others need not wait with it: it is the first one when the turn is its manager's.
            free.retain(|candidate| !candidate.is_suspect);
            free.len().div_ceil(shares).min(most)
        };
        let chosen: Vec<Candidate> = free.into_iter().take(wanted).cloned().collect();
        if let Some(last) = chosen.last() {
            let suspected = next_turn.filter(|_| !last.is_suspect);
            self.turn = Some(suspected.unwrap_or(EmsId(last.ems_id.0 + 1)));
            self.has_given_back = false;
        }
        for candidate in &chosen {
            self.ready.forget(candidate.ems_id, candidate.id);
            // Whoever takes it has the body to himself, and frees it where it was used.
            let taken = Candidate {
                body: None,
                ..candidate.clone()
            };
            self.taken.insert(candidate.id, taken);
            if let Some(lane) = &candidate.lane {
                *self.busy.entry(lane.clone()).or_default() += 1;
            }
        }
        if !chosen.is_empty() {
            self.write_file();
        }
        chosen
    }

    /// Forgets a message that was discarded; one in hand stays in hand, for the last time.
    pub(crate) fn discard(&mut self, id: i64) {
        self.ready.forget_anywhere(id);
        if let Some(candidate) = self.taken.get_mut(&id) {
            candidate.is_gone = true;
        }
    }

    /// Lets go of messages. Those that were not handled may be chosen again.
    pub(crate) fn release(&mut self, ids: impl IntoIterator<Item = i64>, are_handled: bool) {
        for id in ids {
            let Some(candidate) = self.taken.remove(&id) else {
                continue;
            };
            if let Some(lane) = &candidate.lane
                && let Some(count) = self.busy.get_mut(lane)
            {
                *count -= 1;
                if *count == 0 {
                    self.busy.remove(lane);
                }
            }
            if !are_handled && !self.has_given_back {
                // Where time is too short for a whole batch the turns go on where it ended.
                self.turn = Some(candidate.ems_id);
                self.has_given_back = true;
            }
            if !are_handled && !candidate.is_due && !candidate.is_gone {
                self.ready.put_back(candidate);
            }
        }
        self.write_file();
    }

    fn is_free(&self, candidate: &Candidate) -> bool {
        let is_held = |lane| self.held.get(lane).is_some_and(|first| *first < candidate.id);
        let lane = candidate.lane.as_ref();
        !self.taken.contains_key(&candidate.id)
            && lane.is_none_or(|lane| !self.busy.contains_key(lane) && !is_held(lane))
    }

    /// Without the file a message that ends the process is tried more often; that is no reason to stop.
    fn write_file(&self) {
        if let Some(Err(error)) = self.file.as_ref().map(|file| file.write(self.taken.keys())) {
            debug!(%error, "Could not note which messages are in hand.");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lanes;
    use crate::model::ems::EmsId;
    use crate::vmdb::candidate::Candidate;
    use crate::vmdb::ready::tests::table;

    fn candidate(id: i64, ems: i64, lane: &str) -> Candidate {
        Candidate::new(id, EmsId(ems), (lane != "-").then(|| lane.into()))
    }

    fn suspect(id: i64, ems: i64, lane: &str) -> Candidate {
        Candidate {
            is_due: true,
            is_suspect: true,
            ..candidate(id, ems, lane)
        }
    }

    fn lanes_of(waiting: &[(i64, i64, &str)]) -> Lanes {
        let mut lanes = Lanes::default();
        lanes.ready.read_on(&table(&[])).unwrap();
        for (id, ems, lane) in waiting {
            lanes.ready.add(candidate(*id, *ems, lane));
        }
        lanes
    }

    fn lanes(waiting: &[(i64, &str)]) -> Lanes {
        let waiting: Vec<_> = waiting.iter().map(|(id, lane)| (*id, 1, *lane)).collect();
        lanes_of(&waiting)
    }

    fn choose_with(lanes: &mut Lanes, due: &[Candidate], most: usize, shares: usize) -> Vec<i64> {
        let chosen = lanes.choose(due.to_vec(), most, shares);
        chosen.into_iter().map(|candidate| candidate.id).collect()
    }

    fn choose(lanes: &mut Lanes, most: usize, shares: usize) -> Vec<i64> {
        choose_with(lanes, &[], most, shares)
    }

    #[test]
    fn a_lane_in_hand_is_not_overtaken_and_others_go_on() {
        let mut lanes = lanes(&[(1, "a"), (2, "b"), (3, "a"), (4, "-"), (5, "c")]);
        assert_eq!(choose(&mut lanes, 1, 1), [1]);
        assert_eq!(choose(&mut lanes, 9, 1), [2, 4, 5]);
        lanes.release([1], true);
        assert_eq!(choose(&mut lanes, 9, 1), [3]);
    }

    #[test]
    fn a_batch_is_shared_among_those_who_could_work_at_it() {
        let mut lanes = lanes(&[(1, "a"), (2, "b"), (3, "c")]);
        assert_eq!(choose(&mut lanes, 9, 2), [1, 2]);
        assert_eq!(choose(&mut lanes, 9, 2), [3]);
    }

    #[test]
    fn managers_take_turns_and_the_order_within_each_stays() {
        let flood = [1, 2, 3, 4, 5, 6].map(|id| (id, 1, "-"));
        let others = [(7, 2, "2/a"), (8, 2, "2/a"), (9, 3, "-")];
        let waiting = [&flood[..], &others[..]].concat();
        // How many at once, by how many, and what they get, batch by batch.
        let table: &[(usize, usize, &[&[i64]])] = &[
            (3, 1, &[&[1, 7, 9], &[2, 8, 3], &[4, 5, 6]]),
            (4, 1, &[&[1, 7, 9, 2], &[8, 3, 4, 5], &[6]]),
            (2, 1, &[&[1, 7], &[9, 2], &[8, 3], &[4, 5], &[6]]),
            (1, 1, &[&[1], &[7], &[9], &[2], &[8], &[3], &[4]]),
            (9, 1, &[&[1, 7, 9, 2, 8, 3, 4, 5, 6]]),
            (9, 3, &[&[1, 7, 9], &[2, 8], &[3, 4]]),
        ];
        for (most, shares, batches) in table {
            let mut lanes = lanes_of(&waiting);
            for batch in *batches {
                assert_eq!(&choose(&mut lanes, *most, *shares), batch, "{most} {shares}");
                lanes.release(batch.iter().copied(), true);
            }
        }
    }

    #[test]
    fn what_became_due_keeps_its_place_within_its_manager() {
        let mut lanes = lanes_of(&[(2, 1, "-"), (3, 1, "-"), (9, 2, "-")]);
        let due = |id, ems| Candidate {
            is_due: true,
            ..candidate(id, ems, "-")
        };
        let mut due = vec![due(8, 2), due(1, 1), due(4, 1), due(7, 3)];
        for batch in [[1, 8, 7], [2, 9, 3]] {
            assert_eq!(choose_with(&mut lanes, &due, 3, 1), batch);
            lanes.release(batch, true);
            due.retain(|one| !batch.contains(&one.id));
        }
        assert_eq!(choose_with(&mut lanes, &due, 3, 1), [4]);
    }

    #[test]
    fn a_lane_stands_still_behind_a_failed_message_until_that_is_gone() {
        let mut lanes = lanes(&[(2, "a"), (3, "b"), (4, "a")]);
        lanes.hold([("a".into(), 1)].into_iter().collect(), false);
        assert_eq!(choose(&mut lanes, 9, 1), [3]);
        lanes.hold(ahash::HashMap::default(), false);
        assert_eq!(choose(&mut lanes, 9, 1), [2, 4]);
    }

    #[test]
    fn a_suspect_is_taken_alone_and_in_its_place() {
        let mut lanes = lanes(&[(1, "a"), (3, "c")]);
        let suspect = suspect(2, 1, "b");
        for (due, expected) in [(vec![suspect.clone()], 1), (vec![suspect], 2), (Vec::new(), 3)] {
            assert_eq!(choose_with(&mut lanes, &due, 9, 1), [expected]);
            // Another thread gets nothing beside it.
            assert!(choose_with(&mut lanes, &due, 9, 1).is_empty());
            lanes.release([expected], true);
        }
    }

    #[test]
    fn a_suspect_has_its_turn_whatever_floods() {
        let flood: Vec<_> = (9..150).map(|id| (id, 2 + id % 3, "-")).collect();
        // Wherever the turn is when it comes, and however many are taken at once.
        for (before, most) in (1..4).flat_map(|before| (1..9).map(move |most| (before, most))) {
            let mut lanes = lanes_of(&flood);
            let begun = choose(&mut lanes, before, 1);
            lanes.release(begun, true);
            let due = [suspect(1, 1, "-")];
            let batches = (0..5).map(|_batch| {
                let chosen = choose_with(&mut lanes, &due, most, 1);
                lanes.release(chosen.iter().copied(), true);
                chosen
            });
            let batches: Vec<Vec<i64>> = batches.collect();
            assert!(batches.contains(&vec![1]), "{before} {most}: {batches:?}");
        }
    }

    #[test]
    fn nothing_else_begins_while_it_is_a_suspects_turn() {
        let mut lanes = lanes_of(&[(1, 1, "-"), (9, 2, "-")]);
        let due = [suspect(8, 2, "-")];
        assert_eq!(choose_with(&mut lanes, &due, 9, 1), [1]);
        lanes.ready.add(candidate(10, 1, "-"));
        assert!(choose_with(&mut lanes, &due, 9, 1).is_empty());
        lanes.release([1], true);
        assert_eq!(choose_with(&mut lanes, &due, 9, 1), [8]);
        lanes.release([8], true);
        assert_eq!(choose(&mut lanes, 9, 1), [10, 9]);
    }

    #[test]
    fn the_turns_go_on_where_time_was_too_short_for_a_batch() {
        let waiting: Vec<_> = (1..13).map(|id| (id, 1 + id % 4, "-")).collect();
        let mut lanes = lanes_of(&waiting);
        let mut handled = Vec::new();
        for _batch in 0..12 {
            let chosen = choose(&mut lanes, 4, 1);
            lanes.release(chosen.iter().copied().take(1), true);
            // One by one, as tickets are dropped.
            chosen.iter().skip(1).for_each(|id| lanes.release([*id], false));
            handled.extend(chosen.first().copied());
        }
        assert_eq!(handled, [4, 1, 2, 3, 8, 5, 6, 7, 12, 9, 10, 11]);
    }

    #[test]
    fn no_more_are_chosen_than_were_asked_for_and_none_that_is_in_hand() {
        let mut lanes = lanes(&[(1, "-"), (2, "-"), (3, "-"), (4, "-")]);
        assert_eq!(choose(&mut lanes, 1, 3), [1]);
        // What is in hand may be due too, by the table.
        assert_eq!(choose_with(&mut lanes, &[candidate(1, 1, "-")], 1, 3), [2]);
    }

    #[test]
    fn what_was_discarded_in_hand_or_is_found_by_its_time_is_not_among_the_new_ones_again() {
        let mut lanes = lanes(&[(1, "a")]);
        let due = Candidate {
            is_due: true,
            ..candidate(2, 1, "b")
        };
        assert_eq!(choose_with(&mut lanes, &[due], 9, 1), [1, 2]);
        lanes.discard(1);
        lanes.release([1, 2], false);
        assert!(choose(&mut lanes, 9, 1).is_empty());
    }

    #[test]
    fn the_failed_message_that_holds_a_lane_may_go_itself() {
        let mut lanes = lanes(&[(3, "a")]);
        lanes.hold([("a".into(), 2)].into_iter().collect(), false);
        assert_eq!(choose_with(&mut lanes, &[candidate(2, 1, "a")], 9, 1), [2]);
    }

    #[test]
    fn what_was_not_handled_is_chosen_again() {
        let mut lanes = lanes(&[(1, "a"), (2, "a")]);
        assert_eq!(choose(&mut lanes, 9, 1), [1, 2]);
        lanes.release([1, 2], false);
        assert_eq!(choose(&mut lanes, 9, 1), [1, 2]);
    }
}
