//! `GET /api/inventory/{association}`: what the managers have, in pages, and one object with its history.

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
use crate::model::relation::RELATIONS;
use crate::source::suggest;
use crate::vmdb::InventoryFilter;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::web::Shared;
use crate::web::api::ems_id;
use crate::web::api::look;
use crate::web::api::page;
use crate::web::api::readable;
use crate::web::api::unknown_manager;
use crate::web::problem::Problem;

/// The routes of the inventory.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/inventory/{association}", get(objects))
        .route("/api/inventory/{association}/{id}", get(object))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectsQuery {
    ems: Option<String>,
    #[serde(default)]
    archived: bool,
    q: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

async fn objects(
    State(shared): State<Arc<Shared>>,
    Path(association): Path<String>,
    query: Result<Query<ObjectsQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let query = readable(query)?;
    let after = cursor(query.cursor.as_deref())?;
    let limit = page(query.limit);
    look(&shared, move |vmdb| {
        let Some(ems_id) = ems_id(vmdb, query.ems.as_deref())? else {
            return Ok(Err(unknown_manager(query.ems)));
        };
        let filter = InventoryFilter {
            association: association.clone(),
            ems_id,
            with_archived: query.archived,
            q: query.q,
            after,
            limit: Some(limit),
        };
        let objects = vmdb.inventory_list(&filter)?;
        if objects.is_empty()
            && let Some(problem) = unknown_association(vmdb, &association)?
        {
            return Ok(Err(problem));
        }
        // A full page may be followed by another one.
        let last = objects.last().filter(|_| objects.len() == limit);
        let cursor = last.map(|object| object.id.to_string());
        let count = vmdb.inventory_count(&filter)?;
        Ok(Ok(Json(
            json!({"inventory": objects, "count": count, "cursor": cursor}),
        )))
    })
    .await?
}

async fn object(
    State(shared): State<Arc<Shared>>,
    Path((association, id)): Path<(String, String)>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let query = readable(query)?;
    let before = cursor(query.cursor.as_deref())?;
    let limit = page(query.limit);
    look(&shared, move |vmdb| {
        let found = match id.parse() {
            Ok(id) => vmdb.inventory_show(&association, id)?,
            Err(_no_number) => None,
        };
        let Some(found) = found else {
            let missing = Problem::not_found(format!("there is no object `{id}` among the {association}"));
            return Ok(Err(unknown_association(vmdb, &association)?.unwrap_or(missing)));
        };
        let history = vmdb.inventory_explained(found.id, before, limit)?;
        let last = history.last().filter(|_| history.len() == limit);
        let cursor = last.map(|explained| explained.change.id.to_string());
        let family = vmdb.inventory_family(found.id, limit)?;
        let mut shown = json!(found);
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("history".to_owned(), json!(history));
            shown.insert(
                "history_count".to_owned(),
                json!(vmdb.inventory_history_count(found.id)?),
            );
            shown.insert("read_at".to_owned(), json!(vmdb.inventory_read_at(found.id)?));
            shown.insert("parent".to_owned(), json!(family.parent));
            shown.insert("children".to_owned(), json!(family.children));
            shown.insert("children_count".to_owned(), json!(family.count));
            shown.insert("cursor".to_owned(), json!(cursor));
        }
        Ok(Ok(Json(shown)))
    })
    .await?
}

/// What is wrong with the name of an association, if anything: one that nothing was ever in may be mistyped.
fn unknown_association(vmdb: &Vmdb, name: &str) -> Result<Option<Problem>, VmdbError> {
    let mut known = vmdb.inventory_associations()?;
    let related = RELATIONS.iter().flat_map(|relation| relation.associations);
    known.extend(related.map(|association| (*association).to_owned()));
    if known.iter().any(|known| known == name) {
        return Ok(None);
    }
    let help = suggest::did_you_mean(name, known.iter().map(String::as_str));
    let message = format!("the inventory knows no association `{name}`");
    Ok(Some(Problem::not_found(message).help(help)))
}

fn cursor(text: Option<&str>) -> Result<Option<i64>, Problem> {
    let problem = |text| Problem::unreadable(format!("`{text}` is no cursor of an earlier answer"));
    text.map(|text| text.parse().map_err(|_error| problem(text)))
        .transpose()
}
