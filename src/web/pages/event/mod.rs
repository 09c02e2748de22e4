//! `/events/{id}`: what an event was, what was decided about it and why, and what came of that.

mod compare;
mod effects;
mod explained;
mod files;
mod journey;
mod nots;
mod raw;
mod related;
mod targets;
pub(crate) mod trace;
mod verdict;
mod why;

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::Query;
use axum::extract::Request;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use maud::Markup;
use maud::html;
use serde::Deserialize;

use crate::model::clock::Timestamp;
use crate::model::event::EventId;
use crate::model::event_outcome::EventOutcome;
use crate::model::json;
use crate::vmdb::StoredDelivery;
use crate::web::Rules;
use crate::web::Shared;
use crate::web::api::look;
use crate::web::api::readable;
use crate::web::event_story::EventStory;
use crate::web::event_story::NamedResource;
use crate::web::pages::event::compare::Comparison;
use crate::web::pages::event::files::Files;
use crate::web::pages::event::trace::Decision;
use crate::web::pages::links;
use crate::web::pages::problem::PageProblem;
use crate::web::pages::problem::told_to;
use crate::web::pages::shell::Place;
use crate::web::pages::shell::Shell;
use crate::web::pages::shell::icon;
use crate::web::pages::shell::short_generation;
use crate::web::pages::visitor::Visitor;
use crate::web::pages::words;
use crate::web::problem::Problem;
use crate::web::today;

/// Which run is shown; the last one unless it is said.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct EventQuery {
    run: Option<usize>,
}

/// The page; what stands in its way is JSON for programs, who look for something else here.
pub(crate) async fn page(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    Path(id): Path<String>,
    query: Result<Query<EventQuery>, QueryRejection>,
    request: Request,
) -> Response {
    let shown = show(shared, visitor, id, query).await;
    shown.unwrap_or_else(|PageProblem(problem)| told_to(&request, problem))
}

async fn show(
    shared: Arc<Shared>,
    visitor: Visitor,
    id: String,
    query: Result<Query<EventQuery>, QueryRejection>,
) -> Result<Response, PageProblem> {
    let run = readable(query)?.run;
    let missing = || {
        let help = "it may have been purged: settings say how long events are kept";
        Problem::not_found(format!("there is no event `{id}`")).help(help)
    };
    let number = id.parse().map_err(|_error| {
        let known = shared.services.vmdb.ems_known(&id);
        no_number(&id, known.is_some())
    });
    let number = EventId(number?);
    let services = shared.clone();
    let page = look(&shared, move |vmdb| {
        let Some(story) = EventStory::load(vmdb, number)? else {
            return Ok(None);
        };
        let shell = Shell::new(&services, vmdb, visitor)?;
        let title = story.shown.stored.event.hash.event_type.to_string();
        let page = EventPage::new(&story, run, &*services.services.rules, &shell);
        Ok(Some(shell.page(&title, Place::Timeline, &page.draw())))
    })
    .await?;
    Ok(page.ok_or_else(missing)?)
}

/// What is at the address of an event whose number is none: the place where senders bring the events of a manager.
fn no_number(name: &str, is_manager: bool) -> Problem {
    if !is_manager {
        let message = format!("there is no event `{name}`: an event has a number");
        return Problem::not_found(message).help("events of a manager are sent to /events/NAME by POST");
    }
    let message = format!(
        "`/events/{name}` takes the events of the manager `{name}` by POST; there is nothing to look at"
    );
    let help = format!(
        "an event has a page by its number, such as /events/1; the manager's page is {}",
        links::manager(name)
    );
    Problem::not_found(message).help(help)
}

/// What the parts of the page draw from.
struct EventPage<'a> {
    id: EventId,
    story: &'a EventStory,
    /// Which run is shown, from 0.
    run: usize,
    decision: Decision,
    files: Files<'a>,
    comparison: Option<Comparison>,
    shell: &'a Shell,
}

impl<'a> EventPage<'a> {
    fn new(story: &'a EventStory, run: Option<usize>, rules: &'a dyn Rules, shell: &'a Shell) -> Self {
        let runs = &story.shown.deliveries;
        let last = runs.len().saturating_sub(1);
        let run = run
            .and_then(|run| run.checked_sub(1))
            .map_or(last, |run| run.min(last));
        let recorded: Option<&StoredDelivery> = runs.get(run);
        let decision = recorded.map(Decision::recorded).unwrap_or_default();
        let files = Files::new(rules, recorded.map(|run| run.rules_id));
        let comparison = recorded
            .filter(|_| story.shown.stored.outcome != EventOutcome::Folded)
            .map(|_| {
                let document = today::run(&story.shown, rules, run + 1);
                let today = json::from_value(&document).unwrap_or_default();
                let generation = rules.generation().to_string();
                Comparison::new(&decision, &today, &files, short_generation(&generation))
            });
        Self {
            id: story.shown.stored.event.id.unwrap_or(EventId(0)),
            story,
            run,
            decision,
            files,
            comparison,
            shell,
        }
    }

