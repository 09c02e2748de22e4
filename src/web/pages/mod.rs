//! The pages, drawn here: a browser shows them without a script. One folder or file a page.

mod forms;
mod keys;
mod operations;
pub(crate) mod problem;
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
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;

use crate::web::Shared;

/// Bytes of what a form sends.
const MOST_OF_A_FORM: usize = 8 << 10;

/// The pages and where they are.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(timeline::show))
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

/// Where the page of an object is.
pub(crate) fn resource_link(association: &str, reference: &str, ems: Option<&str>) -> String {
    let part = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let ems = ems.map(|ems| format!("?ems={}", part(ems))).unwrap_or_default();
    format!("/resources/{}/{}{ems}", part(association), part(reference))
}
