//! The tree of the rules: days, failures, budget, and what covers what.

use maud::Markup;
use maud::html;

use crate::model::fired::WHOLE_BUDGET;
use crate::vmdb::RuleFigures;
use crate::web::automate::DAYS;
use crate::web::pages::rules::PageQuery;
use crate::web::pages::rules::Seen;
use crate::web::pages::rules::file_address;
use crate::web::pages::rules::tree::ShownDomain;
use crate::web::pages::rules::tree::ShownFolder;
use crate::web::pages::rules::tree::ShownRow;
use crate::web::pages::rules::tree::ShownTree;
use crate::web::pages::shell::Shell;
use crate::web::pages::shell::icon;
use crate::web::pages::spark;
use crate::web::pages::words;

/// From which share on a budget is nearly spent, in thousandths.
const NEAR: u16 = 800;

pub(crate) fn draw(shell: &Shell, seen: &Seen, tree: &ShownTree<'_>, query: &PageQuery) -> Markup {
    html! {
        section.card #tree aria-label="Rule tree" {
            header {
                h2 { "Tree" }
                p {
                    @if tree.is_narrowed {
                        (words::number(tree.found)) " found. "
                        a href="/rules" { "Show all " (words::number(seen.tree.instances.len() as u64)) }
                    } @else {
                        "30 days to now, the busiest first"
                    }
                }
            }
            @if tree.domains.is_empty() {
                div.body { (empty(seen, query)) }
            } @else {
                table."t rt" {
                    thead { tr {
                        th scope="col" { "Instance" }
                        th.c-sp scope="col" { "Fired, by day" }
                        th."c-n r" scope="col" { "Fired" }
                        th."c-n r" scope="col" { "Failed" }
                        th.c-last scope="col" { "Last" }
                        th.c-bud scope="col" { "Budget, most" }
                    } }
                    tbody {
                        @for domain in &tree.domains { (rows_of(shell, seen, domain, query)) }
                    }
                }
            }
        }
    }
}

fn empty(seen: &Seen, query: &PageQuery) -> Markup {
    let count = seen.tree.instances.len() as u64;
    html! {
        @if count == 0 {
            p { "There are no rules. " span.mono { "switchboard new domain NAME" } " makes a commented start." }
        } @else {
            p {
                "No instance has " strong.mono { (words::foreign(&query.q)) } " in its path or description. There are "
                (words::number(count)) ". " a href="/rules" { "Show them" }
            }
        }
    }
}

fn rows_of(shell: &Shell, seen: &Seen, domain: &ShownDomain<'_>, query: &PageQuery) -> Markup {
    let name = &domain.domain.name;
    html! {
        tr."folder d0" {
            th scope="rowgroup" colspan="6" {
                (icon("tw", "down")) " " b { (words::machine_name(name)) } " "
                span.muted {
                    (if domain.domain.priority == 0 { "shipped with the program, " } else { "your domain, " })
                    "priority " (domain.domain.priority)
                    @if !domain.domain.enabled { ", disabled: none of it is found" }
                    @if domain.covers { ", covers lower ones" }
                }
            }
        }
        @for folder in &domain.folders {
            @let shown = folder.rows.len() as u64;
            tr."folder d1" {
                th scope="rowgroup" colspan="6" {
                    (icon("tw", "down")) " " b { (words::machine_name(&folder.name)) } " "
                    span.muted {
                        (words::counted(folder.count, "instance", "instances"))
                        @if shown < folder.count {
                            ", " a href=(folder_address(name, folder, query)) {
                                (words::number(folder.count - shown)) " more"
                            }
                        }
                    }
                }
            }
            @for row in &folder.rows { (row_of(shell, seen, row)) }
        }
        @if 0 < domain.more {
            tr."folder d1" { th scope="rowgroup" colspan="6" { span.muted {
                (words::counted(domain.more, "quieter class", "quieter classes")) " more: look for a name."
            } } }
        }
    }
}

