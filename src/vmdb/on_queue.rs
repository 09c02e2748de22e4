//! Takes the messages of a batch off the queue, with one statement for all whose numbers follow one another.

use ahash::HashSet;

use crate::vmdb::MessageId;
use crate::vmdb::VmdbError;
use crate::vmdb::handled_batch::BatchRow;
use crate::vmdb::handled_rows::Row;
use crate::vmdb::transaction::Transaction;

/// Which messages of a batch are off the queue.
pub(crate) enum OnQueue {
    /// All are but these, which somebody discarded.
    TakenOff { lost: HashSet<MessageId> },
    /// One failed, and those behind it in its lane stay: each is taken off when its turn comes.
    OneByOne,
}

impl OnQueue {
    /// Takes all off, unless that depends on what becomes of them.
    pub(crate) fn take_off(transaction: &mut Transaction<'_>, rows: &[&BatchRow]) -> Result<Self, VmdbError> {
        if rows.iter().any(|one| matches!(one.row, Row::Failed { .. })) {
            return Ok(Self::OneByOne);
        }
        let mut ids: Vec<i64> = rows.iter().map(|one| one.id.0).collect();
        ids.sort_unstable();
        ids.last().iter().for_each(|last| transaction.uses_id(**last));
        let mut lost = HashSet::default();
        for run in ids.chunk_by(|before, id| before + 1 == *id) {
            take_off(transaction, run, &mut lost)?;
        }
        Ok(Self::TakenOff { lost })
    }

    /// Whether a message, which is off the queue now, was on it.
    pub(crate) fn has(&self, transaction: &Transaction<'_>, id: MessageId) -> Result<bool, VmdbError> {
        match self {
            Self::TakenOff { lost } => Ok(!lost.contains(&id)),
            Self::OneByOne => delete(transaction, id.0),
        }
    }
}

/// Numbers that follow one another. Where one is missing, each is asked for.
fn take_off(
    transaction: &Transaction<'_>,
    run: &[i64],
    lost: &mut HashSet<MessageId>,
) -> Result<(), VmdbError> {
    let [first, .., last] = run else {
        return each(transaction, run, lost);
    };
    let there: Option<usize> = transaction.first(
        "SELECT count(*) FROM miq_queue WHERE id BETWEEN ?1 AND ?2",
        [first, last],
        |row| row.get(0),
    )?;
    if there != Some(run.len()) {
        return each(transaction, run, lost);
    }
    transaction.execute_held("DELETE FROM miq_queue WHERE id BETWEEN ?1 AND ?2", [first, last])?;
    Ok(())
}

fn each(transaction: &Transaction<'_>, run: &[i64], lost: &mut HashSet<MessageId>) -> Result<(), VmdbError> {
    for id in run {
        if !delete(transaction, *id)? {
            lost.insert(MessageId(*id));
        }
    }
    Ok(())
}

fn delete(transaction: &Transaction<'_>, id: i64) -> Result<bool, VmdbError> {
    Ok(transaction.execute_held("DELETE FROM miq_queue WHERE id = ?1", [id])? == 1)
}
