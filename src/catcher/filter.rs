//! What the settings do not want (`blacklisted_event_names`), counted by entry (C16 to C18).

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::model::metric::Sample;
use crate::settings::ActiveSettings;

/// Drops events by the settings in force.
#[derive(Debug)]
pub(crate) struct Filter {
    settings: ActiveSettings,
    /// By provider and entry as written.
    hits: Mutex<BTreeMap<(Arc<str>, String), u64>>,
}

impl Filter {
    pub(crate) fn new(settings: ActiveSettings) -> Self {
        Self {
            settings,
            hits: Mutex::default(),
        }
    }

    /// Whether events of this type are dropped; counts it.
    pub(crate) fn drops(&self, provider: &Arc<str>, event_type: &str) -> bool {
        let settings = self.settings.take();
        let Some(entry) = settings.blacklist(provider).matched(event_type) else {
            return false;
        };
        let key = (provider.clone(), entry.to_owned());
        *self.hits.lock().entry(key).or_default() += 1;
        true
    }

    /// How often each entry matched.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let hits = self.hits.lock();
        let sample = |((provider, entry), hits): (&(Arc<str>, String), &u64)| {
            Sample::counter(
                "switchboard_blacklist_hits_total",
                "Events dropped, by entry of `blacklisted_event_names`.",
                *hits,
            )
            .label("provider", provider.clone())
            .label("entry", entry.as_str())
        };
        hits.iter().map(sample).collect()
    }
}
