//! The durable queue against a plain list: random put, take, commit, failure, retry, discard, crash, full
//! disk.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use proptest::collection;
use proptest::prelude::*;
use switchboard::model::clock::SignedDuration;
use switchboard::model::clock::Timestamp;
use switchboard::model::delivery::Delivery;
use switchboard::model::ems::Ems;
use switchboard::model::event::EventId;
use switchboard::vmdb::Committed;
use switchboard::vmdb::DatabaseUrl;
use switchboard::vmdb::Handled;
use switchboard::vmdb::Message;
use switchboard::vmdb::MessageId;
use switchboard::vmdb::MessageState;
use switchboard::vmdb::Outcome;
use switchboard::vmdb::PutOutcome;
use switchboard::vmdb::QueueFilter;
use switchboard::vmdb::Request;
use switchboard::vmdb::Tally;
use switchboard::vmdb::Vmdb;
use switchboard::vmdb::VmdbError;
use switchboard::vmdb::Work;

use crate::support::Database;
use crate::support::add;
use crate::support::add_ems;
use crate::support::event;
use crate::support::expect_sound;
use crate::support::have_trouble;
use crate::support::left_by_a_crash;
use crate::support::saved;

#[derive(Clone, Debug)]
enum Step {
    /// Events by key and lane; keys repeat, and each is of one manager.
    Put(Vec<(u8, u8)>),
    /// At most so many.
    Take(usize),
    /// The oldest batch in hand: what becomes of its messages, over and over.
    Commit(Vec<Fate>),
    /// The oldest batch in hand goes back.
    GiveBack,
    /// Seconds pass.
    Pass(u8),
    /// Everything parked is tried again.
    RetryParked,
    /// The message of this place in the queue is discarded.
    Discard(usize),
    /// The process is gone; another one goes on with what is on the disk.
    Crash,
    /// The disk is full, or has room again.
    Full(bool),
    /// The disk fails at the next thing that is written.
    Broken,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Saved,
    Later(u8),
    GivenUp,
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![
        6 => Just(Fate::Saved),
        1 => (1_u8..5).prop_map(Fate::Later),
        1 => Just(Fate::GivenUp),
    ];
    prop_oneof![
        5 => collection::vec((0_u8..40, 0_u8..5), 1..8).prop_map(Step::Put),
        5 => (1_usize..8).prop_map(Step::Take),
        5 => collection::vec(fate, 1..4).prop_map(Step::Commit),
        1 => Just(Step::GiveBack),
        1 => (1_u8..5).prop_map(Step::Pass),
        1 => Just(Step::RetryParked),
        2 => (0_usize..9).prop_map(Step::Discard),
        1 => Just(Step::Crash),
        1 => any::<bool>().prop_map(Step::Full),
        2 => Just(Step::Broken),
    ]
}

#[derive(Clone, Debug)]
struct Row {
    key: u8,
    lane: Lane,
    state: MessageState,
    due: Timestamp,
    /// How often the process ended with it in hand: then it is taken alone, and only twice.
    crashes: u8,
}

/// How many managers there are.
const MANAGERS: u8 = 3;

/// Whose a message is, and its lane there; 0 is no lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lane {
    manager: u8,
    number: u8,
}

impl Lane {
    fn of(key: u8, number: u8) -> Self {
        let manager = key % MANAGERS;
        Self { manager, number }
    }

    fn is_none(self) -> bool {
        self.number == 0
    }
}

/// The plain list.
struct Model {
    rows: BTreeMap<i64, Row>,
    /// Of every message there ever was.
    lanes: BTreeMap<i64, Lane>,
    events: BTreeMap<u8, i64>,
    in_hand: Vec<Vec<i64>>,
    /// The one in hand that may have ended the process once.
    suspect: Option<i64>,
    /// The manager whose turn is next.
    turn: u8,
    /// Whether something was given back since the last batch was taken.
    has_given_back: bool,
    now: Timestamp,
}

impl Model {
    fn is_in_hand(&self, id: i64) -> bool {
        self.in_hand.iter().flatten().any(|one| *one == id)
    }

