//! tallies: books of what came and what became of it, written in the transaction of the rows they count.
//!
//! `received = accepted + duplicate + filtered + refused` and `accepted = delivered + discarded + waiting`, where
//! the waiting, the dead among them, are the rows of the queue; `delivered - purged` are the rows of the events. A row
//! that vanishes shows as a difference.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::params;
use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::rule_figures::NewFigures;
use crate::vmdb::rule_figures::day_of;

/// Counts of one manager, on one day or altogether.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Messages that came in.
    pub received: i64,
    /// Of these, those that were new.
    pub accepted: i64,
    /// Those whose key was known.
    pub duplicate: i64,
    /// Those that a filter or a parser did not want.
    pub filtered: i64,
    /// Those that were answered with an error.
    pub refused: i64,
    /// Events saved, each with what the rules decided.
    pub delivered: i64,
    /// Messages that are given up until somebody retries them.
    pub dead: i64,
    /// Messages that somebody took off the queue.
    pub discarded: i64,
    /// Effects of the rules.
    pub effects: i64,
    /// Targets that they asked to refresh, before merging.
    pub targets: i64,
    /// Events that were purged.
    pub purged: i64,
}

impl Tally {
    /// Events that are there.
    pub fn events(&self) -> i64 {
        self.delivered - self.purged
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.accepted += other.accepted;
        self.duplicate += other.duplicate;
        self.filtered += other.filtered;
        self.refused += other.refused;
        self.delivered += other.delivered;
        self.dead += other.dead;
        self.discarded += other.discarded;
        self.effects += other.effects;
        self.targets += other.targets;
        self.purged += other.purged;
    }
}

/// What one transaction adds to the books.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    tallies: BTreeMap<EmsId, Tally>,
    /// How the rules fared.
    pub(crate) rules: NewFigures,
}

impl Books {
    pub(crate) fn of(&mut self, ems_id: EmsId) -> &mut Tally {
        self.tallies.entry(ems_id).or_default()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (ems_id, tally) in &other.tallies {
            self.of(*ems_id).add(tally);
        }
        self.rules.add(&other.rules);
    }

    /// Writes what was added: one row a manager, and one an instance that fired.
    pub(crate) fn write(&self, connection: &Connection, now: Timestamp) -> Result<(), VmdbError> {
        self.rules.write(connection, now)?;
        let day = day_of(now);
        for (ems_id, tally) in &self.tallies {
            connection
                .prepare_cached(
                    "INSERT INTO tallies VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
                     ON CONFLICT (day, ems_id) DO UPDATE SET \
                     received = received + excluded.received, accepted = accepted + excluded.accepted, \
                     duplicate = duplicate + excluded.duplicate, filtered = filtered + excluded.filtered, \
                     refused = refused + excluded.refused, delivered = delivered + excluded.delivered, \
                     dead = dead + excluded.dead, discarded = discarded + excluded.discarded, \
                     effects = effects + excluded.effects, targets = targets + excluded.targets, \
                     purged = purged + excluded.purged",
                )?
                .execute(params![
                    day,
                    ems_id.0,
                    tally.received,
                    tally.accepted,
                    tally.duplicate,
                    tally.filtered,
                    tally.refused,
                    tally.delivered,
                    tally.dead,
                    tally.discarded,
                    tally.effects,
                    tally.targets,
                    tally.purged,
                ])?;
        }
        Ok(())
    }
}

/// The books of every manager, all days together.
pub(crate) fn by_manager(connection: &Connection) -> Result<BTreeMap<EmsId, Tally>, VmdbError> {
    by_manager_in(connection, i64::MIN, i64::MAX)
}

/// The same of the days from one to another.
fn by_manager_in(connection: &Connection, from: i64, to: i64) -> Result<BTreeMap<EmsId, Tally>, VmdbError> {
    let mut query = connection.prepare_cached(
        "SELECT ems_id, sum(received), sum(accepted), sum(duplicate), sum(filtered), sum(refused), \
         sum(delivered), sum(dead), sum(discarded), sum(effects), sum(targets), sum(purged) FROM tallies \
         WHERE day BETWEEN ?1 AND ?2 GROUP BY ems_id",
    )?;
    let rows = query.query_map([from, to], |row| {
        let tally = Tally {
            received: row.get(1)?,
            accepted: row.get(2)?,
            duplicate: row.get(3)?,
            filtered: row.get(4)?,
            refused: row.get(5)?,
            delivered: row.get(6)?,
            dead: row.get(7)?,
            discarded: row.get(8)?,
            effects: row.get(9)?,
            targets: row.get(10)?,
            purged: row.get(11)?,
        };
        Ok((EmsId(row.get(0)?), tally))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

impl Vmdb {
    /// The books of every manager of one day, in days since the epoch.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn tallies_of(&self, day: i64) -> Result<BTreeMap<EmsId, Tally>, VmdbError> {
        self.read(|transaction| by_manager_in(transaction, day, day))
    }

    /// The books of every manager, all days together.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn tallies(&self) -> Result<BTreeMap<EmsId, Tally>, VmdbError> {
        self.read(|transaction| by_manager(transaction))
    }
}
