//! What was asked to be refreshed, what became of that, and what it changed.

use maud::Markup;
use maud::html;

use crate::model::clock::Timestamp;
use crate::model::target::Target;
use crate::vmdb::FoundChange;
use crate::vmdb::RefreshState;
use crate::web::event_story::EventStory;
use crate::web::event_story::SharedRefresh;
use crate::web::event_story::is_of;
use crate::web::pages::changes;
use crate::web::pages::event::verdict::as_count;
use crate::web::pages::links;
use crate::web::pages::words;
use crate::web::pages::words::Zone;

/// Rows of a list here; the numbers are exact.
const SHOWN: usize = 12;
/// Other events of a refresh that are linked.
const SHARERS: usize = 5;

/// The card.
pub(crate) fn card(story: &EventStory, zone: &Zone, now: Timestamp) -> Markup {
    let targets = story.targets();
    let ems = story.shown.stored.event.ems.as_ref().map(|ems| &*ems.name);
    html! {
        section.card aria-label="Targets and changes" {
            header {
                h2 { "Targets and changes" }
                @if let Some(first) = story.refreshes.first() {
                    p { a href="/operations#refreshes" { "Refresh R-" (first.refresh.id) } }
                }
            }
            @if targets.is_empty() && story.refreshes.is_empty() {
                div.empty { p { "No refresh was asked for." } }
            } @else {
                div.flow {
                    div {
                        h3 { "Asked for" }
                        @if targets.is_empty() { p { "the whole manager" } }
                        @for target in targets.iter().take(SHOWN) { p { (links::to_target(target, ems)) } }
                        @if SHOWN < targets.len() {
                            p.muted { "and " (words::number(as_count(targets.len() - SHOWN))) " more" }
                        }
                    }
                    div {
                        h3 { "Refreshed" }
                        @if story.refreshes.is_empty() { p { "not yet" } }
                        @for shared in &story.refreshes { p { (refreshed(shared, zone, now)) } }
                    }
                    div { h3 { "Changed" } (changed(story, &targets)) }
                }
            }
        }
    }
}

fn refreshed(shared: &SharedRefresh, zone: &Zone, now: Timestamp) -> Markup {
    let refresh = &shared.refresh;
    let at = |at: Timestamp| zone.element(at, &zone.moment(at, now));
    html! {
        "R-" (refresh.id) ": "
        @if let Some(reason) = &refresh.full { "everything (" (words::foreign(reason)) "), " }
        @else { (words::counted(refresh.targets, "object", "objects")) ", " }
        @match (refresh.state, refresh.started_at, refresh.finished_at) {
            (RefreshState::Done, Some(start), Some(end)) => {
                "at " (at(start)) ", in " (words::duration(end.duration_since(start))) ". "
            }
            (RefreshState::Running, Some(start), _) => {
                "runs since " (at(start))
                @if let Some(progress) = &refresh.progress { " (" (words::foreign(progress)) ")" }
                ". "
            }
            (RefreshState::Merged, ..) => {
                "its objects wait in "
                @match refresh.merged_into { Some(id) => { "R-" (id) }, None => "another one" }
                ". "
            }
            (state, ..) => {
                (state.as_str())
                @if let Some(due) = refresh.due { ", is tried again at " (at(due)) }
                ". "
            }
        }
        @if let Some(error) = &refresh.error { span.fail { (words::foreign(error)) } " " }
        @if 0 < shared.shared_count {
            "Shared with "
            @for (index, id) in shared.shared_with.iter().take(SHARERS).enumerate() {
                @if 0 < index { ", " }
                (links::to_event(*id))
            }
            @let more = shared.shared_count.saturating_sub(as_count(shared.shared_with.len().min(SHARERS)));
            @if 0 < more { " and " (words::counted(more, "other event", "other events")) }
            "."
        }
    }
}

fn changed(story: &EventStory, targets: &[Target]) -> Markup {
    let is_done = story
        .refreshes
        .iter()
        .any(|shared| shared.refresh.state == RefreshState::Done);
    let (own, others) = story.own_changes();
    let untouched: Vec<&Target> = targets
        .iter()
        .filter(|target| !own.iter().any(|found| is_of(&found.object, target)))
        .collect();
    let told = as_count(own.len() + others.len());
    html! {
        @if !is_done { p.muted { "nothing yet" } }
        @else {
            table."t small" {
                tbody {
                    @for found in own.iter().take(SHOWN) { (rows(found)) }
                    @for target in untouched.iter().take(SHOWN) {
                        tr {
                            th scope="row" { (links::to_target(target, story.shown.stored.event.ems.as_ref().map(|ems| &*ems.name))) }
                            td.muted { "read, nothing changed" }
                        }
                    }
                }
            }
            @if SHOWN < own.len() { p.muted { "and " (words::counted(as_count(own.len() - SHOWN), "more object", "more objects")) } }
            @let besides = as_count(others.len()) + story.change_count.saturating_sub(told);
            @if 0 < besides {
                p.muted { "The refresh changed " (words::counted(besides, "other object", "other objects")) " besides." }
            }
        }
    }
}

/// The fields of one changed object.
fn rows(found: &FoundChange) -> Markup {
    let object = &found.object;
    let address = links::resource(&object.association, &object.reference(), Some(&object.ems));
    let name = html! { a href=(address) { (words::foreign(&object.name())) } };
    html! {
        @match &*found.change.change {
            "created" => tr { th scope="row" { (name) } td { ins { "new" } } },
            "archived" => tr { th scope="row" { (name) } td { del { "there" } " " ins { "gone" } } },
            _updated => {
                @for (index, field) in changes::fields(&found.change).iter().enumerate() {
                    tr {
                        th scope="row" {
                            @if index == 0 { (name) " " }
                            (words::foreign(&field.name))
                        }
                        td { (field.both(" ")) }
                    }
                }
            }
        }
    }
}
