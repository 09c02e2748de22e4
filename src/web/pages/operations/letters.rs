//! Dead letters: what was given up, why, and what to do about it.

use maud::Markup;
use maud::html;

use crate::vmdb::MessageKind;
use crate::vmdb::QueueEntry;
use crate::web::pages::forms::Action;
use crate::web::pages::operations::PAGE;
use crate::web::pages::operations::Seen;
use crate::web::pages::words;

pub(crate) fn draw(seen: &Seen) -> Markup {
    let dead = seen.dead();
    let shown = seen.letters.len() as u64;
    let all = Action {
        path: "/api/queue/retry",
        back: PAGE,
        label: &format!("Retry all {}", words::number(dead)),
        to: "dead letters",
        class: "small",
    };
    html! {
        section.card #letters aria-label="Dead letters" {
            header {
                h2 { "Dead letters" }
                @if 0 < dead { (all.button(&[("state", "dead"), ("state", "parked")])) }
            }
            @if dead == 0 {
                div.body { p.muted { "None. What fails for good waits here until it is retried or discarded." } }
            } @else {
                table."t stackable" { tbody { @for letter in &seen.letters { (row(seen, letter)) } } }
                @if shown < dead {
                    div.body { p.muted {
                        (words::number(dead - shown)) " more: " span.mono { "switchboard queue list --state dead" }
                    } }
                }
            }
        }
    }
}

fn row(seen: &Seen, letter: &QueueEntry) -> Markup {
    let path = format!("/api/queue/{}", letter.id);
    let number = format!("DL-{}", letter.id);
    let button = |deed: &str, label, class| {
        let action = Action {
            path: &format!("{path}/{deed}"),
            back: PAGE,
            label,
            to: &number,
            class,
        };
        action.button(&[])
    };
    html! {
        tr {
            td."muted nowrap" { a href={ "/api/queue/" (letter.id) } { (number) } }
            th.all scope="row" {
                (what(letter))
                br;
                span.muted { (words::foreign(letter.error.as_deref().unwrap_or("no reason was kept"))) }
            }
            td."r muted nowrap" { (words::duration(seen.now.duration_since(letter.received_at))) }
            td.all { div.acts-row {
                (button("retry", "Retry", "small"))
                (button("discard", "Discard", "small quiet"))
            } }
        }
    }
}

/// What it was to be, with the way to its event where that is saved.
fn what(letter: &QueueEntry) -> Markup {
    let event_type = letter.event_type.as_deref();
    html! {
        @match (letter.kind, event_type) {
            (MessageKind::Outbox, Some(event_type)) => {
                "effect of " span.mono { (words::machine_name(event_type)) }
            }
            (_, Some(event_type)) => span.mono { (words::machine_name(event_type)) },
            (_, None) => { "message of " (words::foreign(&letter.ems)) }
        }
    }
}
