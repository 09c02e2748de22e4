//! Reload now.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::model::json::Value;
use crate::model::json::json;
use crate::reload::ReloadOutcome;
use crate::source::Diagnostic;
use crate::web::Shared;
use crate::web::actions::Doing;
use crate::web::actions::Who;
use crate::web::actions::asked::Asked;
use crate::web::problem::Problem;

/// `POST /api/automate/reload`: reads rules, scripts and settings anew. That they are refused is an answer too.
pub(crate) async fn reload(State(shared): State<Arc<Shared>>, who: Who, asked: Asked) -> Response {
    let done = now(&shared, who, &asked).await;
    asked.answer(done)
}

async fn now(shared: &Arc<Shared>, who: Who, asked: &Asked) -> Result<Value, Problem> {
    asked.only(&[])?;
    let doing = Doing {
        who,
        action: "automate.reload",
        subject: "rules, scripts and settings".to_owned(),
    };
    doing
        .perform(shared, |shared, _vmdb| {
            let outcome = shared.services.rules.reload();
            let state = shared.services.rules.reload_state();
            let refused = state.refused.map(|refused| refused.diagnostics);
            let (word, findings) = match (&outcome, refused) {
                (ReloadOutcome::Replaced { .. }, _) => ("replaced", None),
                (ReloadOutcome::Kept { diagnostics }, _) => ("refused", Some(diagnostics.as_slice().into())),
                // What is wrong was found before, and is wrong still.
                (_same, Some(findings)) => ("refused", Some(findings)),
                (_same, None) => ("unchanged", None),
            };
            let in_settings = state.settings_refused.map(|refused| refused.diagnostics);
            let word = if in_settings.is_some() && word == "unchanged" {
                "refused"
            } else {
                word
            };
            let findings = [findings, in_settings.clone()].into_iter().flatten();
            let findings: Vec<Diagnostic> = findings.flat_map(|findings| findings.to_vec()).collect();
            Ok(json!({
                "outcome": word,
                "generation": state.id,
                "settings": if in_settings.is_some() { "refused" } else { "current" },
                "findings": findings,
            }))
        })
        .await
}
