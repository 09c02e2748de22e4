//! The event groups of the settings: the core's, and every provider's joined in (ManageIQ's deep merge, in which
//! lists are put behind each other).

use std::sync::Arc;

use crate::model::event_group::EventGroup;
use crate::model::event_group::EventGroups;
use crate::model::event_group::EventLevel;
use crate::settings::name_pattern;
use crate::settings::section::Section;
use crate::settings::value;

/// Reads the core's groups, then those of each provider, in order.
pub(crate) fn read<'a>(core: Section<'a>, providers: Vec<Section<'a>>) -> EventGroups {
    let mut groups = Vec::new();
    for section in std::iter::once(core).chain(providers) {
        for key in section.keys() {
            join(&mut groups, key, section.section(key));
        }
        section.finish();
    }
    for group in &mut groups {
        // A stable sort: within a level the order of the lists stays.
        group.entries.sort_by_key(|(level, _)| *level);
    }
    EventGroups::new(groups)
}

fn join(groups: &mut Vec<EventGroup>, key: &str, section: Section<'_>) {
    let name = section.value("name", value::text);
    let levels = [EventLevel::Critical, EventLevel::Warning, EventLevel::Detail];
    let entries = levels.into_iter().flat_map(|level| {
        let patterns = section.joined(level.as_str(), name_pattern::event_type_pattern);
        patterns.into_iter().map(move |pattern| (level, pattern))
    });
    let entries: Vec<_> = entries.collect();
    section.finish();
    match groups.iter_mut().find(|group| *group.key == *key) {
        Some(group) => {
            group.entries.extend(entries);
            if let Some(name) = name {
                group.name = name;
            }
        }
        None => {
            let name = name.unwrap_or_else(|| key.to_owned());
            let key: Arc<str> = key.into();
            groups.push(EventGroup { key, name, entries });
        }
    }
}
