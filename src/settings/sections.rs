//! The sections of the settings as types, each read from its place in the tree.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::settings::Blacklist;
use crate::settings::section::Section;
use crate::settings::value;
use crate::settings::value::count;
use crate::settings::value::duration;
use crate::settings::value::positive;
use crate::settings::value::size;
use crate::settings::value::truth;

/// The longest time for which changed files may have to be quiet: they are to be live within 100 ms.
const MAX_GATHER: Duration = Duration::from_millis(50);
/// The most threads of a stage: far beyond what any machine has a use for, and few enough for every system to start.
pub(crate) const MAX_THREADS: usize = 256;
/// The most events that are asked for, committed or purged at once.
const MAX_TOGETHER: usize = 100_000;
/// The most rows, targets and events of anything that is counted: a number that everything can add to.
pub(crate) const MAX_COUNT: usize = 1_000_000_000_000;
/// How deep functions may call each other at most: what the stack of a thread holds.
const MAX_CALL_LEVELS: usize = 128;
/// The most items of a list or a map of a script.
const MAX_ITEMS: usize = 1_000_000_000;
/// The most events a minute of one resource.
const MAX_RATE: usize = 1_000_000_000;
/// The most memory of a script, and the most that a text of it takes.
const MAX_MEMORY: usize = 1 << 40;
const MAX_TEXT: usize = 1 << 30;
/// What ManageIQ takes a `keep_events` of 0 for: 6 months.
const DEFAULT_KEEP: Duration = Duration::from_secs(6 * 2_629_746);

/// `workers.worker_base.event_catcher`: how events of one type of manager are caught.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatcherSettings {
    /// The time between two requests to an events API.
    pub poll: Duration,
    /// How many events are asked for at once.
    pub ems_event_page_size: usize,
    /// How long a catcher may take to stop.
    pub ems_event_thread_shutdown_timeout: Duration,
    /// Whether equal events beyond the rate are decided together.
    pub flooding_monitor_enabled: bool,
    /// The rate, per resource and minute.
    pub flooding_events_per_minute: usize,
    /// A PEM file with the certificate authorities of an events API, in place of those that everybody knows.
    pub ca_file: Option<PathBuf>,
}

/// `workers.worker_base.event_handler`: how events are decided and saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandlerSettings {
    /// Threads that run rules, at least one.
    pub threads: usize,
    /// How many events are committed together at most.
    pub batch: usize,
}

/// `event_streams.history`: how long events are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistorySettings {
    /// How long an event is kept.
    pub keep_events: Duration,
    /// How many events are kept at most; none for any number.
    pub keep_rows: Option<usize>,
    /// How many are deleted at once.
    pub purge_window_size: usize,
}

/// `script`: what one call of a script may use before it is stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptSettings {
    /// Operations, loops included.
    pub max_operations: usize,
    /// Time on the clock.
    pub max_time: Duration,
    /// Bytes that the process may grow by meanwhile.
    pub max_memory: usize,
    /// How deep functions may call each other.
    pub max_call_levels: usize,
    /// Bytes of one text.
    pub max_string_size: usize,
    /// Items of one list.
    pub max_array_size: usize,
    /// Keys of one map.
    pub max_map_size: usize,
}

/// `reload`: when changed files are loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadSettings {
    /// How long files have to be quiet before they are loaded.
    pub gather: Duration,
}

impl CatcherSettings {
    /// Reads one catcher's settings; what it does not have is as in `base`.
    fn read(section: Section<'_>, base: &Self) -> Self {
        let Self {
            poll,
            ems_event_page_size: page,
            ems_event_thread_shutdown_timeout: stop,
            flooding_monitor_enabled: flood,
            flooding_events_per_minute: rate,
            ref ca_file,
        } = *base;
        let catcher = Self {
            poll: section.value("poll", positive).unwrap_or(poll),
            ems_event_page_size: section
                .value("ems_event_page_size", count(1..=MAX_TOGETHER))
                .unwrap_or(page),
            ems_event_thread_shutdown_timeout: section
                .value("ems_event_thread_shutdown_timeout", duration)
                .unwrap_or(stop),
            flooding_monitor_enabled: section.value("flooding_monitor_enabled", truth).unwrap_or(flood),
            flooding_events_per_minute: section
                .value("flooding_events_per_minute", count(1..=MAX_RATE))
                .unwrap_or(rate),
            ca_file: section
                .value("ca_file", value::text)
                .map_or_else(|| ca_file.clone(), |path| Some(path.into())),
        };
        section.finish();
        catcher
    }
}

