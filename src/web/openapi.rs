//! `/api/openapi.json`: the API described, for people and programs that call it.

use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;

/// The description; a test compares its paths with the routes.
const DESCRIPTION: &str = include_str!("assets/openapi.json");

/// `GET /api/openapi.json`.
pub(crate) async fn show() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION).into_response()
}
