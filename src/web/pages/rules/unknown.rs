//! Types of events that no instance is named after, and which name may have been meant.

use std::sync::Arc;

use jiff::ToSpan;
use maud::Markup;
use maud::html;

use crate::model::clock::Timestamp;
use crate::model::rule_tree::RuleInstance;
use crate::model::rule_tree::RuleTree;
use crate::source::suggest;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::web::pages::rules::file_address;
use crate::web::pages::words;

/// The namespace whose instances are named after types.
const EVENTS: &str = "System/Event/";
/// Types that names are compared with, and names that a type is compared with: comparing is slow.
const COMPARED: usize = 50;
const NAMES: usize = 2_000;
/// Types that are shown.
const SHOWN: usize = 12;

/// Types that no instance is named after.
#[derive(Debug, Default)]
pub(crate) struct UnknownTypes {
    types: Vec<UnknownType>,
}

#[derive(Debug)]
struct UnknownType {
    event_type: Arc<str>,
    /// The name of the class that its rules would be in, where the manager is known.
    class: String,
    events: u64,
    /// The instance that may have been meant for it: its name and its file.
    near: Option<(Arc<str>, Arc<str>)>,
}

impl UnknownTypes {
    /// Looks for those of events since a day.
    pub(crate) fn look(vmdb: &Vmdb, since: i64, tree: &RuleTree) -> Result<Self, VmdbError> {
        let hours = since.saturating_mul(24);
        let since = Timestamp::UNIX_EPOCH.checked_add(hours.hours());
        let found = vmdb.types_without_rule(since.unwrap_or(Timestamp::UNIX_EPOCH))?;
        let managers = vmdb.ems_list()?;
        let class = |ems_id| {
            let ems = managers.iter().find(|ems| ems.id == ems_id);
            ems.map(|ems| ems.provider.to_uppercase()).unwrap_or_default()
        };
        let types = found.into_iter().enumerate().map(|(place, one)| {
            let class = class(one.ems_id);
            let near = (place < SHOWN)
                .then(|| nearest(tree, &class, &one.event_type))
                .flatten();
            UnknownType {
                event_type: one.event_type,
                class,
                events: one.events,
                near,
            }
        });
        Ok(Self {
            types: types.collect(),
        })
    }

    /// The type that an instance may have been meant for; it never fired.
    pub(crate) fn meant_by(&self, instance: &RuleInstance) -> Option<Arc<str>> {
        if !instance.namespace.starts_with(EVENTS.trim_end_matches('/')) || instance.covered_by.is_some() {
            return None;
        }
        let of_class = self
            .types
            .iter()
            .take(COMPARED)
            .filter(|one| one.class.is_empty() || one.class.eq_ignore_ascii_case(&instance.class));
        let names: Vec<&Arc<str>> = of_class.map(|one| &one.event_type).collect();
        let near = suggest::nearest(&instance.name, names.iter().map(|name| &***name))?;
        names.into_iter().find(|name| ***name == *near).cloned()
    }

    /// How many types `.missing` of a class stands in for.
    pub(crate) fn of_class(&self, class: &str) -> u64 {
        let of_class = |one: &&UnknownType| one.class.eq_ignore_ascii_case(class);
        self.types.iter().filter(of_class).count() as u64
    }
}

fn nearest(tree: &RuleTree, class: &str, event_type: &str) -> Option<(Arc<str>, Arc<str>)> {
    let mut beside = tree.instances.iter().filter(|one| {
        one.namespace.starts_with(EVENTS.trim_end_matches('/'))
            && (class.is_empty() || one.class.eq_ignore_ascii_case(class))
    });
    let names: Vec<&RuleInstance> = beside.by_ref().take(NAMES).collect();
    if beside.next().is_some() {
        return None;
    }
    let near = suggest::nearest(event_type, names.iter().map(|one| &*one.name))?;
    let near = names.iter().find(|one| *one.name == *near)?;
    Some((near.name.clone(), near.file.clone()))
}

pub(crate) fn draw(unknown: &UnknownTypes) -> Markup {
    if unknown.types.is_empty() {
        return html! {};
    }
    let more = unknown.types.len().saturating_sub(SHOWN) as u64;
    html! {
        section.card #unknown aria-label="Types without a rule" {
            header {
                h2 { "Types without a rule" }
                p { (words::counted(unknown.types.len() as u64, "type", "types")) " in 30 days" }
            }
            table."t stackable" {
                thead { tr {
                    th scope="col" { "Type" }
                    th scope="col" { "Provider" }
                    th.r scope="col" { "Events" }
                } }
                tbody {
                    @for one in unknown.types.iter().take(SHOWN) {
                        tr {
                            th.all scope="row" {
                                a.mono href={ "/?outcome=norule&event_type=" (words::in_query(&one.event_type)) } {
                                    (words::machine_name(&one.event_type))
                                }
                                @if let Some((name, file)) = &one.near {
                                    br;
                                    span.muted {
                                        "did you mean " a.mono href=(file_address(file)) { (words::machine_name(name)) } "?"
                                    }
                                }
                            }
                            td.muted data-h="Provider" { (words::foreign(&one.class)) }
                            td.r data-h="Events" { (words::number(one.events)) }
                        }
                    }
                }
            }
            @if 0 < more { div.body { p.muted { (words::number(more)) " more." } } }
        }
    }
}
