//! What the database is made to do: events come, are handled, fail, go on, are discarded; every request is noted
//! before it is sent and after it is answered.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use switchboard::model::clock::Clock;
use switchboard::model::clock::SignedDuration;
use switchboard::model::clock::Timestamp;
use switchboard::model::delivery::Delivery;
use switchboard::model::delivery::Retry;
use switchboard::model::delivery::RulesId;
use switchboard::model::ems::Ems;
use switchboard::model::event::EmsEvent;
use switchboard::model::event::EventClass;
use switchboard::model::event::EventHash;
use switchboard::model::event::EventKey;
use switchboard::model::event::FullData;
use switchboard::model::event_group::EventLevel;
use switchboard::model::event_group::GroupAndLevel;
use switchboard::model::event_outcome::EventOutcome;
use switchboard::model::target::ManagerRef;
use switchboard::model::target::Target;
use switchboard::model::value::Value;
use switchboard::vmdb::Cursor;
use switchboard::vmdb::DatabaseUrl;
use switchboard::vmdb::Decided;
use switchboard::vmdb::Filtered;
use switchboard::vmdb::Handled;
use switchboard::vmdb::Message;
use switchboard::vmdb::NewEffect;
use switchboard::vmdb::NewEms;
use switchboard::vmdb::NewMessage;
use switchboard::vmdb::NewRetry;
use switchboard::vmdb::Outcome;
use switchboard::vmdb::Put;
use switchboard::vmdb::PutOutcome;
use switchboard::vmdb::RefreshRequest;
use switchboard::vmdb::Vmdb;
use switchboard::vmdb::VmdbError;
use switchboard::vmdb::Work;

use crate::ledger::Asked;
use crate::ledger::Fate;
use crate::ledger::Note;
use crate::ledger::Number;
use crate::ledger::effects_of;
use crate::ledger::full_data;
use crate::ledger::goes_on;
use crate::ledger::target_of;
use crate::random::Random;

/// The name of the database in its folder.
pub const NAME: &str = "test.db";
const STREAMS: [&str; 3] = ["poll", "events.log", "push"];

/// The time at which work begins.
///
/// # Panics
/// Never.
pub fn noon() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().expect("a time")
}

/// Opens the database in this folder as the one process that serves it.
pub fn open(folder: &Path, clock: &Clock) -> Result<Vmdb, VmdbError> {
    Vmdb::open_to_serve(&DatabaseUrl::sqlite(folder.join(NAME)), clock.clone())
}

/// An event.
pub fn event(ems: &Ems, number: Number) -> NewMessage {
    // What fails is in no lane, so that nothing has to wait behind it.
    let attributes = match fails(number) {
        true => BTreeMap::new(),
        false => BTreeMap::from([(Arc::from("vm_ems_ref"), Value::text(format!("vm-{}", number % 7)))]),
    };
    NewMessage::Add {
        ems_id: ems.id,
        hash: EventHash {
            event_type: "com.awesomecloud.vm.create".into(),
            source: "AWESOME_CLOUD".into(),
            event_key: Some(EventKey(format!("k{number}").into())),
            ems_ref: None,
            timestamp: Some(noon()),
            attributes,
            full_data: FullData::new(full_data(number)),
        },
        received_at: noon(),
    }
}

fn fails(number: Number) -> bool {
    matches!(number % 10, 6 | 7)
}

/// The one who works.
pub struct Worker<'a> {
    /// None only while it begins again.
    vmdb: Option<Vmdb>,
    ems: Arc<Ems>,
    clock: Clock,
    random: Random,
    tell: &'a dyn Fn(Note),
    n_requests: usize,
    n_refused: usize,
    next: Number,
    saved: Vec<Number>,
    ready: Vec<(Number, switchboard::vmdb::MessageId)>,
    positions: [u32; STREAMS.len()],
}

impl<'a> Worker<'a> {
    /// Opens a new database in this folder, with a manager in it.
    pub fn start(folder: &Path, seed: u64, tell: &'a dyn Fn(Note)) -> Result<Self, VmdbError> {
        let clock = Clock::manual(noon());
        tell(Note::Opens);
        let vmdb = open(folder, &clock)?;
        tell(Note::IsOpen);
        tell(Note::Asked(0, Asked::Ems("cloud".to_owned())));
        let new = NewEms {
            name: "cloud".to_owned(),
            provider: "awesome_cloud".to_owned(),
            ..NewEms::default()
        };
        let added = vmdb.ems_add(new).wait();
        tell(if added.is_ok() {
            Note::Kept(0)
        } else {
            Note::Refused(0)
        });
        Ok(Self {
            vmdb: Some(vmdb),
            ems: Arc::new(added?),
            clock,
            random: Random::new(seed),
            tell,
            n_requests: 1,
            n_refused: 0,
            next: 0,
            saved: Vec::new(),
            ready: Vec::new(),
            positions: [0; STREAMS.len()],
        })
    }

