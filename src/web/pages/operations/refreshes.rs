//! Refreshes: what runs and how far it is, what waits, what became of the last ones, and one for asking.

use maud::Markup;
use maud::html;

use crate::vmdb::InventoryChanges;
use crate::vmdb::Refresh;
use crate::vmdb::RefreshState;
use crate::web::pages::operations::PAGE;
use crate::web::pages::operations::Seen;
use crate::web::pages::shell::Shell;
use crate::web::pages::shell::icon;
use crate::web::pages::words;

/// Managers that can be chosen.
const MANAGERS: usize = 200;

pub(crate) fn draw(shell: &Shell, seen: &Seen) -> Markup {
    let counts = &seen.refreshes_by_state;
    html! {
        section."card full" #refreshes aria-label="Refreshes" {
            header {
                h2 { "Refreshes" }
                p {
                    (words::number(counts.running)) " run, " (words::number(counts.waiting)) " wait, "
                    (words::number(counts.done)) " went well, " (words::number(counts.failed)) " failed"
                }
            }
            @if seen.refreshes.is_empty() {
                div.body { p.muted { "None yet. Events ask for them, and so can you." } }
            } @else {
                table."t stackable" {
                    thead { tr {
                        th scope="col" { "Refresh" }
                        th scope="col" { "What" }
                        th scope="col" { "Because of" }
                        th scope="col" { "State" }
                        th scope="col" { "Result" }
                        th.r scope="col" { "Took" }
                    } }
                    tbody { @for refresh in &seen.refreshes { (row(shell, seen, refresh)) } }
                }
            }
            @if !seen.managers.is_empty() { div.body { (ask(seen)) } }
        }
    }
}

fn row(shell: &Shell, seen: &Seen, refresh: &Refresh) -> Markup {
    let what = match (&refresh.full, refresh.targets) {
        (Some(_), targets) if refresh.widened => {
            format!("everything, for {}", words::counted(targets, "target", "targets"))
        }
        (Some(_), _) => "everything".to_owned(),
        (None, targets) => words::counted(targets, "target", "targets"),
    };
    html! {
        tr {
            td.nowrap { a href={ "/api/refreshes/" (refresh.id) } { "R-" (refresh.id) } }
            th scope="row" { (words::foreign(&refresh.ems)) ", " (what) }
            td data-h="Because of" {
                @if 0 < refresh.events { (words::counted(refresh.events, "event", "events")) }
                @if let Some(reason) = &refresh.full {
                    @if 0 < refresh.events { ": " }
                    (words::foreign(reason))
                }
                @if refresh.events == 0 && refresh.full.is_none() { "asked for by hand" }
            }
            (state(shell, seen, refresh))
            td."all" data-h="Result" { (result(refresh)) }
            td.r data-h="Took" { (took(seen, refresh)) }
        }
    }
}

fn state(shell: &Shell, seen: &Seen, refresh: &Refresh) -> Markup {
    let at = |time| shell.visitor.zone.moment(time, shell.now);
    match refresh.state {
        RefreshState::Running => html! {
            td.lag data-h="State" {
                // How much of it there is nobody knows before it ends.
                progress aria-label="running" {}
                span.muted { (refresh.progress.as_deref().unwrap_or("begins")) }
            }
        },
        RefreshState::Waiting => html! {
            td.muted data-h="State" {
                "waits " (words::duration(seen.now.duration_since(refresh.requested_at)))
                @if let Some(due) = refresh.due.filter(|due| seen.now < *due) {
                    ", next try in " (words::duration(due.duration_since(seen.now)))
                }
            }
        },
        RefreshState::Done => html! {
            td.muted data-h="State" { "done" @if let Some(time) = refresh.finished_at { " " (at(time)) } }
        },
        RefreshState::Merged => html! {
            td.muted data-h="State" { "merged" @if let Some(into) = refresh.merged_into { " into R-" (into) } }
        },
        RefreshState::Failed => html! {
            td.fail data-h="State" {
                (icon("g-failed", "fail")) " failed"
                @if let Some(time) = refresh.finished_at { " " (at(time)) }
            }
        },
    }
}

fn result(refresh: &Refresh) -> Markup {
    html! {
        @if let Some(error) = &refresh.error {
            (words::foreign(error))
            @if 1 < refresh.attempts { ", " (words::number(refresh.attempts.into())) " attempts" }
        } @else if let Some(changes) = &refresh.changes {
            (changed(changes))
        }
    }
}

fn changed(changes: &InventoryChanges) -> String {
    let counts = [
        (changes.created, "created"),
        (changes.updated, "updated"),
        (changes.archived, "archived"),
        (changes.unchanged, "as before"),
    ];
    let said = counts.iter().filter(|(count, _)| 0 < *count);
    let said: Vec<String> = said
        .map(|(count, word)| format!("{} {word}", words::number(*count as u64)))
        .collect();
    match said.as_slice() {
        [] => "nothing was found".to_owned(),
        said => said.join(", "),
    }
}

fn took(seen: &Seen, refresh: &Refresh) -> String {
    match (refresh.started_at, refresh.finished_at) {
        (Some(began), Some(ended)) => words::duration(ended.duration_since(began)),
        (Some(began), None) if refresh.state == RefreshState::Running => {
            format!("{} so far", words::duration(seen.now.duration_since(began)))
        }
        _other => String::new(),
    }
}

fn ask(seen: &Seen) -> Markup {
    html! {
        form.filters method="post" action="/api/refreshes" {
            input type="hidden" name="back" value=(PAGE);
            label {
                span.sr { "Manager" }
                select name="ems" {
                    @for manager in seen.managers.iter().take(MANAGERS) {
                        option value=(manager.ems.name) { (words::foreign(&manager.ems.name)) }
                    }
                }
            }
            " "
            label.grow {
                span.sr { "Target" }
                input type="text" name="targets" placeholder="vms:i-1" required;
            }
            " "
            button.btn type="submit" { "Refresh now" }
            " "
            button."btn quiet" type="submit" name="full" value="true" formnovalidate { "Refresh everything" }
        }
    }
}
