//! Embedded methods: their texts come before the text that embeds them (reference 6.5).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::automate::datastore::Body;
use crate::automate::datastore::Method;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::workspace::Workspace;
use crate::script::Script;

impl Workspace {
    /// The script with what it embeds before it (6.5): each text once, circles are harmless.
    pub(crate) fn with_embedded(&self, script: &Script, method: &Arc<Method>) -> Ae<Script> {
        if method.embedded.is_empty() {
            return Ok(script.clone());
        }
        let mut seen = BTreeSet::new();
        let mut scripts = Vec::new();
        for path in &method.embedded {
            self.embed(path, method, &mut seen, &mut scripts)?;
        }
        Ok(scripts
            .into_iter()
            .rev()
            .fold(script.clone(), |script, earlier| script.after(&earlier)))
    }

    pub(crate) fn embed(
        &self,
        path: &str,
        top: &Arc<Method>,
        seen: &mut BTreeSet<String>,
        scripts: &mut Vec<Script>,
    ) -> Ae<()> {
        if !seen.insert(path.to_lowercase()) {
            return Ok(());
        }
        let not_found = || {
            AeError::engine(
                "MethodNotFound",
                format!(
                    "`{}` embeds `{path}`, which does not exist; /Namespace/Class/method is expected, in the same letter case",
                    top.name
                ),
            )
        };
        let (class, name) = path.trim_matches('/').rsplit_once('/').ok_or_else(not_found)?;
        let key = class.to_lowercase();
        let found = self
            .env
            .datastore
            .search_method(&key, &name.to_lowercase())
            .or_else(|| self.env.datastore.class(&key));
        let method = found
            .and_then(|class| class.method(&name.to_lowercase()))
            .filter(|method| *method.name == *name)
            .ok_or_else(not_found)?;
        if Arc::ptr_eq(method, top) {
            return Ok(());
        }
        if let Body::Script(script) = &method.body {
            scripts.push(script.clone());
        }
        method
            .embedded
            .iter()
            .try_for_each(|inner| self.embed(inner, top, seen, scripts))
    }
}
