//! Takes messages for the handler, in order within each lane, and the managers in turns.
//!
//! Having a message in hand is nothing the disk has to know: if the process ends, the message is still there. So
//! taking costs no commit, and what is handled is written once, with its outcome.

use std::sync::Arc;
use std::time::Duration;

use ahash::HashMap;
use serde::Deserialize;

use crate::model::delivery::Retry;
use crate::model::ems::Ems;
use crate::model::ems::EmsId;
use crate::model::event::EventId;
use crate::model::event::FullData;
use crate::model::event::NativeEvent;
use crate::model::json;
use crate::vmdb::Message;
use crate::vmdb::MessageId;
use crate::vmdb::MessageKind;
use crate::vmdb::Ticket;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::Work;
use crate::vmdb::candidate::Body;
use crate::vmdb::candidate::Candidate;
use crate::vmdb::codec;
use crate::vmdb::ems_names::Managers;
use crate::vmdb::event_streams;

/// How many messages that became due are looked at, at once.
const DUE_AT_ONCE: i64 = 4_096;

#[derive(Deserialize)]
struct DeliverPayload {
    event: EventId,
    run: u32,
    retry: json::Value,
}

/// The payload of a message that goes on with a state machine.
pub(crate) fn deliver_payload(event: EventId, run: u32, retry: &Retry) -> Result<String, VmdbError> {
    let retry = codec::write_retry(retry)?;
    codec::to_json(
        "a retry",
        &json::json!({"event": event, "run": run, "retry": retry}),
    )
}

impl Vmdb {
    /// Takes messages: at most `most`, a fair share where `shares` handlers work side by side. Managers take turns,
    /// so that a flood of one delays no other. In each lane they come in order, and none comes while one before it is
    /// in hand or has failed. Nothing where there is nothing.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn take(&self, most: usize, shares: usize) -> Result<Vec<Message>, VmdbError> {
        if !self.serves() {
            return Err(VmdbError::unavailable(
                "only the process that serves it handles its queue",
            ));
        }
        let managers = self.managers()?;
        let now = self.clock().now();
        let jump = self.shared().lanes.lock().latest.jump_back(now);
        if let Some(by) = jump {
            let followed = self.follow_clock_back(by);
            if followed.is_err() {
                // Noticed again with the next look.
                self.shared()
                    .lanes
                    .lock()
                    .latest
                    .forget(now.saturating_add(by).ok());
            }
            followed?;
        }
        let now = now.as_microsecond();
        let mut lanes = self.shared().lanes.lock();
        let chosen = if lanes.knows_enough() {
            lanes.choose(Vec::new(), most, shares)
        } else {
            self.read(|transaction| {
                let due = due(transaction, now)?;
                lanes.hold(held(transaction, &due, now)?, is_plain(transaction)?);
                lanes.ready.read_on(transaction)?;
                Ok(lanes.choose(due.candidates, most, shares))
            })?
        };
        let is_more = !chosen.is_empty() && lanes.has_more();
        drop(lanes);
        if is_more {
            // Whoever was woken wakes the next one.
            self.shared().ring();
        }
        let ticket = |one: Candidate| {
            let ticket = Ticket {
                id: MessageId(one.id),
                ems_id: one.ems_id,
                lane: one.lane,
                holder: Some(self.shared().clone()),
            };
            (ticket, one.body)
        };
        let chosen: Vec<_> = chosen.into_iter().map(ticket).collect();
        if chosen.iter().all(|(_, body)| body.is_some()) {
            let known = chosen
                .into_iter()
                .filter_map(|(ticket, body)| Some((ticket, body?)));
            return known
                .map(|(ticket, body)| from_memory(ticket, body, &managers))
                .collect();
        }
        self.read(|transaction| {
            let load = |(ticket, body)| match body {
                Some(body) => Some(from_memory(ticket, body, &managers)),
                None => load(transaction, ticket, &managers).transpose(),
            };
            chosen.into_iter().filter_map(load).collect()
        })
    }

    /// How often there was something new to take, until now; for [`Vmdb::wait_for_messages`].
    pub fn messages_seen(&self) -> u64 {
        self.shared().rung()
    }

    /// Blocks until there is something to take that came after `seen` was asked for, at most so long. A message
    /// that becomes due, or that another process put, wakes nobody: so not for long.
    pub fn wait_for_messages(&self, seen: u64, at_most: Duration) {
        self.shared().wait(seen, at_most);
    }

    /// Wakes everybody who waits for messages, as at the end of the program.
    pub fn wake(&self) {
        self.shared().ring_for_all();
    }
}

/// What is due.
struct Due {
    candidates: Vec<Candidate>,
    /// The last one, where there may be more.
    last: Option<(i64, i64)>,
}

