//! `/managers/{name}`: how a manager's catcher fares, what it has, and its newest events.

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use maud::Markup;
use maud::html;

use crate::model::ems::Ems;
use crate::vmdb::EventFilter;
use crate::vmdb::ManagerRefreshes;
use crate::vmdb::ObjectCounts;
use crate::vmdb::StoredCatcher;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::web::Shared;
use crate::web::api::look;
use crate::web::api::readable;
use crate::web::pages::forms::Action;
use crate::web::pages::links;
use crate::web::pages::problem::PageProblem;
use crate::web::pages::shell::Place;
use crate::web::pages::shell::Shell;
use crate::web::pages::timeline::Asked;
use crate::web::pages::timeline::View;
use crate::web::pages::timeline::part::TimelinePart;
use crate::web::pages::visitor::Visitor;
use crate::web::pages::words;
use crate::web::problem::Problem;

/// What is known of a manager.
struct ManagerStory {
    ems: Arc<Ems>,
    is_removed: bool,
    catcher: Option<StoredCatcher>,
    refreshes: Option<ManagerRefreshes>,
    counts: std::collections::BTreeMap<String, ObjectCounts>,
    event_count: u64,
}

impl ManagerStory {
    fn load(vmdb: &Vmdb, name: &str) -> Result<Option<Self>, VmdbError> {
        let Some((ems, is_removed)) = vmdb.ems_ever(name)? else {
            return Ok(None);
        };
        let filter = EventFilter {
            ems_id: Some(ems.id),
            ..EventFilter::default()
        };
        Ok(Some(Self {
            catcher: vmdb.catchers()?.remove(&ems.id),
            refreshes: vmdb.manager_refreshes()?.remove(&ems.id),
            counts: vmdb.inventory_counts(Some(ems.id))?,
            event_count: vmdb.events_total(&filter)?,
            ems,
            is_removed,
        }))
    }
}

