//! In short: let through or not, the same as which, linked to what, by which rule, what for, with what end.

use maud::Markup;
use maud::html;

use crate::model::delivery::StepKind;
use crate::model::event_outcome::EventOutcome;
use crate::model::event_outcome::MISSING_STANDS_IN;
use crate::web::event_story::EventStory;
use crate::web::event_story::Flood;
use crate::web::pages::event::trace::Decision;
use crate::web::pages::event::trace::ShownStep;
use crate::web::pages::event::verdict::as_count;
use crate::web::pages::links;
use crate::web::pages::words;

/// The card.
pub(crate) fn card(story: &EventStory, decision: &Decision) -> Markup {
    let event = &story.shown.stored.event;
    let targets = as_count(decision.targets.len());
    html! {
        section.card aria-label="In short" {
            header { h2 { "In short" } }
            div.body {
                dl.kv {
                    dt { "Filter" } dd { "let through, so it is saved" }
                    dt { "Key" }
                    dd {
                        span.mono { (words::foreign(event.hash.event_key.as_ref().map_or("", |key| &key.0))) }
                        span.muted { " a repeat with this key is not saved again" }
                    }
                    @if let Some(Flood::FoldedInto(leader)) = story.flood { dt { "Like" } dd { (links::to_event(leader)) } }
                    dt { "Linked to" }
                    dd {
                        @let linked = story.resources.iter().filter(|resource| resource.id.is_some());
                        @for (index, resource) in linked.clone().enumerate() {
                            @if 0 < index { ", " }
                            (links::kind(&resource.association).0) " "
                            (words::foreign(resource.name.as_deref().unwrap_or(&resource.reference)))
                        }
                        @if linked.count() == 0 { "nothing in the inventory" }
                    }
                    dt { "Rule" }
                    dd {
                        @match rule(story, decision) {
                            Some((number, step)) => a.mono href={ "#s" (number) } { (words::machine_name(&step.path)) },
                            None => "none is named after its type",
                        }
                    }
                    dt { "Targets" } dd { (words::number(targets)) }
                    dt { "Refresh" }
                    dd {
                        @for (index, shared) in story.refreshes.iter().enumerate() {
                            @if 0 < index { ", " }
                            "R-" (shared.refresh.id) " " (shared.refresh.state.as_str())
                        }
                        @if story.refreshes.is_empty() { "none" }
                    }
                    dt { "Outcome" } dd { (outcome(story.shown.stored.outcome)) }
                }
            }
        }
    }
}

/// The instance that was taken for the type of the event.
fn rule<'a>(story: &EventStory, decision: &'a Decision) -> Option<(usize, &'a ShownStep)> {
    let event_type = story.shown.stored.event.hash.event_type.to_lowercase();
    let is_it = |step: &ShownStep| {
        let name = step.path.to_lowercase();
        let is_named = name
            .strip_suffix(&event_type)
            .is_some_and(|rest| rest.ends_with('/'));
        let stands_in = step
            .why
            .as_deref()
            .is_some_and(|why| why.starts_with(MISSING_STANDS_IN));
        step.kind == StepKind::Instance && (is_named || stands_in)
    };
    let mut steps = decision.steps.iter().enumerate();
    let found = steps.find(|(_, step)| is_it(step));
    found.map(|(index, step)| (index + 1, step))
}

fn outcome(outcome: EventOutcome) -> &'static str {
    match outcome {
        EventOutcome::Acted => "acted",
        EventOutcome::Folded => "folded into another one",
        EventOutcome::Skipped => "skipped: its rule did nothing",
        EventOutcome::NoRule => "no rule",
        EventOutcome::Failed => "failed",
        EventOutcome::Waiting => "waits, goes on later",
    }
}
