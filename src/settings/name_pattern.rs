//! Names and patterns of event types, as settings list them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use regex::RegexBuilder;

use crate::model::event_group::EventTypePattern;
use crate::settings::value;

/// The most that one compiled expression may take, in bytes.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// What a filter compares an event type with.
#[derive(Clone, Debug)]
enum NamePattern {
    Exact(String),
    /// Written with a star at the end.
    Prefix(String),
    /// Written between slashes.
    Regex(Regex),
}

/// The event types that a provider's catcher drops (`blacklisted_event_names`): exact names, letter case
/// included, beginnings with a star, `/expressions/`.
#[derive(Clone, Debug, Default)]
pub struct Blacklist {
    names: ahash::HashSet<String>,
    patterns: Vec<(String, NamePattern)>,
}

/// The blacklist of each type of manager that has one.
#[derive(Clone, Debug, Default)]
pub struct Blacklists(pub(crate) BTreeMap<String, Blacklist>);

impl Blacklists {
    /// What the catcher of this type of manager drops.
    pub fn of(&self, ems_type: &str) -> &Blacklist {
        static NOTHING: LazyLock<Blacklist> = LazyLock::new(Blacklist::default);
        self.0.get(ems_type).unwrap_or(&NOTHING)
    }
}

impl Blacklist {
    /// The entry, as written, that drops this event type; none where it is let through.
    pub fn matched(&self, event_type: &str) -> Option<&str> {
        let exact = self.names.get(event_type).map(String::as_str);
        exact.or_else(|| {
            let mut matching = self
                .patterns
                .iter()
                .filter(|(_, pattern)| pattern.matches(event_type));
            matching.next().map(|(written, _)| written.as_str())
        })
    }

    /// Whether it drops nothing.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.patterns.is_empty()
    }

    /// Adds an entry of the settings.
    pub(crate) fn add(&mut self, entry: &str) -> Result<(), String> {
        let written = value::text(entry)?;
        let pattern = match (regex(&written)?, written.strip_suffix('*')) {
            (Some(regex), _) => NamePattern::Regex(regex),
            (None, Some(prefix)) => NamePattern::Prefix(prefix.to_owned()),
            (None, None) => NamePattern::Exact(written.clone()),
        };
        match pattern {
            NamePattern::Exact(name) => drop(self.names.insert(name)),
            pattern => self.patterns.push((written, pattern)),
        }
        Ok(())
    }
}

impl NamePattern {
    fn matches(&self, event_type: &str) -> bool {
        match self {
            Self::Exact(name) => name == event_type,
            Self::Prefix(prefix) => event_type.starts_with(prefix),
            Self::Regex(regex) => regex.is_match(event_type),
        }
    }
}

/// An entry of an event group.
pub(crate) fn event_type_pattern(entry: &str) -> Result<EventTypePattern, String> {
    let written = value::text(entry)?;
    let regex = regex(&written)?;
    Ok(regex.map_or(EventTypePattern::Literal(written), EventTypePattern::Regex))
}

/// The expression of a `/text/` between slashes, `i` behind it for any letter case; none of any other text.
fn regex(written: &str) -> Result<Option<Regex>, String> {
    let inner = written.strip_prefix('/').and_then(|rest| {
        let any_case = rest.strip_suffix("/i").map(|inner| (inner, true));
        any_case.or_else(|| rest.strip_suffix('/').map(|inner| (inner, false)))
    });
    let Some((inner, ignores_case)) = inner else {
        return Ok(None);
    };
    let mut builder = RegexBuilder::new(inner);
    builder.case_insensitive(ignores_case).size_limit(MAX_REGEX_BYTES);
    let regex = builder.build().map_err(|error| {
        // The first lines draw the expression; the last says what is wrong.
        let error = error.to_string();
        let reason = error.lines().last().unwrap_or_default();
        format!("a regular expression ({})", reason.trim_start_matches("error: "))
    })?;
    Ok(Some(regex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blacklist_drops_exact_names_beginnings_and_matches() {
        let mut blacklist = Blacklist::default();
        for entry in [
            "vm.heartbeat",
            "debug.*",
            "/^AWS_.*_Tags$/",
            "/shout/i",
            "/",
            "*x",
        ] {
            blacklist.add(entry).unwrap();
        }
        for (event_type, expected) in [
            ("vm.heartbeat", Some("vm.heartbeat")),
            ("VM.heartbeat", None),
            ("vm.heartbeat.lost", None),
            ("debug.memory", Some("debug.*")),
            ("debug", None),
            ("AWS_Create_Tags", Some("/^AWS_.*_Tags$/")),
            ("SHOUTED", Some("/shout/i")),
            ("*x", Some("*x")),
            ("/", Some("/")),
            ("", None),
        ] {
            assert_eq!(blacklist.matched(event_type), expected, "{event_type}");
        }
        assert_eq!(
            blacklist.add("/(/").unwrap_err(),
            "a regular expression (unclosed group)"
        );
        let bomb = blacklist.add("/(a{1000}){1000}/").unwrap_err();
        assert!(bomb.starts_with("a regular expression ("), "{bomb}");
    }
}
