//! The strip of the newest events, which the script goes on with as they are saved.

use maud::Markup;
use maud::html;

use crate::model::relation;
use crate::vmdb::StoredEvent;
use crate::web::pages::shell::icon;
use crate::web::pages::timeline::rows::time_of;
use crate::web::pages::words;
use crate::web::pages::words::Zone;

/// How many events it shows.
pub(crate) const SHOWN: usize = 14;

/// The strip with what came last; `position` is where the script goes on, so that nothing is missing between.
pub(crate) fn strip(newest: &[StoredEvent], last_hour: u64, position: &str, zone: &Zone) -> Markup {
    html! {
        aside."card live" data-live=(position) data-ahead=[newest.first().map(|one| zone.offset_at(time_of(one)))]
            aria-label="Live events" {
            header {
                span.state {
                    span.dot {} b role="status" { "Live" } " "
                    span.muted { (words::number(last_hour)) " in the last hour" }
                }
                button.small { "Pause" }
            }
            template { li {
                time.muted {} svg."i" aria-hidden="true" { use href="#p-detail" {} }
                span { a.mono {} } span.sub {}
            } }
            ol.tail {
                @for stored in newest {
                    @let (level, time) = (stored.group.level.as_str(), time_of(stored));
                    li {
                        time.muted datetime=(time) { (zone.time(time)) }
                        (icon(&format!("p-{level}"), level))
                        span { a.mono href={ "/events/" (stored.event.id.map_or(0, |id| id.0)) } {
                            (words::beginning(&stored.event.hash.event_type, 60))
                        } }
                        span.sub {
                            @if let Some(subject) = relation::subject(&stored.event.hash) {
                                (words::beginning(subject.name.as_ref().unwrap_or(&subject.reference), 24))
                            }
                        }
                    }
                }
            }
        }
    }
}
