//! Writes a batch of outcomes: all that their events caused, or, of one that the database refuses, its failure.

use std::sync::Arc;

use ahash::HashSet;
use rusqlite::params;

use crate::crash_point::crash_point;
use crate::crash_point::planted_bug;
use crate::model::clock::Timestamp;
use crate::model::delivery::RulesId;
use crate::model::ems::EmsId;
use crate::model::event::EmsEvent;
use crate::model::event::EventId;
use crate::vmdb::Committed;
use crate::vmdb::Completion;
use crate::vmdb::MessageId;
use crate::vmdb::MessageKind;
use crate::vmdb::MessageState;
use crate::vmdb::VmdbError;
use crate::vmdb::ems_names::Managers;
use crate::vmdb::event_counts;
use crate::vmdb::event_keys;
use crate::vmdb::event_refs;
use crate::vmdb::event_streams;
use crate::vmdb::handled_rows::DecidedRows;
use crate::vmdb::handled_rows::Row;
use crate::vmdb::on_queue::OnQueue;
use crate::vmdb::outbox;
use crate::vmdb::put;
use crate::vmdb::refresh_queue::Merge;
use crate::vmdb::shared::Shared;
use crate::vmdb::transaction::Transaction;

/// A batch of outcomes.
pub(crate) struct Batch {
    pub(crate) rows: Vec<BatchRow>,
    pub(crate) managers: Arc<Managers>,
    pub(crate) shared: Arc<Shared>,
}

/// One outcome, and whose it is.
pub(crate) struct BatchRow {
    pub(crate) id: MessageId,
    pub(crate) ems_id: EmsId,
    pub(crate) lane: Option<Arc<str>>,
    pub(crate) row: Row,
}

impl Batch {
    /// Writes the batch. Where the database refuses one outcome, each is written by itself and that one fails.
    pub(crate) fn write(&self, transaction: &mut Transaction<'_>) -> Result<Vec<Committed>, VmdbError> {
        let committed = if transaction.is_careful {
            self.write_each(transaction)
        } else {
            self.write_all(transaction, &self.rows.iter().collect::<Vec<_>>())
        };
        crash_point!("handle.before_commit");
        committed
    }

    fn write_each(&self, transaction: &mut Transaction<'_>) -> Result<Vec<Committed>, VmdbError> {
        let mut failed = HashSet::default();
        let mut committed = Vec::new();
        for row in &self.rows {
            if row.lane.as_ref().is_some_and(|lane| failed.contains(lane)) {
                committed.push(Committed::Held);
                continue;
            }
            match transaction.part(|transaction| self.write_all(transaction, &[row]))? {
                Ok(one) => committed.extend(one),
                Err(error) if error.is_temporary() => return Err(error),
                Err(error) => {
                    let broken = BatchRow {
                        id: row.id,
                        ems_id: row.ems_id,
                        lane: row.lane.clone(),
                        row: Row::failed(&error),
                    };
                    committed.extend(self.write_all(transaction, &[&broken])?);
                    failed.extend(row.lane.clone());
                }
            }
        }
        Ok(committed)
    }

    fn write_all(
        &self,
        transaction: &mut Transaction<'_>,
        rows: &[&BatchRow],
    ) -> Result<Vec<Committed>, VmdbError> {
        let on_queue = OnQueue::take_off(transaction, rows)?;
        let mut merge = Merge::default();
        let mut stopped = HashSet::default();
        let mut committed = Vec::with_capacity(rows.len());
        for one in rows {
            let lane = &one.lane;
            if lane.as_ref().is_some_and(|lane| stopped.contains(lane)) {
                committed.push(Committed::Held);
                continue;
            }
            let written = self.write_one(transaction, &mut merge, &on_queue, one)?;
            if matches!(written, Committed::Waiting | Committed::GivenUp) {
                stopped.extend(lane.clone());
            }
            committed.push(written);
        }
        merge.write(transaction)?;
        crash_point!("handle.targets_merged", !merge.is_empty());
        Ok(committed)
    }

