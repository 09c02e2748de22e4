//! The counts of the timeline against counting by hand, and the lists that go with them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use switchboard::model::clock::SignedDuration;
use switchboard::model::clock::Timestamp;
use switchboard::model::delivery::Delivery;
use switchboard::model::ems::Ems;
use switchboard::model::event::EventId;
use switchboard::model::event_group::EventLevel;
use switchboard::model::event_group::GroupAndLevel;
use switchboard::model::event_outcome::EventOutcome;
use switchboard::model::value::Value;
use switchboard::vmdb::BucketStep;
use switchboard::vmdb::Buckets;
use switchboard::vmdb::Count;
use switchboard::vmdb::EventFilter;
use switchboard::vmdb::Handled;
use switchboard::vmdb::LanesBy;
use switchboard::vmdb::Retention;
use switchboard::vmdb::Vmdb;
use switchboard::vmdb::Work;

use crate::support::Database;
use crate::support::add;
use crate::support::add_ems;
use crate::support::event;
use crate::support::noon;
use crate::support::saved;

const GROUPS: [&str; 3] = ["addition", "power", "other"];
const LEVELS: [EventLevel; 3] = [EventLevel::Critical, EventLevel::Warning, EventLevel::Detail];

/// What is known of a saved event without the database.
#[derive(Clone, Debug)]
struct Known {
    id: EventId,
    ems: Arc<Ems>,
    time: Timestamp,
    event_type: String,
    group: &'static str,
    level: EventLevel,
    outcome: EventOutcome,
    vm: String,
    dest: Option<String>,
}

/// Saves random events; most happen within some hours, and some at the very same time.
fn saved_at_random(vmdb: &Vmdb, managers: &[Arc<Ems>], count: usize, random: &mut Rng) -> Vec<Known> {
    let mut known = Vec::new();
    for number in 0..count {
        let ems = &managers[random.usize(..managers.len())];
        let vm = format!("vm-{}", random.u8(..9));
        let dest = (random.u8(..4) == 0).then(|| format!("vm-{}", random.u8(..9)));
        let mut hash = event(&format!("k-{number}"), &vm);
        let group = GROUPS[random.usize(..GROUPS.len())];
        hash.event_type = format!("{group}.type_{}", random.u8(..3)).into();
        let seconds = random.i64(-3 * 3_600..3 * 3_600);
        let time = noon() + SignedDuration::from_millis(seconds * 1_000 + random.i64(0..3) * 500);
        hash.timestamp = Some(time);
        if let Some(dest) = &dest {
            let key = Arc::from("dest_vm_ems_ref");
            hash.attributes.insert(key, Value::text(dest.as_str()));
        }
        known.push(Known {
            id: EventId(0),
            ems: ems.clone(),
            time,
            event_type: hash.event_type.to_string(),
            group,
            level: LEVELS[random.usize(..LEVELS.len())],
            outcome: EventOutcome::ALL[random.usize(..EventOutcome::ALL.len())],
            vm,
            dest,
        });
        vmdb.put(vec![add(ems, hash)]).wait().unwrap();
    }
    let mut next = 0;
    while next < count {
        let messages = vmdb.take(64, 64).unwrap();
        let outcomes = messages.into_iter().map(|message| {
            let id = message.ticket.event_id();
            let Work::Add(hash) = &message.work else {
                panic!("{message:?}")
            };
            let key = hash.event_key.as_ref().unwrap().0.strip_prefix("k-").unwrap();
            let known = &mut known[key.parse::<usize>().unwrap()];
            known.id = id;
            let mut outcome = saved(message, Delivery::default());
            if let Handled::New { group, decided, .. } = &mut outcome.handled {
                *group = GroupAndLevel {
                    group: known.group.into(),
                    level: known.level,
                };
                decided.outcome = known.outcome;
            }
            next += 1;
            outcome
        });
        let outcomes: Vec<_> = outcomes.collect();
        vmdb.commit(outcomes).wait().unwrap();
    }
    known
}

