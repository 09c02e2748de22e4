//! The figures that say whether things flow.

use maud::Markup;
use maud::html;

use crate::model::clock::Timestamp;
use crate::web::pages::operations::Seen;
use crate::web::pages::words;

pub(crate) fn draw(seen: &Seen) -> Markup {
    let queue = &seen.queue;
    let waiting = queue.ready + queue.waiting;
    let (dead, requests) = (seen.dead(), seen.operations.requests);
    let oldest_letter = seen.letters.iter().map(|letter| letter.received_at).min();
    html! {
        dl.tiles {
            div {
                dt { "Events in the last hour" }
                dd {
                    (words::number(seen.operations.last_hour))
                    @if let Some(usually) = seen.operations.usually {
                        " " small { (words::number(usually)) " usually" }
                    }
                }
            }
            div {
                dt { "Waiting to be decided" }
                dd { (words::number(waiting)) (oldest(seen, queue.oldest)) }
            }
            div {
                dt { "Targets waiting" }
                dd {
                    (words::number(seen.refresh_counts.waiting_targets))
                    @if seen.refresh_counts.waiting_targets < requests {
                        " " small { "merged from " (words::number(requests)) }
                    }
                }
            }
            div {
                dt { "Dead letters" }
                dd class=(if dead == 0 { "" } else { "fail" }) {
                    (words::number(dead)) (oldest(seen, oldest_letter))
                }
            }
            div {
                dt { "Disk" }
                dd class=(if seen.disk.is_low { "fail" } else { "" }) {
                    (words::bytes(seen.operations.size + seen.disk.log))
                    " " small { (words::bytes(seen.disk.free)) " free" }
                }
            }
        }
    }
}

fn oldest(seen: &Seen, since: Option<Timestamp>) -> Markup {
    html! {
        @if let Some(since) = since {
            " " small { "oldest " (words::duration(seen.now.duration_since(since))) }
        }
    }
}
