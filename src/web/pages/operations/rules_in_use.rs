//! Which rules are in force, and what was refused last.

use maud::Markup;
use maud::html;

use crate::web::pages::operations::Seen;
use crate::web::pages::shell::Shell;
use crate::web::pages::shell::icon;
use crate::web::pages::shell::short_generation;
use crate::web::pages::words;

pub(crate) fn draw(shell: &Shell, seen: &Seen) -> Markup {
    let reload = &seen.reload;
    let zone = &shell.visitor.zone;
    html! {
        section.card #rules aria-label="Rules in use" {
            header { h2 { "Rules in use" } p { a href="/rules#reload" { "Last reload" } } }
            div.body { dl.kv {
                dt { "Generation" }
                dd {
                    span.mono title=(reload.id) { (short_generation(&reload.id.to_string())) } ", of "
                    (words::counted(reload.files as u64, "file", "files"))
                }
                dt { "Loaded" }
                dd {
                    (zone.element(reload.since, &zone.moment(reload.since, shell.now)))
                    @if 0 < reload.replaced {
                        ", in " (words::duration(reload.took.try_into().unwrap_or_default()))
                    }
                }
                @if let Some(refused) = &reload.refused {
                    dt { "Refused now" }
                    dd.fail {
                        (icon("g-failed", "fail")) " since " (zone.moment(refused.since, shell.now)) ": "
                        @if let Some(first) = refused.diagnostics.first() {
                            span.mono { (words::machine_name(&first.file)) ":" (first.line) } " "
                            (words::foreign(&first.message))
                        }
                    }
                } @else if let Some(refusal) = &seen.last_refusal {
                    dt { "Last refused" }
                    dd {
                        (zone.moment(refusal.at, shell.now)) ": "
                        @let first = refusal.findings.get(0);
                        @let text = |key: &str| first.and_then(|first| first.get(key)?.as_str());
                        span.mono { (words::machine_name(text("file").unwrap_or("?"))) } " "
                        (words::foreign(text("message").unwrap_or_default()))
                    }
                }
                @if let Some(refused) = &reload.settings_refused {
                    dt { "Settings" }
                    dd.fail {
                        "refused since " (zone.moment(refused.since, shell.now)) ": "
                        @if let Some(first) = refused.diagnostics.first() { (words::foreign(&first.message)) }
                    }
                }
                dt { "Watching" }
                dd {
                    @match &reload.problem {
                        None => "every folder of rules, scripts and settings",
                        Some(problem) => { span.fail { (words::foreign(problem)) } }
                    }
                }
            } }
        }
    }
}
