//! How much there is, how much room is left.

use maud::Markup;
use maud::html;

use crate::web::pages::operations::Seen;
use crate::web::pages::shell::Shell;
use crate::web::pages::shell::icon;
use crate::web::pages::words;

pub(crate) fn draw(shell: &Shell, seen: &Seen) -> Markup {
    let (disk, operations) = (&seen.disk, &seen.operations);
    let used = disk.total.saturating_sub(disk.free);
    let said = format!("{} of {} used", words::bytes(used), words::bytes(disk.total));
    let zone = &shell.visitor.zone;
    html! {
        section.card #storage aria-label="Storage" {
            header { h2 { "Storage" } p { "SQLite" } }
            div."body stack" {
                div {
                    progress max=(disk.total.max(1)) value=(used)
                        class=(if disk.is_low { "near" } else { "" }) aria-label=(said) { (said) }
                    p.muted { (said) " on the disk, " (words::bytes(disk.free)) " free." }
                }
                @if let Err(error) = &seen.health {
                    div."note fail-note" {
                        (icon("g-failed", "fail"))
                        div { p { strong { "The database takes nothing." } } p { (words::foreign(&error.to_string())) } }
                    }
                }
                dl.kv {
                    dt { "Database" }
                    dd { (words::bytes(operations.size)) ", and " (words::bytes(disk.log)) " of log" }
                    dt { "Events" } dd { (words::number(seen.events)) }
                    @if let Some(oldest) = operations.oldest {
                        dt { "Oldest" }
                        dd { (zone.element(oldest, &zone.date(oldest, shell.now))) }
                    }
                    dt { "Backup" } dd { span.mono { "switchboard backup TO" } }
                }
            }
        }
    }
}