fn folder_address(domain: &str, folder: &ShownFolder<'_>, query: &PageQuery) -> String {
    let mut address = format!(
        "/rules?domain={}&folder={}",
        words::in_query(domain),
        words::in_query(&folder.name)
    );
    if !query.q.is_empty() {
        address.push_str("&q=");
        address.push_str(&words::in_query(&query.q));
    }
    address
}

fn row_of(shell: &Shell, seen: &Seen, row: &ShownRow<'_>) -> Markup {
    let instance = row.instance;
    let title = instance.description.as_deref().unwrap_or(&instance.name);
    let is_silent = row.figures.is_none();
    let class = match (row.is_open, is_silent) {
        (true, _) => "d2 sel",
        (false, true) => "d2 silent",
        (false, false) => "d2",
    };
    html! {
        tr class=(class) {
            th scope="row" title=(title) {
                div {
                    a.mono href=(file_address(&instance.file)) aria-current=[row.is_open.then_some("true")] {
                        (words::machine_name(&instance.name))
                    }
                    (chips(seen, row))
                }
            }
            td.c-sp { (spark::line(&days(seen.since, row.figures), &said(row.figures))) }
            @match row.figures {
                Some(figures) => {
                    td."c-n r" { (words::number(figures.fired)) }
                    td."c-n r" { (failed(figures.failed)) }
                    td."c-last muted" { (last(shell, figures)) }
                    td.c-bud { (budget(figures.budget)) }
                }
                None => {
                    td."c-n r" { span.muted { "silent" } }
                    td."c-n r" {}
                    td."c-last muted" { "never" }
                    td.c-bud {}
                }
            }
        }
    }
}

fn chips(seen: &Seen, row: &ShownRow<'_>) -> Markup {
    let instance = row.instance;
    let unknown = match &*instance.name {
        ".missing" => seen.unknown.of_class(&instance.class),
        _named => 0,
    };
    html! {
        @if instance.covered_by.is_some() { span."chip ovr" { "covered" } }
        @else if instance.covers.is_some() { span."chip ovr accent" { "covers" } }
        @if let Some(meant) = &row.meant {
            span."chip warn ovr" title={ "events came of the type " (meant) } { "typo?" }
        }
        @if 0 < unknown {
            a."chip ovr" href="/rules#unknown" { (words::counted(unknown, "type", "types")) " without a rule" }
        }
    }
}

/// How often it fired and failed on each day.
fn days(since: i64, figures: Option<&RuleFigures>) -> Vec<(u64, u64)> {
    let mut days = vec![(0, 0); usize::try_from(DAYS).unwrap_or(0)];
    for (day, fired, failed) in figures.iter().flat_map(|figures| &figures.days) {
        let place = usize::try_from(day - since).ok();
        if let Some(day) = place.and_then(|place| days.get_mut(place)) {
            *day = (*fired, *failed);
        }
    }
    days
}

fn said(figures: Option<&RuleFigures>) -> String {
    match figures {
        None => "did not fire".to_owned(),
        Some(figures) => {
            let days = words::counted(figures.days.len() as u64, "day", "days");
            format!("fired on {days} of {DAYS}")
        }
    }
}

pub(crate) fn failed(count: u64) -> Markup {
    html! {
        @if 0 < count { span.fail { (icon("p-fail", "fail")) (words::number(count)) } }
    }
}

fn last(shell: &Shell, figures: &RuleFigures) -> Markup {
    let zone = &shell.visitor.zone;
    let is_today = zone.at(figures.last).date() == zone.at(shell.now).date();
    let said = if is_today {
        zone.at(figures.last).strftime("%H:%M").to_string()
    } else {
        zone.date(figures.last, shell.now)
    };
    zone.element(figures.last, &said)
}

fn budget(share: u16) -> Markup {
    let class = match share {
        WHOLE_BUDGET.. => "spent",
        NEAR.. => "near",
        _less => "",
    };
    let percent = share.div_ceil(10);
    html! {
        progress max="100" value=(percent) class=(class) aria-label="Budget used" title={ (percent) " %" } {
            (percent) " %"
        }
    }
}
