//! The sentence that says what became of an event.

use maud::Markup;
use maud::html;

use crate::model::delivery::Outcome;
use crate::model::delivery::StepKind;
use crate::model::event_outcome::EventOutcome;
use crate::model::target::Target;
use crate::vmdb::FoundChange;
use crate::vmdb::ListedObject;
use crate::vmdb::RefreshState;
use crate::web::event_story::EventStory;
use crate::web::event_story::Flood;
use crate::web::event_story::NamedResource;
use crate::web::event_story::is_of;
use crate::web::pages::changes;
use crate::web::pages::event::trace::Decision;
use crate::web::pages::links;
use crate::web::pages::words;
use crate::web::pages::words::Zone;

/// Changed fields that the sentence names.
const NAMED: usize = 2;

/// What became of it, in a sentence or three.
pub(crate) fn verdict(story: &EventStory, decision: &Decision, zone: &Zone) -> Markup {
    let outcome = story.shown.stored.outcome;
    html! {
        p.verdict {
            @match outcome {
                EventOutcome::Failed => (failed(story, decision)),
                EventOutcome::Folded => (folded(story)),
                EventOutcome::NoRule => "No rule is named after this type, so nothing was done.",
                EventOutcome::Skipped => (skipped(decision)),
                EventOutcome::Waiting => (waiting(story, decision, zone)),
                EventOutcome::Acted => {
                    (words::counted(as_count(decision.actions.len()), "action", "actions")) " ran. "
                    (refreshed(story))
                }
            }
            (besides(decision))
            @if let Some(Flood::Leads(others)) = &story.flood && !others.is_empty() {
                " It was decided together with " (words::counted(as_count(others.len()), "equal event", "equal events"))
                " of a flood."
            }
        }
    }
}

pub(crate) fn as_count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn failed(story: &EventStory, decision: &Decision) -> Markup {
    let fatal = decision.errors.iter().rfind(|error| error.fatal);
    let waits = story.message.as_ref();
    html! {
        strong.fail { "Failed." } " "
        @if let Some(error) = fatal {
            span.mono { (error.kind) } ": " (words::foreign(&error.message))
            @if !error.message.ends_with('.') { "." }
            " "
        }
        "Nothing that this event asked for was done. "
        @match waits {
            Some(message) => {
                "The event is kept, and its message " (message.id) " is " (message.state.as_str()) "."
            }
            None => "The event is kept.",
        }
    }
}

fn folded(story: &EventStory) -> Markup {
    html! {
        "One of a flood of equal events"
        @if let Some(Flood::FoldedInto(leader)) = story.flood {
            ": it was decided together with " (links::to_event(leader)) ", where the decision is"
        }
        "."
    }
}

fn skipped(decision: &Decision) -> Markup {
    let refused = decision
        .steps
        .iter()
        .find(|step| step.kind == StepKind::Assertion && step.outcome == Outcome::Failed);
    html! {
        "Its rule did nothing"
        @match refused {
            Some(step) => {
                ": the assertion " span.mono { (step.field.as_deref().unwrap_or("guard")) } " of "
                span.mono { (words::machine_name(step.short_path())) } " was not true."
            }
            None if decision.steps.iter().any(|step| step.outcome == Outcome::Missing) => ".",
            None => ": it asks for nothing.",
        }
    }
}

fn waiting(story: &EventStory, decision: &Decision, zone: &Zone) -> Markup {
    let runs = as_count(story.shown.deliveries.len());
    let due = story.message.as_ref().and_then(|message| message.due);
    html! {
        "Not at its end: a state machine goes on "
        @match due {
            Some(due) => { "at " (zone.element(due, &zone.time(due))) },
            None => "later",
        }
        ", after " (words::counted(runs, "run", "runs")) " with "
        (words::counted(as_count(decision.actions.len()), "action", "actions")) " in the last one. "
        (refreshed(story))
    }
}

