//! `/inventory`: what the managers have, to pick from: associations with their counts, then their objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use maud::Markup;
use maud::html;
use serde::Deserialize;

use crate::model::clock::Timestamp;
use crate::model::ems::Ems;
use crate::vmdb::InventoryFilter;
use crate::vmdb::ListedObject;
use crate::vmdb::ObjectCounts;
use crate::web::Shared;
use crate::web::api::ems_id;
use crate::web::api::look;
use crate::web::api::readable;
use crate::web::api::unknown_manager;
use crate::web::pages::changes;
use crate::web::pages::links;
use crate::web::pages::problem::PageProblem;
use crate::web::pages::resource;
use crate::web::pages::shell::Place;
use crate::web::pages::shell::Shell;
use crate::web::pages::visitor::Visitor;
use crate::web::pages::words;
use crate::web::pages::words::Zone;

/// Objects of a page.
const PAGE: usize = 50;

/// What is looked for.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct InventoryQuery {
    association: Option<String>,
    ems: Option<String>,
    q: Option<String>,
    #[serde(default)]
    archived: Option<String>,
    cursor: Option<i64>,
}

impl InventoryQuery {
    /// What is asked for, blank fields of a form left out.
    fn cleaned(self) -> Self {
        let some = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        Self {
            association: some(self.association),
            ems: some(self.ems),
            q: some(self.q),
            archived: some(self.archived),
            cursor: self.cursor,
        }
    }

    /// The address of this list, with other parts.
    fn address(&self, association: &str, cursor: Option<i64>) -> String {
        let texts = [
            ("association", Some(association)),
            ("ems", self.ems.as_deref()),
            ("q", self.q.as_deref()),
            ("archived", self.archived.as_deref()),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(key, value)| Some(format!("{key}={}", links::part(value?))));
        let cursor = cursor.map(|cursor| format!("cursor={cursor}"));
        let parts: Vec<String> = texts.chain(cursor).collect();
        format!("/inventory?{}", parts.join("&"))
    }
}

/// What a list shows.
struct Listing {
    objects: Vec<ListedObject>,
    count: u64,
}

/// The page.
pub(crate) async fn page(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    query: Result<Query<InventoryQuery>, QueryRejection>,
) -> Result<Response, PageProblem> {
    let query = readable(query)?.cleaned();
    let services = shared.clone();
    let page = look(&shared, move |vmdb| {
        let Some(ems) = ems_id(vmdb, query.ems.as_deref())? else {
            return Ok(Err(unknown_manager(query.ems)));
        };
        let shell = Shell::new(&services, vmdb, visitor)?;
        let counts = vmdb.inventory_counts(ems)?;
        let managers = vmdb.ems_list()?;
        // With one association there is nothing to pick.
        let only = counts.keys().next().filter(|_| counts.len() == 1);
        let association = query.association.clone().or_else(|| only.cloned());
        let listing = match &association {
            None => None,
            Some(association) => {
                let filter = InventoryFilter {
                    association: association.clone(),
                    ems_id: ems,
                    with_archived: query.archived.is_some(),
                    q: query.q.clone(),
                    after: query.cursor,
                    limit: Some(PAGE),
                };
                Some(Listing {
                    objects: vmdb.inventory_list(&filter)?,
                    count: vmdb.inventory_count(&filter)?,
                })
            }
        };
        let main = draw(
            &query,
            association.as_deref(),
            &counts,
            &managers,
            listing.as_ref(),
            &shell,
        );
        Ok(Ok(shell.page("Inventory", Place::Inventory, &main)))
    })
    .await?;
    Ok(page?)
}

