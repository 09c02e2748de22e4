//! refresh_queue, refresh_targets: what waits to be refreshed, merged: one waiting refresh per manager.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use rusqlite::params;
use serde::Deserialize;
use serde::Serialize;

use crate::crash_point::crash_point;
use crate::model::ems::EmsId;
use crate::model::event::EventId;
use crate::model::target::Target;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::request::Request;
use crate::vmdb::transaction::Transaction;

/// The number of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RefreshId(pub i64);

impl fmt::Display for RefreshId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a refresh fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefreshState {
    /// More targets can join it.
    Waiting,
    /// It runs; what comes now waits for the next one.
    Running,
    /// The inventory is saved.
    Done,
    /// It was given up.
    Failed,
    /// Its targets joined an earlier refresh that failed and waits for its next try.
    Merged,
}

impl RefreshState {
    /// Each of them.
    pub const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Merged,
    ];

    /// Its word in lists and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Merged => "merged",
        }
    }

    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Waiting => 0,
            Self::Running => 1,
            Self::Done => 2,
            Self::Failed => 3,
            Self::Merged => 4,
        }
    }

    pub(crate) fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }
}

impl FromStr for RefreshState {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == word);
        found.ok_or_else(|| {
            format!("`{word}` is no state of a refresh; waiting, running, done, failed or merged is expected")
        })
    }
}

/// What somebody wants refreshed of one manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshRequest {
    /// Whose inventory.
    pub ems_id: EmsId,
    /// Which objects of it.
    pub targets: Vec<Target>,
    /// Set: all of it, and why.
    pub full: Option<String>,
}

impl Vmdb {
    /// Asks for a refresh that no event asks for.
    pub fn queue_refresh(&self, refresh: &RefreshRequest) -> Request<RefreshId> {
        match Wanted::new(refresh) {
            Ok(wanted) => self.request(1, move |transaction| {
                let mut merge = Merge::default();
                let id = merge.add(transaction, None, &wanted)?;
                merge.write(transaction)?;
                transaction.news.has_refreshes = true;
                // Whoever asks by hand does not want to wait for the end of a pause.
                transaction.execute(
                    "UPDATE refresh_queue SET due = NULL, joined_at = 0 WHERE id = ?1",
                    [id.0],
                )?;
                Ok(id)
            }),
            Err(error) => self.refused_request(error),
        }
    }
}

/// A request in the form of its rows.
pub(crate) struct Wanted {
    pub(crate) ems_id: EmsId,
    pub(crate) full: Option<String>,
    pub(crate) targets: Vec<WantedTarget>,
}

pub(crate) struct WantedTarget {
    association: String,
    manager_ref: String,
    options: Option<String>,
}

impl Wanted {
    pub(crate) fn new(refresh: &RefreshRequest) -> Result<Self, VmdbError> {
        let target = |target: &Target| {
            let options = target.options.as_ref();
            Ok(WantedTarget {
                association: target.association.to_string(),
                manager_ref: codec::to_json("a target", &target.manager_ref)?,
                options: options
                    .map(|options| codec::to_json("options", options))
                    .transpose()?,
            })
        };
        Ok(Self {
            ems_id: refresh.ems_id,
            full: refresh.full.clone(),
            targets: refresh
                .targets
                .iter()
                .map(target)
                .collect::<Result<_, VmdbError>>()?,
        })
    }
}

/// The requests of one batch, merged in memory before a table is touched: many events ask for the same object.
#[derive(Default)]
pub(crate) struct Merge<'a> {
    waiting: BTreeMap<EmsId, RefreshId>,
    full: BTreeMap<RefreshId, &'a str>,
    targets: BTreeMap<(RefreshId, &'a str, &'a str), Merged<'a>>,
    events: Vec<(EventId, RefreshId)>,
}

struct Merged<'a> {
    options: Option<&'a str>,
    requests: i64,
    first_event: Option<EventId>,
    last_event: Option<EventId>,
}

