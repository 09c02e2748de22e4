//! From the cloud to the inventory: when the event came to where, and where the time went.

use maud::Markup;
use maud::html;

use crate::model::clock::SignedDuration;
use crate::model::clock::Timestamp;
use crate::model::event_outcome::EventOutcome;
use crate::vmdb::RefreshState;
use crate::web::event_story::EventStory;
use crate::web::event_story::Journey;
use crate::web::pages::event::trace::Decision;
use crate::web::pages::event::verdict::as_count;
use crate::web::pages::links;
use crate::web::pages::words;
use crate::web::pages::words::Zone;

/// A part of a second that takes this much of the whole is what took the time.
const MOST: f64 = 0.5;

/// One stop.
struct Stop {
    name: &'static str,
    at: Option<Timestamp>,
    note: Markup,
    class: &'static str,
}

/// The card.
pub(crate) fn card(story: &EventStory, decision: &Decision, zone: &Zone, now: Timestamp) -> Markup {
    let journey = story.journey();
    let stops = stops(story, decision, &journey, zone, now);
    let first = stops.iter().find_map(|stop| stop.at);
    let last = stops.iter().filter_map(|stop| stop.at).max();
    let whole = first.zip(last).map(|(first, last)| last.duration_since(first));
    let gaps: Vec<Option<SignedDuration>> = stops
        .iter()
        .enumerate()
        .map(|(index, stop)| {
            let next = stops.iter().skip(index + 1).find_map(|next| next.at)?;
            // A refresh that others asked for before waits for this event from its decision on.
            let before = stops.iter().take(index).filter_map(|before| before.at).max();
            let at = stop.at?.max(before.unwrap_or(Timestamp::MIN));
            (at <= next).then(|| next.duration_since(at))
        })
        .collect();
    let slowest = slowest(&gaps, whole);
    html! {
        section.card aria-label="From the cloud to the inventory" {
            header {
                h2 { (title(story, &journey, whole)) }
                @if let Some((index, part)) = slowest {
                    p { (part) " % of it " (place(index)) }
                }
            }
            div.journey {
                ol {
                    @for (index, (stop, gap)) in stops.iter().zip(&gaps).enumerate() {
                        @let is_slow = slowest.is_some_and(|(slow, _)| slow == index);
                        li class=[Some(if is_slow && stop.class.is_empty() { "slow" } else { stop.class }).filter(|class| !class.is_empty())] {
                            b { (stop.name) }
                            span.muted { (stop.note) }
                            @if let Some(gap) = gap { span.gap { (words::duration(*gap)) } }
                        }
                    }
                }
            }
        }
    }
}

fn title(story: &EventStory, journey: &Journey, whole: Option<SignedDuration>) -> String {
    let whole = whole.map(words::duration).unwrap_or_default();
    match (story.shown.stored.outcome, journey.refresh_finished_at) {
        (EventOutcome::Failed, _) => "Stopped at its decision".to_owned(),
        (_, Some(_)) if journey.changed_at.is_some() => format!("{whole} from the cloud to the inventory"),
        (_, Some(_)) => format!("{whole} from the cloud to the end of its refresh"),
        (_, None) if !story.refreshes.is_empty() => format!("{whole} so far"),
        (_, None) => format!("{whole} from the cloud to the decision"),
    }
}

fn place(index: usize) -> &'static str {
    match index {
        0 => "before Switchboard saw the event",
        1 => "waiting for the decision",
        2 => "between the decision and its refresh",
        3 => "waiting for the refresh",
        _later => "in the refresh",
    }
}

/// The stop after which most of the time went, and how much of it in per cent.
fn slowest(gaps: &[Option<SignedDuration>], whole: Option<SignedDuration>) -> Option<(usize, u32)> {
    let whole = whole
        .map(|whole| whole.as_secs_f64())
        .filter(|whole| 0.1 < *whole)?;
    let parts = gaps
        .iter()
        .enumerate()
        .filter_map(|(index, gap)| Some((index, gap.as_ref()?.as_secs_f64() / whole)));
    let (index, part) = parts.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let percent = format!("{:.0}", (part * 100.0).min(100.0)).parse().ok()?;
    (MOST <= part).then_some((index, percent))
}

