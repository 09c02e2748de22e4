//! The pages, drawn here: a browser shows them without a script. One folder or file a page.

mod changes;
mod event;
mod forms;
mod inventory;
mod keys;
mod links;
mod manager;
mod operations;
pub(crate) mod problem;
mod resource;
mod rules;
pub(crate) mod shell;
pub(crate) mod sign_in;
mod spark;
pub(crate) mod timeline;
pub(crate) mod visitor;
pub(crate) mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use axum::routing::post;

use crate::web::Shared;

/// Bytes of what a form sends.
const MOST_OF_A_FORM: usize = 8 << 10;

/// The pages and where they are.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    // An event's place by the name that the intake has for what stands there: one place has one name.
    Router::new()
        .route("/", get(timeline::show))
        .route("/events/{ems}", get(event::page))
        .route("/inventory", get(inventory::page))
        .route("/managers/{name}", get(manager::page))
        .route("/resources/{association}/{reference}", get(resource::page))
        .merge(rules::routes())
        .merge(operations::routes())
}

/// What is there for those who are not let in yet.
pub(crate) fn open_routes() -> Router<Arc<Shared>> {
    Router::new()
        .route(sign_in::PATH, get(sign_in::show).post(sign_in::begin))
        .route("/sign-out", post(sign_in::end))
        .layer(DefaultBodyLimit::max(MOST_OF_A_FORM))
}
