//! Events that belong together with one: its chain, and those of its flood.

use maud::Markup;
use maud::html;

use crate::model::clock::Timestamp;
use crate::model::event::EventId;
use crate::vmdb::StoredEvent;
use crate::web::event_story::EventStory;
use crate::web::event_story::Flood;
use crate::web::pages::event::verdict::as_count;
use crate::web::pages::links;
use crate::web::pages::words;
use crate::web::pages::words::Zone;

/// Events of each kind that are linked.
const SHOWN: usize = 20;

/// The card; nothing where nothing belongs together with it.
pub(crate) fn card(story: &EventStory, zone: &Zone, now: Timestamp) -> Markup {
    let (chain, count) = &story.chain;
    let flood: &[EventId] = match &story.flood {
        Some(Flood::FoldedInto(leader)) => std::slice::from_ref(leader),
        Some(Flood::Leads(others)) => others,
        None => &[],
    };
    html! {
        @if !chain.is_empty() || !flood.is_empty() {
            section.card aria-label="Belongs together" {
                header { h2 { "Belongs together" } }
                div.body {
                    dl.kv {
                        @if !flood.is_empty() {
                            dt { @match &story.flood { Some(Flood::FoldedInto(_)) => "Decided with", _leads => "Decided with it" } }
                            dd {
                                @for (index, id) in flood.iter().take(SHOWN).enumerate() {
                                    @if 0 < index { ", " }
                                    (links::to_event(*id))
                                }
                                @if SHOWN < flood.len() { " and " (words::number(as_count(flood.len() - SHOWN))) " more" }
                            }
                        }
                        @if !chain.is_empty() {
                            dt { "Same chain" }
                            dd {
                                @for stored in chain.iter().take(SHOWN) { (one(stored, zone, now)) }
                                @let more = count.saturating_sub(as_count(chain.len().min(SHOWN)));
                                @if 0 < more { p.muted { "and " (words::counted(more, "more", "more")) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn one(stored: &StoredEvent, zone: &Zone, now: Timestamp) -> Markup {
    let event = &stored.event;
    let at = event.hash.timestamp.unwrap_or(event.received_at);
    html! {
        p {
            (zone.element(at, &zone.moment(at, now))) " "
            a.mono href=(event.id.map(links::event).unwrap_or_default()) { (words::machine_name(&event.hash.event_type)) }
        }
    }
}
