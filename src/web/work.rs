//! `/api/queue` and `/api/refreshes`: what waits, runs, failed and ran, in pages and one by one.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::routing::get;
use serde::Deserialize;

use crate::model::json::Value;
use crate::model::json::json;
use crate::vmdb::MessageId;
use crate::vmdb::MessageKind;
use crate::vmdb::MessageState;
use crate::vmdb::QueueFilter;
use crate::vmdb::RefreshFilter;
use crate::vmdb::RefreshId;
use crate::vmdb::RefreshState;
use crate::web::Shared;
use crate::web::api::ems_id;
use crate::web::api::look;
use crate::web::api::page;
use crate::web::api::readable;
use crate::web::api::unknown_manager;
use crate::web::api::word;
use crate::web::problem::Problem;

/// The routes of both lists.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/queue", get(queue))
        .route("/api/queue/{id}", get(message))
        .route("/api/refreshes", get(refreshes))
        .route("/api/refreshes/{id}", get(refresh))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueQuery {
    ems: Option<String>,
    state: Option<String>,
    kind: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefreshQuery {
    ems: Option<String>,
    state: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

async fn queue(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<QueueQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let query = readable(query)?;
    let state: Option<MessageState> = word(query.state.as_deref())?;
    let kind: Option<MessageKind> = word(query.kind.as_deref())?;
    let after = number(query.cursor.as_deref())?.map(MessageId);
    look(&shared, move |vmdb| {
        let Some(ems_id) = ems_id(vmdb, query.ems.as_deref())? else {
            return Ok(Err(unknown_manager(query.ems)));
        };
        let (entries, last) = vmdb.queue_page(&QueueFilter {
            ems_id,
            state,
            kind,
            after,
            limit: Some(page(query.limit)),
        })?;
        Ok(Ok(Json(json!({
            "counts": vmdb.queue_counts()?,
            "outbox": vmdb.outbox_counts()?,
            "queue": entries,
            "cursor": last.map(|last| last.to_string()),
        }))))
    })
    .await?
}

async fn message(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let missing = || Problem::not_found(format!("there is no message `{id}`"));
    let number = MessageId(id.parse().map_err(|_error| missing())?);
    let entry = look(&shared, move |vmdb| vmdb.queue_show(number)).await?;
    Ok(Json(json!(entry.ok_or_else(missing)?)))
}

async fn refreshes(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<RefreshQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let query = readable(query)?;
    let state: Option<RefreshState> = word(query.state.as_deref())?;
    let before = number(query.cursor.as_deref())?.map(RefreshId);
    look(&shared, move |vmdb| {
        let Some(ems_id) = ems_id(vmdb, query.ems.as_deref())? else {
            return Ok(Err(unknown_manager(query.ems)));
        };
        let limit = page(query.limit);
        let refreshes = vmdb.refresh_list(&RefreshFilter {
            ems_id,
            state,
            before,
            limit: Some(limit),
        })?;
        // A full page may be followed by another one.
        let last = refreshes.last().filter(|_| refreshes.len() == limit);
        let cursor = last.map(|refresh| refresh.id.to_string());
        Ok(Ok(Json(json!({
            "counts": vmdb.refreshes_by_state()?,
            "refreshes": refreshes,
            "cursor": cursor,
        }))))
    })
    .await?
}

async fn refresh(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let missing = || Problem::not_found(format!("there is no refresh `{id}`"));
    let number = RefreshId(id.parse().map_err(|_error| missing())?);
    let refresh = look(&shared, move |vmdb| vmdb.refresh_show(number)).await?;
    Ok(Json(json!(refresh.ok_or_else(missing)?)))
}

/// A cursor that is the number of the last row.
pub(crate) fn number(cursor: Option<&str>) -> Result<Option<i64>, Problem> {
    let unreadable = |_error| {
        Problem::unreadable("the cursor is of another list").help("take the cursor of an answer as it is")
    };
    cursor
        .map(|cursor| cursor.parse().map_err(unreadable))
        .transpose()
}
