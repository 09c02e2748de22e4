//! The attributes of an object, each with when it changed; and what belongs together with it.

use std::collections::BTreeMap;

use maud::Markup;
use maud::html;

use crate::model::clock::Timestamp;
use crate::model::json;
use crate::model::json::Value;
use crate::vmdb::ListedObject;
use crate::web::mask;
use crate::web::pages::changes;
use crate::web::pages::links;
use crate::web::pages::resource::state;
use crate::web::pages::resource::story::ResourceStory;
use crate::web::pages::shell::icon;
use crate::web::pages::words;
use crate::web::pages::words::Zone;

/// The card; nothing where it is not in the inventory.
pub(crate) fn card(story: &ResourceStory, zone: &Zone, now: Timestamp) -> Markup {
    let Some(object) = &story.object else {
        return html! {};
    };
    let changed = changed(story);
    let state = state::state(object).map(|(field, _)| field);
    let mut masked = object.attributes.clone();
    mask::mask(&mut masked);
    let empty = json::Map::new();
    let attributes = masked.as_object().unwrap_or(&empty);
    let (first, rest): (Vec<_>, Vec<_>) = attributes.iter().partition(|(name, _)| Some(&***name) == state);
    html! {
        section.card aria-label="Attributes" {
            header {
                h2 { "Attributes" }
                @if let Some(read) = story.read_at { p { "read " (zone.element(read, &zone.moment(read, now))) } }
            }
            table."t small attrs" {
                tbody {
                    @for (name, value) in first.into_iter().chain(rest) {
                        tr {
                            td { (words::machine_name(name)) }
                            td {
                                @if Some(&**name) == state { strong { (changes::value(Some(value))) } }
                                @else { (changes::value(Some(value))) }
                                @if let Some(at) = changed.get(&**name) {
                                    span.src { "changed " (zone.element(*at, &words::ago(*at, now))) }
                                }
                            }
                        }
                    }
                    tr { td { "key" } td { span.mono { (words::foreign(&object.manager_ref.to_string())) } } }
                }
            }
            details.fold {
                summary { (icon("tw", "tw")) "As the inventory keeps it" span.muted { (attributes.len()) " attributes" } }
                pre tabindex="0" { (words::foreign_up_to(&serde_json::to_string_pretty(&masked).unwrap_or_default(), 100_000)) }
            }
        }
    }
}

/// When each attribute changed last, by the changes that are shown.
fn changed(story: &ResourceStory) -> BTreeMap<String, Timestamp> {
    let mut changed = BTreeMap::new();
    for explained in story
        .changes
        .iter()
        .filter(|explained| explained.change.change == "updated")
    {
        for field in changes::fields(&explained.change) {
            changed.entry(field.name).or_insert(explained.change.changed_at);
        }
    }
    changed
}

/// What it is a part of, what is a part of it, and what it refers to.
pub(crate) fn together(story: &ResourceStory) -> Markup {
    let family = &story.family;
    let mut parts: BTreeMap<&str, Vec<&ListedObject>> = BTreeMap::new();
    for child in &family.children {
        parts.entry(&child.association).or_default().push(child);
    }
    let referred = referred(story);
    let is_empty =
        family.parent.is_none() && parts.is_empty() && referred.is_empty() && story.others.is_empty();
    let more = family
        .count
        .saturating_sub(u64::try_from(family.children.len()).unwrap_or(0));
    html! {
        @if !is_empty {
            section.card aria-label="Belongs together" {
                header { h2 { "Belongs together" } }
                div.body {
                    dl.kv {
                        @if let Some(parent) = &family.parent { dt { "Part of" } dd { (link(parent)) } }
                        @for (name, value) in &referred { dt { (words::machine_name(name)) } dd { (changes::value(Some(value))) } }
                        @for (association, objects) in &parts {
                            dt { (links::kind(association).1) }
                            dd {
                                @for (index, object) in objects.iter().enumerate() {
                                    @if 0 < index { ", " }
                                    (link(object))
                                }
                            }
                        }
                        @if 0 < more { dt { "More parts" } dd { (words::number(more)) } }
                        @for other in &story.others {
                            dt { "Same key" } dd { (link(other)) " of " (links::to_manager(&other.ems)) }
                        }
                    }
                }
            }
        }
    }
}

/// Attributes that refer to other objects.
fn referred(story: &ResourceStory) -> Vec<(&String, &Value)> {
    let attributes = story
        .object
        .as_ref()
        .and_then(|object| object.attributes.as_object());
    let all = attributes.into_iter().flatten();
    all.filter(|(_, value)| changes::refers(Some(value))).collect()
}

/// A link to an object.
pub(crate) fn link(object: &ListedObject) -> Markup {
    let address = links::resource(&object.association, &object.reference(), Some(&object.ems));
    html! { a href=(address) { (words::foreign(&object.name())) } }
}