    /// What may be taken of each manager: in order, nothing in a lane behind what is in hand, or has failed, and
    /// nothing behind a suspect.
    fn free(&self) -> Vec<VecDeque<i64>> {
        // A message that was discarded while it was in hand is in hand still.
        let in_hand = self.in_hand.iter().flatten();
        let mut stopped: BTreeSet<Lane> = in_hand
            .filter(|id| !self.rows.contains_key(id))
            .map(|id| self.lanes[id])
            .collect();
        let mut free = vec![VecDeque::new(); MANAGERS.into()];
        let mut has_suspect = BTreeSet::new();
        for (id, row) in &self.rows {
            let is_due = match row.state {
                MessageState::Ready => true,
                MessageState::Waiting => row.due <= self.now,
                MessageState::Taken | MessageState::Parked | MessageState::Dead => false,
            };
            let is_free =
                is_due && !self.is_in_hand(*id) && (row.lane.is_none() || !stopped.contains(&row.lane));
            if is_free && !has_suspect.contains(&row.lane.manager) {
                free[usize::from(row.lane.manager)].push_back(*id);
                if row.crashes > 0 {
                    has_suspect.insert(row.lane.manager);
                }
            }
            // Of one that failed it is not known yet whether it will be handled now.
            if row.state != MessageState::Dead && !(is_free && row.state == MessageState::Ready) {
                stopped.insert(row.lane);
            }
        }
        free
    }

    /// What is taken: of each manager in turn one, until it is enough. A suspect comes alone, once it is the first.
    fn take(&mut self, most: usize) -> Vec<i64> {
        let mut in_hand = self.in_hand.iter().flatten();
        if self
            .suspect
            .is_some_and(|suspect| in_hand.any(|id| *id == suspect))
        {
            return Vec::new();
        }
        self.suspect = None;
        let mut free = self.free();
        let in_turn = |round: usize| (round + usize::from(self.turn)) % usize::from(MANAGERS);
        let mut chosen: Vec<i64> = (0..usize::from(MANAGERS) * self.rows.len())
            .filter_map(|round| free[in_turn(round)].pop_front())
            .take(most)
            .collect();
        let is_suspect = |id: &i64| self.rows[id].crashes > 0;
        let suspect = chosen.iter().copied().find(is_suspect);
        if suspect.is_some() && suspect == chosen.first().copied() {
            if !self.in_hand.is_empty() {
                return Vec::new();
            }
            chosen.truncate(1);
            self.suspect = suspect;
        } else {
            chosen.retain(|id| !is_suspect(id));
        }
        let Some(last) = chosen.last() else {
            return Vec::new();
        };
        self.turn = match suspect {
            Some(suspect) if self.suspect.is_none() => self.lanes[&suspect].manager,
            _ => self.lanes[last].manager + 1,
        };
        self.has_given_back = false;
        self.in_hand.push(chosen.clone());
        chosen
    }

    /// The turns go on with the first that was not handled.
    fn give_back(&mut self, first: i64) {
        if !self.has_given_back {
            self.turn = self.lanes[&first].manager;
            self.has_given_back = true;
        }
    }

    fn put(&mut self, id: i64, key: u8, lane: Lane) -> PutOutcome {
        if let Some(known) = self.events.get(&key) {
            return PutOutcome::Duplicate(EventId(*known));
        }
        let row = Row {
            key,
            lane,
            state: MessageState::Ready,
            due: self.now,
            crashes: 0,
        };
        self.rows.insert(id, row);
        self.lanes.insert(id, lane);
        PutOutcome::Queued(MessageId(id))
    }

    fn commit(&mut self, ids: &[i64], fates: &[Fate]) -> Vec<Committed> {
        let mut stopped = BTreeSet::new();
        let mut committed = Vec::new();
        for (id, fate) in ids.iter().zip(fates) {
            if stopped.contains(&self.lanes[id]) {
                committed.push(Committed::Held);
                continue;
            }
            let Some(row) = self.rows.get_mut(id) else {
                committed.push(Committed::Lost);
                continue;
            };
            committed.push(match fate {
                Fate::Saved => {
                    let key = row.key;
                    self.rows.remove(id);
                    match self.events.get(&key) {
                        Some(known) => Committed::Duplicate(EventId(*known)),
                        None => {
                            self.events.insert(key, *id);
                            Committed::Saved(EventId(*id))
                        }
                    }
                }
                Fate::Later(seconds) => {
                    row.state = MessageState::Waiting;
                    row.due = self.now + SignedDuration::from_secs((*seconds).into());
                    if !row.lane.is_none() {
                        stopped.insert(row.lane);
                    }
                    Committed::Waiting
                }
                Fate::GivenUp if row.lane.is_none() => {
                    row.state = MessageState::Dead;
                    Committed::GivenUp
                }
                Fate::GivenUp => {
                    row.state = MessageState::Parked;
                    stopped.insert(row.lane);
                    Committed::GivenUp
                }
            });
        }
        committed
    }
}

