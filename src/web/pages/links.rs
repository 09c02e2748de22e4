//! Where things are: addresses of events, objects, managers and files, and links that say what they lead to.

use maud::Markup;
use maud::html;
use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;

use crate::model::event::EventId;
use crate::model::target::Target;
use crate::web::pages::words;

/// What is left as it is in a part of a path or of a query.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A text as one part of a path, or as a value of a query. A path cannot hold parts of dots alone.
pub(crate) fn part(text: &str) -> String {
    match text {
        "." | ".." => text.replace('.', "%2E"),
        text => utf8_percent_encode(text, KEPT).to_string(),
    }
}

/// The page of an event.
pub(crate) fn event(id: EventId) -> String {
    format!("/events/{}", id.0)
}

/// The page of an object; of the one of this manager, where one is named.
pub(crate) fn resource(association: &str, reference: &str, ems: Option<&str>) -> String {
    let ems = ems.map(|ems| format!("?ems={}", part(ems)));
    format!(
        "/resources/{}/{}{}",
        part(association),
        part(reference),
        ems.unwrap_or_default()
    )
}

/// The page of a manager.
pub(crate) fn manager(name: &str) -> String {
    format!("/managers/{}", part(name))
}

/// A line of a rule file, where it can be read.
pub(crate) fn file(path: &str, line: Option<u32>) -> String {
    let line = line.map(|line| format!("#L{line}"));
    format!("/rules/file?path={}{}", part(path), line.unwrap_or_default())
}

/// A link to an event, by its number.
pub(crate) fn to_event(id: EventId) -> Markup {
    let number = u64::try_from(id.0).unwrap_or(0);
    html! { a href=(event(id)) { "event " (words::number(number)) } }
}

/// A link to a manager.
pub(crate) fn to_manager(name: &str) -> Markup {
    html! { a href=(manager(name)) { (words::foreign(name)) } }
}

/// A link to what a target names; a whole association is none.
pub(crate) fn to_target(target: &Target, ems: Option<&str>) -> Markup {
    let ems = target.ems.as_deref().or(ems);
    html! {
        span.mono { (target.association) } " "
        @if target.manager_ref.is_whole_association() {
            span.muted { "all of them" }
        } @else {
            @let reference = target.manager_ref.reference();
            a href=(resource(&target.association, &reference, ems)) { (words::foreign(&reference)) }
        }
    }
}

/// What people call one of an association, and several of it.
pub(crate) fn kind(association: &str) -> (String, String) {
    let known = match association {
        "vms" => ("VM", "VMs"),
        "miq_templates" => ("template", "templates"),
        "hosts" => ("host", "hosts"),
        "cloud_networks" => ("network", "networks"),
        "cloud_volumes" => ("volume", "volumes"),
        "ems_clusters" => ("cluster", "clusters"),
        "availability_zones" => ("availability zone", "availability zones"),
        other => {
            let many = other.replace('_', " ");
            let one = match many.strip_suffix("ies") {
                Some(stem) => format!("{stem}y"),
                None => many.strip_suffix('s').unwrap_or(&many).to_owned(),
            };
            return (one, many);
        }
    };
    (known.0.to_owned(), known.1.to_owned())
}