impl<'a> Merge<'a> {
    /// Joins a request to the waiting refresh of its manager, which begins to wait where there is none.
    pub(crate) fn add(
        &mut self,
        transaction: &mut Transaction<'_>,
        event: Option<EventId>,
        wanted: &'a Wanted,
    ) -> Result<RefreshId, VmdbError> {
        let id = match self.waiting.get(&wanted.ems_id) {
            Some(id) => *id,
            None => {
                let id = waiting(transaction, wanted.ems_id)?;
                self.waiting.insert(wanted.ems_id, id);
                id
            }
        };
        if let Some(reason) = &wanted.full {
            self.full.entry(id).or_insert(reason);
        }
        for target in &wanted.targets {
            let merged = self
                .targets
                .entry((id, &target.association, &target.manager_ref))
                .or_insert(Merged {
                    options: None,
                    requests: 0,
                    first_event: event,
                    last_event: event,
                });
            merged.requests += 1;
            merged.last_event = event.or(merged.last_event);
            merged.options = merged.options.or(target.options.as_deref());
        }
        if let Some(event) = event.filter(|event| self.events.last() != Some(&(*event, id))) {
            self.events.push((event, id));
        }
        Ok(id)
    }

    /// Whether nobody asked for anything.
    #[cfg(feature = "crash-points")]
    pub(crate) fn is_empty(&self) -> bool {
        self.full.is_empty() && self.targets.is_empty()
    }

    /// Writes what was merged.
    pub(crate) fn write(&self, transaction: &mut Transaction<'_>) -> Result<(), VmdbError> {
        for id in self.waiting.values() {
            transaction.execute(
                "UPDATE refresh_queue SET joined_at = ?2 WHERE id = ?1",
                params![id.0, transaction.now.as_microsecond()],
            )?;
        }
        for (id, reason) in &self.full {
            transaction.execute(
                "UPDATE refresh_queue SET full_reason = ifnull(full_reason, ?2) WHERE id = ?1",
                params![id.0, reason],
            )?;
            crash_point!("refresh.full_requested");
        }
        for ((id, association, manager_ref), merged) in &self.targets {
            transaction.execute_held(
                "INSERT INTO refresh_targets \
                 (refresh_id, association, manager_ref, options, requests, first_event, last_event) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT (refresh_id, association, manager_ref) DO UPDATE SET \
                 options = ifnull(options, excluded.options), requests = requests + excluded.requests, \
                 first_event = ifnull(first_event, excluded.first_event), \
                 last_event = ifnull(excluded.last_event, last_event)",
                params![
                    id.0,
                    association,
                    manager_ref,
                    merged.options,
                    merged.requests,
                    merged.first_event.map(|event| event.0),
                    merged.last_event.map(|event| event.0),
                ],
            )?;
        }
        for (event, id) in &self.events {
            transaction.execute_held(
                "INSERT OR IGNORE INTO event_refreshes (event_id, refresh_id) VALUES (?1, ?2)",
                params![event.0, id.0],
            )?;
        }
        Ok(())
    }
}

/// The waiting refresh of a manager, which begins to wait where there is none. Only a new one is news: what joins
/// another one lets it begin no sooner.
fn waiting(transaction: &mut Transaction<'_>, ems_id: EmsId) -> Result<RefreshId, VmdbError> {
    let found = transaction.first(
        "SELECT id FROM refresh_queue WHERE ems_id = ?1 AND state = 0",
        [ems_id.0],
        |row| Ok(RefreshId(row.get(0)?)),
    )?;
    if let Some(id) = found {
        return Ok(id);
    }
    transaction.execute(
        "INSERT INTO refresh_queue (ems_id, state, requested_at, attempts) VALUES (?1, 0, ?2, 0)",
        params![ems_id.0, transaction.now.as_microsecond()],
    )?;
    transaction.news.has_refreshes = true;
    Ok(RefreshId(transaction.connection.last_insert_rowid()))
}
