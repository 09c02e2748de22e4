//! Problem: an answer that says no, why, and what to do.

use axum::Json;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use tracing::error;

use crate::catcher::PushError;
use crate::model::json::json;
use crate::vmdb::VmdbError;
use crate::web::refusals::Reason;

/// Seconds until a caller that came too fast should come again.
const SOON: u32 = 1;
/// Seconds until a caller should come again that met a failure.
const LATER: u32 = 5;

/// An answer that says no: `{"error": …, "help": …}`.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    message: String,
    help: String,
    retry_after: Option<u32>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            help: String::new(),
            retry_after: None,
        }
    }

    /// 400: the request cannot be read; nothing of it was taken.
    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 404.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 413.
    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// 415, with what is understood.
    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).help(
            "send application/json, application/cloudevents+json or application/cloudevents-batch+json in UTF-8, \
             without a content encoding",
        )
    }

    /// 429: more than can be kept up with.
    pub(crate) fn busy() -> Self {
        let message = "more events are under way than can be kept up with";
        Self {
            retry_after: Some(SOON),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, message)
        }
    }

    /// 500: something here failed.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        let message = message.into();
        error!(message, "A request failed.");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// What is answered.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it; may be empty.
    pub(crate) fn advice(&self) -> &str {
        &self.help
    }

    /// The same with advice.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// 503: not now.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self {
            retry_after: Some(LATER),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }
}

impl From<VmdbError> for Problem {
    fn from(error: VmdbError) -> Self {
        if let VmdbError::NotFound { .. } = error {
            return Self::not_found(error.to_string());
        }
        if error.is_temporary() {
            return Self::unavailable(error.to_string());
        }
        Self::failed(error.to_string())
    }
}

impl From<PushError> for Problem {
    fn from(error: PushError) -> Self {
        match error {
            PushError::Busy => Self::busy(),
            PushError::Stopped => Self::unavailable(error.to_string()),
            PushError::Vmdb(error) => Self::from(error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let reason = self.message.clone();
        let mut body = json!({"error": self.message});
        if let (false, Some(map)) = (self.help.is_empty(), body.as_object_mut()) {
            map.insert("help".to_owned(), self.help.into());
        }
        let mut response = (self.status, Json(body)).into_response();
        response.extensions_mut().insert(Reason(reason));
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::REQUEST_TIMEOUT {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