fn draw(
    query: &InventoryQuery,
    association: Option<&str>,
    counts: &BTreeMap<String, ObjectCounts>,
    managers: &[Arc<Ems>],
    listing: Option<&Listing>,
    shell: &Shell,
) -> Markup {
    let all: u64 = counts.values().map(|counts| counts.present).sum();
    html! {
        div.pagehead {
            div {
                h1 { "Inventory" }
                p.lead {
                    strong { (words::counted(all, "object", "objects")) } " of "
                    (words::counted(u64::try_from(managers.len()).unwrap_or(0), "manager", "managers")) ": "
                    @for (index, ems) in managers.iter().enumerate() {
                        @if 0 < index { ", " }
                        (links::to_manager(&ems.name))
                    }
                    @if managers.is_empty() { "none yet; add one with " code { "switchboard ems add" } }
                }
            }
        }
        (form(query, association, counts, managers))
        div.two {
            @match (association, listing) {
                (Some(association), Some(listing)) => (list(query, association, listing, &shell.visitor.zone, shell.now)),
                _none => {
                    section.card aria-label="Objects" {
                        div.empty {
                            @if counts.is_empty() {
                                p { "Nothing has been read yet." }
                                p { code { "switchboard refresh run MANAGER" } }
                            } @else { p { "Choose what you are looking for." } }
                        }
                    }
                }
            }
            (associations(query, counts))
        }
    }
}

fn form(
    query: &InventoryQuery,
    association: Option<&str>,
    counts: &BTreeMap<String, ObjectCounts>,
    managers: &[Arc<Ems>],
) -> Markup {
    html! {
        form.filters method="get" action="/inventory" {
            label {
                span.sr { "Association" }
                select name="association" {
                    option value="" { "Anything" }
                    @for name in counts.keys() {
                        option value=(name) selected[association == Some(name)] { (links::kind(name).1) }
                    }
                }
            }
            label {
                span.sr { "Manager" }
                select name="ems" {
                    option value="" { "All managers" }
                    @for ems in managers {
                        option value=(ems.name) selected[query.ems.as_deref() == Some(&*ems.name)] { (ems.name) }
                    }
                }
            }
            label.grow {
                span.sr { "Name or key" }
                input type="search" name="q" placeholder="Name or key" value=[query.q.as_deref()] data-search;
            }
            label { input type="checkbox" name="archived" value="true" checked[query.archived.is_some()]; " Also what is gone" }
            button.btn { "Find" }
        }
    }
}

fn associations(query: &InventoryQuery, counts: &BTreeMap<String, ObjectCounts>) -> Markup {
    html! {
        section.card aria-label="Associations" {
            header { h2 { "What there is" } }
            table."t small" {
                thead { tr { th scope="col" { "Association" } th.r scope="col" { "There" } th.r scope="col" { "Gone" } } }
                tbody {
                    @for (name, counts) in counts {
                        tr {
                            th scope="row" { a href=(query.address(name, None)) { (links::kind(name).1) } }
                            td.r { (words::number(counts.present)) }
                            td."r muted" { (words::number(counts.archived)) }
                        }
                    }
                }
            }
        }
    }
}

fn list(query: &InventoryQuery, association: &str, listing: &Listing, zone: &Zone, now: Timestamp) -> Markup {
    let (one, many) = links::kind(association);
    let last = listing.objects.last().filter(|_| listing.objects.len() == PAGE);
    html! {
        section.card aria-label="Objects" {
            header { h2 { (words::counted(listing.count, &one, &many)) } p { "in the order in which they were found" } }
            @if listing.objects.is_empty() {
                div.empty {
                    p { "There is none." }
                    @if query.q.is_some() || query.ems.is_some() {
                        p { a.btn href={ "/inventory?association=" (links::part(association)) } { "Without the filters" } }
                    }
                }
            } @else {
                table."t stackable" {
                    thead { tr { @for name in ["Name", "State", "Manager", "Changed"] { th scope="col" { (name) } } } }
                    tbody {
                        @for object in &listing.objects {
                            tr {
                                th.all scope="row" { (resource::link(object)) " " span."mono muted" { (words::foreign(&object.reference())) } }
                                td {
                                    @if object.archived_on.is_some() { span.muted { "gone" } }
                                    @else if let Some((_, value)) = resource::state(object) { (changes::value(Some(value))) }
                                }
                                td.muted { (words::foreign(&object.ems)) }
                                td."nowrap muted" { (zone.element(object.updated_at, &words::ago(object.updated_at, now))) }
                            }
                        }
                    }
                }
                @if let Some(last) = last { p.more { a.btn href=(query.address(association, Some(last.id))) { "More" } } }
            }
        }
    }
}