    /// How many requests were refused until now.
    pub fn n_refused(&self) -> usize {
        self.n_refused
    }

    /// The database.
    ///
    /// # Panics
    /// After it could not begin again.
    pub fn vmdb(&self) -> &Vmdb {
        self.vmdb.as_ref().expect("a database")
    }

    /// Events come by several streams at once, some of them for the second time; then some are handled.
    pub fn round(&mut self) {
        self.clock.advance(SignedDuration::from_secs(2));
        self.put();
        if self.random.percent(30) {
            self.refresh();
        }
        if self.random.percent(30) {
            self.discard();
        }
        let most = 1 + self.random.below(40);
        self.handle(most);
    }

    /// Handles until there is nothing left to handle; says how many rounds that took, at most so many.
    pub fn drain(&mut self, at_most: usize) -> usize {
        for round in 0..at_most {
            self.clock.advance(SignedDuration::from_secs(2));
            if self.handle(usize::MAX / 2) == 0 {
                return round;
            }
        }
        at_most
    }

    /// Ends the database in order.
    pub fn end(mut self) {
        self.vmdb.take().into_iter().for_each(Vmdb::close);
    }

    /// Ends the database in order and begins again with it.
    pub fn begin_again(&mut self, folder: &Path) -> Result<(), VmdbError> {
        self.vmdb.take().into_iter().for_each(Vmdb::close);
        (self.tell)(Note::Opens);
        self.vmdb = Some(open(folder, &self.clock)?);
        (self.tell)(Note::IsOpen);
        Ok(())
    }

    fn ask(&mut self, asked: Asked) -> usize {
        let id = self.n_requests;
        self.n_requests += 1;
        (self.tell)(Note::Asked(id, asked));
        id
    }

