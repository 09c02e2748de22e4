//! Compares a ledger with a database: whether everything that was answered is there, as it was sent and once.

use std::sync::Arc;

use ahash::HashMap;
use ahash::HashSet;
use serde::Serialize;

use crate::model::clock::Clock;
use crate::verify::ledger::Ledger;
use crate::vmdb::Audit;
use crate::vmdb::DatabaseUrl;
use crate::vmdb::Finding;
use crate::vmdb::StoredEventKey;
use crate::vmdb::StoredPlace;
use crate::vmdb::VmdbError;

const KEEP_BOTH: &str = "keep the ledger and a copy of the database with its -wal: together they show what went wrong, please report it";

/// What a ledger and a database say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// Keys in the ledger.
    pub sent: usize,
    /// Those of them that were accepted.
    pub answered: usize,
    /// Events that are saved, of the managers in the ledger.
    pub stored: usize,
    /// Those that wait on the queue.
    pub waiting: usize,
    /// Those that are dead letters.
    pub dead: usize,
    /// Accepted, and not there.
    pub lost: usize,
    /// Saved more than once.
    pub duplicate: usize,
    /// There, and not as sent.
    pub changed: usize,
    /// There, and never sent.
    pub made_up: usize,
    /// What the check of the database itself found, errors only.
    pub faults: usize,
}

impl Sums {
    /// Whether everything is as it should be.
    pub fn is_fine(&self) -> bool {
        [self.lost, self.duplicate, self.changed, self.made_up, self.faults] == [0; 5]
    }
}

/// Checks a database by itself, and against a ledger: I1 to I4 of the crash tests' oracle. Tells each finding.
///
/// - I1: what was answered is there, bytes equal.
/// - I2: what is there was sent, and is saved once. Managers that the ledger does not name are left out.
/// - I3: what was not answered may be there or not, but not otherwise than it was sent.
/// - I4: what is there was decided once, or waits, or is dead, and the books say so ([`Audit::check`]).
///
/// # Errors
/// When the database cannot be read.
pub fn check(
    database: &DatabaseUrl,
    ledger: &Ledger,
    clock: &Clock,
    mut found: impl FnMut(Finding),
) -> Result<Sums, VmdbError> {
    let audit = Audit::open(database)?;
    let mut faults = 0;
    audit.check(clock, |finding| {
        faults += usize::from(finding.severity == crate::source::Severity::Error);
        found(finding);
    })?;
    let mut comparison = Comparison::new(ledger);
    audit.stored(|stored| comparison.see(&stored, &mut found))?;
    Ok(Sums {
        faults,
        ..comparison.end(&mut found)
    })
}

struct Comparison<'a> {
    ledger: &'a Ledger,
    /// Where each key of the ledger was seen, by manager and key: saved or on its way.
    seen: HashMap<(&'a str, &'a str), Option<i64>>,
    /// The digests of what could not be parsed: it has no key.
    unparsed: HashSet<(Arc<str>, [u8; 32])>,
    /// What the ledger sent, by digest, looked up only for what has no key.
    digests: HashMap<&'a str, HashSet<[u8; 32]>>,
    sums: Sums,
}

impl<'a> Comparison<'a> {
    fn new(ledger: &'a Ledger) -> Self {
        let digests = ledger.entries.iter().map(|(ems, entries)| {
            let digests = entries.values().filter_map(|entry| entry.sha256);
            (&**ems, digests.collect())
        });
        Self {
            ledger,
            seen: HashMap::default(),
            unparsed: HashSet::default(),
            digests: digests.collect(),
            sums: Sums::default(),
        }
    }

    fn see(&mut self, stored: &StoredEventKey, found: &mut impl FnMut(Finding)) {
        let ledger = self.ledger;
        let Some((ems, entries)) = ledger.entries.get_key_value(&*stored.ems) else {
            return;
        };
        match stored.place {
            StoredPlace::Event => self.sums.stored += 1,
            StoredPlace::Waiting => self.sums.waiting += 1,
            StoredPlace::Dead => self.sums.dead += 1,
        }
        let place = match stored.place {
            StoredPlace::Event => format!("event {}", stored.id),
            StoredPlace::Waiting | StoredPlace::Dead => format!("message {}", stored.id),
        };
        let Some(key) = &stored.key else {
            self.unparsed.insert((stored.ems.clone(), stored.sha256));
            if self
                .digests
                .get(&**ems)
                .is_none_or(|digests| !digests.contains(&stored.sha256))
            {
                self.made_up(place, found);
            }
            return;
        };
        let Some((key, entry)) = entries.get_key_value(key) else {
            return self.made_up(place, found);
        };
        if entry.sha256.is_some_and(|sent| sent != stored.sha256) {
            self.sums.changed += 1;
            let message = format!("is not what was sent under the key `{key}`");
            found(Finding::error("Changed", place.clone(), message, KEEP_BOTH));
        }
        // Several messages with one key may wait; the handler saves the first.
        let event = (stored.place == StoredPlace::Event).then_some(stored.id);
        let before = self.seen.entry((ems, key)).or_default();
        match (*before, event) {
            (Some(first), Some(_)) => {
                self.sums.duplicate += 1;
                let message = format!("has the key `{key}` of event {first}: it was saved twice");
                found(Finding::error("SavedTwice", place, message, KEEP_BOTH));
            }
            (known, event) => *before = known.or(event),
        }
    }

    fn made_up(&mut self, place: String, found: &mut impl FnMut(Finding)) {
        self.sums.made_up += 1;
        let help = "a ledger has to list everything that was sent to the managers that it names";
        found(Finding::error(
            "NotSent",
            place,
            "is there, and the ledger does not know it",
            help,
        ));
    }

    fn end(mut self, found: &mut impl FnMut(Finding)) -> Sums {
        for (ems, entries) in &self.ledger.entries {
            let name: Arc<str> = Arc::from(&**ems);
            self.sums.sent += entries.len();
            for (key, entry) in entries.iter().filter(|(_, entry)| entry.is_answered) {
                self.sums.answered += 1;
                let is_there = self.seen.contains_key(&(&**ems, &**key));
                let is_unparsed = || {
                    entry
                        .sha256
                        .is_some_and(|digest| self.unparsed.contains(&(name.clone(), digest)))
                };
                if !is_there && !is_unparsed() {
                    self.sums.lost += 1;
                    let place = format!("key `{key}` of {ems}");
                    let help = "no wonder where settings or its parser filter it, or it was purged or discarded; else keep the ledger and a copy of the database, and report it";
                    found(Finding::error(
                        "Lost",
                        place,
                        "was accepted, and is not there",
                        help,
                    ));
                }
            }
        }
        self.sums
    }
}
