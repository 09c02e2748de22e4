//! The rules: which work, fail, sleep, and what the last reload changed. A file with what `check` finds in it.

mod did_card;
mod file_card;
mod findings_card;
mod reload_card;
mod source_text;
mod tree;
mod tree_card;
mod unknown;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use axum::routing::get;
use maud::Markup;
use maud::html;
use serde::Deserialize;

use crate::model::rule_tree::RuleTree;
use crate::reload::ReloadState;
use crate::source::Diagnostic;
use crate::source::Severity;
use crate::vmdb::RuleFigures;
use crate::vmdb::StoredReload;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::day_of;
use crate::web::Shared;
use crate::web::api::look;
use crate::web::api::readable;
use crate::web::automate::DAYS;
use crate::web::pages::forms::Action;
use crate::web::pages::problem::PageProblem;
use crate::web::pages::rules::tree::ShownTree;
use crate::web::pages::rules::tree::TreeQuery;
use crate::web::pages::rules::unknown::UnknownTypes;
use crate::web::pages::shell::Place;
use crate::web::pages::shell::Shell;
use crate::web::pages::visitor::Visitor;
use crate::web::pages::words;
use crate::web::problem::Problem;

/// The routes of the page.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/rules", get(page))
        .route("/rules/file", get(file))
}

/// What an address of the page says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct PageQuery {
    q: String,
    domain: String,
    folder: String,
    path: String,
}

/// What the page shows.
struct Seen {
    /// The first day that is counted, in days since the epoch.
    since: i64,
    tree: Arc<RuleTree>,
    figures: BTreeMap<Arc<str>, RuleFigures>,
    findings: Arc<[Diagnostic]>,
    reload: ReloadState,
    last: Option<(StoredReload, Option<String>)>,
    unknown: UnknownTypes,
}

impl Seen {
    fn look(shared: &Shared, vmdb: &Vmdb) -> Result<Self, VmdbError> {
        let rules = &shared.services.rules;
        let since = day_of(shared.services.clock.now()) - DAYS + 1;
        let tree = rules.tree();
        Ok(Self {
            since,
            figures: vmdb.rule_figures(since)?,
            findings: rules.findings(),
            reload: rules.reload_state(),
            last: vmdb.last_replacement()?,
            unknown: UnknownTypes::look(vmdb, since, &tree)?,
            tree,
        })
    }
}

async fn page(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Response, PageProblem> {
    show(shared, visitor, readable(query)?, None).await
}

async fn file(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Response, PageProblem> {
    let query = readable(query)?;
    let path = query.path.clone();
    if path.is_empty() {
        return Err(Problem::unreadable("`path` is missing: which file?").into());
    }
    show(shared, visitor, query, Some(path)).await
}

async fn show(
    shared: Arc<Shared>,
    visitor: Visitor,
    query: PageQuery,
    path: Option<String>,
) -> Result<Response, PageProblem> {
    let services = shared.clone();
    look(&shared, move |vmdb| {
        let shell = Shell::new(&services, vmdb, visitor)?;
        let seen = Seen::look(&services, vmdb)?;
        let text = path.as_deref().map(|path| services.services.rules.text(path));
        let opened = match (path, text) {
            (Some(path), Some(Some(text))) => Some((path, text)),
            (Some(path), _none) => {
                return Ok(Err(missing(&path, &seen)));
            }
            (None, _none) => None,
        };
        let main = draw(&shell, &seen, &query, opened.as_ref());
        Ok(Ok(shell.page("Rules", Place::Rules, &main)))
    })
    .await?
    .map_err(PageProblem::from)
}

fn missing(path: &str, seen: &Seen) -> Problem {
    let named = seen.tree.instances.iter().find(|one| *one.path == *path);
    let problem = Problem::not_found(format!("the rules in force have no file `{path}`"));
    match named {
        Some(instance) => problem.help(format!("the instance is written in `{}`", instance.file)),
        None => problem.help("it may have been renamed or removed: look for it in the tree of the rules"),
    }
}

fn draw(shell: &Shell, seen: &Seen, query: &PageQuery, opened: Option<&(String, String)>) -> Markup {
    let tree = ShownTree::new(
        seen,
        &TreeQuery {
            text: query.q.trim().to_lowercase(),
            domain: &query.domain,
            folder: &query.folder,
            file: opened.map(|(path, _text)| path.as_str()),
        },
    );
    html! {
        (head(seen, &tree, query))
        div.stack {
            (reload_card::draw(shell, seen))
            div."two rules" {
                (tree_card::draw(shell, seen, &tree, query))
                div.stack {
                    @match opened {
                        Some((path, text)) => {
                            (file_card::draw(seen, path, text))
                            (did_card::draw(shell, seen, path))
                        }
                        None => {
                            (findings_card::draw(seen))
                            (unknown::draw(&seen.unknown))
                        }
                    }
                }
            }
        }
    }
}

fn head(seen: &Seen, tree: &ShownTree<'_>, query: &PageQuery) -> Markup {
    let count = seen.tree.instances.len() as u64;
    let errors = seen.findings.iter().filter(|one| one.severity == Severity::Error);
    let (errors, findings) = (errors.count() as u64, seen.findings.len() as u64);
    let reload = Action {
        path: "/api/automate/reload",
        back: "/rules",
        label: "Reload now",
        to: "",
        class: "btn",
    };
    html! {
        div.pagehead {
            div {
                h1 { "Rules" }
                p.lead {
                    strong { (words::number(count)) } " "
                    (if count == 1 { "instance" } else { "instances" }) " in "
                    (words::counted(seen.tree.domains.len() as u64, "domain", "domains")) ". "
                    a href="#tree" {
                        (words::number(tree.silent)) " of the " (words::number(tree.shown))
                        (if tree.silent == 1 { " shown is silent" } else { " shown are silent" })
                    }
                    ", "
                    @if findings == 0 {
                        "no findings."
                    } @else {
                        a href="/rules#findings" { (words::counted(findings, "finding", "findings")) }
                        @match errors {
                            0 => ", none of them an error.",
                            1 => ", one of them an error.",
                            many => { ", " (words::number(many)) " of them errors." }
                        }
                    }
                }
            }
            div.acts-row {
                form.act action="/rules" role="search" {
                    label {
                        span.sr { "Find a rule" }
                        input type="search" name="q" value=(query.q) data-search placeholder="Find a rule";
                    }
                }
                (reload.button(&[]))
            }
        }
    }
}

/// The address of a file's text.
fn file_address(path: &str) -> String {
    format!("/rules/file?path={}", words::in_query(path))
}