    fn draw(&self) -> Markup {
        let (story, zone, now) = (self.story, &self.shell.visitor.zone, self.shell.now);
        html! {
            (self.crumbs())
            (self.head())
            div.stack {
                (verdict::verdict(story, &self.decision, zone))
                (self.failure())
                @if let Some(comparison) = &self.comparison { (comparison.note().unwrap_or_default()) }
                (journey::card(story, &self.decision, zone, now))
                div."two why" {
                    (why::card(&self.decision, &self.files))
                    div."stack a-side" {
                        (effects::runs(story, self.run, zone, now))
                        (nots::card(&self.decision, &self.files))
                        (effects::errors(&self.decision))
                        (targets::card(story, zone, now))
                        (effects::outbox(story, zone, now))
                        @if let Some(comparison) = &self.comparison { (comparison.card()) }
                        (related::card(story, zone, now))
                        (explained::card(story, &self.decision))
                    }
                    div.a-raw { (raw::card(self.id, &story.shown.stored)) }
                }
            }
        }
    }

    fn crumbs(&self) -> Markup {
        let group = &*self.story.shown.stored.group.group;
        html! {
            p.crumbs {
                a href="/" { "Timeline" } " / "
                a href={ "/?group=" (links::part(group)) } { (words::foreign(group)) } " / "
                "Event " (words::number(u64::try_from(self.id.0).unwrap_or(0)))
            }
        }
    }

    fn head(&self) -> Markup {
        let stored = &self.story.shown.stored;
        let event = &stored.event;
        let level = stored.group.level.as_str();
        let at = event.hash.timestamp.unwrap_or(event.received_at);
        let generation = self.files.decided_by();
        html! {
            div.pagehead {
                div {
                    div.evhead {
                        (icon(&format!("p-{level}"), &format!("{level} big")))
                        h1 { (words::machine_name(&event.hash.event_type)) }
                    }
                    p.facts {
                        span { (level) ", " (words::foreign(&stored.group.group)) }
                        span { (self.time(at)) }
                        @for resource in &self.story.resources { span { (self.resource(resource)) } }
                        @if let Some(ems) = &event.ems { span { "manager " (links::to_manager(&ems.name)) } }
                        @if !generation.is_empty() { span { "rules " span.mono { (generation) } } }
                    }
                }
                (self.neighbours())
            }
        }
    }

    fn time(&self, at: Timestamp) -> Markup {
        let zone = &self.shell.visitor.zone;
        zone.element(
            at,
            &format!("{}, {}", zone.full(at), words::ago(at, self.shell.now)),
        )
    }

    fn resource(&self, resource: &NamedResource) -> Markup {
        let ems = self.story.shown.stored.event.ems.as_ref().map(|ems| &*ems.name);
        let address = links::resource(&resource.association, &resource.reference, ems);
        let name = resource.name.as_deref().unwrap_or(&resource.reference);
        let is_destination = resource.role.starts_with("dest_");
        html! {
            @if is_destination { "to " }
            (links::kind(&resource.association).0) " "
            a href=(address) { (words::foreign(name)) }
        }
    }

    fn neighbours(&self) -> Markup {
        let neighbours = &self.story.neighbours;
        let first = self.story.resources.first();
        let name = first.map(|first| first.name.as_deref().unwrap_or(&first.reference));
        let name = name.unwrap_or_default();
        html! {
            @if neighbours.earlier.is_some() || neighbours.later.is_some() {
                div.nowrap {
                    @if let Some(earlier) = neighbours.earlier {
                        a.btn href=(links::event(earlier)) rel="prev" { "Earlier of " (words::foreign_up_to(name, 40)) }
                    }
                    " "
                    @if let Some(later) = neighbours.later { a.btn href=(links::event(later)) rel="next" { "Later" } }
                }
            }
        }
    }

    /// What failed, where, and what can be done about it.
    fn failure(&self) -> Markup {
        let stored = &self.story.shown.stored;
        let step = self.decision.failed_step();
        if stored.outcome != EventOutcome::Failed {
            return html! {};
        }
        html! {
            div."note fail-note" {
                (icon("g-failed", "fail"))
                div {
                    @if let Some((number, step)) = step {
                        p { strong { (why::what(step)) } }
                        p {
                            a href={ "#s" (number) } {
                                (words::machine_name(step.file.as_deref().unwrap_or("builtin")))
                                @if let Some(line) = step.line { ":" (line) }
                            }
                        }
                    } @else { p { strong { "The run ended in an error." } } }
                }
                div.acts {
                    @if let Some(message) = &self.story.message {
                        (effects::retry(message.id, self.id, "Retry with today’s rules", "btn small primary"))
                    }
                    a."btn small" href={ "/?outcome=failed&event_type=" (links::part(&stored.event.hash.event_type)) } { "See all of this type" }
                }
            }
        }
    }
}
