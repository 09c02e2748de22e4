//! outbox: what the rules want done outside, committed with the event that caused it and sent afterwards.
//!
//! In each lane effects are in hand one at a time, in order. As with messages, having one in hand is nothing the disk
//! has to know: should the process end, it is sent again, with the same key.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::crash_point::crash_point;
use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::model::event::EmsEvent;
use crate::model::event::EventHash;
use crate::model::event::EventId;
use crate::model::json;
use crate::vmdb::MessageId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::ems_names::Managers;
use crate::vmdb::event_streams;
use crate::vmdb::lane;
use crate::vmdb::request::Request;
use crate::vmdb::shared::Shared;
use crate::vmdb::transaction::Transaction;

/// An outside effect to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEffect {
    /// Its place among the effects of its delivery, from 0.
    pub position: usize,
    /// The same for every attempt to send it.
    pub idempotency_key: String,
    /// It is sent after those before it with the same one: [`effect_lane`].
    pub lane: Arc<str>,
    /// What the rule described: `http`, `command`, `email` or `log`.
    pub action: json::Value,
}

/// The lane of the effects of an event: manager and resource; where it names none, the event itself.
pub fn effect_lane(ems_id: EmsId, event: EventId, hash: &EventHash) -> Arc<str> {
    lane::lane_of(ems_id, hash).unwrap_or_else(|| format!("event/{}", event.0).into())
}

/// An effect in hand. Nobody else gets one of its lane until it is dropped.
#[derive(Debug)]
pub struct OutboxEntry {
    /// Its number, of the same sequence as those of messages.
    pub id: MessageId,
    /// The same for every attempt to send it.
    pub idempotency_key: String,
    /// What the rule described.
    pub action: json::Value,
    /// How often it failed.
    pub attempts: u32,
    /// When it was decided on.
    pub created_at: Timestamp,
    /// The event that caused it.
    pub event_id: EventId,
    /// That event, whole, unless it is gone.
    pub event: Option<Arc<EmsEvent>>,
    hand: Hand,
}

/// Holds a lane.
#[derive(Debug)]
struct Hand {
    lane: Arc<str>,
    shared: Arc<Shared>,
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.shared.effect_lanes.lock().in_hand.remove(&self.lane);
    }
}

