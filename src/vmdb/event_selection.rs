//! A filter of events as SQL: over the events, and over their counts.

use rusqlite::Connection;
use rusqlite::types::Value as Parameter;

use crate::model::json::json;
use crate::model::relation::RELATIONS;
use crate::model::target::ManagerRef;
use crate::vmdb::EventFilter;
use crate::vmdb::VmdbError;
use crate::vmdb::digest_index;
use crate::vmdb::event_refs;

/// When an event happened, or was received where it does not say; the index is over the same words.
pub(crate) const TIME: &str = "ifnull(e.timestamp, e.received_at)";
/// Objects that a searched text may name; one that names more is too short to mean one of them.
const NAMED: i64 = 200;

/// A filter with what it means in this database.
pub(crate) struct Selection<'a> {
    pub(crate) filter: &'a EventFilter,
    /// The events about its target.
    pub(crate) about: Option<Vec<i64>>,
    /// What its text means.
    pub(crate) sought: Option<Sought>,
    /// Types that are not wanted.
    but: Option<String>,
}

/// What a searched text means.
pub(crate) struct Sought {
    /// Event types that hold it.
    types: String,
    /// Events about objects that it names.
    pub(crate) events: Vec<i64>,
}

/// Conditions, joined by `AND`, and what their numbers stand for.
#[derive(Default)]
pub(crate) struct Conditions {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<Parameter>,
}

impl Conditions {
    /// Adds a condition, in which `?` stands for the value.
    pub(crate) fn and(&mut self, condition: &str, value: impl Into<Parameter>) {
        let number = self.number(value);
        self.also(&condition.replace('?', &number));
    }

    /// The number that stands for a value.
    pub(crate) fn number(&mut self, value: impl Into<Parameter>) -> String {
        self.parameters.push(value.into());
        format!("?{}", self.parameters.len())
    }

    /// Adds a condition that stands for itself.
    pub(crate) fn also(&mut self, condition: &str) {
        self.sql
            .push_str(if self.sql.is_empty() { "WHERE " } else { " AND " });
        self.sql.push_str(condition);
    }
}

impl<'a> Selection<'a> {
    /// Looks up what the filter means; `connection` is within a transaction.
    pub(crate) fn new(connection: &Connection, filter: &'a EventFilter) -> Result<Self, VmdbError> {
        let about = filter.target.as_ref().map(|(association, reference)| {
            let digest = event_refs::digest_of(association, reference);
            digest_index::find(connection, event_refs::TABLES, digest)
        });
        let sought = filter.q.as_ref().map(|text| Sought::find(connection, text));
        Ok(Self {
            filter,
            about: about.transpose()?,
            sought: sought.transpose()?,
            but: None,
        })
    }

    /// Whether the counts know all that the filter asks for.
    pub(crate) fn is_counted(&self) -> bool {
        self.about.is_none()
    }

    /// Whether only some events of a span are wanted, so that looking where they are pays.
    pub(crate) fn is_narrow(&self) -> bool {
        let filter = self.filter;
        self.is_counted()
            && (filter.ems_id.is_some()
                || filter.event_type.is_some()
                || filter.group.is_some()
                || filter.level.is_some()
                || filter.outcome.is_some()
                || self.sought.is_some())
    }

    /// Of the events `e`; with a text and without a target, only those that [`Selection::named`] leaves.
    pub(crate) fn of_rows(&self) -> Conditions {
        let filter = self.filter;
        let mut all = Conditions::default();
        if let Some(ems_id) = filter.ems_id {
            all.and("e.ems_id = ?", ems_id.0);
        }
        if let Some(event_type) = &filter.event_type {
            all.and("e.event_type = ?", event_type.clone());
        }
        if let Some(group) = &filter.group {
            all.and("e.group_name = ?", group.clone());
        }
        if let Some(level) = filter.level {
            all.and("e.level = ?", level.as_str().to_owned());
        }
        if let Some(outcome) = filter.outcome {
            all.and("e.outcome = ?", outcome.number());
        }
        if let Some(events) = &self.about {
            all.and(
                "e.id IN (SELECT value FROM json_each(?))",
                json!(events).to_string(),
            );
        }
        if let Some(types) = &self.but {
            let types = all.number(types.clone());
            all.also(&format!(
                "e.event_type NOT IN (SELECT value FROM json_each({types}))"
            ));
        }
        if let Some(sought) = &self.sought {
            let types = all.number(sought.types.clone());
            let of_type = format!("e.event_type IN (SELECT value FROM json_each({types}))");
            // Where the events are given, what their types say of a text is one of two ways to be wanted.
            match &self.about {
                None => all.also(&of_type),
                Some(_) => {
                    let events = all.number(json!(sought.events).to_string());
                    let about = format!("e.id IN (SELECT value FROM json_each({events}))");
                    all.also(&format!("({of_type} OR {about})"));
                }
            }
        }
        all
    }

