//! How a provider's inventory is collected: what `collect` and `collect_all` of its collector return.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::api_call::ManagerApi;
use crate::model::ems::Ems;
use crate::model::inventory::Collected;
use crate::model::inventory::ObjectKey;
use crate::model::inventory::RefreshScope;
use crate::model::json::json;
use crate::model::target::Target;
use crate::model::target::TargetCollection;
use crate::provider::ParseError;
use crate::provider::Provider;
use crate::script::Document;
use crate::script::Script;
use crate::script::ScriptError;
use crate::script::ScriptHost;

/// What a provider's collector can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collects {
    /// Single objects: it defines `collect(ems, targets)`.
    pub targets: bool,
    /// Everything: it defines `collect_all(ems)`.
    pub everything: bool,
}

impl Provider {
    /// What its `inventory_collector.rhai` can do.
    pub(crate) fn collects(&self) -> Collects {
        let defines = |function, parameters| {
            let script = self.inventory_collector.as_ref();
            script.is_some_and(|script| script.defines(function, parameters))
        };
        Collects {
            targets: defines("collect", 2),
            everything: defines("collect_all", 1),
        }
    }

    /// Collects what is asked for. What comes back is whole: every object that was asked for is there, or the provider
    /// said that it is not.
    ///
    /// # Errors
    /// When the script fails, is stopped, returns a wrong shape or says nothing about what it was asked for.
    pub(crate) fn collect(
        &self,
        host: &ScriptHost,
        ems: &Ems,
        scope: &RefreshScope,
        api: &Arc<dyn ManagerApi>,
    ) -> Result<Collected, ParseError> {
        let (targets, function) = match scope {
            RefreshScope::Full => (None, "collect_all"),
            RefreshScope::Targets(targets) => (Some(targets), "collect"),
        };
        let parameters = 1 + usize::from(targets.is_some());
        let script = self.inventory_collector.as_ref();
        let script = script.filter(|script| script.defines(function, parameters));
        let script = script.ok_or_else(|| ParseError::NoCollector {
            name: self.name.clone(),
            function,
        })?;
        // Where the credentials are is no business of a script, only whether there are any.
        let ems = json!({
            "id": ems.id, "name": ems.name, "type": ems.provider, "url": ems.url,
            "has_credentials": ems.credentials.is_some(),
        });
        let ems = Document::parse(&ems.to_string()).map_err(|error| ParseError::Json(error.to_string()))?;
        let known = self.associations(host, script)?;
        let collection = targets.map(|targets| targets.iter().cloned().collect::<TargetCollection>());
        if let (Some(known), Some(targets)) = (&known, targets) {
            let stranger = targets.iter().find(|target| !known.contains(&target.association));
            if let Some(stranger) = stranger {
                return Err(ParseError::UnknownAssociation(
                    crate::script::unknown_association(&stranger.association, known),
                ));
            }
        }
        let returned = host.call_collector(script, function, &ems, collection, api)?;
        let collected = returned.into_collected(known.as_ref())?;
        if let Some(silent) = targets.and_then(|targets| unanswered(targets, &collected)) {
            let reference = serde_json::to_string(&silent.manager_ref).unwrap_or_default();
            let why = format!(
                "it was asked for {} {reference} and neither returned it nor named it in `not_found`",
                silent.association
            );
            return Err(returned_wrong(script, function, &why).into());
        }
        Ok(collected)
    }

    /// The associations that the collector says it has; none where it does not say.
    fn associations(
        &self,
        host: &ScriptHost,
        script: &Script,
    ) -> Result<Option<BTreeSet<Arc<str>>>, ParseError> {
        if !script.defines("associations", 0) {
            return Ok(None);
        }
        let returned = host.call_with_documents(script, "associations", &[])?;
        Ok(Some(returned.into_names()?))
    }
}

/// The first target about which a collector said nothing.
fn unanswered<'a>(targets: &'a [Target], collected: &Collected) -> Option<&'a Target> {
    let is_answered = |target: &&Target| {
        let collection = collected.collections.get(&target.association);
        if target.manager_ref.is_whole_association() {
            return collection.is_some();
        }
        let key = ObjectKey {
            association: target.association.clone(),
            manager_ref: target.manager_ref.clone(),
        };
        // An object may be asked for by another key than its own, such as its name.
        let is_it = |object: &crate::model::inventory::CollectedObject| {
            object.manager_ref == target.manager_ref
                || target.manager_ref.0.iter().all(|(key, value)| {
                    let found = object.attributes.get(&**key).and_then(|found| found.as_str());
                    found == Some(&**value)
                })
        };
        collection.is_some_and(|objects| objects.iter().any(is_it)) || collected.not_found.contains(&key)
    };
    targets.iter().find(|target| !is_answered(target))
}

fn returned_wrong(script: &Script, function: &'static str, why: &str) -> ScriptError {
    ScriptError::Failed {
        path: script.path().clone(),
        line: 0,
        column: 0,
        message: format!("`{function}`: {why}"),
        is_stopped: false,
    }
}
