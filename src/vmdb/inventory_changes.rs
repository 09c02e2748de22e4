//! Writes the changes of a refresh to the inventory, in portions that do not keep the writer from others for long.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::crash_point::crash_point;
use crate::model::ems::EmsId;
use crate::vmdb::RefreshId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::ext_management_systems::is_removed;
use crate::vmdb::inventory_rows;
use crate::vmdb::inventory_rows::InventoryChanges;
use crate::vmdb::inventory_rows::Known;
use crate::vmdb::inventory_rows::ObjectRow;
use crate::vmdb::request::Pending;
use crate::vmdb::request::Request;
use crate::vmdb::transaction::Transaction;

/// So many changes are given to the writer together ...
const PORTION: usize = 1_000;
/// ... and it writes as many of them as it can in this time, then sees to others, such as events, before the rest.
const HOLD: Duration = Duration::from_millis(5);
/// So many are written in one commit with the end of the refresh.
const FEW: usize = 100;

/// Something to be written.
#[derive(Debug)]
pub(crate) enum Change {
    /// Save an object. What was in its place has been looked up beforehand, so that the writer need not do it.
    Save(ObjectRow, Option<Known>),
    /// Archive the object with this number.
    Archive(i64),
    /// Nothing.
    None,
}

impl Change {
    /// What it takes to save this.
    pub(crate) fn of(row: ObjectRow, known: Option<Known>) -> Self {
        if known.as_ref().is_some_and(Known::is_same) {
            Self::None
        } else {
            Self::Save(row, known)
        }
    }

    fn write(
        &self,
        transaction: &Transaction<'_>,
        refresh: RefreshId,
        changes: &mut InventoryChanges,
    ) -> Result<(), VmdbError> {
        match self {
            Self::Save(row, known) => {
                row.save_as_known(transaction, Some(refresh), known.as_ref(), changes)?;
            }
            Self::Archive(id) => {
                changes.archived += usize::from(inventory_rows::archive(transaction, Some(refresh), *id)?);
            }
            Self::None => changes.unchanged += 1,
        }
        Ok(())
    }
}

/// Writes changes while the next ones are looked for.
pub(crate) struct Changing<'a> {
    vmdb: &'a Vmdb,
    ems_id: EmsId,
    refresh: RefreshId,
    changes: InventoryChanges,
    next: Vec<Change>,
    in_hand: Option<(Arc<[Change]>, Pending<Portion>)>,
}

/// How much of a portion is written.
struct Portion {
    changes: InventoryChanges,
    end: usize,
}

impl<'a> Changing<'a> {
    /// Nothing has changed yet.
    pub(crate) fn new(vmdb: &'a Vmdb, ems_id: EmsId, refresh: RefreshId) -> Self {
        Self {
            vmdb,
            ems_id,
            refresh,
            changes: InventoryChanges::default(),
            next: Vec::new(),
            in_hand: None,
        }
    }

    /// Adds a change, and has the writer begin where enough have come together.
    pub(crate) fn add(&mut self, change: Change) -> Result<(), VmdbError> {
        if matches!(change, Change::None) {
            self.changes.unchanged += 1;
            return Ok(());
        }
        self.next.push(change);
        if self.next.len() < PORTION {
            return Ok(());
        }
        self.settle()?;
        self.begin()
    }

    /// Writes the rest, and what makes the end, in one commit where the rest is small.
    pub(crate) fn end(
        mut self,
        end: impl Fn(&mut Transaction<'_>, &InventoryChanges) -> Result<(), VmdbError> + Send + 'static,
    ) -> Result<InventoryChanges, VmdbError> {
        self.settle()?;
        if FEW < self.next.len() {
            self.begin()?;
            self.settle()?;
        }
        let (before, rest) = (self.changes, std::mem::take(&mut self.next));
        let (ems_id, refresh) = (self.ems_id, self.refresh);
        let weight = rest.len() + 1;
        let work = move |transaction: &mut Transaction<'_>| {
            let mut changes = before;
            if !is_removed(transaction, ems_id)? {
                for change in &rest {
                    change.write(transaction, refresh, &mut changes)?;
                }
            }
            crash_point!("refresh.after_save_before_done");
            end(transaction, &changes)?;
            crash_point!("refresh.save_before_commit");
            Ok(changes)
        };
        self.request(weight, work).wait()
    }

    /// Hands what has come together to the writer.
    fn begin(&mut self) -> Result<(), VmdbError> {
        let portion: Arc<[Change]> = std::mem::take(&mut self.next).into();
        let pending = self.write(portion.clone(), 0).submit()?;
        self.in_hand = Some((portion, pending));
        Ok(())
    }

    /// Waits until what the writer has in hand is written whole.
    fn settle(&mut self) -> Result<(), VmdbError> {
        while let Some((portion, pending)) = self.in_hand.take() {
            let written = pending.wait()?;
            self.changes += written.changes;
            if written.end < portion.len() {
                let pending = self.write(portion.clone(), written.end).submit()?;
                self.in_hand = Some((portion, pending));
            }
        }
        Ok(())
    }

    /// Writes a portion from there on, as far as the time allows.
    fn write(&self, portion: Arc<[Change]>, start: usize) -> Request<Portion> {
        let (ems_id, refresh) = (self.ems_id, self.refresh);
        self.request(portion.len() - start, move |transaction| {
            let began = Instant::now();
            let mut written = Portion {
                changes: InventoryChanges::default(),
                end: start,
            };
            // It was removed while its refresh ran: what this brings would be there for ever.
            if is_removed(transaction, ems_id)? {
                written.end = portion.len();
                return Ok(written);
            }
            for change in portion.iter().skip(start) {
                change.write(transaction, refresh, &mut written.changes)?;
                written.end += 1;
                if HOLD <= began.elapsed() {
                    break;
                }
            }
            Ok(written)
        })
    }

    fn request<T: Send + 'static>(
        &self,
        weight: usize,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<T, VmdbError> + Send + 'static,
    ) -> Request<T> {
        let (before, after) = (self.vmdb.shared().clone(), self.vmdb.shared().clone());
        let work = move |transaction: &mut Transaction<'_>| {
            before.objects_are_created();
            work(transaction)
        };
        self.vmdb
            .request_with(weight, work, move |_| after.objects_are_created())
    }
}
