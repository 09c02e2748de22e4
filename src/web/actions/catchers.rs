//! Catchers: stopped, started, and tried at once where they wait.

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use crate::model::json::Value;
use crate::model::json::json;
use crate::vmdb::VmdbError;
use crate::web::Shared;
use crate::web::actions::Doing;
use crate::web::actions::Who;
use crate::web::actions::asked::Asked;
use crate::web::problem::Problem;

/// `POST /api/catchers/{ems}/stop`: the manager is disabled, and its stream stays where it is.
pub(crate) async fn stop(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(ems): Path<String>,
    asked: Asked,
) -> Response {
    let done = enable(&shared, who, ems, &asked, false).await;
    asked.answer(done)
}

/// `POST /api/catchers/{ems}/start`: its stream goes on from where it was.
pub(crate) async fn start(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(ems): Path<String>,
    asked: Asked,
) -> Response {
    let done = enable(&shared, who, ems, &asked, true).await;
    asked.answer(done)
}

async fn enable(
    shared: &Arc<Shared>,
    who: Who,
    ems: String,
    asked: &Asked,
    enabled: bool,
) -> Result<Value, Problem> {
    asked.only(&[])?;
    let doing = Doing {
        who,
        action: if enabled {
            "catchers.start"
        } else {
            "catchers.stop"
        },
        subject: ems.clone(),
    };
    doing
        .perform(shared, move |_shared, vmdb| {
            let changed = vmdb.ems_enable(&ems, enabled).wait()?;
            Ok(json!({"ems": changed.name, "enabled": changed.enabled}))
        })
        .await
}

/// `POST /api/catchers/{ems}/try`: a stream that broke off is opened again now.
pub(crate) async fn try_now(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(ems): Path<String>,
    asked: Asked,
) -> Response {
    let done = nudge(&shared, who, ems, &asked).await;
    asked.answer(done)
}

async fn nudge(shared: &Arc<Shared>, who: Who, ems: String, asked: &Asked) -> Result<Value, Problem> {
    asked.only(&[])?;
    let doing = Doing {
        who,
        action: "catchers.try",
        subject: ems.clone(),
    };
    doing
        .perform(shared, move |shared, vmdb| {
            let Some(found) = vmdb.ems_by_name(&ems)? else {
                return Err(Problem::from(VmdbError::NotFound {
                    what: "manager",
                    name: ems,
                }));
            };
            let was_waiting = shared.services.nudges.nudge(found.id);
            Ok(json!({"ems": found.name, "tried": was_waiting}))
        })
        .await
}
