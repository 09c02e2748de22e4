//! What makes two messages the same event.

use sha2::Digest;
use sha2::Sha256;

use crate::model::event::EventHash;
use crate::model::event::EventKey;

impl EventHash {
    /// The key of an event: the one it has, else the provider's own number for it, else the digest of the native
    /// event.
    pub fn key(&self) -> EventKey {
        let given = self.event_key.as_ref().map(|key| key.0.clone());
        let given = given.filter(|key| !key.is_empty());
        let own = given.or_else(|| self.ems_ref.clone().filter(|reference| !reference.is_empty()));
        EventKey(own.unwrap_or_else(|| {
            let digest = Sha256::digest(self.full_data.text().as_bytes());
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("sha256:{hex}").into()
        }))
    }

    /// Gives an event the key that it is known by.
    pub fn settle_key(&mut self) {
        self.event_key = Some(self.key());
    }
}
