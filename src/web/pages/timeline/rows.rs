//! The list of events: what came, about what, and what was done.

use maud::Markup;
use maud::html;

use crate::model::clock::Timestamp;
use crate::model::event_outcome::EventOutcome;
use crate::model::relation;
use crate::model::relation::Subject;
use crate::vmdb::EventDone;
use crate::vmdb::StoredEvent;
use crate::web::pages::links;
use crate::web::pages::shell::icon;
use crate::web::pages::words;
use crate::web::pages::words::Zone;

/// Characters of a name that a row has room for.
const NAME: usize = 80;

/// Rows of a table, the newest first, with a head for each day.
pub(crate) fn rows(events: &[(StoredEvent, EventDone)], zone: &Zone, now: Timestamp) -> Markup {
    let day = |stored: &StoredEvent| zone.day(time_of(stored), now);
    html! {
        @for (index, (stored, done)) in events.iter().enumerate() {
            @let before = index.checked_sub(1).and_then(|index| events.get(index));
            @if before.is_none_or(|(before, _)| day(before) != day(stored)) {
                tr.day { th colspan="5" scope="rowgroup" { (day(stored)) } }
            }
            (row(stored, done, zone))
        }
    }
}

/// When an event happened, or was received where it does not say.
pub(crate) fn time_of(stored: &StoredEvent) -> Timestamp {
    stored.event.hash.timestamp.unwrap_or(stored.event.received_at)
}

fn row(stored: &StoredEvent, done: &EventDone, zone: &Zone) -> Markup {
    let event = &stored.event;
    let id = event.id.map_or(0, |id| id.0);
    let level = stored.group.level.as_str();
    let class = if stored.outcome == EventOutcome::Failed {
        "ev is-fail"
    } else {
        "ev"
    };
    let shape = match stored.outcome {
        EventOutcome::NoRule | EventOutcome::Skipped => format!("{level} hollow"),
        _acted => level.to_owned(),
    };
    let time = time_of(stored);
    html! {
        tr class=(class) data-e=(id) {
            td.c-t { (zone.element(time, &zone.time(time))) }
            td.c-ev {
                span class={ "lv " (level) } { (icon(&format!("p-{level}"), &shape)) span.sr { (level) } }
                a.mono href={ "/events/" (id) } { (words::machine_name(&event.hash.event_type)) }
            }
            td.c-re { @if let Some(subject) = relation::subject(&event.hash) { (subject_link(&subject, stored)) } }
            td."c-em muted" { @if let Some(ems) = &event.ems { (words::foreign(&ems.name)) } }
            td.c-out { (what_was_done(stored.outcome, done)) }
        }
    }
}

/// A link to what an event is about.
pub(crate) fn subject_link(subject: &Subject, stored: &StoredEvent) -> Markup {
    let ems = stored.event.ems.as_ref().map(|ems| &*ems.name);
    let link = links::resource(subject.association, &subject.reference, ems);
    let name = subject.name.as_ref().unwrap_or(&subject.reference);
    html! { a href=(link) { (words::foreign_up_to(name, NAME)) } }
}

/// What became of an event, in a sentence.
pub(crate) fn what_was_done(outcome: EventOutcome, done: &EventDone) -> Markup {
    let said = |symbol: &str, text: &str| html! { (icon(symbol, "")) span { (text) } };
    let muted = |symbol: &str, text: &str| html! { (icon(symbol, "")) span.muted { (text) } };
    match outcome {
        EventOutcome::Failed => html! {
            (icon("g-failed", "fail"))
            span.fail { "Failed" @if let Some(error) = &done.error { ": " (words::foreign_up_to(error, 120)) } }
        },
        EventOutcome::NoRule => muted("g-missing", "No rule for this type"),
        EventOutcome::Skipped => muted("g-skipped", "A condition was not true"),
        EventOutcome::Folded => said("g-ok", "Decided together with others like it"),
        EventOutcome::Waiting => said("g-wait", "Waits, and goes on later"),
        EventOutcome::Acted => acted(done),
    }
}

fn acted(done: &EventDone) -> Markup {
    let (sent, effects) = done.effects;
    let text = match &done.refresh {
        Some(refresh) if refresh.error.is_some() && !refresh.is_done => {
            return html! { (icon("g-failed", "fail")) span.fail { "Its refresh failed" } };
        }
        Some(refresh) if !refresh.is_done => {
            return html! { (icon("g-wait", "")) span { "Waits for its refresh" } };
        }
        Some(refresh) => {
            let what = if refresh.is_full {
                "Refreshed everything"
            } else {
                "Refreshed"
            };
            match refresh.changed {
                0 => format!("{what}, nothing changed"),
                changed => format!("{what}, {} changed", words::counted(changed, "object", "objects")),
            }
        }
        None if effects == 0 => "A method ran".to_owned(),
        None => String::new(),
    };
    let sent = match effects {
        0 => String::new(),
        effects if sent == effects => words::counted(effects, "effect sent", "effects sent"),
        effects => format!("{sent} of {} sent", words::counted(effects, "effect", "effects")),
    };
    let both = [text, sent].into_iter().filter(|part| !part.is_empty());
    let both = both.collect::<Vec<_>>().join(", ");
    html! { (icon("g-ok", "")) span { (both) } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vmdb::RefreshDone;
    use crate::vmdb::RefreshId;

    fn refresh(is_done: bool, error: Option<&str>, changed: u64) -> EventDone {
        EventDone {
            refresh: Some(RefreshDone {
                id: RefreshId(7),
                is_done,
                error: error.map(ToOwned::to_owned),
                is_full: false,
                changed,
            }),
            ..EventDone::default()
        }
    }

    fn effects(sent: u64, of: u64) -> EventDone {
        EventDone {
            effects: (sent, of),
            ..EventDone::default()
        }
    }

    #[test]
    fn what_was_done_is_one_sentence() {
        let failed = EventDone {
            error: Some("<b> is unknown".to_owned()),
            ..EventDone::default()
        };
        let both = EventDone {
            effects: (1, 1),
            ..refresh(true, None, 2)
        };
        for (outcome, done, said) in [
            (EventOutcome::Failed, failed, "Failed: &lt;b&gt; is unknown"),
            (EventOutcome::Failed, EventDone::default(), "Failed"),
            (
                EventOutcome::NoRule,
                EventDone::default(),
                "No rule for this type",
            ),
            (EventOutcome::Acted, EventDone::default(), "A method ran"),
            (
                EventOutcome::Acted,
                refresh(true, None, 0),
                "Refreshed, nothing changed",
            ),
            (
                EventOutcome::Acted,
                refresh(true, None, 1),
                "Refreshed, 1 object changed",
            ),
            (
                EventOutcome::Acted,
                refresh(false, None, 0),
                "Waits for its refresh",
            ),
            (
                EventOutcome::Acted,
                refresh(false, Some("refused"), 0),
                "Its refresh failed",
            ),
            (EventOutcome::Acted, effects(2, 2), "2 effects sent"),
            (EventOutcome::Acted, effects(1, 2), "1 of 2 effects sent"),
            (
                EventOutcome::Acted,
                both,
                "Refreshed, 2 objects changed, 1 effect sent",
            ),
        ] {
            let markup = what_was_done(outcome, &done).into_string();
            let text: String = markup
                .split('<')
                .filter_map(|tag| tag.split_once('>'))
                .map(|(_tag, text)| text)
                .collect();
            assert_eq!(text, said, "{markup}");
        }
    }
}
