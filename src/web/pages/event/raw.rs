//! The event as it came, as it was parsed, and on the command line.

use maud::Markup;
use maud::html;

use crate::model::event::EventId;
use crate::model::json;
use crate::vmdb::StoredEvent;
use crate::web::event_document::listed;
use crate::web::mask;
use crate::web::pages::shell::icon;
use crate::web::pages::words;

/// Characters of the text that a page holds; the API has all of it.
const LONGEST: usize = 200_000;

/// The card.
pub(crate) fn card(id: EventId, stored: &StoredEvent) -> Markup {
    let sent = &stored.event.hash.full_data;
    let (name, search) = (format!("raw-{}", id.0), format!("q-{}", id.0));
    let mut parsed = json::Value::Object(listed(stored));
    mask::mask(&mut parsed);
    let keys = parsed.as_object().map_or(0, json::Map::len);
    let parsed = serde_json::to_string_pretty(&parsed).unwrap_or_default();
    let commands = [
        format!("switchboard event show {}", id.0),
        format!("switchboard event show {} --format json", id.0),
        format!("curl -s localhost:3000/api/event_streams/{}", id.0),
    ];
    let size = u64::try_from(sent.text().len()).unwrap_or(u64::MAX);
    html! {
        section.card aria-label="Raw data" {
            header { h2 { "Raw data" } p { "credentials are masked" } }
            details.fold {
                summary { (icon("tw", "tw")) "As the provider sent it" span.muted { (words::bytes(size)) } }
                div.rawsearch {
                    label.sr for=(search) { "Search the raw data" }
                    input #(search) type="search" placeholder="Search" data-raw=(name) data-search;
                    output.muted {}
                }
                pre #(name) tabindex="0" { (words::foreign_up_to(&mask::shown(sent.text()), LONGEST)) }
            }
            details.fold {
                summary { (icon("tw", "tw")) "As it was parsed" span.muted { (keys) " keys" } }
                pre tabindex="0" { (words::foreign_up_to(&parsed, LONGEST)) }
            }
            details.fold {
                summary { (icon("tw", "tw")) "On the command line" span.muted { (commands.len()) " commands" } }
                div."body stack" {
                    @for command in &commands {
                        div.cli { code { (command) } button."quiet small" data-copy=(command) { "Copy" } }
                    }
                }
            }
        }
    }
}
