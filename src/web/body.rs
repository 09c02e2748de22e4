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
    // In pieces until the end is there: a body that turns out too long never had a buffer that doubled for it.
    let (mut pieces, mut length): (Vec<Bytes>, usize) = (Vec::new(), 0);
    loop {
        let due = start
            + limits
                .body_time
                .min(limits.body_grace + allowance(length, limits));
        let Ok(frame) = timeout_at(due, body.frame()).await else {
            return Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "the body comes too slowly",
            ));
        };
        let Some(frame) = frame else {
            return Ok(match <[Bytes; 1]>::try_from(pieces) {
                // Most bodies come in one piece, which then is not copied.
                Ok([only]) => only,
                Err(pieces) => Bytes::from(pieces.concat()),
            });
        };
        let frame = frame.map_err(|error| Problem::unreadable(format!("the body was cut off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > longest {
            return Err(too_large());
        }
        if !room.grow(data.len()) {
            return Err(Problem::busy());
        }
        pieces.push(data);
    }
}

/// The time that so many bytes may have taken.
fn allowance(bytes: usize, limits: &Limits) -> std::time::Duration {
    std::time::Duration::from_millis((bytes as u64).saturating_mul(1000) / limits.body_rate.max(1))
}
