//! Lanes: the messages of one resource are handled in the order in which they came, others side by side.
//!
//! Keeps in memory what is on the queue next and what is in hand, as far as this process knows it; the table is
//! asked for what it does not know.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::HashMap;
use tracing::debug;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::model::event::EventHash;
use crate::vmdb::clock_jump::LatestTime;
use crate::vmdb::taken_file::TakenFile;

/// How many new messages are known ahead.
const AHEAD: usize = 4_096;
/// So many bytes of native events are kept in memory until they are handled; beyond it they are read again. What
/// is parsed of them is kept too, and takes several times as much.
const BODY_BYTES: usize = 8 << 20;
/// An event that was put by this process: it need not be read again.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) ems_id: EmsId,
    pub(crate) hash: EventHash,
    pub(crate) received_at: Timestamp,
}

/// A message that might be taken.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: i64,
    pub(crate) ems_id: EmsId,
    pub(crate) lane: Option<Arc<str>>,
    pub(crate) body: Option<Arc<Body>>,
    /// Whether it is found by its due time, not among the new ones.
    pub(crate) is_due: bool,
    /// Whether it may have ended the process once: then nothing else is risked with it.
    pub(crate) is_suspect: bool,
    /// Whether it was discarded while it was in hand.
    pub(crate) is_gone: bool,
}

impl Candidate {
    /// A new message that has to be read.
    pub(crate) fn new(id: i64, ems_id: EmsId, lane: Option<Arc<str>>) -> Self {
        Self {
            id,
            ems_id,
            lane,
            body: None,
            is_due: false,
            is_suspect: false,
            is_gone: false,
        }
    }

    fn body_bytes(&self) -> usize {
        let body = self.body.as_ref();
        body.map_or(0, |body| body.hash.full_data.text().len())
    }
}

