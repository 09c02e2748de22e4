//! Settings: the compiled-in defaults, then the settings file, then the environment; the guide's own tree.
//!
//! Whatever is wrong is a diagnostic, and the default stands in. Knows nothing of who uses a setting.

mod active;
mod database;
mod effective;
mod environment;
mod event_groups;
mod name_pattern;
mod outbox;
mod secret;
mod section;
mod sections;
mod tree;
mod value;
mod web;

pub use active::ActiveSettings;
pub use database::DatabaseSettings;
pub use effective::effective_text;
pub use environment::Environment;
pub use name_pattern::Blacklist;
pub use name_pattern::Blacklists;
pub use outbox::CommandSettings;
pub use outbox::EmailSettings;
pub use outbox::OutboxSettings;
pub use outbox::RelaySecurity;
pub use secret::Secret;
pub use secret::SecretError;
pub use sections::CatcherSettings;
pub use sections::GatherSettings;
pub use sections::HandlerSettings;
pub use sections::HistorySettings;
pub use sections::RefreshSettings;
pub use sections::ReloadSettings;
pub use sections::ScriptSettings;
pub(crate) use value::duration_of;
pub use web::WebSettings;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::model::event_group::EventGroups;
use crate::settings::section::Origin;
use crate::settings::section::Report;
use crate::settings::section::Section;
use crate::source::Diagnostic;

/// Every setting with its default and its comment.
const DEFAULT: &str = include_str!("default.yml");
/// The longest settings file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// All settings. What is told for one kind of manager is asked for by its type, for example `awesome_cloud`.
#[derive(Clone, Debug)]
pub struct Settings {
    blacklists: Arc<Blacklists>,
    event_groups: EventGroups,
    task_final_events: BTreeMap<String, Vec<String>>,
    catcher: CatcherSettings,
    catchers: BTreeMap<String, CatcherSettings>,
    refresh: RefreshSettings,
    refreshes: BTreeMap<String, RefreshSettings>,
    /// `event_streams.history`: how long events are kept.
    pub history: HistorySettings,
    /// `workers.worker_base.event_handler`.
    pub handler: HandlerSettings,
    /// `ems_refresh`: how targets are gathered.
    pub refresh_gather: GatherSettings,
    /// `database`: how the database is looked after.
    pub database: DatabaseSettings,
    /// `web`: the HTTP server.
    pub web: WebSettings,
    /// `outbox`: how outside effects are sent.
    pub outbox: OutboxSettings,
    /// `script`: what a call of a script may use.
    pub script: ScriptSettings,
    /// `reload`: when changed files are loaded.
    pub reload: ReloadSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self::parse(&"default.yml".into(), "", &Environment::default()).0
    }
}

impl Settings {
    /// Reads the settings file, none where the site has none, and the environment. Everything that is wrong is
    /// told with its place; of what cannot be used the default counts.
    pub fn load(path: Option<&Path>, environment: &Environment) -> (Self, Vec<Diagnostic>) {
        let Some(path) = path else {
            return Self::parse(&"settings.yml".into(), "", environment);
        };
        let file: Arc<str> = name_for_people(path).into();
        match read(path) {
            Ok(text) => Self::parse(&file, &text, environment),
            Err(error) => {
                let (settings, mut findings) = Self::parse(&file, "", environment);
                let message = format!("cannot read the settings file `{}`: {error}", path.display());
                let finding = Diagnostic::error("Unreadable", &file, message);
                findings.insert(0, finding.help("all settings have their defaults"));
                (settings, findings)
            }
        }
    }

    /// The settings that `text` makes of the defaults; `file` is its name in diagnostics.
    pub fn parse(file: &Arc<str>, text: &str, environment: &Environment) -> (Self, Vec<Diagnostic>) {
        let report = Report::new(file, text);
        let default = tree::parse(&"default.yml".into(), DEFAULT, &report);
        let site = tree::parse(file, text, &report);
        let (variables, findings) = environment.layer(&[&default, &site]);
        findings.into_iter().for_each(|finding| report.push(finding));
        let layers = vec![
            (Origin::Environment, &variables),
            (Origin::File, &site),
            (Origin::Default, &default),
        ];
        let settings = Self::read(Section::root(&report, layers), environment);
        settings.web.check(&report);
        (settings, report.finish())
    }

