//! Lanes: the messages of one resource are handled in the order in which they came, others side by side.

use std::collections::BTreeSet;
use std::sync::Arc;

use ahash::HashMap;
use tracing::debug;

use crate::model::ems::EmsId;
use crate::model::event::EventHash;
use crate::vmdb::taken_file::TakenFile;

/// The keys of a hash that name the resource an event is about, the closest first.
const RESOURCES: &[&str] = &[
    "vm_ems_ref",
    "vm_uid_ems",
    "vm_name",
    "host_ems_ref",
    "host_uid_ems",
];
/// What many resources have in common, so that it orders nothing.
const SHARED: &[&str] = &["availability_zone_ems_ref", "ems_cluster_ems_ref"];

/// The lane of an event: manager and resource. None where it names no resource: it waits for nobody.
pub(crate) fn lane_of(ems_id: EmsId, hash: &EventHash) -> Option<String> {
    let named = RESOURCES.iter().find_map(|key| Some((*key, hash.text(key)?)));
    let (key, resource) = named.or_else(|| {
        let refs = hash.attributes.keys().map(|key| &**key).filter(|key| {
            let is_ref = key.ends_with("_ems_ref") || key.ends_with("_uid_ems");
            is_ref && !key.starts_with("dest_") && !SHARED.contains(key)
        });
        refs.into_iter().find_map(|key| Some((key, hash.text(key)?)))
    })?;
    let kind = key
        .strip_suffix("_ems_ref")
        .or(key.strip_suffix("_uid_ems"))
        .unwrap_or(key);
    Some(format!("{ems_id}/{kind}/{resource}"))
}

/// A message that might be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: i64,
    pub(crate) lane: Option<Arc<str>>,
    /// Whether it is found by going through the new ones, not by its due time.
    pub(crate) is_fresh: bool,
    /// Whether it may have ended the process once: then nothing else is risked with it.
    pub(crate) is_suspect: bool,
}

/// What this process has in hand, and how far it has gone through the new messages.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    taken: BTreeSet<i64>,
    busy: HashMap<Arc<str>, usize>,
    /// The lowest failed message of each lane that waits: the lane stands still behind it.
    held: HashMap<Arc<str>, i64>,
    /// Every new message up to here is taken, or stands behind a held one.
    passed: i64,
    file: Option<TakenFile>,
}

impl Lanes {
    pub(crate) fn new(file: Option<TakenFile>) -> Self {
        Self {
            file,
            ..Self::default()
        }
    }

    /// Up to which id the new messages need not be looked at again.
    pub(crate) fn passed(&self) -> i64 {
        self.passed
    }

    pub(crate) fn is_taken(&self, id: i64) -> bool {
        self.taken.contains(&id)
    }

    /// Learns which lanes stand still. One that goes on again has new messages that were passed by.
    pub(crate) fn hold(&mut self, held: HashMap<Arc<str>, i64>) {
        let goes_on = self.held.iter().filter(|(lane, id)| held.get(*lane) != Some(*id));
        if let Some(first) = goes_on.map(|(_, id)| *id).min() {
            self.passed = self.passed.min(first);
        }
        self.held = held;
    }

    /// Chooses from `candidates`, which are in the order of their ids: a fair share, `most` at most, and in each
    /// lane none without those before it.
    pub(crate) fn choose(&mut self, candidates: &[Candidate], most: usize, shares: usize) -> Vec<Candidate> {
        let is_free = |candidate: &Candidate| {
            !self.taken.contains(&candidate.id)
                && candidate
                    .lane
                    .as_ref()
                    .is_none_or(|lane| !self.busy.contains_key(lane))
                && !self.is_held(candidate)
        };
        let free: Vec<&Candidate> = candidates.iter().filter(|candidate| is_free(candidate)).collect();
        let wanted = free.len().div_ceil(shares.max(1)).min(most);
        let chosen: Vec<Candidate> = match free.iter().position(|candidate| candidate.is_suspect) {
            Some(0) => free.into_iter().take(1).cloned().collect(),
            Some(suspect) => free.into_iter().take(suspect.min(wanted)).cloned().collect(),
            None => free.into_iter().take(wanted).cloned().collect(),
        };
        for candidate in &chosen {
            self.taken.insert(candidate.id);
            if let Some(lane) = &candidate.lane {
                *self.busy.entry(lane.clone()).or_default() += 1;
            }
        }
        let done_with =
            |candidate: &&Candidate| self.taken.contains(&candidate.id) || self.is_held(candidate);
        let fresh = candidates.iter().filter(|candidate| candidate.is_fresh);
        if let Some(passed) = fresh.take_while(done_with).last() {
            self.passed = self.passed.max(passed.id);
        }
        if !chosen.is_empty() {
            self.write_file();
        }
        chosen
    }

