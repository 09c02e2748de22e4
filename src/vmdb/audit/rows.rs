//! The rows about a range of numbers, read within one transaction.

use std::collections::BTreeMap;

use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

use crate::model::ems::EmsId;
use crate::model::event::EmsEvent;
use crate::model::event::FullData;
use crate::vmdb::MessageKind;
use crate::vmdb::VmdbError;
use crate::vmdb::audit::finding::Finding;
use crate::vmdb::audit::finding::RESTORE;
use crate::vmdb::audit::finding::Report;
use crate::vmdb::codec;
use crate::vmdb::digest;
use crate::vmdb::ems_names::Managers;
use crate::vmdb::event_streams;

/// Whether a native event is as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Native {
    AsItCame,
    Changed,
}

/// A row of `deliveries`.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: i64,
    pub(crate) state: String,
    pub(crate) trace: String,
    pub(crate) effects: Option<String>,
}

/// What the tables hold about the numbers of a range.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// None for one that cannot be read.
    pub(crate) events: Vec<(i64, EmsId, Option<EmsEvent>)>,
    /// Messages that are to become events.
    pub(crate) messages: Vec<i64>,
    pub(crate) natives: BTreeMap<i64, Native>,
    /// In order, by event.
    pub(crate) runs: BTreeMap<i64, Vec<Run>>,
    /// How many entries of the outbox an event has.
    pub(crate) outbox: BTreeMap<i64, usize>,
    /// How many refreshes an event asked for, and how many of those are there.
    pub(crate) refreshes: BTreeMap<i64, (usize, usize)>,
}

type Range = (i64, i64);

impl Rows {
    /// Reads what is about the numbers behind `range.0`, up to `range.1`.
    pub(crate) fn read(
        transaction: &Transaction<'_>,
        range: Range,
        managers: &Managers,
        report: &mut Report<'_>,
    ) -> Result<Self, VmdbError> {
        let mut rows = Self::default();
        let columns = event_streams::COLUMNS;
        let sql =
            format!("SELECT {columns} FROM event_streams e WHERE e.id > ?1 AND e.id <= ?2 ORDER BY e.id");
        each(transaction, &sql, range, |row| {
            let (id, ems_id) = (row.get(0)?, EmsId(row.get(1)?));
            let event = event_streams::read(row, managers);
            let event = event.map_err(|error| unreadable(format!("event {id}"), &error, report));
            rows.events
                .push((id, ems_id, event.ok().map(|stored| stored.event)));
            Ok(())
        })?;
        let sql = "SELECT id, kind, payload FROM miq_queue WHERE id > ?1 AND id <= ?2 AND kind <> 2";
        each(transaction, sql, range, |row| {
            let id = row.get(0)?;
            rows.messages.push(id);
            if row.get::<_, i64>(1)? == MessageKind::Add.number() {
                let payload = row.get_ref(2)?.as_bytes().unwrap_or_default();
                let read = codec::read_hash(&String::from_utf8_lossy(payload), FullData::new(""));
                if let Err(error) = read {
                    unreadable(format!("message {id}"), &error, report);
                }
            }
            Ok(())
        })?;
        let sql = "SELECT id, digest, full_data FROM native_events WHERE id > ?1 AND id <= ?2";
        each(transaction, sql, range, |row| {
            // As bytes: what was changed need not be UTF-8 any more, nor even a text.
            let kept = row.get_ref(1)?.as_bytes().unwrap_or_default();
            let found = digest::of_bytes(row.get_ref(2)?.as_bytes().unwrap_or_default());
            let native = if kept == found {
                Native::AsItCame
            } else {
                Native::Changed
            };
            rows.natives.insert(row.get(0)?, native);
            Ok(())
        })?;
        rows.read_what_follows(transaction, range, report)?;
        Ok(rows)
    }

    fn read_what_follows(
        &mut self,
        transaction: &Transaction<'_>,
        range: Range,
        report: &mut Report<'_>,
    ) -> Result<(), VmdbError> {
        let sql = "SELECT event_id, id, state, trace, effects FROM deliveries \
                   WHERE event_id > ?1 AND event_id <= ?2 ORDER BY event_id, id";
        each(transaction, sql, range, |row| {
            let event: i64 = row.get(0)?;
            let run = || -> rusqlite::Result<Run> {
                Ok(Run {
                    id: row.get(1)?,
                    state: row.get(2)?,
                    trace: row.get(3)?,
                    effects: row.get(4)?,
                })
            };
            match run() {
                Ok(run) => self.runs.entry(event).or_default().push(run),
                Err(error) => unreadable(format!("a decision about event {event}"), &error, report),
            }
            Ok(())
        })?;
        let sql =
            "SELECT event_id, count(*) FROM outbox WHERE event_id > ?1 AND event_id <= ?2 GROUP BY event_id";
        each(transaction, sql, range, |row| {
            self.outbox.insert(row.get(0)?, row.get(1)?);
            Ok(())
        })?;
        let sql = "SELECT r.event_id, count(*), count(q.id) FROM event_refreshes r \
                   LEFT JOIN refresh_queue q ON q.id = r.refresh_id \
                   WHERE r.event_id > ?1 AND r.event_id <= ?2 GROUP BY r.event_id";
        each(transaction, sql, range, |row| {
            self.refreshes.insert(row.get(0)?, (row.get(1)?, row.get(2)?));
            Ok(())
        })
    }

    /// What follows from an event has one.
    pub(crate) fn check_owners(&self, report: &mut Report<'_>) {
        let has_event = |id: &i64| self.events.binary_search_by_key(id, |(id, _, _)| *id).is_ok();
        let dependents = [
            ("a decision", self.runs.keys().collect::<Vec<_>>()),
            ("an entry of the outbox", self.outbox.keys().collect()),
            ("a link to a refresh", self.refreshes.keys().collect()),
        ];
        for (what, events) in dependents {
            for id in events.into_iter().filter(|id| !has_event(id)) {
                let message = format!("is gone, and there is {what} of it");
                report.add(Finding::error("Orphan", format!("event {id}"), message, RESTORE));
            }
        }
    }
}

fn each(
    transaction: &Transaction<'_>,
    sql: &str,
    range: Range,
    mut take: impl FnMut(&Row<'_>) -> Result<(), VmdbError>,
) -> Result<(), VmdbError> {
    let mut query = transaction.prepare_cached(sql)?;
    let mut rows = query.query(params![range.0, range.1])?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}

pub(crate) fn unreadable(place: String, error: &dyn std::error::Error, report: &mut Report<'_>) {
    let cause = error
        .source()
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    let message = format!("does not hold what this program writes: {error}{cause}");
    report.add(Finding::error("Unreadable", place, message, RESTORE));
}
