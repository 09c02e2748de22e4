//! The books against the rows: what the tallies say came and what became of it, and what is there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use ahash::HashSet;
use rusqlite::Connection;

use crate::model::ems::EmsId;
use crate::vmdb::MessageKind;
use crate::vmdb::MessageState;
use crate::vmdb::Tally;
use crate::vmdb::VmdbError;
use crate::vmdb::audit::finding::Finding;
use crate::vmdb::audit::finding::RESTORE;
use crate::vmdb::audit::finding::Report;
use crate::vmdb::tallies;

/// The books and the queue at one moment. The events of that moment are counted afterwards, in short steps: they
/// are those up to `last_id` that were not on the queue then. So a check of any length holds up no checkpoint. What is
/// purged between the moment and its step is missing from the count: whether it is lost, [`count_events`] says.
#[derive(Debug, Default)]
pub(crate) struct Moment {
    /// The greatest number of a message or an event.
    pub(crate) last_id: i64,
    /// The messages that were to become events.
    pub(crate) queued: HashSet<i64>,
    tallies: BTreeMap<EmsId, Tally>,
    names: BTreeMap<EmsId, String>,
    waiting: BTreeMap<EmsId, i64>,
    dead: BTreeMap<EmsId, i64>,
}

impl Moment {
    /// Takes down one moment; `connection` is within a transaction.
    pub(crate) fn take(connection: &Connection) -> Result<Self, VmdbError> {
        let mut moment = Self {
            tallies: tallies::by_manager(connection)?,
            ..Self::default()
        };
        let mut query = connection.prepare("SELECT id, name FROM ext_management_systems")?;
        let rows = query.query_map([], |row| Ok((EmsId(row.get(0)?), row.get(1)?)))?;
        moment.names = rows.collect::<Result<_, _>>()?;
        let mut query = connection.prepare("SELECT id, ems_id, kind, state FROM miq_queue")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (id, ems_id, kind, state): (i64, _, i64, i64) =
                (row.get(0)?, EmsId(row.get(1)?), row.get(2)?, row.get(3)?);
            if kind != MessageKind::Deliver.number() {
                moment.queued.insert(id);
                *moment.waiting.entry(ems_id).or_default() += 1;
            }
            if state == MessageState::Dead.number() {
                *moment.dead.entry(ems_id).or_default() += 1;
            }
        }
        moment.last_id = connection.query_row(
            "SELECT max(ifnull((SELECT max(id) FROM miq_queue), 0), ifnull((SELECT max(id) FROM event_streams), 0), \
             ifnull((SELECT max(id) FROM native_events), 0))",
            [],
            |row| row.get(0),
        )?;
        Ok(moment)
    }

    /// Whether the books have as many events as were counted.
    pub(crate) fn knows(&self, events: &BTreeMap<EmsId, i64>) -> bool {
        let mut managers = self.tallies.keys().chain(events.keys());
        let booked = |ems_id: &EmsId| self.tallies.get(ems_id).map_or(0, Tally::events);
        let counted = |ems_id: &EmsId| events.get(ems_id).copied().unwrap_or(0);
        managers.all(|ems_id| booked(ems_id) == counted(ems_id))
    }

    /// Checks the books against `events`, which were counted.
    pub(crate) fn check(&self, events: &BTreeMap<EmsId, i64>, report: &mut Report<'_>) {
        let managers = self
            .tallies
            .keys()
            .chain(self.waiting.keys())
            .chain(events.keys());
        for ems_id in BTreeSet::from_iter(managers) {
            let tally = self.tallies.get(ems_id).copied().unwrap_or_default();
            let of = |counts: &BTreeMap<EmsId, i64>| counts.get(ems_id).copied().unwrap_or(0);
            let place = match self.names.get(ems_id) {
                Some(name) => format!("the books of {name}"),
                None => format!("the books of manager {ems_id}"),
            };
            let mut compare = |what: &str, booked: i64, found: i64| {
                if booked != found {
                    let message = format!(
                        "{what}: {booked} by the books, {found} found, {}",
                        gap(booked, found)
                    );
                    report.add(Finding::error("BooksDiffer", place.clone(), message, RESTORE));
                }
            };
            let (waiting, events) = (of(&self.waiting), of(events));
            compare("events = delivered - purged", tally.events(), events);
            compare("dead messages", tally.dead, of(&self.dead));
            let went = tally.delivered + tally.discarded + waiting;
            compare("accepted = delivered + discarded + waiting", tally.accepted, went);
            let came = tally.accepted + tally.duplicate + tally.filtered + tally.refused;
            compare(
                "received = accepted + duplicate + filtered + refused",
                tally.received,
                came,
            );
        }
    }
}

/// Counts the events that are not on the queue, too, in one go.
pub(crate) fn count_events(connection: &Connection) -> Result<BTreeMap<EmsId, i64>, VmdbError> {
    let sql = "SELECT ems_id, count(*) FROM event_streams e \
               WHERE NOT EXISTS (SELECT 1 FROM miq_queue q WHERE q.id = e.id AND q.kind <> 2) GROUP BY ems_id";
    let mut query = connection.prepare(sql)?;
    let counts = query.query_map([], |row| Ok((EmsId(row.get(0)?), row.get(1)?)))?;
    Ok(counts.collect::<Result<_, _>>()?)
}

fn gap(booked: i64, found: i64) -> String {
    match booked - found {
        missing if missing > 0 => format!("{missing} missing"),
        more => format!("{} too many", -more),
    }
}