/// What this process knows of the queue.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    /// New messages by their ids. Those up to `known` are here, in hand, or done with.
    ready: BTreeMap<i64, Candidate>,
    /// Of the bodies in `ready`.
    body_bytes: usize,
    known: i64,
    /// Whether the table has no new message beyond `known`.
    is_all: bool,
    taken: BTreeMap<i64, Candidate>,
    busy: HashMap<Arc<str>, usize>,
    /// The first failed message of each lane that stands still.
    held: HashMap<Arc<str>, i64>,
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
            self.is_all = false;
        }
    }

    /// Hears of a message that was just put, the latest of all.
    pub(crate) fn add(&mut self, mut candidate: Candidate) {
        if AHEAD <= self.ready.len() || !self.is_all {
            self.is_all = false;
        } else if self.known < candidate.id {
            if BODY_BYTES < self.body_bytes + candidate.body_bytes() {
                candidate.body = None;
            }
            self.body_bytes += candidate.body_bytes();
            self.known = candidate.id;
            self.ready.insert(candidate.id, candidate);
        }
    }

    fn forget(&mut self, id: i64) {
        if let Some(candidate) = self.ready.remove(&id) {
            self.body_bytes = self.body_bytes.saturating_sub(candidate.body_bytes());
        }
    }

    /// Behind which id the table should be read on, and how far; nothing while there is enough to choose from.
    pub(crate) fn wants(&self) -> Option<(i64, usize)> {
        let has_enough = self.is_all && !self.ready.is_empty();
        let room = AHEAD.saturating_sub(self.ready.len());
        (!has_enough && 0 < room).then_some((self.known, room))
    }

    /// Learns what the table has behind `known`; all of it where it is less than was asked for.
    pub(crate) fn learn(&mut self, candidates: Vec<Candidate>, asked: usize) {
        self.is_all = candidates.len() < asked;
        for candidate in candidates {
            self.known = self.known.max(candidate.id);
            self.ready.insert(candidate.id, candidate);
        }
    }

    /// Learns which lanes stand still, each with its first failed message.
    pub(crate) fn hold(&mut self, held: HashMap<Arc<str>, i64>) {
        self.held = held;
    }

    pub(crate) fn is_taken(&self, id: i64) -> bool {
        self.taken.contains_key(&id)
    }

    /// Chooses among the new messages and `due`, which is in the order of its ids: a fair share, `most` at most,
    /// and in each lane none without those before it.
    pub(crate) fn choose(&mut self, due: Vec<Candidate>, most: usize, shares: usize) -> Vec<Candidate> {
        if self.taken.values().any(|candidate| candidate.is_suspect) {
            return Vec::new();
        }
        let due: BTreeMap<i64, Candidate> = due.into_iter().map(|one| (one.id, one)).collect();
        let mut free: Vec<&Candidate> = Vec::new();
        let (mut new, mut old) = (self.ready.values().peekable(), due.values().peekable());
        while free.len() < most.saturating_mul(shares.max(1)) {
            let is_old_next = match (new.peek(), old.peek()) {
                (Some(new), Some(old)) => old.id < new.id,
                (None, Some(_)) => true,
                (_, None) => false,
            };
            let Some(next) = (if is_old_next { old.next() } else { new.next() }) else {
                break;
            };
            if self.is_free(next) {
                free.push(next);
            }
        }
        let wanted = free.len().div_ceil(shares.max(1)).min(most);
        let wanted = match free.iter().position(|candidate| candidate.is_suspect) {
            // Whatever else is in hand, by another thread too, would be to blame as well.
            Some(0) if !self.taken.is_empty() => 0,
            Some(0) => wanted.min(1),
            Some(suspect) => wanted.min(suspect),
            None => wanted,
        };
        let chosen: Vec<Candidate> = free.into_iter().take(wanted).cloned().collect();
        for candidate in &chosen {
            self.forget(candidate.id);
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
        self.forget(id);
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
            if !are_handled && !candidate.is_due && !candidate.is_gone {
                self.ready.insert(id, candidate);
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
    use std::sync::Arc;

    use super::Candidate;
    use super::Lanes;
    use crate::model::ems::EmsId;

    fn candidate(id: i64, lane: &str) -> Candidate {
        Candidate::new(id, EmsId(1), (lane != "-").then(|| Arc::from(lane)))
    }

    fn lanes(waiting: &[(i64, &str)]) -> Lanes {
        let mut lanes = Lanes::default();
        lanes.learn(
            waiting.iter().map(|(id, lane)| candidate(*id, lane)).collect(),
            99,
        );
        lanes
    }

    fn choose(lanes: &mut Lanes, most: usize, shares: usize) -> Vec<i64> {
        let chosen = lanes.choose(Vec::new(), most, shares);
        chosen.into_iter().map(|candidate| candidate.id).collect()
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
    fn a_lane_stands_still_behind_a_failed_message_until_that_is_gone() {
        let mut lanes = lanes(&[(2, "a"), (3, "b"), (4, "a")]);
        lanes.hold([(Arc::from("a"), 1)].into_iter().collect());
        assert_eq!(choose(&mut lanes, 9, 1), [3]);
        lanes.hold(ahash::HashMap::default());
        assert_eq!(choose(&mut lanes, 9, 1), [2, 4]);
    }

    #[test]
    fn a_suspect_is_taken_alone_and_in_its_place() {
        let mut lanes = lanes(&[(1, "a"), (3, "c")]);
        let suspect = Candidate {
            is_due: true,
            is_suspect: true,
            ..candidate(2, "b")
        };
        for (due, expected) in [(vec![suspect.clone()], 1), (vec![suspect], 2), (Vec::new(), 3)] {
            let chosen = lanes.choose(due.clone(), 9, 1);
            assert_eq!(chosen.iter().map(|one| one.id).collect::<Vec<_>>(), [expected]);
            // Another thread gets nothing beside it.
            assert!(lanes.choose(due, 9, 1).is_empty());
            lanes.release([expected], true);
        }
    }

    #[test]
    fn what_was_not_handled_is_chosen_again() {
        let mut lanes = lanes(&[(1, "a"), (2, "a")]);
        assert_eq!(choose(&mut lanes, 9, 1), [1, 2]);
        lanes.release([1, 2], false);
        assert_eq!(choose(&mut lanes, 9, 1), [1, 2]);
    }

    #[test]
    fn the_table_is_asked_again_once_another_process_wrote() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.wants().map(|(known, _)| known), Some(0));
        lanes.see_version(1);
        lanes.learn(vec![candidate(1, "a")], 99);
        lanes.add(candidate(2, "a"));
        assert_eq!(lanes.wants(), None);
        lanes.see_version(2);
        lanes.add(candidate(4, "a"));
        assert_eq!(lanes.wants().map(|(known, _)| known), Some(2));
    }
}
