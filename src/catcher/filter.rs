//! What the settings do not want: `blacklisted_event_names`, by exact name, prefix or expression, each counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use regex::Regex;

use crate::model::metric::Sample;

/// An entry that is no expression.
#[derive(Debug, thiserror::Error)]
#[error("`{entry}` is no regular expression")]
pub struct FilterError {
    /// As written, slashes included.
    pub entry: String,
    /// What is wrong with it.
    pub source: regex::Error,
}

/// One entry, and how often it matched.
#[derive(Debug)]
struct Entry {
    pattern: Pattern,
    written: Arc<str>,
    hits: AtomicU64,
}

#[derive(Debug)]
enum Pattern {
    Prefix(String),
    Regex(Regex),
}

/// The event names that one kind of provider does not want (C16 to C18).
#[derive(Debug, Default)]
pub struct Filter {
    exact: HashMap<Arc<str>, AtomicU64>,
    entries: Vec<Entry>,
}

impl Filter {
    /// Reads the entries of the settings: `Name`, `Prefix*` or `/expression/`. Letter case counts.
    ///
    /// # Errors
    /// When an expression cannot be read.
    pub fn new<'a>(written: impl IntoIterator<Item = &'a str>) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for text in written {
            let expression = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
            let pattern = match (expression, text.strip_suffix('*')) {
                (Some(expression), _) => {
                    Pattern::Regex(Regex::new(expression).map_err(|source| FilterError {
                        entry: text.to_owned(),
                        source,
                    })?)
                }
                (None, Some(prefix)) => Pattern::Prefix(prefix.to_owned()),
                (None, None) => {
                    filter.exact.insert(Arc::from(text), AtomicU64::new(0));
                    continue;
                }
            };
            filter.entries.push(Entry {
                pattern,
                written: Arc::from(text),
                hits: AtomicU64::new(0),
            });
        }
        Ok(filter)
    }

    /// Whether events of this type are dropped; counts it.
    pub fn drops(&self, event_type: &str) -> bool {
        let matching = |entry: &&Entry| match &entry.pattern {
            Pattern::Prefix(prefix) => event_type.starts_with(prefix.as_str()),
            Pattern::Regex(regex) => regex.is_match(event_type),
        };
        let hits = match self.exact.get(event_type) {
            Some(hits) => Some(hits),
            None => self.entries.iter().find(matching).map(|entry| &entry.hits),
        };
        if let Some(hits) = hits {
            hits.fetch_add(1, Ordering::Relaxed);
        }
        hits.is_some()
    }

    /// How often each entry matched.
    fn hits(&self) -> impl Iterator<Item = (Arc<str>, u64)> + '_ {
        let exact = self.exact.iter().map(|(name, hits)| (name.clone(), hits));
        let entries = self
            .entries
            .iter()
            .map(|entry| (entry.written.clone(), &entry.hits));
        exact
            .chain(entries)
            .map(|(name, hits)| (name, hits.load(Ordering::Relaxed)))
    }
}

/// The filters of all kinds of providers, by the folder's name.
#[derive(Clone, Debug, Default)]
pub struct Filters(Arc<HashMap<Arc<str>, Filter>>);

impl Filters {
    /// The filter of one kind of provider, where the settings have one.
    pub fn of(&self, provider: &str) -> Option<&Filter> {
        self.0.get(provider)
    }

    /// How often each entry matched.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let sample = |provider: &Arc<str>, (entry, hits)| {
            Sample::counter(
                "switchboard_blacklist_hits_total",
                "Events dropped, by entry of `blacklisted_event_names`.",
                hits,
            )
            .label("provider", provider.clone())
            .label("entry", entry)
        };
        let filters = self.0.iter();
        filters
            .flat_map(|(provider, filter)| filter.hits().map(move |hits| sample(provider, hits)))
            .collect()
    }
}

impl FromIterator<(Arc<str>, Filter)> for Filters {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Filter)>>(filters: I) -> Self {
        Self(Arc::new(filters.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_prefixes_and_expressions_are_dropped_and_counted() {
        let filter = Filter::new(["vm.ping", "debug.*", "/^x+y$/"]).unwrap();
        for (event_type, expected) in [
            ("vm.ping", true),
            ("VM.ping", false),
            ("vm.ping2", false),
            ("debug.a", true),
            ("debug", false),
            ("xxy", true),
            ("xxyz", false),
        ] {
            assert_eq!(filter.drops(event_type), expected, "{event_type}");
        }
        let mut hits: Vec<(Arc<str>, u64)> = filter.hits().collect();
        hits.sort();
        assert_eq!(
            hits,
            [
                ("/^x+y$/".into(), 1),
                ("debug.*".into(), 1),
                ("vm.ping".into(), 1)
            ]
        );
    }

    #[test]
    fn a_broken_expression_is_named() {
        let error = Filter::new(["/(/"]).unwrap_err();
        assert_eq!(error.to_string(), "`/(/` is no regular expression");
    }
}
