//! What changed on an object: when, from, to, and because of what.

use maud::Markup;
use maud::html;

use crate::model::clock::Timestamp;
use crate::vmdb::ChangeCause;
use crate::vmdb::ExplainedChange;
use crate::web::pages::changes;
use crate::web::pages::links;
use crate::web::pages::resource::story::ResourceStory;
use crate::web::pages::words;
use crate::web::pages::words::Zone;

/// The card; `more` is the address of the changes before these.
pub(crate) fn card(story: &ResourceStory, more: Option<String>, zone: &Zone, now: Timestamp) -> Markup {
    html! {
        section.card aria-label="History" {
            header { h2 { "What changed" } p { (words::counted(story.change_count, "change", "changes")) " kept" } }
            @if story.changes.is_empty() {
                div.empty { p { @if story.object.is_some() { "No change is kept." } @else { "It is not in the inventory." } } }
            } @else {
                table."t stackable" {
                    thead {
                        tr {
                            @for name in ["When", "Field", "From, to", "Because of", "Refresh"] { th scope="col" { (name) } }
                        }
                    }
                    tbody { @for change in &story.changes { (rows(change, zone, now)) } }
                }
                @if let Some(more) = more { p.more { a.btn href=(more) { "Earlier changes" } } }
            }
        }
    }
}

fn rows(explained: &ExplainedChange, zone: &Zone, now: Timestamp) -> Markup {
    let change = &explained.change;
    let fields = changes::fields(change);
    html! {
        @match &*change.change {
            "updated" => {
                @for field in &fields {
                    (row(explained, zone, now, &words::foreign(&field.name), &field.both(" ")))
                }
            }
            "archived" => (row(explained, zone, now, &html! { span.muted { "the object" } }, &html! { del { "there" } " " ins { "gone" } })),
            _created => {
                (row(explained, zone, now, &html! { span.muted { "the object" } }, &html! {
                    ins { @if change.before.is_some() { "there again" } @else { "new" } }
                    span.muted { " with " (words::counted(u64::try_from(fields.len()).unwrap_or(0), "attribute", "attributes")) }
                }))
            }
        }
    }
}

fn row(explained: &ExplainedChange, zone: &Zone, now: Timestamp, field: &Markup, what: &Markup) -> Markup {
    let at = explained.change.changed_at;
    html! {
        tr {
            td."nowrap all" { (zone.element(at, &zone.moment(at, now))) }
            th scope="row" { (field) }
            td { (what) }
            td.all { (cause(&explained.cause)) }
            td."nowrap muted" { @if let Some(refresh) = explained.change.refresh { "R-" (refresh) } }
        }
    }
}

fn cause(cause: &ChangeCause) -> Markup {
    html! {
        @match cause {
            ChangeCause::Event { event, event_type, requests } => {
                @match event_type {
                    Some(event_type) => a.mono href=(links::event(*event)) { (words::machine_name(event_type)) },
                    None => span.muted { "event " (event.0) ", which was purged" },
                }
                @if 1 < *requests { span.muted { " and " (words::number(requests.saturating_sub(1))) " more" } }
            }
            ChangeCause::Full { reason } => {
                span.muted { "no event told of it: found by the full refresh (" (words::foreign(reason)) ")" }
            }
            ChangeCause::Along => span.muted { "no event told of it: read along with another object" },
            ChangeCause::Unknown => span.muted { "not known any more" },
        }
    }
}