/// The lanes that stand still, each with its first message that failed or is not due. What waited for its like in a
/// flood and is due now holds nobody: it is taken in its place, like a new one.
fn held(
    transaction: &rusqlite::Transaction<'_>,
    due: &Due,
    now: i64,
) -> Result<HashMap<Arc<str>, i64>, VmdbError> {
    let mut query = transaction.prepare_cached(
        "SELECT lane, min(id) FROM miq_queue WHERE state > 1 AND lane IS NOT NULL \
         AND NOT (state = 2 AND error IS NULL AND (due, id) <= (?1, ?2)) GROUP BY lane",
    )?;
    let (until, last) = due.last.unwrap_or((now, i64::MAX));
    let rows = query.query_map([until, last], |row| {
        Ok((row.get::<_, String>(0)?.into(), row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether no message failed or waits for its time.
fn is_plain(transaction: &rusqlite::Transaction<'_>) -> Result<bool, VmdbError> {
    let mut query = transaction.prepare_cached(
        "SELECT NOT EXISTS (SELECT 1 FROM miq_queue WHERE state = 2) \
         AND NOT EXISTS (SELECT 1 FROM miq_queue WHERE state > 1 AND lane IS NOT NULL)",
    )?;
    Ok(query.query_row([], |row| row.get(0))?)
}

fn due(transaction: &rusqlite::Transaction<'_>, now: i64) -> Result<Due, VmdbError> {
    let mut query = transaction.prepare_cached(
        "SELECT id, ems_id, lane, crashes > 0, due FROM miq_queue WHERE state = 2 AND due <= ?1 ORDER BY due, id LIMIT ?2",
    )?;
    let mut last = None;
    let rows = query.query_map([now, DUE_AT_ONCE], |row| {
        last = Some((row.get(4)?, row.get(0)?));
        Ok(Candidate {
            is_due: true,
            is_suspect: row.get(3)?,
            ..candidate(row)?
        })
    })?;
    let candidates: Vec<Candidate> = rows.collect::<Result<_, _>>()?;
    let is_all = i64::try_from(candidates.len()).is_ok_and(|found| found < DUE_AT_ONCE);
    Ok(Due {
        candidates,
        last: last.filter(|_| !is_all),
    })
}

fn candidate(row: &rusqlite::Row<'_>) -> rusqlite::Result<Candidate> {
    let lane = row.get::<_, Option<String>>(2)?;
    Ok(Candidate::new(
        row.get(0)?,
        EmsId(row.get(1)?),
        lane.map(Arc::from),
    ))
}

fn from_memory(ticket: Ticket, body: Arc<Body>, managers: &Managers) -> Result<Message, VmdbError> {
    let ems = manager(managers, body.ems_id)?;
    let received_at = body.received_at;
    Ok(Message {
        ticket,
        ems,
        received_at,
        attempts: 0,
        work: Work::Add(Arc::try_unwrap(body).map_or_else(|body| body.hash.clone(), |body| body.hash)),
    })
}

fn manager(managers: &Managers, ems_id: EmsId) -> Result<Arc<Ems>, VmdbError> {
    managers.by_id(ems_id).ok_or_else(|| VmdbError::NotFound {
        what: "manager",
        name: ems_id.to_string(),
    })
}

/// The message of a ticket, unless somebody discarded it meanwhile.
fn load(
    transaction: &rusqlite::Transaction<'_>,
    mut ticket: Ticket,
    managers: &Managers,
) -> Result<Option<Message>, VmdbError> {
    let mut query = transaction.prepare_cached(
        "SELECT m.kind, m.ems_id, m.received_at, m.attempts, m.payload, n.full_data \
         FROM miq_queue m LEFT JOIN native_events n ON n.id = m.id WHERE m.id = ?1",
    )?;
    let mut rows = query.query([ticket.id.0])?;
    let Some(row) = rows.next()? else {
        ticket.forget();
        return Ok(None);
    };
    let payload: String = row.get(4)?;
    let full_data: Arc<str> = Arc::from(row.get::<_, Option<String>>(5)?.unwrap_or_default());
    let ems_id = EmsId(row.get(1)?);
    let work = match MessageKind::from_number(row.get(0)?) {
        Some(MessageKind::Add) => codec::read_hash(&payload, FullData::new(full_data))
            .map_or_else(|error| Work::Unreadable(error.to_string()), Work::Add),
        Some(MessageKind::Unparsed) => match serde_json::from_str(&payload) {
            Ok(envelope) => Work::Unparsed(NativeEvent {
                body: full_data,
                envelope,
            }),
            Err(error) => Work::Unreadable(error.to_string()),
        },
        Some(MessageKind::Deliver) => deliver(transaction, &payload, managers)?,
        Some(MessageKind::Outbox) | None => Work::Unreadable("no such kind of message".to_owned()),
    };
    Ok(Some(Message {
        ticket,
        ems: manager(managers, ems_id)?,
        received_at: codec::time(row.get(2)?),
        attempts: row.get(3)?,
        work,
    }))
}

fn deliver(
    transaction: &rusqlite::Transaction<'_>,
    payload: &str,
    managers: &Managers,
) -> Result<Work, VmdbError> {
    let read = serde_json::from_str::<DeliverPayload>(payload);
    let read = read.and_then(|payload| Ok((payload.event, payload.run, codec::read_retry(&payload.retry)?)));
    let (event, run, retry) = match read {
        Ok(read) => read,
        Err(error) => return Ok(Work::Unreadable(error.to_string())),
    };
    let mut query = transaction.prepare_cached(&event_streams::select_whole("e.id = ?1"))?;
    let mut rows = query.query([event.0])?;
    let Some(row) = rows.next()? else {
        return Ok(Work::Unreadable(format!("event {} is gone", event.0)));
    };
    Ok(Work::Deliver {
        event: Arc::new(event_streams::read(row, managers)?.event),
        retry,
        run,
    })
}
