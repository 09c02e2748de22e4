//! The class of an event source in the domain that is written to, with the namespaces above it.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::LazyLock;

use regex::Regex;

use crate::cli::error::CliError;
use crate::cli::new::domain::Target;
use crate::cli::new::fields::body;
use crate::cli::new::filled;
use crate::cli::new::names::file_stem;
use crate::cli::new::names::yaml_text;
use crate::cli::new::plan::Plan;
use crate::cli::new::plan::Rules;
use crate::model::unseen::visible;
use crate::source::RootKind;
use crate::source::suggest;
use crate::switchboard::EVENT_SOURCES;
use crate::switchboard::SourceClass;

/// The catch-all instance of a class.
const MISSING: &str = ".missing";

/// A source that is known, spelled as it is.
///
/// # Errors
/// When no class is named so and no provider's parser names it; the error names those that are.
pub(crate) fn known(source: &str, rules: &Rules) -> Result<Arc<str>, CliError> {
    let classes = rules.switchboard.source_classes();
    let mut known: Vec<Arc<str>> = classes.into_iter().map(|class| class.source).collect();
    known.extend(named_by_parsers(rules));
    known.sort();
    known.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    if let Some(found) = known.iter().find(|known| known.eq_ignore_ascii_case(source)) {
        return Ok(found.clone());
    }
    let mut help = suggest::did_you_mean(source, known.iter().map(|known| &**known));
    if !help.is_empty() {
        help.push(' ');
    }
    help.push_str(&format!(
        "There are: {}. A cloud of your own begins with `switchboard new provider NAME`",
        known.join(", ")
    ));
    Err(CliError::usage(
        format!("no class of events and no parser has the source `{source}`"),
        help,
    ))
}

/// The sources that parsers give to events; one that gives none has its folder's name, in upper case.
fn named_by_parsers(rules: &Rules) -> Vec<Arc<str>> {
    static SOURCE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"\bsource:\s*"([^"\\]+)""#).ok());
    let files = rules
        .tree
        .files()
        .iter()
        .filter(|file| file.kind == RootKind::Scripts);
    let mut named = Vec::new();
    for file in files {
        let Some(provider) = file.relative.strip_suffix("/event_parser.rhai") else {
            continue;
        };
        let found = SOURCE.iter().flat_map(|source| source.captures_iter(&file.text));
        let found: Vec<Arc<str>> = found
            .filter_map(|found| Some(Arc::from(found.get(1)?.as_str())))
            .collect();
        match found.is_empty() {
            true => named.push(Arc::from(provider.to_uppercase())),
            false => named.extend(found),
        }
    }
    named
}

/// The class that the rule of an event type is written to.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// The field of its condition.
    pub(crate) condition: Option<Arc<str>>,
    /// The field of a relationship: by custom the fourth.
    pub(crate) relationship: Option<Arc<str>>,
    /// Whether the class is planned and one is in use that it can be a copy of.
    pub(crate) could_be_copy: bool,
}

impl Place {
    fn of(class: &SourceClass, folder: PathBuf, could_be_copy: bool) -> Self {
        let fourth = class
            .relationships
            .iter()
            .find(|name| name.eq_ignore_ascii_case("rel4"));
        Self {
            folder,
            condition: class.condition.clone(),
            relationship: fourth.or(class.relationships.first()).cloned(),
            could_be_copy,
        }
    }
}

/// The class of a source in a domain; what of it is not there is planned: as a copy of the one in use, or with the
/// fields that are usual.
pub(crate) fn place(source: &str, domain: &Target, rules: &Rules, plan: &mut Plan, copies: bool) -> Place {
    let classes = rules.switchboard.source_classes();
    let mut of_source = classes
        .iter()
        .filter(|class| class.source.eq_ignore_ascii_case(source));
    let own = of_source.clone().find(|class| class.domain == domain.name);
    if let Some(class) = own
        && let Some(file) = rules.tree.on_disk(&class.file.path)
    {
        return Place::of(class, file.parent().unwrap_or(&domain.folder).to_owned(), false);
    }
    let folder = namespaces(&domain.folder, plan);
    let folder = below(&folder, &format!("{}.class", file_stem(source)));
    let in_use = of_source.find(|class| class.is_enabled);
    let could_be_copy = in_use.is_some();
    let in_use = in_use.filter(|_| copies);
    let text = match in_use {
        Some(class) => format!(
            "---\n# The class of {}'s events, as in {}: each instance is named after its `event_type`.\n{}",
            visible(source),
            class.file.path,
            body(&class.file.text)
        ),
        None => filled(
            include_str!("templates/class.yaml"),
            &[("name", &yaml_text(source))],
        ),
    };
    plan.add(folder.join("__class__.yaml"), text);
    if !has_missing(source, rules) {
        let text = filled(
            include_str!("templates/missing.yaml"),
            &[("source", &visible(source))],
        );
        plan.add(folder.join("_missing.yaml"), text);
    }
    match in_use {
        Some(class) => Place::of(class, folder, true),
        None => Place {
            folder,
            condition: Some(Arc::from("guard")),
            relationship: Some(Arc::from("rel4")),
            could_be_copy,
        },
    }
}

/// Whether types of a source that have no rule are answered already.
fn has_missing(source: &str, rules: &Rules) -> bool {
    let is_enabled = |name: &str| {
        let mut domains = rules.listed.domains.iter();
        domains.any(|domain| *domain.name == *name && domain.enabled)
    };
    let mut instances = rules.listed.instances.iter();
    instances.any(|instance| {
        instance.name.eq_ignore_ascii_case(MISSING)
            && instance.class.eq_ignore_ascii_case(source)
            && instance.namespace.eq_ignore_ascii_case(EVENT_SOURCES)
            && is_enabled(&instance.domain)
    })
}

/// The folder of the namespace of event sources; namespaces that are not there are planned.
fn namespaces(domain: &Path, plan: &mut Plan) -> PathBuf {
    let mut folder = domain.to_owned();
    for name in EVENT_SOURCES.split('/') {
        folder = below(&folder, name);
        let file = folder.join("__namespace__.yaml");
        if !file.exists() {
            plan.add(
                file,
                filled(include_str!("templates/namespace.yaml"), &[("name", name)]),
            );
        }
    }
    folder
}

/// The folder of a name, in whatever letter case it is there.
fn below(folder: &Path, name: &str) -> PathBuf {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders = entries.filter(|entry| entry.path().is_dir());
    let there = folders.find(|entry| entry.file_name().eq_ignore_ascii_case(name));
    there.map_or_else(|| folder.join(name), |entry| entry.path())
}
