//! Everything that `check` finds in the rules in force, with the way to each place.

use maud::Markup;
use maud::html;

use crate::source::Severity;
use crate::web::pages::rules::Seen;
use crate::web::pages::rules::file_address;
use crate::web::pages::shell::icon;
use crate::web::pages::words;

/// Findings that are shown.
const SHOWN: usize = 20;

pub(crate) fn draw(seen: &Seen) -> Markup {
    let count = seen.findings.len();
    let more = count.saturating_sub(SHOWN) as u64;
    let mut findings: Vec<_> = seen.findings.iter().collect();
    findings.sort_by_key(|finding| finding.severity);
    html! {
        section.card #findings aria-label="Findings" {
            header {
                h2 { "Findings" }
                p.mono { "switchboard check" }
            }
            @if count == 0 {
                div.body { p.muted { "Nothing is wrong in the rules and scripts in force." } }
            } @else {
                table."t stackable" { tbody {
                    @for finding in findings.into_iter().take(SHOWN) {
                        @let is_error = finding.severity == Severity::Error;
                        tr {
                            td {
                                @if is_error { span."chip fail" { (icon("g-failed", "fail")) "error" } }
                                @else { span."chip warn" { "warning" } }
                            }
                            th.all scope="row" {
                                a.mono href={ (file_address(&finding.file)) "#L" (finding.line) } {
                                    (words::machine_name(&finding.file)) ":" (finding.line)
                                }
                                br;
                                (words::foreign(&finding.message))
                                @if !finding.help.is_empty() { " " span.muted { (words::foreign(&finding.help)) } }
                            }
                        }
                    }
                } }
                @if 0 < more { div.body { p.muted { (words::number(more)) " more." } } }
            }
        }
    }
}
