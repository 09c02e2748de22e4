//! What one caller may cost: bytes, time, connections.

use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::settings::WebSettings;
use crate::web::problem::Problem;

/// The most bytes of an address, with all that it asks for.
const ADDRESS_BYTES: usize = 8 << 10;

/// Lets a request pass whose address is of a length that people and pages make.
pub(crate) async fn bound_address(request: Request, next: Next) -> Response {
    let uri = request.uri();
    let length = uri.path().len() + uri.query().map_or(0, str::len);
    if length <= ADDRESS_BYTES {
        return next.run(request).await;
    }
    let message = format!("the address has {length} bytes, at most {ADDRESS_BYTES} are read");
    Problem::new(StatusCode::URI_TOO_LONG, message).into_response()
}

/// The limits of the front door.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one event.
    pub event_bytes: usize,
    /// Bytes of a batch.
    pub batch_bytes: usize,
    /// Events of a batch.
    pub batch_events: usize,
    /// Until the head of a request is there, from its first byte on, or from the connection on.
    pub header_time: Duration,
    /// How long a connection may rest between two requests.
    pub idle_time: Duration,
    /// Until the body is there.
    pub body_time: Duration,
    /// How long a body may come slower than [`Limits::body_rate`].
    pub body_grace: Duration,
    /// Bytes a second that a body has to bring.
    pub body_rate: u64,
    /// How long a caller may take nothing of an answer.
    pub stall_time: Duration,
    /// Open connections, of all callers.
    pub connections: usize,
    /// Open connections of one address.
    pub connections_per_address: usize,
    /// Messages that may wait for the handler before senders are asked to come again; each manager has a share.
    pub waiting_messages: u64,
    /// How long requests under way may take once the server stops.
    pub stop_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_bytes: 1 << 20,
            batch_bytes: 8 << 20,
            batch_events: 10_000,
            header_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(60),
            body_time: Duration::from_secs(30),
            body_grace: Duration::from_secs(5),
            body_rate: 1024,
            stall_time: Duration::from_secs(30),
            connections: 512,
            connections_per_address: 64,
            waiting_messages: 100_000,
            stop_time: Duration::from_secs(5),
        }
    }
}

impl From<&WebSettings> for Limits {
    fn from(settings: &WebSettings) -> Self {
        Self {
            event_bytes: settings.max_event_bytes,
            batch_bytes: settings.max_batch_bytes,
            header_time: settings.header_timeout,
            idle_time: settings.idle_timeout,
            body_time: settings.body_timeout,
            connections: settings.max_connections,
            connections_per_address: settings.max_connections_per_address,
            waiting_messages: settings.max_waiting_messages as u64,
            ..Self::default()
        }
    }
}