    fn write_one<'a>(
        &'a self,
        transaction: &mut Transaction<'_>,
        merge: &mut Merge<'a>,
        on_queue: &OnQueue,
        one: &'a BatchRow,
    ) -> Result<Committed, VmdbError> {
        let BatchRow { id, ems_id, row, .. } = one;
        let (id, ems_id) = (*id, *ems_id);
        if let Row::Failed {
            error,
            rules_id,
            retry_at,
        } = row
        {
            let failed = fail(transaction, id, error, *rules_id, *retry_at);
            crash_point!("handle.one_of_batch_failed");
            return failed;
        }
        if !on_queue.has(transaction, id)? {
            return Ok(Committed::Lost);
        }
        transaction.news.waiting.count(ems_id, -1);
        match row {
            Row::New {
                row,
                event,
                refs,
                decided,
                completion,
                inventory,
            } => {
                let event_id = EventId(id.0);
                let digest = event_keys::digest_of(ems_id, row.key());
                if let Some(known) = event_keys::find(transaction, ems_id, row.key(), digest)? {
                    transaction.gone(id);
                    drop_native(transaction, id)?;
                    let tally = transaction.books.of(ems_id);
                    tally.accepted -= 1;
                    tally.duplicate += 1;
                    return Ok(Committed::Duplicate(known));
                }
                row.insert(transaction, event_id, ems_id)?;
                transaction.index_event(event_id, digest, refs)?;
                crash_point!("handle.event_inserted");
                if *inventory != self.shared.inventory_version() {
                    event_refs::link_again(transaction, event_id.0, ems_id, event)?;
                }
                transaction.books.of(ems_id).delivered += 1;
                transaction.news.last_event = transaction.news.last_event.max(Some(event_id));
                write_decided(transaction, merge, ems_id, event_id, decided)?;
                if let Some(completion) = completion {
                    self.complete(transaction, ems_id, event, completion)?;
                }
                Ok(Committed::Saved(event_id))
            }
            Row::Again { event, decided } => {
                transaction.gone(id);
                event_counts::decided_again(transaction, *event, decided.outcome)?;
                write_decided(transaction, merge, ems_id, *event, decided)?;
                Ok(Committed::Saved(*event))
            }
            Row::Ignored | Row::Failed { .. } => {
                transaction.gone(id);
                drop_native(transaction, id)?;
                let tally = transaction.books.of(ems_id);
                tally.accepted -= 1;
                tally.filtered += 1;
                Ok(Committed::Ignored)
            }
        }
    }

    fn complete(
        &self,
        transaction: &mut Transaction<'_>,
        ems_id: EmsId,
        last: &EmsEvent,
        completion: &Completion,
    ) -> Result<(), VmdbError> {
        let original = event_streams::first_of_chain(
            transaction.connection,
            &self.managers,
            ems_id,
            &completion.chain_id,
        )?;
        let Some(original) = original else { return Ok(()) };
        if completion.originals.contains(&original.hash.event_type)
            && let Some(message) = (completion.build)(&original, last)
        {
            put::put_one(transaction, message)?;
        }
        Ok(())
    }
}

fn write_decided<'a>(
    transaction: &mut Transaction<'_>,
    merge: &mut Merge<'a>,
    ems_id: EmsId,
    event: EventId,
    decided: &'a DecidedRows,
) -> Result<(), VmdbError> {
    decided.delivery.insert(transaction, event)?;
    transaction.books.rules.count(&decided.fired);
    for wanted in &decided.refreshes {
        planted_bug!("targets_dropped", continue);
        merge.add(transaction, Some(event), wanted)?;
    }
    for update in &decided.updates {
        update.write(transaction, event)?;
    }
    for effect in &decided.outbox {
        outbox::insert(transaction, event, effect)?;
    }
    crash_point!("handle.outbox_put", !decided.outbox.is_empty());
    if let Some(retry) = &decided.retry {
        let id = transaction.next_id()?;
        transaction.execute(
            "INSERT INTO miq_queue (id, state, kind, ems_id, attempts, crashes, due, received_at, payload) \
             VALUES (?1, ?2, ?3, ?4, 0, 0, ?5, ?6, ?7)",
            params![
                id,
                MessageState::Waiting.number(),
                MessageKind::Deliver.number(),
                ems_id.0,
                retry.due.as_microsecond(),
                transaction.now.as_microsecond(),
                (retry.payload_of)(event)?,
            ],
        )?;
        transaction.news.waiting.count(ems_id, 1);
        transaction.news.has_held = true;
        crash_point!("state.retry_scheduled");
    }
    let tally = transaction.books.of(ems_id);
    tally.effects += decided.delivery.effect_count;
    tally.targets += decided.delivery.target_count;
    Ok(())
}

fn fail(
    transaction: &mut Transaction<'_>,
    id: MessageId,
    error: &str,
    rules_id: Option<RulesId>,
    retry_at: Option<Timestamp>,
) -> Result<Committed, VmdbError> {
    let found = transaction.first(
        "UPDATE miq_queue SET attempts = attempts + 1, error = ?2, rules_id = ifnull(?3, rules_id), due = ?4, \
         state = CASE WHEN ?4 IS NOT NULL THEN 2 WHEN lane IS NOT NULL THEN 3 ELSE 1 END \
         WHERE id = ?1 RETURNING ems_id, state",
        params![
            id.0,
            error,
            rules_id.map(|rules_id| rules_id.0.to_be_bytes()),
            retry_at.map(Timestamp::as_microsecond),
        ],
        |row| Ok((EmsId(row.get(0)?), row.get::<_, i64>(1)?)),
    )?;
    let Some((ems_id, state)) = found else {
        return Ok(Committed::Lost);
    };
    transaction.news.has_held = true;
    if state == MessageState::Dead.number() {
        transaction.books.of(ems_id).dead += 1;
        transaction.news.waiting.count(ems_id, -1);
    }
    crash_point!("dead_letter.moved", retry_at.is_none());
    Ok(if retry_at.is_some() {
        Committed::Waiting
    } else {
        Committed::GivenUp
    })
}

/// The native event of a message that becomes no event of its own.
fn drop_native(transaction: &Transaction<'_>, id: MessageId) -> Result<(), VmdbError> {
    transaction.execute("DELETE FROM native_events WHERE id = ?1", [id.0])?;
    Ok(())
}
