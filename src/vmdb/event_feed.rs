//! Events in the order of their commits: for those who follow along and must not miss one.
//!
//! An event gets its number when it comes in, and one with a greater number may be saved before it. Its first
//! delivery is written with it and numbered by the one writer, so that number is its place in the order of commits.

use std::fmt;
use std::str::FromStr;

use tokio::sync::watch;

use crate::vmdb::StoredEvent;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::event_streams;

/// A place in the order of commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedPosition(pub(crate) i64);

impl fmt::Display for FeedPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for FeedPosition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let position = text.trim().parse().ok().filter(|position| 0 <= *position);
        position
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no id of an earlier event of the stream"))
    }
}

impl Vmdb {
    /// How far the commits of this process have got; changes with every commit that saved an event.
    pub fn commits(&self) -> watch::Receiver<FeedPosition> {
        self.shared().commits()
    }

    /// How far the commits have got, whoever made them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn feed_position(&self) -> Result<FeedPosition, VmdbError> {
        let last: Option<i64> = self.read(|transaction| {
            Ok(transaction.query_row("SELECT max(id) FROM deliveries", [], |row| row.get(0))?)
        })?;
        Ok(FeedPosition(last.unwrap_or(0)))
    }

    /// The events that were saved behind a place, without `full_data`, at most so many, in the order of their
    /// commits. A later run of the rules over an event does not bring it again.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn events_since(
        &self,
        after: FeedPosition,
        most: usize,
    ) -> Result<Vec<(FeedPosition, StoredEvent)>, VmdbError> {
        let managers = self.managers()?;
        self.read(|transaction| {
            let mut query = transaction.prepare_cached(&format!(
                "SELECT {}, '', d.id FROM deliveries d CROSS JOIN event_streams e ON e.id = d.event_id \
                 WHERE d.id > ?1 AND NOT EXISTS \
                 (SELECT 1 FROM deliveries f WHERE f.event_id = d.event_id AND f.id < d.id) \
                 ORDER BY d.id LIMIT ?2",
                event_streams::COLUMNS
            ))?;
            let mut rows = query.query([after.0, i64::try_from(most).unwrap_or(-1)])?;
            let mut events = Vec::new();
            while let Some(row) = rows.next()? {
                let position = FeedPosition(row.get(event_streams::COLUMN_COUNT + 1)?);
                events.push((position, event_streams::read(row, &managers)?));
            }
            Ok(events)
        })
    }
}
