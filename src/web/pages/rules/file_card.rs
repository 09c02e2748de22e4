//! The text of a file, with what `check` finds under the line it is about.

use std::collections::BTreeMap;

use maud::Markup;
use maud::html;

use crate::source::Diagnostic;
use crate::source::Severity;
use crate::web::pages::rules::Seen;
use crate::web::pages::rules::file_address;
use crate::web::pages::rules::source_text;
use crate::web::pages::words;

/// Lines that are shown.
const LINES: usize = 2_000;

pub(crate) fn draw(seen: &Seen, path: &str, text: &str) -> Markup {
    let mut findings: BTreeMap<usize, Vec<&Diagnostic>> = BTreeMap::new();
    for finding in seen.findings.iter().filter(|finding| *finding.file == *path) {
        let line = usize::try_from(finding.line).unwrap_or(1).max(1);
        findings.entry(line).or_default().push(finding);
    }
    let count = text.lines().count();
    let name = path.rsplit_once('/').map_or(path, |(_folder, name)| name);
    // What is said of a line behind the last one stands below it.
    let behind = findings.split_off(&(count.min(LINES) + 1));
    html! {
        section."card src" #file aria-label="File" {
            header {
                h2.mono title=(path) { (words::machine_name(name)) }
                p { (about(seen, path)) }
            }
            div.code tabindex="0" {
                @for (number, line) in (1..).zip(text.lines().take(LINES)) {
                    @let here = findings.get(&number).map(Vec::as_slice).unwrap_or_default();
                    div #{ "L" (number) } class=(mark(here)) {
                        span.n { (number) }
                        span.l { (source_text::line(path, line, here.first().map(|finding| finding.column))) }
                    }
                    @for finding in here { (under(finding)) }
                }
                @for finding in behind.values().flatten() { (under(finding)) }
            }
            @if LINES < count {
                div.body { p.muted { (words::number((count - LINES) as u64)) " more lines are not shown." } }
            }
        }
    }
}

fn about(seen: &Seen, path: &str) -> Markup {
    let mut of_file = seen.tree.instances.iter().filter(|one| *one.file == *path);
    let file_of = |path: &str| {
        let found = seen.tree.instances.iter().find(|one| *one.path == *path);
        found.map(|one| (one.domain.clone(), one.file.clone()))
    };
    let Some(instance) = of_file.next() else {
        return html! { span.mono { (words::machine_name(path)) } };
    };
    let other = |word: &str, path: &str| {
        html! {
            @match file_of(path) {
                Some((domain, file)) => { ", " (word) " " a href=(file_address(&file)) { (words::machine_name(&domain)) } }
                None => {}
            }
        }
    };
    html! {
        (words::machine_name(&instance.domain))
        @if let Some(covered_by) = &instance.covered_by { (other("covered by", covered_by)) }
        @else if let Some(covers) = &instance.covers { (other("covers", covers)) }
    }
}

fn mark(findings: &[&Diagnostic]) -> &'static str {
    let is_error = findings.iter().any(|finding| finding.severity == Severity::Error);
    match (findings.is_empty(), is_error) {
        (true, _) => "",
        (false, true) => "err",
        (false, false) => "hit",
    }
}

fn under(finding: &Diagnostic) -> Markup {
    let (class, word) = match finding.severity {
        Severity::Error => ("find error", "Error."),
        Severity::Warning => ("find warning", "Warning."),
    };
    html! {
        div class=(class) {
            p {
                strong { (word) } " " (words::foreign_up_to(&finding.message, 2_000))
                @if !finding.help.is_empty() { " " (words::foreign_up_to(&finding.help, 2_000)) }
            }
        }
    }
}
