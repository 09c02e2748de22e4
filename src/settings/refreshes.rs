//! `ems_refresh`: how inventory is refreshed, for all types of managers and for each.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::settings::section::Section;
use crate::settings::sections::MAX_COUNT;
use crate::settings::value;
use crate::settings::value::count;
use crate::settings::value::duration;
use crate::settings::value::positive;
use crate::settings::value::truth;

/// `ems_refresh`: how inventory of one type of manager is refreshed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefreshSettings {
    /// How often everything is read again; none for never.
    pub refresh_interval: Option<Duration>,
    /// Whether single objects may be refreshed.
    pub allow_targeted_refresh: bool,
    /// Whether the provider keeps inventory up to date by itself.
    pub streaming_refresh: bool,
    /// The pause after a first failure; it doubles from failure to failure.
    pub retry_pause: Duration,
}

/// `ems_refresh`: how targets are gathered, whatever the type of manager.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatherSettings {
    /// From so many distinct targets on, everything is read.
    pub full_refresh_threshold: usize,
    /// A manager that was just refreshed is refreshed again once nothing was asked for during this time ...
    pub gather: Duration,
    /// ... and at the latest after this one.
    pub gather_most: Duration,
}

impl RefreshSettings {
    fn read(section: &Section<'_>, base: &Self) -> Self {
        let interval = section.value("refresh_interval", duration);
        let targeted = section.value("allow_targeted_refresh", truth);
        let streaming = section.value("streaming_refresh", truth);
        let not_never = |interval: Duration| (!interval.is_zero()).then_some(interval);
        Self {
            refresh_interval: interval.map_or(base.refresh_interval, not_never),
            allow_targeted_refresh: targeted.unwrap_or(base.allow_targeted_refresh),
            streaming_refresh: streaming.unwrap_or(base.streaming_refresh),
            retry_pause: section.value("retry_pause", positive).unwrap_or(base.retry_pause),
        }
    }
}

/// `ems_refresh`: how targets are gathered, what holds for all types, and each type's.
pub(crate) fn read(
    section: Section<'_>,
) -> (GatherSettings, RefreshSettings, BTreeMap<String, RefreshSettings>) {
    let gather = GatherSettings {
        full_refresh_threshold: section
            .value("full_refresh_threshold", count(0..=MAX_COUNT))
            .unwrap_or_default(),
        gather: section.value("gather", duration).unwrap_or_default(),
        gather_most: section.value("gather_most", duration).unwrap_or_default(),
    };
    let all = RefreshSettings::read(&section, &RefreshSettings::default());
    let types = section
        .keys()
        .into_iter()
        .filter(|key| section.has_section(key) && value::is_name(key));
    let refreshes = types.map(|ems_type| {
        let section = section.section(ems_type);
        let refresh = RefreshSettings::read(&section, &all);
        section.finish();
        (ems_type.to_owned(), refresh)
    });
    let refreshes = refreshes.collect();
    section.finish();
    (gather, all, refreshes)
}
