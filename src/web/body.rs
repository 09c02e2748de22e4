//! Reads a body within its limits: bytes, time, rate, and the room that all bodies share.

use axum::body::Body;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tokio::time::timeout_at;

use crate::catcher::Room;
use crate::web::limits::Limits;
use crate::web::problem::Problem;

/// The whole body, never more than `longest` bytes.
///
/// # Errors
/// When it is longer, too slow, cut off, or there is no room for it now.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    longest: usize,
    limits: &Limits,
    room: &mut Room,
) -> Result<Bytes, Problem> {
    let too_large = || Problem::too_large(format!("the body is longer than {longest} bytes"));
    // Told before anything is read, so that an honest sender need not send it all.
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    if announced
        .and_then(|text| text.parse::<u64>().ok())
        .is_some_and(|length| length > longest as u64)
    {
        return Err(too_large());
    }
    let start = Instant::now();
    let mut body = body;
    let mut bytes = Vec::new();
    let mut only = None;
    loop {
        let due = start
            + limits
                .body_time
                .min(limits.body_grace + allowance(bytes.len(), limits));
        let Ok(frame) = timeout_at(due, body.frame()).await else {
            return Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "the body comes too slowly",
            ));
        };
        let Some(frame) = frame else {
            return Ok(only.unwrap_or_else(|| Bytes::from(bytes)));
        };
        let frame = frame.map_err(|error| Problem::unreadable(format!("the body was cut off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        let length = bytes.len() + only.as_ref().map_or(0, Bytes::len) + data.len();
        if length > longest {
            return Err(too_large());
        }
        if !room.grow(data.len()) {
            return Err(Problem::busy());
        }
        // Most bodies come in one piece, which then is not copied.
        if bytes.is_empty() && only.is_none() {
            only = Some(data);
        } else {
            if let Some(first) = only.take() {
                bytes.extend_from_slice(&first);
            }
            bytes.extend_from_slice(&data);
        }
    }
}

/// The time that so many bytes may have taken.
fn allowance(bytes: usize, limits: &Limits) -> std::time::Duration {
    std::time::Duration::from_millis((bytes as u64).saturating_mul(1000) / limits.body_rate.max(1))
}