impl Model {
    /// What was in hand is tried once more, or given up.
    fn crash(&mut self) {
        (self.turn, self.has_given_back) = (0, false);
        for id in self.in_hand.drain(..).flatten() {
            let Some(row) = self.rows.get_mut(&id) else {
                continue;
            };
            row.crashes += 1;
            row.due = self.now;
            row.state = match (row.crashes, row.lane.is_none()) {
                (1, _) => MessageState::Waiting,
                (_, true) => MessageState::Dead,
                _in_a_lane => MessageState::Parked,
            };
        }
    }
}

struct Run {
    database: Database,
    managers: Vec<Arc<Ems>>,
    in_hand: Vec<Vec<Message>>,
    model: Model,
    path: PathBuf,
    crashes: usize,
    is_full: bool,
    is_broken: bool,
}

impl Run {
    fn new() -> Self {
        let database = Database::new();
        let managers = (0..MANAGERS).map(|number| add_ems(&database.vmdb, &format!("cloud-{number}")));
        Self {
            managers: managers.collect(),
            in_hand: Vec::new(),
            model: Model {
                rows: BTreeMap::new(),
                lanes: BTreeMap::new(),
                events: BTreeMap::new(),
                in_hand: Vec::new(),
                suspect: None,
                turn: 0,
                has_given_back: false,
                now: database.clock.now(),
            },
            path: database.folder.path().join("test.db"),
            database,
            crashes: 0,
            is_full: false,
            is_broken: false,
        }
    }

