//! The same event with the rules of today, beside what was decided.

use maud::Markup;
use maud::html;

use crate::model::delivery::Outcome;
use crate::source::difference;
use crate::source::difference::Line;
use crate::web::pages::event::files::Files;
use crate::web::pages::event::trace::Decision;
use crate::web::pages::event::trace::ShownAction;
use crate::web::pages::event::trace::ShownStep;
use crate::web::pages::event::trace::said;
use crate::web::pages::event::verdict::as_count;
use crate::web::pages::event::why;
use crate::web::pages::shell::icon;
use crate::web::pages::words;

/// Characters of a line that are shown.
const WIDTH: usize = 160;

/// What was decided, and what would be.
pub(crate) struct Comparison {
    parts: Vec<(&'static str, Vec<Line>)>,
    is_same_generation: bool,
    then: String,
    today: String,
}

impl Comparison {
    /// Compares what they do, and how they came to it.
    pub(crate) fn new(then: &Decision, today: &Decision, files: &Files, generation: &str) -> Self {
        let part = |lines: fn(&Decision) -> Vec<String>| difference::lists(&lines(then), &lines(today));
        Self {
            parts: vec![
                ("actions", part(actions)),
                ("targets", part(targets)),
                ("errors", part(errors)),
                ("steps", part(steps)),
            ],
            is_same_generation: files.are_same(),
            then: files.decided_by(),
            today: generation.to_owned(),
        }
    }

    fn differences(&self, of: &[&str]) -> (usize, usize) {
        let lines = self
            .parts
            .iter()
            .filter(|(name, _)| of.contains(name))
            .flat_map(|(_, lines)| lines);
        lines.fold((0, 0), |(added, removed), line| match line {
            Line::Added(_) => (added + 1, removed),
            Line::Removed(_) => (added, removed + 1),
            Line::Same(_) => (added, removed),
        })
    }

    /// Above everything else, where it would go otherwise today.
    pub(crate) fn note(&self) -> Option<Markup> {
        let (added, removed) = self.differences(&["actions", "targets", "errors"]);
        (0 < added + removed).then(|| {
            html! {
                div."note info" {
                    (icon("g-followed", ""))
                    div {
                        p {
                            strong {
                                @match self.is_same_generation {
                                    true => "The same rules would decide otherwise now.",
                                    false => "Today’s rules would decide otherwise.",
                                }
                            }
                            @match self.is_same_generation {
                                true => " They look at the inventory, which changed since.",
                                false => " The rules changed after this event.",
                            }
                        }
                        p {
                            "With " span.mono { (self.today) } " "
                            (words::counted(as_count(added), "thing is", "things are")) " there that "
                            @if added == 1 { "was" } @else { "were" } " not, and "
                            (words::counted(as_count(removed), "thing is", "things are")) " missing."
                        }
                    }
                    div.acts { a."btn small" href="#compare" { "Compare" } }
                }
            }
        })
    }

    /// The card.
    pub(crate) fn card(&self) -> Markup {
        let (added, removed) = self.differences(&["actions", "targets", "errors", "steps"]);
        html! {
            section #compare.card aria-label="The same event with today’s rules" {
                header {
                    h2 { "With today’s rules" }
                    p {
                        @if self.is_same_generation { "the rules are still " span.mono { (self.then) } }
                        @else { span.mono { (self.then) } " to " span.mono { (self.today) } }
                    }
                }
                @if added + removed == 0 {
                    div.body { p { "The decision would be the same, step by step." } }
                } @else {
                    div.diff {
                        @for (name, lines) in self.parts.iter().filter(|(_, lines)| !lines.is_empty()) {
                            div.hunk { (name) }
                            (shown(name, lines))
                        }
                    }
                }
            }
        }
    }
}

/// Every line of what is done; of the steps those that differ.
fn shown(name: &str, lines: &[Line]) -> Markup {
    let is_long = name == "steps";
    let same = lines.iter().filter(|line| matches!(line, Line::Same(_))).count();
    html! {
        @for line in lines {
            @match line {
                Line::Same(text) => { @if !is_long { div { "  " (words::foreign_up_to(text, WIDTH)) } } },
                Line::Removed(text) => div.rem { "- " (words::foreign_up_to(text, WIDTH)) },
                Line::Added(text) => div.add { "+ " (words::foreign_up_to(text, WIDTH)) },
            }
        }
        @if is_long && 0 < same { div.hunk { "  " (words::counted(as_count(same), "step as it was", "steps as they were")) } }
    }
}

fn actions(decision: &Decision) -> Vec<String> {
    let line = |action: &ShownAction| {
        let inputs = action
            .inputs
            .iter()
            .map(|(key, value)| format!("{key}={}", said(value)));
        let inputs: Vec<String> = inputs.collect();
        let inputs = if inputs.is_empty() {
            String::new()
        } else {
            format!(" ({})", inputs.join(", "))
        };
        format!("{}{inputs}  {}", action.method, action.result)
    };
    decision.actions.iter().map(line).collect()
}

fn targets(decision: &Decision) -> Vec<String> {
    let line = |target: &crate::model::target::Target| {
        format!("{} {}", target.association, target.manager_ref.reference())
    };
    decision.targets.iter().map(line).collect()
}

fn errors(decision: &Decision) -> Vec<String> {
    let line = |error: &crate::model::delivery::DeliveryError| format!("{}: {}", error.kind, error.message);
    decision.errors.iter().map(line).collect()
}

fn steps(decision: &Decision) -> Vec<String> {
    let line = |step: &ShownStep| {
        let value = step.value.as_ref().map(said).or_else(|| step.written.clone());
        let field = step.field.as_deref().map(|field| format!(".{field}"));
        let value = value.map(|value| format!(" {value}"));
        format!(
            "{}{}{}  {}",
            step.path,
            field.unwrap_or_default(),
            value.unwrap_or_default(),
            outcome(step)
        )
    };
    decision.steps.iter().map(line).collect()
}

fn outcome(step: &ShownStep) -> &'static str {
    match (why::class(step), step.outcome) {
        ("skipped", Outcome::Failed) => "not true",
        ("notreached", _) => "not reached",
        (class, _) => class,
    }
}
