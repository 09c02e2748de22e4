//! Settings: the compiled-in defaults, then the settings file, then the environment; the guide's own tree.
//!
//! Settings mean what is written, or they are refused: no default stands in for what is wrong. Knows nothing of who uses
//! a setting.

mod active;
mod database;
mod effective;
mod environment;
mod event_groups;
mod file;
mod guards;
mod mask;
mod name_pattern;
mod outbox;
mod refreshes;
mod report;
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
pub use file::SettingsPath;
pub use name_pattern::Blacklist;
pub use name_pattern::Blacklists;
pub use outbox::CommandSettings;
pub use outbox::EmailSettings;
pub use outbox::OutboxSettings;
pub use outbox::RelaySecurity;
pub use refreshes::GatherSettings;
pub use refreshes::RefreshSettings;
pub use secret::Secret;
pub use secret::SecretError;
pub use sections::CatcherSettings;
pub use sections::HandlerSettings;
pub use sections::HistorySettings;
pub use sections::ReloadSettings;
pub use sections::ScriptSettings;
pub(crate) use value::duration;
pub use web::WebSettings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use crate::model::event_group::EventGroups;
use crate::settings::environment::TAKEN_FOR_CONFIG;
use crate::settings::report::Origin;
use crate::settings::report::Report;
use crate::settings::section::Section;
use crate::source::Diagnostic;
use crate::source::text::without_mark;
use crate::source::yaml::Node;

/// Every setting with its default and its comment.
const DEFAULT: &str = include_str!("default.yml");

/// The same as a tree.
static DEFAULTS: LazyLock<Node> = LazyLock::new(|| {
    let file: Arc<str> = "default.yml".into();
    tree::parse(&file, DEFAULT, &Report::new(&file, DEFAULT))
});

/// Why settings cannot be used: everything that is wrong in them, warnings too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the settings cannot be used")]
pub struct SettingsError(pub Vec<Diagnostic>);

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
        Self::of(&"default.yml".into(), "", &Environment::default()).0
    }
}

impl Settings {
    /// Reads the settings file, none where the site has none, and the environment. Returned with them is what works,
    /// but perhaps not as meant, and what they let in or send less of than is written, each with its place.
    ///
    /// # Errors
    /// When they would mean something else than is written.
    pub fn load(
        path: &SettingsPath,
        environment: &Environment,
    ) -> Result<(Self, Vec<Diagnostic>), SettingsError> {
        let set = |name: &&&str| environment.get(name).is_some_and(|value| !value.is_empty());
        if let Some(name) = TAKEN_FOR_CONFIG.iter().find(set).filter(|_| !path.is_named()) {
            let message = format!("nobody reads the environment variable `{name}`");
            let finding = Diagnostic::error("UnknownSetting", &(*name).into(), message);
            return Err(SettingsError(vec![
                finding.help("name the settings file with `--config`"),
            ]));
        }
        let text = path.read().map_err(|finding| SettingsError(vec![*finding]))?;
        Self::parse(&path.name(), &text.unwrap_or_default(), environment)
    }

    /// The settings that `text` makes of the defaults; `file` is its name in diagnostics.
    ///
    /// # Errors
    /// When they would mean something else than is written.
    pub fn parse(
        file: &Arc<str>,
        text: &str,
        environment: &Environment,
    ) -> Result<(Self, Vec<Diagnostic>), SettingsError> {
        let (settings, findings, is_usable) = Self::of(file, text, environment);
        match is_usable {
            true => Ok((settings, findings)),
            false => Err(SettingsError(findings)),
        }
    }

    /// The settings, with defaults for what is wrong; what that is; and whether they can be used.
    fn of(file: &Arc<str>, text: &str, environment: &Environment) -> (Self, Vec<Diagnostic>, bool) {
        let text = without_mark(text);
        let report = Report::new(file, text);
        let site = tree::parse(file, text, &report);
        let variables = environment.layer(&[&DEFAULTS, &site], &report);
        let layers = vec![
            (Origin::Environment, &variables),
            (Origin::File, &site),
            (Origin::Default, &DEFAULTS),
        ];
        let settings = Self::read(Section::root(&report, layers), environment);
        let (findings, is_usable) = report.finish();
        (settings, findings, is_usable)
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

    /// The sections and settings of others that differ from these and count only after a restart.
    pub(crate) fn waiting_for_restart(&self, others: &Self) -> Vec<&'static str> {
        let web = |settings: &Self| WebSettings {
            webhook_secrets: BTreeMap::new(),
            token: None,
            listen: (std::net::Ipv4Addr::LOCALHOST, 0).into(),
            ..settings.web.clone()
        };
        let differences = [
            ("web.listen", self.web.listen != others.web.listen),
            ("web.token", self.web.token != others.web.token),
            ("web", web(self) != web(others)),
            ("database", self.database != others.database),
            ("outbox.threads", self.outbox.threads != others.outbox.threads),
            (
                "workers.worker_base.event_handler.threads",
                self.handler.threads != others.handler.threads,
            ),
            ("reload.gather", self.reload != others.reload),
        ];
        let differences = differences.into_iter().filter(|(_, is_other)| *is_other);
        differences.map(|(name, _)| name).collect()
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

        let (refresh_gather, refresh, refreshes) = refreshes::read(root.section("ems_refresh"));
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
