//! The queue: what waits, what runs, and lanes that stand still.

use maud::Markup;
use maud::html;

use crate::model::clock::Timestamp;
use crate::web::pages::operations::Seen;
use crate::web::pages::shell::icon;
use crate::web::pages::words;

pub(crate) fn draw(seen: &Seen) -> Markup {
    let (queue, outbox, refreshes) = (&seen.queue, &seen.outbox, &seen.refresh_counts);
    html! {
        section.card #queue aria-label="Queue" {
            header { h2 { "Queue" } p { "in order for each resource" } }
            table."t stackable" {
                thead { tr {
                    th scope="col" { "Lane" }
                    th.r scope="col" { "Waiting" }
                    th.r scope="col" { "Later" }
                    th scope="col" { "Oldest" }
                } }
                tbody {
                    (row(seen, "Events to decide", queue.ready, queue.waiting, queue.oldest))
                    (row(seen, "Refreshes", refreshes.waiting, 0, refreshes.oldest))
                    (row(seen, "Outside effects", outbox.ready, outbox.waiting, outbox.oldest))
                    @for lane in &seen.operations.held {
                        tr {
                            th scope="row" {
                                (icon("g-failed", "fail")) " " (words::machine_name(resource(&lane.lane))) " "
                                span."chip fail" { "held by DL-" (lane.by) }
                            }
                            td.r data-h="Waiting" { (words::number(lane.waiting)) }
                            td.r data-h="Later" { "0" }
                            td data-h="Oldest" { (words::duration(seen.now.duration_since(lane.since))) }
                        }
                    }
                }
            }
        }
    }
}

fn row(seen: &Seen, name: &str, waiting: u64, later: u64, oldest: Option<Timestamp>) -> Markup {
    html! {
        tr {
            th scope="row" { (name) }
            td.r data-h="Waiting" { (words::number(waiting)) }
            td.r data-h="Later" { (words::number(later)) }
            td data-h="Oldest" {
                @if let Some(oldest) = oldest { (words::duration(seen.now.duration_since(oldest))) }
            }
        }
    }
}

/// A lane without the number of its manager: `vm/i-1`.
fn resource(lane: &str) -> &str {
    lane.split_once('/').map_or(lane, |(_ems, resource)| resource)
}
