//! The catchers: one for each manager, how each fares, and what there is to press.

use maud::Markup;
use maud::html;

use crate::model::clock::SignedDuration;
use crate::web::managers::CatcherDocument;
use crate::web::managers::ManagerDocument;
use crate::web::pages::forms::Action;
use crate::web::pages::operations::PAGE;
use crate::web::pages::operations::Seen;
use crate::web::pages::operations::verdict;
use crate::web::pages::shell::Shell;
use crate::web::pages::shell::icon;
use crate::web::pages::spark;
use crate::web::pages::words;

/// Managers that are shown.
const SHOWN: usize = 100;
/// Characters of a position that are shown.
const POSITION: usize = 60;

pub(crate) fn draw(shell: &Shell, seen: &Seen) -> Markup {
    // What is broken comes first; else by name.
    let mut managers: Vec<&ManagerDocument> = seen.managers.iter().collect();
    managers.sort_by_key(|manager| !verdict::is_broken(manager));
    let more = managers.len().saturating_sub(SHOWN) as u64;
    html! {
        section."card full" #catchers aria-label="Catchers" {
            header { h2 { "Catchers" } p { "one for each manager" } }
            @if managers.is_empty() {
                div.body { p {
                    "There is no manager yet. " span.mono { "switchboard ems add NAME --type PROVIDER --url URL" }
                    " adds one."
                } }
            } @else {
                table."t stackable" {
                    thead { tr {
                        th scope="col" { "Manager" }
                        th scope="col" { "State" }
                        th scope="col" { "Last kept" }
                        th scope="col" { "Events, last 24 h" }
                        th scope="col" { "Cursor" }
                        th.r scope="col" { "Today" }
                        th.r scope="col" { "Ignored" }
                        th { span.sr { "Actions" } }
                    } }
                    tbody { @for manager in managers.iter().take(SHOWN) { (row(seen, manager)) } }
                }
                @if 0 < more { div.body { p.muted { (words::number(more)) " more." } } }
                @for manager in managers.iter().filter(|manager| verdict::is_broken(manager)).take(5) {
                    (note(shell, manager))
                }
            }
        }
    }
}

fn row(seen: &Seen, manager: &ManagerDocument) -> Markup {
    let ems = &manager.ems;
    let today = seen.today.get(&ems.id).copied().unwrap_or_default();
    let hours = seen.operations.by_hour.get(&ems.id).copied().unwrap_or_default();
    let bars = hours.map(|events| (events, 0));
    let said = words::counted(hours.iter().sum(), "event in 24 hours", "events in 24 hours");
    let broken = verdict::is_broken(manager);
    let count = |count: i64| words::number(u64::try_from(count).unwrap_or(0));
    html! {
        tr {
            th scope="row" {
                a href={ "/?ems=" (words::in_query(&ems.name)) } { (words::foreign(&ems.name)) } " "
                span.muted { (words::foreign(&ems.provider)) }
            }
            td class=(if broken { "fail" } else { "" }) { (state(seen, manager)) }
            td class=(if broken { "fail" } else { "" }) data-h="Last kept" { (last_kept(seen, manager.catcher.as_ref())) }
            td.lag { (spark::line(&bars, &said)) }
            td."mono muted all" data-h="Cursor" { (position(manager.catcher.as_ref())) }
            td.r data-h="Today" { (count(today.accepted)) }
            td."r muted" data-h="Ignored" { (count(today.filtered + today.duplicate)) }
            td { div.acts-row { (buttons(manager)) } }
        }
    }
}

fn state(seen: &Seen, manager: &ManagerDocument) -> Markup {
    if !manager.ems.enabled {
        return html! { (icon("g-notreached", "")) " Stopped" };
    }
    let Some(catcher) = &manager.catcher else {
        return html! { (icon("g-wait", "")) " Not started" };
    };
    if !catcher.wanted {
        return html! {
            span title=[catcher.reason.as_deref()] { (icon("g-ok", "")) " Events are pushed" }
        };
    }
    match &*catcher.state {
        "running" => html! { (icon("g-ok", "")) " Running" },
        "connecting" => html! { (icon("g-wait", "")) " Connecting" },
        "backing_off" => {
            let left = catcher.until.map(|until| until.duration_since(seen.now));
            let left = left.filter(|left| SignedDuration::ZERO < *left);
            html! {
                (icon("g-failed", "fail"))
                @match left {
                    Some(left) => { " Retrying in " (words::duration(left)) }
                    None => " Retrying",
                }
            }
        }
        "stopped" => html! { (icon("g-notreached", "")) " Stopped" },
        _silent => html! { (icon("g-missing", "")) " Nothing heard of it" },
    }
}

/// When its stream last brought something that was kept.
fn last_kept(seen: &Seen, catcher: Option<&CatcherDocument>) -> Markup {
    let wanted = catcher.filter(|catcher| catcher.wanted);
    html! {
        @if let Some(at) = wanted.and_then(|catcher| catcher.last_kept_at) {
            time datetime=(at) { (words::ago(at, seen.now)) }
        }
    }
}

fn position(catcher: Option<&CatcherDocument>) -> Markup {
    let position = catcher.and_then(|catcher| catcher.position.as_ref());
    html! {
        @if let Some(position) = position {
            @match position.as_str() {
                Some(text) => (words::foreign_up_to(text, POSITION)),
                None => (words::foreign_up_to(&position.to_string(), POSITION)),
            }
        }
    }
}

fn buttons(manager: &ManagerDocument) -> Markup {
    let path = format!("/api/catchers/{}", words::in_query(&manager.ems.name));
    let waits = manager
        .catcher
        .as_ref()
        .is_some_and(|catcher| catcher.state == "backing_off");
    let wanted = manager.catcher.as_ref().is_some_and(|catcher| catcher.wanted);
    let button = |deed: &str, label| {
        let action = Action {
            path: &format!("{path}/{deed}"),
            back: PAGE,
            label,
            to: &manager.ems.name,
            class: "small",
        };
        action.button(&[])
    };
    html! {
        @if !manager.ems.enabled {
            (button("start", "Start"))
        } @else {
            @if waits { (button("try", "Try now")) }
            @if wanted { (button("stop", "Stop")) }
        }
    }
}

fn note(shell: &Shell, manager: &ManagerDocument) -> Markup {
    let Some(catcher) = &manager.catcher else {
        return html! {};
    };
    let reason = catcher
        .reason
        .as_deref()
        .unwrap_or("nothing was heard of it for a while");
    html! {
        div.body { div."note fail-note" {
            (icon("g-failed", "fail"))
            div {
                p { strong { (words::foreign(&manager.ems.name)) ":" } " " (words::foreign(reason)) }
                p {
                    "It broke off " (words::counted(catcher.broke_off, "time", "times")) " since it was started"
                    @if let Some(at) = catcher.position_saved_at {
                        "; what came until " (shell.visitor.zone.moment(at, shell.now)) " is kept"
                    }
                    "."
                    @if let Some(credentials) = &manager.ems.credentials {
                        " Its credentials are " span.mono { (words::foreign(credentials)) } "."
                    }
                }
            }
        } }
    }
}