    /// Every setting with its default and its comment, as a settings file.
    pub fn default_text() -> &'static str {
        DEFAULT
    }

    /// What the catcher of this type of manager drops.
    pub fn blacklist(&self, ems_type: &str) -> &Blacklist {
        self.blacklists.of(ems_type)
    }

    /// What the catcher of each type of manager drops.
    pub fn blacklists(&self) -> &Arc<Blacklists> {
        &self.blacklists
    }

    /// The groups and levels of the timeline, all providers' lists joined in.
    pub fn event_groups(&self) -> &EventGroups {
        &self.event_groups
    }

    /// Which events end a chain that began with which (`event_handling.task_final_events`).
    pub fn task_final_events(&self) -> &BTreeMap<String, Vec<String>> {
        &self.task_final_events
    }

    /// How this type of manager is caught.
    pub fn catcher(&self, ems_type: &str) -> &CatcherSettings {
        self.catchers.get(ems_type).unwrap_or(&self.catcher)
    }

    /// How long to wait between two requests to the events API of this type of manager.
    pub fn poll(&self, ems_type: &str) -> Duration {
        self.catcher(ems_type).poll
    }

    /// How this type of manager is refreshed.
    pub fn refresh(&self, ems_type: &str) -> &RefreshSettings {
        self.refreshes.get(ems_type).unwrap_or(&self.refresh)
    }

    /// Refreshing of the types of managers that are not named.
    pub fn refresh_of_others(&self) -> &RefreshSettings {
        &self.refresh
    }

    /// Refreshing of each type of manager that is named.
    pub fn refreshes(&self) -> impl Iterator<Item = (&str, &RefreshSettings)> {
        self.refreshes
            .iter()
            .map(|(ems_type, refresh)| (ems_type.as_str(), refresh))
    }

    /// How often everything of this type of manager is read again; none for never.
    pub fn refresh_interval(&self, ems_type: &str) -> Option<Duration> {
        self.refresh(ems_type).refresh_interval
    }

    fn read(root: Section<'_>, environment: &Environment) -> Self {
        let (ems, event_handling) = (root.section("ems"), root.section("event_handling"));
        let (blacklists, ems_groups) = sections::read_ems(ems);
        let task_final_events = sections::read_task_final_events(event_handling.section("task_final_events"));
        let event_groups = event_groups::read(event_handling.section("event_groups"), ems_groups);
        event_handling.finish();

        let workers = root.section("workers");
        let worker_base = workers.section("worker_base");
        let (catcher, catchers) = sections::read_catchers(worker_base.section("event_catcher"));
        let handler = HandlerSettings::read(worker_base.section("event_handler"));
        worker_base.finish();
        workers.finish();

        let event_streams = root.section("event_streams");
        let history = HistorySettings::read(event_streams.section("history"));
        event_streams.finish();

        let (refresh_gather, refresh, refreshes) = sections::read_refreshes(root.section("ems_refresh"));
        let settings = Self {
            blacklists: Arc::new(Blacklists(blacklists)),
            event_groups,
            task_final_events,
            catcher,
            catchers,
            refresh,
            refreshes,
            history,
            handler,
            refresh_gather,
            database: DatabaseSettings::read(root.section("database")),
            web: WebSettings::read(root.section("web"), environment),
            outbox: OutboxSettings::read(root.section("outbox"), environment),
            script: ScriptSettings::read(root.section("script")),
            reload: ReloadSettings::read(root.section("reload")),
        };
        root.finish();
        settings
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)?;
    if u64::try_from(length).is_ok_and(|length| length > MAX_FILE_BYTES) {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is longer than 1 MiB",
        ));
    }
    Ok(text)
}

/// The file with its folder's name in front.
fn name_for_people(path: &Path) -> String {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    let in_working_folder = || Path::new(".").canonicalize().unwrap_or_default();
    let folder = folder.unwrap_or_else(in_working_folder);
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let (folder, file) = (name(&folder), name(path).unwrap_or_default());
    folder.map_or(file.clone(), |folder| format!("{folder}/{file}"))
}