    /// Of counts `c` of kinds `k`.
    pub(crate) fn of_counts(&self) -> Conditions {
        let filter = self.filter;
        let mut all = Conditions::default();
        if let Some(ems_id) = filter.ems_id {
            all.and("c.ems_id = ?", ems_id.0);
        }
        if let Some(event_type) = &filter.event_type {
            all.and("k.event_type = ?", event_type.clone());
        }
        if let Some(group) = &filter.group {
            all.and("k.group_name = ?", group.clone());
        }
        if let Some(level) = filter.level {
            all.and("k.level = ?", level.as_str().to_owned());
        }
        if let Some(outcome) = filter.outcome {
            all.and("c.outcome = ?", outcome.number());
        }
        if let Some(sought) = &self.sought {
            all.and(
                "k.event_type IN (SELECT value FROM json_each(?))",
                sought.types.clone(),
            );
        }
        all
    }

    /// Those of the wanted events that a text names by their objects alone, which the counts do not know: the rest of
    /// what [`Selection::of_rows`] wants.
    pub(crate) fn named(&self) -> Option<Self> {
        let sought = self.sought.as_ref().filter(|_| self.about.is_none())?;
        let is_named = !sought.events.is_empty();
        is_named.then(|| Self {
            filter: self.filter,
            about: Some(sought.events.clone()),
            sought: None,
            but: Some(sought.types.clone()),
        })
    }
}

impl Sought {
    fn find(connection: &Connection, text: &str) -> Result<Self, VmdbError> {
        let pattern = format!("%{}%", like(text));
        let mut query = connection.prepare_cached(
            "SELECT DISTINCT event_type FROM event_kinds WHERE event_type LIKE ?1 ESCAPE '\\'",
        )?;
        let types = query.query_map([&pattern], |row| row.get::<_, String>(0))?;
        let types = types.collect::<Result<Vec<_>, _>>()?;
        // A key that no refresh has brought yet is found where it is said as it is.
        let mut named: Vec<(String, String)> = RELATIONS
            .iter()
            .filter_map(|relation| relation.associations.first())
            .map(|association| ((*association).to_owned(), text.to_owned()))
            .collect();
        named.sort_unstable();
        named.dedup();
        let mut query = connection.prepare_cached(
            "SELECT association, manager_ref FROM inventory_objects \
             WHERE name LIKE ?1 ESCAPE '\\' OR manager_ref LIKE ?1 ESCAPE '\\' ORDER BY id DESC LIMIT ?2",
        )?;
        let mut rows = query.query(rusqlite::params![pattern, NAMED])?;
        while let Some(row) = rows.next()? {
            let association: String = row.get(0)?;
            let keys: ManagerRef = serde_json::from_str(&row.get::<_, String>(1)?)
                .map_err(|error| VmdbError::unreadable("a key of the inventory", error))?;
            named.extend(keys.0.values().map(|key| (association.clone(), key.to_string())));
        }
        let mut events = Vec::new();
        for (association, reference) in named {
            let digest = event_refs::digest_of(&association, &reference);
            events.extend(digest_index::find(connection, event_refs::TABLES, digest)?);
        }
        events.sort_unstable();
        events.dedup();
        Ok(Self {
            types: json!(types).to_string(),
            events,
        })
    }
}

/// A text as a part of a pattern.
pub(crate) fn like(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