    fn answered<T>(&mut self, id: usize, answer: Result<T, VmdbError>) -> Option<T> {
        (self.tell)(if answer.is_ok() {
            Note::Kept(id)
        } else {
            Note::Refused(id)
        });
        self.n_refused += usize::from(answer.is_err());
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                assert!(error.is_temporary(), "refused for good: {error:?}");
                None
            }
        }
    }

    fn put(&mut self) {
        let mut pending = Vec::new();
        for (place, stream) in STREAMS.into_iter().enumerate() {
            if !self.random.percent(70) {
                continue;
            }
            let mut numbers: Vec<Number> = Vec::new();
            for _ in 0..1 + self.random.below(8) {
                numbers.push(self.next);
                self.next += 1;
            }
            if let Some(known) = (!self.saved.is_empty()).then(|| self.random.below(self.saved.len())) {
                numbers.push(self.saved[known]);
            }
            self.positions[place] += 1;
            let position = self.positions[place];
            let filtered = self.random.below(3) as i64;
            let put = Put {
                messages: numbers.iter().map(|number| event(&self.ems, *number)).collect(),
                cursor: Some(Cursor {
                    ems_id: self.ems.id,
                    stream: stream.to_owned(),
                    position: json!(position).into(),
                }),
                filtered: vec![Filtered {
                    ems_id: self.ems.id,
                    filtered,
                    refused: 0,
                }],
                ..Put::default()
            };
            let id = self.ask(Asked::Put {
                numbers: numbers.clone(),
                stream: stream.to_owned(),
                position,
                filtered,
            });
            pending.push((id, numbers, self.vmdb().put(put).submit()));
        }
        for (id, numbers, pending) in pending {
            let answer = pending.and_then(switchboard::vmdb::Pending::wait);
            for (number, outcome) in numbers
                .into_iter()
                .zip(self.answered(id, answer).unwrap_or_default())
            {
                match outcome {
                    PutOutcome::Queued(message) => self.ready.push((number, message)),
                    PutOutcome::Duplicate(_) => assert!(self.saved.contains(&number), "{number} is new"),
                }
            }
        }
    }

    fn refresh(&mut self) {
        let target = self.random.below(5) as u32;
        let id = self.ask(Asked::Refresh(target));
        let answer = self.vmdb().queue_refresh(&self.wanted(target)).wait();
        self.answered(id, answer);
    }

    fn wanted(&self, target: u32) -> RefreshRequest {
        RefreshRequest {
            ems_id: self.ems.id,
            targets: vec![Target::new("vms", ManagerRef::ems_ref(target.to_string()))],
            full: None,
        }
    }

    fn discard(&mut self) {
        if self.ready.is_empty() {
            return;
        }
        let place = self.random.below(self.ready.len());
        let (number, message) = self.ready[place];
        let id = self.ask(Asked::Discard(number));
        let answer = self.vmdb().queue_discard(message).wait();
        if self.answered(id, answer).is_some() {
            self.ready.remove(place);
        }
    }

    /// Says how many messages there were.
    fn handle(&mut self, most: usize) -> usize {
        let messages = match self.vmdb().take(most, 1) {
            Ok(messages) => messages,
            Err(error) => {
                assert!(error.is_temporary(), "refused for good: {error:?}");
                return 0;
            }
        };
        if messages.is_empty() {
            return 0;
        }
        let (fates, outcomes): (Vec<_>, Vec<_>) =
            messages.into_iter().map(|message| self.outcome(message)).unzip();
        let count = fates.len();
        let id = self.ask(Asked::Commit(fates.clone()));
        let answer = self.vmdb().commit(outcomes).wait();
        if self.answered(id, answer).is_some() {
            for (number, fate) in fates {
                if fate == Fate::Saved {
                    self.saved.push(number);
                }
                if matches!(fate, Fate::Saved | Fate::Ignored) {
                    self.ready.retain(|(other, _)| *other != number);
                }
            }
        }
        count
    }

    fn outcome(&self, message: Message) -> ((Number, Fate), Outcome) {
        let number_of = |hash: &EventHash| -> Number {
            let key = hash.event_key.as_ref().expect("a key");
            key.0.trim_start_matches('k').parse().expect("a number")
        };
        let (number, fate, handled) = match message.work {
            Work::Add(hash) => {
                let number = number_of(&hash);
                let failed = |retry_at| Handled::Failed {
                    error: "boom".to_owned(),
                    rules_id: Some(RulesId(7)),
                    retry_at,
                };
                match (number % 10, message.attempts) {
                    (6, 0) => {
                        let soon = self.clock.now() + SignedDuration::from_secs(1);
                        (number, Fate::Later, failed(Some(soon)))
                    }
                    (7, _) => (number, Fate::GivenUp, failed(None)),
                    (8, _) => (number, Fate::Ignored, Handled::Ignored),
                    _other => {
                        let event = EmsEvent {
                            id: Some(message.ticket.event_id()),
                            class: EventClass::EmsEvent,
                            ems: Some(message.ems),
                            hash,
                            links: BTreeMap::new(),
                            received_at: message.received_at,
                        };
                        let handled = Handled::New {
                            event: Arc::new(event),
                            group: GroupAndLevel {
                                group: "other".into(),
                                level: EventLevel::Detail,
                            },
                            decided: Box::new(self.decided(number, 0)),
                            completion: None,
                            inventory: 0,
                        };
                        (number, Fate::Saved, handled)
                    }
                }
            }
            Work::Deliver { event, run, .. } => {
                let number = number_of(&event.hash);
                let handled = Handled::Again {
                    event: event.id.expect("a saved event"),
                    decided: Box::new(self.decided(number, run)),
                };
                (number, Fate::Again, handled)
            }
            other => panic!("{other:?}"),
        };
        let outcome = Outcome {
            ticket: message.ticket,
            handled,
        };
        ((number, fate), outcome)
    }

    fn decided(&self, number: Number, run: u32) -> Decided {
        let effect = |(position, idempotency_key)| NewEffect {
            position,
            idempotency_key,
            lane: "event/1".into(),
            action: json!({"log": number}).into(),
        };
        Decided {
            rules_id: RulesId(7),
            decided_at: self.clock.now(),
            outcome: EventOutcome::Acted,
            delivery: Delivery::default(),
            updates: Vec::new(),
            refreshes: target_of(number)
                .filter(|_| run == 0)
                .map(|target| self.wanted(target))
                .into_iter()
                .collect(),
            outbox: effects_of(number, run)
                .into_iter()
                .enumerate()
                .map(effect)
                .collect(),
            retry: goes_on(number, run).then(|| NewRetry {
                retry: Retry::default(),
                run: run + 1,
                due: self.clock.now() + SignedDuration::from_secs(1),
            }),
        }
    }
}
