//! What the last reload changed, and what is refused now.

use maud::Markup;
use maud::html;

use crate::reload::Refusal;
use crate::vmdb::StoredReload;
use crate::web::pages::rules::Seen;
use crate::web::pages::rules::file_address;
use crate::web::pages::shell::Shell;
use crate::web::pages::shell::icon;
use crate::web::pages::shell::short_generation;
use crate::web::pages::words;

/// Files of a kind, findings and lines of the difference that are shown at once.
const FILES: usize = 12;
const FINDINGS: usize = 8;
const LINES: usize = 16;

pub(crate) fn draw(shell: &Shell, seen: &Seen) -> Markup {
    let reload = &seen.reload;
    html! {
        section.card #reload aria-label="Last reload" {
            @match &seen.last {
                Some((last, difference)) => (replaced(shell, seen, last, difference.as_deref())),
                None => header {
                    h2 { "In force since " (shell.visitor.zone.moment(reload.since, shell.now)) }
                    p.mono { (short_generation(&reload.id.to_string())) }
                },
            }
            @if let Some(refused) = &reload.refused {
                (refusal(shell, "A change of the rules is not in force", refused))
            }
            @if let Some(refused) = &reload.settings_refused {
                (refusal(shell, "A change of the settings is not in force", refused))
            }
            @if let Some(problem) = &reload.problem {
                div.body { div."note warn-note" {
                    (icon("g-missing", ""))
                    div { p { strong { "Some changes are seen late." } } p { (words::foreign(problem)) } }
                } }
            }
        }
    }
}

fn replaced(shell: &Shell, seen: &Seen, last: &StoredReload, difference: Option<&str>) -> Markup {
    let changes = &last.changes;
    let lists = [
        ("Added", &changes.added),
        ("Changed", &changes.changed),
        ("Removed", &changes.removed),
    ];
    let counts = lists.map(|(_, files)| files.len() as u64);
    let touched: u64 = counts.iter().take(2).sum();
    let before = (seen.reload.files as u64).saturating_sub(touched + changes.more as u64);
    let is_change = counts.iter().any(|count| 0 < *count);
    let zone = &shell.visitor.zone;
    let is_today = zone.at(last.at).date() == zone.at(shell.now).date();
    html! {
        header {
            h2 {
                (if is_change { "Reloaded " } else { "In force since " })
                @if is_today { "today at " }
                (zone.element(last.at, &zone.moment(last.at, shell.now)))
                @if is_change { ", in " (words::duration(last.took)) }
            }
            p {
                @if let Some(before) = last.before {
                    span.mono { (short_generation(&before.to_string())) } " to "
                }
                @if let Some(after) = last.after { span.mono { (short_generation(&after.to_string())) } }
                @if is_change {
                    ": " (words::number(counts[0])) " added, " (words::number(counts[1])) " changed, "
                    @if counts[2] == 0 { "none" } @else { (words::number(counts[2])) } " removed. "
                    (words::number(before)) " as before."
                }
            }
        }
        @if is_change {
            div."flow three" {
                @for (name, files) in lists {
                    @if !files.is_empty() { (list(name, files)) }
                }
                @if let Some(difference) = difference { (diff(difference)) }
            }
        }
    }
}

fn list(name: &str, files: &[String]) -> Markup {
    let more = files.len().saturating_sub(FILES) as u64;
    html! {
        div {
            h3 { (name) }
            @for file in files.iter().take(FILES) {
                p.mono {
                    @if name == "Removed" {
                        (words::machine_name(file))
                    } @else {
                        a href=(file_address(file)) { (words::machine_name(file)) }
                    }
                }
            }
            @if 0 < more { p.muted { (words::number(more)) " more" } }
        }
    }
}

fn diff(difference: &str) -> Markup {
    let lines: Vec<&str> = difference
        .lines()
        .filter(|line| !line.starts_with("+++ "))
        .collect();
    let (first, rest) = lines.split_at_checked(LINES).unwrap_or((&lines, &[]));
    html! {
        div {
            h3 { "Difference" }
            div.diff tabindex="0" { @for line in first { (diff_line(line)) } }
            @if !rest.is_empty() {
                details.fold {
                    summary { (icon("tw", "tw")) (words::counted(rest.len() as u64, "more line", "more lines")) }
                    div.diff tabindex="0" { @for line in rest { (diff_line(line)) } }
                }
            }
        }
    }
}

fn diff_line(line: &str) -> Markup {
    let class = match line.as_bytes() {
        [b'-', b'-', b'-', b' ', ..] | [b'@', ..] => "hunk",
        [b'-', ..] => "rem",
        [b'+', ..] => "add",
        _same => "",
    };
    let said = line.strip_prefix("--- ").unwrap_or(line);
    html! { div class=(class) { (words::foreign_up_to(said, 500)) } }
}

fn refusal(shell: &Shell, what: &str, refused: &Refusal) -> Markup {
    let more = refused.diagnostics.len().saturating_sub(FINDINGS) as u64;
    html! {
        div.body { div."note fail-note" {
            (icon("g-failed", "fail"))
            div {
                p {
                    strong { (what) " since " (shell.visitor.zone.moment(refused.since, shell.now)) "." }
                    " What was in force before is in force still."
                }
                @for finding in refused.diagnostics.iter().take(FINDINGS) {
                    p {
                        span.mono { (words::machine_name(&finding.file)) ":" (finding.line) ":" (finding.column) } " "
                        (words::foreign(&finding.message))
                        @if !finding.help.is_empty() { " " (words::foreign(&finding.help)) }
                    }
                }
                @if 0 < more { p.muted { (words::number(more)) " more: " span.mono { "switchboard check" } } }
            }
        } }
    }
}