impl HandlerSettings {
    pub(crate) fn read(section: Section<'_>) -> Self {
        let threads = section
            .value("threads", count(0..=MAX_THREADS))
            .and_then(NonZero::new);
        let threads = threads.or_else(|| thread::available_parallelism().ok());
        let handler = Self {
            threads: threads.map_or(1, NonZero::get),
            batch: section
                .value("batch", count(1..=MAX_TOGETHER))
                .unwrap_or_default(),
        };
        section.finish();
        handler
    }
}

impl HistorySettings {
    pub(crate) fn read(section: Section<'_>) -> Self {
        let keep = section
            .value("keep_events", duration)
            .filter(|keep| !keep.is_zero());
        let history = Self {
            keep_events: keep.unwrap_or(DEFAULT_KEEP),
            keep_rows: section
                .value("keep_rows", count(0..=MAX_COUNT))
                .filter(|rows| *rows > 0),
            purge_window_size: section
                .value("purge_window_size", count(1..=MAX_TOGETHER))
                .unwrap_or_default(),
        };
        section.finish();
        history
    }
}

impl ScriptSettings {
    pub(crate) fn read(section: Section<'_>) -> Self {
        let script = Self {
            max_operations: section
                .value("max_operations", count(1..=MAX_COUNT))
                .unwrap_or_default(),
            max_time: section.value("max_time", positive).unwrap_or_default(),
            max_memory: section
                .value("max_memory", size(1..=MAX_MEMORY))
                .unwrap_or_default(),
            max_call_levels: section
                .value("max_call_levels", count(1..=MAX_CALL_LEVELS))
                .unwrap_or_default(),
            max_string_size: section
                .value("max_string_size", size(1..=MAX_TEXT))
                .unwrap_or_default(),
            max_array_size: section
                .value("max_array_size", count(1..=MAX_ITEMS))
                .unwrap_or_default(),
            max_map_size: section
                .value("max_map_size", count(1..=MAX_ITEMS))
                .unwrap_or_default(),
        };
        section.finish();
        script
    }
}

impl ReloadSettings {
    pub(crate) fn read(section: Section<'_>) -> Self {
        let gather = section.value("gather", value::duration_up_to(MAX_GATHER));
        section.finish();
        Self {
            gather: gather.unwrap_or_default(),
        }
    }
}

/// `ems`: what each type drops, and the sections of their event groups.
pub(crate) fn read_ems(ems: Section<'_>) -> (BTreeMap<String, Blacklist>, Vec<Section<'_>>) {
    let (mut blacklists, mut groups) = (BTreeMap::new(), Vec::new());
    for key in ems.keys().into_iter().filter(|key| value::is_name(key)) {
        let section = ems.section(key);
        let mut blacklist = Blacklist::default();
        section.list("blacklisted_event_names", |entry| blacklist.add(entry));
        let event_handling = section.section("event_handling");
        groups.push(event_handling.section("event_groups"));
        event_handling.finish();
        section.finish();
        let ems_type = key.strip_prefix("ems_").unwrap_or(key);
        blacklists.insert(ems_type.to_owned(), blacklist);
    }
    ems.finish();
    (blacklists, groups)
}

/// `event_handling.task_final_events`.
pub(crate) fn read_task_final_events(section: Section<'_>) -> BTreeMap<String, Vec<String>> {
    let events = section
        .keys()
        .into_iter()
        .map(|last| (last.to_owned(), section.list(last, value::text)));
    let events = events.collect();
    section.finish();
    events
}

/// `workers.worker_base.event_catcher`: the defaults, and each type's.
pub(crate) fn read_catchers(section: Section<'_>) -> (CatcherSettings, BTreeMap<String, CatcherSettings>) {
    let defaults = CatcherSettings::read(section.section("defaults"), &CatcherSettings::default());
    let types = section.keys().into_iter().filter_map(|key| {
        Some((
            key,
            key.strip_prefix("event_catcher_")
                .filter(|name| value::is_name(name))?,
        ))
    });
    let catchers = types.map(|(key, ems_type)| {
        let catcher = CatcherSettings::read(section.section(key), &defaults);
        (ems_type.to_owned(), catcher)
    });
    let catchers = catchers.collect();
    section.finish();
    (defaults, catchers)
}
