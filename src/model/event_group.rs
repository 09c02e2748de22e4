//! Event groups and levels: the categories of the timeline (ManageIQ's `event_handling.event_groups`).

use std::sync::Arc;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// How coarse a look at the timeline still shows the event. `Critical` means "worth showing from afar".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventLevel {
    /// Shown at the coarse zoom level.
    Critical,
    /// Between the two.
    Warning,
    /// Shown only up close; the level of everything unnamed.
    Detail,
}

impl EventLevel {
    /// The word of the settings and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Detail => "detail",
        }
    }
}

/// The group and level of one event type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupAndLevel {
    /// The key of the group, for example `power`; `other` for types that nobody named.
    pub group: Arc<str>,
    /// The level.
    pub level: EventLevel,
}

/// One entry of a group's list: a literal name or a `/regular expression/`.
#[derive(Clone, Debug)]
pub enum EventTypePattern {
    /// Exactly this event type.
    Literal(String),
    /// Any event type that matches.
    Regex(Regex),
}

/// One group with its entries, in the order of the settings.
#[derive(Clone, Debug)]
pub struct EventGroup {
    /// Its key.
    pub key: Arc<str>,
    /// Its name on the page.
    pub name: String,
    /// What belongs to it, at which level.
    pub entries: Vec<(EventLevel, EventTypePattern)>,
}

/// All groups: literal names are tried first, then expressions, each in order; the first wins (C60).
#[derive(Clone, Debug, Default)]
pub struct EventGroups {
    groups: Vec<EventGroup>,
    literals: ahash::HashMap<String, (usize, EventLevel)>,
}

impl EventGroups {
    /// Indexes `groups`; of two definitions of one name the first wins.
    pub fn new(groups: Vec<EventGroup>) -> Self {
        let mut literals = ahash::HashMap::default();
        for (index, group) in groups.iter().enumerate() {
            for (level, pattern) in &group.entries {
                if let EventTypePattern::Literal(name) = pattern {
                    literals.entry(name.clone()).or_insert((index, *level));
                }
            }
        }
        Self { groups, literals }
    }

    /// The groups in the order of the settings.
    pub fn groups(&self) -> &[EventGroup] {
        &self.groups
    }

    /// The group and level of an event type; `other` and `detail` for one that nobody named.
    pub fn classify(&self, event_type: &str) -> GroupAndLevel {
        let found = self
            .literals
            .get(event_type)
            .copied()
            .or_else(|| self.first_match(event_type));
        let named = found.and_then(|(index, level)| Some((self.groups.get(index)?, level)));
        match named {
            Some((group, level)) => GroupAndLevel {
                group: group.key.clone(),
                level,
            },
            None => GroupAndLevel {
                group: Arc::from("other"),
                level: EventLevel::Detail,
            },
        }
    }

    fn first_match(&self, event_type: &str) -> Option<(usize, EventLevel)> {
        self.groups.iter().enumerate().find_map(|(index, group)| {
            group.entries.iter().find_map(|(level, pattern)| match pattern {
                EventTypePattern::Regex(regex) if regex.is_match(event_type) => Some((index, *level)),
                EventTypePattern::Regex(_) | EventTypePattern::Literal(_) => None,
            })
        })
    }
}
