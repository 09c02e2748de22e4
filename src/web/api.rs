//! `/api`: what the database knows, as JSON.

use std::sync::Arc;

use axum::Router;

use crate::web::Shared;

/// The routes of the API.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
}
