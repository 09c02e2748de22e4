//! What the instance of a file did in thirty days.

use maud::Markup;
use maud::html;

use crate::model::rule_tree::RuleInstance;
use crate::web::pages::rules::Seen;
use crate::web::pages::rules::file_address;
use crate::web::pages::shell::Shell;
use crate::web::pages::words;

pub(crate) fn draw(shell: &Shell, seen: &Seen, path: &str) -> Markup {
    let of_file = seen.tree.instances.iter().filter(|one| *one.file == *path);
    html! { @for instance in of_file { (card(shell, seen, instance)) } }
}

fn card(shell: &Shell, seen: &Seen, instance: &RuleInstance) -> Markup {
    let figures = seen.figures.get(&instance.path);
    let zone = &shell.visitor.zone;
    let times = |count: u64| match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        many => format!("{} times", words::number(many)),
    };
    html! {
        section.card aria-label="This rule" {
            header { h2 { "What it did" } p { "30 days" } }
            div.body { dl.kv {
                dt { "Instance" } dd.mono { (words::machine_name(&instance.path)) }
                @if let Some(description) = &instance.description {
                    dt { "Says" } dd { (words::foreign(description)) }
                }
                dt { "Fired" }
                dd {
                    @match figures {
                        Some(figures) => {
                            (times(figures.fired)) ", last "
                            a href={ "/?event_type=" (words::in_query(&instance.name)) } {
                                (zone.element(figures.last, &zone.moment(figures.last, shell.now)))
                            }
                        }
                        None => "never",
                    }
                }
                @if let Some(figures) = figures {
                    dt { "Guard false" } dd { (times(figures.stopped)) }
                    dt { "Failed" }
                    dd class=(if figures.failed == 0 { "" } else { "fail" }) { (times(figures.failed)) }
                    dt { "Budget" } dd { (figures.budget.div_ceil(10)) " % of its operations at most" }
                }
                (overlay(seen, instance))
                @if let Some(meant) = seen.unknown.meant_by(instance).filter(|_| figures.is_none()) {
                    dt { "Typo?" }
                    dd { "Events came of the type " span.mono { (words::machine_name(&meant)) } ", which has no rule." }
                }
            } }
        }
    }
}

fn overlay(seen: &Seen, instance: &RuleInstance) -> Markup {
    let named = [("Covers", &instance.covers), ("Covered by", &instance.covered_by)];
    let other = |path: &str| seen.tree.instances.iter().find(|one| *one.path == *path);
    html! {
        @for (word, path) in named {
            @if let Some(other) = path.as_deref().and_then(other) {
                dt { (word) }
                dd { a.mono href=(file_address(&other.file)) { (words::machine_name(&other.path)) } }
            }
        }
    }
}
