//! What people may have the program do: each is asked for by the API or by a form of a page, and kept in the audit log.

mod asked;
mod catchers;
mod queue;
mod refreshes;
mod rules;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::routing::post;
use tracing::warn;

use crate::vmdb::Deed;
use crate::vmdb::Vmdb;
use crate::web::Shared;
use crate::web::access::Caller;
use crate::web::problem::Problem;

/// The most characters of a subject or a result that the audit log keeps.
const KEPT: usize = 300;

/// The routes of all actions.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/queue/retry", post(queue::retry_all))
        .route("/api/queue/{id}/retry", post(queue::retry))
        .route("/api/queue/{id}/discard", post(queue::discard))
        .route("/api/refreshes", post(refreshes::ask))
        .route("/api/automate/reload", post(rules::reload))
        .route("/api/catchers/{ems}/stop", post(catchers::stop))
        .route("/api/catchers/{ems}/start", post(catchers::start))
        .route("/api/catchers/{ems}/try", post(catchers::try_now))
}

/// As what a caller was let in, in the word of the audit log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who(&'static str);

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(match parts.extensions.get::<Caller>() {
            Some(Caller::Token) => "token",
            Some(Caller::Session) => "session",
            Some(Caller::ThisMachine) => "loopback",
            Some(Caller::Signer) | None => "nobody",
        }))
    }
}

/// Something that somebody does.
pub(crate) struct Doing {
    /// As what the doer was let in.
    pub(crate) who: Who,
    /// What is done.
    pub(crate) action: &'static str,
    /// What it is done to.
    pub(crate) subject: String,
}

impl Doing {
    /// Does it on a thread that may block, and keeps in the audit log what came of it.
    pub(crate) async fn perform<T: Send + 'static>(
        self,
        shared: &Arc<Shared>,
        work: impl FnOnce(&Shared, &Vmdb) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let shared = shared.clone();
        let done = tokio::task::spawn_blocking(move || {
            let vmdb = &shared.services.vmdb;
            let done = work(&shared, vmdb);
            let deed = Deed {
                who: self.who.0,
                action: self.action,
                subject: cut(&self.subject),
                result: done
                    .as_ref()
                    .map_or_else(|problem| cut(problem.message()), |_done| "done".to_owned()),
            };
            if let Err(error) = vmdb.audit_log_add(deed).wait() {
                warn!(%error, action = self.action, subject = self.subject, "The audit log misses a deed.");
            }
            done
        });
        done.await
            .map_err(|error| Problem::failed(format!("it broke off: {error}")))?
    }
}

fn cut(text: &str) -> String {
    text.chars().take(KEPT).collect()
}
