//! The HTTP API: objects and events to read, commands and faults to give.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::Request;
use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use axum::routing::put;
use hyper::body::Frame;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::Change;
use super::Faults;
use super::Kind;
use super::Shared;
use super::faults::Fault;

/// How many objects or events a page has at most.
const PAGE: usize = 100;

/// What a cloud answers to. Commands and faults work whatever goes wrong with the rest.
pub(crate) fn routes(state: Shared) -> Router {
    Router::new()
        .route("/events", get(events))
        .route("/{collection}", get(collection))
        .route("/{collection}/{id}", get(object))
        .layer(middleware::from_fn_with_state(state.clone(), misbehave))
        .route("/commands", post(command))
        .route("/rate", put(rate))
        .route("/faults", put(faults))
        .route("/calls", get(calls))
        .with_state(state)
}

/// Counts a request, looks at who asks, and does with it what the faults say.
async fn misbehave(Extract(state): Extract<Shared>, request: Request, next: Next) -> Response {
    let (fault, delay, is_allowed) = {
        let mut state = state.lock();
        *state.calls.entry(route(&request)).or_default() += 1;
        let is_allowed = is_allowed(request.headers(), state.token.as_deref());
        let faults = state.faults.clone();
        (faults.one(&mut state.chance), faults.delay_ms, is_allowed)
    };
    if 0 < delay {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    if !is_allowed {
        return refusal(StatusCode::UNAUTHORIZED, "this token is not, or no longer, good");
    }
    match fault {
        None => next.run(request).await,
        Some(Fault::Error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "an error on request"),
        Some(Fault::Busy) => {
            let answer = refusal(StatusCode::TOO_MANY_REQUESTS, "too many requests, on request");
            ([(header::RETRY_AFTER, "1")], answer).into_response()
        }
        Some(Fault::Half) => half(next.run(request).await).await,
    }
}

/// `GET /vms/{id}`, so that requests about one object count together.
fn route(request: &Request) -> String {
    let mut parts = request.uri().path().split('/').skip(1);
    let collection = parts.next().unwrap_or_default();
    let id = if parts.next().is_some() { "/{id}" } else { "" };
    format!("{} /{collection}{id}", request.method())
}

fn is_allowed(headers: &HeaderMap, token: Option<&str>) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    token.is_none_or(|token| given.and_then(|given| given.strip_prefix("Bearer ")) == Some(token))
}

fn refusal(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}

/// The head says how long the answer is; half of it comes.
async fn half(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.insert(header::CONTENT_LENGTH, whole.len().into());
    let half = Half::Unsent(whole.slice(..whole.len() / 2));
    Response::from_parts(parts, Body::new(half))
}

/// A body that ends too early.
enum Half {
    Unsent(Bytes),
    /// Waits once, so that what was said before is on its way.
    Sent,
    Over,
}

impl hyper::body::Body for Half {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match std::mem::replace(&mut *self, Self::Over) {
            Self::Unsent(half) => {
                *self = Self::Sent;
                Poll::Ready(Some(Ok(Frame::data(half))))
            }
            Self::Sent => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Self::Over => Poll::Ready(Some(Err(std::io::Error::other("on request")))),
        }
    }
}

#[derive(Deserialize)]
struct EventsQuery {
    #[serde(default)]
    since: usize,
    limit: Option<usize>,
}

async fn events(Extract(state): Extract<Shared>, Query(query): Query<EventsQuery>) -> Json<Value> {
    let state = state.lock();
    let (page, cursor, more) = state
        .log
        .page(query.since, query.limit.unwrap_or(PAGE).clamp(1, PAGE));
    Json(json!({ "events": page, "cursor": cursor, "more": more }))
}

#[derive(Deserialize)]
struct PageQuery {
    /// The id after which the page begins.
    after: Option<String>,
    limit: Option<usize>,
}

async fn collection(
    Extract(state): Extract<Shared>,
    Path(name): Path<String>,
    Query(query): Query<PageQuery>,
) -> Response {
    let Some(kind) = kind(&name) else {
        return refusal(StatusCode::NOT_FOUND, "there is no such collection");
    };
    let state = state.lock();
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let is_after = |id: &str| query.after.as_deref().is_none_or(|after| after < id);
    let mut rest = state.objects.of(kind).filter(|(id, _)| is_after(id));
    let page: Vec<(&String, &Value)> = rest.by_ref().take(limit).collect();
    let next = rest.next().and_then(|_| page.last()).map(|(id, _)| id);
    let items: Vec<&Value> = page.iter().map(|(_, object)| *object).collect();
    Json(json!({ "items": items, "next": next })).into_response()
}

async fn object(Extract(state): Extract<Shared>, Path((name, id)): Path<(String, String)>) -> Response {
    let state = state.lock();
    let found = kind(&name).and_then(|kind| state.objects.get(kind, &id));
    match found {
        Some(object) => Json(object.clone()).into_response(),
        None => refusal(StatusCode::NOT_FOUND, "there is no such object"),
    }
}

fn kind(collection: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.collection() == collection)
}

async fn command(Extract(state): Extract<Shared>, Json(change): Json<Change>) -> Response {
    match state.lock().change(&change) {
        Ok(object) => Json(object).into_response(),
        Err(why) => refusal(StatusCode::CONFLICT, &why),
    }
}

#[derive(Deserialize)]
struct Rate {
    per_second: f64,
}

async fn rate(Extract(state): Extract<Shared>, Json(rate): Json<Rate>) -> Result<(), Infallible> {
    state.lock().rate = rate.per_second;
    Ok(())
}

async fn faults(Extract(state): Extract<Shared>, Json(faults): Json<Faults>) -> Json<Faults> {
    state.lock().faults = faults.clone();
    Json(faults)
}

async fn calls(Extract(state): Extract<Shared>) -> Json<BTreeMap<String, u64>> {
    Json(state.lock().calls.clone())
}