/// The page.
pub(crate) async fn page(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    Path(name): Path<String>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, PageProblem> {
    let asked = readable(query)?;
    let missing =
        Problem::not_found(format!("there is no manager `{name}`")).help("`switchboard ems list` names them");
    let services = shared.clone();
    let page = look(&shared, move |vmdb| {
        let Some(story) = ManagerStory::load(vmdb, &name)? else {
            return Ok(Err(missing));
        };
        let shell = Shell::new(&services, vmdb, visitor)?;
        let path = links::manager(&story.ems.name);
        let of_it = |filter: &mut EventFilter| filter.ems_id = Some(story.ems.id);
        let part = match View::about(path, asked, &shell.visitor, shell.now, of_it) {
            Ok(view) => TimelinePart::read(&services, vmdb, &shell, view)?,
            Err(problem) => return Ok(Err(problem)),
        };
        let main = draw(&story, &part, &shell);
        Ok(Ok(shell.page(&story.ems.name, Place::Inventory, &main)))
    })
    .await?;
    Ok(page?)
}

fn draw(story: &ManagerStory, part: &TimelinePart, shell: &Shell) -> Markup {
    let said = html! { (words::counted(story.event_count, "event", "events")) " in all, the newest first" };
    let timeline = format!("/?ems={}", links::part(&story.ems.name));
    html! {
        p.crumbs { a href="/inventory" { "Inventory" } " / Managers / " (words::foreign(&story.ems.name)) }
        div.pagehead {
            div {
                h1 { (words::foreign(&story.ems.name)) }
                p.facts {
                    span { "manager of type " span.mono { (words::foreign(&story.ems.provider)) } }
                    @if let Some(url) = &story.ems.url { span.mono { (words::foreign(url)) } }
                    @if story.is_removed { span { span.chip { "removed" } } }
                }
            }
            div.nowrap {
                a.btn href=(timeline) { "On the timeline" }
                @if !story.is_removed {
                    " "
                    (Action {
                        path: "/api/refreshes",
                        back: &links::manager(&story.ems.name),
                        label: "Refresh now",
                        to: &story.ems.name,
                        class: "btn",
                    }.button(&[("ems", &story.ems.name), ("full", "true")]))
                }
            }
        }
        div.stack {
            (sentence(story, shell))
            (part.chart(&story.ems.name, &html! {}))
            div.two {
                (part.list(&said))
                div.stack { (catcher(story, shell)) (inventory(story)) }
            }
        }
    }
}

fn sentence(story: &ManagerStory, shell: &Shell) -> Markup {
    let zone = &shell.visitor.zone;
    let record = story.catcher.as_ref().map(|catcher| &catcher.record);
    html! {
        p.verdict {
            @if story.is_removed { strong { "Removed." } " Its events and its inventory stay readable." }
            @else if !story.ems.enabled { strong { "Disabled." } " It has no catcher; what is pushed for it is taken as ever." }
            @else if let Some(record) = record {
                @match &*record.state {
                    "running" => { strong { "Its catcher runs" } },
                    "backing_off" => { strong.fail { "Its catcher waits to try again" } },
                    "connecting" => { strong { "Its catcher connects" } },
                    _stopped if !record.wanted => { strong { "Its events are pushed" } },
                    _stopped => { strong.fail { "Its catcher is stopped" } },
                }
                @if let Some(since) = record.since { " since " (zone.element(since, &zone.moment(since, shell.now))) }
                @if let Some(reason) = &record.reason { ": " (words::foreign(reason)) }
                "."
            }
            @else { "Nothing is known of its catcher: none has run yet." }
        }
    }
}

fn catcher(story: &ManagerStory, shell: &Shell) -> Markup {
    let (zone, now) = (&shell.visitor.zone, shell.now);
    let at = |at| zone.element(at, &format!("{}, {}", zone.moment(at, now), words::ago(at, now)));
    html! {
        section.card aria-label="Catcher and refreshes" {
            header { h2 { "Catcher and refreshes" } p { a href="/operations" { "Operations" } } }
            div.body {
                dl.kv {
                    @if let Some(catcher) = &story.catcher {
                        dt { "Catcher" } dd { (words::foreign(&catcher.record.state)) }
                        @if let Some(stream) = &catcher.record.stream { dt { "Stream" } dd { (words::foreign(stream)) } }
                        @if let Some(until) = catcher.record.until { dt { "Tries again" } dd { (at(until)) } }
                        dt { "Broke off" } dd { (words::counted(catcher.record.broke_off, "time", "times")) }
                        @if let Some((position, saved)) = &catcher.position {
                            dt { "Cursor" }
                            dd { span.mono { (words::foreign_up_to(&position.to_string(), 200)) } br; span.muted { "saved " (at(*saved)) } }
                        }
                    }
                    @if let Some(refreshes) = &story.refreshes {
                        dt { "Last refresh" }
                        dd { @match refreshes.last_refresh_date { Some(time) => (at(time)), None => "none" } }
                        dt { "Last full one" }
                        dd { @match refreshes.last_full_refresh_date { Some(time) => (at(time)), None => "none" } }
                        @if let Some(error) = &refreshes.last_refresh_error { dt { "Failed" } dd.fail { (words::foreign(error)) } }
                    }
                }
            }
        }
    }
}

fn inventory(story: &ManagerStory) -> Markup {
    html! {
        section.card aria-label="Inventory" {
            header { h2 { "Inventory" } }
            @if story.counts.is_empty() { div.empty { p { "Nothing has been read yet." } } }
            @else {
                table."t small" {
                    tbody {
                        @for (association, counts) in &story.counts {
                            tr {
                                th scope="row" {
                                    a href={ "/inventory?association=" (links::part(association)) "&ems=" (links::part(&story.ems.name)) } { (links::kind(association).1) }
                                }
                                td.r { (words::number(counts.present)) }
                            }
                        }
                    }
                }
            }
        }
    }
}
