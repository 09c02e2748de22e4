//! What did not happen: assertions that were not true, links that led nowhere, what was cut off, what was covered.

use maud::Markup;
use maud::html;

use crate::model::delivery::Outcome;
use crate::model::delivery::StepKind;
use crate::web::pages::event::files::Files;
use crate::web::pages::event::trace::Decision;
use crate::web::pages::event::trace::ShownStep;
use crate::web::pages::event::trace::said;
use crate::web::pages::event::why;
use crate::web::pages::shell::icon;
use crate::web::pages::words;

/// Entries that are shown; the tree has them all.
const SHOWN: usize = 20;

/// The card.
pub(crate) fn card(decision: &Decision, files: &Files) -> Markup {
    let is_not =
        |step: &ShownStep| !matches!(step.outcome, Outcome::Ok | Outcome::Followed | Outcome::Skipped);
    let mut nots: Vec<(usize, &ShownStep)> = decision
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| is_not(step))
        .collect();
    // A failure goes up through what led to it: it is said where it arose.
    let failures: Vec<(usize, Option<&str>)> = nots
        .iter()
        .filter(|(_, step)| step.outcome == Outcome::Failed)
        .map(|(index, step)| (*index, step.why.as_deref()))
        .collect();
    nots.retain(|(index, step)| {
        let arose_below = |(other, why): &(usize, Option<&str>)| index < other && *why == step.why.as_deref();
        step.outcome != Outcome::Failed
            || step.kind == StepKind::Assertion
            || !failures.iter().any(arose_below)
    });
    // What was cut off is said once for each object.
    nots.dedup_by(|(_, next), (_, before)| {
        next.outcome == Outcome::NotReached
            && before.outcome == Outcome::NotReached
            && next.path == before.path
    });
    let covered: Vec<(&ShownStep, &str)> = decision
        .steps
        .iter()
        .filter_map(|step| Some((step, files.covers(step)?)))
        .collect();
    html! {
        section.card aria-label="What did not happen" {
            header { h2 { "What did not happen" } }
            @if nots.is_empty() && covered.is_empty() {
                div.empty { p { "Every step was taken." } }
            } @else {
                ul.nots {
                    @for (index, step) in nots.iter().take(SHOWN) {
                        li {
                            p { (why::symbol(step)) (headline(step)) }
                            @if let Some(reason) = reason(step) { p { (reason) } }
                            (place(*index, step))
                        }
                    }
                    @if SHOWN < nots.len() {
                        li { p.muted { "and " (nots.len() - SHOWN) " more in the tree" } }
                    }
                    @for (step, covered) in covered {
                        li {
                            p { (icon("g-skipped", "")) span.mono { (words::machine_name(covered)) } }
                            p { "Covered by " span.mono { (words::machine_name(&step.path)) } " of a higher domain." }
                        }
                    }
                }
            }
        }
    }
}

fn place(index: usize, step: &ShownStep) -> Markup {
    html! {
        p.at {
            a href={ "#s" (index + 1) } {
                @match (&step.file, step.line) {
                    (Some(file), Some(line)) => { (words::machine_name(why::short_file(file))) ":" (line) },
                    (Some(file), None) => (words::machine_name(why::short_file(file))),
                    (None, _) => { "step " (index + 1) },
                }
            }
        }
    }
}

fn headline(step: &ShownStep) -> Markup {
    let field = step.field.as_deref().unwrap_or_default();
    let object = html! { span.mono { (words::machine_name(step.short_path())) } };
    html! {
        @match (step.kind, step.outcome) {
            (StepKind::Assertion, Outcome::Failed) => { span.mono { (words::foreign(field)) } " was not true in " (object) },
            (StepKind::Relationship, Outcome::Missing) => { span.mono { (words::foreign(field)) } " led nowhere" },
            (_, Outcome::Missing) => { "There is no " (object) },
            (_, Outcome::Failed) => { span.mono { (words::foreign(field)) } " failed in " (object) },
            (_, _not_reached) => { "The rest of " (object) " was not reached" },
        }
    }
}

/// The values that it saw, or why.
fn reason(step: &ShownStep) -> Option<Markup> {
    let value = step.value.as_ref().map(said);
    let saw = match (step.kind, step.outcome) {
        (StepKind::Assertion, Outcome::Failed) => value.or_else(|| step.written.clone()),
        _other => None,
    };
    let why = step.why.as_deref();
    (saw.is_some() || why.is_some()).then(|| {
        html! {
            @if let Some(saw) = &saw { span.mono { (words::foreign_up_to(saw, 400)) } }
            @if let Some(why) = why {
                @if saw.is_some() { ": " }
                (words::foreign_up_to(why, 400))
            }
        }
    })
}
