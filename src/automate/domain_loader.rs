//! Domains: name, priority and whether they take part (reference 1.4).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::automate::datastore::Domain;
use crate::automate::field_loader::no_truth;
use crate::automate::field_loader::truth;
use crate::automate::object_file::ObjectFile;
use crate::automate::object_file::Shape;
use crate::source::Diagnostic;
use crate::source::SourceFile;
use crate::source::yaml::Position;

/// The domain that is shipped, which everything else is laid over.
const SHIPPED: &str = "ManageIQ";
const DOMAIN: Shape = Shape {
    what: "domain",
    part: "attributes",
    attributes: &ATTRIBUTES,
};
const NAMESPACE: Shape = Shape {
    what: "namespace",
    ..DOMAIN
};
const ATTRIBUTES: [&str; 11] = [
    "name",
    "display_name",
    "description",
    "priority",
    "enabled",
    "tenant_id",
    "source",
    "system",
    "top_level_namespace",
    "relative_path",
    "fqname",
];

/// A domain as its file says.
struct Written<'a> {
    folder: &'a str,
    file: &'a Arc<SourceFile>,
    name: Arc<str>,
    priority: Option<i64>,
    enabled: bool,
    /// Where the priority is, or the name of a domain without one.
    at: Position,
}

/// The domains by their folder, from the files that make them.
pub(crate) fn domains<'a>(
    files: impl Iterator<Item = (&'a str, &'a Arc<SourceFile>)>,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<&'a str, Arc<Domain>> {
    let mut written: Vec<Written<'_>> = Vec::new();
    for (folder, file) in files {
        match read(folder, file, diagnostics) {
            Ok(domain)
                if written
                    .iter()
                    .any(|known| known.name.eq_ignore_ascii_case(&domain.name)) =>
            {
                let message = format!(
                    "there is a domain `{}` already; this one is left out",
                    domain.name
                );
                diagnostics.push(Diagnostic::error("DuplicateDomain", &file.path, message));
            }
            Ok(domain) => written.push(domain),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    // As the original imports it: one without a priority comes above all that have one.
    let above_all = written.iter().filter_map(|domain| domain.priority).max();
    let above_all = above_all.unwrap_or(0).saturating_add(1);
    let priority = |domain: &Written<'_>| domain.priority.unwrap_or(above_all);
    for (index, domain) in written.iter().enumerate().filter(|(_, domain)| domain.enabled) {
        let mut before = written.iter().take(index).filter(|other| other.enabled);
        if let Some(other) = before.find(|other| priority(other) == priority(domain)) {
            diagnostics.push(equal(domain, other, priority(domain)));
        }
    }
    let domain = |domain: &Written<'a>| {
        let read = Domain {
            name: domain.name.clone(),
            priority: priority(domain),
            enabled: domain.enabled,
            file: domain.file.path.clone(),
        };
        (domain.folder, Arc::new(read))
    };
    written.iter().map(domain).collect()
}

/// Says what is wrong with the file of a namespace, which is one by its folder alone (G1).
pub(crate) fn check_namespace(file: &Arc<SourceFile>, diagnostics: &mut Vec<Diagnostic>) {
    if file.text.trim().is_empty() {
        return;
    }
    match ObjectFile::read(file) {
        Ok(object) => object.check(&NAMESPACE, diagnostics),
        Err(diagnostic) => diagnostics.push(diagnostic),
    }
}

fn read<'a>(
    folder: &'a str,
    file: &'a Arc<SourceFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Written<'a>, Diagnostic> {
    let object = ObjectFile::read(file)?;
    object.check(&DOMAIN, diagnostics);
    let name = object.name(&DOMAIN)?;
    let at_key = |key: &str| object.attribute(key).map(|value| value.at);
    let mut written = Written {
        folder,
        file,
        name: Arc::from(name),
        priority: Some(0),
        enabled: true,
        at: at_key("priority").unwrap_or_else(|| object.key_place("name")),
    };
    if name.eq_ignore_ascii_case(SHIPPED) {
        return Ok(written);
    }
    written.priority = match object.text("priority") {
        None => None,
        Some(priority) => Some(priority.parse().map_err(|_| {
            let message = format!("the priority `{priority}` is no whole number");
            Diagnostic::error("InvalidPriority", &file.path, message).at(written.at.line, written.at.column)
        })?),
    };
    if let Some(enabled) = object.attribute("enabled").filter(|value| !value.is_nothing()) {
        written.enabled = truth(enabled).unwrap_or_else(|| {
            diagnostics.push(no_truth("enabled", enabled, false, file));
            false
        });
    }
    Ok(written)
}

fn equal(domain: &Written<'_>, other: &Written<'_>, priority: i64) -> Diagnostic {
    let first = (&domain.name).min(&other.name);
    let message = format!(
        "the domains `{}` and `{}` have the same priority, {priority}: where both have a rule, that of `{first}` counts",
        other.name, domain.name
    );
    Diagnostic::warning("EqualPriority", &domain.file.path, message)
        .at(domain.at.line, domain.at.column)
        .help("give each domain a `priority:` of its own; the larger one counts")
}
