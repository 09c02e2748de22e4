//! Puts messages on the queue. What is on the disk here may be acknowledged; everything after can be repeated.

use std::sync::Arc;

use ahash::HashMap;
use rusqlite::params;

use crate::crash_point::crash_point;
use crate::model::clock::Timestamp;
use crate::model::delivery::RulesId;
use crate::model::ems::EmsId;
use crate::model::event::EventHash;
use crate::model::event::EventId;
use crate::model::event::EventKey;
use crate::model::event::NativeEvent;
use crate::model::flood::Mark;
use crate::vmdb::Cursor;
use crate::vmdb::MessageId;
use crate::vmdb::MessageKind;
use crate::vmdb::MessageState;
use crate::vmdb::RefreshRequest;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::candidate::Body;
use crate::vmdb::candidate::Candidate;
use crate::vmdb::codec;
use crate::vmdb::cursors;
use crate::vmdb::digest;
use crate::vmdb::event_keys;
use crate::vmdb::lane;
use crate::vmdb::refresh_queue::Merge;
use crate::vmdb::refresh_queue::Wanted;
use crate::vmdb::request::Request;
use crate::vmdb::shared::Shared;
use crate::vmdb::transaction::Transaction;

/// A message to be put.
#[derive(Clone, Debug)]
pub enum NewMessage {
    /// An event to be saved and delivered.
    Add {
        /// Whose it is.
        ems_id: EmsId,
        /// As its parser gave it, `full_data` as it came. Its key is settled here: `event_key`, else `ems_ref`,
        /// else a digest of `full_data`.
        hash: EventHash,
        /// When it was received.
        received_at: Timestamp,
    },
    /// A native event that could not be parsed: a dead letter until it is retried.
    Unparsed {
        /// Whose it is.
        ems_id: EmsId,
        /// As it came.
        native: NativeEvent,
        /// Why it could not be parsed.
        reason: String,
        /// By which rules.
        rules_id: RulesId,
        /// When it was received.
        received_at: Timestamp,
    },
}

/// Messages that were not wanted, or not accepted: they are only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filtered {
    /// Whose they were.
    pub ems_id: EmsId,
    /// How many a filter or a parser did not want.
    pub filtered: i64,
    /// How many were answered with an error.
    pub refused: i64,
}

/// What one transaction puts: all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct Put {
    /// The messages, in order.
    pub messages: Vec<NewMessage>,
    /// Where the stream that brought them has got to.
    pub cursor: Option<Cursor>,
    /// What is to be refreshed because of what did not come.
    pub refresh: Option<RefreshRequest>,
    /// What else came.
    pub filtered: Vec<Filtered>,
}

impl From<Vec<NewMessage>> for Put {
    fn from(messages: Vec<NewMessage>) -> Self {
        Self {
            messages,
            ..Self::default()
        }
    }
}

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// It is on the queue; its number is that of the event it becomes.
    Queued(MessageId),
    /// The event is saved already.
    Duplicate(EventId),
}

impl Vmdb {
    /// Puts messages, moves the cursor, asks for a refresh and counts what was filtered, in one transaction. The
    /// answer has one outcome for each message, in their order. Of messages with one key in one put, the first is put and
    /// the others are duplicates of the event that it becomes; of those that wait at the same time otherwise, the handler
    /// saves the first.
    pub fn put(&self, put: impl Into<Put>) -> Request<Vec<PutOutcome>> {
        self.put_and_tell(put, |_outcomes| ())
    }

    /// The same, and tells as soon as the disk has it, or it is known that it has not: on the thread that writes,
    /// so that whoever waits for that need wait for no other thread.
    pub fn put_and_tell(
        &self,
        put: impl Into<Put>,
        tell: impl FnOnce(&Result<Vec<PutOutcome>, VmdbError>) + Send + 'static,
    ) -> Request<Vec<PutOutcome>> {
        let prepared = self.shared().room.check();
        let prepared = prepared.and_then(|()| PreparedPut::new(put.into()));
        let (prepared, in_memory) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                tell(&Err(error.clone()));
                return self.refused_request(error);
            }
        };
        let shared = self.shared().clone();
        let done = move |outcomes: &Result<Vec<PutOutcome>, VmdbError>| {
            shared.keep_in_memory(in_memory, outcomes.as_deref().unwrap_or_default());
            tell(outcomes);
        };
        let weight = prepared.messages.len();
        self.request_with(weight, move |transaction| prepared.write(transaction), done)
    }
}

