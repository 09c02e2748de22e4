//! Flood control: beyond a rate, equal events of one resource are marked to be decided together. None is dropped.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use ahash::AHasher;
use ahash::HashMap;
use parking_lot::Mutex;
use sha2::Digest;
use sha2::Sha256;

use crate::model::clock::SignedDuration;
use crate::model::clock::Timestamp;
use crate::model::ems::Ems;
use crate::model::ems::EmsId;
use crate::model::event::EventHash;
use crate::model::flood::Mark;
use crate::model::json;
use crate::model::metric::Sample;
use crate::model::value::Value;
use crate::model::written_time;
use crate::settings::ActiveSettings;

/// So long marked events gather before they are decided.
const GATHER: SignedDuration = SignedDuration::from_secs(1);
/// The span that the rate is told for.
const MINUTE: Duration = Duration::from_secs(60);
/// So many kinds of events are watched at once; of a storm of ever new kinds the rest passes unmarked.
const MOST_KEYS: usize = 65_536;
/// So often those that are within their rate again are forgotten, while there are too many.
const SWEEP: SignedDuration = SignedDuration::from_secs(1);

/// So many events at least are known again. Polls overlap, and what comes again is no more of a flood.
const MOST_KNOWN: usize = 65_536;

/// Attributes that are new with each event.
const NEW_ATTRIBUTES: [&str; 3] = ["message", "chain_id", "cloud_event"];
/// Places of native events that are new each time, besides times and the event's own names (C23 and its like).
const NEW_PLACES: [&str; 10] = [
    "/id",
    "/key",
    "/chainId",
    "/info/key",
    "/info/task",
    "/info/eventChainId",
    "/requestID",
    "/eventID",
    "/detail/requestID",
    "/detail/eventID",
];

/// What is equal: a digest of manager, type and attributes.
type Key = (EmsId, u64);

/// The rate of each kind of event.
#[derive(Debug)]
pub(crate) struct FloodMonitor {
    settings: ActiveSettings,
    watched: Mutex<Watched>,
    folded: Mutex<BTreeMap<Arc<str>, u64>>,
}

#[derive(Debug, Default)]
struct Watched {
    buckets: HashMap<Key, Bucket>,
    /// When the full ones were taken out last.
    swept: Option<Timestamp>,
    known: Known,
}

/// The events that were counted last, by the digests of their keys, and whether each was one too many.
#[derive(Debug, Default)]
struct Known {
    /// At most [`MOST_KNOWN`].
    latest: HashMap<u64, bool>,
    /// Those before them.
    before: HashMap<u64, bool>,
}

/// What there is to say of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is within the rate.
    Passes,
    /// It waits until then for its like.
    Gathers(Timestamp),
    /// It did before, and came again.
    GathersStill(Timestamp),
}

/// A token for each event that may still pass; they come back evenly, so no slot of time lets a burst through (C22).
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
    gathers_until: Timestamp,
}

impl FloodMonitor {
    pub(crate) fn new(settings: ActiveSettings) -> Self {
        Self {
            settings,
            watched: Mutex::default(),
            folded: Mutex::default(),
        }
    }

    /// Counts an event, and marks it where there are too many like it.
    pub(crate) fn watch(&self, ems: &Ems, hash: &mut EventHash, now: Timestamp) {
        let settings = self.settings.take();
        let settings = settings.catcher(&ems.provider);
        // What names no object could be about anything, so it is equal to nothing.
        let names_something = hash
            .attributes
            .keys()
            .any(|key| key.ends_with("_ems_ref") || key.ends_with("_uid_ems"));
        if !settings.flooding_monitor_enabled || !names_something {
            return;
        }
        let rate = u32::try_from(settings.flooding_events_per_minute).unwrap_or(u32::MAX);
        let until = match self.verdict(key(ems.id, hash), own(ems.id, hash), f64::from(rate), now) {
            Verdict::Passes => return,
            Verdict::Gathers(until) => {
                *self.folded.lock().entry(ems.name.clone()).or_default() += 1;
                until
            }
            Verdict::GathersStill(until) => until,
        };
        let digest = digest(hash);
        let digest = &digest;
        Mark { until, digest }.put_on(hash);
    }

