//! `/api/reloads` and `/api/audit`: which rules were in force when, and what people had the program do.

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
use crate::web::Shared;
use crate::web::api::look;
use crate::web::api::moment;
use crate::web::api::page;
use crate::web::api::readable;
use crate::web::problem::Problem;
use crate::web::work::number;

/// The routes of both lists.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/reloads", get(reloads))
        .route("/api/audit", get(audit))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReloadQuery {
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

async fn reloads(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ReloadQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let query = readable(query)?;
    let (from, to) = (moment(query.from.as_deref())?, moment(query.to.as_deref())?);
    let limit = page(query.limit);
    let reloads = look(&shared, move |vmdb| vmdb.reloads(from, to, limit)).await?;
    let generation = shared.services.rules.generation();
    Ok(Json(json!({"generation": generation, "reloads": reloads})))
}

async fn audit(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let query = readable(query)?;
    let (before, limit) = (number(query.cursor.as_deref())?, page(query.limit));
    let deeds = look(&shared, move |vmdb| vmdb.audit_log(before, limit)).await?;
    let last = deeds.last().filter(|_| deeds.len() == limit);
    let cursor = last.map(|deed| deed.id.to_string());
    Ok(Json(json!({"audit": deeds, "cursor": cursor})))
}
