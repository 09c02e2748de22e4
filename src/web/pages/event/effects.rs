//! What was sent outside, what went wrong, and each run where there were several.

use maud::Markup;
use maud::html;

use crate::model::clock::Timestamp;
use crate::model::event::EventId;
use crate::model::json::Value;
use crate::outbound::Outside;
use crate::vmdb::MessageId;
use crate::vmdb::StoredEffect;
use crate::web::event_story::EventStory;
use crate::web::pages::event::trace::Decision;
use crate::web::pages::event::trace::said;
use crate::web::pages::event::verdict::as_count;
use crate::web::pages::forms::Action;
use crate::web::pages::links;
use crate::web::pages::shell::icon;
use crate::web::pages::shell::short_generation;
use crate::web::pages::words;
use crate::web::pages::words::Zone;

/// The card of the outbox; nothing where there is none.
pub(crate) fn outbox(story: &EventStory, zone: &Zone, now: Timestamp) -> Markup {
    let effects = &story.shown.outbox;
    let event = story.shown.stored.event.id.unwrap_or(EventId(0));
    html! {
        @if !effects.is_empty() {
            section.card aria-label="Sent outside" {
                header { h2 { "Sent outside" } p { (words::counted(as_count(effects.len()), "effect", "effects")) } }
                ul.nots { @for effect in effects { (sent(effect, event, zone, now)) } }
            }
        }
    }
}

fn sent(effect: &StoredEffect, event: EventId, zone: &Zone, now: Timestamp) -> Markup {
    let kind = Outside::kind_of(&effect.action);
    let inner = effect.action.get(kind).unwrap_or(&Value::Null);
    let keys = ["url", "to", "message"];
    let to = keys.iter().find_map(|key| inner.get(*key)).or(Some(inner));
    let to = to.map(|to| to.get(0).unwrap_or(to));
    let to = to.filter(|to| !to.is_object() && !to.is_null()).map(said);
    let at = effect.sent_at.or(effect.due);
    html! {
        li {
            p {
                @match effect.state {
                    "sent" => (icon("g-ok", "")),
                    "dead" => (icon("g-failed", "fail")),
                    "discarded" => (icon("g-skipped", "")),
                    _open => (icon("g-wait", "")),
                }
                span.mono { (kind) }
                @if let Some(to) = &to { " " (words::foreign(to)) }
            }
            p {
                (effect.state)
                @if let Some(at) = at {
                    @if effect.sent_at.is_some() { " at " } @else { ", next try at " }
                    (zone.element(at, &zone.moment(at, now)))
                }
                ", " (words::counted(effect.attempts.into(), "try", "tries"))
            }
            @if let Some(answer) = &effect.answer { p { "Answer: " (words::foreign(answer)) } }
            @if let Some(error) = &effect.error { p.fail { (words::foreign(error)) } }
            p.at { "message " (effect.id) ", " (words::foreign(&effect.idempotency_key)) }
            @if effect.state == "dead" {
                (retry(effect.id, event, "Retry", "small"))
            }
        }
    }
}

/// What has a message tried again, and leads back to the event.
pub(crate) fn retry(message: MessageId, event: EventId, label: &str, class: &str) -> Markup {
    let action = Action {
        path: &format!("/api/queue/{message}/retry"),
        back: &links::event(event),
        label,
        to: "",
        class,
    };
    action.button(&[])
}

/// What went wrong; nothing where nothing did.
pub(crate) fn errors(decision: &Decision) -> Markup {
    html! {
        @if !decision.errors.is_empty() {
            section.card aria-label="Errors" {
                header { h2 { "Errors" } p { (words::number(as_count(decision.errors.len()))) } }
                ul.nots {
                    @for error in &decision.errors {
                        li {
                            p {
                                (icon("g-failed", if error.fatal { "fail" } else { "" }))
                                span.mono { (words::foreign(&error.kind)) }
                                @if !error.fatal { span.muted { " the run went on" } }
                            }
                            p { (words::foreign_up_to(&error.message, 2_000)) }
                            @if !error.path.is_empty() { p.at { (words::machine_name(&error.path)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Every run, where there were several; the one that is shown is marked.
pub(crate) fn runs(story: &EventStory, shown: usize, zone: &Zone, now: Timestamp) -> Markup {
    let runs = &story.shown.deliveries;
    html! {
        @if 1 < runs.len() {
            section.card aria-label="Runs" {
                header { h2 { "Runs" } p { (words::number(as_count(runs.len()))) } }
                table."t small" {
                    thead { tr { th scope="col" { "Run" } th scope="col" { "When" } th scope="col" { "Ended" } th scope="col" { "Rules" } } }
                    tbody {
                        @for (index, run) in runs.iter().enumerate() {
                            @let generation = run.rules_id.to_string();
                            tr {
                                th scope="row" {
                                    a href={ "?run=" (index + 1) } aria-current=[(index == shown).then_some("true")] { (index + 1) }
                                    @if index == shown { span.muted { " shown" } }
                                }
                                td { (zone.element(run.decided_at, &zone.moment(run.decided_at, now))) }
                                td { (run.state) }
                                td { span.mono { (short_generation(&generation)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
