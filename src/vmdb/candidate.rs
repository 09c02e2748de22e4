//! Candidate: a message that might be taken, and the event of one that was put by this process.

use std::sync::Arc;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::model::event::EventHash;

/// An event that was put by this process: it need not be read again.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) ems_id: EmsId,
    pub(crate) hash: EventHash,
    pub(crate) received_at: Timestamp,
}

/// A message that might be taken.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: i64,
    pub(crate) ems_id: EmsId,
    pub(crate) lane: Option<Arc<str>>,
    pub(crate) body: Option<Arc<Body>>,
    /// Whether it is found by its due time, not among the new ones.
    pub(crate) is_due: bool,
    /// Whether it may have ended the process once: then nothing else is risked with it.
    pub(crate) is_suspect: bool,
    /// Whether it was discarded while it was in hand.
    pub(crate) is_gone: bool,
}

impl Candidate {
    /// A new message that has to be read.
    pub(crate) fn new(id: i64, ems_id: EmsId, lane: Option<Arc<str>>) -> Self {
        Self {
            id,
            ems_id,
            lane,
            body: None,
            is_due: false,
            is_suspect: false,
            is_gone: false,
        }
    }

    pub(crate) fn body_bytes(&self) -> usize {
        let body = self.body.as_ref();
        body.map_or(0, |body| body.hash.full_data.text().len())
    }
}