fn stops(
    story: &EventStory,
    decision: &Decision,
    journey: &Journey,
    zone: &Zone,
    now: Timestamp,
) -> Vec<Stop> {
    let has_failed = story.shown.stored.outcome == EventOutcome::Failed;
    let moment = |at: Timestamp| zone.element(at, &zone.moment(at, now));
    let runs = story.shown.deliveries.len();
    let mut stops = vec![
        Stop {
            name: "Happened",
            at: journey.happened_at,
            note: journey
                .happened_at
                .map_or_else(|| html! { "the provider does not say" }, moment),
            class: if journey.happened_at.is_none() {
                "pending"
            } else {
                ""
            },
        },
        Stop {
            name: "Received",
            at: journey.received_at,
            note: journey.received_at.map(moment).unwrap_or_default(),
            class: "",
        },
        Stop {
            name: "Decided",
            at: journey.decided_at,
            note: html! {
                @if 1 < runs { (words::counted(as_count(runs), "run", "runs")) ", " }
                (words::counted(as_count(decision.steps.len()), "step", "steps")) ", "
                (words::counted(as_count(decision.actions.len()), "action", "actions"))
            },
            class: if has_failed { "bad" } else { "" },
        },
    ];
    let ends_here = |name, note: &'static str| Stop {
        name,
        at: None,
        note: html! { (note) },
        class: "pending",
    };
    if let Some(message) = &story.message {
        stops.push(Stop {
            name: "Message",
            at: None,
            note: html! { (message.id) " is " (message.state.as_str()) },
            class: if has_failed { "bad" } else { "pending" },
        });
    }
    let Some(first) = story.refreshes.first() else {
        stops.push(ends_here("Refresh", "none was asked for"));
        stops.push(ends_here("Changed", "nothing"));
        return stops;
    };
    stops.push(Stop {
        name: "Refresh queued",
        at: journey.refresh_queued_at,
        note: match first.shared_count {
            0 => html! { "for this event alone" },
            others => html! { "shared with " (words::counted(others, "event", "events")) },
        },
        class: "",
    });
    let state = first.refresh.state;
    stops.push(Stop {
        name: "Refresh ran",
        at: journey.refresh_started_at,
        note: html! {
            "R-" (first.refresh.id)
            @if state != RefreshState::Done { ", " (state.as_str()) }
            @if 1 < first.refresh.attempts { ", " (words::number(first.refresh.attempts.into())) " tries" }
        },
        class: match state {
            RefreshState::Failed => "bad",
            RefreshState::Done => "",
            _open => "pending",
        },
    });
    stops.push(changed(story, journey, state));
    stops
}

fn changed(story: &EventStory, journey: &Journey, state: RefreshState) -> Stop {
    let (own, _others) = story.own_changes();
    let mut objects: Vec<i64> = own.iter().map(|found| found.object.id).collect();
    objects.sort_unstable();
    objects.dedup();
    let associations: Vec<&str> = own.iter().map(|found| &*found.object.association).collect();
    let (one, many) = match associations.first() {
        Some(first) if associations.iter().all(|other| other == first) => links::kind(first),
        _several => ("object".to_owned(), "objects".to_owned()),
    };
    Stop {
        name: "Changed",
        at: journey.refresh_finished_at,
        note: match (state, objects.len()) {
            (RefreshState::Done, 0) => html! { "nothing" },
            (RefreshState::Done, count) => html! { (words::counted(as_count(count), &one, &many)) },
            (_open, _) => html! { "not yet" },
        },
        class: if state == RefreshState::Done {
            ""
        } else {
            "pending"
        },
    }
}
