//! Turns: managers take turns in a batch, so that none that floods delays another.

use std::collections::BTreeMap;
use std::collections::btree_map::Values;
use std::iter::Peekable;

use crate::model::ems::EmsId;
use crate::vmdb::candidate::Candidate;

/// Messages by their ids.
pub(crate) type ById = BTreeMap<i64, Candidate>;

/// The messages of one manager, new ones and due ones, in the order of their ids.
struct InOrder<'a> {
    new: Peekable<Values<'a, i64, Candidate>>,
    due: Peekable<Values<'a, i64, Candidate>>,
}

impl<'a> Iterator for InOrder<'a> {
    type Item = &'a Candidate;

    fn next(&mut self) -> Option<&'a Candidate> {
        let is_due_next = match (self.new.peek(), self.due.peek()) {
            (Some(new), Some(due)) => due.id < new.id,
            (None, due) => due.is_some(),
            (Some(_), None) => false,
        };
        if is_due_next {
            self.due.next()
        } else {
            self.new.next()
        }
    }
}

/// What waits, by manager, the one whose turn it is first.
pub(crate) struct Turns<'a> {
    managers: Vec<InOrder<'a>>,
}

impl<'a> Turns<'a> {
    /// All that is new and all that is due; `first` begins, or else the next one behind it.
    pub(crate) fn of(
        new: impl Iterator<Item = (EmsId, &'a ById)>,
        due: &'a BTreeMap<EmsId, ById>,
        first: Option<EmsId>,
    ) -> Self {
        let mut managers: BTreeMap<EmsId, InOrder<'a>> = BTreeMap::new();
        let none = || InOrder {
            new: Values::default().peekable(),
            due: Values::default().peekable(),
        };
        for (ems_id, messages) in new {
            managers.entry(ems_id).or_insert_with(none).new = messages.values().peekable();
        }
        for (ems_id, messages) in due {
            managers.entry(*ems_id).or_insert_with(none).due = messages.values().peekable();
        }
        let behind = first.map_or_else(BTreeMap::new, |first| managers.split_off(&first));
        Self {
            managers: behind.into_values().chain(managers.into_values()).collect(),
        }
    }

    /// The first messages that are free, at most `most`: one of each manager, then another one of each, and so on. A
    /// suspect is the last one of its manager, since nothing else is risked with it.
    pub(crate) fn free(mut self, most: usize, is_free: impl Fn(&Candidate) -> bool) -> Vec<&'a Candidate> {
        let mut free = Vec::new();
        while free.len() < most && !self.managers.is_empty() {
            self.managers.retain_mut(|manager| {
                if most <= free.len() {
                    return true;
                }
                let next = manager.find(|candidate| is_free(candidate));
                free.extend(next);
                next.is_some_and(|candidate| !candidate.is_suspect)
            });
        }
        free
    }
}
