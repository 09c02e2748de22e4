//! The values that are offered for an argument: from its definition, from the rules, from the database.

use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;

use clap::Arg;
use clap::ValueHint;

use crate::cli::options::GlobalOptions;
use crate::model::ae_path::AeUri;
use crate::model::ae_path::DATASTORE;
use crate::model::event::EventClass;
use crate::model::relation::RELATIONS;
use crate::model::rule_tree::RuleTree;
use crate::switchboard::EVENT_SOURCES;
use crate::switchboard::Switchboard;
use crate::vmdb::Glance;
use crate::vmdb::MessageKind;
use crate::vmdb::MessageState;
use crate::vmdb::RefreshState;

/// One value, and what people know it by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    pub(crate) value: String,
    pub(crate) about: String,
}

/// A value with what it is about.
pub(crate) fn candidate(value: impl Into<String>, about: impl Into<String>) -> Candidate {
    Candidate {
        value: value.into(),
        about: about.into(),
    }
}

/// What is offered.
pub(crate) enum Offer {
    /// These, as far as they begin with what is typed.
    Values(Vec<Candidate>),
    /// The shell's own files.
    Files,
}

/// Where a value of an argument comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Manager,
    /// A type of an event that may come.
    EventType,
    /// A type of an event that is saved.
    SavedType,
    Source,
    Domain,
    Provider,
    Instance,
    Event,
    Refresh,
    Message,
    QueueState,
    QueueWork,
    RefreshState,
    Target,
    Attribute,
    EventClass,
    Database,
    Credentials,
    Files,
    /// Nobody but the user knows.
    Free,
}

/// What an argument of a command takes.
pub(crate) fn kind(path: &str, arg: &Arg) -> Kind {
    let id = arg.get_id().as_str();
    match (path, id) {
        (_, "ems") | ("ems enable" | "ems disable" | "ems remove", "name") => Kind::Manager,
        ("event list" | "event tail", "event_type") => Kind::SavedType,
        (_, "event_type") => Kind::EventType,
        ("simulate" | "new handler", "source") => Kind::Source,
        (_, "domain") | ("new domain", "name") => Kind::Domain,
        ("simulate" | "ems add", "provider") => Kind::Provider,
        (_, "uri") => Kind::Instance,
        ("event show", "id") => Kind::Event,
        ("refresh show", "id") => Kind::Refresh,
        (_, "id") => Kind::Message,
        ("refresh list", "state") => Kind::RefreshState,
        ("queue list", "state") | ("queue retry", "all") => Kind::QueueState,
        ("queue list", "kind") => Kind::QueueWork,
        (_, "target") => Kind::Target,
        (_, "attribute") => Kind::Attribute,
        (_, "event_class") => Kind::EventClass,
        (_, "database") => Kind::Database,
        (_, "credentials") => Kind::Credentials,
        _other => match arg.get_value_hint() {
            ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath => Kind::Files,
            _none => Kind::Free,
        },
    }
}

