//! What the database was asked to keep, what it promised, and so what it may hold.
//!
//! The ledger is as simple as can be believed: each request changes a plain state, and what was answered with `Ok` has
//! happened. What was not answered yet has happened or not, each request as a whole; what was refused has not, unless
//! the process ended before anything else was answered.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

/// The number of an event of ours: its key, its contents and what follows from it are made of that.
pub type Number = u32;

/// What is said of a request, by the number that it has here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Note {
    /// It is about to be sent.
    Asked(usize, Asked),
    /// The database answered with `Ok`.
    Kept(usize),
    /// The database answered with an error.
    Refused(usize),
    /// The database is about to be opened.
    Opens,
    /// It is open.
    IsOpen,
}

/// A request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Asked {
    /// A manager.
    Ems(String),
    /// A batch of events, with the position of the stream that they came by.
    Put {
        /// The events.
        numbers: Vec<Number>,
        /// Which stream.
        stream: String,
        /// How far it has got.
        position: u32,
        /// How many more came that nobody wants.
        filtered: i64,
    },
    /// What became of messages in hand.
    Commit(Vec<(Number, Fate)>),
    /// A refresh of this target.
    Refresh(u32),
    /// A message is taken off the queue.
    Discard(Number),
}

/// What became of a message in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It is an event.
    Saved,
    /// Another run over its event.
    Again,
    /// It is tried later.
    Later,
    /// It is given up.
    GivenUp,
    /// Nobody wants it.
    Ignored,
}

/// The target that an event asks to refresh.
pub fn target_of(number: Number) -> Option<u32> {
    number.is_multiple_of(3).then_some(number % 5)
}

/// The idempotency keys of the effects of a run over an event.
pub fn effects_of(number: Number, run: u32) -> Vec<String> {
    let count = if number.is_multiple_of(4) {
        1 + number % 3
    } else {
        0
    };
    (0..count)
        .map(|position| format!("{number}-{run}-{position}"))
        .collect()
}

/// Whether a run over an event goes on later.
pub fn goes_on(number: Number, run: u32) -> bool {
    number.is_multiple_of(5) && run == 0
}

/// What an event came as.
pub fn full_data(number: Number) -> String {
    let length = 200 + (number as usize * 7919) % 2_800;
    format!(r#"{{"number": {number}, "text": "{}"}}"#, "x".repeat(length))
}

/// A message on the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How often it failed.
    pub attempts: u32,
    /// Whether it is given up.
    pub is_dead: bool,
}

/// The books.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in the program's")]
pub struct Books {
    pub received: i64,
    pub accepted: i64,
    pub duplicate: i64,
    pub filtered: i64,
    pub delivered: i64,
    pub dead: i64,
    pub discarded: i64,
}

/// What the database holds, in the words of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The managers.
    pub ems: BTreeSet<String>,
    /// The events that wait.
    pub queue: BTreeMap<Number, Waiting>,
    /// The events that go on later.
    pub going_on: BTreeSet<Number>,
    /// The events that are saved, and how many runs there were over each.
    pub events: BTreeMap<Number, u32>,
    /// The effects that are to be sent, by idempotency key.
    pub effects: BTreeSet<String>,
    /// The targets to be refreshed, and how often each was asked for.
    pub targets: BTreeMap<u32, i64>,
    /// The events that wait for a refresh.
    pub refreshed: BTreeSet<Number>,
    /// How far each stream has got.
    pub cursors: BTreeMap<String, u32>,
    /// The books.
    pub books: Books,
}

impl Held {
    /// Does what was asked.
    pub fn apply(&mut self, asked: &Asked) {
        match asked {
            Asked::Ems(name) => {
                self.ems.insert(name.clone());
            }
            Asked::Put {
                numbers,
                stream,
                position,
                filtered,
            } => {
                self.cursors.insert(stream.clone(), *position);
                self.books.received += filtered;
                self.books.filtered += filtered;
                for number in numbers {
                    self.books.received += 1;
                    if self.events.contains_key(number) {
                        self.books.duplicate += 1;
                    } else {
                        self.books.accepted += 1;
                        self.queue.insert(*number, Waiting::default());
                    }
                }
            }
            Asked::Commit(outcomes) => {
                for (number, fate) in outcomes {
                    self.handle(*number, *fate);
                }
            }
            Asked::Refresh(target) => *self.targets.entry(*target).or_default() += 1,
            Asked::Discard(number) => {
                if let Some(waiting) = self.queue.remove(number) {
                    self.books.dead -= i64::from(waiting.is_dead);
                    self.books.discarded += 1;
                }
            }
        }
    }

    fn handle(&mut self, number: Number, fate: Fate) {
        match fate {
            Fate::Saved => {
                self.queue.remove(&number);
                self.books.delivered += 1;
                self.run(number);
            }
            Fate::Again => {
                self.going_on.remove(&number);
                self.run(number);
            }
            Fate::Later | Fate::GivenUp => {
                let waiting = self.queue.entry(number).or_default();
                waiting.attempts += 1;
                waiting.is_dead = fate == Fate::GivenUp;
                self.books.dead += i64::from(waiting.is_dead);
            }
            Fate::Ignored => {
                self.queue.remove(&number);
                self.books.accepted -= 1;
                self.books.filtered += 1;
            }
        }
    }

    fn run(&mut self, number: Number) {
        let runs = self.events.entry(number).or_default();
        let run = *runs;
        *runs += 1;
        self.effects.extend(effects_of(number, run));
        if goes_on(number, run) {
            self.going_on.insert(number);
        }
        if let Some(target) = target_of(number).filter(|_| run == 0) {
            *self.targets.entry(target).or_default() += 1;
            self.refreshed.insert(number);
        }
    }
}

/// What was asked and promised until now.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    settled: Held,
    asked: BTreeMap<usize, Asked>,
    /// By the moment of their asking: at most those of one moment shared the last transaction that failed.
    refused: Vec<Vec<Asked>>,
}

impl Ledger {
    /// Reads the next note.
    ///
    /// # Panics
    /// When an answer comes that nobody asked for.
    pub fn read(&mut self, note: &Note) {
        match note {
            Note::Asked(id, asked) => {
                if self.asked.is_empty() {
                    self.refused.push(Vec::new());
                }
                self.asked.insert(*id, asked.clone());
            }
            Note::Kept(id) => {
                let asked = self.asked.remove(id).expect("a request");
                self.settled.apply(&asked);
                // What was refused before was written over.
                self.refused = vec![Vec::new()];
            }
            Note::Refused(id) => {
                let asked = self.asked.remove(id).expect("a request");
                self.refused.last_mut().expect("a moment of asking").push(asked);
            }
            Note::Opens | Note::IsOpen => {}
        }
    }

    /// Exactly what was promised.
    pub fn promised(&self) -> &Held {
        &self.settled
    }

    /// Everything that the database may hold after the process ended here.
    pub fn possible(&self) -> Vec<Held> {
        let mut possible = vec![self.settled.clone()];
        for refused in &self.refused {
            let maybe: Vec<&Asked> = refused.iter().chain(self.asked.values()).collect();
            for chosen in 1..1_usize << maybe.len() {
                let mut held = self.settled.clone();
                let those = maybe
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| chosen & (1 << index) != 0);
                those.for_each(|(_, asked)| held.apply(asked));
                possible.push(held);
            }
        }
        possible
    }

    /// The same with what was asked but not answered taken for promised: for a database that answers too early.
    pub fn as_if_answered_early(&self) -> Self {
        let mut early = self.clone();
        for asked in std::mem::take(&mut early.asked).into_values() {
            early.settled.apply(&asked);
        }
        early
    }
}
