//! `/api`: what the database knows, as JSON.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::model::event::EventId;
use crate::model::event_group::EventLevel;
use crate::model::event_outcome::EventOutcome;
use crate::model::json::Value;
use crate::model::json::json;
use crate::model::written_time;
use crate::vmdb::EventCursor;
use crate::vmdb::EventFilter;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::web::Shared;
use crate::web::automate;
use crate::web::event_document::Shown;
use crate::web::event_document::listed;
use crate::web::event_story::EventStory;
use crate::web::history;
use crate::web::inventory;
use crate::web::live;
use crate::web::managers;
use crate::web::problem::Problem;
use crate::web::today;
use crate::web::work;

/// How many rows a page has unless told otherwise, and at most.
const PAGE: usize = 50;
const LONGEST_PAGE: usize = 1000;
/// The most bytes of a text that is searched for.
const LONGEST_SEARCH: usize = 200;

/// The routes of the API.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/event_streams", get(event_streams))
        .route("/api/event_streams/{id}", get(event_stream))
        .route("/api/event_streams/{id}/simulation", get(simulation))
        .route("/api/event_streams/live", get(live::live))
        .merge(inventory::routes())
        .merge(work::routes())
        .merge(managers::routes())
        .merge(automate::routes())
        .merge(history::routes())
}

/// What a list may be narrowed by; each list reads what it knows.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventQuery {
    ems: Option<String>,
    event_type: Option<String>,
    group: Option<String>,
    level: Option<String>,
    outcome: Option<String>,
    q: Option<String>,
    target: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

async fn event_streams(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<EventQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let query = readable(query)?;
    let level = match query.level.as_deref() {
        None => None,
        Some(word) => Some(level(word)?),
    };
    let outcome: Option<EventOutcome> = word(query.outcome.as_deref())?;
    searched_for(query.q.as_deref())?;
    let limit = page(query.limit);
    let before: Option<EventCursor> = word(query.cursor.as_deref())?;
    let target = query.target.as_deref().map(EventFilter::target_of);
    let target = target.transpose().map_err(Problem::unreadable)?;
    let (from, to) = (moment(query.from.as_deref())?, moment(query.to.as_deref())?);
    look(&shared, move |vmdb| {
        let Some(ems_id) = ems_id(vmdb, query.ems.as_deref())? else {
            return Ok(Err(unknown_manager(query.ems)));
        };
        let filter = EventFilter {
            ems_id,
            event_type: query.event_type,
            group: query.group,
            level,
            outcome,
            q: query.q,
            target,
            from,
            to,
            before,
            limit: Some(limit),
        };
        if !before.is_none_or(|cursor| filter.goes_on_from(&cursor)) {
            let help = "keep `from` and `to` as they were, or leave the cursor out";
            return Ok(Err(
                Problem::unreadable("the cursor is of another list").help(help)
            ));
        }
        let events = vmdb.events_list(&filter)?;
        // A full page may be followed by another one.
        let last = events.last().filter(|_| events.len() == limit);
        let cursor = last
            .and_then(|stored| filter.cursor(stored))
            .map(|cursor| cursor.to_string());
        let events: Vec<Value> = events
            .iter()
            .map(|stored| Value::Object(listed(stored)))
            .collect();
        let total = vmdb.events_total(&filter)?;
        Ok(Ok(Json(
            json!({"event_streams": events, "total": total, "cursor": cursor}),
        )))
    })
    .await?
}

async fn event_stream(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found(format!("there is no event `{id}`"));
    let number = EventId(id.parse().map_err(|_error| missing())?);
    // Written here as text, so that `full_data` stays as it came.
    let text = look(&shared, move |vmdb| {
        let story = EventStory::load(vmdb, number)?;
        Ok(story.map(|story| serde_json::to_string(&Shown::with(&story.shown, story.more()))))
    })
    .await?;
    let text = text.ok_or_else(missing)?;
    let text = text.map_err(|error| Problem::failed(format!("cannot show event `{id}`: {error}")))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// What the rules of today would make of it: the document of `simulate`.
async fn simulation(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let missing = || Problem::not_found(format!("there is no event `{id}`"));
    let number = EventId(id.parse().map_err(|_error| missing())?);
    let rules = shared.services.rules.clone();
    let document = look(&shared, move |vmdb| {
        let shown = vmdb.event_show(number)?;
        Ok(shown.map(|shown| today::document(&shown, &*rules)))
    })
    .await?;
    Ok(Json(document.ok_or_else(missing)?))
}

/// Looks into the database on a thread that may block.
pub(crate) async fn look<T: Send + 'static>(
    shared: &Shared,
    work: impl FnOnce(&Vmdb) -> Result<T, VmdbError> + Send + 'static,
) -> Result<T, Problem> {
    let vmdb = shared.services.vmdb.clone();
    let looked = tokio::task::spawn_blocking(move || work(&vmdb)).await;
    let looked = looked.map_err(|error| Problem::failed(format!("cannot look: {error}")))?;
    Ok(looked?)
}

/// The manager to narrow by: no name is none, an unknown name is no answer.
pub(crate) fn ems_id(vmdb: &Vmdb, name: Option<&str>) -> Result<Option<Option<EmsId>>, VmdbError> {
    match name {
        None => Ok(Some(None)),
        Some(name) => Ok(vmdb.ems_by_name(name)?.map(|ems| Some(ems.id))),
    }
}

pub(crate) fn unknown_manager(name: Option<String>) -> Problem {
    Problem::unreadable(format!("there is no manager `{}`", name.unwrap_or_default()))
}

pub(crate) fn readable<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    query
        .map(|Query(query)| query)
        .map_err(|rejection| Problem::unreadable(rejection.body_text()))
}

pub(crate) fn word<T: FromStr<Err = String>>(text: Option<&str>) -> Result<Option<T>, Problem> {
    text.map(str::parse).transpose().map_err(Problem::unreadable)
}

pub(crate) fn level(word: &str) -> Result<EventLevel, Problem> {
    let levels = [EventLevel::Critical, EventLevel::Warning, EventLevel::Detail];
    let found = levels.into_iter().find(|level| level.as_str() == word);
    found.ok_or_else(|| {
        Problem::unreadable(format!(
            "`{word}` is no level; critical, warning or detail is expected"
        ))
    })
}

/// Lets a text be searched for that may be part of a name.
pub(crate) fn searched_for(text: Option<&str>) -> Result<(), Problem> {
    match text.is_some_and(|text| LONGEST_SEARCH < text.len()) {
        true => Err(Problem::unreadable(format!(
            "`q` is longer than {LONGEST_SEARCH} bytes"
        ))),
        false => Ok(()),
    }
}

pub(crate) fn moment(text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let problem = |text| Problem::unreadable(format!("`{text}` is no time as in RFC 3339"));
    text.map(|text| written_time::rfc3339(text).ok_or_else(|| problem(text)))
        .transpose()
}

pub(crate) fn page(limit: Option<usize>) -> usize {
    limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE)
}
