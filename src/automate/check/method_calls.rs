//! Calls of methods that are found nowhere: not in the class, in no domain, not among those of every object, no action.
//!
//! In a method field every run that comes there ends, so that is an error; within a state it becomes the state's
//! result, so that is a warning.

use std::sync::Arc;

use crate::automate::call::ClassPath;
use crate::automate::call::MethodCall;
use crate::automate::check::Site;
use crate::automate::check::sites;
use crate::automate::datastore::Class;
use crate::automate::datastore::Datastore;
use crate::automate::field::Aetype;
use crate::automate::field::Prepared;
use crate::automate::field::StateSteps;
use crate::source::Diagnostic;
use crate::source::suggest;

pub(crate) fn check(store: &Datastore, found: &mut Vec<Diagnostic>) {
    for site in sites(store) {
        if site.is_written_here() {
            found.extend(value(store, site));
        }
        for written in steps(site) {
            let calls = written.split(';').map(str::trim);
            let literal =
                calls.filter(|call| !call.is_empty() && !call.starts_with('#') && !call.contains("${"));
            found.extend(literal.filter_map(|call| step(store, site, call)));
        }
    }
}

/// The call that is the value of a method or a state.
fn value(store: &Datastore, site: Site<'_>) -> Option<Diagnostic> {
    let text = site.entry.text.as_ref()?;
    let Prepared::Call(Ok(call)) = &text.prepared else {
        return None;
    };
    let problem = unknown(store, site.class, call)?;
    let (line, column) = site.place(&text.written);
    let path = &site.file().path;
    let finding = match site.field.aetype {
        Some(Aetype::State) => Diagnostic::warning("MethodNotFound", path, problem),
        _method => Diagnostic::error("MethodNotFound", path, problem),
    };
    Some(finding.at(line, column).help(help(store, site.class, call)))
}

/// One call of `on_entry`, `on_exit` or `on_error`.
fn step(store: &Datastore, site: Site<'_>, written: &str) -> Option<Diagnostic> {
    let (code, problem, help) = match MethodCall::parse(written) {
        Ok(call) => (
            "MethodNotFound",
            unknown(store, site.class, &call)?,
            help(store, site.class, &call),
        ),
        Err(error) => (error.kind, error.message.clone(), String::new()),
    };
    let (line, column) = site.place(written);
    Some(
        Diagnostic::warning(code, &site.file().path, problem)
            .at(line, column)
            .help(help),
    )
}

/// One of the steps around a state.
type Part = fn(&StateSteps) -> &Option<Arc<str>>;

/// The steps around a state that are written in the file of this site, not taken over from the class.
fn steps(site: Site<'_>) -> impl Iterator<Item = &Arc<str>> {
    let parts: [Part; 3] = [
        |steps| &steps.on_entry,
        |steps| &steps.on_exit,
        |steps| &steps.on_error,
    ];
    parts.into_iter().filter_map(move |part| {
        let own = site
            .entry
            .steps
            .as_deref()
            .and_then(|steps| part(steps).as_ref())?;
        let of_class = site.field.steps.as_deref().and_then(|steps| part(steps).as_ref());
        let is_inherited = site.instance.is_some() && of_class.is_some_and(|class| Arc::ptr_eq(class, own));
        (!is_inherited).then_some(own)
    })
}

fn unknown(store: &Datastore, class: &Arc<Class>, call: &MethodCall) -> Option<String> {
    let is_known = classes(store, class, call).any(|class| class.method(&call.name).is_some())
        || (call.class.is_none() && store.object_methods.contains_key(&call.name))
        || store.actions.contains_key(&call.name);
    let of = match &call.class {
        None => class.full_name(),
        Some(path) => format!("{}/{}", path.namespace.as_deref().unwrap_or(""), path.class),
    };
    (!is_known).then(|| {
        let name = &call.name;
        format!(
            "`{of}` has no method `{name}` in any enabled domain, and there is no scripts/actions/{name}.rhai"
        )
    })
}

fn help(store: &Datastore, class: &Arc<Class>, call: &MethodCall) -> String {
    let of_classes = classes(store, class, call).flat_map(|class| class.methods.keys());
    let names = of_classes
        .chain(store.object_methods.keys())
        .chain(store.actions.keys());
    suggest::did_you_mean(&call.name, names.map(|name| &**name))
}

/// The classes in which a call may find its method.
fn classes<'a>(
    store: &'a Datastore,
    class: &'a Arc<Class>,
    call: &MethodCall,
) -> impl Iterator<Item = &'a Arc<Class>> {
    let namespace = class.namespace.to_lowercase();
    let (namespace, name, own) = match &call.class {
        None => (namespace, class.name.to_lowercase(), Some(class)),
        Some(ClassPath {
            namespace: None,
            class,
        }) => (namespace, class.to_string(), None),
        Some(ClassPath {
            namespace: Some(written),
            class,
        }) => (written.trim_matches('/').to_owned(), class.to_string(), None),
    };
    let full = format!("{namespace}/{name}");
    let short = full.split_once('/').map_or("", |(_, short)| short);
    let candidates = store.candidates(&full).iter().chain(store.candidates(short));
    own.into_iter().chain(store.class(&full)).chain(candidates)
}
