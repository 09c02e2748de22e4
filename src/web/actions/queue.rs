//! Messages and effects that failed: tried again, or taken off for good.

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use crate::model::json::Value;
use crate::model::json::json;
use crate::vmdb::MessageId;
use crate::vmdb::MessageKind;
use crate::vmdb::MessageState;
use crate::vmdb::QueueFilter;
use crate::web::Shared;
use crate::web::actions::Doing;
use crate::web::actions::Who;
use crate::web::actions::asked::Asked;
use crate::web::api::ems_id;
use crate::web::api::unknown_manager;
use crate::web::api::word;
use crate::web::problem::Problem;

/// `POST /api/queue/{id}/retry`.
pub(crate) async fn retry(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(id): Path<String>,
    asked: Asked,
) -> Response {
    let done = one(&shared, who, "queue.retry", &id, &asked).await;
    asked.answer(done)
}

/// `POST /api/queue/{id}/discard`.
pub(crate) async fn discard(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(id): Path<String>,
    asked: Asked,
) -> Response {
    let done = one(&shared, who, "queue.discard", &id, &asked).await;
    asked.answer(done)
}

async fn one(
    shared: &Arc<Shared>,
    who: Who,
    action: &'static str,
    id: &str,
    asked: &Asked,
) -> Result<Value, Problem> {
    asked.only(&[])?;
    let missing = || Problem::not_found(format!("there is no message `{id}`"));
    let number = MessageId(id.parse().map_err(|_error| missing())?);
    let doing = Doing {
        who,
        action,
        subject: format!("message {number}"),
    };
    doing
        .perform(shared, move |_shared, vmdb| {
            if action == "queue.retry" {
                vmdb.queue_retry(number).wait()?;
                return Ok(json!({"retried": 1}));
            }
            vmdb.queue_discard(number).wait()?;
            Ok(json!({"discarded": 1}))
        })
        .await
}

/// `POST /api/queue/retry`: every message in a state, which may be narrowed to a manager and a kind.
pub(crate) async fn retry_all(State(shared): State<Arc<Shared>>, who: Who, asked: Asked) -> Response {
    let done = all(&shared, who, &asked).await;
    asked.answer(done)
}

async fn all(shared: &Arc<Shared>, who: Who, asked: &Asked) -> Result<Value, Problem> {
    asked.only(&["state", "ems", "kind"])?;
    let states: Vec<MessageState> = asked
        .all("state")
        .map(|text| text.parse().map_err(Problem::unreadable))
        .collect::<Result<_, _>>()?;
    if states.is_empty() {
        let message = "`state` is missing: what is to be tried again?";
        return Err(Problem::unreadable(message).help("dead, parked or waiting"));
    }
    let kind: Option<MessageKind> = word(asked.one("kind"))?;
    let ems = asked.one("ems").map(ToOwned::to_owned);
    let words = states.iter().map(|state| state.as_str());
    let words = words.chain(kind.map(MessageKind::as_str)).chain(ems.as_deref());
    let doing = Doing {
        who,
        action: "queue.retry",
        subject: format!("every message: {}", words.collect::<Vec<_>>().join(", ")),
    };
    doing
        .perform(shared, move |_shared, vmdb| {
            let Some(ems_id) = ems_id(vmdb, ems.as_deref())? else {
                return Err(unknown_manager(ems));
            };
            let mut retried = 0;
            for state in states {
                let filter = QueueFilter {
                    ems_id,
                    state: Some(state),
                    kind,
                    ..QueueFilter::default()
                };
                retried += vmdb.queue_retry_matching(&filter).wait()?;
            }
            Ok(json!({"retried": retried}))
        })
        .await
}