/// What was refreshed, and what that changed.
fn refreshed(story: &EventStory) -> Markup {
    let targets = story.targets();
    if targets.is_empty() && story.refreshes.is_empty() {
        return html! { "Nothing was refreshed." };
    }
    let ems = story.shown.stored.event.ems.as_ref().map(|ems| &*ems.name);
    let states: Vec<RefreshState> = story
        .refreshes
        .iter()
        .map(|shared| shared.refresh.state)
        .collect();
    let is_done = !states.is_empty() && states.iter().all(|state| *state == RefreshState::Done);
    let has_failed = states.contains(&RefreshState::Failed);
    let verb = match (is_done, has_failed) {
        (true, _) => "was refreshed",
        (false, true) => "could not be refreshed",
        (false, false) => "is to be refreshed",
    };
    html! {
        @match targets.as_slice() {
            [] => { "The whole manager " (verb) },
            [one] => { (named(story, one, ems)) " " (verb) },
            several => {
                (words::number(as_count(several.len()))) " objects "
                (verb.replacen("was", "were", 1).replacen("is to", "are to", 1))
            }
        }
        @if is_done { (found(story)) } @else { "." }
    }
}

/// What people call what a target names, where it is known.
fn named(story: &EventStory, target: &Target, ems: Option<&str>) -> Markup {
    let reference = target.manager_ref.reference();
    let changed = story.changes.iter().map(|found| &found.object);
    let changed = changed
        .filter(|object| is_of(object, target))
        .map(ListedObject::name);
    let is_it = |resource: &&NamedResource| {
        resource.association == *target.association && resource.reference == reference
    };
    let said = || {
        story
            .resources
            .iter()
            .find(is_it)
            .and_then(|resource| resource.name.clone())
    };
    let name = changed
        .into_iter()
        .next()
        .or_else(said)
        .unwrap_or_else(|| reference.clone());
    html! {
        @if target.manager_ref.is_whole_association() { strong { "Everything among the " (links::kind(&target.association).1) } }
        @else {
            "The " (links::kind(&target.association).0) " "
            strong { a href=(links::resource(&target.association, &reference, ems)) { (words::foreign(&name)) } }
        }
    }
}

fn found(story: &EventStory) -> Markup {
    let (own, _others) = story.own_changes();
    let created = own
        .iter()
        .filter(|found| found.change.change == "created")
        .count();
    let gone = own
        .iter()
        .filter(|found| found.change.change == "archived")
        .count();
    let fields: Vec<(&FoundChange, changes::FieldChange)> = own
        .iter()
        .filter(|found| found.change.change == "updated")
        .flat_map(|found| {
            changes::fields(&found.change)
                .into_iter()
                .map(move |field| (*found, field))
        })
        .collect();
    html! {
        @if own.is_empty() { ", and nothing had changed." } @else {
            @if !fields.is_empty() && fields.len() <= NAMED && created + gone == 0 {
                @for (index, (found, field)) in fields.iter().enumerate() {
                    @if index == 0 { ": " } @else { ", " }
                    @if 1 < own.len() { (words::foreign(&found.object.name())) "’s " }
                    span.mono { (words::foreign(&field.name)) }
                    " went from " (field.both(" to "))
                }
                "."
            } @else {
                ": "
                @let parts = [
                    (created, "object was new", "objects were new"),
                    (gone, "is gone", "are gone"),
                    (fields.len(), "field changed", "fields changed"),
                ];
                @for (index, (count, one, many)) in parts.into_iter().filter(|part| 0 < part.0).enumerate() {
                    @if 0 < index { ", " }
                    (words::counted(as_count(count), one, many))
                }
                "."
            }
        }
    }
}

/// What stayed undone besides, in a run that did come to its end.
fn besides(decision: &Decision) -> Markup {
    let count = |kind, outcome| {
        let of = decision
            .steps
            .iter()
            .filter(|step| step.kind == kind && step.outcome == outcome);
        as_count(of.count())
    };
    let missing = count(StepKind::Relationship, Outcome::Missing);
    let errors = as_count(decision.errors.iter().filter(|error| !error.fatal).count());
    html! {
        @if 0 < missing { " " (words::counted(missing, "link", "links")) " led nowhere." }
        @if 0 < errors { " " (words::counted(errors, "error", "errors")) " did not end the run." }
    }
}