    /// What there is to say of the event `own`, which is like all those with the same key.
    fn verdict(&self, key: Key, own: u64, rate: f64, now: Timestamp) -> Verdict {
        let mut watched = self.watched.lock();
        let Watched {
            buckets,
            swept,
            known,
        } = &mut *watched;
        if let Some(was_over) = known.get(own) {
            // Its like may still gather, and it has to be found among them.
            let until = buckets.get(&key).map(|bucket| bucket.gathers_until);
            let until = until.filter(|until| was_over && now < *until && *until <= gathered_from(now));
            return until.map_or(Verdict::Passes, Verdict::GathersStill);
        }
        if MOST_KEYS <= buckets.len() && !buckets.contains_key(&key) {
            // Looking at all of them for each event of a storm would cost more than the storm.
            if swept.is_none_or(|swept| SWEEP <= now.duration_since(swept).abs()) {
                *swept = Some(now);
                buckets.retain(|_, bucket| !bucket.is_full(rate, now));
            }
            if MOST_KEYS <= buckets.len() {
                return Verdict::Passes;
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket {
            tokens: rate,
            at: now,
            gathers_until: now,
        });
        bucket.tokens = bucket.refilled(rate, now);
        bucket.at = now;
        let is_over = bucket.tokens < 1.0;
        known.add(own, is_over);
        if !is_over {
            bucket.tokens -= 1.0;
            return Verdict::Passes;
        }
        // What they gather until may lie far off where the clock was set back.
        let gathered = gathered_from(now);
        if !(now < bucket.gathers_until && bucket.gathers_until <= gathered) {
            bucket.gathers_until = gathered;
        }
        Verdict::Gathers(bucket.gathers_until)
    }

    /// How many events were marked.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let folded = self.folded.lock();
        let help = "Events beyond the rate, which are saved and decided together with their like.";
        let sample = |(ems, count): (&Arc<str>, &u64)| {
            Sample::counter("switchboard_events_folded_total", help, *count).label("ems", ems.clone())
        };
        folded.iter().map(sample).collect()
    }
}

impl Known {
    /// Whether an event was one too many when it was counted; none where it was not, or too long ago.
    fn get(&self, own: u64) -> Option<bool> {
        self.latest.get(&own).or_else(|| self.before.get(&own)).copied()
    }

    fn add(&mut self, own: u64, is_over: bool) {
        if MOST_KNOWN <= self.latest.len() {
            std::mem::swap(&mut self.latest, &mut self.before);
            self.latest.clear();
        }
        self.latest.insert(own, is_over);
    }
}

/// Until when the like of an event that came now gather.
fn gathered_from(now: Timestamp) -> Timestamp {
    now.saturating_add(GATHER).unwrap_or(now)
}

impl Bucket {
    fn refilled(&self, rate: f64, now: Timestamp) -> f64 {
        // A clock that went back brings no tokens and takes none.
        let passed = now.duration_since(self.at).as_secs_f64().max(0.0);
        (self.tokens + passed * rate / MINUTE.as_secs_f64()).min(rate)
    }

    fn is_full(&self, rate: f64, now: Timestamp) -> bool {
        rate <= self.refilled(rate, now)
    }
}

fn key(ems_id: EmsId, hash: &EventHash) -> Key {
    let mut hasher = AHasher::default();
    hash.event_type.hash(&mut hasher);
    for (key, value) in attributes(hash) {
        key.hash(&mut hasher);
        value.to_string().hash(&mut hasher);
    }
    (ems_id, hasher.finish())
}

/// The digest of the key by which an event is known when it comes again.
fn own(ems_id: EmsId, hash: &EventHash) -> u64 {
    let given = hash
        .event_key
        .as_ref()
        .map(|key| &*key.0)
        .filter(|key| !key.is_empty());
    let given = given.or_else(|| hash.ems_ref.as_deref().filter(|reference| !reference.is_empty()));
    let mut hasher = AHasher::default();
    (ems_id, given.unwrap_or(hash.full_data.text())).hash(&mut hasher);
    hasher.finish()
}

/// What an event says of its objects.
fn attributes(hash: &EventHash) -> impl Iterator<Item = (&Arc<str>, &Value)> {
    let is_new = |key: &str| NEW_ATTRIBUTES.contains(&key);
    hash.attributes.iter().filter(move |(key, _)| !is_new(key))
}