    fn vmdb(&self) -> &Vmdb {
        &self.database.vmdb
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Put(events) => {
                let hash = |(key, lane): &(u8, u8)| {
                    let mut hash = event(&format!("k{key}"), &format!("vm-{lane}"));
                    if *lane == 0 {
                        hash.attributes.clear();
                    }
                    add(&self.managers[usize::from(key % MANAGERS)], hash)
                };
                let put = self.vmdb().put(events.iter().map(hash).collect::<Vec<_>>());
                let Some(outcomes) = self.done(put) else { return };
                // Of one key the first of a put is queued.
                let mut first_of = BTreeMap::new();
                for ((key, lane), outcome) in events.iter().zip(outcomes) {
                    if let Some(first) = first_of.get(key) {
                        assert_eq!(outcome, PutOutcome::Duplicate(EventId(*first)));
                        continue;
                    }
                    let id = match outcome {
                        PutOutcome::Queued(id) => id.0,
                        PutOutcome::Duplicate(_) => 0,
                    };
                    assert!(!self.model.rows.contains_key(&id));
                    assert_eq!(outcome, self.model.put(id, *key, Lane::of(*key, *lane)));
                    if id > 0 {
                        first_of.insert(*key, id);
                    }
                }
            }
            Step::Take(most) => {
                let messages = self.vmdb().take(most, 1).unwrap();
                let ids: Vec<i64> = messages.iter().map(|message| message.ticket.id().0).collect();
                assert_eq!(ids, self.model.take(most));
                for message in &messages {
                    let Work::Add(hash) = &message.work else {
                        panic!("{message:?}")
                    };
                    let key = self.model.rows[&message.ticket.id().0].key;
                    assert_eq!(hash.event_key.as_ref().unwrap().0.as_ref(), format!("k{key}"));
                }
                if !messages.is_empty() {
                    self.in_hand.push(messages);
                }
            }
            Step::Commit(fates) if !self.in_hand.is_empty() => {
                let (messages, ids) = (self.in_hand.remove(0), self.model.in_hand.remove(0));
                let fates: Vec<Fate> = fates.into_iter().cycle().take(ids.len()).collect();
                let now = self.model.now;
                let outcomes = messages
                    .into_iter()
                    .zip(&fates)
                    .map(|(message, fate)| match fate {
                        Fate::Saved => saved(message, Delivery::default()),
                        Fate::Later(seconds) => {
                            failed(message, Some(now + SignedDuration::from_secs((*seconds).into())))
                        }
                        Fate::GivenUp => failed(message, None),
                    });
                // What cannot be committed goes back.
                let commit = self.vmdb().commit(outcomes.collect());
                if let Some(committed) = self.done(commit) {
                    assert_eq!(committed, self.model.commit(&ids, &fates));
                    let held = committed.iter().position(|one| *one == Committed::Held);
                    held.iter().for_each(|place| self.model.give_back(ids[*place]));
                } else {
                    self.model.give_back(ids[0]);
                }
            }
            Step::GiveBack if !self.in_hand.is_empty() => {
                self.in_hand.remove(0);
                let ids = self.model.in_hand.remove(0);
                self.model.give_back(ids[0]);
            }
            Step::Commit(_) | Step::GiveBack => {}
            Step::Pass(seconds) => {
                self.database
                    .clock
                    .advance(SignedDuration::from_secs(seconds.into()));
                self.model.now = self.database.clock.now();
            }
            Step::RetryParked => {
                let retry = self.vmdb().queue_retry_all(MessageState::Parked);
                if self.done(retry).is_none() {
                    return;
                }
                for row in self
                    .model
                    .rows
                    .values_mut()
                    .filter(|row| row.state == MessageState::Parked)
                {
                    (row.state, row.due, row.crashes) = (MessageState::Waiting, self.model.now, 0);
                }
            }
            Step::Discard(place) => {
                let Some(id) = self.model.rows.keys().nth(place).copied() else {
                    return;
                };
                let discard = self.vmdb().queue_discard(MessageId(id));
                if self.done(discard).is_some() {
                    self.model.rows.remove(&id);
                }
            }
            Step::Crash => self.crash(),
            Step::Full(is_full) => {
                self.is_full = is_full;
                self.have_trouble(if is_full {
                    "max_page_count = 1"
                } else {
                    "max_page_count = 1000000"
                });
            }
            Step::Broken => {
                self.is_broken = true;
                self.have_trouble("query_only = 1");
            }
        }
    }

    fn have_trouble(&self, pragma: &str) {
        // Where it has trouble already, it has that in place of this.
        drop(have_trouble(self.vmdb(), pragma));
    }

    /// What the database answers; nothing where it is full, and then nothing is done.
    fn done<T: Send + 'static>(&mut self, request: Request<T>) -> Option<T> {
        match request.wait() {
            Ok(done) => Some(done),
            Err(VmdbError::Full { .. }) if self.is_full => None,
            Err(VmdbError::Disk { .. } | VmdbError::Unavailable { .. }) if self.is_broken => {
                // The connection is made anew, and knows of no trouble.
                (self.is_broken, self.is_full) = (false, false);
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The files as they are, and as a process leaves them that is killed now, are opened elsewhere; the first one
    /// is never heard of again.
    fn crash(&mut self) {
        self.crashes += 1;
        let path = self
            .database
            .folder
            .path()
            .join(format!("after-{}.db", self.crashes));
        left_by_a_crash(&self.path, &path);
        self.in_hand.clear();
        self.model.crash();
        let url = DatabaseUrl::sqlite(&path);
        self.database.vmdb = Vmdb::open_to_serve(&url, self.database.clock.clone()).unwrap();
        self.path = path;
        (self.is_broken, self.is_full) = (false, false);
    }

    fn check(&self) {
        let listed = self.vmdb().queue_list(&QueueFilter::default()).unwrap();
        let listed: Vec<_> = listed.iter().map(|entry| (entry.id.0, entry.state)).collect();
        let expected = self
            .model
            .rows
            .iter()
            .map(|(id, row)| match self.model.is_in_hand(*id) {
                true => (*id, MessageState::Taken),
                false => (*id, row.state),
            });
        assert_eq!(listed, expected.collect::<Vec<_>>());
        let mut tally = Tally::default();
        self.vmdb()
            .tallies()
            .unwrap()
            .values()
            .for_each(|one| tally.add(one));
        let count = |rows: usize| i64::try_from(rows).unwrap();
        assert_eq!(
            tally.received,
            tally.accepted + tally.duplicate + tally.filtered + tally.refused
        );
        assert_eq!(
            tally.accepted,
            tally.delivered + tally.discarded + count(self.model.rows.len())
        );
        assert_eq!(tally.delivered, count(self.model.events.len()));
        let dead = self
            .model
            .rows
            .values()
            .filter(|row| row.state == MessageState::Dead);
        assert_eq!(tally.dead, count(dead.count()));
        assert_eq!(self.vmdb().event_count().unwrap(), self.model.events.len() as u64);
    }
}

fn failed(message: Message, retry_at: Option<Timestamp>) -> Outcome {
    Outcome {
        ticket: message.ticket,
        handled: Handled::Failed {
            error: "boom".to_owned(),
            rules_id: None,
            retry_at,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_is_a_plain_list_that_survives(steps in collection::vec(step(), 1..60)) {
        let mut run = Run::new();
        for step in steps {
            run.step(step);
            run.check();
        }
        expect_sound(&run.path);
    }
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points")]
fn what_could_not_be_discarded_is_on_the_queue_as_before() {
    let mut run = Run::new();
    // Taken once, so that it is known in memory.
    for step in [
        Step::Put(vec![(1, 0), (2, 0)]),
        Step::Take(1),
        Step::Broken,
        Step::Discard(1),
        Step::Take(8),
    ] {
        run.step(step);
        run.check();
    }
    assert_eq!(run.in_hand.len(), 2);
}
