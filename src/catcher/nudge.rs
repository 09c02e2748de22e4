//! Nudges: a catcher that waits before it tries again is told to try now.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::model::ems::EmsId;

/// Tells catchers to try now. Every clone is the same one.
#[derive(Clone, Debug, Default)]
pub struct Nudges {
    waiting: Arc<Mutex<BTreeMap<EmsId, oneshot::Sender<()>>>>,
}

impl Nudges {
    /// Has the catcher of a manager try now; says whether it was waiting.
    pub fn nudge(&self, ems_id: EmsId) -> bool {
        let waiting = self.waiting.lock().remove(&ems_id);
        waiting.is_some_and(|waiting| waiting.send(()).is_ok())
    }

    /// Waits until somebody nudges the catcher of a manager; for ever where nobody does.
    pub(crate) async fn nudged(&self, ems_id: EmsId) {
        let (sender, nudged) = oneshot::channel();
        self.waiting.lock().insert(ems_id, sender);
        if nudged.await.is_err() {
            // Another catcher of the manager waits in its place.
            std::future::pending::<()>().await;
        }
    }
}