    /// Lets go of messages. Those that were not handled will be found again.
    pub(crate) fn release<'a>(
        &mut self,
        messages: impl IntoIterator<Item = (i64, Option<&'a Arc<str>>)>,
        are_handled: bool,
    ) {
        for (id, lane) in messages {
            self.taken.remove(&id);
            if !are_handled {
                self.passed = self.passed.min(id - 1);
            }
            let Some(lane) = lane else { continue };
            if let Some(count) = self.busy.get_mut(lane) {
                *count -= 1;
                if *count == 0 {
                    self.busy.remove(lane);
                }
            }
        }
        self.write_file();
    }

    fn is_held(&self, candidate: &Candidate) -> bool {
        let lane = candidate.lane.as_ref();
        lane.and_then(|lane| self.held.get(lane))
            .is_some_and(|first| *first < candidate.id)
    }

    /// Without the file a message that ends the process is tried more often; that is no reason to stop.
    fn write_file(&self) {
        if let Some(Err(error)) = self.file.as_ref().map(|file| file.write(&self.taken)) {
            debug!(%error, "Could not note which messages are in hand.");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Candidate;
    use super::Lanes;

    fn candidate(id: i64, lane: &str) -> Candidate {
        Candidate {
            id,
            lane: (lane != "-").then(|| Arc::from(lane)),
            is_fresh: true,
            is_suspect: false,
        }
    }

    fn choose(lanes: &mut Lanes, waiting: &[(i64, &str)], most: usize, shares: usize) -> Vec<i64> {
        let candidates: Vec<Candidate> = waiting
            .iter()
            .filter(|(id, _)| lanes.passed() < *id)
            .map(|(id, lane)| candidate(*id, lane))
            .collect();
        let chosen = lanes.choose(&candidates, most, shares);
        chosen.into_iter().map(|candidate| candidate.id).collect()
    }

    #[test]
    fn a_lane_in_hand_is_not_overtaken_and_others_go_on() {
        let mut lanes = Lanes::default();
        let waiting = [(1, "a"), (2, "b"), (3, "a"), (4, "-"), (5, "c")];
        assert_eq!(choose(&mut lanes, &waiting, 1, 1), [1]);
        assert_eq!(choose(&mut lanes, &waiting, 9, 1), [2, 4, 5]);
        assert_eq!(lanes.passed(), 2);
        lanes.release([(1, Some(&Arc::from("a")))], true);
        assert_eq!(choose(&mut lanes, &waiting[1..], 9, 1), [3]);
        assert_eq!(lanes.passed(), 5);
    }

    #[test]
    fn a_batch_is_shared_among_those_who_could_work_at_it() {
        let mut lanes = Lanes::default();
        let waiting = [(1, "a"), (2, "b"), (3, "c")];
        assert_eq!(choose(&mut lanes, &waiting, 9, 2), [1, 2]);
        assert_eq!(choose(&mut lanes, &waiting, 9, 2), [3]);
    }

    #[test]
    fn a_lane_stands_still_behind_a_failed_message_until_that_is_gone() {
        let mut lanes = Lanes::default();
        lanes.hold([(Arc::from("a"), 1)].into_iter().collect());
        let waiting = [(2, "a"), (3, "b"), (4, "a")];
        assert_eq!(choose(&mut lanes, &waiting, 9, 1), [3]);
        assert_eq!(lanes.passed(), 4);
        lanes.hold(ahash::HashMap::default());
        assert_eq!(choose(&mut lanes, &waiting, 9, 1), [2, 4]);
    }

    #[test]
    fn a_suspect_is_taken_alone() {
        let mut lanes = Lanes::default();
        let mut waiting = vec![candidate(1, "a"), candidate(2, "b"), candidate(3, "c")];
        waiting[1].is_suspect = true;
        for expected in [[1], [2], [3]] {
            let chosen = lanes.choose(&waiting, 9, 1);
            assert_eq!(chosen.iter().map(|one| one.id).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn what_was_not_handled_is_found_again() {
        let mut lanes = Lanes::default();
        let waiting = [(1, "a"), (2, "a")];
        assert_eq!(choose(&mut lanes, &waiting, 9, 1), [1, 2]);
        let lane = Arc::from("a");
        lanes.release([(1, Some(&lane)), (2, Some(&lane))], false);
        assert_eq!(choose(&mut lanes, &waiting, 9, 1), [1, 2]);
    }
}