/// What values are made of; each part is read where it is asked for.
pub(crate) struct Sources<'a> {
    options: &'a GlobalOptions,
    /// The source that was named on the line.
    source: Option<&'a str>,
    rules: OnceCell<Option<(Switchboard, RuleTree)>>,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(options: &'a GlobalOptions, source: Option<&'a str>) -> Self {
        Self {
            options,
            source,
            rules: OnceCell::new(),
        }
    }

    /// What is offered for an argument where `typed` is typed of it.
    pub(crate) fn offer(&self, path: &str, arg: &Arg, typed: &str) -> Offer {
        let possible = arg.get_possible_values();
        if !possible.is_empty() {
            let values = possible.iter().filter(|value| !value.is_hide_set());
            let values = values.map(|value| {
                let about = value.get_help().map(ToString::to_string);
                candidate(value.get_name(), about.unwrap_or_default())
            });
            return Offer::Values(values.collect());
        }
        let values = match kind(path, arg) {
            Kind::Files => return Offer::Files,
            Kind::Free => Vec::new(),
            Kind::Manager => self.stored(Glance::managers),
            Kind::SavedType => self.stored(Glance::event_types),
            Kind::EventType => [self.event_types(), self.stored(Glance::event_types)].concat(),
            Kind::Event => self.stored(Glance::events),
            Kind::Refresh => self.stored(Glance::refreshes),
            Kind::Message => self.stored(Glance::messages),
            Kind::Source => self.sources(),
            Kind::Domain => self.domains(),
            Kind::Provider => words(self.options.provider_folders()),
            Kind::Instance => self.instances(),
            Kind::QueueState => words(MessageState::ALL.map(MessageState::as_str)),
            Kind::QueueWork => words(MessageKind::ALL.map(MessageKind::as_str)),
            Kind::RefreshState => words(RefreshState::ALL.map(RefreshState::as_str)),
            Kind::Target => self.targets(typed),
            Kind::Attribute => attributes(),
            Kind::EventClass => words(EventClass::ALL.map(EventClass::as_str)),
            Kind::Database => databases(typed),
            Kind::Credentials => vec![
                candidate("env:", "a variable of the environment"),
                candidate("file:", "a file"),
            ],
        };
        Offer::Values(values)
    }

    fn glance(&self) -> Option<Glance> {
        Glance::at(&self.options.database_url().ok()?)
    }

    fn stored(&self, look: impl Fn(&Glance) -> Vec<(String, String)>) -> Vec<Candidate> {
        let stored = self.glance().map(|glance| look(&glance)).unwrap_or_default();
        stored
            .into_iter()
            .map(|(value, about)| candidate(value, about))
            .collect()
    }

    fn rules(&self) -> Option<&(Switchboard, RuleTree)> {
        let load = || {
            let switchboard = Switchboard::load(&self.options.source_tree().ok()?, None).switchboard;
            let listed = switchboard.rule_tree();
            Some((switchboard, listed))
        };
        self.rules.get_or_init(load).as_ref()
    }

    fn sources(&self) -> Vec<Candidate> {
        let classes = self.rules().map(|(switchboard, _)| switchboard.source_classes());
        let classes = classes.unwrap_or_default().into_iter();
        classes.map(|class| candidate(&*class.source, "")).collect()
    }

    fn domains(&self) -> Vec<Candidate> {
        let domains = self.rules().map(|(_, listed)| listed.domains.iter());
        let domains = domains.into_iter().flatten();
        let about = |priority| format!("priority {priority}");
        domains
            .map(|domain| candidate(&*domain.name, about(domain.priority)))
            .collect()
    }

    /// The types that have a rule, of the source that was named or of all.
    fn event_types(&self) -> Vec<Candidate> {
        let instances = self.rules().map(|(_, listed)| listed.instances.iter());
        let of_events = instances.into_iter().flatten().filter(|instance| {
            instance.namespace.eq_ignore_ascii_case(EVENT_SOURCES)
                && self
                    .source
                    .is_none_or(|source| instance.class.eq_ignore_ascii_case(source))
                && !instance.name.starts_with('.')
        });
        of_events
            .map(|instance| candidate(&*instance.name, &*instance.class))
            .collect()
    }

    fn instances(&self) -> Vec<Candidate> {
        let instances = self.rules().map(|(_, listed)| listed.instances.iter());
        let instances = instances.into_iter().flatten();
        let paths = instances.filter_map(|instance| {
            let path = format!("/{}/{}", instance.folder(), instance.name);
            // A name with other characters is reached by events alone.
            let is_uri = AeUri::parse(&path, DATASTORE).is_ok();
            is_uri.then(|| candidate(path, &*instance.domain))
        });
        paths.collect()
    }

    /// Associations, and objects once one of them is typed.
    fn targets(&self, typed: &str) -> Vec<Candidate> {
        if let Some((association, beginning)) = typed.split_once(':') {
            let objects = self.glance().map(|glance| glance.objects(association, beginning));
            let objects = objects.unwrap_or_default().into_iter();
            return objects
                .map(|(reference, name)| candidate(format!("{association}:{reference}"), name))
                .collect();
        }
        let known = RELATIONS.iter().flat_map(|relation| relation.associations);
        let known = known.map(|association| (*association).to_owned());
        let stored = self
            .glance()
            .map(|glance| glance.associations())
            .unwrap_or_default();
        words(known.chain(stored).map(|association| format!("{association}:")))
    }
}

fn words(words: impl IntoIterator<Item = impl Into<String>>) -> Vec<Candidate> {
    words.into_iter().map(|word| candidate(word, "")).collect()
}

/// Keys of an event hash that rules know.
fn attributes() -> Vec<Candidate> {
    let keys = RELATIONS.iter().flat_map(|relation| {
        let others = [relation.uid, relation.name].into_iter().flatten();
        std::iter::once(relation.reference).chain(others)
    });
    let keys = ["ems_ref", "event_key", "full_data", "timestamp"]
        .into_iter()
        .chain(keys);
    words(keys.map(|key| format!("{key}=")))
}

/// Databases in the folder that is typed, and its folders.
fn databases(typed: &str) -> Vec<Candidate> {
    const SCHEME: &str = "sqlite:";
    let path = typed.strip_prefix(SCHEME).unwrap_or_default();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let shown = path
        .get(..path.len() - path.rsplit('/').next().unwrap_or_default().len())
        .unwrap_or_default();
    let folder = match (folder, shown) {
        ("", "") => PathBuf::from("."),
        ("", _root) => PathBuf::from("/"),
        (folder, _) => PathBuf::from(folder),
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let found = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let is_folder = entry.path().is_dir();
        let is_wanted = (is_folder && !name.starts_with('.')) || name.ends_with(".db");
        is_wanted.then(|| format!("{SCHEME}{shown}{name}{}", if is_folder { "/" } else { "" }))
    });
    words(std::iter::once(SCHEME.to_owned()).chain(found))
}