impl Vmdb {
    /// Takes effects that are to be sent now: at most `most`, the first of each lane, no two of one lane.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn outbox_take(&self, most: usize) -> Result<Vec<OutboxEntry>, VmdbError> {
        // Of a file that is gone nobody knows whether its last commit counts.
        self.shared().files.check()?;
        let managers = self.managers()?;
        let now = self.clock().now().as_microsecond();
        let mut lanes = self.shared().effect_lanes.lock();
        let found = self.read(|transaction| lanes.heads(transaction, now, most))?;
        let in_hand = found.iter().map(|(id, lane)| (lane.clone(), *id));
        lanes.in_hand.extend(in_hand);
        let shared = self.shared();
        let hands = found.into_iter().map(|(id, lane)| {
            let shared = shared.clone();
            (id, Hand { lane, shared })
        });
        let chosen: Vec<_> = hands.collect();
        // A lane that is let go of again needs this lock.
        drop(lanes);
        self.read(|transaction| {
            let loaded = chosen
                .into_iter()
                .map(|(id, hand)| load(transaction, id, hand, &managers));
            loaded.filter_map(Result::transpose).collect()
        })
    }

    /// The next effect of the lane of one that is done with, unless it has to wait.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn outbox_next(&self, done: OutboxEntry) -> Result<Option<OutboxEntry>, VmdbError> {
        let managers = self.managers()?;
        let now = self.clock().now().as_microsecond();
        let hand = done.hand;
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(
                "SELECT id, state = 0 OR due <= ?2 FROM outbox WHERE state IN (0, 2) AND lane = ?1 \
                 ORDER BY id LIMIT 1",
            )?;
            let found = query.query_row(params![&*hand.lane, now], |row| Ok((row.get(0)?, row.get(1)?)));
            let Some((id, true)) = found.optional()? else {
                return Ok(None);
            };
            let lanes = &self.shared().effect_lanes;
            lanes.lock().in_hand.insert(hand.lane.clone(), id);
            load(transaction, id, hand, &managers)
        })
    }

    /// Records that an effect was sent, and what the receiver said.
    pub fn outbox_sent(&self, id: MessageId, answer: String) -> Request<()> {
        self.request(1, move |transaction| {
            // Whatever somebody did with it meanwhile: it was sent.
            transaction.execute(
                "UPDATE outbox SET state = 3, sent_at = ?2, answer = ?3, due = NULL, error = NULL, \
                 attempts = attempts + 1 WHERE id = ?1",
                params![id.0, transaction.now.as_microsecond(), answer],
            )?;
            Ok(())
        })
    }

    /// Records that an effect could not be sent, why, and when to try again: never where it is given up.
    pub fn outbox_failed(&self, id: MessageId, error: String, retry_at: Option<Timestamp>) -> Request<()> {
        self.request(1, move |transaction| {
            transaction.execute(
                "UPDATE outbox SET state = ?2, due = ?3, error = ?4, attempts = attempts + 1 \
                 WHERE id = ?1 AND state IN (0, 2)",
                params![
                    id.0,
                    if retry_at.is_some() { 2 } else { 1 },
                    retry_at.map(Timestamp::as_microsecond),
                    error
                ],
            )?;
            crash_point!("dead_letter.effect_moved", retry_at.is_none());
            Ok(())
        })
    }

    /// How often there was something new to send, until now; for [`Vmdb::wait_for_effects`].
    pub fn effects_seen(&self) -> u64 {
        self.shared().effects.rung()
    }

    /// Blocks until there is an effect that came after `seen` was asked for, at most so long. One that becomes due,
    /// or that another process retries, wakes nobody.
    pub fn wait_for_effects(&self, seen: u64, at_most: Duration) {
        self.shared().effects.wait(seen, at_most);
    }

    /// Wakes everybody who waits for effects.
    pub fn wake_outbox(&self) {
        self.shared().effects.ring();
    }
}

pub(crate) fn insert(
    transaction: &mut Transaction<'_>,
    event: EventId,
    effect: &NewEffect,
) -> Result<(), VmdbError> {
    let id = transaction.next_id()?;
    transaction.execute(
        "INSERT INTO outbox (id, event_id, position, idempotency_key, lane, action, state, attempts, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7)",
        params![
            id,
            event.0,
            i64::try_from(effect.position).unwrap_or(i64::MAX),
            effect.idempotency_key,
            &*effect.lane,
            effect.action.to_string(),
            transaction.now.as_microsecond(),
        ],
    )?;
    transaction.news.has_effects = true;
    Ok(())
}

/// Reads an effect, unless somebody took it off meanwhile.
fn load(
    transaction: &rusqlite::Transaction<'_>,
    id: i64,
    hand: Hand,
    managers: &Managers,
) -> Result<Option<OutboxEntry>, VmdbError> {
    let mut query = transaction.prepare_cached(
        "SELECT idempotency_key, action, attempts, created_at, event_id FROM outbox \
         WHERE id = ?1 AND state IN (0, 2)",
    )?;
    let mut rows = query.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let action: String = row.get(1)?;
    let event_id = EventId(row.get(4)?);
    let mut query = transaction.prepare_cached(&event_streams::select_whole("e.id = ?1"))?;
    let mut events = query.query([event_id.0])?;
    let event = match events.next()? {
        Some(row) => Some(Arc::new(event_streams::read(row, managers)?.event)),
        None => None,
    };
    Ok(Some(OutboxEntry {
        id: MessageId(id),
        idempotency_key: row.get(0)?,
        // What cannot be read has no shape either, and is given up for that.
        action: json::read(&action).unwrap_or_default(),
        attempts: row.get(2)?,
        created_at: codec::time(row.get(3)?),
        event_id,
        event,
        hand,
    }))
}
