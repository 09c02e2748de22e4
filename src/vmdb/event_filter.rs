//! Which events are wanted, and where a page of them ended.

use std::fmt;
use std::str::FromStr;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::model::event::EventId;
use crate::model::event_group::EventLevel;
use crate::model::event_outcome::EventOutcome;
use crate::vmdb::StoredEvent;

/// Which events are wanted; the default is all of them.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Of this manager only.
    pub ems_id: Option<EmsId>,
    /// Of this type only.
    pub event_type: Option<String>,
    /// Of this group only.
    pub group: Option<String>,
    /// Of this level only.
    pub level: Option<EventLevel>,
    /// With this outcome only.
    pub outcome: Option<EventOutcome>,
    /// With this text in their type, or about an object with this text in its name or key.
    pub q: Option<String>,
    /// Not older, by `timestamp`, or by the time of receipt where an event has none.
    pub from: Option<Timestamp>,
    /// Older than this.
    pub to: Option<Timestamp>,
    /// About this object only: its association and its key, for example `vms` and `i-1`.
    pub target: Option<(String, String)>,
    /// Behind the end of a page: the next page.
    pub before: Option<EventCursor>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// Where a page of events ended. As text it is opaque to whoever hands it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventCursor {
    /// The time of the last event, where the page was in the order of time.
    pub(crate) time: Option<Timestamp>,
    pub(crate) id: EventId,
}

impl EventFilter {
    /// Reads an [`EventFilter::target`], `association:key`; the key may hold colons of its own.
    ///
    /// # Errors
    /// When a part is missing.
    pub fn target_of(text: &str) -> Result<(String, String), String> {
        match text.split_once(':') {
            Some((association, key)) if !association.is_empty() && !key.is_empty() => {
                Ok((association.to_owned(), key.to_owned()))
            }
            _other => Err(format!(
                "`{text}` is no target: an association and a key are expected, as in vms:vm-1"
            )),
        }
    }

    /// The end of a page that this filter chose, whose last event is `last`.
    pub fn cursor(&self, last: &StoredEvent) -> Option<EventCursor> {
        let event = &last.event;
        let time = event.hash.timestamp.unwrap_or(event.received_at);
        Some(EventCursor {
            time: self.is_by_time().then_some(time),
            id: event.id?,
        })
    }

    /// Whether a cursor is of a list in the order that this filter asks for.
    pub fn goes_on_from(&self, cursor: &EventCursor) -> bool {
        self.is_by_time() == cursor.time.is_some()
    }

    /// A span of time is shown in the order of time; events may come in another one. So is what only some events
    /// are: what is rare is found by the counts, which are in the order of time.
    pub(crate) fn is_by_time(&self) -> bool {
        let is_narrow = self.ems_id.is_some()
            || self.event_type.is_some()
            || self.group.is_some()
            || self.level.is_some()
            || self.outcome.is_some()
            || self.q.is_some();
        is_narrow || self.from.is_some() || self.to.is_some()
    }
}

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.time {
            Some(time) => write!(f, "{}.{}", time.as_microsecond(), self.id.0),
            None => write!(f, "{}", self.id.0),
        }
    }
}

impl FromStr for EventCursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no cursor of an earlier answer");
        let (time, id) = match text.split_once('.') {
            Some((time, id)) => (Some(time), id),
            None => (None, text),
        };
        let time = time.map(|time| {
            time.parse()
                .ok()
                .and_then(|time| Timestamp::from_microsecond(time).ok())
        });
        Ok(Self {
            time: match time {
                Some(time) => Some(time.ok_or_else(wrong)?),
                None => None,
            },
            id: EventId(id.parse().map_err(|_error| wrong())?),
        })
    }
}
