//! The decision as a tree of steps, each of which opens.

use maud::Markup;
use maud::html;

use crate::model::delivery::Outcome;
use crate::model::delivery::StepKind;
use crate::web::pages::event::files::Files;
use crate::web::pages::event::trace::Branch;
use crate::web::pages::event::trace::Decision;
use crate::web::pages::event::trace::ShownStep;
use crate::web::pages::links;
use crate::web::pages::shell::icon;
use crate::web::pages::words;

/// Deeper trees are drawn flat from there on: a screen is only so wide.
const DEEPEST: usize = 24;
/// Characters of a written text or a value that a closed step shows.
const CLOSED: usize = 80;
/// And an open one.
const OPEN: usize = 4_000;

/// The card.
pub(crate) fn card(decision: &Decision, files: &Files) -> Markup {
    html! {
        section."card a-why" aria-label="Why" {
            header {
                h2 { "Why" }
                p {
                    label { input #only type="checkbox"; " Only what did not happen" }
                    " "
                    button."quiet small" data-do="expand" { "Open all" }
                }
            }
            @if decision.steps.is_empty() {
                div.empty { p { "No step was recorded." } }
            } @else {
                div.tree { (branches(&decision.tree(), files, 0)) }
            }
        }
    }
}

fn branches(branches: &[Branch<'_>], files: &Files, depth: usize) -> Markup {
    html! {
        ol {
            @for branch in branches {
                li class={ "step " (class(branch.step)) } id={ "s" (branch.number) } {
                    (step(branch, files))
                    @if !branch.below.is_empty() && depth < DEEPEST { (self::branches(&branch.below, files, depth + 1)) }
                }
                @if !branch.below.is_empty() && DEEPEST <= depth {
                    @for below in &branch.below {
                        li class={ "step " (class(below.step)) } id={ "s" (below.number) } { (step(below, files)) }
                    }
                }
            }
        }
    }
}

/// How a step is marked: an assertion that was not true is no failure of ours.
pub(crate) fn class(step: &ShownStep) -> &'static str {
    match (step.outcome, step.kind) {
        (Outcome::Ok, _) => "ok",
        (Outcome::Followed, _) => "followed",
        (Outcome::Failed, StepKind::Assertion) | (Outcome::Skipped, _) => "skipped",
        (Outcome::Failed, _) => "failed",
        (Outcome::Missing, _) => "missing",
        (Outcome::NotReached, _) => "notreached",
    }
}

/// The symbol of a step.
pub(crate) fn symbol(step: &ShownStep) -> Markup {
    let class = class(step);
    icon(&format!("g-{class}"), if class == "failed" { "fail" } else { "" })
}

fn kind(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Instance => "instance",
        StepKind::Relationship => "relationship",
        StepKind::Assertion => "assertion",
        StepKind::Attribute => "attribute",
        StepKind::Method => "method",
        StepKind::State => "state",
    }
}

fn step(branch: &Branch<'_>, files: &Files) -> Markup {
    let step = branch.step;
    let is_open = step.outcome == Outcome::Failed;
    html! {
        details open[is_open] {
            summary {
                (symbol(step))
                span {
                    span.what { span.k { (kind(step.kind)) } (what(step)) }
                    @if let Some(why) = step.why.as_deref().or_else(|| files.description(step)) {
                        span.why { (words::foreign_up_to(why, 400)) }
                    }
                }
                span.at {
                    @match (&step.file, step.line) {
                        (Some(file), line) => { (short_file(file)) @if let Some(line) = line { ":" (line) } },
                        (None, _) => "builtin",
                    }
                }
            }
            div.inside { (inside(step, files)) }
        }
    }
}

/// What a step is about, in a line.
pub(crate) fn what(step: &ShownStep) -> Markup {
    let value = step.value.as_ref().map(crate::web::pages::event::trace::said);
    let value = value.as_deref().or(step.written.as_deref()).unwrap_or_default();
    html! {
        @match (step.kind, &step.field) {
            (StepKind::Instance, _) | (_, None) => span.mono { (words::machine_name(&step.path)) },
            (StepKind::Assertion, Some(field)) => {
                span.mono { (words::machine_name(field)) }
                @match step.outcome {
                    Outcome::Ok => " is true",
                    Outcome::Failed => { " is not true, so the rest of " span.mono { (words::machine_name(step.short_path())) } " was left out" },
                    _other => {}
                }
            }
            (StepKind::Attribute, Some(field)) => {
                span.mono { (words::machine_name(field)) }
                @if !value.is_empty() { " = " span.mono { (words::foreign_up_to(value, CLOSED)) } }
            }
            (StepKind::Relationship, Some(field)) => {
                span.mono { (words::machine_name(field)) }
                @if !value.is_empty() { " → " span.mono { (words::foreign_up_to(value, CLOSED)) } }
            }
            (StepKind::Method | StepKind::State, Some(field)) => {
                span.mono { (words::machine_name(field)) }
                @if !value.is_empty() { " " span.mono { (words::foreign_up_to(value, CLOSED)) } }
            }
        }
    }
}

fn inside(step: &ShownStep, files: &Files) -> Markup {
    let outcome = match step.outcome {
        Outcome::Ok => "ok",
        Outcome::Followed => "followed",
        Outcome::Skipped => "skipped",
        Outcome::Failed if step.kind == StepKind::Assertion => "not true",
        Outcome::Failed => "failed",
        Outcome::Missing => "missing",
        Outcome::NotReached => "not reached",
    };
    html! {
        dl.kv {
            dt { "outcome" } dd { (outcome) }
            dt { "object" } dd { span.mono { (words::machine_name(&step.path)) } }
            @if let Some(field) = &step.field { dt { "field" } dd { span.mono { (words::foreign(field)) } } }
            @if let Some(written) = &step.written {
                dt { "written" } dd { span.mono { (words::foreign_up_to(written, OPEN)) } }
            }
            @if let Some(value) = step.substituted() {
                dt { @if step.written.is_some() { "after substitution" } @else { "value" } }
                dd { span.mono { (words::foreign_up_to(&value, OPEN)) } }
            }
            @if let Some(why) = &step.why { dt { "why" } dd { (words::foreign_up_to(why, OPEN)) } }
            @if let Some(covered) = files.covers(step) {
                dt { "covers" } dd { span.mono { (words::machine_name(covered)) } }
            }
            @if let Some(file) = &step.file {
                dt { "file" }
                dd {
                    @match files.has(file) {
                        true => a.mono href=(links::file(file, step.line)) { (words::machine_name(file)) @if let Some(line) = step.line { ":" (line) } },
                        false => span.mono { (words::machine_name(file)) @if let Some(line) = step.line { ":" (line) } },
                    }
                }
            }
            dt { "generation" } dd { span.mono { (files.decided_by()) } }
        }
        @if let (Some(file), Some(line)) = (&step.file, step.line) { (files.around(file, line, step)) }
    }
}

/// The end of a path, which says most.
pub(crate) fn short_file(path: &str) -> &str {
    let mut slashes = path.rmatch_indices('/');
    let second = slashes.nth(1).map_or(0, |(at, _)| at + 1);
    path.get(second..).unwrap_or(path)
}
