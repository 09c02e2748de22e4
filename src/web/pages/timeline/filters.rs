//! What narrows the timeline: a form that works without a script, and chips for what is set.

use maud::Markup;
use maud::html;

use crate::model::event_outcome::EventOutcome;
use crate::vmdb::LanesBy;
use crate::web::pages::timeline::view::RANGE;
use crate::web::pages::timeline::view::RANGES;
use crate::web::pages::timeline::view::View;
use crate::web::pages::words;

/// A choice of a select: its value and its name.
pub(crate) type Choice = (String, String);

/// The row of filters above the lanes.
pub(crate) fn form(view: &View, managers: &[Choice], groups: &[Choice]) -> Markup {
    let levels = ["critical", "warning", "detail"].map(|word| (word.to_owned(), capital(word)));
    let outcomes = EventOutcome::ALL.map(|outcome| (outcome.as_str().to_owned(), outcome_name(outcome)));
    html! {
        form.filters action="/" role="search" {
            div."seg range" {
                @for (word, name, _) in RANGES {
                    @let is_this = !view.is_zoomed() && view.asked("range").unwrap_or(RANGE) == word;
                    a href=(view.link(&[("range", Some(word)), ("from", None), ("to", None)]))
                        data-range=(word) data-view aria-current=[is_this.then_some("true")] { (name) }
                }
            }
            (select(view, "ems", "Manager", managers))
            (select(view, "group", "Group", groups))
            (select(view, "level", "Level", &levels))
            (select(view, "outcome", "Outcome", &outcomes))
            label.grow {
                span.sr { "Event type, resource name or reference" }
                input type="search" name="q" value=(view.asked("q").unwrap_or("")) maxlength="200" data-search
                    placeholder="Type, resource or reference";
            }
            @for key in ["range", "from", "to", "lanes", "scale", "tz", "target", "event_type"] {
                @if let Some(value) = view.asked(key) { input type="hidden" name=(key) value=(value); }
            }
            noscript { button { "Apply" } }
            div."seg by push" {
                a href=(view.link(&[("lanes", None)])) data-lanes="group" data-view
                    aria-current=[(view.lanes == LanesBy::Group).then_some("true")] { "By group" }
                a href=(view.link(&[("lanes", Some("resource"))])) data-lanes="resource" data-view
                    aria-current=[(view.lanes == LanesBy::Resource).then_some("true")] { "By resource" }
            }
            div.applied #applied { (chips(view)) }
        }
    }
}

fn select(view: &View, key: &str, name: &str, choices: &[Choice]) -> Markup {
    let chosen = view.asked(key);
    let is_offered = chosen.is_none_or(|chosen| choices.iter().any(|(value, _)| value == chosen));
    html! {
        label {
            span.sr { (name) }
            select name=(key) {
                option value="" { (name) ": all" }
                @for (value, name) in choices {
                    option value=(value) selected[chosen == Some(value)] { (name) }
                }
                @if let Some(chosen) = chosen.filter(|_| !is_offered) {
                    option value=(chosen) selected { (chosen) }
                }
            }
        }
    }
}

fn chips(view: &View) -> Markup {
    html! {
        @if view.is_zoomed() {
            @let span = format!("{} to {}", view.zone.full(view.from), view.zone.full(view.to));
            a href=(view.link(&[("from", None), ("to", None)])) data-view aria-label={ "Remove " (span) } { (span) "  ×" }
        }
        @for (key, value) in view.narrowed() {
            a href=(view.link(&[(key, None)])) data-view aria-label={ "Remove " (key) ": " (words::foreign_text(value)) } {
                (key) ": " (words::foreign_up_to(value, 60)) "  ×"
            }
        }
    }
}

/// What an outcome is called.
pub(crate) fn outcome_name(outcome: EventOutcome) -> String {
    match outcome {
        EventOutcome::NoRule => "No rule".to_owned(),
        other => capital(other.as_str()),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
