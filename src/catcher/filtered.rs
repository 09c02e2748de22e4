//! How many events the settings did not want (`blacklisted_event_names`), by entry (C16 to C18).

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::model::metric::Sample;

/// Counts what was dropped, by provider and entry as written.
#[derive(Debug, Default)]
pub(crate) struct Filtered(Mutex<BTreeMap<(Arc<str>, String), u64>>);

impl Filtered {
    /// An event of this provider was dropped by this entry.
    pub(crate) fn count(&self, provider: &Arc<str>, entry: String) {
        *self.0.lock().entry((provider.clone(), entry)).or_default() += 1;
    }

    /// How often each entry matched.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let hits = self.0.lock();
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