impl Shared {
    fn keep_in_memory(&self, messages: Vec<Option<InMemory>>, outcomes: &[PutOutcome]) {
        let mut lanes = self.lanes.lock();
        for (message, outcome) in messages.into_iter().zip(outcomes) {
            if let (PutOutcome::Queued(id), Some(InMemory { lane, body })) = (outcome, message) {
                let new = Candidate::new(id.0, body.ems_id, lane);
                lanes.ready.add(Candidate {
                    body: Some(body),
                    ..new
                });
            }
        }
    }
}

/// What one transaction puts, in the form of its rows.
struct PreparedPut {
    messages: Vec<Prepared>,
    /// For each message, the earlier one of this put that has the same key.
    repeats: Vec<Option<usize>>,
    cursor: Option<Cursor>,
    wanted: Option<Wanted>,
    filtered: Vec<Filtered>,
}

impl PreparedPut {
    fn new(put: Put) -> Result<(Self, Vec<Option<InMemory>>), VmdbError> {
        let messages = put.messages.into_iter().map(Prepared::new);
        let (messages, in_memory): (Vec<_>, _) = messages.collect::<Result<_, _>>()?;
        let prepared = Self {
            repeats: repeats(&messages),
            messages,
            cursor: put.cursor,
            wanted: put.refresh.as_ref().map(Wanted::new).transpose()?,
            filtered: put.filtered,
        };
        Ok((prepared, in_memory))
    }

    fn write(&self, transaction: &mut Transaction<'_>) -> Result<Vec<PutOutcome>, VmdbError> {
        if let Some(wanted) = &self.wanted {
            let mut merge = Merge::default();
            merge.add(transaction, None, wanted)?;
            merge.write(transaction)?;
        }
        for counted in &self.filtered {
            let tally = transaction.books.of(counted.ems_id);
            tally.received += counted.filtered + counted.refused;
            tally.filtered += counted.filtered;
            tally.refused += counted.refused;
        }
        crash_point!("catch.filtered_counted", !self.filtered.is_empty());
        let mut outcomes: Vec<PutOutcome> = Vec::with_capacity(self.messages.len());
        for (message, repeats) in self.messages.iter().zip(&self.repeats) {
            let outcome = match repeats.and_then(|first| outcomes.get(first)) {
                Some(first) => repeated(transaction, message, *first),
                None => insert(transaction, message)?,
            };
            outcomes.push(outcome);
        }
        if let Some(cursor) = &self.cursor {
            let is_new = |outcome: &PutOutcome| matches!(outcome, PutOutcome::Queued(_));
            cursors::save(transaction, cursor, outcomes.iter().any(is_new))?;
        }
        crash_point!("intake.put_before_commit", self.cursor.is_none());
        // The position of a file moves in the same way.
        crash_point!("poll.put_before_commit", self.cursor.is_some());
        Ok(outcomes)
    }
}

/// For each message, the earlier one that has the same key, where there is one.
fn repeats(messages: &[Prepared]) -> Vec<Option<usize>> {
    if messages.len() < 2 {
        return vec![None; messages.len()];
    }
    let mut first_of: HashMap<u64, usize> =
        HashMap::with_capacity_and_hasher(messages.len(), Default::default());
    let repeats = messages.iter().enumerate().map(|(index, message)| {
        let (digest, key) = message.key.as_ref()?;
        let first = *first_of.entry(*digest).or_insert(index);
        let known = messages.get(first).filter(|_| first < index)?;
        let is_same =
            known.ems_id == message.ems_id && known.key.as_ref().is_some_and(|(_, known)| known == key);
        is_same.then_some(first)
    });
    repeats.collect()
}

/// What becomes of a message whose key an earlier one of the same put has.
fn repeated(transaction: &mut Transaction<'_>, message: &Prepared, first: PutOutcome) -> PutOutcome {
    let tally = transaction.books.of(message.ems_id);
    tally.received += 1;
    tally.duplicate += 1;
    match first {
        PutOutcome::Queued(MessageId(id)) => PutOutcome::Duplicate(EventId(id)),
        known => known,
    }
}

