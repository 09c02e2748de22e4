//! Relationships and states whose path leads to nothing: no such class, or no such instance and no `.missing`.
//!
//! Paths that an event completes are looked at as far as they are written. A run goes on after such a relationship,
//! so these are warnings.

use std::sync::Arc;

use ahash::HashSet;

use crate::automate::build::is_event_handlers;
use crate::automate::check::Site;
use crate::automate::check::folders;
use crate::automate::check::sites;
use crate::automate::datastore::Class;
use crate::automate::datastore::Datastore;
use crate::automate::datastore::MISSING;
use crate::automate::field::Aetype;
use crate::automate::field::Prepared;
use crate::automate::relationship::DatastorePath;
use crate::automate::relationship::PreparedUri;
use crate::automate::relationship::Scheme;
use crate::automate::relationship::UriText;
use crate::automate::relationship::Wildcard;
use crate::automate::template::Part;
use crate::automate::template::Template;
use crate::source::Diagnostic;
use crate::source::suggest;

/// Why a path leads to nothing, and what to do about it.
struct Dangling {
    code: &'static str,
    why: String,
    help: String,
}

pub(crate) fn check(store: &Datastore, found: &mut Vec<Diagnostic>) {
    let folders = folders(store);
    for site in sites(store).filter(is_written_here) {
        let Some(text) = &site.entry.text else { continue };
        let dangling = match &text.prepared {
            Prepared::Relationship(Ok(uri)) => of_uri(store, uri),
            Prepared::Template(template) => of_template(store, &folders, template),
            _nothing_certain => None,
        };
        let Some(dangling) = dangling else { continue };
        let (line, column) = site.place(&text.written);
        let message = format!(
            "`{}` of `{}` leads to nothing: {}",
            text.written.trim(),
            site.field.name,
            dangling.why
        );
        found.push(
            Diagnostic::warning(dangling.code, &site.file().path, message)
                .at(line, column)
                .help(dangling.help),
        );
    }
}

/// Whether the value of a relationship or state stands in the file of this site.
fn is_written_here(site: &Site<'_>) -> bool {
    matches!(site.field.aetype, Some(Aetype::Relationship | Aetype::State)) && site.is_written_here()
}

fn of_uri(store: &Datastore, uri: &PreparedUri) -> Option<Dangling> {
    match &uri.scheme {
        Scheme::Datastore(path) if uri.wildcard != Wildcard::AtEnd => of_path(store, path),
        Scheme::Datastore(_) | Scheme::Workspace(_) | Scheme::Method(_) => None,
    }
}

/// A whole path is looked up; of one that is put together at run time the folder before the first `${…}` is.
fn of_template(store: &Datastore, folders: &HashSet<String>, template: &Template) -> Option<Dangling> {
    let Some(Part::Literal(written)) = template.parts.first() else {
        return None;
    };
    if let Some(end) = written.find(['?', '#']) {
        return of_uri(store, &UriText::plain(written.get(..end)?).prepare().ok()?);
    }
    let path = written.trim().strip_prefix("miqaedb:").unwrap_or(written.trim());
    let folder = path.rsplit_once('/')?.0.trim_start_matches('/');
    let is_known = folder.is_empty() || folder.contains(':') || folders.contains(&folder.to_lowercase());
    (!is_known).then(|| Dangling {
        code: "ClassNotFound",
        why: format!("there is no class or namespace `/{folder}` in an enabled domain"),
        help: suggest::nearest(folder, folders.iter().map(String::as_str))
            .map(|near| format!("did you mean `/{near}`?"))
            .unwrap_or_default(),
    })
}

fn of_path(store: &Datastore, path: &DatastorePath) -> Option<Dangling> {
    let instance = path.instance_key.as_deref();
    if path.class.is_none() {
        return Some(Dangling {
            code: "ClassNotFound",
            why: "a name alone is looked up nowhere".to_owned(),
            help: "write the whole path, as in /Namespace/Class/Instance".to_owned(),
        });
    }
    if instance.is_some_and(|name| is_event_handlers(&path.key) && store.actions.contains_key(name)) {
        return None;
    }
    let found = store
        .search_instance(&path.key, instance)
        .map(|found| found.class);
    let Some(class) = found.or_else(|| store.candidates(&path.key).first()) else {
        return Some(no_class(store, path));
    };
    let Some(name) = instance else {
        return found.is_none().then(|| Dangling {
            code: "ClassNotFound",
            why: format!(
                "a path that ends in `/` is found only where an enabled domain has `.missing` in `{}`",
                class.full_name()
            ),
            help: "name an instance, or begin the path with the domain".to_owned(),
        });
    };
    let is_there = class.instance(name).is_some() || class.instance(MISSING).is_some();
    (!is_there).then(|| no_instance(store, path, class, name))
}

fn no_class(store: &Datastore, path: &DatastorePath) -> Dangling {
    let key = path.key.trim_start_matches('/');
    let is_same = |class: &Class| {
        let full = class.full_name().to_lowercase();
        let full = full.trim_start_matches('/');
        full == key || full.split_once('/').is_some_and(|(_, short)| short == key)
    };
    let disabled = store
        .classes
        .iter()
        .find(|class| !class.domain.enabled && is_same(class));
    let near = || {
        let near = suggest::nearest(key, store.class_paths().map(|(key, _)| &**key));
        let class = near.and_then(|near| store.candidates(near).first());
        let spelled = class.map(|class| class.full_name());
        let short = spelled.as_deref().and_then(|full| full.get(1..)?.split_once('/'));
        short
            .map(|(_, short)| format!("did you mean `/{short}`?"))
            .unwrap_or_default()
    };
    let written = format!("{}/{}", path.namespace, path.class.as_deref().unwrap_or(""));
    Dangling {
        code: "ClassNotFound",
        why: format!(
            "there is no class `/{}` in an enabled domain",
            written.trim_start_matches('/')
        ),
        help: disabled.map_or_else(near, |class| {
            format!(
                "it stands in the domain `{}`, which is disabled",
                class.domain.name
            )
        }),
    }
}

fn no_instance(store: &Datastore, path: &DatastorePath, class: &Arc<Class>, name: &str) -> Dangling {
    let actions = store
        .actions
        .keys()
        .map(|name| &**name)
        .filter(|_| is_event_handlers(&path.key));
    let known = class
        .instances
        .iter()
        .map(|instance| &*instance.name)
        .chain(actions);
    let near = suggest::nearest(name, known).map(|near| format!("did you mean `{near}`?"));
    Dangling {
        code: "InstanceNotFound",
        why: format!(
            "the class `{}` has no instance `{}` and no `.missing`",
            class.full_name(),
            path.instance.as_deref().unwrap_or(name)
        ),
        help: near
            .unwrap_or_else(|| "add the instance, or one with the name `.missing` for all others".to_owned()),
    }
}