fn wants(filter: &EventFilter, known: &Known) -> bool {
    let about = |key: &str| known.vm == key || known.dest.as_deref() == Some(key);
    filter.ems_id.is_none_or(|id| id == known.ems.id)
        && filter
            .event_type
            .as_ref()
            .is_none_or(|one| *one == known.event_type)
        && filter.group.as_ref().is_none_or(|one| one == known.group)
        && filter.level.is_none_or(|one| one == known.level)
        && filter.outcome.is_none_or(|one| one == known.outcome)
        && filter.from.is_none_or(|from| from <= known.time)
        && filter.to.is_none_or(|to| known.time < to)
        && filter.target.as_ref().is_none_or(|(_, key)| about(key))
        && filter
            .q
            .as_ref()
            .is_none_or(|q| known.event_type.contains(&q.to_lowercase()) || about(q))
}

/// A filter at random; its span begins and ends anywhere.
fn filter_at_random(managers: &[Arc<Ems>], random: &mut Rng) -> EventFilter {
    let mut maybe = |most: u8| random.u8(..most) == 0;
    let (ems, kind, group, level, outcome, target, q) = (
        maybe(4),
        maybe(6),
        maybe(4),
        maybe(4),
        maybe(4),
        maybe(5),
        maybe(4),
    );
    let at = |random: &mut Rng| noon() + SignedDuration::from_millis(random.i64(-12_000_000..12_000_000));
    let (a, b) = (at(random), at(random));
    let words = ["TYPE_1", "power", "vm-3", "vm-33", "%", "nothing"];
    EventFilter {
        ems_id: ems.then(|| managers[random.usize(..managers.len())].id),
        event_type: kind.then(|| format!("{}.type_1", GROUPS[random.usize(..3)])),
        group: group.then(|| GROUPS[random.usize(..3)].to_owned()),
        level: level.then(|| LEVELS[random.usize(..3)]),
        outcome: outcome.then(|| EventOutcome::ALL[random.usize(..6)]),
        target: target.then(|| ("vms".to_owned(), format!("vm-{}", random.u8(..9)))),
        q: q.then(|| words[random.usize(..words.len())].to_owned()),
        from: Some(a.min(b)),
        to: Some(a.max(b)),
        ..EventFilter::default()
    }
}

fn expect_counts(vmdb: &Vmdb, managers: &[Arc<Ems>], known: &[Known], random: &mut Rng) {
    let filter = filter_at_random(managers, random);
    let wanted: Vec<&Known> = known.iter().filter(|known| wants(&filter, known)).collect();
    let step = BucketStep::ALL[random.usize(..10)];
    let ahead = [0, 3_600, 19_800, -12_600][random.usize(..4)];
    let buckets = Buckets::cover(filter.from.unwrap(), filter.to.unwrap(), step, ahead);
    let counted = vmdb.events_counted(&filter, buckets, LanesBy::Group).unwrap();
    assert_eq!(counted.total, wanted.len() as u64, "{filter:?}");
    assert_eq!(vmdb.events_total(&filter).unwrap(), wanted.len() as u64);
    let mut lanes: BTreeMap<&str, Vec<Count>> = BTreeMap::new();
    let mut outcomes: BTreeMap<EventOutcome, u64> = BTreeMap::new();
    for known in &wanted {
        *outcomes.entry(known.outcome).or_default() += 1;
        let bars = lanes
            .entry(known.group)
            .or_insert_with(|| vec![Count::default(); buckets.count]);
        let second = known.time.as_microsecond().div_euclid(1_000_000);
        let bar = &mut bars[usize::try_from((second - buckets.first) / step.seconds()).unwrap()];
        match known.level {
            EventLevel::Critical => bar.critical += 1,
            EventLevel::Warning => bar.warning += 1,
            EventLevel::Detail => bar.detail += 1,
        }
        bar.failed += u64::from(known.outcome == EventOutcome::Failed);
    }
    let found = counted.lanes.iter().map(|lane| (&*lane.key, lane.bars.clone()));
    assert_eq!(
        found.collect::<BTreeMap<_, _>>(),
        lanes,
        "{filter:?} {step:?} {ahead}"
    );
    assert_eq!(counted.outcomes, outcomes);
    expect_pages(vmdb, &filter, wanted);
}