/// Equal for events that differ in nothing but what is new each time: the whole of the native event counts, for the
/// rules look into it. Kept with the event, so it is the same from process to process.
fn digest(hash: &EventHash) -> String {
    let mut native: json::Value = json::read(hash.full_data.text()).unwrap_or_default();
    for path in NEW_PLACES {
        if let Some(place) = native.pointer_mut(path) {
            *place = json::Value::Null;
        }
    }
    let key = hash.event_key.as_ref().map(|key| &*key.0);
    forget(&mut native, &[key, hash.ems_ref.as_deref()]);
    let attributes: Vec<String> = attributes(hash)
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let digest = Sha256::digest(format!("{native}{attributes:?}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Takes out times, and the names of the event itself.
fn forget(value: &mut json::Value, names: &[Option<&str>]) {
    match value {
        json::Value::String(text) if names.contains(&Some(text)) || written_time::dated(text).is_some() => {
            *value = json::Value::Null;
        }
        json::Value::Array(items) => items.iter_mut().for_each(|item| forget(item, names)),
        json::Value::Object(map) => map.values_mut().for_each(|item| forget(item, names)),
        _other => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn c21_c22_a_burst_passes_up_to_the_rate_and_the_rest_gathers() {
        let monitor = FloodMonitor::new(ActiveSettings::new(Settings::default()));
        let begin: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let at = |seconds| begin.saturating_add(SignedDuration::from_secs(seconds)).unwrap();
        let mut own = 0;
        let mut over = |seconds, key| {
            own += 1;
            match monitor.verdict((EmsId(1), key), own, 30.0, at(seconds)) {
                Verdict::Passes => None,
                Verdict::Gathers(until) => Some(until),
                again @ Verdict::GathersStill(_) => panic!("{again:?}"),
            }
        };
        assert!((0..30).all(|_| over(0, 1).is_none()));
        assert_eq!([over(0, 1), over(0, 1)], [Some(at(1)), Some(at(1))]);
        // Another kind has a rate of its own.
        assert_eq!(over(1, 2), None);
        // Every two seconds one may pass again.
        assert_eq!([over(4, 1), over(4, 1), over(4, 1)], [None, None, Some(at(5))]);
        assert_eq!(over(5, 1), Some(at(6)));
        // A minute later all is forgotten; a clock that goes back changes nothing.
        assert_eq!(over(65, 1), None);
        assert_eq!(over(3, 1), None);
        assert!((0..28).all(|_| over(3, 1).is_none()));
        assert_eq!(over(3, 1), Some(at(4)));
        // S36: set back by an hour while events gather, they do not gather for an hour.
        assert_eq!(over(3 - 3600, 1), Some(at(4 - 3600)));
    }
    #[test]
    fn what_comes_again_is_counted_once() {
        let monitor = FloodMonitor::new(ActiveSettings::new(Settings::default()));
        let begin: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let at = |seconds| begin.saturating_add(SignedDuration::from_secs(seconds)).unwrap();
        let verdict = |seconds, own| monitor.verdict((EmsId(1), 1), own, 30.0, at(seconds));
        // Three events, read again for a minute and more, and then a new one.
        for second in 0..90 {
            assert!(
                (0..3).all(|own| verdict(second, own) == Verdict::Passes),
                "{second}"
            );
        }
        assert_eq!(verdict(90, 3), Verdict::Passes);
        // A flood is one, and while it gathers each of it stays in it, however often it comes.
        assert!((4..33).all(|own| verdict(90, own) == Verdict::Passes));
        assert_eq!(verdict(90, 33), Verdict::Gathers(at(91)));
        assert_eq!(verdict(90, 33), Verdict::GathersStill(at(91)));
        assert_eq!(verdict(90, 32), Verdict::Passes);
        assert_eq!(verdict(91, 33), Verdict::Passes);
        // Those that were forgotten are as good as new.
        let after = 100 + 2 * MOST_KNOWN as u64;
        for own in 100..after {
            let _counted = verdict(95, own);
        }
        assert_eq!(verdict(95, 33), Verdict::Gathers(at(96)));
        assert_eq!(verdict(95, after - 1), Verdict::GathersStill(at(96)));
    }
}
