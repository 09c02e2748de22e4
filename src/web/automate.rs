//! `GET /api/automate`: the rule tree, with how often each instance fired and when last.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::routing::get;
use serde::Deserialize;

use crate::model::json::Value;
use crate::model::json::json;
use crate::model::rule_tree::RuleInstance;
use crate::vmdb::RuleFigures;
use crate::vmdb::day_of;
use crate::web::Shared;
use crate::web::api::look;
use crate::web::api::page;
use crate::web::api::readable;
use crate::web::problem::Problem;

/// How many days are counted.
pub(crate) const DAYS: i64 = 30;

/// The route of the tree.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/api/automate", get(tree))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TreeQuery {
    domain: Option<String>,
    q: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

async fn tree(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<TreeQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let query = readable(query)?;
    let limit = page(query.limit);
    let rules = shared.services.rules.clone();
    let since = day_of(shared.services.clock.now()) - DAYS + 1;
    look(&shared, move |vmdb| {
        let (generation, tree) = (rules.generation(), rules.tree());
        let figures = vmdb.rule_figures(since)?;
        let wanted = query.q.as_deref().map(str::to_lowercase);
        let is_wanted = |one: &&RuleInstance| {
            let domain = query.domain.as_deref();
            domain.is_none_or(|domain| domain.eq_ignore_ascii_case(&one.domain))
                && wanted.as_deref().is_none_or(|text| is_named(one, text))
        };
        let mut found: Vec<&RuleInstance> = tree.instances.iter().filter(is_wanted).collect();
        // By path, so that a page begins where the one before ended, whatever fires meanwhile.
        found.sort_by(|a, b| a.path.cmp(&b.path));
        let total = found.len();
        let rest = found
            .iter()
            .skip_while(|one| query.cursor.as_deref().is_some_and(|last| *one.path <= *last));
        let shown: Vec<&&RuleInstance> = rest.take(limit).collect();
        let is_last = shown.last().is_none_or(|last| found.last() == Some(*last));
        let cursor = shown.last().filter(|_| !is_last).map(|last| last.path.clone());
        let instances: Vec<Value> = shown
            .into_iter()
            .map(|one| document(one, figures.get(&one.path)))
            .collect();
        Ok(Json(json!({
            "generation": generation,
            "days": DAYS,
            "domains": tree.domains,
            "total": total,
            "instances": instances,
            "cursor": cursor,
        })))
    })
    .await
}

/// Whether an instance has this in its path, whatever the letter case. `text` is lower case.
pub(crate) fn is_named(one: &RuleInstance, text: &str) -> bool {
    one.path.to_lowercase().contains(text)
        || one
            .description
            .as_deref()
            .is_some_and(|description| description.to_lowercase().contains(text))
}

fn document(one: &RuleInstance, figures: Option<&RuleFigures>) -> Value {
    let mut document = json!(one);
    if let Some(map) = document.as_object_mut() {
        let count = |count: fn(&RuleFigures) -> u64| figures.map_or(0, count);
        map.insert("fired".to_owned(), json!(count(|figures| figures.fired)));
        map.insert("failed".to_owned(), json!(count(|figures| figures.failed)));
        map.insert("stopped".to_owned(), json!(count(|figures| figures.stopped)));
        map.insert("last".to_owned(), json!(figures.map(|figures| figures.last)));
        let budget = figures.map(|figures| f64::from(figures.budget) / 1_000.0);
        map.insert("budget".to_owned(), json!(budget));
    }
    document
}
