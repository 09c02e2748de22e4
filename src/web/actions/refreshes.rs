//! Refreshes that people ask for.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::model::json::Value;
use crate::model::json::json;
use crate::model::target::Target;
use crate::vmdb::RefreshRequest;
use crate::web::Shared;
use crate::web::actions::Doing;
use crate::web::actions::Who;
use crate::web::actions::asked::Asked;
use crate::web::api::unknown_manager;
use crate::web::problem::Problem;

/// The most targets of one request.
const MOST: usize = 1_000;

/// `POST /api/refreshes`: of the `targets` of a manager, or of everything that it has.
pub(crate) async fn ask(State(shared): State<Arc<Shared>>, who: Who, asked: Asked) -> Response {
    let done = queue(&shared, who, &asked).await;
    asked.answer(done)
}

async fn queue(shared: &Arc<Shared>, who: Who, asked: &Asked) -> Result<Value, Problem> {
    asked.only(&["ems", "targets", "full"])?;
    let ems = asked.one("ems").map(ToOwned::to_owned);
    let Some(ems) = ems else {
        return Err(Problem::unreadable("`ems` is missing: the name of a manager"));
    };
    let named = |text: &str| Target::named(text).map_err(|why| format!("`{text}` is no target: {why}"));
    let targets = asked.all("targets").map(named);
    let targets: Vec<Target> = targets.collect::<Result<_, _>>().map_err(Problem::unreadable)?;
    let is_full = match asked.one("full") {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            return Err(Problem::unreadable(format!(
                "`full` is true or false, not `{other}`"
            )));
        }
    };
    if targets.is_empty() != is_full {
        return Err(
            Problem::unreadable("either `targets` or `\"full\": true` is expected")
                .help("targets are named as in vms:i-1"),
        );
    }
    if MOST < targets.len() {
        return Err(Problem::unreadable(format!("more than {MOST} targets"))
            .help("refresh everything with `\"full\": true`"));
    }
    let what = match targets.as_slice() {
        [] => "everything".to_owned(),
        [one] => asked.one("targets").unwrap_or(&one.association).to_owned(),
        many => format!("{} targets", many.len()),
    };
    let doing = Doing {
        who,
        action: "refreshes.ask",
        subject: format!("{ems}: {what}"),
    };
    doing
        .perform(shared, move |_shared, vmdb| {
            let Some(found) = vmdb.ems_by_name(&ems)? else {
                return Err(unknown_manager(Some(ems)));
            };
            let refresh = vmdb.queue_refresh(&RefreshRequest {
                ems_id: found.id,
                targets,
                full: is_full.then(|| "asked for by hand".to_owned()),
            });
            Ok(json!({"refresh": refresh.wait()?}))
        })
        .await
}
