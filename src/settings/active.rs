//! The settings in force: take them, replace them.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::settings::Settings;

/// The settings in force, shared by every stage.
#[derive(Clone, Debug)]
pub struct ActiveSettings(Arc<ArcSwap<Settings>>);

impl ActiveSettings {
    /// Begins with these settings.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(settings)))
    }

    /// The settings in force; what is taken stays whole, whatever replaces it meanwhile.
    pub fn take(&self) -> Arc<Settings> {
        self.0.load_full()
    }

    /// Puts other settings in force.
    pub fn replace(&self, settings: Settings) {
        self.0.store(Arc::new(settings));
    }
}
