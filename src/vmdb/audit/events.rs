//! Event by event: whether each is whole, and whether what follows from it is there once.
//!
//! Goes by number in short steps, each within a transaction of its own: everything about an event is written in
//! one commit, so each step sees all of it or nothing.

use std::collections::BTreeMap;

use ahash::HashMap;
use ahash::HashSet;
use rusqlite::Connection;
use rusqlite::Transaction;

use crate::model::ems::EmsId;
use crate::model::event::EmsEvent;
use crate::model::event::EventKey;
use crate::model::flood::Mark;
use crate::vmdb::VmdbError;
use crate::vmdb::audit::books::Moment;
use crate::vmdb::audit::finding::Finding;
use crate::vmdb::audit::finding::RESTORE;
use crate::vmdb::audit::finding::Report;
use crate::vmdb::audit::rows::Native;
use crate::vmdb::audit::rows::Rows;
use crate::vmdb::audit::runs;
use crate::vmdb::digest;
use crate::vmdb::ems_names::Managers;
use crate::vmdb::event_keys;
use crate::vmdb::lane;

/// How many numbers a step looks at.
const STEP: i64 = 500;

/// What was seen of the events.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How many of them the books have to know.
    pub(crate) counts: BTreeMap<EmsId, i64>,
    /// Number and digest of the key of each.
    pub(crate) keys: Vec<(i64, u64)>,
    /// Those whose last run wants another one.
    pub(crate) to_be_continued: Vec<i64>,
    /// The latest first run in each lane.
    lanes: HashMap<u64, (i64, i64)>,
    /// The numbers of trace steps.
    steps: HashSet<i64>,
}

impl Seen {
    /// Looks at everything up to the moment.
    pub(crate) fn look(
        connection: &Connection,
        moment: &Moment,
        managers: &Managers,
        report: &mut Report<'_>,
    ) -> Result<Self, VmdbError> {
        let mut seen = Self::default();
        let mut after = 0;
        while after < moment.last_id {
            let to = (after + STEP).min(moment.last_id);
            let transaction = connection.unchecked_transaction()?;
            let rows = Rows::read(&transaction, (after, to), managers, report)?;
            seen.step(&transaction, &rows, moment, report)?;
            after = to;
        }
        Ok(seen)
    }

    fn step(
        &mut self,
        transaction: &Transaction<'_>,
        rows: &Rows,
        moment: &Moment,
        report: &mut Report<'_>,
    ) -> Result<(), VmdbError> {
        check_natives(rows, report);
        for (id, ems_id, event) in &rows.events {
            if !moment.queued.contains(id) {
                *self.counts.entry(*ems_id).or_default() += 1;
            }
            let Some(event) = event else { continue };
            let key = event.hash.event_key.clone();
            let key = key.unwrap_or_else(|| EventKey(String::new().into()));
            self.keys.push((*id, event_keys::digest_of(*ems_id, &key)));
            let runs = rows.runs.get(id).map_or(&[][..], Vec::as_slice);
            if runs::check(transaction, *id, runs, rows, &mut self.steps, report)? {
                self.to_be_continued.push(*id);
            }
            if let Some(first) = runs.first() {
                self.check_lane(*id, *ems_id, event, first.id, report);
            }
        }
        rows.check_owners(report);
        Ok(())
    }

    /// Within a lane events are decided in the order in which they came.
    fn check_lane(&mut self, id: i64, ems_id: EmsId, event: &EmsEvent, run: i64, report: &mut Report<'_>) {
        // Those of a flood wait for each other, and nobody for them.
        if Mark::of(&event.hash).is_some() || event.hash.attributes.contains_key(crate::model::flood::FLOOD) {
            return;
        }
        let Some(lane) = lane::lane_of(ems_id, &event.hash) else {
            return;
        };
        let (before, run_before) = self
            .lanes
            .insert(digest::short(&[lane.as_bytes()]), (id, run))
            .unwrap_or_default();
        if run < run_before {
            let message =
                format!("was decided before event {before} of the same lane `{lane}`, which came first");
            let help =
                "no wonder where event was unparsed and retried later; else report it with both events";
            report.add(Finding::warning(
                "LaneOrder",
                format!("event {id}"),
                message,
                help,
            ));
        }
    }
}

/// Each native event belongs to an event or to a message, and holds what came.
fn check_natives(rows: &Rows, report: &mut Report<'_>) {
    let mut owners: BTreeMap<i64, bool> = rows.messages.iter().map(|id| (*id, false)).collect();
    for (id, _, _) in &rows.events {
        if owners.insert(*id, true).is_some() {
            let message = "is saved and on the queue at once";
            report.add(Finding::error(
                "InTwoPlaces",
                format!("event {id}"),
                message,
                RESTORE,
            ));
        }
    }
    let place = |id: i64, is_event: Option<&bool>| match is_event {
        Some(true) => format!("event {id}"),
        Some(false) => format!("message {id}"),
        None => format!("native event {id}"),
    };
    for (id, native) in &rows.natives {
        let owner = owners.get(id);
        if owner.is_none() {
            let message = "belongs to no event and no message: that one is gone";
            report.add(Finding::error("Orphan", place(*id, None), message, RESTORE));
        }
        if *native == Native::Changed {
            let message = "its full_data is not what came: the digest beside it differs";
            report.add(Finding::error(
                "DigestDiffers",
                place(*id, owner),
                message,
                RESTORE,
            ));
        }
    }
    for (id, is_event) in owners.iter().filter(|(id, _)| !rows.natives.contains_key(id)) {
        let message = "its full_data is gone";
        report.add(Finding::error(
            "FullDataMissing",
            place(*id, Some(is_event)),
            message,
            RESTORE,
        ));
    }
}
