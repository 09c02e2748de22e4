//! `POST /events/{ems}`: the front door for events. 202 once the disk has them, else the reason and nothing taken.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::Path;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::crash_point::crash_point;
use crate::model::ems::Ems;
use crate::model::event::NativeEvent;
use crate::source::suggest;
use crate::transport;
use crate::transport::Form;
use crate::transport::Malformed;
use crate::web::Shared;
use crate::web::body;
use crate::web::limits::Limits;
use crate::web::problem::Problem;
use crate::web::signature::Secrets;

/// Takes the events of one request, all or none.
pub(crate) async fn post(
    State(shared): State<Arc<Shared>>,
    Extension(secrets): Extension<Secrets>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let ems = manager(&shared, &name)?;
    let services = &shared.services;
    // Before the body is read: it could not be kept.
    services.vmdb.health()?;
    let limit = shared.limits.waiting_messages;
    if services.vmdb.room() == 0 || !services.vmdb.has_room(ems.id, limit)? {
        return Err(Problem::busy());
    }
    let (parts, body) = request.into_parts();
    let form =
        Form::of(&parts.headers).map_err(|unsupported| Problem::unsupported(unsupported.to_string()))?;
    let longest = match form.is_single() {
        true => shared.limits.event_bytes,
        false => shared.limits.batch_bytes,
    };
    let mut room = services.push.room();
    let body = body::read(&parts.headers, body, longest, &shared.limits, &mut room).await?;
    crash_point!("intake.received");
    // Over the bytes as they came, before anything looks into them.
    secrets.check(&ems.name, &parts.headers, &body, services.clock.now())?;
    let messages = messages(form, &parts.headers, &body, &shared.limits)?;
    crash_point!("intake.parsed");
    let receipt = services
        .push
        .push(ems, messages, services.clock.now(), room)
        .await?;
    crash_point!("intake.after_commit");
    let response = (StatusCode::ACCEPTED, Json(receipt.counts())).into_response();
    #[cfg(feature = "crash-points")]
    let response = crate::web::half_sent::half_sent(response);
    Ok(response)
}

/// The handshake of a web hook: yes only to origins that the settings name (CloudEvents web hook 4).
pub(crate) async fn handshake(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let origin = headers.get("webhook-request-origin");
    let is_allowed = |origin: &&HeaderValue| {
        shared
            .webhook_origins
            .iter()
            .any(|known| *origin == known.as_str())
    };
    match origin.filter(is_allowed) {
        Some(origin) => {
            let mut response = StatusCode::OK.into_response();
            let headers = response.headers_mut();
            headers.insert(header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
            headers.insert("webhook-allowed-origin", origin.clone());
            headers.insert("webhook-allowed-rate", HeaderValue::from_static("*"));
            response
        }
        None => {
            let message = "this origin may not register this place as a web hook";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, message).into_response()
        }
    }
}

fn manager(shared: &Shared, name: &str) -> Result<Arc<Ems>, Problem> {
    if let Some(ems) = shared.services.vmdb.ems_by_name(name)? {
        return Ok(ems);
    }
    let known = shared.services.vmdb.ems_list()?;
    let help = match suggest::did_you_mean(name, known.iter().map(|ems| &*ems.name)) {
        help if help.is_empty() => format!("add it: switchboard ems add {name} --type PROVIDER"),
        help => help,
    };
    Err(Problem::not_found(format!("there is no manager `{name}`")).help(help))
}

fn messages(
    form: Form,
    headers: &HeaderMap,
    body: &[u8],
    limits: &Limits,
) -> Result<Vec<NativeEvent>, Problem> {
    let read = transport::messages(form, headers, body, limits.batch_events);
    let messages = read.map_err(|malformed| match malformed {
        Malformed::TooMany { .. } => {
            Problem::too_large(malformed.to_string()).help("send them in several requests")
        }
        other => Problem::unreadable(other.to_string()).help("nothing of the request was taken"),
    })?;
    match messages
        .iter()
        .position(|message| message.body.len() > limits.event_bytes)
    {
        None => Ok(messages),
        Some(index) => {
            let message = format!("event {} is longer than {} bytes", index + 1, limits.event_bytes);
            Err(Problem::too_large(message))
        }
    }
}
