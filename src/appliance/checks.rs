//! What `/readyz` looks at, one check a stage.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::catcher::Catcher;
use crate::catcher::CatcherStatuses;
use crate::handler::Handler;
use crate::handler::Outbox;
use crate::model::json::Value;
use crate::model::json::json;
use crate::refresh::Refresher;
use crate::reload::Refusal;
use crate::reload::ReloadState;
use crate::vmdb::Vmdb;
use crate::web::Check;
use crate::web::Condition;

/// Which rules are in force. Always ready: whatever is wrong on disk, there are rules that decide.
pub(crate) fn rules(state: watch::Receiver<ReloadState>) -> Check {
    let look = move || {
        let state = state.borrow();
        let detail = json!({
            "state": if state.refused.is_some() { "kept" } else { "current" },
            "generation": state.id,
            "since": state.since,
            "files": state.files,
            "left_out": state.left_out,
            "refused": refusal(state.refused.as_ref()),
            "settings_refused": refusal(state.settings_refused.as_ref()),
            "settings_left_out": state.settings_left_out,
            "settings_after_restart": state.settings_waiting,
            "problem": state.problem,
        });
        Condition {
            is_ready: true,
            detail,
        }
    };
    Check {
        name: "rules",
        look: Box::new(look),
    }
}

fn refusal(refusal: Option<&Refusal>) -> Value {
    refusal.map_or(
        Value::Null,
        |refusal| json!({"since": refusal.since, "errors": refusal.diagnostics}),
    )
}

/// Whether the database takes what it is given.
pub(crate) fn database(vmdb: &Vmdb) -> Check {
    let vmdb = vmdb.clone();
    let look = move || {
        let health = vmdb.health();
        let disk = vmdb.disk();
        let mut detail = json!({
            "waiting_messages": vmdb.waiting(),
            "free_bytes": disk.free,
            "log_bytes": disk.log,
        });
        if let Some(detail) = detail.as_object_mut() {
            if let Err(error) = &health {
                detail.insert("error".to_owned(), error.to_string().into());
            }
            // It works as long as there is any room, so this is no reason to be taken out of service.
            if disk.is_low {
                let warning = format!(
                    "little room is left on the disk: {} MiB of {} MiB",
                    disk.free >> 20,
                    disk.total >> 20
                );
                detail.insert("warning".to_owned(), warning.into());
            }
        }
        Condition {
            is_ready: health.is_ok(),
            detail,
        }
    };
    Check {
        name: "database",
        look: Box::new(look),
    }
}

/// Whether each thread of the handler lives and gets on.
pub(crate) fn handler(handler: &Handler) -> Check {
    let status = handler.status();
    let look = move || {
        let threads = status();
        Condition {
            is_ready: threads.iter().all(|thread| thread.alive && !thread.stuck),
            detail: json!({"threads": threads}),
        }
    };
    Check {
        name: "handler",
        look: Box::new(look),
    }
}

/// Whether the catcher's threads live, and how the catcher of each manager fares. A provider that is down is no
/// reason to take this place out of service: the others go on.
pub(crate) fn catcher(catcher: &Catcher, statuses: watch::Receiver<CatcherStatuses>) -> Check {
    let is_running = catcher.is_running();
    let look = move || {
        let statuses = statuses.borrow();
        let by_name: BTreeMap<_, _> = statuses.values().map(|status| (&*status.ems, status)).collect();
        Condition {
            is_ready: is_running(),
            detail: json!({"managers": by_name}),
        }
    };
    Check {
        name: "catcher",
        look: Box::new(look),
    }
}

/// Whether the threads that send outside effects live. A receiver that is down is no reason to take this place out of
/// service.
pub(crate) fn outbox(outbox: &Outbox) -> Check {
    let under_way = outbox.under_way();
    let look = move || {
        let under_way = under_way();
        Condition {
            is_ready: under_way.is_some(),
            detail: json!({"under_way": under_way}),
        }
    };
    Check {
        name: "outbox",
        look: Box::new(look),
    }
}

/// Whether the threads that refresh live, and when each manager was refreshed. One that does not answer is no reason
/// to take this place out of service.
pub(crate) fn refresh(refresher: &Refresher, vmdb: &Vmdb) -> Check {
    let (is_running, vmdb) = (refresher.is_running(), vmdb.clone());
    let look = move || {
        let names = vmdb.ems_list().unwrap_or_default();
        let mut refreshes = vmdb.manager_refreshes().unwrap_or_default();
        let by_name: BTreeMap<String, _> = names
            .iter()
            .filter_map(|ems| Some((ems.name.to_string(), refreshes.remove(&ems.id)?)))
            .collect();
        Condition {
            is_ready: is_running(),
            detail: json!({"managers": by_name}),
        }
    };
    Check {
        name: "refresh",
        look: Box::new(look),
    }
}
