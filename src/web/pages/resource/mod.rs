//! `/resources/{association}/{ref}`: what state an object is in, since when, and because of what.

mod attributes;
mod band;
mod history;
mod state;
mod story;

pub(crate) use attributes::link;
pub(crate) use state::state;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use maud::Markup;
use maud::html;

use crate::model::json;
use crate::web::Shared;
use crate::web::api::look;
use crate::web::api::readable;
use crate::web::api::unknown_manager;
use crate::web::pages::forms::Action;
use crate::web::pages::links;
use crate::web::pages::problem::PageProblem;
use crate::web::pages::resource::story::ResourceStory;
use crate::web::pages::shell::Place;
use crate::web::pages::shell::Shell;
use crate::web::pages::timeline::Asked;
use crate::web::pages::timeline::View;
use crate::web::pages::timeline::part::TimelinePart;
use crate::web::pages::visitor::Visitor;
use crate::web::pages::words;
use crate::web::problem::Problem;

/// The address: that of a view of the timeline, and which changes are shown.
#[derive(Debug, Default)]
struct Wanted {
    changes_before: Option<i64>,
    asked: Asked,
}

impl Wanted {
    fn read(mut query: BTreeMap<String, String>) -> Result<Self, Problem> {
        let changes = query.remove("changes").map(|text| text.parse());
        let wrong = |_error| Problem::unreadable("`changes` is no number of a change");
        let asked = json::to_value(&query).and_then(|query| json::from_value(&query));
        Ok(Self {
            changes_before: changes.transpose().map_err(wrong)?,
            asked: asked.map_err(|error| Problem::unreadable(error.to_string()))?,
        })
    }
}

/// The page.
pub(crate) async fn page(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    Path((association, reference)): Path<(String, String)>,
    query: Result<Query<BTreeMap<String, String>>, QueryRejection>,
) -> Result<Response, PageProblem> {
    let query = readable(query)?;
    let ems = query.get("ems").cloned();
    let wanted = Wanted::read(query)?;
    let missing = Problem::not_found(format!(
        "nothing is known of `{reference}` among the {association}"
    ))
    .help("neither the inventory nor any event names it; it may have been purged");
    let services = shared.clone();
    let page = look(&shared, move |vmdb| {
        let ems = match ems.as_deref() {
            Some(name) => match vmdb.ems_ever(name)? {
                Some((ems, _removed)) => Some(ems),
                None => return Ok(Err(unknown_manager(Some(name.to_owned())))),
            },
            None => None,
        };
        let ems = ems.as_deref();
        let story = ResourceStory::load(vmdb, &association, &reference, ems, wanted.changes_before)?;
        let Some(story) = story else {
            return Ok(Err(missing));
        };
        let shell = Shell::new(&services, vmdb, visitor)?;
        let path = links::resource(&association, &reference, None);
        let view = View::about(path, wanted.asked, &shell.visitor, shell.now, |filter| {
            filter.ems_id = ems.map(|ems| ems.id);
            filter.target = Some((association, reference));
        });
        let part = match view {
            Ok(view) => TimelinePart::read(&services, vmdb, &shell, view)?,
            Err(problem) => return Ok(Err(problem)),
        };
        let is_removed = match story.ems() {
            Some(name) => vmdb.ems_ever(&name)?.is_some_and(|(_, is_removed)| is_removed),
            None => false,
        };
        let main = draw(&story, &part, is_removed, &shell);
        Ok(Ok(shell.page(&story.name(), Place::Inventory, &main)))
    })
    .await?;
    Ok(page?)
}

fn draw(story: &ResourceStory, part: &TimelinePart, is_removed: bool, shell: &Shell) -> Markup {
    let (zone, now) = (&shell.visitor.zone, shell.now);
    let (kind, kinds) = links::kind(&story.association);
    let ems = story.ems();
    let address = links::resource(&story.association, &story.reference, ems.as_deref());
    let here = address.clone();
    let address = |key: &str, value: &str| {
        let sign = if address.contains('?') { '&' } else { '?' };
        format!("{address}{sign}{key}={}", links::part(value))
    };
    let last = story
        .changes
        .last()
        .filter(|_| u64::try_from(story.changes.len()).unwrap_or(u64::MAX) < story.change_count);
    let earlier_changes = last.map(|last| address("changes", &last.change.id.to_string()));
    let target = format!("{}:{}", story.association, story.reference);
    html! {
        p.crumbs {
            a href="/inventory" { "Inventory" } " / "
            a href={ "/inventory?association=" (links::part(&story.association)) } { (kinds) } " / "
            (words::foreign(&story.name()))
        }
        div.pagehead {
            div {
                h1 { (words::foreign(&story.name())) }
                p.facts {
                    span {
                        (kind)
                        @if let Some(ems) = &ems {
                            " of "
                            @if is_removed { (words::foreign(ems)) " " span.chip { "removed" } } @else { (links::to_manager(ems)) }
                        }
                    }
                    span.mono { (words::foreign(&story.reference)) }
                    @if let Some(object) = &story.object {
                        span { "in inventory since " (zone.element(object.created_at, &zone.moment(object.created_at, now))) }
                    }
                }
            }
            div.nowrap {
                a.btn href={ "/?target=" (links::part(&target)) } { "On the timeline" }
                // An odd key has no name that can be asked for.
                @if let Some(ems) = ems.as_deref().filter(|_| !is_removed && !story.reference.starts_with('{')) {
                    " "
                    (Action {
                        path: "/api/refreshes",
                        back: &here,
                        label: "Refresh now",
                        to: &story.name(),
                        class: "btn",
                    }.button(&[("ems", ems), ("targets", &target)]))
                }
            }
        }
        div.stack {
            (state::sentence(story, zone, now))
            (part.chart(&story.name(), &band::lane(story, part.axis())))
            div.two {
                div.stack {
                    (history::card(story, earlier_changes, zone, now))
                    (part.list(&mentions(story)))
                }
                div.stack {
                    (attributes::card(story, zone, now))
                    (attributes::together(story))
                }
            }
        }
    }
}

/// As what events name it.
fn mentions(story: &ResourceStory) -> Markup {
    let mentions = story.mentions;
    let rest = mentions
        .all
        .saturating_sub(mentions.source + mentions.destination);
    html! {
        (words::number(mentions.source)) " as source, " (words::number(mentions.destination)) " as destination"
        @if 0 < rest { ", " (words::number(rest)) " that only had it read" }
    }
}
