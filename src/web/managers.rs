//! A manager as people see it: how its catcher fared when the process that serves last wrote it, and its refreshes.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::model::ems::Ems;
use crate::model::json;
use crate::model::json::Value;
use crate::model::json::json;
use crate::vmdb::ManagerRefreshes;
use crate::vmdb::StoredCatcher;
use crate::vmdb::Tally;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::day_of;
use crate::web::Shared;
use crate::web::api::look;
use crate::web::problem::Problem;

/// A process that serves gives a sign of life more often than this.
const SILENT: Duration = Duration::from_secs(90);
/// What a catcher does of which nothing was heard for so long.
const UNKNOWN: &str = "unknown";

/// A manager as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct ManagerDocument {
    #[serde(flatten)]
    pub(crate) ems: Arc<Ems>,
    pub(crate) catcher: Option<CatcherDocument>,
    #[serde(flatten)]
    pub(crate) refreshes: ManagerRefreshes,
    /// The books of the day, in UTC.
    pub(crate) today: Tally,
}

/// Its catcher; none before a process has served.
#[derive(Debug, Serialize)]
pub(crate) struct CatcherDocument {
    pub(crate) wanted: bool,
    pub(crate) stream: Option<String>,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) broke_off: u64,
    pub(crate) seen_at: Timestamp,
    pub(crate) position: Option<json::Value>,
    pub(crate) position_saved_at: Option<Timestamp>,
    /// When its stream last brought something that was not kept before.
    pub(crate) last_kept_at: Option<Timestamp>,
    /// How long ago that was.
    pub(crate) lag_seconds: Option<i64>,
}

impl CatcherDocument {
    fn new(stored: StoredCatcher, now: Timestamp) -> Self {
        let StoredCatcher {
            record,
            seen_at,
            position,
            kept_at,
        } = stored;
        let is_silent = Duration::try_from(now.duration_since(seen_at)).is_ok_and(|passed| SILENT < passed);
        let state = match record.state.as_str() {
            "stopped" => record.state,
            _other if is_silent => UNKNOWN.to_owned(),
            _other => record.state,
        };
        let (position, position_saved_at) = position.unzip();
        let lag = |kept_at: Timestamp| now.duration_since(kept_at).as_secs().max(0);
        Self {
            wanted: record.wanted,
            stream: record.stream,
            state,
            reason: record.reason,
            since: record.since,
            until: record.until,
            broke_off: record.broke_off,
            seen_at,
            position,
            position_saved_at,
            last_kept_at: kept_at,
            lag_seconds: kept_at.filter(|_| record.wanted).map(lag),
        }
    }
}

/// Every manager.
///
/// # Errors
/// When the database cannot be read.
pub(crate) fn managers(vmdb: &Vmdb) -> Result<Vec<ManagerDocument>, VmdbError> {
    let mut catchers = vmdb.catchers()?;
    let mut refreshes = vmdb.manager_refreshes()?;
    let now = vmdb.clock().now();
    let mut today = vmdb.tallies_of(day_of(now))?;
    let listed = vmdb.ems_list()?.into_iter().map(|ems| ManagerDocument {
        catcher: catchers
            .remove(&ems.id)
            .map(|stored| CatcherDocument::new(stored, now)),
        refreshes: refreshes.remove(&ems.id).unwrap_or_default(),
        today: today.remove(&ems.id).unwrap_or_default(),
        ems,
    });
    Ok(listed.collect())
}

/// The route of the catchers.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/api/catchers", get(catchers))
}

/// `GET /api/catchers`: as `ems list --format json`.
async fn catchers(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, Problem> {
    look(&shared, |vmdb| Ok(Json(json!({"catchers": managers(vmdb)?})))).await
}
