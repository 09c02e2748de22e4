//! `/healthz` and `/readyz`: whether the process lives, and whether every stage can do its work.

use std::fmt;
use std::sync::Arc;

use axum::Json;
use axum::extract::Request;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::model::json::Map;
use crate::model::json::Value;
use crate::model::json::json;
use crate::web::Shared;

/// The state of one part at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Whether it can do its work.
    pub is_ready: bool,
    /// What there is to tell, an object.
    pub detail: Value,
}

/// Something that `/readyz` looks at.
pub struct Check {
    /// Its name in the answer.
    pub name: &'static str,
    /// Looks.
    pub look: Box<dyn Fn() -> Condition + Send + Sync>,
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Check({})", self.name)
    }
}

/// Whoever answers, lives.
pub(crate) async fn alive() -> Json<Value> {
    Json(json!({"alive": true}))
}

/// 200 where every part can do its work, else 503. Details only for callers that may see them.
pub(crate) async fn ready(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let looked: Vec<(&str, Condition)> = shared
        .services
        .checks
        .iter()
        .map(|check| (check.name, (check.look)()))
        .collect();
    let is_ready = looked.iter().all(|(_, condition)| condition.is_ready);
    let mut answer = Map::new();
    answer.insert("ready".to_owned(), is_ready.into());
    if shared.access.check(request.headers(), request.uri()).is_ok() {
        for (name, condition) in looked {
            let mut detail = json!({"ready": condition.is_ready});
            if let (Some(detail), Value::Object(more)) = (detail.as_object_mut(), condition.detail) {
                detail.extend(more);
            }
            answer.insert(name.to_owned(), detail);
        }
    }
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Value::Object(answer))).into_response()
}