/// The pages of a list hold each event once, the last first.
fn expect_pages(vmdb: &Vmdb, filter: &EventFilter, mut wanted: Vec<&Known>) {
    wanted.sort_by_key(|known| std::cmp::Reverse((known.time, known.id)));
    let mut page = EventFilter {
        limit: Some(7),
        ..filter.clone()
    };
    let mut found = Vec::new();
    loop {
        let events = vmdb.events_list(&page).unwrap();
        found.extend(events.iter().map(|stored| stored.event.id.unwrap()));
        let Some(last) = events.last().filter(|_| events.len() == 7) else {
            break;
        };
        page.before = page.cursor(last);
    }
    let wanted: Vec<EventId> = wanted.iter().map(|known| known.id).collect();
    assert_eq!(found, wanted, "{filter:?}");
}

#[test]
fn counts_and_lists_are_what_counting_by_hand_finds() {
    let database = Database::new();
    let vmdb = &database.vmdb;
    let managers = [add_ems(vmdb, "first"), add_ems(vmdb, "second")];
    let mut random = Rng::with_seed(7);
    let mut known = saved_at_random(vmdb, &managers, 700, &mut random);
    for _ in 0..250 {
        expect_counts(vmdb, &managers, &known, &mut random);
    }
    // What is purged is in no count any more.
    let retention = Retention {
        keep_events: Duration::from_secs(3_600),
        keep_rows: Some(300),
        window: 50,
    };
    let mut purge = vmdb.purge_begin(&retention).unwrap().wait().unwrap();
    while !purge.is_done() {
        purge = vmdb.purge_window(purge).wait().unwrap();
    }
    let left: Vec<EventId> = vmdb
        .events_list(&EventFilter::default())
        .unwrap()
        .iter()
        .map(|stored| stored.event.id.unwrap())
        .collect();
    known.retain(|known| left.contains(&known.id));
    assert!((1..400).contains(&known.len()), "{}", known.len());
    for _ in 0..100 {
        expect_counts(vmdb, &managers, &known, &mut random);
    }
}

#[test]
fn a_managers_events_are_paged_in_the_order_of_time_whatever_their_numbers() {
    let database = Database::new();
    let vmdb = &database.vmdb;
    let managers = [add_ems(vmdb, "first"), add_ems(vmdb, "second")];
    let known = saved_at_random(vmdb, &managers, 200, &mut Rng::with_seed(5));
    let of_one = |target: Option<(String, String)>| EventFilter {
        ems_id: Some(managers[0].id),
        target,
        ..EventFilter::default()
    };
    for filter in [of_one(None), of_one(Some(("vms".to_owned(), "vm-3".to_owned())))] {
        let wanted: Vec<&Known> = known.iter().filter(|known| wants(&filter, known)).collect();
        assert!(wanted.len() > 7 && !wanted.is_sorted_by_key(|known| known.time));
        expect_pages(vmdb, &filter, wanted);
    }
}

#[test]
fn lanes_by_resource_have_every_event_of_theirs_where_it_is_the_destination_too() {
    // C116.
    let (database, ems) = Database::with_ems("cloud");
    let vmdb = &database.vmdb;
    let known = saved_at_random(vmdb, &[ems], 300, &mut Rng::with_seed(3));
    let filter = EventFilter {
        from: Some(noon() - SignedDuration::from_hours(4)),
        to: Some(noon() + SignedDuration::from_hours(4)),
        ..EventFilter::default()
    };
    let buckets = Buckets::cover(filter.from.unwrap(), filter.to.unwrap(), BucketStep::ALL[6], 0);
    let counted = vmdb.events_counted(&filter, buckets, LanesBy::Resource).unwrap();
    assert_eq!(counted.total, 300);
    assert_eq!(counted.lanes.len(), 9);
    for lane in &counted.lanes {
        let vm = lane.key.strip_prefix("vms:").unwrap();
        let about = known
            .iter()
            .filter(|known| known.vm == vm || known.dest.as_deref() == Some(vm));
        assert_eq!(lane.total.events(), about.count() as u64, "{vm}");
    }
}