/// Puts one message within a transaction of somebody else.
pub(crate) fn put_one(
    transaction: &mut Transaction<'_>,
    message: NewMessage,
) -> Result<PutOutcome, VmdbError> {
    insert(transaction, &Prepared::new(message)?.0)
}

/// A message in the form of its row, made before the writer has to wait for it.
struct Prepared {
    ems_id: EmsId,
    kind: MessageKind,
    state: MessageState,
    due: Option<Timestamp>,
    lane: Option<Arc<str>>,
    key: Option<(u64, EventKey)>,
    received_at: Timestamp,
    rules_id: Option<RulesId>,
    error: Option<String>,
    payload: String,
    full_data: Arc<str>,
    digest: [u8; 32],
}

/// For the handler, so that it need not read what was just written. Apart from the row, so that it has it to itself.
struct InMemory {
    lane: Option<Arc<str>>,
    body: Arc<Body>,
}

impl Prepared {
    fn new(message: NewMessage) -> Result<(Self, Option<InMemory>), VmdbError> {
        match message {
            NewMessage::Add {
                ems_id,
                mut hash,
                received_at,
            } => {
                hash.settle_key();
                let key = hash.event_key.clone();
                // One of a flood waits for its like, and what comes after it in its lane waits with it.
                let due = Mark::of(&hash).map(|mark| mark.until);
                let state = match due {
                    Some(_) => MessageState::Waiting,
                    None => MessageState::Ready,
                };
                let lane = lane::lane_of(ems_id, &hash);
                let row = Self {
                    ems_id,
                    kind: MessageKind::Add,
                    state,
                    due,
                    lane: lane.clone(),
                    key: key.map(|key| (event_keys::digest_of(ems_id, &key), key)),
                    received_at,
                    rules_id: None,
                    error: None,
                    payload: codec::write_hash(&hash)?,
                    full_data: hash.full_data.text().clone(),
                    digest: digest::whole(hash.full_data.text()),
                };
                let body = Arc::new(Body {
                    ems_id,
                    hash,
                    received_at,
                });
                Ok((row, due.is_none().then_some(InMemory { lane, body })))
            }
            NewMessage::Unparsed {
                ems_id,
                native,
                reason,
                rules_id,
                received_at,
            } => {
                let row = Self {
                    ems_id,
                    kind: MessageKind::Unparsed,
                    state: MessageState::Dead,
                    due: None,
                    lane: None,
                    key: None,
                    received_at,
                    rules_id: Some(rules_id),
                    error: Some(reason),
                    payload: codec::to_json("an envelope", &native.envelope)?,
                    digest: digest::whole(&native.body),
                    full_data: native.body,
                };
                Ok((row, None))
            }
        }
    }
}

fn insert(transaction: &mut Transaction<'_>, message: &Prepared) -> Result<PutOutcome, VmdbError> {
    transaction.books.of(message.ems_id).received += 1;
    if let Some((digest, key)) = &message.key
        && let Some(known) = event_keys::find(transaction, message.ems_id, key, *digest)?
    {
        transaction.books.of(message.ems_id).duplicate += 1;
        return Ok(PutOutcome::Duplicate(known));
    }
    let id = transaction.next_id()?;
    transaction.execute_held(
        "INSERT INTO native_events (id, digest, full_data) VALUES (?1, ?2, ?3)",
        params![id, message.digest, message.full_data],
    )?;
    let is_dead = message.state == MessageState::Dead;
    transaction.execute_held(
        "INSERT INTO miq_queue \
         (id, state, kind, ems_id, lane, attempts, crashes, received_at, rules_id, error, payload, due) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, ?9, ?10, ?11)",
        params![
            id,
            message.state.number(),
            message.kind.number(),
            message.ems_id.0,
            message.lane,
            i64::from(is_dead),
            message.received_at.as_microsecond(),
            message.rules_id.map(|rules_id| rules_id.0.to_be_bytes()),
            message.error,
            message.payload,
            message.due.map(Timestamp::as_microsecond),
        ],
    )?;
    let tally = transaction.books.of(message.ems_id);
    tally.accepted += 1;
    if is_dead {
        tally.dead += 1;
    } else {
        transaction.news.waiting.count(message.ems_id, 1);
        transaction.news.has_messages = true;
        transaction.news.has_held |= message.state != MessageState::Ready;
    }
    Ok(PutOutcome::Queued(MessageId(id)))
}
