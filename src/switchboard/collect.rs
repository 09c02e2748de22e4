//! What the rules in force say about collecting inventory: which providers can, and how. Pure but for the manager's
//! API, which is lent to the script.

use std::sync::Arc;

use crate::model::api_call::ManagerApi;
use crate::model::ems::Ems;
use crate::model::inventory::Collected;
use crate::model::inventory::RefreshScope;
use crate::provider::Collects;
use crate::provider::ParseError;
use crate::switchboard::Switchboard;

impl Switchboard {
    /// What this provider's collector can do.
    pub fn collects(&self, provider: &str) -> Collects {
        let provider = self.providers.get(provider);
        provider.map(|provider| provider.collects()).unwrap_or_default()
    }

    /// Collects what is asked for of a manager, through its API. Blocks as long as that takes.
    ///
    /// # Errors
    /// When the provider does not collect, or its script fails, is stopped, or returns something that is not whole:
    /// nothing of it counts then.
    pub fn collect(
        &self,
        ems: &Ems,
        scope: &RefreshScope,
        api: &Arc<dyn ManagerApi>,
    ) -> Result<Collected, ParseError> {
        self.provider(&ems.provider)?.collect(&self.host, ems, scope, api)
    }
}
