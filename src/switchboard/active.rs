//! The switchboard that is in force: take it, replace it. One pointer, so nobody sees half a change.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::switchboard::Switchboard;

/// The rules in force, shared by every stage.
#[derive(Clone, Debug)]
pub struct ActiveSwitchboard(Arc<ArcSwap<Switchboard>>);

impl ActiveSwitchboard {
    /// Begins with these rules.
    pub fn new(switchboard: Switchboard) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(switchboard)))
    }

    /// The rules in force; what is taken stays whole, whatever replaces it meanwhile.
    pub fn take(&self) -> Arc<Switchboard> {
        self.0.load_full()
    }

    /// Puts other rules in force and returns the old ones.
    pub fn replace(&self, switchboard: Switchboard) -> Arc<Switchboard> {
        self.0.swap(Arc::new(switchboard))
    }
}
